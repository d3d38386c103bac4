//! The JVM of Flink's own client, as a child of ours.
//!
//! It starts through `exec-jvm` of our own binary, so that it does not outlive this process, `kill -9`
//! included. Its input and output are ours, untouched; what it writes to its error stream is passed on at
//! once, and its end is kept, because it says why the JVM failed.

use std::fs::File;
use std::io::{IsTerminal, PipeReader, PipeWriter, Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use taskrunner::exec;
use taskrunner::spawn::SpawnThread;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::Failure;
use crate::interrupt::{Cause, Interrupt, Signal};

/// A JVM gets this long to end after SIGTERM.
const END_WITHIN: Duration = Duration::from_secs(10);
/// A terminal's Ctrl-C reaches the JVM and this process at the same time. Where the JVM has ended first, this
/// process waits so long for its own signal.
const SAME_TIME: Duration = Duration::from_millis(300);
/// The rest of the error stream is read for this long once the JVM has ended. A process that the JVM has left
/// behind may keep the stream open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes of the error stream that are kept.
const KEPT: usize = 512 << 10;

/// A JVM that runs.
#[derive(Debug)]
pub struct Jvm {
    child: Child,
    errors: Errors,
    quit: tokio::signal::unix::Signal,
    /// The JVM ends with the thread that has started it.
    _thread: SpawnThread,
}

/// How a JVM ended.
#[derive(Debug)]
pub struct JvmEnd {
    /// What it ended with.
    pub status: ExitStatus,
    /// This process was asked to end, and the JVM with it.
    pub interrupted: Option<Cause>,
    /// The end of what it wrote to its error stream.
    pub errors: String,
}

impl Jvm {
    /// Starts it; `exe` is our own program. It does not outlive its handle, nor this process. It prints to
    /// `stdout`, or to ours.
    pub async fn start(
        mut command: Command,
        exe: &Path,
        stdout: Option<PipeWriter>,
    ) -> Result<Self, Failure> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |e| Failure::because(format!("cannot start {program}"), e);
        // Ctrl-\ is for the JVM, which prints its threads then, and must not end this process.
        let quit = signal(SignalKind::quit()).map_err(failed)?;
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        command = exec::tied(&command, exe);
        command.stderr(writer);
        if let Some(stdout) = stdout {
            command.stdout(stdout);
        }
        let thread = SpawnThread::start().map_err(failed)?;
        let mut child = thread.spawn(command).await.map_err(failed)?;
        match Errors::pass_on(reader) {
            Ok(errors) => Ok(Self { child, errors, quit, _thread: thread }),
            Err(error) => {
                let _ = child.kill().await;
                Err(failed(error))
            }
        }
    }

    /// Waits for its end. An interruption is passed on to it: on a terminal it has had it already, from a
    /// script it has not.
    pub async fn end(&mut self, interrupt: &Interrupt) -> Result<JvmEnd, Failure> {
        let mut passed_on = false;
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                cause = interrupt.raised(), if !passed_on => {
                    passed_on = true;
                    let signal = match cause {
                        Cause::Signal(signal) => signal,
                        Cause::MainEnded(_) => Signal::Terminate,
                    };
                    self.send(kernels(signal));
                }
                // On a terminal the JVM has had it, too.
                Some(()) = self.quit.recv() => if !std::io::stdin().is_terminal() {
                    self.send(rustix::process::Signal::QUIT);
                },
            }
        };
        let status = status.map_err(|e| Failure::because("cannot wait for Flink's client", e))?;
        let code = crate::exit::Exit::of_jvm(status).code();
        if Signal::ALL.iter().any(|signal| code == 128 + signal.number()) {
            let _ = timeout(SAME_TIME, interrupt.raised()).await;
        }
        // A JVM that has ended well meanwhile has done its work.
        let interrupted = interrupt.cause().filter(|_| !status.success());
        Ok(JvmEnd { status, interrupted, errors: self.errors.end().await })
    }

    /// Ends it: by SIGTERM, and if that does not help by SIGKILL.
    pub async fn stop(&mut self) -> Result<JvmEnd, Failure> {
        self.send(rustix::process::Signal::TERM);
        if timeout(END_WITHIN, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        let status = self.child.wait().await;
        let status = status.map_err(|e| Failure::because("cannot wait for Flink's client", e))?;
        Ok(JvmEnd { status, interrupted: None, errors: self.errors.end().await })
    }

    fn send(&self, signal: rustix::process::Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(%error, ?signal, "the JVM cannot be signalled");
        }
    }
}

fn kernels(signal: Signal) -> rustix::process::Signal {
    match signal {
        Signal::Hangup => rustix::process::Signal::HUP,
        Signal::Interrupt => rustix::process::Signal::INT,
        Signal::Terminate => rustix::process::Signal::TERM,
    }
}

/// The JVM's error stream, on its way to ours.
#[derive(Debug)]
struct Errors {
    kept: Arc<Mutex<Vec<u8>>>,
    over: Option<oneshot::Receiver<()>>,
}

impl Errors {
    /// Copies it in a thread of its own, so that nothing is late.
    fn pass_on(mut reader: PipeReader) -> std::io::Result<Self> {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (done, over) = oneshot::channel();
        let keep = Arc::clone(&kept);
        let mut out = File::from(rustix::io::dup(std::io::stderr())?);
        std::thread::Builder::new().name("jvm-stderr".to_owned()).spawn(move || {
            let mut piece = vec![0; 64 << 10];
            while let Ok(length @ 1..) = reader.read(&mut piece) {
                let piece = piece.get(..length).unwrap_or_default();
                // If nobody reads our error stream the JVM must not be stopped by that.
                let _ = out.write_all(piece);
                if let Ok(mut kept) = keep.lock() {
                    kept.extend_from_slice(piece);
                    if kept.len() > 2 * KEPT {
                        let old = kept.len() - KEPT;
                        kept.drain(..old);
                    }
                }
            }
            let _ = done.send(());
        })?;
        Ok(Self { kept, over: Some(over) })
    }

    /// Waits for the end of the stream, and gives the end of its text.
    async fn end(&mut self) -> String {
        if let Some(over) = self.over.take() {
            let _ = timeout(LAST_WORDS, over).await;
        }
        self.kept.lock().map(|kept| String::from_utf8_lossy(&kept).into_owned()).unwrap_or_default()
    }
}
