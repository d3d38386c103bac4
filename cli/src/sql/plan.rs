//! Decides what the commands `sql-client.sh` and `sql-gateway.sh` do.
//!
//! Both are Flink's own programs, which heddle connects to a YARN session. It finds the session as `flink
//! run` does. Then this process becomes Flink's script, with the user's words and the address of the
//! session's JobManager. A SQL script for application mode is deployed instead, by the caller.
//!
//! Statements can set another target than the one with which the program was started: another session, or
//! per-job mode. For that the program's JVM has heddle's Java agent, which deploys by heddle what Flink's
//! classes would deploy. With the target `yarn-per-job` there is no session at all.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flink_model::config::{Configuration, masked_words, shown_all};
use flink_model::options;
use flink_rest::RestAddress;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use yarn_client::client_failure::HADOOP_HINT;
use yarn_client::configuration::text;
use yarn_client::context::{Context, FlinkHome};
use yarn_client::deploy::ClusterManifest;
use yarn_client::error::{CauseClass, Failure};
use yarn_client::hadoop::Hadoop;
use yarn_client::hadoop_jars::{self, HadoopJars};
use yarn_client::paths::{is_remote, without_scheme};
use yarn_client::report::Report;
use yarn_client::run::{FILE_SYSTEM, file_system_helper};
use yarn_client::setup::Setup;
use yarn_client::target::Target;
use yarn_client::{adopted, fetch, target, variables};

use super::application;
use super::line::Line;
use crate::sql_script;

/// The target with which each job has a cluster of its own.
const PER_JOB: &str = "yarn-per-job";
/// The target of a gateway that knows no session. SQL sessions have to name one, or to set another target.
const SESSION: &str = "yarn-session";
/// The Java agent with which Flink's classes deploy by heddle.
const AGENT: &str = "heddle-agent.jar";
const NO_SESSION: &str =
    "no YARN session is known: no properties file remembers one, and no option names an application";
/// The pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// The time limit of one call of Flink's client.
const ONE_CALL: Duration = Duration::from_secs(60);
/// The directory in [`Context::cache_dir`] for copies of the configuration directory, which releases need
/// whose SQL client takes no `-D`.
const CONFIGURATIONS: &str = "sql-conf";

/// One of Flink's two programs for SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// `sql-client.sh`
    Client,
    /// `sql-gateway.sh`
    Gateway,
}

impl Tool {
    /// The name of the script.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "sql-client.sh",
            Self::Gateway => "sql-gateway.sh",
        }
    }
}

/// Flink's own program.
pub(crate) struct Start {
    /// The command that starts it.
    pub(crate) command: Command,
    /// For which login it gets tokens; `None` if it needs none.
    pub(crate) tokens: Option<TokensFor>,
    /// Whether it runs a script without Hadoop's classes, and the user is told what to do if one is missing.
    pub(crate) lacks_hadoop: bool,
}

impl Start {
    /// A program that gets nothing from heddle but its command line.
    fn plain(command: Command) -> Self {
        Self { command, tokens: None, lacks_hadoop: false }
    }
}

impl fmt::Debug for Start {
    /// Leaves out the values of properties and options with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.command.get_args().map(OsStr::to_string_lossy).collect();
        f.debug_struct("Start")
            .field("program", &self.command.get_program())
            .field("words", &masked_words(&words))
            .field("tokens", &self.tokens)
            .field("lacks_hadoop", &self.lacks_hadoop)
            .finish()
    }
}

/// A login, and the properties of the command line, which may say how to log in once more.
pub(crate) struct TokensFor {
    pub(crate) hadoop: Hadoop,
    pub(crate) properties: Vec<(String, String)>,
    /// Whether the program uses Hadoop's classes, which read tokens only once.
    pub(crate) by_hadoops_classes: bool,
}

impl fmt::Debug for TokensFor {
    /// Leaves out the values of properties with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let properties = shown_all(self.properties.iter().map(|(key, value)| (key, value)));
        f.debug_struct("TokensFor")
            .field("via", &self.hadoop.via)
            .field("properties", &properties)
            .field("by_hadoops_classes", &self.by_hadoops_classes)
            .finish_non_exhaustive()
    }
}

/// What to do for a command line.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Become this program.
    Become(Start),
    /// Start this program without a cluster. When it connects to this listener, it gets the answer that there
    /// is none.
    Alone(Start, TcpListener),
    /// Deploy this program as an application, with this configuration.
    Deploy(Box<(Setup, ClusterManifest)>),
}

impl Line {
    /// Whether Flink's program needs no cluster for this command line.
    fn needs_nothing(&self, tool: Tool) -> bool {
        let verb = self.verb.as_deref().and_then(OsStr::to_str);
        self.help
            || match tool {
                Tool::Client => !matches!(verb, None | Some("embedded")),
                Tool::Gateway => !matches!(verb, None | Some("start" | "start-foreground")),
            }
    }
}

/// Checks the options that heddle reads itself. The others are for Flink's program, and are not checked.
pub(crate) fn check(words: &[OsString]) -> Result<(), Failure> {
    Line::read(words).map(|_| ())
}

/// Decides what to do for `tool` with these words.
pub(crate) async fn plan(
    context: &Context,
    tool: Tool,
    words: &[OsString],
    report: &dyn Report,
) -> Result<Plan, Failure> {
    let mut line = Line::read(words)?;
    let flink = FlinkHome::find(context)?;
    let program = script(context, &flink, tool)?;
    let untouched = || {
        let mut command = Command::new(&program);
        command.args(words);
        set_home(&mut command, context, &flink);
        Ok(Plan::Become(Start::plain(command)))
    };
    if line.needs_nothing(tool) {
        return untouched();
    }
    for script in [&line.script, &line.init].into_iter().flatten() {
        check_script(context, script)?;
    }
    let files = Setup::load(context)?;
    let mut setup = files.clone();
    for (key, value) in &line.properties {
        setup.configuration.set_dynamic(key.clone(), value.clone());
    }
    let kind = text(&setup.configuration, &options::EXECUTION_TARGET).map(|t| t.to_lowercase());
    match kind.as_deref() {
        None | Some(SESSION | PER_JOB) => {}
        Some("yarn-application") if text(&setup.configuration, &options::APPLICATION_ID).is_some() => {}
        Some("yarn-application") if tool == Tool::Client => {
            let what = application::deployed(context, files, setup.configuration, &line)?;
            return Ok(Plan::Deploy(Box::new(what)));
        }
        Some("yarn-application") => {
            return Err(Failure::usage(format!(
                "{} cannot start a cluster on the target yarn-application",
                tool.name()
            ))
            .hint("start a session with `yarn-session.sh -d`, and leave out the target"));
        }
        // For clusters of other kinds, such as on Kubernetes, Flink's own program needs no help.
        Some(_) => return untouched(),
    }
    let per_job = kind.as_deref() == Some(PER_JOB);
    let target = match per_job {
        true => None,
        false => Some(target::choose(None, &mut setup.configuration, context, report)?),
    };
    let assumed = matches!(target, Some(Target::Assumed(_)));
    let jars = Box::pin(hadoop_jars::find(context, &setup.configuration, report)).await?;
    let has_hadoop = !jars.is_empty() || context.var(variables::HADOOP_CLASSPATH).is_some();
    if !has_hadoop {
        if per_job {
            let origin = setup.configuration.origin(&options::EXECUTION_TARGET);
            return Err(needs_hadoop(tool, PER_JOB, &format!("execution.target ({origin})")));
        }
        let scripts = [&line.script, &line.init].into_iter().flatten();
        for script in scripts {
            let Some(target) = yarn_target(context, script) else { continue };
            return Err(needs_hadoop(tool, target, &format!("SET in {}", script.to_string_lossy())));
        }
        if assumed && tool == Tool::Gateway {
            return Err(nobody().hint(HADOOP_HINT));
        }
    }
    let lacks_hadoop = !has_hadoop && line.script.is_some();
    let (properties, by_hadoops_classes) = (line.properties.clone(), !jars.is_empty());
    let tokens =
        |hadoop: Option<Hadoop>| hadoop.map(|hadoop| TokensFor { hadoop, properties, by_hadoops_classes });
    if assumed && tool == Tool::Client {
        let (command, listener) = alone(context, &setup, &program, line, &jars)?;
        let hadoop = login(context, &setup.configuration).await;
        return Ok(Plan::Alone(Start { command, tokens: tokens(hadoop), lacks_hadoop }, listener));
    }
    if assumed {
        report.warn(&format!(
            "{NO_SESSION}; each SQL session has to set execution.target, and for {SESSION} also \
             yarn.application.id"
        ));
        line.properties.push((options::EXECUTION_TARGET.key.to_owned(), SESSION.to_owned()));
    }
    let Some(target) = target.filter(|_| !assumed) else {
        let command = become_script(context, &setup, tool, &program, line, &jars, None)?;
        let hadoop = login(context, &setup.configuration).await;
        return Ok(Plan::Become(Start { command, tokens: tokens(hadoop), lacks_hadoop }));
    };
    let cluster = target::locate(target, &setup.configuration, context, report).await?;
    let command = become_script(context, &setup, tool, &program, line, &jars, Some(&cluster.address))?;
    Ok(Plan::Become(Start { command, tokens: tokens(cluster.hadoop().cloned()), lacks_hadoop }))
}

/// The login of a program that is started without a cluster, on a cluster with Kerberos. Many statements need
/// no Hadoop, so a login that fails is no failure of the command.
async fn login(context: &Context, configuration: &Configuration) -> Option<Hadoop> {
    Hadoop::load_if_kerberos(context, configuration).await.unwrap_or_else(|failure| {
        tracing::debug!(%failure, "no tokens for the program");
        None
    })
}

/// The failure that no session is known.
fn nobody() -> Failure {
    Failure::new(NO_SESSION)
        .of_class(CauseClass::NotFound)
        .hint("`yarn-session.sh -d` starts one; -Dyarn.application.id=application_… names one that runs")
        .hint(format!(
            "with Hadoop's classes, SET 'execution.target' = '{PER_JOB}' gives each job a cluster of its own"
        ))
        .hint("-Dexecution.target=remote leads to the JobManager that rest.address names")
}

/// The failure that only Hadoop's classes reach what `by` asks for.
fn needs_hadoop(tool: Tool, target: &str, by: &str) -> Failure {
    let what = format!("{} needs Hadoop's classes for the target {target}, which {by} asks for", tool.name());
    Failure::new(what)
        .hint(HADOOP_HINT)
        .hint("one session needs none: start it with `yarn-session.sh -d`, and leave out the target")
}

/// The target on YARN that a script on this machine sets, if it sets one.
fn yarn_target(context: &Context, script: &OsStr) -> Option<&'static str> {
    let script = script.to_str().filter(|script| !is_remote(script))?;
    // A pipe can be opened only once, and Flink's program has to open it.
    let path = Some(context.path(without_scheme(script))).filter(|path| path.is_file())?;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let settings = sql_script::settings(&text);
    let mut targets = settings.iter().filter(|set| set.key == options::EXECUTION_TARGET.key);
    targets
        .find_map(|set| [PER_JOB, SESSION].into_iter().find(|target| set.value.eq_ignore_ascii_case(target)))
}

/// Starts the SQL client without a cluster, because many statements need none, and a script may set one
/// itself. The SQL client gets the address of this process, which answers that there is no session (see
/// [`tell_nobody`]).
fn alone(
    context: &Context,
    setup: &Setup,
    program: &Path,
    line: Line,
    jars: &HadoopJars,
) -> Result<(Command, TcpListener), Failure> {
    let cannot = |e| Failure::because("cannot open a port on this machine for Flink's SQL client", e);
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(cannot)?;
    let port = listener.local_addr().map_err(cannot)?.port();
    let address = RestAddress::plain("127.0.0.1", port);
    let command = become_script(context, setup, Tool::Client, program, line, jars, Some(&address))?;
    Ok((command, listener))
}

/// Answers each call with an error, in the form of a JobManager. So a statement that needs a cluster fails at
/// once, and says why.
pub(crate) async fn tell_nobody(listener: tokio::net::TcpListener) -> Infallible {
    let failure = nobody();
    let text = std::iter::once(failure.to_string())
        .chain(failure.hints().iter().map(|hint| format!("hint: {hint}")));
    let body = serde_json::json!({ "errors": [text.collect::<Vec<_>>().join("\n")] }).to_string();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=UTF-8\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let answer = answer.clone();
        tokio::spawn(tokio::time::timeout(ONE_CALL, async move {
            let (mut reader, mut writer) = stream.split();
            let mut begin = [0; 1024];
            let _ = reader.read(&mut begin).await;
            let _ = writer.write_all(answer.as_bytes()).await;
            // Flink's client reads the answer only when it has sent the whole job, so the rest of the job is
            // read, too.
            let _ = tokio::io::copy(&mut reader, &mut tokio::io::sink()).await;
        }));
    }
}

/// The path of Flink's own script. Fails if Flink has no such script, or if it is this program. In a
/// directory that `heddle adopt` has made it is heddle's, so it is looked for in the distribution.
fn script(context: &Context, flink: &FlinkHome, tool: Tool) -> Result<PathBuf, Failure> {
    let root = flink.stands_for().unwrap_or_else(|| flink.root.clone());
    let path = root.join("bin").join(tool.name());
    let real = path.canonicalize().map_err(|e| {
        Failure::because(format!("this Flink has no {}: cannot find {}", tool.name(), path.display()), e)
            .hint("the SQL gateway came with Flink 1.16")
    })?;
    if real == context.exe || adopted::starts_heddle(&real) {
        return Err(Failure::configuration(format!("{} is this program, not Flink's own", path.display()))
            .hint("put Flink's own script back; let the PATH lead to heddle's directory instead"));
    }
    Ok(path)
}

/// Tells Flink's script the distribution. By itself, the script takes the one that it lies in, with the
/// configuration in its `conf`.
fn set_home(command: &mut Command, context: &Context, flink: &FlinkHome) {
    context.hand_on_flink_home(command);
    command.env(variables::FLINK_CONF_DIR.name(), &flink.conf);
    if flink.stands_for().is_none() {
        return;
    }
    command.env(variables::FLINK_HOME.name(), &flink.root).env("_FLINK_HOME_DETERMINED", "1");
    // Flink's scripts search these with `find`, which does not follow a link.
    let directories = [
        (variables::FLINK_LIB_DIR, flink.lib.clone()),
        (variables::FLINK_OPT_DIR, flink.opt(context)),
        (variables::FLINK_PLUGINS_DIR, flink.plugins.clone()),
    ];
    for (variable, directory) in directories {
        command.env(variable.name(), directory.canonicalize().unwrap_or(directory));
    }
}

/// Fails if a script on this machine cannot be read. Scripts at other places are checked by Flink's program.
fn check_script(context: &Context, script: &OsStr) -> Result<(), Failure> {
    if script.to_str().is_some_and(is_remote) {
        return Ok(());
    }
    let path =
        script.to_str().map_or_else(|| context.path(script), |text| context.path(without_scheme(text)));
    let unreadable = |e| {
        Failure::because(format!("cannot read the script {}", path.display()), e)
            .hint("-f and -i name files of this machine, or URLs")
    };
    let metadata = path.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::configuration(format!("the script {} is not a file", path.display())));
    }
    // A pipe can be opened only once, and Flink has to open it.
    if metadata.is_file() { std::fs::File::open(&path).map(drop).map_err(unreadable) } else { Ok(()) }
}

/// The command that starts Flink's script. `address` is that of the JobManager to which jobs go, or `None` if
/// the user's own settings name the target.
fn become_script(
    context: &Context,
    setup: &Setup,
    tool: Tool,
    program: &Path,
    line: Line,
    jars: &HadoopJars,
    address: Option<&RestAddress>,
) -> Result<Command, Failure> {
    let mut settings = line.properties;
    if let Some(address) = address {
        settings.retain(|(key, _)| !matches!(key.as_str(), "execution.target" | "yarn.application.id"));
        settings.extend(target::leading_to(&setup.configuration, address, false));
    }
    let mut command = Command::new(program);
    set_home(&mut command, context, &setup.flink);
    command.args(line.verb.or_else(|| (tool == Tool::Gateway).then(|| "start".into())));
    let takes_properties = tool == Tool::Gateway || setup.release.traits().sql_client_properties;
    let conf = if takes_properties {
        command.args(settings.iter().map(|(key, value)| format!("-D{key}={value}")));
        setup.flink.conf.clone()
    } else {
        configuration_with(context, &setup.flink.conf, &settings)?
    };
    command.args(line.rest).env("FLINK_CONF_DIR", conf);
    let given = context.var(variables::JVM_ARGS).unwrap_or_default();
    let mut words = OsString::new();
    if let Some(option) = jars.kerberos_option(context) {
        words.push(option);
        words.push(" ");
    }
    words.push(given);
    if !given.contains(AGENT) {
        words.push(" ");
        words.push(java_agent(context)?);
    }
    // Flink's scripts put the jars of this variable on the class path, behind Flink's own jars.
    if !jars.is_empty() {
        command.env("HADOOP_CLASSPATH", jars.class_path()?);
    } else if context.var(variables::HADOOP_CLASSPATH).is_none() {
        command.env("HADOOP_CLASSPATH", context.own_file(FILE_SYSTEM)?);
        words.push(" ");
        words.push(file_system_helper(context));
    }
    command.env("JVM_ARGS", words);
    Ok(command)
}

/// The JVM option of the Java agent, which deploys by this program.
fn java_agent(context: &Context) -> Result<OsString, Failure> {
    let mut option = OsString::from("-javaagent:");
    option.push(context.own_file(AGENT)?);
    option.push("=heddle=");
    option.push(&context.exe);
    Ok(option)
}

/// Copies the configuration directory, with `settings` behind those of the configuration file; of two
/// settings with the same key, the last one counts.
///
/// Flink's script needs the copy after this process has become that script, so it cannot be removed at the
/// end. It is named by a hash of its content, so that each command with the same settings uses the same copy.
fn configuration_with(
    context: &Context,
    conf: &Path,
    settings: &[(String, String)],
) -> Result<PathBuf, Failure> {
    let file = flink_model::config::LEGACY_FILE;
    let failed = |e| Failure::because("cannot make a configuration for Flink's SQL client", e);
    let mut content = match std::fs::read_to_string(conf.join(file)) {
        Ok(content) => content,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(failed(e)),
    };
    content.push('\n');
    for (key, value) in settings {
        content.push_str(&format!("{key}: {value}\n"));
    }
    let base = context.needed_cache_dir("the SQL client's configuration")?;
    let identity = format!("{}\n{content}", conf.display());
    let name = hex::encode(Sha256::digest(identity.as_bytes()));
    let directory = base.join(CONFIGURATIONS).join(name);
    let make = || -> std::io::Result<()> {
        use std::io::Write;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        for entry in std::fs::read_dir(conf)?.filter_map(Result::ok) {
            let link = directory.join(entry.file_name());
            if entry.file_name() != file && link.symlink_metadata().is_err() {
                symlink(entry.path(), link)?;
            }
        }
        let mut copy = tempfile::NamedTempFile::new_in(&directory)?;
        copy.write_all(content.as_bytes())?;
        copy.persist(directory.join(file))?;
        Ok(())
    };
    make().map_err(failed)?;
    for old in fetch::entries(&base.join(CONFIGURATIONS), fetch::UNUSED) {
        old.remove();
    }
    Ok(directory)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
