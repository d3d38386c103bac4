//! heddle-taskrunner: supervises the TaskManager JVM of one YARN container.

use std::io::Write;
use std::process::ExitCode;

use taskrunner::agent::{Config, run};
use taskrunner::exit::EXEC_FAILED;
use taskrunner::{core_dumps, exec, left_processes, links, stderr_log};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        None => supervise(),
        Some(word) if word == exec::SUBCOMMAND => {
            say(&exec::exec_jvm_main(args).to_string());
            ExitCode::from(EXEC_FAILED as u8)
        }
        Some(word) if word == "--version" => {
            let _ = writeln!(std::io::stdout(), "heddle-taskrunner {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(_) => {
            say("heddle-taskrunner takes no arguments: heddle-am starts it in a YARN container");
            ExitCode::FAILURE
        }
    }
}

/// One line on stderr. This is where YARN shows it, and logging is not set up in the launcher.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "heddle: {text}");
}

fn supervise() -> ExitCode {
    stderr_log::start();
    core_dumps::forbid();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "heddle-taskrunner");
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
            tracing::error!("{error}{cause}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(error) = links::settle(&config.dir) {
        tracing::error!(%error, "cannot put the container's files in their places");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run(config));
    // A blocked read of a log on a broken disk must not hold the container.
    runtime.shutdown_background();
    left_processes::end();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tracing::error!(%error, "cannot set up the supervisor");
            ExitCode::FAILURE
        }
    }
}
