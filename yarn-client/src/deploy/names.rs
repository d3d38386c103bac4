//! Decides which names in a container's directory the files of the user may have. Some names belong to
//! heddle, to Flink's configuration or to its logging, and two files cannot have the same name.

use std::collections::BTreeMap;
use std::path::Path;

use artifact_store::LocalFile;
use flink_model::container::{Taken, taken};
use flink_model::jvm_options::Logging;
use flink_model::release::Release;

use crate::error::Failure;
use crate::warning::Warnings;

/// What decides which names are taken: the release of Flink, and the logging configuration with its file.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) release: Release,
    pub(crate) logging: (Logging, Option<LocalFile>),
}

impl Names {
    /// Whether a file gets the path `key` in the containers. The configuration of Flink and of its logging
    /// wins over a file of the user's, as with Flink's own client; then the file is left out, with a warning
    /// unless its content is the same. It is a failure if the name belongs to heddle. `local` is the path of
    /// the file if it is on this machine.
    pub(crate) fn admit(
        &self,
        key: &str,
        by: &'static str,
        local: Option<&Path>,
        warnings: &mut Warnings,
    ) -> Result<bool, Failure> {
        let what = match taken(key, self.release, self.logging.0) {
            None => return Ok(true),
            Some(Taken::Reserved) => return Err(twice(key, "heddle", by)),
            Some(Taken::Configuration) => {
                "this is the name of Flink's configuration, which holds the settings of this command"
                    .to_owned()
            }
            Some(Taken::Logging) => {
                let own = self.logging.1.as_ref().map(|file| file.path.as_path());
                let same = |(a, b)| matches!((std::fs::read(a), std::fs::read(b)), (Ok(a), Ok(b)) if a == b);
                if own.zip(local).is_some_and(same) {
                    return Ok(false);
                }
                let own = own.map(|path| path.display().to_string()).unwrap_or_default();
                format!("this is the name of the logging configuration, {own}")
            }
        };
        warnings.warn(format!("{by}: {key} is left out, because in the containers {what}"));
        Ok(false)
    }
}

/// Refuses a file that has the name of a directory in which other files are. On a node the file is a link, so
/// the other files could not be put below its name. `keys` has, for each key, the configuration key because
/// of which the containers get the file.
pub(crate) fn check_directories(keys: &BTreeMap<&str, &'static str>) -> Result<(), Failure> {
    let above = |key: &'_ str| key.match_indices('/').map(|(at, _)| at).collect::<Vec<_>>();
    for (key, by) in keys {
        for at in above(key) {
            let directory = key.get(..at).unwrap_or_default();
            if let Some(other) = keys.get(directory) {
                let who = if other == by { (*by).to_owned() } else { format!("{other} and {by}") };
                return Err(Failure::configuration(format!(
                    "in the containers {directory:?} would be a file, or an archive, and {key:?} would lie in a directory of that name ({who})"
                ))
                .hint("rename one, or leave one out"));
            }
        }
    }
    Ok(())
}

/// Makes the failure for two files that would have the same name in the containers. Flink's own client takes
/// one of them.
pub(crate) fn twice(key: &str, one: &str, other: &str) -> Failure {
    let who = if one == other { one.to_owned() } else { format!("{one} and {other}") };
    Failure::configuration(format!("two files would both be {key:?} in the containers ({who})"))
        .hint("rename one, or leave one out")
        .unsupported()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_a_directory_of_others() {
        let check = |keys: &[(&'static str, &'static str)]| {
            check_directories(&keys.iter().copied().collect()).map_err(|e| e.render(false))
        };
        check(&[("a.zip", "x"), ("a.zipped/b", "x"), ("b/a.zip", "x")]).unwrap();
        let refused =
            check(&[("a.zip", "yarn.ship-archives"), ("a.zip/b/c", "yarn.ship-files")]).unwrap_err();
        assert!(
            refused.contains("\"a.zip\"") && refused.contains("(yarn.ship-archives and yarn.ship-files)"),
            "{refused}"
        );
        assert!(check(&[("a/b", "x"), ("a/b/c", "x")]).is_err());
    }
}
