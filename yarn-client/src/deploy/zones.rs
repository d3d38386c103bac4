//! Remote files that lie in encryption zones of HDFS (transparent encryption). heddle fetches no keys from a
//! KMS, and so does not read such files. The nodes do, if the KMS believes them: a NodeManager fetches the
//! files of an application with the application's tokens, also if the JVMs have a keytab, and fetches what
//! everybody may read with a keytab of its own.
//!
//! Nothing is refused here, because only the cluster knows what the KMS wants, and as whom containers run.

use flink_model::local_resource::Visibility;
use hadoop_rpc::Authentication;

use super::remote_files::RemoteFile;
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::warning::Warnings;

/// The kind of the tokens of a KMS.
const KMS_TOKEN: &str = "kms-dt";

/// By what the nodes can read a file in an encryption zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// By what the application has, or without any proof.
    OfApplication,
    /// By what the NodeManagers have themselves, if the KMS lets them.
    OfNodes,
    /// By nothing, unless the KMS wants no proof, or containers run as the user of the NodeManagers: these
    /// use their own keytab then.
    Doubtful,
}

fn access(authentication: Authentication, has_kms_token: bool, visibility: Visibility) -> Access {
    match (authentication, visibility) {
        (Authentication::Simple, _) => Access::OfApplication,
        (Authentication::Kerberos, Visibility::Public) => Access::OfNodes,
        (Authentication::Kerberos, _) if has_kms_token => Access::OfApplication,
        (Authentication::Kerberos, _) => Access::Doubtful,
    }
}

/// Warns of files that the nodes can perhaps not read. Nothing is asked if no file is in an encryption zone.
/// With a token of the KMS none of the encrypted files stays public: MapReduce does the same.
pub(crate) async fn check(
    hadoop: &Hadoop,
    files: &mut [RemoteFile],
    warnings: &mut Warnings,
) -> Result<(), Failure> {
    if !files.iter().any(|file| file.encrypted) {
        return Ok(());
    }
    let authentication =
        Authentication::of(&hadoop.conf).map_err(|e| Failure::configuration(e.to_string()))?;
    let has_kms_token = hadoop.login.tokens().get().tokens_of_kind(KMS_TOKEN).next().is_some();
    if has_kms_token && authentication == Authentication::Kerberos {
        // NodeManagers would not use the token for it, and every user of a node could read their copy.
        for file in files.iter_mut().filter(|file| file.encrypted) {
            file.resource.visibility = Visibility::Private;
        }
    }
    let encrypted: Vec<&RemoteFile> = files.iter().filter(|file| file.encrypted).collect();
    let of = |wanted: Access| {
        let mut files = encrypted.iter().copied();
        files.find(|file| access(authentication, has_kms_token, file.resource.visibility) == wanted)
    };
    if let Some(RemoteFile { resource, by, .. }) = of(Access::Doubtful) {
        let (url, zone) = (&resource.url, zone_of(hadoop, &resource.url).await);
        warnings.warn(format!(
            "{url} ({by}) is in {zone}, and the application has no token of the KMS, which heddle does not fetch: nodes whose containers \
             run as the application's user cannot read it, if the KMS wants Kerberos; name a file outside of the encryption zone, or have a \
             token of the KMS (kind {KMS_TOKEN}) in the file that HADOOP_TOKEN_FILE_LOCATION names"
        ));
    }
    if let Some(RemoteFile { resource, by, .. }) = of(Access::OfNodes) {
        let (url, zone) = (&resource.url, zone_of(hadoop, &resource.url).await);
        warnings.warn(format!(
            "{url} ({by}) is in {zone}: everybody may read it, so the NodeManagers fetch it as their own user, whom the \
             KMS has to let decrypt it"
        ));
    }
    Ok(())
}

/// The encryption zone of a file, in words.
async fn zone_of(hadoop: &Hadoop, url: &str) -> String {
    let zone = match hadoop.storage(Some(url)) {
        Ok(storage) => storage.encryption_zone(url).await,
        Err(_) => None,
    };
    zone.unwrap_or_else(|| "an encryption zone".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_read_what_is_encrypted() {
        use Authentication::{Kerberos, Simple};
        use Visibility::{Application, Private, Public};
        for (authentication, has_kms_token, visibility, wanted) in [
            (Simple, false, Private, Access::OfApplication),
            (Simple, false, Public, Access::OfApplication),
            (Kerberos, false, Private, Access::Doubtful),
            (Kerberos, false, Application, Access::Doubtful),
            (Kerberos, true, Private, Access::OfApplication),
            (Kerberos, true, Application, Access::OfApplication),
            // The application's token is of no use there, so such a file does not stay public.
            (Kerberos, true, Public, Access::OfNodes),
            (Kerberos, false, Public, Access::OfNodes),
        ] {
            let found = access(authentication, has_kms_token, visibility);
            assert_eq!(found, wanted, "{authentication:?} {has_kms_token} {visibility:?}");
        }
    }
}
