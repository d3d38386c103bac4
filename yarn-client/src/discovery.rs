//! Finds what Prometheus can read of all running applications (`heddle sd`): the ResourceManager names the
//! applications, the JobManager of each tells where its `heddle-am` serves metrics (`heddle.metrics.port`),
//! and `heddle-am` tells the targets of its application.
//!
//! [`look`] asks, with a deadline for each call. [`Discovery`] is pure: it keeps what is known of an
//! application that does not answer for a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use flink_rest::{ConfigEntry, RestAddress, RestClient, RestTimeouts, Scheme, WrittenAddress};
use futures::StreamExt;
use prometheus_http::{ADDRESS_KEY, TARGETS_PATH, TargetGroup, read_targets};
use tokio::time::timeout;
use yarn_api::records::{ApplicationId, ApplicationReport, FinalStatus};

use crate::application::{report_address, rest_place};
use crate::control::same_host;
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::ps::{Filter, Owner, application_filter, by};
use crate::rest_security::RestSecurity;

/// The time limit for an answer of a JobManager or of `heddle-am`.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// The number of applications that are asked at the same time.
const AT_ONCE: usize = 32;
/// The label of a target that names its application.
const APPLICATION: &str = "application";
/// Labels that begin so tell Prometheus how to read a target, and even where.
const RESERVED: &str = "__";
/// For how long the targets of an application are kept that does not answer.
pub const KEEP: Duration = Duration::from_secs(5 * 60);

/// Which applications are asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whose applications.
    pub of: Owner,
    /// Only those that have this tag in YARN.
    pub tag: Option<String>,
    /// Only these applications; all if there is none here.
    pub ids: Vec<ApplicationId>,
}

/// What an application has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Its targets.
    Targets(Vec<TargetGroup>),
    /// It serves no metrics, or has ended.
    Nothing,
    /// YARN does not tell where it is: it has not started yet, or its next attempt has not.
    Away,
    /// It has not answered, and why.
    Silent(String),
}

/// An application does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// The application.
    pub application: ApplicationId,
    /// Why.
    pub why: String,
    /// Whether its last known targets are still among the targets.
    pub kept: bool,
}

/// Asks the ResourceManager for the running applications, and all of them for their targets. It is a failure
/// if the ResourceManager does not answer.
pub async fn look(
    hadoop: &Hadoop,
    wanted: &Wanted,
    security: &RestSecurity,
) -> Result<Vec<(ApplicationId, Heard)>, Failure> {
    let filter = application_filter(&Filter { ended: false, of: wanted.of.clone() }, hadoop);
    let reports = hadoop.yarn()?.applications(&filter).await.map_err(|e| yarn_failure(&e))?;
    let reports = reports.into_iter().filter(|report| is_wanted(report, wanted));
    let asked = futures::stream::iter(reports).map(|report| async move {
        let heard = ask(&report, security).await;
        (report.id, heard.unwrap_or_else(Heard::Silent))
    });
    Ok(asked.buffer_unordered(AT_ONCE).collect().await)
}

fn is_wanted(report: &ApplicationReport, wanted: &Wanted) -> bool {
    by(report).is_some()
        && wanted.tag.as_ref().is_none_or(|tag| report.tags.contains(tag))
        && (wanted.ids.is_empty() || wanted.ids.contains(&report.id))
}

/// The targets of an application. The error is for people.
async fn ask(report: &ApplicationReport, security: &RestSecurity) -> Result<Heard, String> {
    if rest_place(report).is_err() {
        let over = report.state.is_final() || report.final_status != FinalStatus::Undefined;
        return Ok(if over { Heard::Nothing } else { Heard::Away });
    }
    let address = report_address(report, security).map_err(|failure| failure.to_string())?;
    let asking = async { client(&address)?.job_manager_config().await.map_err(|e| e.to_string()) };
    let configuration = within(asking, &address.to_string()).await?;
    let Some(metrics) = metrics_address(&configuration, &address)? else { return Ok(Heard::Nothing) };
    let asking = async { client(&metrics)?.text(TARGETS_PATH).await.map_err(|e| e.to_string()) };
    let text = within(asking, &metrics.to_string()).await?;
    let groups = read_targets(&text).map_err(|error| format!("{metrics}{TARGETS_PATH}: {error}"))?;
    Ok(Heard::Targets(of_application(groups, report.id)))
}

/// The targets with labels that are true. Whoever runs an application can make it tell anything: neither the
/// name of another application, nor a label by which Prometheus would read something else.
fn of_application(groups: Vec<TargetGroup>, application: ApplicationId) -> Vec<TargetGroup> {
    let with_labels = |TargetGroup { targets, labels }| {
        let told = labels.into_iter().filter(|(name, _): &(String, String)| !name.starts_with(RESERVED));
        let labels = told.chain([(APPLICATION.to_owned(), application.to_string())]).collect();
        TargetGroup { targets, labels }
    };
    groups.into_iter().map(with_labels).collect()
}

fn client(address: &RestAddress) -> Result<RestClient, String> {
    RestClient::new(address, RestTimeouts::one_try(ANSWER_WITHIN)).map_err(|e| e.to_string())
}

async fn within<T>(asking: impl Future<Output = Result<T, String>>, whom: &str) -> Result<T, String> {
    let late = || format!("no answer from {whom} within {} s", ANSWER_WITHIN.as_secs());
    timeout(ANSWER_WITHIN, asking).await.unwrap_or_else(|_| Err(late()))
}

/// Where an application serves its metrics; `None` if it serves none. As with the control server, the address
/// counts only if it is on the host that the ResourceManager names.
fn metrics_address(
    configuration: &[ConfigEntry],
    job_manager: &RestAddress,
) -> Result<Option<RestAddress>, String> {
    let Some(entry) = configuration.iter().find(|entry| entry.key == ADDRESS_KEY) else { return Ok(None) };
    let said =
        |what: &str| format!("the JobManager at {job_manager} tells {ADDRESS_KEY}={}, {what}", entry.value);
    let written: WrittenAddress = entry.value.parse().map_err(|_| said("which is no address"))?;
    if written.scheme != Some(Scheme::Http) {
        return Err(said("which is no address of plain HTTP"));
    }
    if !same_host(&written.host, &job_manager.host) {
        return Err(said(
            "on another host than the one that the ResourceManager names: nothing was sent there",
        ));
    }
    Ok(Some(RestAddress::plain(written.host, written.port)))
}

/// What is known of an application that serves metrics.
#[derive(Debug)]
struct Known {
    targets: Vec<TargetGroup>,
    heard: Instant,
}

/// What is known of all applications.
#[derive(Debug, Default)]
pub struct Discovery {
    known: BTreeMap<ApplicationId, Known>,
    /// Those that were told to be silent.
    told: BTreeMap<ApplicationId, String>,
}

impl Discovery {
    /// Takes what [`look`] has heard, and gives the applications of which it is new that they do not answer.
    pub fn step(&mut self, heard: Vec<(ApplicationId, Heard)>, now: Instant) -> Vec<Silent> {
        let all: BTreeMap<ApplicationId, Heard> = heard.into_iter().collect();
        // An application that the ResourceManager does not name any more has ended.
        self.known.retain(|id, _| all.contains_key(id));
        self.told.retain(|id, _| all.contains_key(id));
        let mut news = Vec::new();
        for (application, heard) in all {
            let why = match heard {
                Heard::Targets(targets) => {
                    self.known.insert(application, Known { targets, heard: now });
                    self.told.remove(&application);
                    continue;
                }
                Heard::Nothing => {
                    self.known.remove(&application);
                    self.told.remove(&application);
                    continue;
                }
                Heard::Away => None,
                Heard::Silent(why) => Some(why),
            };
            let is_old = |known: &Known| now.saturating_duration_since(known.heard) > KEEP;
            if self.known.get(&application).is_some_and(is_old) {
                self.known.remove(&application);
            }
            if let Some(why) = why
                && self.told.insert(application, why.clone()).is_none()
            {
                let kept = self.known.contains_key(&application);
                news.push(Silent { application, why, kept });
            }
        }
        news
    }

    /// The targets of all applications, in the order of their ids.
    pub fn targets(&self) -> Vec<TargetGroup> {
        self.known.values().flat_map(|known| known.targets.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ApplicationId {
        text.parse().unwrap()
    }

    fn targets(target: &str) -> Heard {
        Heard::Targets(vec![TargetGroup { targets: vec![target.into()], labels: BTreeMap::new() }])
    }

    fn all(discovery: &Discovery) -> Vec<String> {
        discovery.targets().into_iter().flat_map(|group| group.targets).collect()
    }

    #[test]
    fn a_silent_application_keeps_its_targets_for_a_while_and_is_named_once() {
        let (one, two, now) = (id("application_1_0001"), id("application_1_0002"), Instant::now());
        let silent = || Heard::Silent("no answer".into());
        let mut discovery = Discovery::default();
        assert_eq!(discovery.step(vec![(two, targets("b:1")), (one, targets("a:1"))], now), []);
        assert_eq!(all(&discovery), ["a:1", "b:1"]);
        let news = discovery.step(vec![(one, silent()), (two, targets("b:2"))], now + KEEP / 2);
        assert_eq!(news, [Silent { application: one, why: "no answer".into(), kept: true }]);
        assert_eq!(all(&discovery), ["a:1", "b:2"]);
        let later = now + KEEP + Duration::from_secs(1);
        assert_eq!(discovery.step(vec![(one, silent()), (two, silent())], later).len(), 1);
        assert_eq!(all(&discovery), ["b:2"]);
        // It answers again, and is named again when it does not.
        assert_eq!(discovery.step(vec![(one, targets("a:3"))], later), []);
        assert_eq!(all(&discovery), ["a:3"], "the other one has ended");
        assert_eq!(discovery.step(vec![(one, silent())], later).len(), 1);
        assert_eq!(discovery.step(vec![(one, Heard::Nothing)], later), []);
        assert_eq!(all(&discovery), Vec::<String>::new());
    }

    #[test]
    fn between_two_attempts_the_targets_are_kept_for_a_while() {
        let (one, now) = (id("application_1_0001"), Instant::now());
        let mut discovery = Discovery::default();
        assert_eq!(discovery.step(vec![(one, Heard::Away)], now), []);
        discovery.step(vec![(one, targets("a:1"))], now);
        assert_eq!(discovery.step(vec![(one, Heard::Away)], now + KEEP / 2), []);
        assert_eq!(all(&discovery), ["a:1"]);
        assert_eq!(discovery.step(vec![(one, Heard::Away)], now + KEEP + Duration::from_secs(1)), []);
        assert_eq!(all(&discovery), Vec::<String>::new());
    }

    #[test]
    fn an_application_cannot_tell_labels_of_others() {
        let labels = [("application", "application_1_0002"), ("__address__", "evil:1"), ("node", "n1")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let groups = vec![TargetGroup { targets: vec!["n1:7".into()], labels }];
        let groups = of_application(groups, id("application_1_0001"));
        let labels: Vec<(&str, &str)> =
            groups[0].labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(labels, [("application", "application_1_0001"), ("node", "n1")]);
        assert_eq!(groups[0].targets, ["n1:7"]);
    }

    #[test]
    fn one_that_was_never_heard_has_no_targets() {
        let mut discovery = Discovery::default();
        let news =
            discovery.step(vec![(id("application_1_0001"), Heard::Silent("x".into()))], Instant::now());
        assert!(!news[0].kept && discovery.targets().is_empty());
    }

    #[test]
    fn the_address_of_metrics_is_on_the_host_of_the_jobmanager() {
        let job_manager = RestAddress::plain("node1", 8081);
        let of = |value: &str| {
            let entry = ConfigEntry { key: ADDRESS_KEY.into(), value: value.into() };
            metrics_address(&[entry], &job_manager)
        };
        assert_eq!(of("http://Node1:7"), Ok(Some(RestAddress::plain("Node1", 7))));
        assert_eq!(metrics_address(&[], &job_manager), Ok(None));
        for (wrong, why) in
            [("http://evil:7", "another host"), ("https://node1:7", "plain HTTP"), ("x y", "no address")]
        {
            let error = of(wrong).unwrap_err();
            assert!(error.contains(why) && error.contains(wrong), "{error}");
        }
    }
}
