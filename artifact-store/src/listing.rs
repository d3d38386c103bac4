//! Lists a store of which other users may have closed parts.

use std::future::Future;

use futures::stream::{self, StreamExt};
use hadoop_fs::{FileStatus, FsError, FsErrorKind, Storage};

/// The number of directories that are listed at the same time.
const AT_ONCE: usize = 16;

/// What is below a directory.
#[derive(Debug)]
pub struct Listing {
    /// All files and directories that the user can see.
    pub entries: Vec<FileStatus>,
    /// Those of these directories into which the user may not look.
    pub closed: Vec<FileStatus>,
}

/// Lists what is below the directory `root`. It fails if the user may not look into `root` itself.
pub async fn list_all(storage: &Storage, root: &str) -> Result<Listing, FsError> {
    walk(root, |path| async move { storage.list(&path, false).await }, FsError::kind).await
}

/// Lists level by level with `list`, whose errors are of the kinds that `kind` says.
async fn walk<F, E>(
    root: &str,
    list: impl Fn(String) -> F,
    kind: impl Fn(&E) -> FsErrorKind,
) -> Result<Listing, E>
where
    F: Future<Output = Result<Vec<FileStatus>, E>>,
{
    let mut listing = Listing { entries: list(root.to_owned()).await?, closed: Vec::new() };
    let mut level: Vec<FileStatus> = listing.entries.iter().filter(|s| s.is_dir).cloned().collect();
    while !level.is_empty() {
        let lists: Vec<_> = level
            .into_iter()
            .map(|directory| {
                let found = list(directory.path.clone());
                async move { (directory, found.await) }
            })
            .collect();
        let lists: Vec<_> = stream::iter(lists).buffered(AT_ONCE).collect().await;
        level = Vec::new();
        for (directory, found) in lists {
            match found {
                Ok(found) => {
                    level.extend(found.iter().filter(|s| s.is_dir).cloned());
                    listing.entries.extend(found);
                }
                Err(e) if kind(&e) == FsErrorKind::PermissionDenied => listing.closed.push(directory),
                // Somebody has removed it meanwhile.
                Err(e) if kind(&e) == FsErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(listing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::status;

    /// What is below `/s`, where the directories named `closed` and `gone` cannot be listed.
    async fn listed(
        paths: &[&str],
        of_closed: FsErrorKind,
    ) -> Result<(Vec<String>, Vec<String>), FsErrorKind> {
        let list = |directory: String| async move {
            match directory.rsplit('/').next() {
                Some("closed") => return Err(of_closed),
                Some("gone") => return Err(FsErrorKind::NotFound),
                _ => {}
            }
            let of = |path: &&&str| path.rsplit_once('/').is_some_and(|(above, _)| above == directory);
            Ok(paths.iter().filter(of).map(|path| status(path, "eve", 0o755)).collect::<Vec<_>>())
        };
        let Listing { entries, closed } = walk("/s", list, |kind: &FsErrorKind| *kind).await?;
        let names = |statuses: Vec<FileStatus>| statuses.into_iter().map(|status| status.path).collect();
        Ok((names(entries), names(closed)))
    }

    #[tokio::test]
    async fn what_another_user_has_closed_is_left_out() {
        let paths =
            ["/s/ab", "/s/ab/x", "/s/ab/x/a.jar", "/s/closed", "/s/gone", "/s/ab/closed", "/s/closed/b.jar"];
        let (entries, closed) = listed(&paths, FsErrorKind::PermissionDenied).await.unwrap();
        assert_eq!(entries, ["/s/ab", "/s/closed", "/s/gone", "/s/ab/x", "/s/ab/closed", "/s/ab/x/a.jar"]);
        assert_eq!(closed, ["/s/closed", "/s/ab/closed"]);
        assert_eq!(listed(&paths, FsErrorKind::Timeout).await, Err(FsErrorKind::Timeout));
    }
}
