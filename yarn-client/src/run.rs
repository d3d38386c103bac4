//! Prepares `run` and `info`: the user's `main()` runs in a JVM on this machine, in Flink's own client.
//!
//! Flink's client gets only the address of the JobManager, and nothing of YARN or Hadoop. So it starts in
//! half the time, and what the program prints, collects and returns is the same as with Flink's own scripts.
//! For `hdfs://` it gets a small jar with a file system that runs `heddle client-fs`, unless Hadoop's classes
//! are on the class path: the user has put them there, or heddle does (see [`crate::hadoop_jars`]). heddle's
//! process stays the parent of the JVM (see [`crate::client_run`]), so that it can say in one line why the
//! JVM has failed.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flink_model::config::{HIDDEN, masked_words};
use flink_model::options;
use flink_rest::RestAddress;

use crate::configuration::text;
use crate::context::Context;
use crate::error::{CauseClass, Failure};
use crate::hadoop_jars::HadoopJars;
use crate::java::Java;
use crate::report::Report;
use crate::setup::Setup;
use crate::target::leading_to;
use crate::{client_archive, ownership, variables};

/// The jar with a file system for `hdfs://`, for a client that has no classes of Hadoop.
pub const FILE_SYSTEM: &str = "flink-client-fs.jar";

/// The releases of Java that allow a security manager only if an option asks for it. Later releases have
/// none, and do not start with that option.
const SECURITY_MANAGER: std::ops::Range<u16> = 18..24;

/// An empty entry at the end of a class path, which stands for the current directory. Flink's own scripts
/// write the class path in this way.
const HERE: &str = ":";

/// Options with which a short-lived JVM starts faster. They stand in front of the user's own options, which
/// override them.
const QUICK: [&str; 2] = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

/// What a word of [`ClientWords`] begins with that is an argument of the program.
const ARGUMENT: &str = "--arguments=";

/// The words of the command line for Flink's own client.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientWords {
    /// The options of Flink's client.
    pub options: Vec<OsString>,
    /// The jar, unless an option names it, and the arguments of the program.
    pub program: Vec<OsString>,
}

impl fmt::Debug for ClientWords {
    /// Leaves out what may be secret: the arguments of the program, and the values of properties with names
    /// of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |word: &OsString| match word.to_string_lossy() {
            argument if argument.starts_with(ARGUMENT) => format!("{ARGUMENT}{HIDDEN}"),
            word => word.into_owned(),
        };
        let options: Vec<String> = self.options.iter().map(shown).collect();
        f.debug_struct("ClientWords")
            .field("options", &masked_words(&options))
            .field("program", &format_args!("{} words", self.program.len()))
            .finish()
    }
}

/// Where Flink's own client finds the JobManager.
#[derive(Debug, Clone, Copy)]
pub enum JobManager<'a> {
    /// At its own address.
    At(&'a RestAddress),
    /// Behind this address, a port of this machine.
    Behind(&'a RestAddress),
}

/// Makes the command that starts the JVM of Flink's own client: `verb` with the words `given`, on the cluster
/// of `job_manager` if one is needed, and with Hadoop's classes if there are any for it. It is a failure if
/// no suitable Java is found or if Flink's jars cannot be read.
pub fn client(
    context: &Context,
    setup: &Setup,
    hadoop: &HadoopJars,
    job_manager: Option<JobManager<'_>>,
    verb: &str,
    given: &ClientWords,
    report: &dyn Report,
) -> Result<Command, Failure> {
    let configured_home = text(&setup.configuration, &options::JAVA_HOME);
    let java = Java::find(context, configured_home.as_deref())?;
    // What is in front counts less.
    let mut jvm_options: Vec<String> = hadoop.kerberos_option(context).into_iter().collect();
    jvm_options.extend(words(context.var(variables::JVM_ARGS)));
    jvm_options.extend(java_options(context, setup, java.version));
    let without_hadoop = context.var(variables::HADOOP_CLASSPATH).is_none() && hadoop.is_empty();
    java.check(setup.release, !without_hadoop, report)?;
    let mut path = class_path(context, setup)?;
    if without_hadoop {
        path.push(":");
        path.push(context.own_file(FILE_SYSTEM)?);
        path.push(HERE);
    } else if !hadoop.is_empty() {
        path.push(":");
        path.push(hadoop.class_path()?);
        path.push(HERE);
    }
    #[expect(clippy::disallowed_methods, reason = "this is where main() is started")]
    let mut command = Command::new(&java.path);
    command.args(client_archive::options(
        context,
        &setup.configuration,
        &java.path,
        verb,
        &jvm_options,
        &path,
    ));
    command.args(QUICK).args(jvm_options);
    command.args(logging(context, setup));
    if without_hadoop {
        command.arg(file_system_helper(context));
    }
    command.arg("-classpath").arg(path);
    command.arg("org.apache.flink.client.cli.CliFrontend").arg(verb);
    command.args(&given.options);
    if let Some(job_manager) = job_manager {
        command.arg("--target=remote");
        // If a key is given by several `-D`, Flink takes the last one.
        let (address, stands_for_it) = match job_manager {
            JobManager::At(address) => (address, false),
            JobManager::Behind(address) => (address, true),
        };
        let settings = leading_to(&setup.configuration, address, stands_for_it);
        command.args(settings.iter().map(|(key, value)| format!("-D{key}={value}")));
    }
    command.args(&given.program);
    // Flink's scripts export these variables; the client uses them to find plugins and the jar for Python.
    let flink = &setup.flink;
    command
        .env("FLINK_CONF_DIR", &flink.conf)
        .env("FLINK_LIB_DIR", &flink.lib)
        .env("FLINK_PLUGINS_DIR", &flink.plugins);
    command.env("FLINK_OPT_DIR", flink.opt(context));
    command.env(
        "FLINK_BIN_DIR",
        context.var(variables::FLINK_BIN_DIR).map_or_else(|| flink.root.join("bin"), PathBuf::from),
    );
    context.hand_on_flink_home(&mut command);
    Ok(command)
}

/// The JVM option that tells the file system of [`FILE_SYSTEM`] the path of this program.
pub fn file_system_helper(context: &Context) -> OsString {
    let mut option = OsString::from("-Dheddle.client.fs.helper=");
    option.push(&context.exe);
    option
}

/// The JVM options of the user, joined as Flink's scripts do: `FLINK_ENV_JAVA_OPTS` and
/// `FLINK_ENV_JAVA_OPTS_CLI`, or else `env.java.opts.*` in the configuration.
fn java_options(context: &Context, setup: &Setup, java: Option<u16>) -> Vec<String> {
    let configured = |option: &options::Opt<String>| text(&setup.configuration, option).unwrap_or_default();
    let mut list = match context.var(variables::FLINK_ENV_JAVA_OPTS) {
        Some(options) => words(Some(options)),
        None => {
            let mut list = vec!["-XX:+IgnoreUnrecognizedVMOptions".to_owned()];
            if setup.release.traits().java_default_opts {
                list.extend(words(Some(&configured(&options::JAVA_DEFAULT_OPTS_ALL))));
            }
            list.extend(words(Some(configured(&options::JAVA_OPTS_ALL).trim_matches('"'))));
            if java.is_some_and(|java| SECURITY_MANAGER.contains(&java)) {
                list.push("-Djava.security.manager=allow".into());
            }
            list
        }
    };
    let client = context.var(variables::FLINK_ENV_JAVA_OPTS_CLI).map(str::to_owned);
    let client =
        client.or_else(|| text(&setup.configuration, &options::JAVA_OPTS_CLIENT)).unwrap_or_default();
    list.extend(words(Some(client.trim_matches('"'))));
    list
}

/// Splits a text at blanks, as a shell does with an unquoted variable.
fn words(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// The file to which Flink's client logs.
pub fn log_file(context: &Context, setup: &Setup) -> PathBuf {
    let directory = context
        .var(variables::FLINK_LOG_DIR)
        .map(str::to_owned)
        .or_else(|| text(&setup.configuration, &options::LOG_DIR));
    let directory =
        directory.map_or_else(|| default_log_directory(context, &setup.flink.root), PathBuf::from);
    let who = context.var(variables::FLINK_IDENT_STRING).unwrap_or(&context.user);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    directory.join(format!("flink-{who}-client-{host}.log"))
}

fn logging(context: &Context, setup: &Setup) -> Vec<OsString> {
    let conf = |name: &str| setup.flink.conf.join(name);
    let property = |name: &str, prefix: &str, path: &Path| {
        let mut word = OsString::from(format!("-D{name}={prefix}"));
        word.push(path);
        word
    };
    vec![
        property("log.file", "", &log_file(context, setup)),
        property("log4j.configuration", "file:", &conf("log4j-cli.properties")),
        property("log4j.configurationFile", "file:", &conf("log4j-cli.properties")),
        property("logback.configurationFile", "file:", &conf("logback.xml")),
    ]
}

/// The log directory of the distribution or, if the user may not write there, one in the user's state
/// directory. If log4j cannot write its file, it prints many stack traces.
fn default_log_directory(context: &Context, flink: &Path) -> PathBuf {
    let own = flink.join("log");
    let writable = |directory: &Path| rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_ok();
    if writable(&own) || (!own.exists() && writable(flink)) {
        return own;
    }
    let Some(state) = context.state_dir() else { return own };
    // log4j would make the directory with the modes of the umask.
    if let Err(error) = ownership::make_directory(&state) {
        tracing::debug!(%error, path = %state.display(), "no directory for the log");
    }
    state.join("log")
}

/// The class path: the jars of `lib` in the order of their names, with the flink-dist jar last, and then what
/// the user has put into `HADOOP_CLASSPATH`, if it is set. The paths are those in the real directory, so that
/// a class data archive serves each name that leads there.
fn class_path(context: &Context, setup: &Setup) -> Result<OsString, Failure> {
    let given = &setup.flink.lib;
    let lib = given.canonicalize().unwrap_or_else(|_| given.clone());
    let dist_jar = match setup.flink.dist_jar.strip_prefix(given) {
        Ok(name) => lib.join(name),
        Err(_) => setup.flink.dist_jar.clone(),
    };
    let mut jars = Vec::new();
    collect_jars(&lib, &mut jars)?;
    jars.retain(|jar| *jar != dist_jar);
    jars.sort();
    jars.push(dist_jar);
    let joined = std::env::join_paths(jars);
    let mut path = joined.map_err(|e| {
        Failure::because(format!("cannot make a class path of {}", setup.flink.lib.display()), e)
            .of_class(CauseClass::Configuration)
    })?;
    if let Some(hadoop) = context.var(variables::HADOOP_CLASSPATH) {
        // As in Flink's scripts, a variable that is not set gives an empty entry, which stands for the
        // current directory.
        let configured = [variables::HADOOP_CONF_DIR, variables::YARN_CONF_DIR];
        for part in [Some(hadoop)].into_iter().chain(configured.map(|name| context.var(name))) {
            path.push(":");
            path.push(part.unwrap_or_default());
        }
    }
    Ok(path)
}

fn collect_jars(directory: &Path, jars: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |e| Failure::because(format!("cannot read {}", directory.display()), e);
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            collect_jars(&path, jars)?;
        } else if path.extension().is_some_and(|e| e == "jar") {
            jars.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
