//! Starts the JobManager's JVM and says how it ended.

use taskrunner::control::Launch;
use taskrunner::exit::ExitReport;
use taskrunner::jvm::{JvmError, JvmProcess};
use taskrunner::plan::{self, Place};
use taskrunner::spawn::SpawnThread;

use crate::am::Environment;
use crate::bridge::{PORT_VARIABLE, SECRET_VARIABLE, Secret};

/// Stem of the JobManager's log files.
const LOG_NAME: &str = "jobmanager";
/// How many last lines of its log go into the diagnostics.
const LINES: usize = 20;

/// Starts the JVM; it connects to the bridge on `port`.
pub async fn start(
    environment: &Environment,
    port: u16,
    secret: &Secret,
    thread: &SpawnThread,
) -> Result<JvmProcess, JvmError> {
    let jvm = &environment.spec.job_manager;
    let launch = Launch {
        java_home: jvm.java_home.clone().unwrap_or_default(),
        jvm_args: jvm.jvm_args.clone(),
        class_path: jvm.class_path.clone(),
        main_class: jvm.main_class.clone(),
        args: jvm.args.clone(),
        env: jvm.env.clone().into_iter().collect(),
        log_name: LOG_NAME.to_owned(),
        args_from_env: jvm.args_from_env.clone().into_iter().collect(),
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

/// The end of the JobManager in words, with the last lines of its log.
pub fn describe_end(report: &ExitReport) -> String {
    let (name, lines) = match report.log_tail.as_slice() {
        [] => ("jobmanager.err", report.stderr_tail.as_slice()),
        lines => ("jobmanager.log", lines),
    };
    let mut text = report.summary.clone();
    if !lines.is_empty() {
        text.push_str(&format!("\nLast lines of {name}:"));
    }
    for line in &lines[lines.len().saturating_sub(LINES)..] {
        text.push_str("\n  ");
        text.push_str(line.trim_end());
    }
    text
}
