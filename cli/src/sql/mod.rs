//! Carries out `sql-client.sh` and `sql-gateway.sh`, as [`plan`] decides.

mod application;
mod line;
mod overheard;
pub(crate) mod plan;

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::sync::Arc;

use flink_rest::RestAddress;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use yarn_client::client_failure::{HADOOP_HINT, lacks_hadoop};
use yarn_client::client_process::Jvm;
use yarn_client::context::{Context, FlinkHome};
use yarn_client::deploy::Deployer;
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::interrupt::Signal;
use yarn_client::token_keeper::TokenKeeper;

use crate::console::{Console, Output};
use crate::signals::{on, on_signals, unless_signalled};
use overheard::Overheard;
use plan::{Plan, Start, TokensFor, Tool, tell_nobody};

/// Becomes Flink's own program, or deploys a script.
pub(super) async fn run(
    context: &Context,
    console: &Arc<Console>,
    tool: Tool,
    words: &[OsString],
) -> Result<Exit, Failure> {
    let (answers, words) = line::without_form(words)?;
    if answers {
        console.answer_in_json();
    }
    context.unused_places().iter().for_each(|warning| console.err(&format!("warning: {warning}")));
    FlinkHome::notes(context).iter().for_each(|note| console.err(&format!("note: {note}")));
    let prepare = async {
        let mut planned = plan::plan(context, tool, &words, &**console).await?;
        if answers && !matches!(planned, Plan::Deploy(_)) {
            return Err(no_answer(tool));
        }
        let keeper = match &mut planned {
            Plan::Become(start) | Plan::Alone(start, _) => give_tokens(context, console, tool, start).await,
            Plan::Deploy(_) => None,
        };
        Ok::<_, Failure>((planned, keeper))
    };
    // The tokens are kept for as long as this value lives, or the program that this process becomes.
    let (planned, _keeper) = unless_signalled(context, console, prepare).await?;
    let (setup, manifest) = match planned {
        // On a terminal nobody but Flink's program may write, because it looks after the terminal itself.
        Plan::Become(start) if start.lacks_hadoop && !std::io::stdout().is_terminal() => {
            return as_a_child(context, console, start, std::future::pending()).await;
        }
        Plan::Become(start) => {
            context.logins.finish().await;
            return become_program(start.command);
        }
        Plan::Alone(start, listener) => return alone(context, console, start, listener).await,
        Plan::Deploy(what) => *what,
    };
    setup.warnings.iter().for_each(|warning| console.err(&format!("warning: {warning}")));
    let deployer = Deployer::new(context.clone(), setup);
    let deployment = deployer.deploy(&manifest, Arc::<Console>::clone(console), &on_signals()?).await?;
    console.answer(json!({
        "application": deployment.id.to_string(),
        "webInterface": deployment.address.as_ref().map(RestAddress::url),
    }));
    // Flink's own client prints the same lines.
    console.out(&format!("[INFO] Deploy script in application mode:\nCluster ID: {}", deployment.id));
    Ok(Exit::Done)
}

/// The failure for a program that reads an answer, where Flink's own program would write to the standard
/// output.
fn no_answer(tool: Tool) -> Failure {
    let what =
        format!("--output json: this {} is Flink's own program, which has no answer in JSON", tool.name());
    Failure::usage(what)
        .hint("a script as an application has one: sql-client.sh -t yarn-application -f <script>")
}

/// Gives the program tokens, if it needs some. Another process keeps them valid for as long as the program
/// runs. A gateway, which runs on and on, may nevertheless have one that ends: then the user is warned.
async fn give_tokens(
    context: &Context,
    console: &Console,
    tool: Tool,
    start: &mut Start,
) -> Option<TokenKeeper> {
    let TokensFor { hadoop, properties, by_hadoops_classes } = start.tokens.take()?;
    let keeper = TokenKeeper::start(context, &hadoop, &properties, by_hadoops_classes).await?;
    let warning = keeper.warning(tool.name()).filter(|_| tool == Tool::Gateway);
    warning.iter().for_each(|warning| console.err(&format!("warning: {warning}")));
    keeper.give_to(&mut start.command);
    Some(keeper)
}

/// Runs Flink's program without a cluster, and answers its calls with the error that there is none.
async fn alone(
    context: &Context,
    console: &Console,
    start: Start,
    listener: TcpListener,
) -> Result<Exit, Failure> {
    let cannot = |e| Failure::because("cannot listen for Flink's SQL client", e);
    listener.set_nonblocking(true).map_err(cannot)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(cannot)?;
    as_a_child(context, console, start, tell_nobody(listener)).await
}

/// Runs Flink's program and something beside it. If a class of Hadoop is missing, the user is told what to
/// do.
async fn as_a_child(
    context: &Context,
    console: &Console,
    start: Start,
    beside: impl Future<Output = Infallible>,
) -> Result<Exit, Failure> {
    let cannot = |e| Failure::because("cannot listen for signals", e);
    // On a terminal, Flink's client gets Ctrl-C as well, which ends a statement there, not the program. So
    // this process ignores it.
    let _interrupts = signal(SignalKind::interrupt()).map_err(cannot)?;
    let interrupt = match std::io::stdin().is_terminal() {
        true => on(&[Signal::Hangup, Signal::Terminate])?,
        false => on_signals()?,
    };
    let listens = start.lacks_hadoop && !std::io::stdout().is_terminal();
    let (overheard, stdout) = match listens {
        true => Overheard::start().map(|(overheard, stdout)| (Some(overheard), Some(stdout)))?,
        false => (None, None),
    };
    let mut client = Jvm::start(start.command, &context.exe, stdout).await?;
    let ended = tokio::select! {
        ended = client.end(&interrupt) => ended?,
        never = beside => match never {},
    };
    if let Some(overheard) = overheard
        && (overheard.lacks_hadoop().await || lacks_hadoop(&ended.errors))
    {
        console.err(&format!("hint: {HADOOP_HINT}"));
    }
    Ok(Exit::of_jvm(ended.status))
}

/// Replaces this process with the program. Returns only if that has failed.
fn become_program(mut command: std::process::Command) -> Result<Exit, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    Err(Failure::because(format!("cannot start {program}"), command.exec()))
}
