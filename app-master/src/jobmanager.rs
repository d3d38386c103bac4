//! Starts the JobManager's JVM and says how it ended.

use std::path::Path;

use flink_model::spec::TMP_DIRS_ENV;
use taskrunner::control::Launch;
use taskrunner::exit::ExitReport;
use taskrunner::heap_dump::HeapDump;
use taskrunner::jvm::{JvmError, JvmProcess, TakePipes};
use taskrunner::plan::{self, ContainerEnvironment};
use taskrunner::spawn::SpawnThread;
use taskrunner::tmp_dirs::TmpDirs;

use crate::environment::Environment;
use crate::failure::is_frame;
use crate::launcher::USER_VARIABLE;
use crate::tokens::FILE_VARIABLE;

/// Stem of the JobManager's log files.
pub(crate) const LOG_NAME: &str = "jobmanager";
/// How many last lines of its log go into the diagnostics.
const LINES: usize = 20;

/// While the JobManager starts, the JVM's second compiler (C2) takes as much processor time as the JobManager
/// itself, and gains little. With these options a method must run ten times as often as usual before C2
/// compiles it. Methods that run often are compiled all the same, a moment later. (Defaults: 5000, 600,
/// 15000, 40000, in compilerDefinitions of the JDK.)
const LATER_C2: [&str; 4] = [
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
];

/// What was made for the JVM in the container.
#[derive(Debug, Clone, Copy, Default)]
pub struct JvmFiles<'a> {
    /// The directories for the JVM's temporary files; `None` if Flink decides where they are.
    pub tmp_dirs: Option<&'a TmpDirs>,
    /// With Kerberos, the credentials file of the JVM. The JVM is given this file instead of heddle-am's, and
    /// no name of the user, because Hadoop's client knows the user by the keytab or the tokens.
    pub tokens: Option<&'a Path>,
}

/// Starts the JVM, and gives the place for the dump of its heap if one is wanted. `bridge` takes heddle-am's
/// ends of its pipes. `known` are settings for Flink's configuration that only heddle-am knows. `record` says
/// whether the JVM may record its classes for an archive.
pub async fn start(
    environment: &Environment,
    known: &[(&str, String)],
    record: bool,
    files: JvmFiles<'_>,
    bridge: TakePipes,
    thread: &SpawnThread,
) -> Result<(JvmProcess, Option<HeapDump>), JvmError> {
    let jvm = &environment.spec.job_manager.jvm;
    let mut args = jvm.args.clone();
    args.extend(known.iter().flat_map(|(key, value)| ["-D".to_owned(), format!("{key}={value}")]));
    let archive = environment.spec.job_manager.class_data.as_ref();
    // These options stand in front of the user's, because the last option wins.
    let quick = LATER_C2
        .iter()
        .filter(|_| environment.spec.application.fast_start)
        .map(|option| (*option).to_owned());
    let launch = Launch {
        jvm_args: quick.chain(jvm.jvm_args.iter().cloned()).collect(),
        args,
        log_name: LOG_NAME.to_owned(),
        flink_version: environment.spec.application.flink_version.clone(),
        archives: archive.map(|archive| archive.found.clone()).unwrap_or_default(),
        record_classes: archive.is_some() && record,
        records: Some(environment.jvm_records()),
        container_mb: environment.spec.application_master.memory_mb,
        ..Launch::from(jvm)
    };
    let (mut command, warnings) = {
        let container = ContainerEnvironment {
            env: &|name| std::env::var(name).ok(),
            log_dir: &environment.log_dir,
            dir: &environment.dir,
            self_exe: &environment.self_exe,
        };
        plan::jvm_command(&launch, &container)
    };
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    if let Some(tokens) = files.tokens {
        command.env.insert(FILE_VARIABLE.to_owned(), tokens.display().to_string());
        command.without.push(USER_VARIABLE.to_owned());
    }
    if let Some(dirs) = files.tmp_dirs {
        command.env.insert(TMP_DIRS_ENV.to_owned(), dirs.value().to_owned());
    }
    let dump = HeapDump::prepare(&mut command);
    Ok((command.spawn_with_pipes(thread, bridge).await?, dump))
}

/// How the JobManager ended, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobManagerEnd {
    /// One line: what happened and why.
    pub summary: String,
    /// The last lines of its log, without the frames of stack traces, each after a line end; may be empty.
    pub last_lines: String,
    /// It could not be started because another program has taken the port at which YARN knows it.
    pub port_taken: bool,
}

/// Says how the JobManager ended.
pub fn describe_end(report: &ExitReport) -> JobManagerEnd {
    let (name, lines) = match report.log_tail.as_slice() {
        [] => ("jobmanager.err", report.stderr_tail.as_slice()),
        lines => ("jobmanager.log", lines),
    };
    let lines: Vec<&String> = lines.iter().filter(|line| !is_frame(line)).collect();
    let mut last_lines = String::new();
    if !lines.is_empty() {
        last_lines.push_str(&format!("\nLast lines of {name}:"));
    }
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        last_lines.push_str("\n  ");
        last_lines.push_str(line.trim_end());
    }
    JobManagerEnd { summary: report.summary.clone(), last_lines, port_taken: false }
}
