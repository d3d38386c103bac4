//! The program that answers to the names `heddle`, `flink`, `yarn-session.sh`, `sql-client.sh` and
//! `sql-gateway.sh`.

mod adopt;
mod attached;
mod client_fs;
mod cluster_query;
mod commands;
mod completion;
mod console;
mod defects;
mod deploy_request;
mod deployment;
mod dialect;
mod entry;
mod housekeeping;
mod inquiry;
mod job_verbs;
mod jobs;
mod krb5_conf;
mod logs;
mod man;
mod memory;
mod options;
mod parse;
mod precedence;
mod program;
mod python;
mod reference;
mod run;
mod sd;
mod settings;
mod shipped_files;
mod signals;
mod sql;
mod sql_script;
mod status;
mod store;
mod text;
mod timing;
mod unshown;
mod why;
mod yarn_options;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use taskrunner::exit::EXEC_FAILED;
use taskrunner::{core_dumps, exec};
use tracing_subscriber::EnvFilter;
use yarn_client::adopted;
use yarn_client::context::Context;
use yarn_client::error::Failure;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.get(1).is_some_and(|word| word == exec::SUBCOMMAND) {
        // This comes first, because each start of a JVM waits for it.
        let error = exec::exec_jvm_main(args.into_iter().skip(2));
        let _ = writeln!(std::io::stderr(), "error: {error}");
        return ExitCode::from(EXEC_FAILED as u8);
    }
    let filter = EnvFilter::try_from_env("HEDDLE_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr).init();
    core_dumps::forbid();
    let args = adopted::as_typed(args);
    let context = Context::of_process().map(|context| match args.first() {
        Some(program) => context.called_as(program),
        None => context,
    });
    if let Ok(context) = &context {
        krb5_conf::apply(context, &args);
    }
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let started = context.and_then(|context| match runtime() {
        Ok(runtime) => Ok((runtime, context)),
        Err(error) => Err(Failure::because("cannot start", error)),
    });
    match started {
        Ok((runtime, context)) => {
            let code = runtime.block_on(entry::main(context, args));
            // A thread that reads from the terminal cannot be woken, so it is not waited for.
            runtime.shutdown_background();
            code
        }
        Err(failure) => entry::not_started(&failure, &args),
    }
}
