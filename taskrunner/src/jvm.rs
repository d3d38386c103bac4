//! The supervisor: starts a JVM, watches it until it ends, and reports how it has ended and why.
//!
//! `heddle-am` uses it for the JobManager, and the taskrunner for a TaskManager. The JVM ends together with
//! the process that has started it, so that no JVM goes on in a container that heddle considers ended.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flink_model::config::{masked_words, shown_all};
use flink_model::java_fit::{Jvm, Misfit};
use flink_model::release::Release;
use rustix::process::{Pid, Signal};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::archive::{Use, Wish};
use crate::control::JvmRecords;
use crate::exec::SUBCOMMAND;
use crate::exit::{ExitReport, Facts};
use crate::fresh;
use crate::java::{self, JavaNotFound};
use crate::jvm_records::{self, Surroundings};
use crate::memory::OomCounters;
use crate::node_jars::NodeJars;
use crate::pipes::{self, Pipes};
use crate::spawn::SpawnThread;
use crate::tail::Tail;

/// What a JVM is started with. All variables are filled in already; [`crate::plan`] makes this value from a
/// launch specification.
#[derive(Clone, PartialEq, Eq)]
pub struct JvmCommand {
    /// The release of Flink that must be able to run on the Java; `None` if any Java will do.
    pub release: Option<Release>,
    /// What the JVM may do with class data archives.
    pub archives: Wish,
    /// A program and its arguments that start Java, such as `nice -n 5`; empty if Java is started directly.
    /// If the program becomes Java (by `exec`), signals go to Java; if it starts Java as its child, they go
    /// to the program.
    pub launcher: Vec<String>,
    /// The directory that has `bin/java`. If it is `None`, the directory is `JAVA_HOME` of `env` or of this
    /// process's environment, and if that is not set either, `java` is taken from the `PATH`.
    pub java_home: Option<String>,
    /// The JVM's options, which stand before the main class.
    pub jvm_args: Vec<String>,
    /// The class path. The JVM gets it in the variable `CLASSPATH`, so that the command line stays short and
    /// a list of processes does not show the class path.
    pub class_path: String,
    /// The main class.
    pub main_class: String,
    /// The arguments of the program.
    pub args: Vec<String>,
    /// Variables that the JVM gets in addition to the environment of this process.
    pub env: BTreeMap<String, String>,
    /// Variables of this process's environment that the JVM does not get, unless [`Self::env`] sets them.
    pub without: Vec<String>,
    /// The file to which stdout is appended.
    pub stdout: PathBuf,
    /// The file to which stderr is appended.
    pub stderr: PathBuf,
    /// The log file that the program writes itself; its last lines are part of the report.
    pub log: Option<PathBuf>,
    /// The working directory.
    pub dir: PathBuf,
    /// The path of this program's binary, which must have the [`SUBCOMMAND`].
    pub self_exe: PathBuf,
    /// What the JVM leaves in files, in the directory of [`Self::stdout`].
    pub records: JvmRecords,
    /// The memory of the container in MiB; 0 if it is not known.
    pub container_mb: u64,
}

/// The variables from which Java reads further options.
const OPTION_VARIABLES: [&str; 3] = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"];

impl fmt::Debug for JvmCommand {
    /// Leaves out what may be secret: the arguments of the program, and the values of options and variables
    /// with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JvmCommand")
            .field("launcher", &masked_words(&self.launcher))
            .field("java_home", &self.java_home)
            .field("jvm_args", &masked_words(&self.jvm_args))
            .field("main_class", &self.main_class)
            .field("args", &format_args!("{} arguments", self.args.len()))
            .field("env", &shown_all(&self.env))
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// Why a JVM could not be started.
#[derive(Debug, thiserror::Error)]
pub enum JvmError {
    /// There is no Java on this node.
    #[error(transparent)]
    Java(#[from] JavaNotFound),
    /// There is a Java, but this release of Flink cannot run on it.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// A file for stdout or stderr cannot be opened.
    #[error("cannot open {} for the JVM's output", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The process of the [`SUBCOMMAND`], which becomes Java, cannot be started.
    #[error("cannot start the JVM through {} in {}", exe.display(), dir.display())]
    Spawn {
        /// The path of this program's binary.
        exe: PathBuf,
        /// The working directory.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl JvmError {
    /// What the user can do about the error, if anything. `prefix` begins the options that set variables in
    /// the JVM's container, such as `containerized.master.env.`.
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
    /// Starts the JVM from `thread`. The JVM is in the process group of this process, so that the
    /// NodeManager's signals reach it. Its parent-death signal is SIGKILL, so that it ends together with this
    /// process.
    ///
    /// Fails if there is no Java, if Flink certainly cannot run on it, or if the process cannot be started.
    /// If Java itself cannot be executed, the JVM ends with [`crate::exit::EXEC_FAILED`].
    pub async fn spawn(&self, thread: &SpawnThread) -> Result<JvmProcess, JvmError> {
        self.spawn_by(Starter { thread: thread.clone(), take_pipes: None }).await
    }

    /// Like [`JvmCommand::spawn`], and the JVM gets [`crate::pipes`]. `take_pipes` is given the other ends; a
    /// second time if the JVM crashes early and is started again without its archive.
    pub async fn spawn_with_pipes(
        &self,
        thread: &SpawnThread,
        take_pipes: TakePipes,
    ) -> Result<JvmProcess, JvmError> {
        self.spawn_by(Starter { thread: thread.clone(), take_pipes: Some(take_pipes) }).await
    }

    async fn spawn_by(&self, starter: Starter) -> Result<JvmProcess, JvmError> {
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
        let child = self.start(&java, &archive.options(), &class_path, &starter).await?;
        let pid = child.id().ok_or_else(|| self.spawn_error(io::Error::other("it ended at once")))?;
        let pid = Arc::new(AtomicU32::new(pid));
        let again = match &archive {
            Use::Archive(file) => Some(Again { command: self.clone(), java, archive: file.clone() }),
            _ => None,
        };
        let (signals, inbox) = mpsc::unbounded_channel();
        let (outcome, report) = watch::channel(None);
        tokio::spawn(supervise(child, pid.clone(), again, inbox, outcome, logs, counters, starter));
        Ok(JvmProcess { pid, archive: Arc::new(archive), signals, report })
    }

    /// The value of a variable in the JVM's environment.
    fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    /// The directory of the logs.
    pub(crate) fn log_dir(&self) -> &Path {
        self.stdout.parent().unwrap_or(Path::new("."))
    }

    /// What the names of the JVM's logs begin with, such as `taskmanager`.
    pub(crate) fn log_name(&self) -> String {
        self.stdout.file_stem().map_or_else(|| "jvm".to_owned(), |stem| stem.to_string_lossy().into_owned())
    }

    /// The options with which the JVM leaves records, unless the user's options are about the same.
    fn record_options(&self, java: &Path) -> Vec<String> {
        let variables: Vec<String> = OPTION_VARIABLES.iter().filter_map(|name| self.variable(name)).collect();
        let of_variables = variables.iter().flat_map(|text| text.split_whitespace());
        let user = self.jvm_args.iter().map(String::as_str).chain(of_variables);
        let name = self.log_name();
        // OpenJ9 has other options for logs, and does not start with those of HotSpot.
        let release = java::release_file(java).filter(|text| !text.to_ascii_lowercase().contains("openj9"));
        let version = release.and_then(|text| flink_model::java_fit::java_version(&text));
        let around = Surroundings { java: version, log_dir: self.log_dir(), name: &name };
        jvm_records::options(&self.records, &around, user)
    }

    /// What the JVM does with archives, and the class path that it needs for that.
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

    async fn start(
        &self,
        java: &Path,
        archive: &[String],
        class_path: &str,
        starter: &Starter,
    ) -> Result<Child, JvmError> {
        #[allow(clippy::disallowed_methods, reason = "this is where JVMs are started")]
        let mut command = Command::new(&self.self_exe);
        let supervisor = std::process::id().to_string();
        command.arg(SUBCOMMAND).arg(&supervisor);
        // With pipes the subcommand opens this file itself; here it is seen whether that works.
        let stdout = append(&self.stdout)?;
        let with_pipes = match &starter.take_pipes {
            Some(take) => {
                let (ours, ends) = pipes::make().map_err(|source| self.spawn_error(source))?;
                command.arg(pipes::TAKE).arg(&self.stdout).stdin(ends.input).stdout(ends.output);
                Some((take, ours))
            }
            None => {
                command.stdin(Stdio::null()).stdout(stdout);
                None
            }
        };
        if !self.launcher.is_empty() {
            // The subcommand runs a second time behind the launcher: if the launcher starts Java as its
            // child, that child needs a parent-death signal, too.
            command.args(&self.launcher).arg(&self.self_exe).arg(SUBCOMMAND).arg(&supervisor);
            command.args(with_pipes.as_ref().map(|_| pipes::KEEP));
        }
        for name in &self.without {
            command.env_remove(name);
        }
        command
            .arg(java)
            .args(archive)
            // In front: the user's options win.
            .args(self.record_options(java))
            .args(&self.jvm_args)
            .arg(&self.main_class)
            .args(&self.args)
            .envs(&self.env)
            .env("CLASSPATH", class_path)
            .current_dir(&self.dir)
            .stderr(append(&self.stderr)?);
        let child = starter.thread.spawn(command).await.map_err(|source| self.spawn_error(source))?;
        if let Some((take, pipes)) = with_pipes {
            take(pipes);
        }
        Ok(child)
    }

    fn spawn_error(&self, source: io::Error) -> JvmError {
        JvmError::Spawn { exe: self.self_exe.clone(), dir: self.dir.clone(), source }
    }
}

impl JvmCommand {
    /// Why the release of Flink is not made for this Java. A Java without a `release` file is accepted,
    /// because its version is not known.
    fn misfit(&self, java: &Path) -> Option<Misfit> {
        let jvm = Jvm::Container(&self.jvm_args);
        Misfit::find(self.release?, java::version(java)?, jvm, java.display().to_string())
    }
}

fn append(path: &Path) -> Result<File, JvmError> {
    fresh::log(path).map_err(|source| JvmError::Output { path: path.to_owned(), source })
}

/// Takes the supervisor's ends of the pipes of a JVM that was started.
pub type TakePipes = Arc<dyn Fn(Pipes) + Send + Sync>;

/// How a JVM is started, and started once more.
struct Starter {
    thread: SpawnThread,
    take_pipes: Option<TakePipes>,
}

struct Logs {
    log: Option<Tail>,
    stderr: Tail,
    stdout: Tail,
}

/// A started JVM; clones stand for the same JVM. If all clones are dropped, the JVM goes on, at the longest
/// until this process ends.
#[derive(Debug, Clone)]
pub struct JvmProcess {
    pid: Arc<AtomicU32>,
    archive: Arc<Use>,
    signals: mpsc::UnboundedSender<Signal>,
    report: watch::Receiver<Option<Arc<ExitReport>>>,
}

impl JvmProcess {
    /// The process id of the JVM. It changes if the JVM crashes early and is started again without its
    /// archive.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// What the JVM does with class data archives.
    pub fn archive(&self) -> &Use {
        &self.archive
    }

    /// Asks the JVM to end (SIGTERM). This has no effect if it has ended already.
    pub fn terminate(&self) {
        let _ = self.signals.send(Signal::TERM);
    }

    /// Ends the JVM at once (SIGKILL). This has no effect if it has ended already.
    pub fn kill(&self) {
        let _ = self.signals.send(Signal::KILL);
    }

    /// Waits until the JVM has ended. It may be called any number of times, and the future may be dropped at
    /// any time.
    pub async fn wait(&self) -> Arc<ExitReport> {
        let mut report = self.report.clone();
        let ended = report.wait_for(Option::is_some).await.ok().and_then(|r| r.clone());
        // The supervising task sends a report before it ends. So if there is none, the runtime is shutting
        // down.
        ended.unwrap_or_else(|| Arc::new(ExitReport::from_facts(Facts::default())))
    }
}

/// If a JVM with an archive crashes within this time after its start, the archive may be the reason, so the
/// JVM is started once more without it.
const EARLY: Duration = Duration::from_secs(10);

/// If a TaskManager ends within this time after its start, and its log does not say that it has registered
/// with the JobManager, its start has failed.
const START_UP: Duration = Duration::from_secs(90);

/// What is needed to start a JVM once more, without its archive.
struct Again {
    command: JvmCommand,
    java: PathBuf,
    archive: String,
}

impl Again {
    async fn start(self, signal: Signal, starter: &Starter) -> Option<Child> {
        tracing::warn!(
            "the JVM was ended by {signal:?} right after its start, and is started once more without the class data archive {}; hint: if \
             this happens again, delete the archive from the directory cds of heddle's store",
            self.archive
        );
        match self.command.start(&self.java, &[], &self.command.class_path, starter).await {
            Ok(child) => Some(child),
            Err(error) => {
                tracing::warn!(error = crate::chain(&error), "the JVM cannot be started once more");
                None
            }
        }
    }
}

/// The signal that ended a process, if it is one that a process gets for an error of its own.
fn crash(status: &ExitStatus) -> Option<Signal> {
    let signal = Signal::from_named_raw(status.signal()?)?;
    [Signal::SEGV, Signal::ABORT, Signal::BUS, Signal::ILL].contains(&signal).then_some(signal)
}

/// Watches the JVM until it has ended, and then sends the report. Only this task sends signals to the JVM,
/// and only before it has waited for the JVM's end, so that no signal can reach another process that got the
/// same process id afterwards.
#[allow(clippy::too_many_arguments, reason = "there is only one caller, which would just fill a struct")]
async fn supervise(
    mut child: Child,
    current: Arc<AtomicU32>,
    mut again: Option<Again>,
    mut signals: mpsc::UnboundedReceiver<Signal>,
    outcome: watch::Sender<Option<Arc<ExitReport>>>,
    logs: Logs,
    counters: OomCounters,
    starter: Starter,
) {
    let mut stop_requested = false;
    let begin = Instant::now();
    let status = loop {
        tokio::select! {
            status = child.wait() => {
                let again = again.take().filter(|_| !stop_requested && begin.elapsed() < EARLY);
                let next = match (again, status.as_ref().ok().and_then(crash)) {
                    (Some(again), Some(signal)) => again.start(signal, &starter).await,
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
    drop(starter);
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
