//! `heddle client-fs`: HDFS for the JVM of Flink's own client, which has no Hadoop (see
//! [`yarn_client::run`]).
//!
//! One short-lived process per operation. What was asked for goes to the output: one JSON object per line,
//! the bytes of a file for `cat`. A failure is one JSON object on the error stream, `{"kind":…,"error":…}`,
//! and exit code 1. The other end is `dev.heddle.client` in `flink-client-fs.jar`, of the same release.

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

/// The subcommand; it is not for people and in no help.
pub(crate) const VERB: &str = "client-fs";

/// A failure as the other end shall see it.
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

/// Does one operation: `words` are its name and arguments.
pub(crate) async fn main(context: &Context, words: &[OsString]) -> Exit {
    let done = tokio::select! {
        done = run(context, words) => done,
        () = caller_gone() => return Exit::Failed,
    };
    match done {
        Ok(()) => Exit::Done,
        Err(trouble) => {
            let line = json!({"kind": trouble.kind, "error": trouble.text});
            let _ = writeln!(std::io::stderr(), "{line}");
            Exit::Failed
        }
    }
}

/// The JVM holds our input open, without a word, for as long as it lives: whatever ends it ends us. A
/// parent-death signal would not do, for it would come with the end of the JVM's thread that has started us.
async fn caller_gone() {
    let is_pipe = rustix::fs::fstat(std::io::stdin())
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
    let (gone, is_gone) = oneshot::channel();
    let wait = move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = gone.send(());
    };
    // A thread of its own: it is not waited for when we are done.
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
    let storage = Hadoop::load(context, &configuration)?.storage(Some(url))?;
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

/// As Hadoop's `FileSystem.rename`: into a directory that exists, and `false` where there is nothing to
/// rename or something in the way.
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
        // Blocks until the reader wants more; nothing else is to be done meanwhile.
        if out.write_all(&piece).is_err() {
            // The reader has seen enough.
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
