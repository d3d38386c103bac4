//! heddle-am: hosts a Flink JobManager in a YARN container.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use app_master::am::{Environment, run};
use taskrunner::exec;
use taskrunner::exit::EXEC_FAILED;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        None => master(),
        Some(word) if word == exec::SUBCOMMAND => {
            say(&exec::exec_jvm_main(args).to_string());
            ExitCode::from(EXEC_FAILED as u8)
        }
        Some(word) if word == "--version" => {
            let _ = writeln!(std::io::stdout(), "heddle-am {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Some(_) => {
            say(
                "heddle-am takes no arguments: YARN starts it for an application that heddle's client submitted",
            );
            ExitCode::FAILURE
        }
    }
}

/// One line on stderr, where logging is not set up.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "heddle: {text}");
}

fn master() -> ExitCode {
    let filter = EnvFilter::try_from_env("HEDDLE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(environment));
    // What still runs (a log on a broken disk, a mute server) must not hold the container.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ExitCode::from(code)
}
