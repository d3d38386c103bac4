//! The names in a container's directory that heddle or YARN uses itself. A user's file with one of these
//! names would replace or hide another file, so it is refused.

use crate::class_data::CONTAINER_DIRECTORY;
use crate::config::{LEGACY_FILE, STANDARD_FILE};
use crate::jvm_options::{LOG4J_FILE, LOGBACK_FILE, Logging};
use crate::plan::PROGRAM_FILE;
use crate::release::{FileRule, Release};

/// What the substitute names of local resources begin with. YARN makes links with these names, and heddle
/// renames them in the container.
pub const LINK_PREFIX: &str = ".heddle-link.";
/// The directory in which a JVM records the names of its classes.
pub const RECORDING: &str = ".heddle-classes";
/// The directory in which a class data archive is made.
pub const ARCHIVE_DIRECTORY: &str = ".heddle-archive";
/// What the names of the directories begin with in which a JVM has its temporary files.
pub const TMP: &str = ".heddle-tmp";
/// The directory in which a JVM dumps its heap.
pub const HEAP_DUMP: &str = ".heddle-heap-dump";
/// The file that says what heddle-am has to do. In the application's directory it is called
/// [`crate::spec::SPEC_FILE`].
pub const AM_SPEC_FILE: &str = "heddle-am.json";
/// What the names of the directories of links to the node's own jars begin with. A hash follows.
pub const NODE_JARS: &str = "heddle/node-jars";
/// The ApplicationMaster's program.
pub const AM: &str = "heddle-am";
/// The program that starts a TaskManager.
pub const TASKRUNNER: &str = "heddle-taskrunner";
/// The jar through which Flink's ResourceManager speaks to heddle-am.
pub const BRIDGE: &str = "heddle/flink-bridge.jar";
/// The keystore for the application's own connections, which heddle makes.
pub const INTERNAL_KEY: &str = "heddle-internal.p12";
/// The file in which YARN puts the container's credentials. A user's file of this name would replace it.
pub const TOKENS: &str = "container_tokens";

/// The files that heddle-am or heddle-taskrunner writes into a container. They come with the container's
/// credentials or by the control protocol.
pub const WRITTEN: [&str; 7] =
    [AM_SPEC_FILE, PROGRAM_FILE, LEGACY_FILE, STANDARD_FILE, LOG4J_FILE, LOGBACK_FILE, INTERNAL_KEY];
/// The files of heddle's and YARN's that a user's file must not replace.
const FILES: [&str; 7] = [AM, TASKRUNNER, BRIDGE, AM_SPEC_FILE, PROGRAM_FILE, INTERNAL_KEY, TOKENS];
/// The directories that hold only files of heddle's.
const DIRECTORIES: [&str; 4] = [RECORDING, ARCHIVE_DIRECTORY, HEAP_DUMP, CONTAINER_DIRECTORY];
/// What all other names that heddle uses begin with.
const PREFIXES: [&str; 3] = [LINK_PREFIX, NODE_JARS, TMP];

/// What kind of file a user's file would collide with in the containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A file of heddle's or of YARN's.
    Reserved,
    /// The file from which Flink reads its configuration.
    Configuration,
    /// The file that configures the logging of Flink.
    Logging,
}

/// What a user's file at the path `key` in the container's directory would collide with; `None` if it
/// collides with nothing. `logging` is the logging configuration of the application.
pub fn taken(key: &str, release: Release, logging: Logging) -> Option<Taken> {
    let first = key.split('/').next().unwrap_or_default();
    let inside = |path: &str| key == path || key.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    // A file with the name of a needed directory, such as `heddle`, collides, too.
    let above = |path: &str| path.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
    let reserved = FILES.iter().chain(&DIRECTORIES).any(|path| inside(path) || above(path))
        || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        || above(NODE_JARS);
    let configuration: &[&str] = match release.traits().file_rule {
        FileRule::LegacyOnly => &[LEGACY_FILE],
        FileRule::LegacyFirst => &[LEGACY_FILE, STANDARD_FILE],
        FileRule::StandardOnly => &[STANDARD_FILE],
    };
    if reserved {
        Some(Taken::Reserved)
    } else if configuration.contains(&first) {
        Some(Taken::Configuration)
    } else {
        (logging.file_name() == Some(first)).then_some(Taken::Logging)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_that_is_written_is_left_to_the_user() {
        let release = Release { major: 1, minor: 20, patch: 5 };
        for name in WRITTEN {
            let taken = |logging| taken(name, release, logging).is_some();
            assert!(taken(Logging::Log4j) || taken(Logging::Logback), "{name}");
        }
    }

    #[test]
    fn names_that_are_not_the_users() {
        let old = Release { major: 1, minor: 18, patch: 1 };
        let both = Release { major: 1, minor: 20, patch: 5 };
        let new = Release { major: 2, minor: 0, patch: 0 };
        for (key, wanted) in [
            ("heddle-am.json", Some(Taken::Reserved)),
            ("heddle-program.json", Some(Taken::Reserved)),
            ("container_tokens", Some(Taken::Reserved)),
            ("heddle-internal.p12", Some(Taken::Reserved)),
            ("heddle-am", Some(Taken::Reserved)),
            ("heddle-am/x", Some(Taken::Reserved)),
            ("heddle", Some(Taken::Reserved)),
            ("heddle/flink-bridge.jar", Some(Taken::Reserved)),
            ("heddle/cds/x.jsa", Some(Taken::Reserved)),
            ("heddle/node-jars-0a/1/x.jar", Some(Taken::Reserved)),
            (".heddle-link.lib%2Fa.jar", Some(Taken::Reserved)),
            (".heddle-classes", Some(Taken::Reserved)),
            (".heddle-archive/x", Some(Taken::Reserved)),
            (".heddle-heap-dump", Some(Taken::Reserved)),
            (".heddle-tmp-0/x", Some(Taken::Reserved)),
            ("log4j.properties", Some(Taken::Logging)),
            ("logback.xml", None),
            ("heddle/mine.txt", None),
            ("heddle-amber", None),
            ("conf/heddle-am.json", None),
            ("am.json", None),
            ("program.json", None),
            ("conf/config.yaml", None),
            ("data/log4j.properties", None),
            ("", None),
        ] {
            assert_eq!(taken(key, both, Logging::Log4j), wanted, "{key}");
        }
        assert_eq!(taken("logback.xml", both, Logging::Logback), Some(Taken::Logging));
        let configuration = |release| {
            [LEGACY_FILE, STANDARD_FILE].map(|key| taken(key, release, Logging::Unconfigured).is_some())
        };
        assert_eq!(configuration(old), [true, false]);
        assert_eq!(configuration(both), [true, true]);
        assert_eq!(configuration(new), [false, true]);
    }
}
