//! Keeps tokens for a program that this process becomes, such as Flink's SQL gateway, on a cluster with
//! Kerberos. A process that has become another program can neither renew tokens nor cancel them in the end.
//! So another process does that (`heddle client-tokens`): it logs in, makes the file with the tokens, and
//! tells its path.
//!
//! It ends when the program has ended. It learns that from its standard input, a pipe whose other end the
//! program inherits, also where the program is a script that starts a JVM in the background and ends. Java
//! closes that end in the processes that it starts itself.
//!
//! The program is started in any case: without tokens it works as well, but slower, because each access to
//! HDFS logs in by itself.

use std::io::{self, BufRead, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use flink_model::options;
use rustix::io::FdFlags;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client_tokens::ClientTokens;
use crate::context::Context;
use crate::error::Failure;
use crate::exit::Exit;
use crate::hadoop::Hadoop;
use crate::logins::Via;
use crate::units::iso;
use crate::{login, setup, variables};

/// The subcommand that keeps tokens. Only heddle itself runs it, so no help text lists it.
pub const VERB: &str = "client-tokens";

/// How long the program may have to wait for its tokens. The process logs in, for which it has ten seconds,
/// and then asks the NameNode, for which it has five.
const ANSWER_WITHIN: Duration = Duration::from_secs(16);
/// How long the program may go on when this process is asked to end. Whoever stops a service sends SIGTERM to
/// all of its processes at the same time, and the program may need HDFS until it has ended.
const LAST_CALLS: Duration = Duration::from_secs(5);
/// The lowest number that the program's end of the pipe may have, because shell scripts redirect the
/// descriptors with one digit.
const LOWEST: i32 = 20;

/// What the process is told on its standard input, on one line. There is no `Debug`, because a property may
/// be a secret.
#[derive(Serialize, Deserialize)]
struct Wish {
    /// The properties of the command line, which may say how to log in.
    properties: Vec<(String, String)>,
}

/// What it answers on its standard output, on one line. Without tokens it answers nothing.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    /// The file with the tokens.
    file: PathBuf,
    /// When the token in it ends at the latest, in ms since 1970, if it tells.
    #[serde(default)]
    ends_ms: Option<u64>,
}

/// A process that keeps tokens for as long as this value lives, or a program to which they were given.
#[derive(Debug)]
pub struct TokenKeeper {
    file: PathBuf,
    /// The process ends when nobody has this end of its pipe any more.
    life: OwnedFd,
    reading: Reading,
    /// When the first token ends at the latest, in ms since 1970, if it tells.
    ends_ms: Option<u64>,
}

/// When the program reads the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Each time it uses HDFS, so that it has a token for as long as it runs.
    Anew,
    /// Once, as Hadoop's own client does, so that it has only the first token.
    Once,
}

impl TokenKeeper {
    /// Starts the process and waits for its tokens. `properties` are those of the command line, and
    /// `by_hadoops_classes` says whether the program gets Hadoop's classes from heddle. `None` if the program
    /// needs no tokens, or if none can be had.
    pub async fn start(
        context: &Context,
        hadoop: &Hadoop,
        properties: &[(String, String)],
        by_hadoops_classes: bool,
    ) -> Option<Self> {
        let reading = reading(hadoop, context, by_hadoops_classes)?;
        let wish = Wish { properties: properties.to_vec() };
        match timeout(ANSWER_WITHIN, Self::try_to_start(context, &wish, reading)).await {
            Ok(Ok(keeper)) => Some(keeper),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no tokens for the program");
                None
            }
            Err(_) => {
                tracing::debug!("no tokens for the program in time");
                None
            }
        }
    }

    async fn try_to_start(context: &Context, wish: &Wish, reading: Reading) -> io::Result<Self> {
        let (reader, mut writer) = io::pipe()?;
        // A program that reads what this command prints waits for the end of all that can print there.
        let logs = context.var(variables::HEDDLE_LOG).is_some();
        let stderr = if logs { Stdio::inherit() } else { Stdio::null() };
        #[expect(clippy::disallowed_methods, reason = "this process becomes another program")]
        let mut keeper = Command::new(&context.exe);
        // With a process group of its own, it does not get Ctrl-C, which is for the program.
        keeper.arg(VERB).process_group(0).stdin(reader).stdout(Stdio::piped()).stderr(stderr);
        context.hand_on_flink_home(&mut keeper);
        let mut keeper = tokio::process::Command::from(keeper).spawn()?;
        writeln!(writer, "{}", serde_json::to_string(wish)?)?;
        let stdout = keeper.stdout.take().ok_or_else(|| io::Error::other("it has no standard output"))?;
        let Answer { file, ends_ms } = answer(stdout).await?;
        Ok(Self { file, life: inheritable_number(&writer)?, reading, ends_ms })
    }

    /// What the user of a `program` that runs on and on has to know: that it can use HDFS only for so long.
    /// `None` if it can for as long as it runs.
    pub fn warning(&self, program: &str) -> Option<String> {
        if self.reading == Reading::Anew {
            return None;
        }
        let until = self.ends_ms.and_then(iso);
        let until = until.unwrap_or_else(|| "its token has reached its greatest age".to_owned());
        Some(format!(
            "{program} can use HDFS until {until}, and has to be started again before that: with Hadoop's classes ({} or \
             {}), it uses Hadoop's own client, which does not log in with the keytab here and reads a token only once; with \
             tickets of kinit, or without these classes, there is no such end",
            variables::HADOOP_CLASSPATH.name(),
            options::HADOOP_JARS.key
        ))
    }

    /// Lets the program of this command find the tokens, and keeps them for as long as the program runs. It
    /// must be the only program that this process starts or becomes from now on, because any other one would
    /// keep the tokens, too.
    pub fn give_to(&self, command: &mut Command) {
        match rustix::io::fcntl_setfd(&self.life, FdFlags::empty()) {
            Ok(()) => {
                command.env(variables::HADOOP_TOKEN_FILE_LOCATION.name(), &self.file);
            }
            Err(error) => tracing::debug!(%error, "the program cannot be given its tokens"),
        }
    }
}

/// How the program would read tokens from heddle; `None` if it needs none. With Hadoop's classes Flink's
/// programs for SQL log in with the tickets of `kinit` by themselves, but not with a keytab, as `main()`
/// does. There are no tokens where there are such tickets: Hadoop's client prefers a token, and reads the
/// file only once, so that it would not work any longer after the token's greatest age.
fn reading(hadoop: &Hadoop, context: &Context, by_hadoops_classes: bool) -> Option<Reading> {
    if !by_hadoops_classes && ClientTokens::are_needed(hadoop, context) {
        return Some(Reading::Anew);
    }
    let by_keytab = hadoop.login.kerberos().is_some() && matches!(hadoop.via, Via::Keytab(_));
    (by_keytab && !login::has_tickets(context)).then_some(Reading::Once)
}

/// The same end of a pipe with a number that scripts leave alone.
fn inheritable_number(end: &impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(end, LOWEST)?)
}

/// Reads the answer of the process.
async fn answer(output: impl AsyncRead + Unpin) -> io::Result<Answer> {
    let mut line = String::new();
    tokio::io::BufReader::new(output).read_line(&mut line).await?;
    if line.is_empty() {
        return Err(io::Error::other("the process that was to keep them has none"));
    }
    Ok(serde_json::from_str(&line)?)
}

/// Keeps tokens until the program of the caller has ended, or until this process is asked to end. Then the
/// file is removed, and the tokens are cancelled.
pub async fn main(context: &Context) -> Exit {
    let (wish, gone) = caller();
    let Ok(wish) = wish.await else { return Exit::Failed };
    tokio::select! {
        biased;
        () = over(gone, asked_to_end(), LAST_CALLS) => {}
        () = keep(context, wish) => {}
    }
    context.logins.finish().await;
    Exit::Done
}

/// Returns when the program has ended, which `gone` tells. When this process is asked to end, the program has
/// so much time left.
async fn over(mut gone: oneshot::Receiver<()>, asked_to_end: impl Future<Output = ()>, left: Duration) {
    tokio::select! {
        biased;
        _ = &mut gone => return,
        () = asked_to_end => {}
    }
    if timeout(left, gone).await.is_err() {
        tracing::debug!("the program goes on, and has no tokens any more");
    }
}

/// Makes the tokens, tells the caller, and keeps them. Returns only if there are none.
async fn keep(context: &Context, wish: Wish) {
    let Some(tokens) = tokens(context, wish).await else { return };
    if let Err(error) = tell(&tokens) {
        tracing::debug!(%error, "the caller cannot be told of its tokens");
        return;
    }
    std::future::pending::<()>().await;
}

async fn tokens(context: &Context, Wish { properties }: Wish) -> Option<ClientTokens> {
    let told = |failure: &Failure| tracing::debug!(%failure, "no tokens");
    let (_, mut configuration, _) = setup::configuration_if_any(context).inspect_err(told).ok()?;
    for (key, value) in properties {
        configuration.set_dynamic(key, value);
    }
    let hadoop = Hadoop::load_if_kerberos(context, &configuration).await.inspect_err(told).ok()??;
    ClientTokens::make(&hadoop).await
}

fn tell(tokens: &ClientTokens) -> io::Result<()> {
    let answer = Answer { file: tokens.path().to_owned(), ends_ms: tokens.first_ends_ms() };
    let answer = serde_json::to_string(&answer)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{answer}")?;
    out.flush()
}

/// Two receivers: the first one gets what the caller wishes, and the second one is closed when the caller's
/// program has ended. A separate thread reads the standard input, because this process does not wait for that
/// thread when it ends.
fn caller() -> (oneshot::Receiver<Wish>, oneshot::Receiver<()>) {
    let (tell, wish) = oneshot::channel();
    let (end, gone) = oneshot::channel();
    let listen = move || {
        listen(io::stdin().lock(), tell);
        drop(end);
    };
    if let Err(error) = std::thread::Builder::new().name("caller".to_owned()).spawn(listen) {
        tracing::debug!(%error, "the caller cannot be listened to");
    }
    (wish, gone)
}

/// Reads the caller's wish, sends it to `tell`, and returns when the caller's program has ended.
fn listen(mut input: impl BufRead, tell: oneshot::Sender<Wish>) {
    let mut line = String::new();
    if input.read_line(&mut line).is_err() {
        return;
    }
    if let Ok(wish) = serde_json::from_str(&line) {
        // It fails only if the process that waits for the wish is about to end.
        drop(tell.send(wish));
        drop(io::copy(&mut input, &mut io::sink()));
    }
}

/// Returns when this process is asked to end by SIGTERM. Ctrl-C and the end of the terminal concern the
/// program, and this process ends with it.
async fn asked_to_end() {
    let listen = || {
        let ignored = [SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        signal(SignalKind::terminate()).map(|terminate| (terminate, ignored))
    };
    match listen() {
        Ok((mut terminate, _ignored)) => {
            terminate.recv().await;
        }
        Err(error) => {
            tracing::debug!(%error, "cannot listen for signals");
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[tokio::test]
    async fn the_answer_is_a_path_or_nothing() {
        for (good, ends_ms) in [("\"new\":1", None), ("\"ends_ms\":5", Some(5))] {
            let line = format!("{{\"file\":\"/tmp/x/tokens\",{good}}}\n");
            let told = answer(line.as_bytes()).await.unwrap();
            assert_eq!((told.file.to_str(), told.ends_ms), (Some("/tmp/x/tokens"), ends_ms));
        }
        for bad in [&b""[..], b"\n", b"{}\n", b"tokens\n"] {
            assert!(answer(bad).await.is_err(), "{bad:?}");
        }
    }

    #[tokio::test]
    async fn the_process_listens_to_its_caller_until_that_has_ended() {
        let (reader, mut writer) = io::pipe().unwrap();
        let (tell, wish) = oneshot::channel();
        let listening = std::thread::spawn(move || listen(io::BufReader::new(reader), tell));
        let properties = vec![("security.kerberos.login.principal".to_owned(), "ann@R".to_owned())];
        let said = serde_json::to_string(&Wish { properties: properties.clone() }).unwrap();
        writeln!(writer, "{said}").unwrap();
        assert_eq!(wish.await.ok().map(|wish| wish.properties), Some(properties));
        // The program has its end of the pipe under another number.
        let inherited = inheritable_number(&writer).unwrap();
        assert!(std::os::fd::AsRawFd::as_raw_fd(&inherited) >= LOWEST);
        drop(writer);
        assert!(!listening.is_finished());
        drop(inherited);
        listening.join().unwrap();
    }

    #[tokio::test]
    async fn who_is_asked_to_end_waits_for_a_program_that_ends_too() {
        const LONG: Duration = Duration::from_secs(3600);
        let (end, gone) = oneshot::channel();
        let mut waiting = std::pin::pin!(over(gone, std::future::ready(()), LONG));
        assert!(timeout(Duration::ZERO, &mut waiting).await.is_err());
        drop(end);
        waiting.await;
        // One that goes on has this time, and no more.
        let (_end, gone) = oneshot::channel();
        over(gone, std::future::ready(()), Duration::ZERO).await;
        let (end, gone) = oneshot::channel();
        drop(end);
        over(gone, std::future::pending(), LONG).await;
    }

    #[tokio::test]
    async fn a_caller_that_wishes_nothing_gets_nothing() {
        for said in ["", "\n", "{}\n"] {
            let (tell, wish) = oneshot::channel();
            listen(said.as_bytes(), tell);
            assert!(wish.await.is_err(), "{said:?}");
        }
    }

    fn keeper(life: OwnedFd, reading: Reading, ends_ms: Option<u64>) -> TokenKeeper {
        TokenKeeper { file: "/tmp/x/tokens".into(), life, reading, ends_ms }
    }

    #[test]
    fn the_end_of_a_token_that_is_read_once_is_told() {
        let warning = |reading, ends_ms| {
            let (_reader, writer) = io::pipe().unwrap();
            keeper(inheritable_number(&writer).unwrap(), reading, ends_ms).warning("sql-gateway.sh")
        };
        assert_eq!(warning(Reading::Anew, Some(0)), None);
        let told = warning(Reading::Once, Some(0)).unwrap();
        assert!(told.starts_with("sql-gateway.sh can use HDFS until 1970-01-01"), "{told}");
        let told = warning(Reading::Once, None).unwrap();
        assert!(told.contains("until its token has reached its greatest age"), "{told}");
    }

    #[test]
    fn the_program_inherits_its_end_of_the_pipe() {
        let (_reader, writer) = io::pipe().unwrap();
        let keeper = keeper(inheritable_number(&writer).unwrap(), Reading::Anew, None);
        let flags = || rustix::io::fcntl_getfd(&keeper.life).unwrap();
        assert!(flags().contains(FdFlags::CLOEXEC));
        #[expect(clippy::disallowed_methods, reason = "it is not started")]
        let mut command = Command::new("sql-gateway.sh");
        keeper.give_to(&mut command);
        assert!(flags().is_empty());
        let set = (OsStr::new("HADOOP_TOKEN_FILE_LOCATION"), Some(OsStr::new("/tmp/x/tokens")));
        assert_eq!(command.get_envs().next(), Some(set));
    }
}
