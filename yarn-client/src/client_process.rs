//! Runs the JVM of Flink's own client as a child process.
//!
//! The JVM is started through the subcommand `exec-jvm` of heddle's own program, so that it does not outlive
//! this process, even if this process is killed with `kill -9`. It inherits the standard input and output.
//! What it writes to its error stream is passed on at once, and the end of that text is kept, because it says
//! why the JVM failed.

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

/// The time that a JVM has to end after SIGTERM, before it gets SIGKILL.
const END_WITHIN: Duration = Duration::from_secs(10);
/// Ctrl-C on a terminal sends the signal to the JVM and to this process at the same time. If the end of the
/// JVM is noticed first, this process waits for this long for its own signal.
const SAME_TIME: Duration = Duration::from_millis(300);
/// For how long the rest of the error stream is read after the JVM has ended. There must be a limit, because
/// a process that the JVM has started and left behind may keep the stream open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The number of bytes at the end of the error stream that are kept at least.
const KEPT: usize = 512 << 10;

/// A running JVM.
#[derive(Debug)]
pub struct Jvm {
    child: Child,
    errors: Errors,
    quit: tokio::signal::unix::Signal,
    /// The kernel kills the JVM when the thread that has started it ends.
    _thread: SpawnThread,
}

/// How a JVM has ended.
#[derive(Debug)]
pub struct JvmEnd {
    /// The exit status.
    pub status: ExitStatus,
    /// Why this process was asked to end, if it was, and the JVM has not ended successfully.
    pub interrupted: Option<Cause>,
    /// The end of what the JVM wrote to its error stream.
    pub errors: String,
}

impl Jvm {
    /// Starts a JVM with `command`. `exe` is heddle's own program, through which the JVM is started. The JVM
    /// ends at the latest when this handle is dropped or this process ends. Its standard output goes to
    /// `stdout`, or else to that of this process.
    pub async fn start(
        mut command: Command,
        exe: &Path,
        stdout: Option<PipeWriter>,
    ) -> Result<Self, Failure> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |e| Failure::because(format!("cannot start {program}"), e);
        // Ctrl-\ makes the JVM print a dump of its threads. It must not end this process.
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

    /// Waits for the end of the JVM. If this process is interrupted, the JVM gets the signal, too: on a
    /// terminal the JVM has received it already, but if a script has sent it to this process alone, the JVM
    /// has not.
    pub async fn end(&mut self, interrupt: &Interrupt) -> Result<JvmEnd, Failure> {
        let mut passed_on = false;
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                cause = interrupt.raised(), if !passed_on => {
                    passed_on = true;
                    let signal = match cause {
                        Cause::Signal(signal) => signal,
                        Cause::MainEnded(_) | Cause::CallerGone => Signal::Terminate,
                    };
                    self.send(kernels(signal));
                }
                // On a terminal the JVM has received the signal, too.
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
        // A JVM that has ended successfully in the meantime has done its work, so it does not count as
        // interrupted.
        let interrupted = interrupt.cause().filter(|_| !status.success());
        Ok(JvmEnd { status, interrupted, errors: self.errors.end().await })
    }

    /// Ends the JVM: with SIGTERM, and with SIGKILL if it still runs after `END_WITHIN`.
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

/// The error stream of the JVM, which is copied to that of this process.
#[derive(Debug)]
struct Errors {
    kept: Arc<Mutex<Vec<u8>>>,
    over: Option<oneshot::Receiver<()>>,
}

impl Errors {
    /// Copies the stream in a thread of its own, so that no text is delayed by other work.
    fn pass_on(mut reader: PipeReader) -> std::io::Result<Self> {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (done, over) = oneshot::channel();
        let keep = Arc::clone(&kept);
        let mut out = File::from(rustix::io::dup(std::io::stderr())?);
        std::thread::Builder::new().name("jvm-stderr".to_owned()).spawn(move || {
            let mut piece = vec![0; 64 << 10];
            while let Ok(length @ 1..) = reader.read(&mut piece) {
                let piece = piece.get(..length).unwrap_or_default();
                // The JVM must not be blocked if nobody reads the error stream of this process, so errors are
                // ignored.
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

    /// Waits for the end of the stream, for at most `LAST_WORDS`, and returns the end of its text.
    async fn end(&mut self) -> String {
        if let Some(over) = self.over.take() {
            let _ = timeout(LAST_WORDS, over).await;
        }
        self.kept.lock().map(|kept| String::from_utf8_lossy(&kept).into_owned()).unwrap_or_default()
    }
}
