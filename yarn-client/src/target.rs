//! Decides which cluster a command uses, and finds the address of its JobManager. The cluster is chosen by
//! the same rules as in Flink's own client.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use artifact_store::now_ms;
use flink_model::config::{Configuration, Origin};
use flink_model::options::Opt;
use flink_model::{options, ssl};
use flink_rest::{Answer, ParseAddressError, Probe, RestAddress, WrittenAddress, bracketed};
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport};

use crate::application::{application_report, parse_id, report_address};
use crate::configuration::text;
use crate::context::Context;
use crate::diagnose::Inquiry;
use crate::error::{Failure, RestFailure};
use crate::hadoop::Hadoop;
use crate::patience::Wait;
use crate::properties::Found;
use crate::report::Report;
use crate::rest_security::RestSecurity;
use crate::session_name::Named;
use crate::session_settings::is_taken;
use crate::{leftovers, login, properties};

/// The JobManager of an application that was started longer ago than this either listens already or never
/// will.
const YOUNG: Duration = Duration::from_secs(60);

/// The pause between two reports of an application whose JobManager does not listen yet.
const LOOK: Duration = Duration::from_secs(2);

/// The pause between two reports of an application that does not run yet.
const BETWEEN_REPORTS: Duration = Duration::from_millis(100);

/// The value of `-m` in older manuals that is not an address, but stands for a cluster on YARN.
pub const ON_YARN: &str = "yarn-cluster";
/// The address of this machine for itself, at which a port leads to the JobManager of a per-job cluster.
pub(crate) const HERE: &str = "127.0.0.1";
/// The target for a JobManager at a known address.
const REMOTE: &str = "remote";

/// The cluster that the options and the configuration name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A REST address that an option names.
    Address(RestAddress),
    /// The REST address in the configuration, which is used because nothing else names a cluster.
    Assumed(RestAddress),
    /// A YARN application.
    Application {
        /// The id of the application.
        id: ApplicationId,
        /// The properties file, if the id comes from there.
        from_file: Option<PathBuf>,
    },
    /// The running session with this name, for whose id the ResourceManager is asked.
    Session(String),
}

/// A cluster whose address is known.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The address of its REST interface.
    pub address: RestAddress,
    /// The YARN application, if the cluster is one.
    pub application: Option<ApplicationId>,
    /// Whether nothing names the cluster. Then the address is that of the configuration file, which is this
    /// machine unless the user has changed it.
    pub assumed: bool,
    /// What the witnesses of the application are asked with, if the cluster is one: among others the Hadoop
    /// configuration and the user with which it was found.
    inquiry: Option<Inquiry>,
}

impl Cluster {
    /// A cluster of which only the REST address is known.
    pub(crate) fn at(address: RestAddress, assumed: bool) -> Self {
        Self { address, application: None, assumed, inquiry: None }
    }

    /// The Hadoop of the application, if the cluster is one.
    pub fn hadoop(&self) -> Option<&Hadoop> {
        self.inquiry.as_ref().map(Inquiry::hadoop)
    }

    /// What the witnesses of the application are asked with, if the cluster is one.
    pub fn inquiry(&self) -> Option<&Inquiry> {
        self.inquiry.as_ref()
    }

    /// A client of the ResourceManager, for questions that are repeated: it waits only a little for an
    /// answer. `None` for a cluster that is not on YARN.
    pub fn yarn(&self) -> Result<Option<ApplicationClient>, Failure> {
        self.hadoop().cloned().map(|hadoop| hadoop.waiting(Wait::Little).yarn()).transpose()
    }
}

/// Chooses the cluster in the same order as Flink: the target (`-t`, `execution.target`) if there is one, an
/// application id (`-yid`, `-D`, configuration), `-m host:port`, the properties file, and at last the
/// configured REST address. The name of a session counts as an id does, but one on the command line wins over
/// an id in the configuration, and the other way round. `configuration` holds the options; the dynamic
/// properties in the properties file are added to it. It is a failure if an option has a bad value, if TLS is
/// wanted and cannot be set up, if the keytab cannot be used, or if a cluster on YARN is wanted and nothing
/// names an application.
pub fn choose(
    job_manager: Option<&str>,
    configuration: &mut Configuration,
    context: &Context,
    report: &dyn Report,
) -> Result<Target, Failure> {
    login::keytab(context, configuration)?;
    let on_yarn = job_manager == Some(ON_YARN);
    let address = job_manager.filter(|_| !on_yarn).map(parse_address).transpose()?;
    let security = RestSecurity::of(configuration, context)?;
    let kind = kind(configuration)?;
    without_effect(job_manager, configuration).iter().for_each(|warning| report.warn(warning));
    if kind.as_deref() == Some(REMOTE) {
        return configured_address(configuration, &security).map(Target::Address);
    }
    if let Some(name) = named_session(configuration, kind.as_deref(), address.is_some() && kind.is_none()) {
        return Ok(Target::Session(name));
    }
    if let Some(id) = text(configuration, &options::APPLICATION_ID) {
        let id = parse_id(&id)?;
        return Ok(Target::Application { id, from_file: None });
    }
    if let Some(address) = address.filter(|_| kind.is_none()) {
        return security.written(address).map(Target::Address);
    }
    let file = properties_file(configuration, context);
    // Only a session writes its id to the properties file.
    if matches!(kind.as_deref(), None | Some("yarn-session")) {
        match properties::read(&file)? {
            Found::Session(session) => {
                report.info(&format!("Found Yarn properties file under {}.", file.display()));
                take_settings(session.dynamic_properties, configuration, report);
                return Ok(Target::Application { id: session.application_id, from_file: Some(file) });
            }
            Found::Ignored(why) => report.warn(&why),
            Found::Nothing => {}
        }
    }
    if on_yarn || kind.is_some() {
        return Err(Failure::configuration(
            "no cluster id was specified: the command does not say which YARN application to use",
        )
        .hint("name it with -Dyarn.application.id=application_… (or -yid), or a session with -Dheddle.session=<name>")
        .hint("`yarn-session.sh -d` starts a session; the commands after it find that one by themselves"));
    }
    configured_address(configuration, &security).map(Target::Assumed)
}

/// The name of the session to use, if that counts: on the command line it counts unless an id is there, too;
/// in the configuration it counts unless there is an id or the command line has an address.
fn named_session(configuration: &Configuration, kind: Option<&str>, has_address: bool) -> Option<String> {
    let name = text(configuration, &options::SESSION)?;
    let has_id = text(configuration, &options::APPLICATION_ID).is_some();
    let counts = if is_said(configuration, &options::SESSION) {
        !has_id || !is_said(configuration, &options::APPLICATION_ID)
    } else {
        !has_id && !has_address
    };
    (counts && matches!(kind, None | Some("yarn-session"))).then_some(name)
}

/// Whether the command line sets an option.
pub fn is_said<T>(configuration: &Configuration, option: &Opt<T>) -> bool {
    matches!(configuration.origin(option), Origin::Flag(_) | Origin::Dynamic)
}

/// Adds the settings with which a session was started, as far as they are taken from the properties file. The
/// settings of this command line are newer, and win.
fn take_settings(settings: Vec<(String, String)>, configuration: &mut Configuration, report: &dyn Report) {
    let (taken, refused): (Vec<_>, Vec<_>) = settings.into_iter().partition(|(key, _)| is_taken(key));
    for (key, value) in taken {
        let said = configuration.entry(&key).map(|entry| &entry.origin);
        if !matches!(said, Some(Origin::Dynamic | Origin::Flag(_))) {
            configuration.set_dynamic(key, value);
        }
    }
    if !refused.is_empty() {
        let keys: Vec<String> = refused.into_iter().map(|(key, _)| key).collect();
        report.info(&format!(
            "Not taken from there, because they lead to programs, files or services: {}.",
            keys.join(", ")
        ));
    }
}

/// The target in lower case, if one is named.
fn kind(configuration: &Configuration) -> Result<Option<String>, Failure> {
    let kind = text(configuration, &options::EXECUTION_TARGET).map(|t| t.to_lowercase());
    match kind.as_deref() {
        None | Some("yarn-session" | "yarn-application" | "yarn-per-job" | REMOTE) => Ok(kind),
        Some(other) => {
            let what = format!("heddle does not know the target {other:?}");
            Err(Failure::usage(what)
                .hint("targets are yarn-session, yarn-application, yarn-per-job and remote"))
        }
    }
}

/// Warnings about options that name a cluster but are overridden by other options. Flink ignores such options
/// without a message.
pub fn without_effect(job_manager: Option<&str>, configuration: &Configuration) -> Vec<String> {
    let target =
        configuration.find(&options::EXECUTION_TARGET).filter(|(_, e)| !e.value.text().trim().is_empty());
    let remote = target.is_some_and(|(_, e)| e.value.text().trim().eq_ignore_ascii_case(REMOTE));
    let id = configuration.find(&options::APPLICATION_ID).filter(|(_, e)| !e.value.text().trim().is_empty());
    let by_target = || {
        target.map(|(key, entry)| {
            let asked = if remote { ", so that rest.address and rest.port are asked" } else { "" };
            format!("{key} is {} ({}){asked}", entry.value.text(), entry.origin)
        })
    };
    let named_id =
        || id.map(|(_, id)| format!("the application {} is named ({})", id.value.text(), id.origin));
    let kind = target.map(|(_, entry)| entry.value.text().trim().to_lowercase());
    let session =
        named_session(configuration, kind.as_deref(), job_manager.is_some_and(|named| named != ON_YARN));
    let mut list = Vec::new();
    if let Some(named) = job_manager {
        let why = match (&session, id) {
            _ if named == ON_YARN => by_target().filter(|_| remote),
            (Some(name), _) => {
                Some(format!("the session {name} is named ({})", configuration.origin(&options::SESSION)))
            }
            (None, Some(_)) if !remote => named_id(),
            _ => by_target(),
        };
        list.extend(why.map(|why| format!("-m {named} has no effect: {why}")));
    }
    if let Some((_, id)) = id.filter(|(_, e)| matches!(e.origin, Origin::Flag(_) | Origin::Dynamic))
        && remote
        && let Some(why) = by_target()
    {
        list.push(format!("the application {} ({}) is not asked: {why}", id.value.text(), id.origin));
    }
    if session.is_none()
        && is_said(configuration, &options::SESSION)
        && let Some(name) = text(configuration, &options::SESSION)
        && let Some(why) = by_target().filter(|_| kind.as_deref() != Some("yarn-session")).or_else(named_id)
    {
        list.push(format!(
            "the session {name} ({}) is not asked: {why}",
            configuration.origin(&options::SESSION)
        ));
    }
    list
}

/// The path of the properties file of this user.
pub fn properties_file(configuration: &Configuration, context: &Context) -> PathBuf {
    properties::location(text(configuration, &options::PROPERTIES_FILE_LOCATION).as_deref(), &context.user)
}

/// Finds the address of the chosen cluster, for a command that changes something. If the cluster is an
/// application, the ResourceManager is asked. It is a failure if the application does not run.
pub async fn locate(
    target: Target,
    configuration: &Configuration,
    context: &Context,
    report: &dyn Report,
) -> Result<Cluster, Failure> {
    locate_waiting(Wait::Changing, target, configuration, context, report).await
}

/// Does what [`locate`] does, but waits for a ResourceManager that does not answer for as long as `wait`
/// says.
pub async fn locate_waiting(
    wait: Wait,
    target: Target,
    configuration: &Configuration,
    context: &Context,
    report: &dyn Report,
) -> Result<Cluster, Failure> {
    let (named, from_file) = match target {
        Target::Address(address) => return Ok(Cluster::at(address, false)),
        Target::Assumed(address) => return Ok(Cluster::at(address, true)),
        Target::Application { id, from_file } => (Named::Id(id), from_file),
        Target::Session(name) => (Named::Session(name), None),
    };
    let security = RestSecurity::of(configuration, context)?;
    let hadoop = Hadoop::load(context, configuration).await?.waiting(wait);
    let yarn = hadoop.yarn()?;
    let id = named.id(&hadoop).await?;
    let found = application_report(&yarn, id).await;
    if found.as_ref().is_ok_and(|report| report.state.is_final()) {
        let base: Option<String> = text(configuration, &options::STAGING_DIRECTORY);
        leftovers::tidy(&hadoop, base.as_deref().map(|b| b.trim_end_matches('/')), id).await;
    }
    let address = async {
        let (found, address) = await_running(&hadoop, &yarn, found?, &security).await?;
        await_young(&yarn, &found, &address, &security).await?;
        Ok(address)
    };
    let address = address.await.map_err(|failure: Failure| match &from_file {
        Some(file) => failure
            .hint(format!(
                "the id comes from the properties file {}, which is stale if that session is over",
                file.display()
            ))
            .hint("delete that file, start a new session, or name another with -Dyarn.application.id=…"),
        None => failure,
    })?;
    report.info(&format!("Found Web Interface {address} of application '{id}'."));
    let inquiry = Some(Inquiry::new(hadoop, security, configuration));
    Ok(Cluster { address, application: Some(id), assumed: false, inquiry })
}

/// The settings by which Flink's client connects to the JobManager at `address`, whatever the configuration
/// file says. With `stands_for_job_manager` the address is that of a port of this machine that leads to the
/// JobManager.
pub fn leading_to(
    configuration: &Configuration,
    address: &RestAddress,
    stands_for_job_manager: bool,
) -> Vec<(String, String)> {
    let host = address.bare_host();
    let mut list = vec![
        ("execution.target".to_owned(), "remote".to_owned()),
        ("rest.address".to_owned(), host.to_owned()),
        ("rest.port".to_owned(), address.port.to_string()),
        ("jobmanager.rpc.address".to_owned(), host.to_owned()),
    ];
    // Only the address knows whether TLS is spoken: an application may have told YARN that it does, and what
    // stands on this machine for a JobManager does not.
    let speaks_tls = address.tls.is_some();
    if ssl::rest_speaks_tls(configuration).is_ok_and(|configured| configured != speaks_tls) {
        list.push((options::SSL_REST.key.to_owned(), speaks_tls.to_string()));
    }
    // Behind a port of this machine the JobManager has another name, which heddle itself has checked by then.
    if stands_for_job_manager && speaks_tls && ssl::verifies_hostname(configuration).unwrap_or_default() {
        list.push((options::SSL_REST_VERIFY_HOSTNAME.key.to_owned(), "false".to_owned()));
    }
    // With high availability, Flink's client would look for the address in the high-availability service,
    // where the cluster is registered under another name.
    let option = &options::HIGH_AVAILABILITY;
    if text(configuration, option).is_some_and(|v| !v.eq_ignore_ascii_case("none")) {
        let keys = std::iter::once(&option.key).chain(option.deprecated);
        list.extend(keys.map(|key| ((*key).to_owned(), "NONE".to_owned())));
    }
    list
}

/// The address of the REST interface of an application, once that runs. `yarn` is the client of `hadoop`.
pub async fn application_address(
    hadoop: &Hadoop,
    yarn: &ApplicationClient,
    id: ApplicationId,
    security: &RestSecurity,
) -> Result<RestAddress, Failure> {
    let report = application_report(yarn, id).await?;
    let (found, address) = await_running(hadoop, yarn, report, security).await?;
    await_young(yarn, &found, &address, security).await?;
    Ok(address)
}

/// Waits for an application that does not run at the moment for as long as for a ResourceManager: after a
/// failover of the ResourceManager, or when YARN starts another attempt, it is as if it had never run.
async fn await_running(
    hadoop: &Hadoop,
    yarn: &ApplicationClient,
    mut found: ApplicationReport,
    security: &RestSecurity,
) -> Result<(ApplicationReport, RestAddress), Failure> {
    let begin = Instant::now();
    loop {
        match report_address(&found, security) {
            Ok(address) => return Ok((found, address)),
            Err(failure) if !failure.retry_helps() || !hadoop.waits_for(&found, begin.elapsed()) => {
                return Err(failure);
            }
            Err(_) => tokio::time::sleep(BETWEEN_REPORTS).await,
        }
        found = application_report(yarn, found.id).await?;
    }
}

/// Waits until the JobManager of an application that was started a short time ago listens, or until the
/// application has ended. YARN may report the application as running before its JobManager listens.
async fn await_young(
    yarn: &ApplicationClient,
    found: &ApplicationReport,
    address: &RestAddress,
    security: &RestSecurity,
) -> Result<(), Failure> {
    let Some(patience) = young_for(found.start_time, now_ms()) else { return Ok(()) };
    let probe =
        Probe::new(address).map_err(|e| e.failure(format!("cannot call the JobManager at {address}")))?;
    let begin = Instant::now();
    loop {
        let answer = probe.within(LOOK.min(patience)).await;
        tracing::debug!(?answer, %address, "the application is young");
        if answer != Answer::NotYet || begin.elapsed() >= patience {
            return Ok(());
        }
        report_address(&application_report(yarn, found.id).await?, security)?;
    }
}

/// For how long an application that was started at `start_time` still counts as started a short time ago;
/// `None` if it does not. A start time that lies in the future, because this machine's clock is behind,
/// counts as now.
fn young_for(start_time: Option<u64>, now_ms: u64) -> Option<Duration> {
    let age = Duration::from_millis(now_ms.saturating_sub(start_time?));
    YOUNG.checked_sub(age).filter(|rest| !rest.is_zero())
}

fn configured_address(
    configuration: &Configuration,
    security: &RestSecurity,
) -> Result<RestAddress, Failure> {
    let first = |keys: &[&str]| keys.iter().find_map(|key| configuration.text(key));
    let host =
        first(&[options::REST_ADDRESS.key, "jobmanager.rpc.address"]).unwrap_or_else(|| "localhost".into());
    let port =
        first(&[options::REST_PORT.key, "web.port", "jobmanager.web.port"]).unwrap_or_else(|| "8081".into());
    security.written(parse_address(&format!("{}:{}", bracketed(&host), port.trim()))?)
}

/// Parses `host:port`, or a URL of it.
pub fn parse_address(text: &str) -> Result<WrittenAddress, Failure> {
    text.parse().map_err(|e: ParseAddressError| {
        Failure::usage(e.to_string())
            .hint("write -m host:port, for example -m node1:8081 or -m https://node1:8081")
    })
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
