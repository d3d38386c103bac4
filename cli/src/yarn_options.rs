//! The options of `yarn-session.sh` that `run` takes too, with a `y` in front of their names. This is the one
//! table that says which configuration key each of them sets, and how its value is written there.

use flink_model::units::MemorySize;
use yarn_client::error::Failure;

use super::options::{SessionOptions, YarnOptions};

/// One option under both of its names.
pub(super) struct YarnOption {
    /// Its short name on `yarn-session.sh`, without the dash.
    name: &'static str,
    /// clap's id on `yarn-session.sh`. That of `run` has `yarn_` in front.
    id: &'static str,
    /// The configuration key that it sets.
    pub(super) key: &'static str,
    /// Its value in the options of `yarn-session.sh`.
    of_session: fn(&SessionOptions) -> Option<String>,
    /// Its value in the options of `run`.
    of_run: fn(&YarnOptions) -> Option<String>,
    /// How the value is written in the configuration. The first argument is the option, for messages.
    write: fn(&str, &str) -> Result<String, Failure>,
    /// Whether it has an effect only on a cluster that is to be started, and none on one that runs already.
    only_for_a_start: bool,
}

/// The options, in the order in which they are read.
pub(super) const YARN_OPTIONS: [YarnOption; 10] = [
    YarnOption {
        name: "j",
        id: "jar",
        key: "yarn.flink-dist-jar",
        of_session: |o| o.jar.clone(),
        of_run: |o| o.yarn_jar.clone(),
        write: |_, path| Ok(as_file_url(path)),
        only_for_a_start: true,
    },
    YarnOption {
        name: "t",
        id: "ship",
        key: "yarn.ship-files",
        of_session: |o| joined(&o.ship),
        of_run: |o| joined(&o.yarn_ship),
        write: as_it_is,
        only_for_a_start: true,
    },
    YarnOption {
        name: "qu",
        id: "queue",
        key: "yarn.application.queue",
        of_session: |o| o.queue.clone(),
        of_run: |o| o.yarn_queue.clone(),
        write: as_it_is,
        only_for_a_start: true,
    },
    YarnOption {
        name: "nm",
        id: "name",
        key: "yarn.application.name",
        of_session: |o| o.name.clone(),
        of_run: |o| o.yarn_name.clone(),
        write: as_it_is,
        only_for_a_start: true,
    },
    YarnOption {
        name: "at",
        id: "application_type",
        key: "yarn.application.type",
        of_session: |o| o.application_type.clone(),
        of_run: |o| o.yarn_application_type.clone(),
        write: as_it_is,
        only_for_a_start: true,
    },
    YarnOption {
        name: "z",
        id: "zookeeper_namespace",
        key: "high-availability.cluster-id",
        of_session: |o| o.zookeeper_namespace.clone(),
        of_run: |o| o.yarn_zookeeper_namespace.clone(),
        write: as_it_is,
        only_for_a_start: false,
    },
    YarnOption {
        name: "nl",
        id: "node_label",
        key: "yarn.application.node-label",
        of_session: |o| o.node_label.clone(),
        of_run: |o| o.yarn_node_label.clone(),
        write: as_it_is,
        only_for_a_start: true,
    },
    YarnOption {
        name: "jm",
        id: "job_manager_memory",
        key: "jobmanager.memory.process.size",
        of_session: |o| o.job_manager_memory.clone(),
        of_run: |o| o.yarn_job_manager_memory.clone(),
        write: |_, size| Ok(in_megabytes(size)),
        only_for_a_start: true,
    },
    YarnOption {
        name: "tm",
        id: "task_manager_memory",
        key: "taskmanager.memory.process.size",
        of_session: |o| o.task_manager_memory.clone(),
        of_run: |o| o.yarn_task_manager_memory.clone(),
        write: |_, size| Ok(in_megabytes(size)),
        only_for_a_start: true,
    },
    YarnOption {
        name: "s",
        id: "slots",
        key: "taskmanager.numberOfTaskSlots",
        of_session: |o| o.slots.clone(),
        of_run: |o| o.yarn_slots.clone(),
        write: |option, slots| number(option, slots).map(|n| n.to_string()),
        only_for_a_start: true,
    },
];

impl YarnOption {
    /// The option as a user of `yarn-session.sh` writes it.
    fn on_session(&self) -> String {
        format!("-{}", self.name)
    }

    /// The option as a user of `run` writes it.
    fn on_run(&self) -> String {
        format!("-y{}", self.name)
    }

    /// The option as the user writes it, and its value as the configuration has it, if the option was given
    /// to `yarn-session.sh`. Fails if the value is wrong.
    pub(super) fn read_session(&self, options: &SessionOptions) -> Result<Option<(String, String)>, Failure> {
        self.read(self.on_session(), (self.of_session)(options))
    }

    /// The same for `run`.
    pub(super) fn read_run(&self, options: &YarnOptions) -> Result<Option<(String, String)>, Failure> {
        self.read(self.on_run(), (self.of_run)(options))
    }

    fn read(&self, option: String, value: Option<String>) -> Result<Option<(String, String)>, Failure> {
        let Some(value) = value else { return Ok(None) };
        let written = (self.write)(&option, &value)?;
        Ok(Some((option, written)))
    }
}

/// The key that the option of `yarn-session.sh` with this id sets.
pub(super) fn key_on_session(id: &str) -> Option<&'static str> {
    YARN_OPTIONS.iter().find(|option| option.id == id).map(|option| option.key)
}

/// The same for `run`.
pub(super) fn key_on_run(id: &str) -> Option<&'static str> {
    key_on_session(id.strip_prefix("yarn_")?)
}

/// Whether `option`, as a user of `run` writes it, has no effect on a cluster that runs already.
pub(super) fn is_only_for_a_start(option: &str) -> bool {
    YARN_OPTIONS.iter().any(|known| known.only_for_a_start && known.on_run() == option)
}

fn as_it_is(_: &str, value: &str) -> Result<String, Failure> {
    Ok(value.to_owned())
}

fn joined(paths: &[String]) -> Option<String> {
    (!paths.is_empty()).then(|| paths.join(";"))
}

/// A memory size in the form in which Flink's own options write it into the configuration. A number without a
/// unit is in MB. A text that is not a size is refused later.
fn in_megabytes(size: &str) -> String {
    const UNITS: [(u32, &str); 5] = [(40, "tb"), (30, "gb"), (20, "mb"), (10, "kb"), (0, "bytes")];
    let size = size.trim();
    let text =
        if size.ends_with(|c: char| c.is_ascii_digit()) { format!("{size}m") } else { size.to_owned() };
    let Ok(parsed) = MemorySize::parse(&text) else { return text };
    let bytes = parsed.bytes();
    let unit = UNITS.iter().find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    unit.map_or(text, |(shift, unit)| format!("{} {unit}", bytes >> shift))
}

fn as_file_url(path: &str) -> String {
    if path.starts_with("file://") { path.to_owned() } else { format!("file://{path}") }
}

/// The value of `option`, which must be a whole number of at least 1.
pub(super) fn number(option: &str, value: &str) -> Result<u32, Failure> {
    match value.trim().parse::<u32>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(Failure::usage(format!("{option} {value}: it must be a whole number of at least 1"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::definition;

    #[test]
    fn the_table_is_that_of_the_options() {
        let top = definition();
        let arguments = |verb: &str, id: &str| {
            let command = top.find_subcommand(verb).unwrap();
            command.get_arguments().find(|arg| arg.get_id() == id).cloned().unwrap()
        };
        for option in &YARN_OPTIONS {
            for (verb, id, name) in [
                ("session", option.id.to_owned(), option.name.to_owned()),
                ("run", format!("yarn_{}", option.id), format!("y{}", option.name)),
            ] {
                let arg = arguments(verb, &id);
                let letter = arg.get_short().map(String::from);
                let aliases = arg.get_all_aliases().unwrap_or_default().into_iter().map(String::from);
                assert!(letter.into_iter().chain(aliases).any(|known| known == name), "{verb} -{name}");
            }
            assert_eq!(key_on_run(&format!("yarn_{}", option.id)), Some(option.key));
        }
    }
}
