//! Tests against the NameNode and the ResourceManager of a real Hadoop. The messages of the calls have only
//! the fields that the tests use.
//!
//! `HEDDLE_TEST_HADOOP_CONF_DIR` names the configuration directory of a running cluster (`scripts/test` sets
//! it). Without it, the tests say that they are skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "clippy sees only test functions as tests, and these find their cluster by the environment"
)]

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use hadoop_rpc::{
    AuthPolicy, CallOptions, ClientOptions, Credentials, Defaults, Endpoint, ErrorKind, HadoopConf,
    KerberosProblem, Login, Lookup, Protection, Protocol, RemoteKind, Retry, RetryPolicy, RpcClient,
    RpcGroup, Sent, Token, TokenSource, UserIdentity,
};

const NAMENODE: Protocol = protocol("org.apache.hadoop.hdfs.protocol.ClientProtocol");
const RM: Protocol = protocol("org.apache.hadoop.yarn.api.ApplicationClientProtocolPB");
const SCHEDULER: Protocol = protocol("org.apache.hadoop.yarn.api.ApplicationMasterProtocolPB");
const HDFS_TOKEN: &str = "HDFS_DELEGATION_TOKEN";

const fn protocol(name: &'static str) -> Protocol {
    Protocol { name, version: 1, security: None }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Empty {}

#[derive(Clone, PartialEq, prost::Message)]
struct Path1 {
    #[prost(string, required, tag = "1")]
    src: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FileInfo {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, required, tag = "1")]
    file_type: i32,
    #[prost(string, optional, tag = "5")]
    owner: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Mkdirs {
    #[prost(string, required, tag = "1")]
    src: String,
    #[prost(message, required, tag = "2")]
    masked: Permission,
    #[prost(bool, required, tag = "3")]
    create_parent: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Permission {
    #[prost(uint32, required, tag = "1")]
    mode: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct NewApplication {
    #[prost(message, optional, tag = "1")]
    id: Option<ApplicationId>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ApplicationId {
    #[prost(int32, optional, tag = "1")]
    id: Option<i32>,
    #[prost(int64, optional, tag = "2")]
    cluster_timestamp: Option<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ReportRequest {
    #[prost(message, optional, tag = "1")]
    id: Option<ApplicationId>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TokenResponse {
    #[prost(message, optional, tag = "1")]
    token: Option<WireToken>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireToken {
    #[prost(bytes = "vec", required, tag = "1")]
    identifier: Vec<u8>,
    #[prost(bytes = "vec", required, tag = "2")]
    password: Vec<u8>,
    #[prost(string, required, tag = "3")]
    kind: String,
    #[prost(string, required, tag = "4")]
    service: String,
}

/// Writes to stderr directly, because the test runner does not show what tests that pass have printed.
fn skipped(why: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

/// The configuration of the cluster. If there is none, says that the test is skipped, and returns `None`.
fn cluster() -> Option<HadoopConf> {
    let Some(dir) = std::env::var_os("HEDDLE_TEST_HADOOP_CONF_DIR") else {
        skipped("HEDDLE_TEST_HADOOP_CONF_DIR names no cluster");
        return None;
    };
    let dir = dir.to_string_lossy().into_owned();
    let env = |key: &str| (key == "HADOOP_CONF_DIR").then(|| dir.clone());
    let conf = HadoopConf::load(&env, &Lookup::new(Defaults::common())).unwrap();
    assert!(conf.found(), "no Hadoop configuration; looked in {:?}", conf.looked_in());
    Some(conf)
}

fn conf() -> HadoopConf {
    cluster().expect("each test has asked for the cluster before")
}

fn address(key: &str) -> Endpoint {
    conf().get_socket_addr(key, 8020).unwrap().unwrap_or_else(|| panic!("{key} is not set"))
}

fn options(user: &str) -> ClientOptions {
    ClientOptions {
        deadline: Duration::from_secs(10),
        ..ClientOptions::simple(&conf(), Login::simple(UserIdentity::new(user))).unwrap()
    }
}

fn options_with(user: &str, tokens: TokenSource) -> ClientOptions {
    ClientOptions { login: Login::with_tokens(UserIdentity::new(user), tokens), ..options(user) }
}

fn client(key: &str, protocol: Protocol) -> RpcClient {
    RpcClient::new(address(key), protocol, options("ann"))
}

fn file(path: &str) -> Path1 {
    Path1 { src: path.into() }
}

async fn owner(client: &RpcClient, path: &str) -> Option<String> {
    let info: FileInfo = client.call("getFileInfo", &file(path)).await.unwrap();
    info.status.and_then(|s| s.owner)
}

#[tokio::test]
async fn calls_of_both_services() {
    let Some(_) = cluster() else { return };
    let namenode = client("fs.defaultFS", NAMENODE);
    assert!(owner(&namenode, "/").await.is_some());
    assert_eq!(owner(&namenode, "/no/such/file").await, None);
    let rm = client("yarn.resourcemanager.address", RM);
    let new: NewApplication = rm.call("getNewApplication", &Empty {}).await.unwrap();
    assert!(new.id.unwrap().cluster_timestamp.unwrap() > 0);
}

#[tokio::test]
async fn many_calls_in_flight() {
    let Some(_) = cluster() else { return };
    let rm = client("yarn.resourcemanager.address", RM);
    let begun = Instant::now();
    let calls = (0..500).map(|_| {
        let rm = rm.clone();
        tokio::spawn(async move { rm.call::<_, NewApplication>("getNewApplication", &Empty {}).await })
    });
    let mut ids = std::collections::BTreeSet::new();
    for call in calls.collect::<Vec<_>>() {
        ids.insert(call.await.unwrap().unwrap().id.unwrap().id.unwrap());
    }
    assert_eq!(ids.len(), 500);
    println!("500 calls in {:?}", begun.elapsed());
}

#[tokio::test]
async fn errors_keep_the_connection() {
    let Some(_) = cluster() else { return };
    let rm = client("yarn.resourcemanager.address", RM);
    let id = Some(ApplicationId { id: Some(99_999), cluster_timestamp: Some(1) });
    let request = ReportRequest { id };
    let e = rm.call::<_, Empty>("getApplicationReport", &request).await.unwrap_err();
    println!("{e}");
    assert!(e.is_remote(RemoteKind::ApplicationNotFound) && e.retry() == Retry::No);
    assert!(!e.remote().unwrap().fatal && !e.to_string().contains('\n'));
    let e = rm.call::<_, Empty>("noSuchMethod", &Empty {}).await.unwrap_err();
    println!("{e}");
    assert!(e.is_remote(RemoteKind::NoSuchMethod));

    let namenode = client("fs.defaultFS", NAMENODE);
    let request =
        Mkdirs { src: "/root-only".into(), masked: Permission { mode: 0o755 }, create_parent: true };
    let e = namenode.call::<_, Empty>("mkdirs", &request).await.unwrap_err();
    println!("{e}");
    assert!(e.is_remote(RemoteKind::AccessControl));
}

#[tokio::test]
async fn wrong_ports() {
    let Some(_) = cluster() else { return };
    let e = client("yarn.resourcemanager.address", NAMENODE)
        .call::<_, FileInfo>("getFileInfo", &file("/"))
        .await
        .unwrap_err();
    println!("{e}");
    assert!(e.is_remote(RemoteKind::NoSuchProtocol));

    let e = client("yarn.resourcemanager.webapp.address", RM)
        .call::<_, NewApplication>("getNewApplication", &Empty {})
        .await
        .unwrap_err();
    println!("{e}");
    assert!(matches!(e.kind(), ErrorKind::NotHadoopRpc(_)) && e.to_string().contains("web server"));

    let e = client("yarn.resourcemanager.scheduler.address", SCHEDULER)
        .call::<_, Empty>("allocate", &Empty {})
        .await
        .unwrap_err();
    println!("{e}");
    assert!(e.is_remote(RemoteKind::AuthenticationRequired) && e.remote().unwrap().fatal);
}

#[tokio::test]
async fn a_false_token_is_refused() {
    let Some(_) = cluster() else { return };
    let key = "yarn.resourcemanager.scheduler.address";
    let token = Token { kind: "K".into(), identifier: vec![1], password: vec![2], ..Default::default() };
    let mut credentials = Credentials::default();
    let call = async |credentials: &Credentials| {
        let options =
            options_with("ann", TokenSource::new(credentials.clone())).with_auth(AuthPolicy::token("K"));
        let client = RpcClient::new(address(key), SCHEDULER, options);
        client.call::<_, Empty>("allocate", &Empty {}).await.unwrap_err()
    };
    let e = call(&credentials).await;
    println!("{e}");
    assert!(matches!(e.kind(), ErrorKind::Auth(why) if why.contains("no token of kind K")));
    credentials.add_token(token);
    let e = call(&credentials).await;
    println!("{e}");
    // The ResourceManager cannot read such an identifier, and closes the connection without an answer.
    assert!(e.to_string().contains("during authentication"));
}

#[tokio::test]
async fn sasl_ends_in_simple_where_allowed() {
    let Some(_) = cluster() else { return };
    let rm = address("yarn.resourcemanager.address");
    let with =
        |auth| RpcClient::new(rm.clone(), RM, options_with("ann", TokenSource::default()).with_auth(auth));
    let allowed = with(AuthPolicy::token_or_simple("RM_DELEGATION_TOKEN"));
    allowed.call::<_, NewApplication>("getNewApplication", &Empty {}).await.unwrap();
    let e =
        with(AuthPolicy::Sasl(vec![])).call::<_, Empty>("getNewApplication", &Empty {}).await.unwrap_err();
    println!("{e}");
    assert!(matches!(e.kind(), ErrorKind::Kerberos { problem: KerberosProblem::Downgrade, .. }), "{e}");
}

/// Calls with a real delegation token, with each kind of protection. The user of such a call is the token's
/// owner, not the client's user.
#[tokio::test]
async fn tokens_and_protection() {
    let Some(conf) = cluster() else { return };
    let key = "dfs.namenode.delegation.token.always-use";
    if conf.get(key).unwrap().as_deref() != Some("true") {
        return skipped(&format!("the NameNode gives no tokens ({key})"));
    }
    let endpoint = address("fs.defaultFS");
    let superuser = options(&UserIdentity::find(&|_| None).unwrap().effective);
    let plain = RpcClient::new(endpoint.clone(), NAMENODE, superuser);
    let response: TokenResponse = plain.call("getDelegationToken", &file("ann")).await.unwrap();
    let wire = response.token.expect("the NameNode gives tokens");
    let WireToken { identifier, password, kind, .. } = wire;
    let service = endpoint.to_string();
    let token = Token { kind, service, identifier, password };
    let home = format!("/tmp-rpc-{}", std::process::id());
    for (i, protection) in Protection::ALL.into_iter().enumerate() {
        let source = TokenSource::default();
        source.put("nn", token.clone());
        let auth = AuthPolicy::token(HDFS_TOKEN);
        let options =
            ClientOptions { protection: vec![protection], ..options_with("ann", source).with_auth(auth) };
        let client = RpcClient::new(endpoint.clone(), NAMENODE, options);
        // Ann herself may not write here, as another test shows.
        let dir = format!("{home}/{i}");
        let request = Mkdirs { src: dir.clone(), masked: Permission { mode: 0o755 }, create_parent: true };
        client.call::<_, Empty>("mkdirs", &request).await.unwrap();
        assert_eq!(owner(&client, &dir).await, owner(&plain, "/").await);
        // The request is longer than one wrapped message can be.
        let long = format!("/{}", "x/".repeat(60_000));
        let big = client.call::<_, FileInfo>("getFileInfo", &file(&long)).await;
        println!(
            "{protection:?}: {:?}",
            big.map_err(|e| e.to_string().chars().take(100).collect::<String>())
        );
        let many = (0..50).map(|_| owner(&client, "/"));
        assert!(futures::future::join_all(many).await.iter().all(Option::is_some));
    }
    // A token that is replaced is not used any more, although the connection that it opened is still good.
    let source = TokenSource::default();
    source.put("nn", token.clone());
    let options = options_with("ann", source.clone()).with_auth(AuthPolicy::token(HDFS_TOKEN));
    let client = RpcClient::new(endpoint, NAMENODE, options);
    assert!(owner(&client, "/").await.is_some());
    source.put("nn", Token { password: vec![0; 20], ..token.clone() });
    let e = client.call::<_, FileInfo>("getFileInfo", &file("/")).await.unwrap_err();
    println!("{e}");
    assert!(e.is_remote(RemoteKind::Sasl) && e.retry() == Retry::No);
    source.put("nn", token);
    assert!(owner(&client, "/").await.is_some());
}

#[tokio::test]
async fn a_group_goes_on_to_the_server_that_answers() {
    let Some(_) = cluster() else { return };
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let closed = RpcClient::new(Endpoint::new("127.0.0.1", unused.port()), RM, options("ann"));
    let policy = RetryPolicy {
        max_attempts: 4,
        min_delay: Duration::from_millis(10),
        max_delay: Duration::from_millis(50),
        max_elapsed: Duration::from_secs(5),
    };
    let group =
        RpcGroup::new(closed.clone(), vec![client("yarn.resourcemanager.address", RM)], policy.clone());
    group.call::<_, NewApplication>("getNewApplication", &Empty {}).await.unwrap();
    assert_eq!(group.current().endpoint(), &address("yarn.resourcemanager.address"));

    let e = RpcGroup::new(closed, vec![], policy)
        .call::<_, NewApplication>("getNewApplication", &Empty {})
        .await
        .unwrap_err();
    println!("{e}");
    assert!(e.is_unreachable() && e.attempts() == 4);
}

/// A process that is stopped, and continues when this value is dropped.
struct Stopped<'a> {
    pid: &'a str,
}

impl<'a> Stopped<'a> {
    /// Stops the process, and waits until each of its threads has stopped.
    fn new(pid: &'a str) -> Self {
        let stopped = Self { pid };
        stopped.signal("-STOP");
        let states = || {
            let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
            threads.filter_map(|thread| {
                let stat = std::fs::read_to_string(thread.ok()?.path().join("stat")).ok()?;
                stat.rsplit(')').next()?.trim_start().chars().next()
            })
        };
        while !states().all(|state| state == 'T') {
            std::thread::sleep(Duration::from_millis(10));
        }
        stopped
    }

    fn signal(&self, name: &str) {
        assert!(std::process::Command::new("kill").args([name, self.pid]).status().unwrap().success());
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

#[tokio::test]
async fn a_stopped_server_costs_one_deadline() {
    let Some(_) = cluster() else { return };
    let Ok(pid) = std::env::var("HEDDLE_TEST_RM_PID") else {
        return skipped("HEDDLE_TEST_RM_PID names no process of a ResourceManager that may be stopped");
    };
    let rm = client("yarn.resourcemanager.address", RM);
    let quick = CallOptions { deadline: Some(Duration::from_millis(500)), ..Default::default() };
    rm.call::<_, NewApplication>("getNewApplication", &Empty {}).await.unwrap();
    let stopped = Stopped::new(&pid);
    let answer = rm.call_with::<_, NewApplication>("getNewApplication", &Empty {}, quick).await;
    drop(stopped);
    let e = answer.unwrap_err();
    println!("{e}");
    assert!(matches!(e.kind(), ErrorKind::Deadline { sent: Sent::Maybe, .. }));
    assert_eq!(e.retry(), Retry::IfIdempotent);
    rm.call::<_, NewApplication>("getNewApplication", &Empty {}).await.unwrap();
    assert!(Path::new("/proc").join(&pid).exists());
}
