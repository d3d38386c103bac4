//! What an error of hdfs-native means: the typed error for the operation that has failed. hdfs-native hands
//! on exceptions of NameNodes by their Java class, and has errors of its own for the rest.

use std::io::ErrorKind;

use hadoop_rpc::{RemoteKind, Retry};
use hdfs_native::HdfsError;
use hdfs_native::client::EncryptionZone;

use crate::error::{FsError, FsErrorKind};

/// What an error says of a path in an encryption zone: heddle does not ask a KMS for the keys of encrypted
/// files. `zone` says in words which zone it is, if that is known.
pub(crate) fn in_zone(zone: Option<&str>) -> String {
    format!("it is in {}, which heddle does not serve", zone.unwrap_or("an encryption zone"))
}

/// An encryption zone in words. `configured` is the place of the keys according to the configuration; that
/// which the NameNode itself tells counts more.
pub(crate) fn zone_in_words(zone: &EncryptionZone, configured: Option<&str>) -> String {
    let EncryptionZone { path, key_name, key_provider } = zone;
    let kms = key_provider.as_deref().or(configured).map(|kms| format!(" of {kms}")).unwrap_or_default();
    format!("the encryption zone {path} (key {key_name}{kms})")
}

/// Whether the NameNode did not accept the token of the connection, and so has executed nothing.
pub(crate) fn is_invalid_token(error: &HdfsError) -> bool {
    match error {
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => {
            RemoteKind::of_exception(short_name(class), text) == RemoteKind::InvalidToken
        }
        _ => false,
    }
}

fn short_name(class: &str) -> &str {
    class.rsplit(['.', '$']).next().unwrap_or_default()
}

/// The error for a failure of hdfs-native.
pub(crate) fn of(operation: &'static str, path: &str, server: &str, error: &HdfsError) -> FsError {
    use FsErrorKind as Kind;
    let new = |kind, detail: String| FsError::new(kind, operation, path, server, detail);
    match error {
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => {
            let kind = FsErrorKind::of_exception(class, text);
            let short = short_name(class);
            if short == "UnknownCryptoProtocolVersionException" {
                return new(Kind::EncryptionZone, in_zone(None));
            }
            let line = text.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or("no reason given");
            let failed = new(kind, format!("{line} ({short})"));
            if is_invalid_token(error) { failed.with_refused_token() } else { failed }
        }
        HdfsError::IOError(io) => match io.kind() {
            ErrorKind::TimedOut => new(Kind::Timeout, io.to_string()),
            ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => {
                new(Kind::Unreachable, format!("the connection broke: {io}")).with_retry(Retry::IfIdempotent)
            }
            _ => new(Kind::Unreachable, io.to_string()),
        },
        HdfsError::FileNotFound(_) => new(Kind::NotFound, "it does not exist".into()),
        HdfsError::AlreadyExists(text) => new(Kind::AlreadyExists, first_line(text, "it exists already")),
        HdfsError::IsADirectoryError(_) => new(Kind::IsADirectory, "it is a directory".into()),
        HdfsError::BlocksNotFound(text) => {
            new(Kind::DataNodes, format!("no DataNode has its blocks: {text}"))
        }
        HdfsError::DataTransferError(_) | HdfsError::ChecksumError | HdfsError::InvalidEncryptionKey(_) => {
            new(Kind::DataNodes, error.to_string())
        }
        HdfsError::SASLError(_) => new(Kind::Authentication, error.to_string()),
        HdfsError::InvalidPath(_) | HdfsError::InvalidArgument(_) | HdfsError::UrlParseError(_) => {
            new(Kind::InvalidArgument, error.to_string())
        }
        // hdfs-native has looked at the file, and removed it if it has just been created.
        HdfsError::UnsupportedFeature(text) if text.contains("encryption zone") => {
            new(Kind::EncryptionZone, in_zone(None))
        }
        HdfsError::UnsupportedFeature(_) | HdfsError::UnsupportedErasureCodingPolicy(_) => {
            new(Kind::Unsupported, error.to_string())
        }
        _ => new(Kind::Other, error.to_string()),
    }
}

fn first_line(text: &str, otherwise: &str) -> String {
    text.lines().next().filter(|line| !line.trim().is_empty()).unwrap_or(otherwise).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(class: &str, text: &str) -> FsError {
        super::of("create", "/a", "NameNode h:1", &HdfsError::RPCError(class.into(), text.into()))
    }

    #[test]
    fn remote_errors() {
        let denied =
            of("org.apache.hadoop.security.AccessControlException", "Permission denied: user=a\n\tat x.y");
        assert_eq!(denied.kind(), FsErrorKind::PermissionDenied);
        assert_eq!(
            denied.to_string(),
            "cannot create /a on NameNode h:1: Permission denied: user=a (AccessControlException)"
        );
        let kerberos =
            of("org.apache.hadoop.security.AccessControlException", "SIMPLE authentication is not enabled.");
        assert_eq!(kerberos.kind(), FsErrorKind::Authentication);
        let safe = "org.apache.hadoop.hdfs.server.namenode.SafeModeException";
        assert_eq!(of(safe, "x").kind(), FsErrorKind::SafeMode);
        assert_eq!(of("org.apache.hadoop.ipc.RetriableException", safe).kind(), FsErrorKind::SafeMode);
        assert_eq!(of(safe, "x").retry(), Retry::Later);
        let full = "File /a could only be written to 0 of the 1 minReplication nodes. There are 0 datanode(s) running and 0 node(s) are excluded";
        assert_eq!(of("java.io.IOException", full).kind(), FsErrorKind::DataNodes);
        assert_eq!(of("java.io.IOException", "x").kind(), FsErrorKind::Other);
        assert_eq!(of("a.b.DSQuotaExceededException", "x").kind(), FsErrorKind::QuotaExceeded);
    }

    #[test]
    fn files_in_encryption_zones() {
        let own = HdfsError::UnsupportedFeature("the file is in an HDFS encryption zone".into());
        let refused = super::of("open", "/zone/a", "NameNode h:1", &own);
        assert_eq!(refused.kind(), FsErrorKind::EncryptionZone);
        assert_eq!(
            refused.to_string(),
            "cannot open /zone/a on NameNode h:1: it is in an encryption zone, which heddle does not serve"
        );
        let class = "org.apache.hadoop.hdfs.UnknownCryptoProtocolVersionException";
        let refused = of(class, "No crypto protocol versions provided by the client are supported.");
        assert_eq!(refused.kind(), FsErrorKind::EncryptionZone);
        assert_eq!(refused.detail(), in_zone(None));
        let other = super::of("open", "/a", "", &HdfsError::UnsupportedFeature("SM4".into()));
        assert_eq!(other.kind(), FsErrorKind::Unsupported);
    }

    #[test]
    fn a_zone_is_named_with_its_key_and_the_place_of_the_keys() {
        let zone = |key_provider: Option<&str>| EncryptionZone {
            path: "/zone".into(),
            key_name: "k".into(),
            key_provider: key_provider.map(str::to_owned),
        };
        let configured = Some("kms://http@h:1/kms");
        for (told, configured, words) in [
            (Some("kms://http@kms:9600/kms"), configured, "key k of kms://http@kms:9600/kms"),
            (None, configured, "key k of kms://http@h:1/kms"),
            (None, None, "key k"),
        ] {
            let told = zone_in_words(&zone(told), configured);
            assert_eq!(told, format!("the encryption zone /zone ({words})"));
            assert_eq!(in_zone(Some(&told)), format!("it is in {told}, which heddle does not serve"));
        }
    }

    #[test]
    fn tokens_that_are_not_accepted() {
        let class = "org.apache.hadoop.security.token.SecretManager$InvalidToken";
        let text = "token (token for ann: HDFS_DELEGATION_TOKEN owner=ann@R) is expired";
        let fatal = HdfsError::FatalRPCError(class.into(), text.into());
        assert!(is_invalid_token(&fatal));
        assert!(!is_invalid_token(&HdfsError::RPCError("java.io.IOException".into(), text.into())));
        assert!(!is_invalid_token(&HdfsError::SASLError(text.into())));
        let refused = of(class, text);
        assert_eq!((refused.kind(), refused.is_of_refused_token()), (FsErrorKind::Authentication, true));
        // With another token it would be the same.
        let other = of("javax.security.sasl.SaslException", "x");
        assert_eq!((other.kind(), other.is_of_refused_token()), (FsErrorKind::Authentication, false));
    }
}
