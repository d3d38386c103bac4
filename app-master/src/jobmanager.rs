//! Starts the JobManager's JVM and says how it ended.

use taskrunner::control::Launch;
use taskrunner::exit::ExitReport;
use taskrunner::jvm::{JvmError, JvmProcess};
use taskrunner::plan::{self, Place};
use taskrunner::spawn::SpawnThread;

use crate::am::Environment;
use crate::bridge::{PORT_VARIABLE, SECRET_VARIABLE, Secret};
use crate::failure::is_frame;

/// Stem of the JobManager's log files.
const LOG_NAME: &str = "jobmanager";
/// How many last lines of its log go into the diagnostics.
const LINES: usize = 20;

/// Starts the JVM; it connects to the bridge on `port`. `known` are settings that only we know, for Flink's configuration.
/// `record`: it may record its classes for an archive.
pub async fn start(
    environment: &Environment,
    known: &[(&str, String)],
    record: bool,
    port: u16,
    secret: &Secret,
    thread: &SpawnThread,
) -> Result<JvmProcess, JvmError> {
    let jvm = &environment.spec.job_manager;
    let mut args = jvm.args.clone();
    args.extend(known.iter().flat_map(|(key, value)| ["-D".to_owned(), format!("{key}={value}")]));
    let archive = environment.spec.job_manager_archive.as_ref();
    let launch = Launch {
        launcher: jvm.launcher.clone(),
        java_home: jvm.java_home.clone().unwrap_or_default(),
        jvm_args: jvm.jvm_args.clone(),
        class_path: jvm.class_path.clone(),
        main_class: jvm.main_class.clone(),
        args,
        env: jvm.env.clone().into_iter().collect(),
        log_name: LOG_NAME.to_owned(),
        flink_version: environment.spec.flink_version.clone(),
        args_from_env: jvm.args_from_env.clone().into_iter().collect(),
        archives: archive.map(|order| order.found.clone()).unwrap_or_default(),
        record_classes: archive.is_some() && record,
        ..Launch::default()
    };
    let place = Place {
        env: &|name| std::env::var(name).ok(),
        log_dir: &environment.log_dir,
        dir: &environment.dir,
        self_exe: &environment.self_exe,
    };
    let (mut command, warnings) = plan::jvm_command(&launch, &place);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    command.env.insert(PORT_VARIABLE.to_owned(), port.to_string());
    command.env.insert(SECRET_VARIABLE.to_owned(), secret.reveal().to_owned());
    command.spawn(thread).await
}

/// How the JobManager ended, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobManagerEnd {
    /// One line: what happened and why.
    pub summary: String,
    /// The last lines of its log, without the frames of stack traces, each after a line end; may be empty.
    pub last_lines: String,
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
    JobManagerEnd { summary: report.summary.clone(), last_lines }
}
