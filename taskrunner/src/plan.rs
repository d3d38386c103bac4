//! Makes the final [`JvmCommand`] from a launch specification and from the environment and directories of the
//! container where the JVM will run. Nothing here reads files or asks the system.

use std::path::{Path, PathBuf};

use flink_model::spec::{JvmTemplate, RecordsSpec};

use crate::archive::Wish;
use crate::control::{JvmRecords, Launch};
use crate::expand::{self, Lookup, Notation};
use crate::jvm::JvmCommand;

/// The container in which a JVM will run.
#[derive(Clone, Copy)]
pub struct ContainerEnvironment<'a> {
    /// The container's environment.
    pub env: Lookup<'a>,
    /// The directory of the container's logs.
    pub log_dir: &'a Path,
    /// The container's working directory.
    pub dir: &'a Path,
    /// The path of this program.
    pub self_exe: &'a Path,
}

impl From<&JvmTemplate> for Launch {
    /// Copies what the client's specification says about a JVM.
    fn from(jvm: &JvmTemplate) -> Self {
        Self {
            launcher: jvm.launcher.clone(),
            java_home: jvm.java_home.clone().unwrap_or_default(),
            jvm_args: jvm.jvm_args.clone(),
            class_path: jvm.class_path.clone(),
            main_class: jvm.main_class.clone(),
            args: jvm.args.clone(),
            env: jvm.env.clone().into_iter().collect(),
            args_from_env: jvm.args_from_env.clone().into_iter().collect(),
            ..Self::default()
        }
    }
}

impl From<&RecordsSpec> for JvmRecords {
    /// What the client's specification says that JVMs leave in files.
    fn from(records: &RecordsSpec) -> Self {
        let RecordsSpec { logs, flight_recorder, heap_dump_directory } = records.clone();
        Self {
            logs,
            flight_recorder,
            heap_dump: heap_dump_directory.is_some(),
            heap_dump_directory: heap_dump_directory.unwrap_or_default(),
        }
    }
}

/// The name of the log files if the specification has none.
const DEFAULT_LOG_NAME: &str = "taskmanager";

/// Expands the variables of a launch specification and makes the command from it. The second value holds
/// warnings, one line each.
///
/// The environment values of the specification are expanded with the container's environment, and everything
/// else with both.
pub fn jvm_command(launch: &Launch, container: &ContainerEnvironment) -> (JvmCommand, Vec<String>) {
    let mut warnings = Vec::new();
    let log_dir = container.log_dir.to_string_lossy();
    let fill = |what: &str, text: &str, notation, env: Lookup, warnings: &mut Vec<String>| {
        let expanded = expand::expand(text, notation, &log_dir, env);
        if !expanded.missing.is_empty() {
            warnings.push(format!(
                "{what} names {}, not set in the container's environment",
                expanded.missing.join(", ")
            ));
        }
        expanded.text
    };

    let env: std::collections::BTreeMap<String, String> = launch
        .env
        .iter()
        .map(|(key, value)| {
            let what = format!("the environment value of {key}");
            (key.clone(), fill(&what, value, Notation::Shell, container.env, &mut warnings))
        })
        .collect();
    let lookup = |name: &str| env.get(name).cloned().or_else(|| (container.env)(name));

    let jvm_args = launch
        .jvm_args
        .iter()
        .map(|arg| fill("a JVM argument", arg, Notation::Yarn, &lookup, &mut warnings))
        .collect();
    let (class_path, dropped) = expand::class_path(&launch.class_path, &log_dir, &lookup);
    warnings.extend(dropped.iter().map(ToString::to_string));
    let java_home = Some(&launch.java_home)
        .filter(|home| !home.is_empty())
        .map(|home| fill("the Java home", home, Notation::Shell, &lookup, &mut warnings));

    let launcher = launch
        .launcher
        .iter()
        .map(|word| fill("the launcher of Java", word, Notation::Yarn, &lookup, &mut warnings))
        .collect();

    let mut args = launch.args.clone();
    let mut from_env: Vec<_> = launch.args_from_env.iter().collect();
    from_env.sort();
    for (key, variable) in from_env {
        if let Some(value) = lookup(variable) {
            args.extend(["-D".to_owned(), format!("{key}={value}")]);
        }
    }

    let name = if launch.log_name.is_empty() { DEFAULT_LOG_NAME } else { &launch.log_name };
    let log = |suffix: &str| -> PathBuf { container.log_dir.join(format!("{name}.{suffix}")) };
    let command = JvmCommand {
        archives: Wish { archives: launch.archives.clone(), record: launch.record_classes },
        release: launch.flink_version.parse().ok(),
        launcher,
        java_home,
        jvm_args,
        class_path,
        main_class: launch.main_class.clone(),
        args,
        env,
        without: Vec::new(),
        stdout: log("out"),
        stderr: log("err"),
        log: Some(log("log")),
        dir: container.dir.to_owned(),
        self_exe: container.self_exe.to_owned(),
        records: launch.records.clone().unwrap_or_default(),
        container_mb: launch.container_mb,
    };
    (command, warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_everything_but_program_arguments() {
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let launch = Launch {
            java_home: "$JDK".into(),
            jvm_args: vec!["-Dlog.file=<LOG_DIR>/taskmanager.log".into(), "-Dx={{ADDED}}$JDK".into()],
            class_path: vec!["lib/*".into(), "$UNSET/x".into(), "$ADDED".into()],
            main_class: "M".into(),
            args: vec!["$JDK".into(), "a b'\"\n".into()],
            env: map(&[("ADDED", "${JDK}/added"), ("BAD", "$UNSET")]),
            args_from_env: map(&[("taskmanager.host", "NM_HOST"), ("none", "UNSET")]),
            log_name: "taskmanager".into(),
            launcher: vec!["nice".into(), "-n".into(), "{{NM_HOST}}".into()],
            flink_version: "1.20.5".into(),
            ..Launch::default()
        };
        let env = |name: &str| match name {
            "JDK" => Some("/jdk".to_owned()),
            "NM_HOST" => Some("node1".to_owned()),
            _ => None,
        };
        let container = ContainerEnvironment {
            env: &env,
            log_dir: Path::new("/logs"),
            dir: Path::new("/w"),
            self_exe: Path::new("/w/me"),
        };
        let (command, warnings) = jvm_command(&launch, &container);
        assert_eq!(command.release, "1.20.5".parse().ok());
        assert_eq!(command.java_home.as_deref(), Some("/jdk"));
        assert_eq!(command.launcher, ["nice", "-n", "node1"]);
        assert_eq!(command.jvm_args, ["-Dlog.file=/logs/taskmanager.log", "-Dx=/jdk/added$JDK"]);
        assert_eq!(command.class_path, "lib/*:/jdk/added");
        assert_eq!(command.args, ["$JDK", "a b'\"\n", "-D", "taskmanager.host=node1"]);
        assert_eq!(command.env["ADDED"], "/jdk/added");
        assert_eq!(command.stderr, Path::new("/logs/taskmanager.err"));
        assert_eq!(command.log.as_deref(), Some(Path::new("/logs/taskmanager.log")));
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("BAD") && warnings[1].contains("$UNSET/x"), "{warnings:?}");
    }
}
