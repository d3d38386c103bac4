//! heddle-am: hosts a Flink JobManager in a YARN container.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use app_master::am::run;
use app_master::cds::remote_build;
use app_master::environment::Environment;
use taskrunner::exit::EXEC_FAILED;
use taskrunner::{core_dumps, exec, left_processes, links, stderr_log};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        None => master(),
        Some(word) if word == exec::SUBCOMMAND => {
            say(&exec::exec_jvm_main(args).to_string());
            ExitCode::from(EXEC_FAILED as u8)
        }
        Some(word) if word == remote_build::SUBCOMMAND => make_archive(),
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

/// Runs `work` to its end. What else still runs then, as a read from a broken disk or a call to a server that
/// does not answer, must not keep the container.
fn block_on<T>(work: impl Future<Output = T>) -> Option<T> {
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(work);
            runtime.shutdown_timeout(Duration::from_millis(100));
            Some(result)
        }
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            None
        }
    }
}

/// Makes a class data archive in a container of its own, because that of the ApplicationMaster has too little
/// memory.
fn make_archive() -> ExitCode {
    stderr_log::start();
    core_dumps::forbid();
    if !settled() {
        return ExitCode::FAILURE;
    }
    match block_on(remote_build::run()) {
        Some(Ok(what)) => {
            tracing::info!("{what}");
            ExitCode::SUCCESS
        }
        Some(Err(why)) => {
            tracing::error!("no class data archive is made: {why}");
            ExitCode::FAILURE
        }
        None => ExitCode::FAILURE,
    }
}

/// Whether the container's files are in their places.
fn settled() -> bool {
    let done = std::env::current_dir().and_then(|dir| links::settle(&dir));
    done.inspect_err(|error| tracing::error!(%error, "cannot put the container's files in their places"))
        .is_ok()
}

fn master() -> ExitCode {
    stderr_log::start();
    core_dumps::forbid();
    if !settled() {
        return ExitCode::FAILURE;
    }
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = block_on(run(environment));
    left_processes::end();
    ended.map_or(ExitCode::FAILURE, ExitCode::from)
}
