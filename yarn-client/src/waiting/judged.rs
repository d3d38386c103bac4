//! Finds out why something waits: asks the ResourceManager for the queue and the nodes, and applies the rules
//! of the diagnosis.

use std::time::Duration;

use artifact_store::now_ms;
use diagnosis::facts::{Facts, OpenAsk, Seen, Source};
use diagnosis::{Confidence, Finding, Link, judge};
use tokio::time::timeout;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport};

use crate::diagnose::cluster::{add_room, application_fact, waits_for_master};

/// The time limit of the application's report.
const DEADLINE: Duration = Duration::from_secs(3);

/// The size of an ApplicationMaster's container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MasterSize {
    /// The memory in MiB.
    pub(crate) memory_mb: u64,
    /// The number of virtual cores.
    pub(crate) vcores: u32,
}

/// Why an application waits for its ApplicationMaster's container, in whole sentences. `None` if it does not
/// wait for it, or if no more is known than what YARN says itself. `size` is that of the container, if this
/// client knows it.
pub(crate) async fn master(
    yarn: ApplicationClient,
    found: ApplicationReport,
    size: Option<MasterSize>,
) -> Option<String> {
    if !waits_for_master(&found) {
        return None;
    }
    let now = now_ms();
    let mut fact = application_fact(&found);
    if let Some(MasterSize { memory_mb, vcores }) = size {
        (fact.am_memory_mb, fact.am_vcores) = (Some(memory_mb), Some(vcores));
    }
    let application = Seen { source: Source::ResourceManager, at: Some(now), fact };
    let mut facts = Facts { now, applications: vec![application], ..Facts::default() };
    add_room(&mut facts, &yarn, &found, now).await;
    of_master(&facts)
}

fn of_master(facts: &Facts) -> Option<String> {
    // Without any of them, a rule can only quote YARN.
    let is_known = !facts.queues.is_empty() || !facts.nodes.is_empty();
    first(facts, Link::Queue).filter(|_| is_known).map(|finding| finding.text)
}

/// Why containers for TaskManagers are not granted, in whole sentences; `None` if the queue and the nodes do
/// not show why.
pub(crate) async fn task_managers(
    yarn: &ApplicationClient,
    id: ApplicationId,
    asks: Vec<OpenAsk>,
) -> Option<String> {
    let report = timeout(DEADLINE, yarn.application_report(id)).await.ok()?.ok()?;
    let now = now_ms();
    let of_heddle_am = |fact| Seen { source: Source::ApplicationMaster, at: Some(now), fact };
    let asks = asks.into_iter().map(of_heddle_am).collect();
    let mut facts = Facts { now, asks, ..Facts::default() };
    add_room(&mut facts, yarn, &report, now).await;
    let finding = first(&facts, Link::Asks)?;
    (finding.confidence != Confidence::Possible).then_some(finding.text)
}

/// The first finding about this link.
fn first(facts: &Facts, link: Link) -> Option<Finding> {
    judge(facts).into_iter().find(|finding| finding.link == link)
}

#[cfg(test)]
mod tests {
    use diagnosis::facts::{AppState, Application, Queue};

    use super::*;

    #[test]
    fn yarns_own_words_alone_are_not_repeated() {
        let diagnostics = "Application is Activated, waiting for resources to be assigned for AM".to_owned();
        let fact = Application { state: AppState::Accepted, diagnostics, ..Application::default() };
        let application = Seen { source: Source::ResourceManager, at: Some(1), fact };
        let mut facts = Facts { now: 1, applications: vec![application], ..Facts::default() };
        assert_eq!(of_master(&facts), None);
        let fact = Queue { path: "root.narrow".into(), ..Queue::default() };
        facts.queues.push(Seen { source: Source::ResourceManager, at: Some(1), fact });
        let text = of_master(&facts).unwrap();
        assert!(text.ends_with("assigned for AM. The queue is root.narrow."), "{text}");
    }
}
