//! Starts a JVM and watches it until it ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flink_model::java_fit::{Jvm, Misfit};
use flink_model::release::Release;
use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::archive::{Use, Wish};
use crate::exec::SUBCOMMAND;
use crate::exit::{ExitReport, Facts};
use crate::fresh;
use crate::java::{self, JavaNotFound};
use crate::memory::OomCounters;
use crate::node_jars::NodeJars;
use crate::spawn::SpawnThread;
use crate::tail::Tail;

/// A JVM to start. Everything in it is final: see [`crate::plan`] for how it comes from a launch
/// specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JvmCommand {
    /// Release of Flink that Java must fit; none = any Java will do.
    pub release: Option<Release>,
    /// What it may do with class data archives.
    pub archives: Wish,
    /// Program and words that start Java, as `nice -n 5`; empty for Java itself. A program that becomes Java
    /// (exec) is seen and signalled as Java; one that starts it as a child is signalled in its place.
    pub launcher: Vec<String>,
    /// Directory with `bin/java`; none = `JAVA_HOME` of `env` or of our environment, else `java` of the
    /// `PATH`.
    pub java_home: Option<String>,
    /// Arguments before the main class.
    pub jvm_args: Vec<String>,
    /// Class path; given to the JVM as `CLASSPATH`, where it has no length limit of its own and no listing
    /// shows it.
    pub class_path: String,
    /// Main class.
    pub main_class: String,
    /// Program arguments.
    pub args: Vec<String>,
    /// Environment in addition to our own.
    pub env: BTreeMap<String, String>,
    /// Where stdout goes (appended).
    pub stdout: PathBuf,
    /// Where stderr goes (appended).
    pub stderr: PathBuf,
    /// The log that the program writes itself; its end goes into the report.
    pub log: Option<PathBuf>,
    /// Working directory.
    pub dir: PathBuf,
    /// Our own binary, which must answer the [`SUBCOMMAND`].
    pub self_exe: PathBuf,
}

/// A JVM could not be started.
#[derive(Debug, thiserror::Error)]
pub enum JvmError {
    /// There is no Java to start.
    #[error(transparent)]
    Java(#[from] JavaNotFound),
    /// There is one, and this release of Flink cannot run on it.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// A file for stdout or stderr cannot be opened.
    #[error("cannot open {} for the JVM's output", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The launcher process cannot be created.
    #[error("cannot start the JVM through {} in {}", exe.display(), dir.display())]
    Spawn {
        /// Our own binary.
        exe: PathBuf,
        /// The working directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl JvmError {
    /// What the user can do about it. `prefix` is that of the variables of the JVM's container, as
    /// `containerized.master.env.`.
    pub fn hint(&self, prefix: &str) -> Option<String> {
        let another = format!(
            "{prefix}JAVA_HOME (from Flink 2.0 on also env.java.home) names the directory of another Java on the nodes"
        );
        match self {
            Self::Java(_) => Some(another),
            Self::Misfit(misfit) => Some(match misfit.hint() {
                Some(hint) => format!("{another}; {hint}"),
                None => another,
            }),
            Self::Output { .. } | Self::Spawn { .. } => None,
        }
    }
}

impl JvmCommand {
    /// Starts the JVM: in our process group, so that the NodeManager's signals reach it, and with SIGKILL as
    /// parent-death signal.
    pub async fn spawn(&self, thread: &SpawnThread) -> Result<JvmProcess, JvmError> {
        let java = java::choose(self.java_home.as_deref(), &|name| self.variable(name))?;
        if let Some(misfit) = self.misfit(&java) {
            if misfit.is_certain() {
                return Err(misfit.into());
            }
            tracing::warn!("{misfit}");
        }
        let logs = Logs {
            log: self.log.as_deref().map(Tail::from_now),
            stderr: Tail::from_now(&self.stderr),
            stdout: Tail::from_now(&self.stdout),
        };
        let (archive, class_path) = {
            let (command, java) = (self.clone(), java.clone());
            let decide = move || command.decide(&java);
            let decided = tokio::task::spawn_blocking(decide).await;
            decided.unwrap_or_else(|_| (Use::Nothing, self.class_path.clone()))
        };
        if let Use::Archive(file) = &archive {
            tracing::info!(file, "the JVM uses a class data archive");
        }
        let counters = OomCounters::read();
        let child = self.start(&java, &archive.options(), &class_path, thread).await?;
        let pid = child.id().ok_or_else(|| self.spawn_error(io::Error::other("it ended at once")))?;
        let pid = Arc::new(AtomicU32::new(pid));
        let again = match &archive {
            Use::Archive(file) => Some(Again { command: self.clone(), java, archive: file.clone() }),
            _ => None,
        };
        let (signals, inbox) = mpsc::unbounded_channel();
        let (outcome, report) = watch::channel(None);
        tokio::spawn(supervise(child, pid.clone(), again, inbox, outcome, logs, counters, thread.clone()));
        Ok(JvmProcess { pid, archive: Arc::new(archive), signals, report })
    }

    /// A variable as the JVM sees it.
    fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    /// What it does with archives, and the class path that this needs.
    fn decide(&self, java: &Path) -> (Use, String) {
        let given = || self.class_path.clone();
        if !self.archives.is_wanted() {
            return (Use::Nothing, given());
        }
        let env = |name: &str| self.variable(name);
        let node_jars = NodeJars::find(&self.class_path);
        let what = Use::decide(&self.archives, java, &self.jvm_args, &env, &self.dir, node_jars.as_ref());
        if let Use::Record(recording) = &what
            && let Err(error) = recording.prepare()
        {
            tracing::info!(%error, "the classes of the JVM are not recorded");
            return (Use::Nothing, given());
        }
        match node_jars {
            Some(jars) if what != Use::Nothing => match jars.link(&self.dir) {
                Ok(()) => (what, jars.class_path()),
                Err(error) => {
                    tracing::info!(%error, "no class data archive: the node's jars cannot be linked here");
                    (Use::Nothing, given())
                }
            },
            _ => (what, given()),
        }
    }

    /// Starts the process.
    async fn start(
        &self,
        java: &Path,
        archive: &[String],
        class_path: &str,
        thread: &SpawnThread,
    ) -> Result<Child, JvmError> {
        #[allow(clippy::disallowed_methods)] // this is where JVMs are started
        let mut command = Command::new(&self.self_exe);
        let supervisor = std::process::id().to_string();
        command.arg(SUBCOMMAND).arg(&supervisor);
        if !self.launcher.is_empty() {
            // Once more behind the launcher, which may start Java as a child of its own.
            command.args(&self.launcher).arg(&self.self_exe).arg(SUBCOMMAND).arg(&supervisor);
        }
        command
            .arg(java)
            .args(archive)
            .args(&self.jvm_args)
            .arg(&self.main_class)
            .args(&self.args)
            .envs(&self.env)
            .env("CLASSPATH", class_path)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(append(&self.stdout)?)
            .stderr(append(&self.stderr)?);
        thread.spawn(command).await.map_err(|source| self.spawn_error(source))
    }

    fn spawn_error(&self, source: io::Error) -> JvmError {
        JvmError::Spawn { exe: self.self_exe.clone(), dir: self.dir.clone(), source }
    }
}

impl JvmCommand {
    /// Why this Java is not one that the release is made for. Java without a `release` file is given the
    /// benefit of the doubt.
    fn misfit(&self, java: &Path) -> Option<Misfit> {
        let jvm = Jvm::Container(&self.jvm_args);
        Misfit::find(self.release?, java::version(java)?, jvm, java.display().to_string())
    }
}

fn append(path: &Path) -> Result<File, JvmError> {
    fresh::log(path).map_err(|source| JvmError::Output { path: path.to_owned(), source })
}

struct Logs {
    log: Option<Tail>,
    stderr: Tail,
    stdout: Tail,
}

/// A started JVM; clones speak of the same process. Dropping all of them leaves it running: it ends with this
/// process at the latest.
#[derive(Debug, Clone)]
pub struct JvmProcess {
    pid: Arc<AtomicU32>,
    archive: Arc<Use>,
    signals: mpsc::UnboundedSender<Signal>,
    report: watch::Receiver<Option<Arc<ExitReport>>>,
}

impl JvmProcess {
    /// Process id of the JVM.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// What it does with class data archives.
    pub fn archive(&self) -> &Use {
        &self.archive
    }

    /// Asks the JVM to end (SIGTERM); without effect when it has ended.
    pub fn terminate(&self) {
        let _ = self.signals.send(Signal::TERM);
    }

    /// Ends the JVM (SIGKILL); without effect when it has ended.
    pub fn kill(&self) {
        let _ = self.signals.send(Signal::KILL);
    }

    /// Waits until the JVM has ended. May be called any number of times and dropped at any point.
    pub async fn wait(&self) -> Arc<ExitReport> {
        let mut report = self.report.clone();
        let ended = report.wait_for(Option::is_some).await.ok().and_then(|r| r.clone());
        // The task that watches publishes before it ends, so nothing here is only a runtime that shuts down.
        ended.unwrap_or_else(|| Arc::new(ExitReport::from_facts(Facts::default())))
    }
}

/// A JVM that uses an archive and dies of an error of its own so early is started once more, without it.
const EARLY: Duration = Duration::from_secs(10);

/// A TaskManager that ends within this time, and whose log does not tell of its registration, has failed at
/// its start.
const START_UP: Duration = Duration::from_secs(90);

/// How to start a JVM once more.
struct Again {
    command: JvmCommand,
    java: PathBuf,
    archive: String,
}

impl Again {
    async fn start(self, signal: Signal, thread: &SpawnThread) -> Option<Child> {
        tracing::warn!(
            "the JVM was ended by {signal:?} right after its start, and is started once more without the class data archive {}; hint: if \
             this happens again, delete the archive from the directory cds of heddle's store",
            self.archive
        );
        match self.command.start(&self.java, &[], &self.command.class_path, thread).await {
            Ok(child) => Some(child),
            Err(error) => {
                tracing::warn!(error = crate::chain(&error), "the JVM cannot be started once more");
                None
            }
        }
    }
}

/// The signal by which a process ended that went wrong by itself.
fn crash(status: &ExitStatus) -> Option<Signal> {
    let signal = Signal::from_named_raw(status.signal()?)?;
    [Signal::SEGV, Signal::ABORT, Signal::BUS, Signal::ILL].contains(&signal).then_some(signal)
}

/// Owns the child until it is reaped. Signals are sent from here only, so none can hit a process id that was
/// used again.
#[allow(clippy::too_many_arguments)] // one of each
async fn supervise(
    mut child: Child,
    current: Arc<AtomicU32>,
    mut again: Option<Again>,
    mut signals: mpsc::UnboundedReceiver<Signal>,
    outcome: watch::Sender<Option<Arc<ExitReport>>>,
    logs: Logs,
    counters: OomCounters,
    thread: SpawnThread,
) {
    let mut stop_requested = false;
    let begin = Instant::now();
    let status = loop {
        tokio::select! {
            status = child.wait() => {
                let again = again.take().filter(|_| !stop_requested && begin.elapsed() < EARLY);
                let next = match (again, status.as_ref().ok().and_then(crash)) {
                    (Some(again), Some(signal)) => again.start(signal, &thread).await,
                    _ => None,
                };
                let Some(next) = next else { break status };
                child = next;
                current.store(child.id().unwrap_or_default(), Ordering::Relaxed);
            }
            Some(signal) = signals.recv() => {
                let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
                if let Some(pid) = pid {
                    match rustix::process::kill_process(pid, signal) {
                        Ok(()) => stop_requested = true,
                        Err(error) => tracing::warn!(%error, ?pid, ?signal, "cannot signal the JVM"),
                    }
                }
            }
        }
    };
    drop(thread);
    let early = begin.elapsed() < START_UP;
    let (code, signal) = match status {
        Ok(status) => (status.code(), status.signal()),
        Err(error) => {
            tracing::error!(%error, "cannot wait for the JVM");
            (None, None)
        }
    };
    let judged = tokio::task::spawn_blocking(move || {
        let read = |tail: &Tail| {
            tail.read().unwrap_or_else(|error| vec![format!("(heddle cannot read this log: {error})")])
        };
        let findings = logs.log.as_ref().map(Tail::findings).unwrap_or_default();
        ExitReport::from_facts(Facts {
            code,
            signal,
            stop_requested,
            findings,
            early,
            kernel_oom: counters.compare(&OomCounters::read()),
            log: logs.log.as_ref().map(read).unwrap_or_default(),
            stderr: read(&logs.stderr),
            stdout: read(&logs.stdout),
        })
    });
    let report = judged.await.unwrap_or_else(|_| {
        ExitReport::from_facts(Facts { code, signal, stop_requested, ..Facts::default() })
    });
    outcome.send_replace(Some(Arc::new(report)));
}
