//! Reads what heddle-am has left of an application in the user's home directory, on the file system of the
//! staging directory.

use std::time::Duration;

use artifact_store::check_own;
use diagnosis::facts::Absent;
use hadoop_fs::{FsError, FsErrorKind, Storage};
use outcomes::{CONTAINERS_FILE, Left, RECORD_FILE, Record, directory};
use yarn_api::records::ApplicationId;

use super::inquiry::Inquiry;
use super::silence::{in_time, unreachable};
use crate::patience::Wait;

/// The largest record, in bytes. One that is larger is not heddle-am's.
const LARGEST_RECORD: u64 = 4 << 20;
/// How much is read of the end of the list of containers, in bytes.
const LARGEST_LIST: u64 = 16 << 20;

/// What was left.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) left: Left,
    /// The files as they are, by their names.
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
}

/// Reads the record of an application of this user, within this time.
pub(super) async fn read(
    inquiry: &Inquiry,
    id: ApplicationId,
    user: &str,
    within: Duration,
) -> Result<Kept, Absent> {
    in_time(within, async {
        let staging = inquiry.staging.as_deref();
        let storage = inquiry.hadoop.clone().waiting(Wait::Little).storage(staging).map_err(unreachable)?;
        let storage = storage.with_deadline(within);
        let home = home_of(storage.home_dir(), storage.user(), user);
        let directory = directory(&home, &id.to_string());
        kept(&storage, &directory, user).await?.ok_or(Absent::Nothing)
    })
    .await
}

/// The record of an application of the calling user, whose name this is; `None` if there is none that can be
/// read. The list of containers is left out.
pub(crate) async fn one(storage: &Storage, id: ApplicationId, user: &str) -> Option<Record> {
    let path = format!("{}/{RECORD_FILE}", directory(storage.home_dir(), &id.to_string()));
    match end_of(storage, path, LARGEST_RECORD, user).await {
        Ok(json) => Left::parse(Some(json?.as_slice()), None).record,
        Err(absent) => {
            tracing::debug!(%id, why = absent.text(), "a record is not read");
            None
        }
    }
}

/// The home directory of a user. `home` is that of the user `own`, and those of all users are expected in the
/// same directory.
fn home_of(home: &str, own: &str, user: &str) -> String {
    if user == own {
        return home.to_owned();
    }
    let homes = home.rsplit_once('/').map_or("", |(homes, _)| homes);
    format!("{homes}/{user}")
}

/// Reads the files in this directory; `None` if there are none.
async fn kept(storage: &Storage, directory: &str, user: &str) -> Result<Option<Kept>, Absent> {
    let (record, containers) = tokio::join!(
        end_of(storage, format!("{directory}/{RECORD_FILE}"), LARGEST_RECORD, user),
        end_of(storage, format!("{directory}/{CONTAINERS_FILE}"), LARGEST_LIST, user),
    );
    let (record, containers) = (record?, containers?);
    if record.is_none() && containers.is_none() {
        return Ok(None);
    }
    let left = Left::parse(record.as_deref(), containers.as_deref());
    let files = [(RECORD_FILE, record), (CONTAINERS_FILE, containers)];
    let files = files.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))).collect();
    Ok(Some(Kept { left, files }))
}

/// The end of a file, which begins with a whole line; `None` if there is no such file. A file of another user
/// is not read: whoever has put it there could tell anything.
async fn end_of(storage: &Storage, path: String, most: u64, user: &str) -> Result<Option<Vec<u8>>, Absent> {
    let Some(status) = storage.find(&path).await.map_err(silence)? else { return Ok(None) };
    if storage.has_owners() {
        check_own(&status, user)
            .map_err(|distrust| unreachable(format_args!("it is not read, because {distrust}")))?;
    }
    let from = status.len.saturating_sub(most);
    let mut reading = storage.open_at(&path, from).await.map_err(silence)?;
    let mut bytes = Vec::new();
    while let Some(piece) = reading.next().await.map_err(silence)? {
        bytes.extend_from_slice(&piece);
    }
    if from > 0 {
        let line_end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes.drain(..line_end);
    }
    Ok(Some(bytes))
}

fn silence(error: FsError) -> Absent {
    match error.kind() {
        FsErrorKind::PermissionDenied => Absent::NotAllowed,
        _ => unreachable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes() {
        assert_eq!(home_of("/user/ann", "ann", "ann"), "/user/ann");
        assert_eq!(home_of("/user/ann", "ann", "bob"), "/user/bob");
    }
}
