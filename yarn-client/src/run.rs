//! `run` and `info`: the user's `main()` runs in a JVM on this machine, under Flink's own client.
//!
//! Flink's client gets the address of the JobManager and nothing of YARN or Hadoop: it starts in half the
//! time, and what the program prints, collects and returns is exactly what users know. For `hdfs://` it gets
//! a small jar whose file system asks `heddle client-fs`, unless the user has put Hadoop's on the class path.
//! This process stays as the JVM's parent (see [`crate::client_run`]), to say in one line why it failed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use flink_model::options;
use flink_rest::RestAddress;

use crate::configuration::text;
use crate::context::Context;
use crate::error::Failure;
use crate::java::Java;
use crate::report::Report;
use crate::setup::Setup;
use crate::target::leading_to;
use crate::{client_archive, variables};

/// The HDFS for Flink's client, where it has none of Hadoop's own.
pub const FILE_SYSTEM: &str = "flink-client-fs.jar";

/// Java that has a security manager only where it is asked for; later ones have none and do not start when
/// asked.
const SECURITY_MANAGER: std::ops::Range<u16> = 18..24;

/// An empty part at the end of a class path, which stands for the current directory. Flink's own scripts
/// write the class path like this.
const HERE: &str = ":";

/// What makes a short-lived JVM start quickly. Before the user's own options, so that those win.
const QUICK: [&str; 2] = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

/// Words for Flink's own client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientWords {
    /// Its options.
    pub options: Vec<OsString>,
    /// The jar, unless an option names it, and the program's arguments.
    pub program: Vec<OsString>,
}

/// The JVM that runs Flink's own client: `verb` with the words `given`, on the cluster at `address` if one is
/// needed.
pub fn client(
    context: &Context,
    setup: &Setup,
    address: Option<&RestAddress>,
    verb: &str,
    given: &ClientWords,
    report: &dyn Report,
) -> Result<Command, Failure> {
    let configured_home = text(&setup.configuration, &options::JAVA_HOME);
    let java = Java::find(context, configured_home.as_deref())?;
    let mut jvm_options = words(context.var(variables::JVM_ARGS));
    jvm_options.extend(java_options(context, setup, java.version));
    java.check(setup.release, context.var(variables::HADOOP_CLASSPATH).is_some(), report)?;
    let mut path = class_path(context, setup)?;
    let without_hadoop = context.var(variables::HADOOP_CLASSPATH).is_none();
    if without_hadoop {
        path.push(":");
        path.push(context.own_file(FILE_SYSTEM)?);
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
    if let Some(address) = address {
        command.arg("--target=remote");
        // Of several -D with one key Flink takes the last.
        let settings = leading_to(&setup.configuration, address);
        command.args(settings.iter().map(|(key, value)| format!("-D{key}={value}")));
    }
    command.args(&given.program);
    // What Flink's scripts export; the client finds plugins and Python's jar by it.
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
    Ok(command)
}

/// The JVM option by which [`FILE_SYSTEM`] finds this program.
pub fn file_system_helper(context: &Context) -> OsString {
    let mut option = OsString::from("-Dheddle.client.fs.helper=");
    option.push(&context.exe);
    option
}

/// `FLINK_ENV_JAVA_OPTS` and `FLINK_ENV_JAVA_OPTS_CLI`, else the configuration's `env.java.opts.*`, as
/// Flink's scripts join them.
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

/// Words of a text as an unquoted shell variable gives them.
fn words(text: Option<&str>) -> Vec<String> {
    text.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Where Flink's client logs to.
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

/// Flink's own, or one of the user's where that is not for everybody to write to: log4j would fill the screen
/// with stack traces.
fn default_log_directory(context: &Context, flink: &Path) -> PathBuf {
    let own = flink.join("log");
    let writable = |directory: &Path| rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_ok();
    if writable(&own) || (!own.exists() && writable(flink)) {
        return own;
    }
    context.state_dir().map_or(own, |state| state.join("log"))
}

/// The jars of `lib` by name, Flink's main jar last; then what the user has put into `HADOOP_CLASSPATH`, if
/// anything.
fn class_path(context: &Context, setup: &Setup) -> Result<OsString, Failure> {
    let mut jars = Vec::new();
    collect_jars(&setup.flink.lib, &mut jars)?;
    jars.retain(|jar| *jar != setup.flink.dist_jar);
    jars.sort();
    jars.push(setup.flink.dist_jar.clone());
    let joined = std::env::join_paths(jars);
    let mut path = joined.map_err(|e| {
        Failure::because(format!("cannot make a class path of {}", setup.flink.lib.display()), e)
    })?;
    if let Some(hadoop) = context.var(variables::HADOOP_CLASSPATH) {
        // As in Flink's scripts a variable that is not set gives an empty part, which is the current
        // directory.
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
