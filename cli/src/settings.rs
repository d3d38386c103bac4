//! Turns the options of a command into configuration keys, because later code reads only the configuration.

use std::fmt;

use flink_model::config::{Configuration, Origin, shown};
use flink_model::options::EXECUTION_ATTACHED;
use yarn_client::error::Failure;

use super::options::{ClusterOptions, SessionOptions, YarnOptions};
use super::yarn_options::{YARN_OPTIONS, is_only_for_a_start, number};

/// A configuration key that an option sets.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// The key.
    pub(crate) key: String,
    /// Its value.
    pub(crate) value: String,
    /// The option as written, for messages.
    pub(crate) origin: Origin,
}

impl fmt::Debug for Setting {
    /// Leaves the value out if the key has the name of a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} ({})", self.key, shown(&self.key, self.value.clone()), self.origin)
    }
}

/// The settings of one command. No two set the same key: see [`super::precedence`].
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    list: Vec<Setting>,
    /// The keys and values of `-D`, which are written to the properties file, too.
    pub(crate) dynamic: Vec<(String, String)>,
    /// Warnings for the user.
    pub(crate) warnings: Vec<String>,
    /// The minimum number of TaskManagers (`-n`).
    pub(crate) min_task_managers: Option<u32>,
    /// Whether the command returns once the session is ready.
    pub(crate) detached: bool,
}

impl fmt::Debug for Settings {
    /// All properties are in the list, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("list", &self.list)
            .field("warnings", &self.warnings)
            .field("min_task_managers", &self.min_task_managers)
            .field("detached", &self.detached)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Writes all settings into `configuration`.
    pub(crate) fn apply(&self, configuration: &mut Configuration) {
        for Setting { key, value, origin } in &self.list {
            configuration.set(key.clone(), value.clone(), origin.clone());
        }
    }

    /// All keys with their values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|setting| (setting.key.as_str(), setting.value.as_str()))
    }

    fn flag(&mut self, flag: &str, key: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            let origin = Origin::Flag(flag.to_owned());
            self.list.push(Setting { key: key.to_owned(), value: value.into(), origin });
        }
    }

    /// Adds the key that an option sets, if the option was given.
    fn option(&mut self, key: &str, given: Option<(String, String)>) {
        if let Some((option, value)) = given {
            self.flag(&option, key, Some(value));
        }
    }

    fn properties(&mut self, properties: &[String]) -> Result<(), Failure> {
        for property in properties {
            // Flink takes a key without a value as `true`. heddle refuses it, because the value may have been
            // forgotten.
            let Some((key, value)) = property.split_once('=') else {
                return Err(Failure::usage(format!("-D{property} has no value"))
                    .hint(format!("write -D{property}=value, or -D{property}=true")));
            };
            // Blanks around a value are part of it, as in Flink.
            let key = key.trim();
            if key.is_empty() {
                return Err(Failure::usage(format!("-D{property} has no key")).hint("write -Dkey=value"));
            }
            self.list.push(Setting { key: key.into(), value: value.into(), origin: Origin::Dynamic });
            self.dynamic.push((key.into(), value.into()));
        }
        Ok(())
    }

    /// The settings of the options of `yarn-session.sh`. Fails if a value is wrong.
    pub(crate) fn of_session(options: &SessionOptions) -> Result<Self, Failure> {
        let mut settings = Self::default();
        let o = options;
        for option in &YARN_OPTIONS {
            settings.option(option.key, option.read_session(o)?);
        }
        settings.min_task_managers = o.workers.as_deref().map(|n| number("-n", n)).transpose()?;
        let attached = if o.detached || o.yarn_detached { "false" } else { "true" };
        settings.flag("-d", EXECUTION_ATTACHED.key, Some(attached));
        settings.properties(&o.property)?;
        let attached = settings.pairs().filter(|(key, _)| *key == EXECUTION_ATTACHED.key).last();
        settings.detached = attached.is_some_and(|(_, value)| value.eq_ignore_ascii_case("false"));
        if o.streaming {
            settings
                .warnings
                .push("-st (--streaming) has no effect: every session runs streaming jobs".into());
        }
        if let Some(value) = o.job_manager.as_deref().filter(|v| *v != "yarn-cluster") {
            settings.warnings.push(format!("-m {value} has no effect here: a session is started on YARN"));
        }
        Ok(settings)
    }

    /// The settings of the options of a `flink` command: those that name the cluster and, for `run`, those of
    /// older releases (`yarn`). Fails if a value is wrong.
    pub(crate) fn of_verb(cluster: &ClusterOptions, yarn: Option<&YarnOptions>) -> Result<Self, Failure> {
        let mut settings = Self::default();
        settings.flag("-z", "high-availability.cluster-id", cluster.zookeeper_namespace.as_deref());
        settings.flag("-e", "execution.target", cluster.executor.as_deref());
        settings.flag("-t", "execution.target", cluster.target.as_deref());
        if let Some(o) = yarn {
            for option in &YARN_OPTIONS {
                settings.option(option.key, option.read_run(o)?);
            }
            settings.properties(&o.yarn_property)?;
            if o.yarn_streaming {
                settings.warnings.push("-yst (--yarnstreaming) has no effect".into());
            }
            if o.yarn_workers.is_some() {
                settings
                    .warnings
                    .push("-yn has no effect: Flink asks for as many TaskManagers as the job needs".into());
            }
        }
        settings.flag("-yid", "yarn.application.id", cluster.application_id.as_deref());
        settings.properties(&cluster.property)?;
        Ok(settings)
    }

    /// The given options of older releases that have no effect on a cluster that runs already.
    pub(crate) fn sizing_flags(&self) -> Vec<&str> {
        let flags = self.list.iter().filter_map(|setting| match &setting.origin {
            Origin::Flag(flag) => is_only_for_a_start(flag).then_some(flag.as_str()),
            _ => None,
        });
        flags.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(settings: &Settings) -> Vec<String> {
        settings.list.iter().map(|s| format!("{}={}", s.key, s.value)).collect()
    }

    #[test]
    fn session_options() {
        let options = SessionOptions {
            name: Some("a b".into()),
            job_manager_memory: Some("1024".into()),
            task_manager_memory: Some("2g".into()),
            slots: Some("2".into()),
            ship: vec!["x".into(), "y".into()],
            workers: Some("3".into()),
            detached: true,
            property: vec!["k=v=w".into(), "flag=true".into(), "blanks= x ".into()],
            ..SessionOptions::default()
        };
        let settings = Settings::of_session(&options).unwrap();
        assert_eq!(
            pairs(&settings),
            [
                "yarn.ship-files=x;y",
                "yarn.application.name=a b",
                "jobmanager.memory.process.size=1 gb",
                "taskmanager.memory.process.size=2 gb",
                "taskmanager.numberOfTaskSlots=2",
                "execution.attached=false",
                "k=v=w",
                "flag=true",
                "blanks= x "
            ]
        );
        assert_eq!(settings.dynamic.len(), 3);
        assert_eq!((settings.min_task_managers, settings.detached), (Some(3), true));
    }

    #[test]
    fn bad_numbers_and_keys() {
        for options in [
            SessionOptions { slots: Some("two".into()), ..SessionOptions::default() },
            SessionOptions { workers: Some("0".into()), ..SessionOptions::default() },
            SessionOptions { property: vec!["=x".into()], ..SessionOptions::default() },
            SessionOptions { property: vec!["flag".into()], ..SessionOptions::default() },
        ] {
            assert!(Settings::of_session(&options).unwrap_err().is_usage());
        }
    }

    #[test]
    fn the_older_dialect() {
        let cluster =
            ClusterOptions { application_id: Some("application_1_2".into()), ..ClusterOptions::default() };
        let yarn = YarnOptions {
            yarn_job_manager_memory: Some("1024".into()),
            yarn_property: vec!["a=b".into()],
            yarn_workers: Some("2".into()),
            ..YarnOptions::default()
        };
        let settings = Settings::of_verb(&cluster, Some(&yarn)).unwrap();
        assert_eq!(
            pairs(&settings),
            ["jobmanager.memory.process.size=1 gb", "a=b", "yarn.application.id=application_1_2"]
        );
        assert_eq!(settings.sizing_flags(), ["-yjm"]);
        assert_eq!(settings.warnings.len(), 1);
    }
}
