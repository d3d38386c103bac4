//! Which cluster a command speaks to.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use artifact_store::now_ms;
use flink_model::config::{Configuration, Origin};
use flink_model::options;
use flink_rest::{Answer, ParseAddressError, Probe, RestAddress, bracketed};
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport};

use crate::application::{application_report, parse_id, report_address};
use crate::configuration::text;
use crate::context::Context;
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::patience::Wait;
use crate::report::Report;
use crate::{leftovers, properties, unserved};

/// An application that was started longer ago has a JobManager that listens, or will never have one.
const YOUNG: Duration = Duration::from_secs(60);

/// Pause between two looks at an application whose JobManager does not listen yet.
const LOOK: Duration = Duration::from_secs(2);

/// `-m yarn-cluster` of older manuals: no address, but a cluster on YARN.
pub const ON_YARN: &str = "yarn-cluster";
/// The target that is a JobManager at a known address.
const REMOTE: &str = "remote";

/// What the options and the configuration point at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A REST address that an option names.
    Address(RestAddress),
    /// The REST address of the configuration, because nothing else is said.
    Assumed(RestAddress),
    /// A YARN application, and who named it.
    Application {
        /// Its id.
        id: ApplicationId,
        /// The properties file, if that named it.
        from_file: Option<PathBuf>,
    },
}

/// A cluster that can be spoken to.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its REST address.
    pub address: RestAddress,
    /// The YARN application, if it is one.
    pub application: Option<ApplicationId>,
    /// Nothing names the cluster: the address is the configuration file's, which points at this machine
    /// unless changed.
    pub assumed: bool,
    /// How its application was found, if it is one.
    hadoop: Option<Hadoop>,
}

impl Cluster {
    /// A cluster that is known by its REST address alone.
    pub(crate) fn at(address: RestAddress, assumed: bool) -> Self {
        Self { address, application: None, assumed, hadoop: None }
    }

    /// A client of the ResourceManager under which the cluster runs, for questions that are repeated: one
    /// that is silent is no news. None for a cluster that is not an application.
    pub fn yarn(&self) -> Result<Option<ApplicationClient>, Failure> {
        self.hadoop.clone().map(|hadoop| hadoop.waiting(Wait::Little).yarn()).transpose()
    }
}

/// Decides as Flink does: by the target (`-t`, `execution.target`), if there is one; by an application id
/// (`-yid`, `-D`, configuration); by `-m host:port`; by the properties file; by the configured REST address.
/// `configuration` holds the options; the properties file's `-D` values are added to it.
pub fn choose(
    job_manager: Option<&str>,
    configuration: &mut Configuration,
    context: &Context,
    report: &dyn Report,
) -> Result<Target, Failure> {
    unserved::check(configuration)?;
    let on_yarn = job_manager == Some(ON_YARN);
    let address = job_manager.filter(|_| !on_yarn).map(parse_address).transpose()?;
    let kind = kind(configuration)?;
    without_effect(job_manager, configuration).iter().for_each(|warning| report.warn(warning));
    if kind.as_deref() == Some(REMOTE) {
        return configured_address(configuration).map(Target::Address);
    }
    if let Some(id) = text(configuration, &options::APPLICATION_ID) {
        let id = parse_id(&id)?;
        return Ok(Target::Application { id, from_file: None });
    }
    if let Some(address) = address.filter(|_| kind.is_none()) {
        return Ok(Target::Address(address));
    }
    let file = properties_file(configuration, context);
    // Only a session leaves its id in the file.
    if matches!(kind.as_deref(), None | Some("yarn-session"))
        && let Some(session) = properties::read(&file)?
    {
        report.info(&format!("Found Yarn properties file under {}.", file.display()));
        for (key, value) in session.dynamic_properties {
            // What this command line says is newer.
            let said = configuration.entry(&key).map(|entry| &entry.origin);
            if !matches!(said, Some(Origin::Dynamic | Origin::Flag(_))) {
                configuration.set_dynamic(key, value);
            }
        }
        return Ok(Target::Application { id: session.application_id, from_file: Some(file) });
    }
    if on_yarn || kind.is_some() {
        return Err(Failure::new(
            "no cluster id was specified: the command does not say which YARN application to use",
        )
        .hint("name it with -Dyarn.application.id=application_… (or -yid)")
        .hint("`yarn-session.sh -d` starts a session; the commands after it find that one by themselves"));
    }
    configured_address(configuration).map(Target::Assumed)
}

/// The target in small letters, if one is named.
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

/// Options that name a cluster and are overruled by others, in words for the user. Flink ignores them in
/// silence.
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
    let mut list = Vec::new();
    if let Some(named) = job_manager {
        let why = match id {
            _ if named == ON_YARN => by_target().filter(|_| remote),
            Some((_, id)) if !remote => {
                Some(format!("the application {} is named ({})", id.value.text(), id.origin))
            }
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
    list
}

/// Where the properties file of this user is.
pub fn properties_file(configuration: &Configuration, context: &Context) -> PathBuf {
    properties::location(text(configuration, &options::PROPERTIES_FILE_LOCATION).as_deref(), &context.user)
}

/// Finds out where the chosen cluster can be spoken to, for a command that changes something; asks the
/// ResourceManager where it has to.
pub async fn locate(
    target: Target,
    configuration: &Configuration,
    context: &Context,
    report: &dyn Report,
) -> Result<Cluster, Failure> {
    locate_waiting(Wait::Changing, target, configuration, context, report).await
}

/// The same with more or less time for a ResourceManager that is not there.
pub async fn locate_waiting(
    wait: Wait,
    target: Target,
    configuration: &Configuration,
    context: &Context,
    report: &dyn Report,
) -> Result<Cluster, Failure> {
    let (id, from_file) = match target {
        Target::Address(address) => return Ok(Cluster::at(address, false)),
        Target::Assumed(address) => return Ok(Cluster::at(address, true)),
        Target::Application { id, from_file } => (id, from_file),
    };
    let hadoop = Hadoop::load(context, configuration)?.waiting(wait);
    let yarn = hadoop.yarn()?;
    let found = application_report(&yarn, id).await;
    if found.as_ref().is_ok_and(|report| report.state.is_final()) {
        let base: Option<String> = text(configuration, &options::STAGING_DIRECTORY);
        leftovers::tidy(&hadoop, base.as_deref().map(|b| b.trim_end_matches('/')), id).await;
    }
    let address = async {
        let found = found?;
        let address = report_address(&found)?;
        await_young(&yarn, &found, &address).await?;
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
    Ok(Cluster { address, application: Some(id), assumed: false, hadoop: Some(hadoop) })
}

/// The keys that lead to the JobManager, whatever the configuration file says.
pub fn leading_to(configuration: &Configuration, address: &RestAddress) -> Vec<(String, String)> {
    let host = address.host.trim_start_matches('[').trim_end_matches(']');
    let mut list = vec![
        ("execution.target".to_owned(), "remote".to_owned()),
        ("rest.address".to_owned(), host.to_owned()),
        ("rest.port".to_owned(), address.port.to_string()),
        ("jobmanager.rpc.address".to_owned(), host.to_owned()),
    ];
    // With high availability the client would look for the address where the cluster goes by another name.
    let option = &options::HIGH_AVAILABILITY;
    if text(configuration, option).is_some_and(|v| !v.eq_ignore_ascii_case("none")) {
        let keys = std::iter::once(&option.key).chain(option.deprecated);
        list.extend(keys.map(|key| ((*key).to_owned(), "NONE".to_owned())));
    }
    list
}

/// REST address of a running application.
pub async fn application_address(
    yarn: &ApplicationClient,
    id: ApplicationId,
) -> Result<RestAddress, Failure> {
    let found = application_report(yarn, id).await?;
    let address = report_address(&found)?;
    await_young(yarn, &found, &address).await?;
    Ok(address)
}

/// For YARN an application may be running before its JobManager listens. If the application was started a
/// short time ago this waits until the JobManager listens, or until the application ends.
async fn await_young(
    yarn: &ApplicationClient,
    found: &ApplicationReport,
    address: &RestAddress,
) -> Result<(), Failure> {
    let Some(patience) = young_for(found.start_time, now_ms()) else { return Ok(()) };
    let (begin, probe) = (Instant::now(), Probe::new(address));
    loop {
        let answer = probe.within(LOOK.min(patience)).await;
        tracing::debug!(?answer, %address, "the application is young");
        if answer != Answer::NotYet || begin.elapsed() >= patience {
            return Ok(());
        }
        report_address(&application_report(yarn, found.id).await?)?;
    }
}

/// For how long an application that was started at `start_time` still counts as just started. A clock that is
/// behind the cluster's makes no difference.
fn young_for(start_time: Option<u64>, now_ms: u64) -> Option<Duration> {
    let age = Duration::from_millis(now_ms.saturating_sub(start_time?));
    YOUNG.checked_sub(age).filter(|rest| !rest.is_zero())
}

fn configured_address(configuration: &Configuration) -> Result<RestAddress, Failure> {
    let first = |keys: &[&str]| keys.iter().find_map(|key| configuration.text(key));
    let host =
        first(&[options::REST_ADDRESS.key, "jobmanager.rpc.address"]).unwrap_or_else(|| "localhost".into());
    let port =
        first(&[options::REST_PORT.key, "web.port", "jobmanager.web.port"]).unwrap_or_else(|| "8081".into());
    parse_address(&format!("{}:{}", bracketed(&host), port.trim()))
}

/// Reads `host:port`.
pub fn parse_address(text: &str) -> Result<RestAddress, Failure> {
    text.parse().map_err(|e: ParseAddressError| {
        Failure::usage(e.to_string()).hint("write -m host:port, for example -m node1:8081")
    })
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
