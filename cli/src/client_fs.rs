//! The subcommand `heddle client-fs`: reads and writes HDFS for the JVM of Flink's own client, which has no
//! classes of Hadoop (see [`yarn_client::run`]).
//!
//! The JVM starts a process for each operation. The result goes to the standard output: a JSON object on each
//! line, or the bytes of the file for `cat`. A failure is a JSON object on the standard error stream,
//! `{"kind":…,"error":…}`, and exit code 1. The caller is the Java package `dev.heddle.client` in
//! `flink-client-fs.jar` of the same release.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use hadoop_fs::{FileStatus, FsError, FsErrorKind, Source, Storage, WriteOptions};
use rustix::fs::FileType;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use yarn_client::context::Context;
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::hadoop::Hadoop;
use yarn_client::setup;

/// The name of the subcommand. It is not for people, so no help shows it.
pub(crate) const VERB: &str = "client-fs";

/// A failure in the form that the calling JVM reads.
#[derive(Debug)]
struct Trouble {
    kind: &'static str,
    text: String,
}

impl From<FsError> for Trouble {
    fn from(error: FsError) -> Self {
        let kind = match error.kind() {
            FsErrorKind::NotFound => "not-found",
            FsErrorKind::AlreadyExists => "exists",
            _ => "other",
        };
        Self { kind, text: error.to_string() }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        let hints: String = failure.hints().iter().map(|hint| format!(" ({hint})")).collect();
        Self { kind: "other", text: format!("{failure}{hints}") }
    }
}

/// Carries out one operation; `words` are its name and arguments.
pub(crate) async fn main(context: &Context, words: &[OsString]) -> Exit {
    let done = tokio::select! {
        done = run(context, words) => Some(done),
        () = caller_gone() => None,
    };
    context.logins.finish().await;
    match done {
        None => Exit::Failed,
        Some(Ok(())) => Exit::Done,
        Some(Err(trouble)) => {
            let line = json!({"kind": trouble.kind, "error": trouble.text});
            let _ = writeln!(std::io::stderr(), "{line}");
            Exit::Failed
        }
    }
}

/// Returns when the calling JVM has ended, so that this process ends with it. The JVM holds the standard
/// input of this process open as long as it lives, and writes nothing to it. A parent-death signal would come
/// too early, when the thread of the JVM ends that has started this process.
///
/// If the standard input is not a pipe, this function never returns.
async fn caller_gone() {
    let is_pipe = rustix::fs::fstat(std::io::stdin())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
    let (gone, is_gone) = oneshot::channel();
    let wait = move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = gone.send(());
    };
    // A separate thread reads, because the process does not wait for it when it ends.
    let waits = is_pipe && std::thread::Builder::new().name("caller".to_owned()).spawn(wait).is_ok();
    if !waits || is_gone.await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn run(context: &Context, words: &[OsString]) -> Result<(), Trouble> {
    let texts: Option<Vec<&str>> = words.iter().map(|w| w.to_str()).collect();
    let words = texts.ok_or_else(|| Failure::usage(format!("{VERB}: an argument is not UTF-8")))?;
    let [operation, url, rest @ ..] = &*words else { return Err(usage(&words)) };
    let (_, configuration, _) = setup::configuration_if_any(context)?;
    let storage = Hadoop::load_for_helper(context, &configuration).await?.storage(Some(url))?;
    match (*operation, rest) {
        ("about", []) => print([json!({"root": storage.root(), "home": storage.home_dir()})]),
        ("stat", []) => print([entry(&storage.status(url).await?)]),
        ("list", []) => print(storage.list(url, false).await?.iter().map(entry)),
        ("cat", [offset]) => cat(&storage, url, offset.parse().map_err(|_| usage(&words))?).await,
        ("put", [local, mode @ ("new" | "replace")]) => {
            let options = WriteOptions { overwrite: *mode == "replace", ..WriteOptions::default() };
            let written = storage.write_file(url, &Source::File(PathBuf::from(local)), &options).await?;
            print([entry(&written)])
        }
        ("mkdirs", []) => {
            storage.mkdirs(url, None).await?;
            done(true)
        }
        ("delete", [what @ ("one" | "tree")]) => done(storage.delete(url, *what == "tree").await?),
        ("rename", [to]) => done(rename(&storage, url, to).await?),
        _ => Err(usage(&words)),
    }
}

fn usage(words: &[&str]) -> Trouble {
    Failure::usage(format!(
        "{VERB}: {words:?} is no operation: heddle and flink-client-fs.jar must be of one release"
    ))
    .into()
}

fn entry(status: &FileStatus) -> Value {
    json!({
        "path": status.path,
        "len": status.len,
        "dir": status.is_dir,
        "modified": status.modified_ms,
        "replication": status.replication,
        "block": status.block_size,
    })
}

/// Renames as Hadoop's `FileSystem.rename` does: if `to` is a directory, the file gets into it. Returns
/// `false` if `from` does not exist or the new name is taken.
async fn rename(storage: &Storage, from: &str, to: &str) -> Result<bool, FsError> {
    let mut to = storage.path(to)?;
    if storage.find(&to).await?.is_some_and(|there| there.is_dir) {
        let from = storage.path(from)?;
        let name = from.rsplit('/').next().unwrap_or_default();
        to = format!("{}/{name}", to.trim_end_matches('/'));
    }
    match storage.rename(from, &to, false).await {
        Ok(()) => Ok(true),
        Err(e) if matches!(e.kind(), FsErrorKind::NotFound | FsErrorKind::AlreadyExists) => Ok(false),
        Err(e) => Err(e),
    }
}

async fn cat(storage: &Storage, url: &str, offset: u64) -> Result<(), Trouble> {
    let mut reading = storage.open_at(url, offset).await?;
    let mut out = std::io::stdout().lock();
    while let Some(piece) = reading.next().await? {
        // This blocks until the reader wants more, which does no harm, because there is nothing else to do.
        if out.write_all(&piece).is_err() {
            // The reader has closed the pipe, because it needs no more.
            return Ok(());
        }
    }
    flushed(out.flush())
}

fn print(objects: impl IntoIterator<Item = Value>) -> Result<(), Trouble> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = objects.into_iter().try_for_each(|object| writeln!(out, "{object}"));
    flushed(written.and_then(|()| out.flush()))
}

fn done(done: bool) -> Result<(), Trouble> {
    print([json!({"done": done})])
}

fn flushed(result: std::io::Result<()>) -> Result<(), Trouble> {
    result.map_err(|e| Failure::because("cannot write the answer", e).into())
}
