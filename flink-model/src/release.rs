//! The releases of Flink that heddle supports, and the differences between them that matter to heddle.

use std::fmt;
use std::str::FromStr;

/// A text is not a release that heddle supports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The text does not have the form `1.20.1`.
    #[error("'{0}' is not a Flink version such as 1.20.1")]
    Malformed(String),
    /// The release is older or newer than those that heddle supports.
    #[error("Flink {0} is not supported; 1.13 to 1.20 and 2.0 to 2.3 are")]
    Unsupported(String),
}

/// A release of Flink, such as 1.20.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// The first number.
    pub major: u16,
    /// The second number.
    pub minor: u16,
    /// The third number.
    pub patch: u16,
}

/// Which configuration file a release reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRule {
    /// `flink-conf.yaml` only.
    LegacyOnly,
    /// `flink-conf.yaml` if it exists, otherwise `config.yaml`.
    LegacyFirst,
    /// `config.yaml` only.
    StandardOnly,
}

/// The program that runs a SQL script as an application. Its option `--scriptUri` names the script, a file in
/// the container's working directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlScript {
    /// The class with `main()`: Flink's own, or else one in the bridge.
    pub main_class: &'static str,
    /// The beginning of the name of the jar in Flink's directory `opt` that the class needs, if it needs one.
    pub opt_jar: Option<&'static str>,
    /// Whether `--scriptUri` may also be the URL of a script on a web server.
    pub reads_web: bool,
}

/// What differs between releases. There is one value of this type for each minor release that brought a
/// change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// The first minor release with these traits. They hold until the next row of the table.
    since: (u16, u16),
    /// Which configuration file the release reads.
    pub file_rule: FileRule,
    /// The oldest feature release of Java that can read the classes of the release.
    pub java_min: u16,
    /// The newest feature release of Java for which the release was made, even if the support is
    /// experimental.
    pub java_max: u16,
    /// Whether JobManager and TaskManager can start only if the JDK's internals are open. Java 16 and later
    /// keep them closed, unless options of the JVM open them.
    pub needs_opened_jdk: bool,
    /// Whether Flink itself has per-job mode and `run-application`.
    pub upstream_per_job: bool,
    /// Whether `env.java.opts` has been renamed to `env.java.opts.all`.
    pub java_opts_all: bool,
    /// Whether Flink reads `env.java.default-opts.*`.
    pub java_default_opts: bool,
    /// Whether the containers get the values of `env.log.level` and `env.log.max`.
    pub log_env: bool,
    /// Whether the containers use the Java that `env.java.home` names.
    pub java_home: bool,
    /// Whether Flink still reads `*.heap.size`, `*.heap.mb`, `FLINK_*_HEAP` and
    /// `taskmanager.network.numberOfBuffers`.
    pub legacy_memory_keys: bool,
    /// Whether the default of `taskmanager.memory.network.max` is 1 GiB. In later releases there is no
    /// maximum.
    pub network_max_1g: bool,
    /// Whether Flink reads `slotmanager.number-of-slots.min`.
    pub min_slots: bool,
    /// Whether the number of CPU cores is cut to eight decimals, as the class `Resource` of flink-core does.
    pub cores_cut: bool,
    /// Whether Flink writes quotes around the names of several external resources in a dynamic property.
    pub quotes_external_resources: bool,
    /// Whether Flink reads `yarn.rolled-logs.*`.
    pub rolled_logs: bool,
    /// Whether a job can claim the savepoint from which it starts (`--claimMode`).
    pub claim_mode: bool,
    /// Whether `execution.state-recovery.*` have replaced `execution.savepoint.*`, and in the REST interface
    /// `claimMode` has replaced `restoreMode`.
    pub state_recovery_keys: bool,
    /// How a SQL script is run as an application.
    pub sql_script: SqlScript,
    /// Whether Flink unpacks tar archives for Python (`python.archives`), and not only zip archives.
    pub python_tar_archives: bool,
    /// Whether a jar that is run by the REST interface can have a configuration of its own.
    pub rest_run_configuration: bool,
    /// Whether Flink's SQL client accepts `-D`.
    pub sql_client_properties: bool,
    /// The key that decides whether the JVM ends after a fatal error of Flink's RPC system.
    pub exit_on_fatal_error: &'static str,
    /// The main class of a session's JobManager, which is in the bridge.
    pub session_entrypoint: &'static str,
    /// The main class of an application's JobManager, which is in the bridge.
    pub application_entrypoint: &'static str,
}

const V1_13: Traits = Traits {
    since: (1, 13),
    file_rule: FileRule::LegacyOnly,
    java_min: 8,
    java_max: 11,
    needs_opened_jdk: true,
    upstream_per_job: true,
    java_opts_all: false,
    java_default_opts: false,
    log_env: false,
    java_home: false,
    legacy_memory_keys: true,
    network_max_1g: true,
    min_slots: false,
    cores_cut: false,
    quotes_external_resources: false,
    rolled_logs: false,
    claim_mode: false,
    state_recovery_keys: false,
    sql_script: SqlScript { main_class: "dev.heddle.sql.SqlScript", opt_jar: None, reads_web: false },
    python_tar_archives: false,
    rest_run_configuration: false,
    sql_client_properties: false,
    exit_on_fatal_error: "akka.jvm-exit-on-fatal-error",
    session_entrypoint: "dev.heddle.bridge.SessionEntrypoint113",
    application_entrypoint: "dev.heddle.bridge.ApplicationEntrypoint113",
};
const V1_14: Traits = Traits {
    since: (1, 14),
    cores_cut: true,
    quotes_external_resources: true,
    python_tar_archives: true,
    session_entrypoint: "dev.heddle.bridge.SessionEntrypoint",
    application_entrypoint: "dev.heddle.bridge.ApplicationEntrypoint",
    ..V1_13
};
const V1_15: Traits = Traits { since: (1, 15), claim_mode: true, ..V1_14 };
const V1_17: Traits = Traits {
    since: (1, 17),
    java_opts_all: true,
    network_max_1g: false,
    rest_run_configuration: true,
    ..V1_15
};
const V1_18: Traits = Traits {
    since: (1, 18),
    java_max: 17,
    needs_opened_jdk: false,
    sql_client_properties: true,
    exit_on_fatal_error: "pekko.jvm-exit-on-fatal-error",
    ..V1_17
};
const V1_19: Traits = Traits {
    since: (1, 19),
    file_rule: FileRule::LegacyFirst,
    java_max: 21,
    java_default_opts: true,
    log_env: true,
    min_slots: true,
    ..V1_18
};
const V1_20: Traits = Traits { since: (1, 20), state_recovery_keys: true, ..V1_19 };
const V2_0: Traits = Traits {
    since: (2, 0),
    file_rule: FileRule::StandardOnly,
    java_min: 11,
    upstream_per_job: false,
    java_home: true,
    legacy_memory_keys: false,
    sql_script: SqlScript {
        main_class: "org.apache.flink.table.runtime.application.SqlDriver",
        opt_jar: Some("flink-sql-gateway"),
        reads_web: true,
    },
    ..V1_20
};
const V2_1: Traits = Traits { since: (2, 1), rolled_logs: true, ..V2_0 };

/// All traits, in the order of releases.
const TABLE: [Traits; 9] = [V1_13, V1_14, V1_15, V1_17, V1_18, V1_19, V1_20, V2_0, V2_1];

/// The last minor release that heddle supports, for each major release.
const LAST: [(u16, u16); 2] = [(1, 20), (2, 3)];

impl Release {
    /// The release with these numbers. It fails if heddle does not support the release.
    pub fn new(major: u16, minor: u16, patch: u16) -> Result<Self, ReleaseError> {
        let release = Self { major, minor, patch };
        let known =
            LAST.iter().any(|&(m, last)| m == major && minor <= last) && (major, minor) >= TABLE[0].since;
        if known { Ok(release) } else { Err(ReleaseError::Unsupported(release.to_string())) }
    }

    /// The traits of this release.
    pub fn traits(self) -> &'static Traits {
        TABLE.iter().rev().find(|row| row.since <= (self.major, self.minor)).unwrap_or(&TABLE[0])
    }

    /// The traits of the newest release, for a cluster whose release is not known.
    pub fn newest_traits() -> &'static Traits {
        &TABLE[TABLE.len() - 1]
    }

    /// The release in the name of Flink's main jar: `flink-dist-1.20.1.jar`, `flink-dist_2.12-1.13.6.jar`. It
    /// is `None` if the name is not that of such a jar.
    pub fn from_dist_jar(file_name: &str) -> Option<Result<Self, ReleaseError>> {
        let rest = file_name.strip_suffix(".jar")?.strip_prefix("flink-dist")?;
        let version = match rest.strip_prefix('_') {
            Some(scala) => scala.split_once('-')?.1,
            None => rest.strip_prefix('-')?,
        };
        Some(version.parse())
    }
}

impl FromStr for Release {
    type Err = ReleaseError;

    /// Reads `1.20.1`. A missing third number stands for 0, and text after the numbers, such as `-SNAPSHOT`,
    /// is ignored.
    fn from_str(text: &str) -> Result<Self, ReleaseError> {
        let malformed = || ReleaseError::Malformed(text.to_owned());
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].trim_end_matches('.').split('.').map(str::parse::<u16>);
        let mut next = || numbers.next().and_then(Result::ok);
        let (Some(major), Some(minor)) = (next(), next()) else { return Err(malformed()) };
        Self::new(major, minor, next().unwrap_or(0))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Release {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_read_from_jar_names() {
        let of = |name| Release::from_dist_jar(name).map(|r| r.unwrap().to_string());
        assert_eq!(of("flink-dist-1.20.1.jar").as_deref(), Some("1.20.1"));
        assert_eq!(of("flink-dist_2.12-1.13.6.jar").as_deref(), Some("1.13.6"));
        assert_eq!(of("flink-dist-2.3.0-SNAPSHOT.jar").as_deref(), Some("2.3.0"));
        assert_eq!(of("flink-table-1.20.1.jar"), None);
        assert!(matches!(Release::from_dist_jar("flink-dist-x.jar"), Some(Err(ReleaseError::Malformed(_)))));
    }

    #[test]
    fn releases_compare_by_number() {
        assert!(release("1.9.0".replace("1.9", "1.14").as_str()) < release("1.20.1"));
        assert!(release("1.20.1") < release("2.0.0"));
        assert_eq!("1.12.7".parse::<Release>(), Err(ReleaseError::Unsupported("1.12.7".into())));
        assert_eq!("2.4.0".parse::<Release>(), Err(ReleaseError::Unsupported("2.4.0".into())));
        assert!("1.99999999".parse::<Release>().is_err());
    }

    #[test]
    fn each_release_finds_its_row() {
        assert_eq!(release("1.13.6").traits().file_rule, FileRule::LegacyOnly);
        assert_eq!(release("1.18.1").traits().java_max, 17);
        assert_eq!(release("1.20.1").traits().file_rule, FileRule::LegacyFirst);
        assert_eq!(release("2.3.0").traits().file_rule, FileRule::StandardOnly);
        assert!(release("2.2.1").traits().rolled_logs);
        assert_eq!(release("1.20.1").traits().sql_script.opt_jar, None);
        assert!(release("2.0.0").traits().sql_script.main_class.starts_with("org.apache.flink."));
        assert!(TABLE.is_sorted_by_key(|row| row.since));
    }
}
