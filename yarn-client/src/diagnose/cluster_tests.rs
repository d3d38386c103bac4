use std::collections::BTreeSet;

use yarn_api::records::{FinalStatus, Priority, QueueStatistics, Resource, ResourceUsage};

use super::*;
use crate::deploy::report_in_state;

fn queue(path: &str, capacity: f32, max_capacity: f32, allocated_mb: u64) -> QueueInfo {
    QueueInfo {
        name: path.rsplit('.').next().unwrap_or_default().to_owned(),
        path: path.to_owned(),
        state: QueueState::Running,
        capacity,
        max_capacity: Some(max_capacity),
        used_capacity: 1.5,
        max_am_share: Some(0.8),
        max_resource: None,
        node_labels: BTreeSet::new(),
        default_node_label: None,
        statistics: Some(QueueStatistics {
            apps_pending: 7,
            allocated_memory_mb: allocated_mb,
            ..QueueStatistics::default()
        }),
        children: Vec::new(),
    }
}

/// Of a cluster with 16384 MB: a queue that may use 1638 MB, below one that may use 8192 MB.
fn queues() -> Vec<QueueInfo> {
    let narrow = queue("root.team.narrow", 0.1, 0.2, 1024);
    let team = QueueInfo { children: vec![narrow.clone()], ..queue("root.team", 0.5, 0.5, 7500) };
    vec![QueueInfo { children: vec![team.clone()], ..queue("root", 1.0, 1.0, 9000) }, team, narrow]
}

fn application(number: u32, state: ApplicationState, used_mb: u64) -> ApplicationReport {
    let usage = ResourceUsage {
        containers: u32::from(used_mb > 0),
        used: Resource::new(used_mb, 1),
        ..ResourceUsage::default()
    };
    ApplicationReport {
        id: format!("application_1_{number:04}").parse().unwrap(),
        queue: "narrow".to_owned(),
        usage: Some(usage),
        ..report_in_state(state, "")
    }
}

fn reports(queues: Vec<QueueInfo>, applications: Vec<ApplicationReport>) -> QueueReports {
    QueueReports { queues, applications: Some(applications), total_mb: Some(16384) }
}

#[test]
fn the_queue_has_its_limits_its_holders_and_the_place_in_it() {
    let accepted = ApplicationState::Accepted;
    let waiting = application(5, accepted, 0);
    let urgent = ApplicationReport { priority: Priority(9), ..application(6, accepted, 0) };
    let others = vec![
        application(1, ApplicationState::Running, 512),
        application(2, ApplicationState::Running, 2048),
        application(3, accepted, 0),
        // It waits for nothing: its ApplicationMaster's container is there, and starts.
        application(4, accepted, 1024),
        waiting.clone(),
        urgent,
        application(7, accepted, 0),
    ];
    let queue = reports(queues(), others).fact(&waiting).unwrap();
    assert_eq!(queue.path, "root.team.narrow");
    assert!(queue.accepts);
    assert_eq!((queue.capacity, queue.max_capacity), (Some(0.05), Some(0.1)));
    assert_eq!((queue.used, queue.am_share), (Some(1.5), Some(0.8)));
    assert_eq!(queue.available_mb, Some(1639 - 1024), "Hadoop 2 tells fractions, which are rounded up");
    assert_eq!((queue.waiting, queue.ahead), (Some(4), Some(2)));
    let holders: Vec<_> = queue.holders.iter().map(|(name, mb)| (name.as_str(), *mb)).collect();
    assert_eq!(
        holders,
        [("application_1_0002", 2048), ("application_1_0004", 1024), ("application_1_0001", 512)]
    );
}

#[test]
fn a_full_queue_above_it_leaves_nothing() {
    let mut queues = queues();
    queues[1].statistics = Some(QueueStatistics { allocated_memory_mb: 8000, ..QueueStatistics::default() });
    queues[2].max_resource = Some(Resource::new(6000, 4));
    let queue = reports(queues, Vec::new()).fact(&application(5, ApplicationState::Running, 1)).unwrap();
    assert_eq!(queue.available_mb, Some(192));
    assert_eq!(queue.ahead, None, "it does not wait itself");
}

#[test]
fn what_is_not_known_of_a_queue_is_left_out() {
    let waiting = application(5, ApplicationState::Accepted, 0);
    let nothing = QueueReports { queues: Vec::new(), applications: None, total_mb: Some(1) };
    assert_eq!(nothing.fact(&waiting), None);
    // The limits are those of the nodes without a label.
    let labelled = QueueReports { total_mb: None, ..reports(queues(), Vec::new()) };
    let found = labelled.fact(&waiting).unwrap();
    assert_eq!((found.available_mb, found.max_capacity, found.waiting), (None, None, Some(0)));
    // The FairScheduler's numbers mean something else.
    let fair = vec![QueueInfo { name: "root.narrow".into(), ..queue("root.narrow", 0.5, 1.0, 1) }];
    let fair = QueueReports { queues: fair, applications: None, total_mb: Some(16384) };
    let found = fair.fact(&waiting).unwrap();
    assert_eq!((found.capacity, found.used, found.available_mb, found.waiting), (None, None, None, Some(7)));
    let other = application(4, ApplicationState::Accepted, 0);
    let fair = QueueReports { applications: Some(vec![other, waiting.clone()]), ..fair };
    let found = fair.fact(&waiting).unwrap();
    assert_eq!((found.waiting, found.ahead), (Some(2), None), "it has no order");
}

#[test]
fn an_application_tells_its_request_only_while_it_waits() {
    let waits = "[Fri Nov 20 23:16:56 +0000 2026] Application is added to the scheduler and is not yet activated. Queue's AM resource \
        limit exceeded.  Details : AM Partition = <DEFAULT_PARTITION>; AM Resource Request = <memory:1152, vCores:2>; x";
    let report = ApplicationReport {
        am_node_label: Some("gpu".into()),
        start_time: Some(7),
        ..report_in_state(ApplicationState::Accepted, waits)
    };
    let fact = application_fact(&report);
    assert_eq!((fact.state, fact.final_status), (AppState::Accepted, None));
    assert_eq!(
        (fact.am_memory_mb, fact.am_vcores, fact.am_label.as_deref()),
        (Some(1152), Some(2), Some("gpu"))
    );
    assert_eq!((fact.submitted, fact.diagnostics.as_str()), (Some(7), waits));
    let usage = ResourceUsage { containers: 1, ..ResourceUsage::default() };
    let starting = ApplicationReport { usage: Some(usage), ..report.clone() };
    assert_eq!(application_fact(&starting).am_memory_mb, None);
    let usage = ResourceUsage { reserved: Resource::new(1024, 1), ..ResourceUsage::default() };
    let reserved =
        ApplicationReport { usage: Some(usage), diagnostics: Some("no room".into()), ..report.clone() };
    assert_eq!(application_fact(&reserved).am_memory_mb, Some(1024));
    let ended = ApplicationReport {
        final_status: FinalStatus::Failed,
        finish_time: Some(9),
        ..report_in_state(ApplicationState::Finished, "boom")
    };
    let fact = application_fact(&ended);
    assert_eq!(
        (fact.state, fact.final_status, fact.ended),
        (AppState::Finished, Some(Final::Failed), Some(9))
    );
    let unknown = report_in_state(ApplicationState::Other(99), "");
    assert_eq!(application_fact(&unknown).state, AppState::Submitted);
    for text in ["", "AM Resource Request = <memory:", "AM Resource Request = <memory:x, vCores:1>"] {
        assert_eq!(asked_for_master(text), None, "{text}");
    }
}

#[test]
fn a_node_and_the_memory_of_the_cluster() {
    let node = |host: &str, state, labels: &[&str]| NodeReport {
        id: NodeId { host: host.to_owned(), port: 8041 },
        state,
        http_address: String::new(),
        rack: String::new(),
        capability: Resource::new(8192, 16),
        used: Resource::new(6144, 3),
        containers: 3,
        health_report: Some("a disk is full".into()),
        last_health_report: None,
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    let label = |exclusive| NodeLabel { name: "gpu".into(), exclusive };
    for exclusive in [true, false] {
        let fact = node_fact(&node("n1", NodeState::Running, &["gpu"]), 0, &[label(exclusive)]);
        assert_eq!(fact.shared, !exclusive);
    }
    let fact = node_fact(&node("n1", NodeState::Unhealthy, &["", "gpu"]), 2, &[]);
    assert!(!fact.shared);
    assert_eq!(
        (fact.name.as_str(), fact.state.as_str(), fact.health.as_str()),
        ("n1:8041", "UNHEALTHY", "a disk is full")
    );
    assert_eq!((fact.memory_mb, fact.used_mb, fact.vcores, fact.used_vcores), (8192, 6144, 16, 3));
    assert_eq!((fact.labels, fact.ours), (vec!["gpu".to_owned()], 2));
    let nodes = [
        node("n1", NodeState::Running, &[]),
        node("n2", NodeState::Running, &[""]),
        node("n3", NodeState::Running, &["gpu"]),
        node("n4", NodeState::Lost, &[]),
    ];
    assert_eq!(total_mb(&nodes), 2 * 8192);
}

#[test]
fn an_attempt_has_the_host_that_its_master_has_registered() {
    let report = AttemptReport {
        id: "appattempt_1_0001_000002".parse().unwrap(),
        state: yarn_api::records::AttemptState::Launched,
        host: Some("n1".into()),
        rpc_port: None,
        tracking_url: None,
        original_tracking_url: None,
        diagnostics: None,
        am_container: None,
        start_time: None,
        finish_time: None,
    };
    let node = Some("n1".to_owned());
    assert_eq!(
        attempt_fact(&report),
        Attempt { number: 2, state: "LAUNCHED".into(), diagnostics: String::new(), node }
    );
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for() {
    assert_eq!(asked::<()>(std::future::pending()).await, Err("no answer within 3 s".to_owned()));
    assert_eq!(asked(async { Ok(7) }).await, Ok(Some(7)));
}
