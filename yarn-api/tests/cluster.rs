//! Against a real cluster, whose configuration directory `HEDDLE_TEST_HADOOP_CONF_DIR` names (`scripts/test` sets it).
//! Without it the tests say that they are skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)] // helpers of tests

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use hadoop_rpc::{
    ClientOptions, Credentials, Defaults, HadoopConf, Lookup, RemoteKind, RetryPolicy, TokenSource,
    UserIdentity,
};
use yarn_api::records::*;
use yarn_api::{
    AmError, AmRmClient, ApplicationClient, DEFAULTS, NmTokenCache, NodeErrorKind, NodeManagerClients,
    NodeManagerOptions,
};

const TYPE: &str = "heddle test";

/// Says it past the test runner, which shows nothing of tests that pass.
fn skipped(why: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

struct Cluster {
    conf: HadoopConf,
    user: UserIdentity,
    client: ApplicationClient,
}

const RETRY: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    min_delay: Duration::from_millis(100),
    max_delay: Duration::from_secs(1),
    max_elapsed: Duration::from_secs(10),
};

fn cluster() -> Option<Cluster> {
    let Some(dir) = std::env::var_os("HEDDLE_TEST_HADOOP_CONF_DIR") else {
        skipped("HEDDLE_TEST_HADOOP_CONF_DIR names no cluster");
        return None;
    };
    let dir = dir.to_string_lossy().into_owned();
    let env = move |key: &str| match key {
        "HADOOP_CONF_DIR" => Some(dir.clone()),
        _ => std::env::var(key).ok(),
    };
    let conf = HadoopConf::load(&env, &Lookup::new(Defaults::common().and(DEFAULTS))).unwrap();
    let user = UserIdentity::find(&env).unwrap();
    let client = ApplicationClient::new(&conf, &ClientOptions::simple(user.clone()), RETRY).unwrap();
    Some(Cluster { conf, user, client })
}

/// Asks again and again until there is an answer.
async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    for _ in 0..300 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within 30 s: {what}");
}

impl Cluster {
    async fn submit_unmanaged(&self, name: &str, tag: &str) -> ApplicationId {
        let new = self.client.new_application().await.unwrap();
        let mut context = SubmissionContext::new(new.id, name, Resource::new(128, 1));
        context.application_type = TYPE.into();
        context.tags.insert(tag.into());
        context.unmanaged_am = true;
        context.max_attempts = Some(1);
        self.client.submit_application(&context).await.unwrap();
        // A second submission of the same id is answered like the first: repeating after an uncertain end is right.
        self.client.submit_application(&context).await.unwrap();
        new.id
    }

    async fn am_token(&self, id: ApplicationId) -> TokenSource {
        let token = eventually("the AMRM token in the report", || async {
            let report = self.client.application_report(id).await.unwrap();
            assert!(!report.state.is_final(), "{report:?}");
            report.am_rm_token
        })
        .await;
        let mut credentials = Credentials::default();
        credentials.tokens.insert("am".into(), token);
        TokenSource::new(credentials)
    }

    fn am(&self, tokens: TokenSource, nm_tokens: &NmTokenCache) -> AmRmClient {
        let options = ClientOptions { tokens, ..ClientOptions::simple(self.user.clone()) };
        AmRmClient::new(&self.conf, options, RETRY, nm_tokens.clone()).unwrap()
    }
}

async fn finish(am: &AmRmClient, status: FinalStatus) {
    eventually("unregistered", || async {
        am.finish(status, "done by the test", "").await.unwrap().then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_client_asks() {
    let Some(cluster) = cluster() else { return };
    let client = &cluster.client;
    let new = client.new_application().await.unwrap();
    assert!(new.max_capability.memory_mb >= 1024 && new.max_capability.vcores >= 1, "{}", new.max_capability);

    let metrics = client.cluster_metrics().await.unwrap();
    let nodes = client.cluster_nodes(&[NodeState::Running]).await.unwrap();
    assert!(!nodes.is_empty() && metrics.active as usize == nodes.len(), "{metrics:?} {nodes:?}");
    assert!(nodes.iter().all(|n| n.capability.memory_mb > 0 && n.id.port > 0 && !n.rack.is_empty()));
    assert!(nodes.iter().all(|n| n.http_address.contains(':')), "{nodes:?}");
    assert!(
        client.cluster_nodes(&[NodeState::Lost]).await.unwrap().iter().all(|n| n.state == NodeState::Lost)
    );
    assert!(client.cluster_nodes(&[]).await.unwrap().len() >= nodes.len());

    let queues = client.queues().await.unwrap();
    assert_eq!(queues[0].path, "root");
    let default = queues.iter().find(|q| q.path == "root.default").unwrap();
    assert!(default.children.is_empty() && default.state == QueueState::Running, "{default:?}");
    let flat = client.queue_info("root", false).await.unwrap().unwrap();
    assert!(!flat.children.is_empty() && flat.children.iter().all(|c| c.children.is_empty()));
    let unknown = client.queue_info("no-such-queue", true).await;
    assert!(matches!(unknown, Ok(None)), "{unknown:?}");
    let acls = client.queue_user_acls().await.unwrap();
    assert!(acls.iter().any(|a| a.acls.contains(&QueueAcl::SubmitApplications)), "{acls:?}");

    client.cluster_node_labels().await.unwrap();
    let types = client.resource_types().await.unwrap();
    assert!(types.iter().any(|t| t.name == "memory-mb" && t.units == "Mi"), "{types:?}");

    let error = client.application_report(ApplicationId { cluster_timestamp: 1, id: 1 }).await.unwrap_err();
    assert!(error.is_remote(RemoteKind::ApplicationNotFound), "{error}");
    assert!(error.to_string().starts_with("cannot get the report of application_1_0001: "), "{error}");

    // A cluster without Kerberos gives delegation tokens as well.
    let token = client.delegation_token(&cluster.user.effective).await.unwrap();
    assert_eq!(token.kind, "RM_DELEGATION_TOKEN");
    assert!(client.renew_delegation_token(&token).await.unwrap() > 1_600_000_000_000);
    client.cancel_delegation_token(&token).await.unwrap();
    let error = client.renew_delegation_token(&token).await.unwrap_err();
    assert!(error.to_string().contains("InvalidToken"), "{error}");
}

#[tokio::test]
async fn errors_of_a_submission() {
    let Some(cluster) = cluster() else { return };
    let new = cluster.client.new_application().await.unwrap();
    let too_large = new.max_capability.memory_mb * 100;
    let context = SubmissionContext::new(new.id, "too large", Resource::new(too_large, 1));
    let error = cluster.client.submit_application(&context).await.unwrap_err();
    assert!(error.is_remote(RemoteKind::InvalidResourceRequest), "{error}");

    let new = cluster.client.new_application().await.unwrap();
    let mut context = SubmissionContext::new(new.id, "nowhere", Resource::new(128, 1));
    context.queue = "no-such-queue".into();
    // Whether the submission or the application fails differs between schedulers and releases.
    let text = match cluster.client.submit_application(&context).await {
        Err(error) => error.to_string(),
        Ok(()) => {
            eventually("failed", || async {
                let report = cluster.client.application_report(new.id).await.unwrap();
                (report.state == ApplicationState::Failed).then(|| report.diagnostics.unwrap_or_default())
            })
            .await
        }
    };
    assert!(text.contains("no-such-queue"), "{text}");
}

#[tokio::test]
async fn a_killed_application() {
    let Some(cluster) = cluster() else { return };
    let client = &cluster.client;
    let id = cluster.submit_unmanaged("to be killed", "Kill-Me").await;
    let tokens = cluster.am_token(id).await;
    let mut filter = ApplicationFilter {
        types: BTreeSet::from([TYPE.to_owned()]),
        tags: BTreeSet::from(["Kill-Me".to_owned()]),
        users: BTreeSet::from([cluster.user.effective.clone()]),
        states: BTreeSet::from([ApplicationState::Accepted]),
        ..ApplicationFilter::default()
    };
    let found = client.applications(&filter).await.unwrap();
    assert!(found.iter().any(|a| a.id == id && a.name == "to be killed" && a.unmanaged), "{found:?}");
    filter.types = BTreeSet::from(["another".to_owned()]);
    assert!(client.applications(&filter).await.unwrap().is_empty());

    eventually("killed", || async {
        client.kill_application(id, Some("enough")).await.unwrap().then_some(())
    })
    .await;
    let report = eventually("ended", || async {
        let report = client.application_report(id).await.unwrap();
        report.state.is_final().then_some(report)
    })
    .await;
    assert_eq!((report.state, report.final_status), (ApplicationState::Killed, FinalStatus::Killed));
    assert!(report.diagnostics.as_deref().is_some_and(|d| d.contains("enough")), "{report:?}");
    assert!(report.finish_time >= report.start_time && report.start_time.is_some());
    assert!(client.kill_application(id, None).await.unwrap(), "killing it again is no error");

    // The ApplicationMaster of an attempt that is over is told so, and does not try on for ever.
    let error =
        cluster.am(tokens, &NmTokenCache::default()).register(&RegisterRequest::default()).await.unwrap_err();
    assert!(matches!(error, AmError::AttemptOver(_)), "{error:?}");
}

#[tokio::test]
async fn an_application_master_runs_a_container() {
    let Some(cluster) = cluster() else { return };
    let client = &cluster.client;
    let id = cluster.submit_unmanaged("unmanaged", "run").await;
    let tokens = cluster.am_token(id).await;
    let nm_tokens = NmTokenCache::default();
    let am = cluster.am(tokens, &nm_tokens);

    // A heartbeat before the registration.
    let error = am.allocate(&AllocateRequest::default()).await.unwrap_err();
    assert!(matches!(error, AmError::NotRegistered(_)), "{error:?}");

    let request = RegisterRequest {
        host: "localhost".into(),
        rpc_port: 4711,
        tracking_url: "http://localhost:4711/".into(),
    };
    let registered = am.register(&request).await.unwrap();
    assert!(registered.queue.ends_with("default"), "{registered:?}");
    assert!(registered.max_capability.memory_mb > 0 && registered.previous_containers.is_empty());
    let error = am.register(&request).await.unwrap_err();
    assert!(matches!(error, AmError::Refused(_)), "{error:?}");
    let report = client.application_report(id).await.unwrap();
    assert_eq!((report.state, report.rpc_port), (ApplicationState::Running, Some(4711)));
    assert_eq!(report.original_tracking_url.as_deref(), Some("http://localhost:4711/"));
    let attempt = report.attempt_id.unwrap();
    assert_eq!(client.attempts(id).await.unwrap().len(), 1);
    assert_eq!(client.attempt_report(attempt).await.unwrap().state, AttemptState::Running);

    // More than the cluster has is refused, and does not harm.
    let too_large = Resource::new(registered.max_capability.memory_mb + 1, 1);
    let ask = ResourceRequest::anywhere(Priority(1), too_large, 1);
    let error = am.allocate(&AllocateRequest { asks: vec![ask], ..Default::default() }).await.unwrap_err();
    assert!(
        matches!(&error, AmError::Refused(e) if e.is_remote(RemoteKind::InvalidResourceRequest)),
        "{error:?}"
    );

    let ask = ResourceRequest::anywhere(Priority(1), Resource::new(200, 1), 1);
    let mut heartbeat = AllocateRequest { asks: vec![ask], progress: 0.5, ..Default::default() };
    let mut got = None;
    let mut node_token = None;
    for _ in 0..300 {
        let response = am.allocate(&heartbeat).await.unwrap();
        assert!(response.command.is_none() && response.cluster_nodes > 0, "{response:?}");
        heartbeat.asks.clear();
        node_token = response.nm_tokens.into_iter().next().or(node_token);
        got = response.allocated.into_iter().next();
        if got.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let container = got.expect("a container within 30 s");
    assert!(container.resource.memory_mb >= 200 && container.id.attempt_id == attempt, "{container:?}");
    assert_eq!(container.id.to_string().parse::<ContainerId>().unwrap(), container.id);
    assert!(nm_tokens.contains(&container.node));

    let mut options = NodeManagerOptions::new(cluster.user.clone());
    options.idle_after = Duration::from_millis(500);
    let nodes = NodeManagerClients::new(options.clone(), nm_tokens);
    let (node, container_id) = (&container.node, &container.id);
    let launch = ContainerLaunchContext {
        commands: vec!["exec sleep 60 1><LOG_DIR>/out 2><LOG_DIR>/err".into()],
        environment: [("A".to_owned(), "b c".to_owned())].into(),
        ..Default::default()
    };

    // Without tokens: of the container, of the node, and with a wrong one.
    let bare = Container { token: None, ..container.clone() };
    assert_eq!(nodes.start_container(&bare, &launch).await.unwrap_err().kind, NodeErrorKind::NoToken);
    let strangers = NodeManagerClients::new(options.clone(), NmTokenCache::default());
    assert_eq!(
        strangers.start_container(&container, &launch).await.unwrap_err().kind,
        NodeErrorKind::NoToken
    );
    let forged = NmTokenCache::default();
    let mut wrong = node_token.unwrap();
    wrong.token.password[0] ^= 1;
    forged.update(&[wrong]);
    let error =
        NodeManagerClients::new(options, forged).start_container(&container, &launch).await.unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::TokenRefused, "{error}");

    nodes.start_container(&container, &launch).await.unwrap();
    let error = nodes.start_container(&container, &launch).await.unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::AlreadyStarted, "{error}");
    eventually("running", || async {
        let status = nodes.container_status(node, container_id).await.unwrap();
        (status.state == ContainerState::Running).then_some(())
    })
    .await;
    // An unmanaged ApplicationMaster has no container of its own.
    assert_eq!(client.containers(attempt).await.unwrap().len(), 1);
    assert_eq!(client.container_report(*container_id).await.unwrap().node.as_ref(), Some(node));

    nodes.stop_container(node, container_id).await.unwrap();
    let mut ended = None;
    for _ in 0..300 {
        ended = am.allocate(&heartbeat).await.unwrap().completed.into_iter().next();
        if ended.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ended = ended.expect("completed within 30 s");
    assert_eq!((ended.id, ended.state), (*container_id, ContainerState::Complete));
    assert_eq!(ended.exit_status, exit_status::KILLED_BY_APPMASTER, "{ended:?}");
    nodes.stop_container(node, container_id).await.unwrap();
    let stranger = ContainerId { id: container_id.id + 1000, ..*container_id };
    let error = nodes.container_status(node, &stranger).await.unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::UnknownContainer, "{error}");
    eventually("idle connections closed", || async { (nodes.connected() == 0).then_some(()) }).await;

    finish(&am, FinalStatus::Succeeded).await;
    let ended = || async {
        let report = client.application_report(id).await.unwrap();
        report.state.is_final().then_some((report.state, report.final_status))
    };
    let outcome = (ApplicationState::Finished, FinalStatus::Succeeded);
    assert_eq!(eventually("finished", ended).await, outcome);
    // A second time changes nothing. For a moment before the end is stored it would be refused: the attempt is gone by then.
    finish(&am, FinalStatus::Failed).await;
    assert_eq!(eventually("finished", ended).await, outcome);
    let error = am.allocate(&heartbeat).await.unwrap_err();
    assert!(!matches!(error, AmError::Unavailable(_)), "{error:?}");
}

/// Needs a cluster that changes its keys every few seconds:
/// `yarn.resourcemanager.am-rm-tokens.master-key-rolling-interval-secs` above three times
/// `yarn.am.liveness-monitor.expiry-interval-ms`.
#[tokio::test]
async fn the_token_rolls_over() {
    let Some(cluster) = cluster() else { return };
    let key = "yarn.resourcemanager.am-rm-tokens.master-key-rolling-interval-secs";
    let interval = cluster.conf.get_i64(key, 86_400).unwrap();
    if interval > 30 {
        skipped(&format!("the cluster changes its keys only every {interval} s ({key})"));
        return;
    }
    let id = cluster.submit_unmanaged("rolls", "roll").await;
    let tokens = cluster.am_token(id).await;
    let first = tokens.get();
    let am = cluster.am(tokens.clone(), &NmTokenCache::default());
    am.register(&RegisterRequest::default()).await.unwrap();
    let mut rolled = 0;
    let begun = std::time::Instant::now();
    while rolled < 3 {
        assert!(begun.elapsed() < Duration::from_secs(5 * interval as u64), "rolled {rolled} times only");
        rolled += u32::from(am.allocate(&AllocateRequest::default()).await.unwrap().token_rolled);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // Only the new token is accepted by now, also on a new connection.
    let now = tokens.get();
    assert!(now.tokens.keys().eq(["am"]) && now.tokens["am"].identifier != first.tokens["am"].identifier);
    let again = cluster.am(TokenSource::new((*now).clone()), &NmTokenCache::default());
    finish(&again, FinalStatus::Succeeded).await;
}

#[tokio::test]
async fn nobody_there() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let conf = HadoopConf::from_map([("yarn.resourcemanager.address", format!("127.0.0.1:{port}"))]);
    let client =
        ApplicationClient::new(&conf, &ClientOptions::simple(UserIdentity::new("x")), RetryPolicy::NONE)
            .unwrap();
    let error = client.cluster_metrics().await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
}
