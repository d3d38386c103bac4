//! Against a real cluster, whose configuration directory `HEDDLE_TEST_HADOOP_CONF_DIR` names (`scripts/test`
//! sets it). Without it the tests say that they are skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "clippy sees only test functions as tests, and these find their cluster by the environment"
)]

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use hadoop_rpc::{
    ClientOptions, Credentials, Defaults, HadoopConf, Login, Lookup, RemoteKind, RetryPolicy, TokenSource,
    UserIdentity,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use yarn_api::records::*;
use yarn_api::{
    AmError, AmRmClient, ApplicationClient, DEFAULTS, NmTokenCache, NodeErrorKind, NodeManagerClients,
    NodeManagerOptions, RM_DELEGATION_TOKEN,
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
    let client = ApplicationClient::new(
        &conf,
        &ClientOptions::simple(&conf, Login::simple(user.clone())).unwrap(),
        RETRY,
    )
    .unwrap();
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
        self.submit(name, tag, false).await
    }

    /// `keep_containers`: the ApplicationMaster may register again and again.
    async fn submit(&self, name: &str, tag: &str, keep_containers: bool) -> ApplicationId {
        let new = self.client.new_application().await.unwrap();
        let mut context = SubmissionContext::new(new.id, name, Resource::new(128, 1));
        context.application_type = TYPE.into();
        context.tags.insert(tag.into());
        context.unmanaged_am = true;
        context.keep_containers = keep_containers;
        context.max_attempts = Some(1);
        self.client.submit_application(&context).await.unwrap();
        // A second submission of the same id is answered like the first: repeating after an uncertain end is
        // right.
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
        let options =
            ClientOptions::simple(&self.conf, Login::with_tokens(self.user.clone(), tokens)).unwrap();
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
    assert_eq!(token.kind, RM_DELEGATION_TOKEN);
    assert!(token.service.contains(':'), "{token:?}");
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

/// A registered ApplicationMaster whose application has no container for it.
struct Master {
    id: ApplicationId,
    attempt: ApplicationAttemptId,
    am: AmRmClient,
    nm_tokens: NmTokenCache,
    registered: RegisterResponse,
}

/// What a container needs in order to be started: itself, and the token of its node as it came over the wire.
struct Granted {
    container: Container,
    node_token: NmToken,
}

fn registration() -> RegisterRequest {
    RegisterRequest {
        host: "localhost".into(),
        rpc_port: 4711,
        tracking_url: "http://localhost:4711/".into(),
    }
}

/// A request for one container of so many MiB, on any node.
fn ask(memory_mb: u64) -> AllocateRequest {
    let ask = ResourceRequest::anywhere(Priority(1), Resource::new(memory_mb, 1), 1);
    AllocateRequest { asks: vec![ask], progress: 0.5, ..Default::default() }
}

fn sleep_a_minute() -> ContainerLaunchContext {
    ContainerLaunchContext {
        commands: vec!["exec sleep 60 1><LOG_DIR>/out 2><LOG_DIR>/err".into()],
        environment: [("A".to_owned(), "b c".to_owned())].into(),
        ..Default::default()
    }
}

impl Cluster {
    async fn master(&self, name: &str) -> Master {
        let id = self.submit_unmanaged(name, "run").await;
        let nm_tokens = NmTokenCache::default();
        let am = self.am(self.am_token(id).await, &nm_tokens);
        let registered = am.register(&registration()).await.unwrap();
        let attempt = self.client.application_report(id).await.unwrap().attempt_id.unwrap();
        Master { id, attempt, am, nm_tokens, registered }
    }

    fn nodes(&self, tokens: NmTokenCache) -> NodeManagerClients {
        let rpc = ClientOptions::simple(&self.conf, Login::simple(self.user.clone())).unwrap();
        let mut options = NodeManagerOptions::new(rpc);
        options.idle_after = Duration::from_millis(500);
        NodeManagerClients::new(options, tokens)
    }

    /// State and final status, once the application has ended.
    async fn outcome(&self, id: ApplicationId) -> (ApplicationState, FinalStatus) {
        eventually("finished", || async {
            let report = self.client.application_report(id).await.unwrap();
            report.state.is_final().then_some((report.state, report.final_status))
        })
        .await
    }
}

impl Master {
    async fn container(&self, memory_mb: u64) -> Granted {
        let mut first = Some(ask(memory_mb));
        let mut node_token = None;
        for _ in 0..300 {
            let response = self.am.allocate(&first.take().unwrap_or_default()).await.unwrap();
            assert!(response.command.is_none() && response.cluster_nodes > 0, "{response:?}");
            node_token = response.nm_tokens.into_iter().next().or(node_token);
            if let Some(container) = response.allocated.into_iter().next() {
                let node_token = node_token.expect("the first container of a node comes with its token");
                return Granted { container, node_token };
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no container within 30 s");
    }

    async fn completed(&self) -> ContainerStatus {
        eventually("completed", || async {
            self.am.allocate(&AllocateRequest::default()).await.unwrap().completed.into_iter().next()
        })
        .await
    }
}

#[tokio::test]
async fn an_application_master_registers_once() {
    let Some(cluster) = cluster() else { return };
    let client = &cluster.client;
    let id = cluster.submit_unmanaged("registers", "run").await;
    let am = cluster.am(cluster.am_token(id).await, &NmTokenCache::default());
    let error = am.allocate(&AllocateRequest::default()).await.unwrap_err();
    assert!(matches!(error, AmError::NotRegistered(_)), "a heartbeat before the registration: {error:?}");

    let registered = am.register(&registration()).await.unwrap();
    assert!(registered.queue.ends_with("default"), "{registered:?}");
    assert!(registered.max_capability.memory_mb > 0 && registered.previous_containers.is_empty());
    let error = am.register(&registration()).await.unwrap_err();
    assert!(matches!(error, AmError::AlreadyRegistered(_)), "{error:?}");

    let report = client.application_report(id).await.unwrap();
    assert_eq!((report.state, report.rpc_port), (ApplicationState::Running, Some(4711)));
    assert_eq!(report.original_tracking_url.as_deref(), Some("http://localhost:4711/"));
    assert_eq!(client.attempts(id).await.unwrap().len(), 1);
    let attempt = client.attempt_report(report.attempt_id.unwrap()).await.unwrap();
    assert_eq!(attempt.state, AttemptState::Running);
    finish(&am, FinalStatus::Succeeded).await;
}

/// Stands between a client and the ResourceManager's scheduler service. While it is told so, it loses what
/// the ResourceManager answers, and the connection with it.
struct LosesAnswers {
    address: String,
    lose: watch::Sender<bool>,
}

impl LosesAnswers {
    async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (lose, losing) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, server.clone(), losing.clone()));
            }
        });
        Self { address, lose }
    }
}

async fn forward(client: TcpStream, server: String, losing: watch::Receiver<bool>) {
    let (mut asks, mut answers) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await.unwrap().into_split();
    let up = tokio::spawn(async move { tokio::io::copy(&mut asks, &mut to_server).await });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
        if *losing.borrow() || answers.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    up.abort();
}

#[tokio::test]
async fn heartbeats_go_on_after_a_registration_whose_answer_was_lost() {
    let Some(mut cluster) = cluster() else { return };
    let id = cluster.submit("registers again", "run", true).await;
    let tokens = cluster.am_token(id).await;
    let key = "yarn.resourcemanager.scheduler.address";
    let proxy = LosesAnswers::before(cluster.conf.get(key).unwrap().unwrap()).await;
    cluster.conf.set(key, &proxy.address, "the test");
    let am = cluster.am(tokens, &NmTokenCache::default());
    am.register(&registration()).await.unwrap();
    for _ in 0..3 {
        am.allocate(&AllocateRequest::default()).await.unwrap();
    }
    proxy.lose.send_replace(true);
    let error = am.register(&registration()).await.unwrap_err();
    assert!(matches!(error, AmError::Unavailable(_)), "{error:?}");
    proxy.lose.send_replace(false);
    // The ResourceManager counts heartbeats from the registration on, and refuses every other number.
    am.allocate(&AllocateRequest::default()).await.unwrap();
    finish(&am, FinalStatus::Succeeded).await;
}

#[tokio::test]
async fn more_than_the_cluster_has_is_refused_and_does_no_harm() {
    let Some(cluster) = cluster() else { return };
    let master = cluster.master("asks for too much").await;
    let too_large = ask(master.registered.max_capability.memory_mb + 1);
    let error = master.am.allocate(&too_large).await.unwrap_err();
    assert!(
        matches!(&error, AmError::Refused(e) if e.is_remote(RemoteKind::InvalidResourceRequest)),
        "{error:?}"
    );
    let Granted { container, .. } = master.container(200).await;
    assert!(
        container.resource.memory_mb >= 200 && container.id.attempt_id == master.attempt,
        "{container:?}"
    );
    assert_eq!(container.id.to_string().parse::<ContainerId>().unwrap(), container.id);
    assert!(master.nm_tokens.contains(&container.node));
    finish(&master.am, FinalStatus::Succeeded).await;
}

#[tokio::test]
async fn a_container_is_started_with_its_own_tokens_only() {
    let Some(cluster) = cluster() else { return };
    let master = cluster.master("tokens").await;
    let Granted { container, node_token } = master.container(200).await;
    let start = async |tokens: NmTokenCache, container: &Container| {
        cluster.nodes(tokens).start_container(container, &sleep_a_minute()).await.unwrap_err().kind
    };
    let bare = Container { token: None, ..container.clone() };
    assert_eq!(start(master.nm_tokens.clone(), &bare).await, NodeErrorKind::NoToken, "of the container");
    assert_eq!(start(NmTokenCache::default(), &container).await, NodeErrorKind::NoToken, "of the node");
    let forged = NmTokenCache::default();
    let mut wrong = node_token;
    wrong.token.password[0] ^= 1;
    forged.update(&[wrong]);
    assert_eq!(start(forged, &container).await, NodeErrorKind::TokenRefused);
    finish(&master.am, FinalStatus::Succeeded).await;
}

#[tokio::test]
async fn a_container_runs_until_it_is_stopped() {
    let Some(cluster) = cluster() else { return };
    let client = &cluster.client;
    let master = cluster.master("runs").await;
    let Granted { container, .. } = master.container(200).await;
    let nodes = cluster.nodes(master.nm_tokens.clone());
    let (node, id) = (&container.node, &container.id);

    nodes.start_container(&container, &sleep_a_minute()).await.unwrap();
    let error = nodes.start_container(&container, &sleep_a_minute()).await.unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::AlreadyStarted, "{error}");
    eventually("running", || async {
        let status = nodes.container_status(node, id).await.unwrap();
        (status.state == ContainerState::Running).then_some(())
    })
    .await;
    // An unmanaged ApplicationMaster has no container of its own.
    assert_eq!(client.containers(master.attempt).await.unwrap().len(), 1);
    assert_eq!(client.container_report(*id).await.unwrap().node.as_ref(), Some(node));

    nodes.stop_container(node, id).await.unwrap();
    let ended = master.completed().await;
    assert_eq!((ended.id, ended.state), (*id, ContainerState::Complete));
    assert_eq!(ended.exit_status, exit_status::KILLED_BY_APPMASTER, "{ended:?}");
    nodes.stop_container(node, id).await.unwrap();
    let stranger = ContainerId { id: id.id + 1000, ..*id };
    let error = nodes.container_status(node, &stranger).await.unwrap_err();
    assert_eq!(error.kind, NodeErrorKind::UnknownContainer, "{error}");
    eventually("idle connections closed", || async { (nodes.connected() == 0).then_some(()) }).await;
    finish(&master.am, FinalStatus::Succeeded).await;
}

#[tokio::test]
async fn the_first_final_status_counts() {
    let Some(cluster) = cluster() else { return };
    let master = cluster.master("finishes").await;
    let outcome = (ApplicationState::Finished, FinalStatus::Succeeded);
    finish(&master.am, FinalStatus::Succeeded).await;
    assert_eq!(cluster.outcome(master.id).await, outcome);
    // For a moment before the end is stored a second time would be refused: the attempt is gone by then.
    finish(&master.am, FinalStatus::Failed).await;
    assert_eq!(cluster.outcome(master.id).await, outcome);
    let error = master.am.allocate(&AllocateRequest::default()).await.unwrap_err();
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
    let client = ApplicationClient::new(
        &conf,
        &ClientOptions::simple(&conf, Login::simple(UserIdentity::new("x"))).unwrap(),
        RetryPolicy::NONE,
    )
    .unwrap();
    let error = client.cluster_metrics().await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
}
