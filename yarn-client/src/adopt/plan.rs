//! Decides what a directory of `heddle adopt` holds, and what has to be done to one that is there already. It
//! does no I/O.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::adopted::{NOTE, config_script, launcher};
use crate::layout;

/// The directories that are the directory's own, and no links.
pub(super) const OWN: [&str; 2] = [BIN, "log"];
const BIN: &str = "bin";
const CONF: &str = "conf";
/// The commands that are heddle's in each directory. The last is the name that the commands of Amazon EMR and
/// of Cloudera have for `yarn-session.sh`.
const ALWAYS: [&str; 3] = ["flink", "yarn-session.sh", "flink-yarn-session"];
/// The commands that are heddle's if the distribution has them.
const IF_THERE: [&str; 2] = ["sql-client.sh", "sql-gateway.sh"];
const CONFIG_SCRIPT: &str = "config.sh";

/// A Flink distribution, and what stands in front of it.
#[derive(Debug)]
pub(super) struct Source {
    /// The distribution's directory.
    pub(super) home: String,
    /// The names of what is in the directory.
    pub(super) names: Vec<OsString>,
    /// The names of what is in its `bin`.
    pub(super) bin: Vec<OsString>,
    /// The directory of its configuration, if there is one.
    pub(super) conf: Option<PathBuf>,
    /// heddle's program.
    pub(super) heddle: String,
}

/// Something that is to be in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Directory,
    /// A symbolic link to this.
    Link(PathBuf),
    /// A file with this content, which can be executed.
    Script(String),
}

/// Something that was found in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Directory,
    Link(PathBuf),
    /// A file that `heddle adopt` has written.
    Script(String),
    /// Anything else, which somebody has made.
    Other,
}

/// What a directory holds, by the paths within it. A directory comes before what is in it.
pub(super) type Tree<T> = BTreeMap<PathBuf, T>;

/// What happens to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was not there.
    Made,
    /// Another one was there, which `heddle adopt` had made.
    Replaced,
    /// `heddle adopt` had made it, and the distribution does not have it any more.
    Removed,
    /// It stays, because it is not what `heddle adopt` has made.
    Kept,
}

/// An entry, and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) path: PathBuf,
    pub(super) change: Change,
    /// What is to be there; `None` if it is removed or kept.
    pub(super) entry: Option<Entry>,
}

/// What the directory is to hold for this distribution.
pub(super) fn wanted(source: &Source) -> Tree<Entry> {
    let home = Path::new(&source.home);
    let names = source.names.iter().filter(|name| !OWN.iter().chain([&NOTE]).any(|own| *name == own));
    let mut tree: Tree<Entry> =
        names.map(|name| (PathBuf::from(name), Entry::Link(home.join(name)))).collect();
    tree.extend(source.conf.iter().map(|conf| (PathBuf::from(CONF), Entry::Link(conf.clone()))));
    tree.extend(OWN.map(|name| (PathBuf::from(name), Entry::Directory)));
    let bin = Path::new(BIN);
    let commands = || Entry::Script(launcher(&source.heddle));
    tree.extend(ALWAYS.map(|name| (bin.join(name), commands())));
    for name in &source.bin {
        let entry = match name.to_str() {
            Some(name) if ALWAYS.contains(&name) || IF_THERE.contains(&name) => commands(),
            Some(CONFIG_SCRIPT) => Entry::Script(config_script(&source.home)),
            _ => Entry::Link(home.join(bin).join(name)),
        };
        tree.insert(bin.join(name), entry);
    }
    tree
}

/// The commands in the tree that are heddle's, by their paths.
pub(super) fn commands(tree: &Tree<Entry>) -> Vec<String> {
    let is_command = |path: &Path| path != Path::new(BIN).join(CONFIG_SCRIPT);
    let scripts = tree.iter().filter(|(path, entry)| matches!(entry, Entry::Script(_)) && is_command(path));
    scripts.map(|(path, _)| path.display().to_string()).collect()
}

/// What has to be done so that a directory that holds `found` holds what is `wanted`. `homes` are the
/// distributions for which the directory stands or has stood. What is not known as the work of `heddle adopt`
/// is the user's, and stays.
pub(super) fn steps(wanted: &Tree<Entry>, found: &Tree<Found>, homes: &[PathBuf]) -> Vec<Step> {
    let is_ours = |path: &Path, found: &Found| match found {
        Found::Link(target) => {
            homes.iter().any(|home| *target == home.join(path))
                || (path == Path::new(CONF) && target == Path::new(layout::CONFIGURATION))
        }
        Found::Script(_) => true,
        Found::Directory | Found::Other => false,
    };
    let mut steps: Vec<Step> = Vec::new();
    for (path, entry) in wanted {
        // The user's own directory, or a link to one, stays as it is with all that is in it.
        if steps.iter().any(|above| above.change == Change::Kept && path.starts_with(&above.path)) {
            continue;
        }
        let change = match found.get(path) {
            None => Change::Made,
            Some(there) if is_there(entry, there) => continue,
            Some(there) if is_ours(path, there) => Change::Replaced,
            Some(_) => Change::Kept,
        };
        let entry = (change != Change::Kept).then(|| entry.clone());
        steps.push(Step { path: path.clone(), change, entry });
    }
    for (path, there) in found {
        if !wanted.contains_key(path) && is_ours(path, there) {
            steps.push(Step { path: path.clone(), change: Change::Removed, entry: None });
        }
    }
    steps
}

/// Whether what was found is what is wanted.
fn is_there(wanted: &Entry, found: &Found) -> bool {
    match (wanted, found) {
        (Entry::Directory, Found::Directory) => true,
        (Entry::Link(wanted), Found::Link(found)) => wanted == found,
        (Entry::Script(wanted), Found::Script(found)) => wanted == found,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(home: &str, names: &[&str], bin: &[&str]) -> Source {
        let all = |names: &[&str]| names.iter().map(OsString::from).collect();
        Source {
            home: home.to_owned(),
            names: all(names),
            bin: all(bin),
            conf: Some(Path::new(home).join("conf")),
            heddle: "/usr/bin/heddle".to_owned(),
        }
    }

    fn older() -> Source {
        let bin = ["config.sh", "flink", "historyserver.sh", "sql-client.sh", "yarn-session.sh"];
        source("/opt/f1", &["bin", "conf", "lib", "log", "opt", "LICENSE", NOTE], &bin)
    }

    fn newer() -> Source {
        let bin = [
            "config.sh",
            "flink",
            "bash-java-utils.sh",
            "sql-client.sh",
            "sql-gateway.sh",
            "yarn-session.sh",
        ];
        source("/opt/f2", &["bin", "conf", "lib", "log", "plugins", "LICENSE"], &bin)
    }

    /// What is found where all this was made.
    fn made(tree: &Tree<Entry>) -> Tree<Found> {
        let found = |entry: &Entry| match entry {
            Entry::Directory => Found::Directory,
            Entry::Link(target) => Found::Link(target.clone()),
            Entry::Script(content) => Found::Script(content.clone()),
        };
        tree.iter().map(|(path, entry)| (path.clone(), found(entry))).collect()
    }

    fn shown(steps: &[Step]) -> Vec<String> {
        let word = |change| match change {
            Change::Made => "made",
            Change::Replaced => "replaced",
            Change::Removed => "removed",
            Change::Kept => "kept",
        };
        steps.iter().map(|step| format!("{} {}", word(step.change), step.path.display())).collect()
    }

    #[test]
    fn what_a_directory_holds() {
        let tree = wanted(&older());
        let kinds: Vec<String> = tree
            .iter()
            .map(|(path, entry)| match entry {
                Entry::Directory => format!("{}/", path.display()),
                Entry::Link(target) => format!("{} -> {}", path.display(), target.display()),
                Entry::Script(_) => format!("{}*", path.display()),
            })
            .collect();
        assert_eq!(
            kinds,
            [
                "LICENSE -> /opt/f1/LICENSE",
                "bin/",
                "bin/config.sh*",
                "bin/flink*",
                "bin/flink-yarn-session*",
                "bin/historyserver.sh -> /opt/f1/bin/historyserver.sh",
                "bin/sql-client.sh*",
                "bin/yarn-session.sh*",
                "conf -> /opt/f1/conf",
                "lib -> /opt/f1/lib",
                "log/",
                "opt -> /opt/f1/opt",
            ]
        );
        let expected = ["bin/flink", "bin/flink-yarn-session", "bin/sql-client.sh", "bin/yarn-session.sh"];
        assert_eq!(commands(&tree), expected);
        assert_ne!(tree[Path::new("bin/config.sh")], tree[Path::new("bin/flink")]);
    }

    #[test]
    fn the_configuration_may_lie_elsewhere() {
        let mut source = source("/usr/lib/flink", &["bin", "lib"], &["flink"]);
        source.conf = Some(layout::CONFIGURATION.into());
        let tree = wanted(&source);
        assert_eq!(tree[Path::new("conf")], Entry::Link(layout::CONFIGURATION.into()));
        // It is ours, too, when the distribution has a `conf` of its own later.
        source.conf = Some("/usr/lib/flink/conf".into());
        let homes = [PathBuf::from("/usr/lib/flink")];
        assert_eq!(shown(&steps(&wanted(&source), &made(&tree), &homes)), ["replaced conf"]);
        source.conf = None;
        assert!(!wanted(&source).contains_key(Path::new("conf")));
    }

    #[test]
    fn another_distribution() {
        let (old, new) = (wanted(&older()), wanted(&newer()));
        let both = [PathBuf::from("/opt/f2"), PathBuf::from("/opt/f1")];
        let expected = [
            "replaced LICENSE",
            "made bin/bash-java-utils.sh",
            "replaced bin/config.sh",
            "made bin/sql-gateway.sh",
            "replaced conf",
            "replaced lib",
            "made plugins",
            "removed bin/historyserver.sh",
            "removed opt",
        ];
        assert_eq!(shown(&steps(&new, &made(&old), &both)), expected);
        assert_eq!(shown(&steps(&new, &made(&new), &both)), Vec::<String>::new());
        // It was interrupted in between, and is repeated.
        let mut half = made(&old);
        half.insert("lib".into(), Found::Link("/opt/f2/lib".into()));
        half.remove(Path::new("opt"));
        let left: Vec<&str> =
            expected.into_iter().filter(|step| !step.ends_with(" lib") && !step.ends_with(" opt")).collect();
        assert_eq!(shown(&steps(&new, &half, &both)), left);
    }

    #[test]
    fn what_the_user_has_made_stays() {
        let tree = wanted(&older());
        let mut found = made(&tree);
        found.insert("conf".into(), Found::Directory);
        found.insert("lib".into(), Found::Link("/home/ann/lib".into()));
        found.insert("usrlib".into(), Found::Directory);
        found.insert("bin/own.sh".into(), Found::Other);
        found.insert("bin/historyserver.sh".into(), Found::Other);
        found.insert("log".into(), Found::Link("/var/log/flink".into()));
        let homes = [PathBuf::from("/opt/f1")];
        let expected = ["kept bin/historyserver.sh", "kept conf", "kept lib", "kept log"];
        assert_eq!(shown(&steps(&tree, &found, &homes)), expected);
        // A directory of commands that leads elsewhere.
        found.insert("bin".into(), Found::Link("/home/ann/bin".into()));
        assert_eq!(shown(&steps(&tree, &found, &homes)), ["kept bin", "kept conf", "kept lib", "kept log"]);
        found.insert("bin".into(), Found::Directory);
        // Flink's own script in the place of heddle's.
        found.insert("bin/flink".into(), Found::Link("/opt/f1/bin/flink".into()));
        assert!(shown(&steps(&tree, &found, &homes)).contains(&"replaced bin/flink".to_owned()));
    }
}
