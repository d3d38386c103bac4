//! Defines the options of every command for clap. Parsing, help, shell completion, manual pages and the
//! reference all come from this one definition, so that they cannot differ.
//!
//! Long names are Flink's own, even if their case is unusual. Hidden aliases are Flink's short names of
//! several letters (see [`super::dialect`]).
//!
//! What can hold a secret has no derived `Debug`, but one of [`super::unshown`].

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};
use yarn_client::error::Failure;

use super::dialect::PROPERTY;

/// Runs Apache Flink on Hadoop YARN.
#[derive(Debug, Parser)]
#[command(name = "heddle", version, disable_version_flag = true, disable_help_subcommand = true)]
#[command(after_help = "`heddle <command> --help` tells the options of a command.\n\
    The same program answers to the names `flink` and `yarn-session.sh`, with Flink's own options and output.")]
pub(crate) struct Top {
    #[command(subcommand)]
    pub(crate) command: Verb,
}

impl Verb {
    /// Whether the standard output is for a program, which gets JSON. Fails if `--output` is wrong.
    pub(crate) fn json(&self) -> Result<bool, Failure> {
        Ok(match self {
            Self::Session(options) => options.deploy.json()?,
            Self::Run(options) | Self::RunApplication(options) | Self::Info(options) => {
                options.deploy.json()?
            }
            Self::List(options) => options.answer.json(),
            Self::Cancel(options) => options.answer.json(),
            Self::Stop(options) => options.answer.json(),
            Self::Savepoint(options) => options.answer.json(),
            Self::Checkpoint(options) => options.answer.json(),
            Self::Ps(options) => options.answer.json(),
            Self::Status(options) => options.answer.json(),
            Self::Why(options) => options.answer.json(),
            Self::Logs(options) => options.answer.json(),
            Self::Sd(options) => options.answer.json(),
            Self::Kill(options) => options.answer.json(),
            Self::ExplainExit(options) => options.answer.json(),
            Self::Gc(options) => options.answer.json(),
            Self::Store(options) => options.answer.json(),
            Self::Adopt(options) => options.answer.json(),
            Self::Memory(options) => options.answer.json(),
            Self::Completion(options) => options.answer.json(),
            Self::Man(options) => options.answer.json(),
            Self::Reference(options) => options.answer.json(),
        })
    }

    /// Whether an error is shown with its causes.
    pub(crate) fn verbose(&self) -> bool {
        match self {
            Self::Session(options) => options.verbose,
            Self::Run(options) | Self::RunApplication(options) | Self::Info(options) => {
                options.cluster.verbose
            }
            Self::List(options) => options.cluster.verbose,
            Self::Cancel(options) => options.cluster.verbose,
            Self::Stop(options) => options.cluster.verbose,
            Self::Savepoint(options) => options.cluster.verbose,
            Self::Checkpoint(options) => options.cluster.verbose,
            Self::Ps(options) => options.answer.verbose,
            Self::Status(options) => options.answer.verbose,
            Self::Why(options) => options.answer.verbose,
            Self::Logs(options) => options.answer.verbose,
            Self::Sd(options) => options.answer.verbose,
            Self::Kill(options) => options.answer.verbose,
            Self::Gc(options) => options.answer.verbose,
            Self::Store(options) => options.answer.verbose,
            Self::Adopt(options) => options.verbose,
            Self::Memory(options) => options.answer.verbose,
            Self::ExplainExit(_) | Self::Completion(_) | Self::Man(_) | Self::Reference(_) => false,
        }
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start a Flink session on YARN, attach to one, or show what the cluster offers
    #[command(override_usage = "yarn-session.sh [options]\n       heddle session [options]")]
    Session(SessionOptions),
    /// Run a program: on a session, on a cluster of its own, or as a YARN application
    #[command(
        override_usage = "flink run [options] <jar> [arguments of the program]\n       flink run -t yarn-application [options] <SQL script>"
    )]
    Run(RunOptions),
    /// Run a program as a YARN application: its main() runs in the JobManager
    #[command(
        override_usage = "flink run-application [options] <jar> [arguments of the program]\n       flink run-application [options] <SQL script>"
    )]
    RunApplication(RunOptions),
    /// Show the plan of a program without running it (JSON)
    #[command(override_usage = "flink info [options] <jar> [arguments of the program]")]
    Info(RunOptions),
    /// List running and scheduled jobs
    #[command(override_usage = "flink list [options]")]
    List(ListOptions),
    /// Cancel a job
    #[command(override_usage = "flink cancel [options] <job id>")]
    Cancel(CancelOptions),
    /// Stop a job with a savepoint (streaming jobs)
    #[command(override_usage = "flink stop [options] <job id>")]
    Stop(StopOptions),
    /// Take a savepoint of a job, or dispose of one
    #[command(override_usage = "flink savepoint [options] <job id> [target directory]")]
    Savepoint(SavepointOptions),
    /// Take a checkpoint of a job
    #[command(override_usage = "flink checkpoint [options] <job id>")]
    Checkpoint(CheckpointOptions),
    /// List the applications of heddle and of Flink's own client with their jobs; or, of the
    /// applications that are named, show all that is known
    #[command(override_usage = "heddle ps [options] [application id ...]")]
    Ps(PsOptions),
    /// Tell the state of an application, as all witnesses together know it; the exit code tells it, too
    #[command(override_usage = "heddle status [options] [application id]")]
    Status(StatusOptions),
    /// Tell why an application has failed or waits, what shows that, and what to set
    #[command(override_usage = "heddle why [options] [application id]")]
    Why(WhyOptions),
    /// Show the logs of an application's containers, while it runs and afterwards
    #[command(
        override_usage = "heddle logs [options] <application id>\n       heddle logs [options] --container <container id>"
    )]
    Logs(LogsOptions),
    /// Find what Prometheus can read of running applications (heddle.metrics.port): print the targets,
    /// keep them in a file, or serve them
    #[command(override_usage = "heddle sd [options] [application id ...]")]
    Sd(SdOptions),
    /// Kill applications through YARN, and wait until they have ended
    #[command(override_usage = "heddle kill [options] <application id> ...")]
    Kill(KillOptions),
    /// Explain exit codes of processes, signals and YARN's exit statuses of containers: what they mean, and
    /// what to do
    #[command(override_usage = "heddle explain-exit [options] <code> ...")]
    ExplainExit(ExplainExitOptions),
    /// Remove what dead applications have left, and uploaded files that nothing uses (without
    /// --delete they are only listed)
    #[command(override_usage = "heddle gc [options]")]
    Gc(GcOptions),
    /// Publish Flink's libraries in a store for all users of the cluster, list what a store holds, or
    /// compare its files with their hashes
    #[command(override_usage = "heddle store [options] <publish|list|verify>")]
    Store(StoreOptions),
    /// Make a FLINK_HOME for tools: flink in its bin is heddle, all else is Flink's
    #[command(override_usage = "heddle adopt [options] <directory>")]
    Adopt(AdoptOptions),
    /// Show the sizes of JobManager and TaskManager, where each comes from, and what YARN grants for them
    #[command(
        override_usage = "heddle memory [options]\n       heddle memory --live [options] [application id]"
    )]
    Memory(MemoryOptions),
    /// Print what lets a shell complete the options: bash, zsh or fish
    #[command(override_usage = "heddle completion <bash|zsh|fish>")]
    Completion(CompletionOptions),
    /// Print or write the manual pages
    #[command(override_usage = "heddle man [options]")]
    Man(ManOptions),
    /// Write the reference pages of the manual, or check a command line against the options
    #[command(
        hide = true,
        override_usage = "heddle reference --dir <directory>\n       heddle reference --check -- <command line>"
    )]
    Reference(ReferenceOptions),
}

/// `yarn-session.sh`.
#[derive(Args, Default, Clone)]
pub(crate) struct SessionOptions {
    /// Name of the application in YARN
    #[arg(long, alias = "nm", value_name = "name", help_heading = "Application")]
    pub(crate) name: Option<String>,
    /// YARN queue
    #[arg(long, alias = "qu", value_name = "queue", help_heading = "Application")]
    pub(crate) queue: Option<String>,
    /// Type of the application in YARN (default: Apache Flink)
    #[arg(long = "applicationType", alias = "at", value_name = "type", help_heading = "Application")]
    pub(crate) application_type: Option<String>,
    /// YARN node label for the application's containers
    #[arg(long = "nodeLabel", alias = "nl", value_name = "label", help_heading = "Application")]
    pub(crate) node_label: Option<String>,
    /// Identity of the cluster for high availability (default: the application id)
    #[arg(short = 'z', long = "zookeeperNamespace", value_name = "name", help_heading = "Application")]
    pub(crate) zookeeper_namespace: Option<String>,

    /// Memory of the JobManager's container; MB without a unit
    #[arg(long = "jobManagerMemory", alias = "jm", value_name = "size", help_heading = "Size")]
    pub(crate) job_manager_memory: Option<String>,
    /// Memory of each TaskManager's container; MB without a unit
    #[arg(long = "taskManagerMemory", alias = "tm", value_name = "size", help_heading = "Size")]
    pub(crate) task_manager_memory: Option<String>,
    /// Slots of each TaskManager
    #[arg(short, long, value_name = "number", help_heading = "Size")]
    pub(crate) slots: Option<String>,
    /// Least number of TaskManagers, started with the session and kept (with Flink 1.19 and later)
    #[arg(short = 'n', long = "container", value_name = "number", help_heading = "Size")]
    pub(crate) workers: Option<String>,

    /// Ship this file or directory to all containers; may be repeated
    #[arg(short = 't', long, value_name = "path", help_heading = "Files")]
    pub(crate) ship: Vec<String>,
    /// Flink's main jar, if it is not the one in FLINK_HOME/lib
    #[arg(short, long, value_name = "path", help_heading = "Files")]
    pub(crate) jar: Option<String>,

    /// Return as soon as the session is ready
    #[arg(short, long, help_heading = "Client")]
    pub(crate) detached: bool,
    /// Attach to this session instead of starting one
    #[arg(long = "applicationId", alias = "id", value_name = "application id", help_heading = "Client")]
    pub(crate) application_id: Option<String>,
    /// Show the cluster's nodes and queues, and exit
    #[arg(short, long, help_heading = "Client")]
    pub(crate) query: bool,
    /// Set any configuration key; may be repeated
    #[arg(short = 'D', value_name = PROPERTY, help_heading = "Client")]
    pub(crate) property: Vec<String>,
    /// Show the causes of an error
    #[arg(short, long, help_heading = "Client")]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) deploy: DeployOptions,

    /// Same as --detached
    #[arg(long = "yarndetached", alias = "yd", hide = true)]
    pub(crate) yarn_detached: bool,
    /// Only `yarn-cluster` has a meaning, and that is the default
    #[arg(short = 'm', long = "jobmanager", value_name = "yarn-cluster", hide = true)]
    pub(crate) job_manager: Option<String>,
    /// Has had no effect for many releases
    #[arg(long = "streaming", alias = "st", hide = true)]
    pub(crate) streaming: bool,
}

/// How a cluster is brought up; heddle's own.
#[derive(Debug, Args, Default, Clone)]
#[command(next_help_heading = "Deployment (heddle)")]
pub(crate) struct DeployOptions {
    /// Show what would be submitted, with -v in full, and exit
    #[arg(long = "dry-run")]
    pub(crate) dry_run: bool,
    /// Form of the answer: text, or json, which is then all that is on the standard output
    #[arg(long = "output", value_name = "form")]
    pub(crate) output: Option<String>,
    /// Limit of the start, not of the job: if the cluster is not ready within this time (90s, 5min), its
    /// application is killed
    #[arg(long = "timeout", value_name = "duration")]
    pub(crate) timeout: Option<String>,
    /// Show where the time went: each step of the way as a bar, and the slowest
    #[arg(long = "timing")]
    pub(crate) timing: bool,
    /// Name of this submission: given again, the command goes on with the application of the first time and
    /// starts no other
    #[arg(long = "submission", value_name = "name")]
    pub(crate) submission: Option<String>,
}

impl DeployOptions {
    /// Whether the standard output is for a program, which gets JSON. Fails if `--output` is wrong.
    pub(crate) fn json(&self) -> Result<bool, Failure> {
        match self.output.as_deref() {
            None | Some("text") => Ok(false),
            Some("json") => Ok(true),
            Some(other) => Err(Failure::usage(format!("--output {other}: it is either text or json"))),
        }
    }
}

/// Which cluster a command speaks to; understood by all of them.
#[derive(Args, Default, Clone)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterOptions {
    /// Kind of cluster: yarn-session, yarn-per-job, yarn-application, remote
    #[arg(short, long, value_name = "target")]
    pub(crate) target: Option<String>,
    /// Set any configuration key, for example yarn.application.id; may be repeated
    #[arg(short = 'D', value_name = PROPERTY)]
    pub(crate) property: Vec<String>,
    /// Address of a JobManager's REST interface, instead of a YARN application
    #[arg(short = 'm', long = "jobmanager", value_name = "host:port")]
    pub(crate) job_manager: Option<String>,
    /// The YARN application to speak to
    #[arg(long = "yarnapplicationId", alias = "yid", value_name = "application id")]
    pub(crate) application_id: Option<String>,
    /// Identity of the cluster for high availability
    #[arg(short = 'z', long = "zookeeperNamespace", value_name = "name")]
    pub(crate) zookeeper_namespace: Option<String>,
    /// Show the causes of an error
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Older name of --target
    #[arg(short, long, value_name = "target", hide = true)]
    pub(crate) executor: Option<String>,
}

/// The options of `yarn-session.sh` as `run` of older releases takes them.
#[derive(Args, Default, Clone)]
#[command(next_help_heading = "YARN options of older releases")]
pub(crate) struct YarnOptions {
    /// Same as -D
    #[arg(long = "yD", alias = "yD", value_name = PROPERTY)]
    pub(crate) yarn_property: Vec<String>,
    /// Same as --detached
    #[arg(long = "yarndetached", alias = "yd")]
    pub(crate) yarn_detached: bool,
    /// yarn.application.name
    #[arg(long = "yarnname", alias = "ynm", value_name = "name")]
    pub(crate) yarn_name: Option<String>,
    /// yarn.application.queue
    #[arg(long = "yarnqueue", alias = "yqu", value_name = "queue")]
    pub(crate) yarn_queue: Option<String>,
    /// yarn.application.type
    #[arg(long = "yarnapplicationType", alias = "yat", value_name = "type")]
    pub(crate) yarn_application_type: Option<String>,
    /// yarn.application.node-label
    #[arg(long = "yarnnodeLabel", alias = "ynl", value_name = "label")]
    pub(crate) yarn_node_label: Option<String>,
    /// jobmanager.memory.process.size
    #[arg(long = "yarnjobManagerMemory", alias = "yjm", value_name = "size")]
    pub(crate) yarn_job_manager_memory: Option<String>,
    /// taskmanager.memory.process.size
    #[arg(long = "yarntaskManagerMemory", alias = "ytm", value_name = "size")]
    pub(crate) yarn_task_manager_memory: Option<String>,
    /// taskmanager.numberOfTaskSlots
    #[arg(long = "yarnslots", alias = "ys", value_name = "number")]
    pub(crate) yarn_slots: Option<String>,
    /// Number of TaskManagers (without effect since Flink 1.8)
    #[arg(long = "yarncontainer", alias = "yn", value_name = "number", hide = true)]
    pub(crate) yarn_workers: Option<String>,
    /// yarn.ship-files
    #[arg(long = "yarnship", alias = "yt", value_name = "path")]
    pub(crate) yarn_ship: Vec<String>,
    /// yarn.flink-dist-jar
    #[arg(long = "yarnjar", alias = "yj", value_name = "path")]
    pub(crate) yarn_jar: Option<String>,
    /// high-availability.cluster-id
    #[arg(long = "yarnzookeeperNamespace", alias = "yz", value_name = "name")]
    pub(crate) yarn_zookeeper_namespace: Option<String>,
    /// Show the cluster's nodes and queues, and exit
    #[arg(long = "yarnquery", alias = "yq", hide = true)]
    pub(crate) yarn_query: bool,
    /// Help
    #[arg(long = "yarnhelp", alias = "yh", hide = true)]
    pub(crate) yarn_help: bool,
    /// Has had no effect for many releases
    #[arg(long = "yarnstreaming", alias = "yst", hide = true)]
    pub(crate) yarn_streaming: bool,
}

/// `run`, `run-application`, `info`: the program and how to run it.
#[derive(Args, Default, Clone)]
pub(crate) struct RunOptions {
    /// Class with main(), if the jar's manifest does not name it
    #[arg(short, long, value_name = "class name", help_heading = "Program")]
    pub(crate) class: Option<String>,
    /// URL for the program's class path, readable on every node; may be repeated
    #[arg(short = 'C', long, value_name = "url", help_heading = "Program")]
    pub(crate) classpath: Vec<String>,
    /// The jar, when it is not the first word after the options
    #[arg(short, long, value_name = "jar", help_heading = "Program")]
    pub(crate) jarfile: Option<String>,
    /// An argument of the program; all words after the jar are arguments too
    #[arg(short, long, value_name = "argument", num_args = 1.., help_heading = "Program")]
    pub(crate) arguments: Vec<String>,
    /// Parallelism, instead of the configured one
    #[arg(short, long, value_name = "number", help_heading = "Program")]
    pub(crate) parallelism: Option<String>,
    /// Where main() runs: on the client, or in the JobManager of a running session (jar programs only)
    #[arg(long = "main", value_name = "client|cluster", help_heading = "Program")]
    pub(crate) main_place: Option<String>,

    /// Return as soon as the job is submitted
    #[arg(short, long, help_heading = "Lifetime")]
    pub(crate) detached: bool,
    /// Wait for the end of the application; the exit code is 0 only if it has succeeded (application mode)
    #[arg(long = "attached", help_heading = "Lifetime")]
    pub(crate) attached: bool,
    /// Cancel the job when the attached client ends
    #[arg(long = "shutdownOnAttachedExit", alias = "sae", help_heading = "Lifetime")]
    pub(crate) shutdown_on_attached_exit: bool,

    /// Savepoint or checkpoint to start from
    #[arg(short = 's', long = "fromSavepoint", value_name = "path", help_heading = "State")]
    pub(crate) from_savepoint: Option<String>,
    /// Skip state that no operator of the program takes
    #[arg(short = 'n', long = "allowNonRestoredState", help_heading = "State")]
    pub(crate) allow_non_restored_state: bool,
    /// What becomes of the savepoint: claim, no_claim, legacy
    #[arg(long = "claimMode", alias = "cm", value_name = "mode", help_heading = "State")]
    pub(crate) claim_mode: Option<String>,
    /// Older name of --claimMode
    #[arg(long = "restoreMode", alias = "rm", value_name = "mode", hide = true)]
    pub(crate) restore_mode: Option<String>,

    /// Python script with the program
    #[arg(long = "python", alias = "py", value_name = "file", help_heading = "Python")]
    pub(crate) python: Option<String>,
    /// Files for the PYTHONPATH, separated by commas
    #[arg(long = "pyFiles", alias = "pyfs", value_name = "files", help_heading = "Python")]
    pub(crate) py_files: Option<String>,
    /// Python module with the program
    #[arg(long = "pyModule", alias = "pym", value_name = "module", help_heading = "Python")]
    pub(crate) py_module: Option<String>,
    /// requirements.txt of the program's packages
    #[arg(long = "pyRequirements", alias = "pyreq", value_name = "file", help_heading = "Python")]
    pub(crate) py_requirements: Option<String>,
    /// Archives to unpack for the Python workers
    #[arg(long = "pyArchives", alias = "pyarch", value_name = "files", help_heading = "Python")]
    pub(crate) py_archives: Option<String>,
    /// Python interpreter of the workers
    #[arg(long = "pyExecutable", alias = "pyexec", value_name = "path", help_heading = "Python")]
    pub(crate) py_executable: Option<String>,
    /// Python interpreter of the client
    #[arg(long = "pyClientExecutable", alias = "pyclientexec", value_name = "path", help_heading = "Python")]
    pub(crate) py_client_executable: Option<String>,
    /// Python installation on the nodes
    #[arg(long = "pyPythonPath", alias = "pypath", value_name = "path", help_heading = "Python")]
    pub(crate) py_python_path: Option<String>,
    /// Python environment of the program: a directory, or a packed one
    #[arg(long = "py-env", value_name = "path", help_heading = "Python")]
    pub(crate) py_env: Option<String>,

    #[command(flatten)]
    pub(crate) cluster: ClusterOptions,
    #[command(flatten)]
    pub(crate) deploy: DeployOptions,
    #[command(flatten)]
    pub(crate) yarn: YarnOptions,

    /// The jar and the program's arguments
    #[arg(hide = true, num_args = 0..)]
    pub(crate) program: Vec<OsString>,
}

/// `list`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct ListOptions {
    /// Only running jobs
    #[arg(short, long)]
    pub(crate) running: bool,
    /// Only scheduled jobs
    #[arg(short, long)]
    pub(crate) scheduled: bool,
    /// Ended jobs too
    #[arg(short, long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterOptions,
    #[command(flatten)]
    pub(crate) answer: FormOptions,
    #[command(flatten)]
    pub(crate) rest: Rest,
}

/// `cancel`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct CancelOptions {
    /// Take a savepoint first (deprecated: use stop)
    #[arg(short = 's', long = "withSavepoint", value_name = "directory", num_args = 0..=1, require_equals = true,
        default_missing_value = "")]
    pub(crate) with_savepoint: Option<String>,
    /// Format of the savepoint: canonical or native
    #[arg(long = "type", value_name = "format")]
    pub(crate) format: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterOptions,
    #[command(flatten)]
    pub(crate) answer: FormOptions,
    #[command(flatten)]
    pub(crate) rest: Rest,
}

/// `stop`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct StopOptions {
    /// Directory for the savepoint (default: execution.checkpointing.savepoint-dir, before 1.20
    /// state.savepoints.dir)
    #[arg(short = 'p', long = "savepointPath", value_name = "directory", num_args = 0..=1, require_equals = true,
        default_missing_value = "")]
    pub(crate) savepoint_path: Option<String>,
    /// Send MAX_WATERMARK before the savepoint: the job will not be continued
    #[arg(short, long)]
    pub(crate) drain: bool,
    /// Format of the savepoint: canonical or native
    #[arg(long = "type", value_name = "format")]
    pub(crate) format: Option<String>,
    /// Return at once, with the trigger's id
    #[arg(long)]
    pub(crate) detached: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterOptions,
    #[command(flatten)]
    pub(crate) answer: FormOptions,
    #[command(flatten)]
    pub(crate) rest: Rest,
}

/// `savepoint`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct SavepointOptions {
    /// Dispose of this savepoint instead of taking one
    #[arg(short, long, value_name = "path")]
    pub(crate) dispose: Option<String>,
    /// Jar with the program's classes, for the disposal
    #[arg(short, long, value_name = "jar")]
    pub(crate) jarfile: Option<String>,
    /// Format of the savepoint: canonical or native
    #[arg(long = "type", value_name = "format")]
    pub(crate) format: Option<String>,
    /// Return at once, with the trigger's id
    #[arg(long)]
    pub(crate) detached: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterOptions,
    #[command(flatten)]
    pub(crate) answer: FormOptions,
    #[command(flatten)]
    pub(crate) rest: Rest,
}

/// `checkpoint`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct CheckpointOptions {
    /// A full checkpoint rather than an incremental one
    #[arg(long)]
    pub(crate) full: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterOptions,
    #[command(flatten)]
    pub(crate) answer: FormOptions,
    #[command(flatten)]
    pub(crate) rest: Rest,
}

/// In which form a command answers; heddle's own.
#[derive(Debug, Args, Default, Clone)]
#[command(next_help_heading = "Answer (heddle)")]
pub(crate) struct FormOptions {
    /// Form of the answer: text or json
    #[arg(long, value_name = "form", value_parser = ["text", "json"], default_value = "text", hide_default_value = true, hide_possible_values = true)]
    pub(crate) output: String,
}

impl FormOptions {
    /// Whether the answer is JSON, for programs.
    pub(crate) fn json(&self) -> bool {
        self.output == "json"
    }
}

/// What heddle's own commands that print an answer share.
#[derive(Args, Default, Clone)]
pub(crate) struct AnswerOptions {
    /// Form of the answer: text or json
    #[arg(long, value_name = "form", value_parser = ["text", "json"], default_value = "text", hide_default_value = true, hide_possible_values = true)]
    pub(crate) output: String,
    /// Set any configuration key; may be repeated
    #[arg(short = 'D', value_name = PROPERTY)]
    pub(crate) property: Vec<String>,
    /// Show the causes of an error
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl AnswerOptions {
    /// Whether the answer is JSON, for programs.
    pub(crate) fn json(&self) -> bool {
        self.output == "json"
    }
}

/// `ps`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct PsOptions {
    /// Ended applications too, with the reason of a failure
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Those of this user instead of your own
    #[arg(long, value_name = "name")]
    pub(crate) user: Option<String>,
    /// Those of all users
    #[arg(long = "all-users")]
    pub(crate) all_users: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
    /// Application ids
    #[arg(hide = true)]
    pub(crate) applications: Vec<String>,
}

/// `status`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
    /// Application id
    #[arg(hide = true)]
    pub(crate) applications: Vec<String>,
}

/// `why`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct WhyOptions {
    /// Also consequences of the causes, and what is only possible
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Write findings, facts, logs and configuration, without secrets, into this archive, for a ticket
    #[arg(long, value_name = "file")]
    pub(crate) bundle: Option<String>,
    /// Replace the archive if it exists already
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
    /// Application id
    #[arg(hide = true)]
    pub(crate) applications: Vec<String>,
}

/// `logs`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct LogsOptions {
    /// Only of the JobManager, which has a container in each attempt
    #[arg(long = "jobmanager", help_heading = "Containers")]
    pub(crate) job_manager: bool,
    /// Only of the TaskManager with this number. They are numbered from 1 in the order of the ids of their
    /// containers; while the application runs, only those that run are counted, too
    #[arg(long = "tm", value_name = "number", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Containers")]
    pub(crate) task_manager: Option<u32>,
    /// Only of this container
    #[arg(long, value_name = "container id", help_heading = "Containers")]
    pub(crate) container: Option<String>,
    /// Only of the attempt with this number, from 1
    #[arg(long, value_name = "number", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Containers")]
    pub(crate) attempt: Option<u32>,
    /// User who has submitted the application, if YARN does not know the application any more
    #[arg(long, value_name = "name", help_heading = "Containers")]
    pub(crate) owner: Option<String>,

    /// Only log files of this name, in which * stands for any characters; may be repeated. Without it,
    /// all but those of YARN itself, such as launch_container.sh
    #[arg(long = "file", value_name = "name", help_heading = "Lines")]
    pub(crate) files: Vec<String>,
    /// Only the last lines of each log file
    #[arg(long, value_name = "number", value_parser = clap::value_parser!(u32).range(0..=1_000_000), help_heading = "Lines")]
    pub(crate) tail: Option<u32>,
    /// Only lines that this regular expression fits
    #[arg(long, value_name = "expression", help_heading = "Lines")]
    pub(crate) grep: Option<String>,
    /// Only lines of the last time, such as 10min, by the time at their beginning; one without a time
    /// zone is taken to be in that of this machine
    #[arg(long, value_name = "duration", help_heading = "Lines")]
    pub(crate) since: Option<String>,
    /// Go on with new lines until the application has ended
    #[arg(short, long, help_heading = "Lines")]
    pub(crate) follow: bool,
    /// List the containers and their log files instead; with --output json this is the answer
    #[arg(long)]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
    /// Application id
    #[arg(hide = true)]
    pub(crate) applications: Vec<String>,
}

/// `sd`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct SdOptions {
    /// Write the targets to this file, for file_sd_configs of Prometheus
    #[arg(long, value_name = "path")]
    pub(crate) file: Option<String>,
    /// Serve the targets at this address and port, at the path /sd, for http_sd_configs of Prometheus
    #[arg(long, value_name = "address:port")]
    pub(crate) listen: Option<String>,
    /// Look again after this time, such as 30s; without it a file is written once, and a server looks
    /// again after 30s
    #[arg(long, value_name = "duration")]
    pub(crate) interval: Option<String>,
    /// Those of this user instead of your own
    #[arg(long, value_name = "name")]
    pub(crate) user: Option<String>,
    /// Those of all users
    #[arg(long = "all-users")]
    pub(crate) all_users: bool,
    /// Only those that have this tag in YARN
    #[arg(long, value_name = "tag")]
    pub(crate) tag: Option<String>,
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
    /// Application ids
    #[arg(hide = true)]
    pub(crate) applications: Vec<String>,
}

/// `kill`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct KillOptions {
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
    /// Application ids
    #[arg(hide = true)]
    pub(crate) applications: Vec<String>,
}

/// `explain-exit`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct ExplainExitOptions {
    #[command(flatten)]
    pub(crate) answer: FormOptions,
    /// Numbers, which may be negative, or names of signals and of YARN's exit statuses
    #[arg(hide = true, allow_negative_numbers = true)]
    pub(crate) codes: Vec<String>,
}

/// `gc`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct GcOptions {
    /// Remove; without this it is only shown what would be removed
    #[arg(long)]
    pub(crate) delete: bool,
    /// Remove what dead applications of Flink's own client have left, too
    #[arg(long)]
    pub(crate) foreign: bool,
    /// Keep files that were used within this time, at least an hour (default: 7d)
    #[arg(long = "older-than", value_name = "duration", default_value = "7d", hide_default_value = true)]
    pub(crate) older_than: String,
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
}

/// `store`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct StoreOptions {
    /// publish, list or verify
    #[arg(hide = true, value_name = "action", value_parser = ["publish", "list", "verify"])]
    pub(crate) action: String,
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
}

/// `adopt`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct AdoptOptions {
    /// The Flink distribution; default: the one that the directory stands for already, or else FLINK_HOME
    #[arg(long = "flink-home", value_name = "directory")]
    pub(crate) flink_home: Option<String>,
    /// Show what would be made or changed, and exit
    #[arg(long = "dry-run")]
    pub(crate) dry_run: bool,
    /// Show the causes of an error
    #[arg(short, long)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) answer: FormOptions,
    /// The directory
    #[arg(hide = true)]
    pub(crate) directories: Vec<String>,
}

/// `memory`.
#[derive(Args, Default, Clone)]
pub(crate) struct MemoryOptions {
    /// Show what a running application uses beside what was planned, and what could be smaller or must be
    /// larger
    #[arg(long)]
    pub(crate) live: bool,
    /// Try a setting: it wins over all others, and what it changes is shown; may be repeated
    #[arg(long, value_name = "key=setting")]
    pub(crate) set: Vec<String>,
    /// Compute as this release of Flink would (1.13 to 2.3)
    #[arg(long = "flink-version", value_name = "release")]
    pub(crate) flink_version: Option<String>,
    /// Do not ask the cluster: take YARN's limits from its configuration files
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) answer: AnswerOptions,
    /// Application id
    #[arg(hide = true)]
    pub(crate) applications: Vec<String>,
}

/// `completion`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct CompletionOptions {
    /// bash, zsh or fish
    #[arg(hide = true, value_name = "shell", value_parser = ["bash", "zsh", "fish"])]
    pub(crate) shell: String,
    #[command(flatten)]
    pub(crate) answer: FormOptions,
}

/// `man`.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct ManOptions {
    /// Write all pages to this directory
    #[arg(long, value_name = "directory")]
    pub(crate) dir: Option<String>,
    #[command(flatten)]
    pub(crate) answer: FormOptions,
}

/// `reference`.
#[derive(Args, Default, Clone)]
pub(crate) struct ReferenceOptions {
    /// Write all pages to this directory
    #[arg(long, value_name = "directory")]
    pub(crate) dir: Option<String>,
    /// Say whether the command line behind -- can be parsed
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) answer: FormOptions,
    /// The command line, its program first
    #[arg(hide = true, num_args = 0..)]
    pub(crate) words: Vec<OsString>,
}

/// The words of a command that are no options.
#[derive(Debug, Args, Default, Clone)]
pub(crate) struct Rest {
    /// Job id and directories
    #[arg(hide = true)]
    pub(crate) words: Vec<String>,
}
