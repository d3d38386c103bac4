//! Runs a command, from the words of its command line to its exit code.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use yarn_client::context::Context;
use yarn_client::error::{CauseClass, Failure};
use yarn_client::exit::Exit;
use yarn_client::patience::Waits;
use yarn_client::{client_archive, token_keeper};

use super::console::{Console, Output};
use super::parse::{Persona, Request, help_name, parse, wants_json};
use super::{client_fs, commands, defects, deploy_request, memory, sql};

/// The release of heddle.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Runs the command line `args` (the program's name first) to its end.
pub(crate) async fn main(mut context: Context, args: Vec<OsString>) -> ExitCode {
    let console = Arc::new(Console::new(memory::unicode(&context)));
    defects::tell_on(&console);
    let logins = context.logins.clone();
    let told = Arc::clone(&console);
    // Notes go to stderr, because a program may read the result on stdout.
    context.waits = Waits::told_to(move |text| told.err(&format!("note: {text}")));
    let (program, args) =
        args.split_first().map_or((OsString::new(), &[][..]), |(p, rest)| (p.clone(), rest));
    let persona = Persona::of(&program);
    if persona == Persona::Heddle && args.first().is_some_and(|verb| verb == client_fs::VERB) {
        return client_fs::main(&context, args.get(1..).unwrap_or_default()).await.into();
    }
    if persona == Persona::Heddle && args.first().is_some_and(|verb| verb == client_archive::VERB) {
        return client_archive::main(&context, args.get(1..).unwrap_or_default()).await.into();
    }
    if persona == Persona::Heddle && args.first().is_some_and(|verb| verb == token_keeper::VERB) {
        return token_keeper::main(&context).await.into();
    }
    let (verbose, done) = if let Persona::Sql(tool) = persona {
        // The SQL tools run no program, so `-v` is always meant for heddle.
        let verbose = args.iter().take_while(|a| *a != "--").any(|a| a == "-v" || a == "--verbose");
        (verbose, sql::run(&context, &console, tool, args).await)
    } else if persona == Persona::Heddle && args.first().is_some_and(|verb| verb == deploy_request::VERB) {
        let words = args.get(1..).unwrap_or_default();
        (false, Box::pin(deploy_request::run(&context, &console, words)).await)
    } else {
        // A command line that cannot be parsed is an error without causes.
        let request = parse(persona, args);
        if !matches!(request, Ok(Request::Run(_))) && wants_json(args) {
            console.answer_in_json();
        }
        let verbose = request.as_ref().is_ok_and(Request::is_verbose);
        (verbose, Box::pin(obey(context, &console, request)).await)
    };
    let exit = match done {
        Ok(exit) if exit.code() == 0 || exit.is_answer() => {
            console.give_answer(None);
            exit
        }
        Ok(exit) => {
            console.give_answer(Some(&not_all_done(exit)));
            exit
        }
        Err(failure) => {
            console.err(failure.render(verbose).trim_end());
            if failure.is_usage() {
                console.err(&format!("hint: `{} --help` lists the options", help_name(persona, args)));
            }
            console.give_answer(Some(&failure));
            failure.exit()
        }
    };
    // However the command has ended, its clients are not used any more.
    logins.finish().await;
    console.end(exit).into()
}

/// The error in the answer of a command that has told on the standard error stream, or in its answer, what
/// was not done, so that no `error:` line follows.
fn not_all_done(exit: Exit) -> Failure {
    let code = exit.code();
    match exit {
        Exit::Jvm(_) => {
            Failure::new(format!("main() ended with exit code {code}")).of_class(CauseClass::Program)
        }
        _ => Failure::new("not everything was done; the other keys of the answer say what was not")
            .of_class(CauseClass::Cluster),
    }
    .with_exit(exit)
}

/// Ends a program that could not even find out where it is.
pub(crate) fn not_started(failure: &Failure, args: &[OsString]) -> ExitCode {
    // What the locale can show is not known.
    let console = Console::new(false);
    if wants_json(args.get(1..).unwrap_or_default()) {
        console.answer_in_json();
    }
    console.err(failure.render(true).trim_end());
    console.give_answer(Some(failure));
    console.end(failure.exit()).into()
}

async fn obey(
    context: Context,
    console: &Arc<Console>,
    request: Result<Request, Failure>,
) -> Result<Exit, Failure> {
    match request? {
        Request::Help(text) => {
            let text = text.trim_end();
            if console.is_json() {
                console.answer(json!({ "help": text }));
            } else {
                console.out(text);
            }
            Ok(Exit::Done)
        }
        Request::Version => {
            console.answer(json!({ "heddle": VERSION }));
            console.out(&format!("heddle {VERSION}"));
            Ok(Exit::Done)
        }
        Request::FlinkVersion => commands::flink_version(&context, console),
        Request::Run(invocation) => Box::pin(commands::obey(context, console, *invocation)).await,
    }
}
