//! The lines of the bridge.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use yarn_api::records::ContainerId;

/// Version of the protocol, in `hello`.
pub const PROTOCOL: u32 = 2;

/// Final status as the JVM names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// The application did what it should.
    Succeeded,
    /// It failed.
    Failed,
    /// It was cancelled.
    Killed,
    /// Not known; also for words that this version does not know.
    #[serde(other)]
    Undefined,
}

/// A line from the JobManager.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FromJvm {
    /// First line.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
        /// Flink's version.
        #[serde(default)]
        flink: String,
        /// Its process id.
        #[serde(default)]
        pid: u32,
    },
    /// Flink's ResourceManager leads: register with YARN.
    Ready {
        /// URL of the web interface.
        rest: Option<String>,
        /// RPC address.
        #[serde(default)]
        rpc: String,
    },
    /// A TaskManager is wanted.
    Request {
        /// Its number, unique.
        id: u64,
        /// Memory, MiB.
        memory_mb: u64,
        /// Virtual cores.
        vcores: u32,
        /// Further resources.
        #[serde(default)]
        resources: BTreeMap<String, u64>,
        /// JVM memory flags.
        #[serde(default)]
        jvm_args: Vec<String>,
        /// Program arguments.
        #[serde(default)]
        args: Vec<String>,
    },
    /// It is no longer wanted.
    Cancel {
        /// The request.
        id: u64,
    },
    /// Flink knows the container: start the TaskManager in it.
    Launch {
        /// The request.
        id: u64,
        /// The container.
        #[serde(deserialize_with = "read_container_id")]
        worker: ContainerId,
    },
    /// Stop a TaskManager.
    Release {
        /// Its container.
        #[serde(deserialize_with = "read_container_id")]
        worker: ContainerId,
    },
    /// Answer to `ping`.
    Pong,
    /// The session with ZooKeeper that its leadership depends on; told again whenever it is another one.
    ZookeeperSession(ZooKeeperSession),
    /// It has a keytab, and can obtain delegation tokens when it is asked to.
    CanObtainTokens,
    /// Answer to `obtainTokens`.
    Tokens(ObtainedTokens),
    /// Something failed for good; the application may end because of it.
    Failure {
        /// What, as the beginning of a sentence.
        what: String,
        /// Java's stack trace.
        #[serde(default)]
        trace: String,
    },
    /// The application ends.
    Deregister {
        /// Final status.
        status: Status,
        /// For YARN's report.
        #[serde(default)]
        diagnostics: String,
    },
    /// A type of a later version.
    #[serde(other)]
    Unknown,
}

impl fmt::Debug for FromJvm {
    /// Leaves out arguments, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello { protocol, flink, pid } => {
                write!(f, "hello (protocol {protocol}, Flink {flink}, process {pid})")
            }
            Self::Ready { rest, rpc } => write!(f, "ready (REST {rest:?}, RPC {rpc})"),
            Self::Request { id, memory_mb, vcores, .. } => {
                write!(f, "request {id} ({memory_mb} MB, {vcores} vcores)")
            }
            Self::Cancel { id } => write!(f, "cancel {id}"),
            Self::Launch { id, worker } => write!(f, "launch {id} in {worker}"),
            Self::Release { worker } => write!(f, "release {worker}"),
            Self::Pong => f.write_str("pong"),
            Self::ZookeeperSession(session) => write!(f, "{session:?}"),
            Self::CanObtainTokens => f.write_str("it can obtain tokens"),
            Self::Tokens(obtained) => write!(f, "{obtained:?}"),
            Self::Failure { what, .. } => write!(f, "failure ({what})"),
            Self::Deregister { status, .. } => write!(f, "deregister ({status:?})"),
            Self::Unknown => f.write_str("a message of an unknown type"),
        }
    }
}

/// A session of a JobManager with ZooKeeper. Whoever knows it can end it, and with it the leadership.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZooKeeperSession {
    /// Its number, in hexadecimal digits.
    pub id: String,
    /// Its password, in base64. A secret.
    pub password: String,
}

impl fmt::Debug for ZooKeeperSession {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZooKeeper session 0x{}", self.id)
    }
}

/// Delegation tokens that the JobManager has obtained. Whoever has them can use the file systems as the user.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObtainedTokens {
    /// The bytes of a credentials file, in base64; none if nothing could be obtained. A secret.
    pub credentials: Option<String>,
    /// When the first of them ends unless it is renewed, in milliseconds since 1970; none if that is not
    /// known.
    pub expires: Option<u64>,
    /// Why some of them, or all, could not be obtained.
    pub failure: Option<String>,
}

impl fmt::Debug for ObtainedTokens {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { credentials, expires, failure } = self;
        let length = credentials.as_ref().map(String::len);
        write!(f, "tokens ({length:?} characters, until {expires:?}, failure {failure:?})")
    }
}

/// A TaskManager, in the words of the bridge's messages: for `previous` one that an earlier JobManager has
/// started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerInfo {
    /// Container id.
    pub worker: String,
    /// NodeManager, `host:port`.
    pub node: String,
    /// Its host.
    pub host: String,
}

/// How urgent a text for the JobManager's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// It is only for information.
    Info,
    /// Somebody should know it.
    Warn,
}

/// A line to the JobManager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ToJvm {
    /// Answer to `hello`: Flink may start.
    Start {
        /// Of the JobManager before this one, to be ended first.
        previous_session: Option<ZooKeeperSession>,
    },
    /// Asks for `pong`.
    Ping,
    /// Answer to `ready`.
    Registered {
        /// Largest container, MiB.
        max_memory_mb: u64,
        /// Largest container, virtual cores.
        max_vcores: u32,
        /// Largest container, further resources.
        resources: BTreeMap<String, u64>,
    },
    /// Follows `registered`, also when empty.
    Previous {
        /// TaskManagers that still run.
        workers: Vec<WorkerInfo>,
    },
    /// A container for a request.
    Allocated {
        /// The request.
        id: u64,
        /// Container, node and host.
        #[serde(flatten)]
        worker: WorkerInfo,
    },
    /// The request cannot be met.
    Failed {
        /// The request.
        id: u64,
        /// Why.
        reason: String,
    },
    /// A TaskManager is gone.
    Terminated {
        /// Its container.
        worker: String,
        /// Why.
        reason: String,
    },
    /// Asks for delegation tokens, if the JobManager has said that it can obtain them.
    ObtainTokens {
        /// URLs of the file systems that they are to be for.
        file_systems: Vec<String>,
    },
    /// A text for the JobManager's log.
    Log {
        /// How urgent it is.
        level: LogLevel,
        /// The text, for people.
        text: String,
    },
    /// The final status is with YARN.
    Deregistered,
    /// The application must end.
    Fatal {
        /// Why.
        reason: String,
    },
}

/// A line that cannot be read. Its text is left out, because it may hold secrets.
#[derive(Debug, thiserror::Error)]
#[error("a line of the JobManager cannot be read: {0}")]
pub struct DecodeError(#[from] serde_json::Error);

fn read_container_id<'de, D: Deserializer<'de>>(text: D) -> Result<ContainerId, D::Error> {
    String::deserialize(text)?.parse().map_err(|_| D::Error::custom("a worker that is no container id"))
}

/// Reads a line.
pub fn decode(line: &str) -> Result<FromJvm, DecodeError> {
    Ok(serde_json::from_str(line)?)
}

/// Writes a line, without its end.
pub fn encode(message: &ToJvm) -> Result<String, serde_json::Error> {
    serde_json::to_string(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::types::container_id;

    #[test]
    fn reads_every_type() {
        let cases = [
            (
                r#"{"type":"hello","protocol":2,"flink":"1.20.1","pid":7,"new":[1]}"#,
                FromJvm::Hello { protocol: 2, flink: "1.20.1".into(), pid: 7 },
            ),
            (r#"{"type":"pong"}"#, FromJvm::Pong),
            (
                r#"{"type":"zookeeperSession","id":"1f","password":"Af8="}"#,
                FromJvm::ZookeeperSession(ZooKeeperSession { id: "1f".into(), password: "Af8=".into() }),
            ),
            (r#"{"type":"ready","rest":null,"rpc":"h:1"}"#, FromJvm::Ready { rest: None, rpc: "h:1".into() }),
            (
                r#"{"type":"request","id":3,"memoryMb":1728,"vcores":2,"resources":{"yarn.io/gpu":1},
                   "jvmArgs":["-Xmx1"],"args":["-D","a=b c\n"]}"#,
                FromJvm::Request {
                    id: 3,
                    memory_mb: 1728,
                    vcores: 2,
                    resources: BTreeMap::from([("yarn.io/gpu".into(), 1)]),
                    jvm_args: vec!["-Xmx1".into()],
                    args: vec!["-D".into(), "a=b c\n".into()],
                },
            ),
            (r#"{"id":3,"type":"cancel"}"#, FromJvm::Cancel { id: 3 }),
            (
                r#"{"type":"launch","id":3,"worker":"container_1_0001_01_000002"}"#,
                FromJvm::Launch { id: 3, worker: container_id("c2") },
            ),
            (
                r#"{"type":"release","worker":"container_1_0001_01_000002"}"#,
                FromJvm::Release { worker: container_id("c2") },
            ),
            (
                r#"{"type":"failure","what":"w","trace":"a\n\tb"}"#,
                FromJvm::Failure { what: "w".into(), trace: "a\n\tb".into() },
            ),
            (
                r#"{"type":"deregister","status":"KILLED","diagnostics":"x"}"#,
                FromJvm::Deregister { status: Status::Killed, diagnostics: "x".into() },
            ),
            (
                r#"{"type":"deregister","status":"NEW_WORD"}"#,
                FromJvm::Deregister { status: Status::Undefined, diagnostics: String::new() },
            ),
            (r#"{"type":"canObtainTokens"}"#, FromJvm::CanObtainTokens),
            (
                r#"{"type":"tokens","credentials":"SERU","expires":1700000000000,"failure":null}"#,
                FromJvm::Tokens(ObtainedTokens {
                    credentials: Some("SERU".into()),
                    expires: Some(1_700_000_000_000),
                    failure: None,
                }),
            ),
            (
                r#"{"type":"tokens","failure":"no"}"#,
                FromJvm::Tokens(ObtainedTokens { failure: Some("no".into()), ..ObtainedTokens::default() }),
            ),
            (r#"{"type":"later","x":{"y":1}}"#, FromJvm::Unknown),
        ];
        for (line, message) in cases {
            assert_eq!(decode(line).unwrap(), message, "{line}");
        }
        let id = r#"{"type":"release","worker":"c"}"#;
        for bad in ["", "[]", "{}", r#"{"type":"cancel"}"#, r#"{"type":"cancel","id":-1}"#, id] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_the_documented_lines() {
        let worker = WorkerInfo { worker: "c".into(), node: "h:1".into(), host: "h".into() };
        let cases = [
            (
                ToJvm::Registered { max_memory_mb: 8192, max_vcores: 4, resources: BTreeMap::new() },
                r#"{"type":"registered","maxMemoryMb":8192,"maxVcores":4,"resources":{}}"#,
            ),
            (
                ToJvm::Previous { workers: vec![worker.clone()] },
                r#"{"type":"previous","workers":[{"worker":"c","node":"h:1","host":"h"}]}"#,
            ),
            (
                ToJvm::Allocated { id: 1, worker },
                r#"{"type":"allocated","id":1,"worker":"c","node":"h:1","host":"h"}"#,
            ),
            (ToJvm::Failed { id: 1, reason: "a\nb".into() }, r#"{"type":"failed","id":1,"reason":"a\nb"}"#),
            (
                ToJvm::Terminated { worker: "c".into(), reason: "r".into() },
                r#"{"type":"terminated","worker":"c","reason":"r"}"#,
            ),
            (
                ToJvm::Start {
                    previous_session: Some(ZooKeeperSession { id: "1f".into(), password: "Af8=".into() }),
                },
                r#"{"type":"start","previousSession":{"id":"1f","password":"Af8="}}"#,
            ),
            (ToJvm::Start { previous_session: None }, r#"{"type":"start","previousSession":null}"#),
            (ToJvm::Ping, r#"{"type":"ping"}"#),
            (
                ToJvm::ObtainTokens { file_systems: vec!["hdfs://ns".into()] },
                r#"{"type":"obtainTokens","fileSystems":["hdfs://ns"]}"#,
            ),
            (
                ToJvm::Log { level: LogLevel::Warn, text: "3 \"x\"".into() },
                r#"{"type":"log","level":"WARN","text":"3 \"x\""}"#,
            ),
            (ToJvm::Deregistered, r#"{"type":"deregistered"}"#),
            (ToJvm::Fatal { reason: "r".into() }, r#"{"type":"fatal","reason":"r"}"#),
        ];
        for (message, line) in cases {
            assert_eq!(encode(&message).unwrap(), line);
        }
    }

    #[test]
    fn no_secret_is_shown() {
        let line = r#"{"type":"request","id":1,"memoryMb":1,"vcores":1,"args":["-Dpassword=hush"]}"#;
        assert!(!format!("{:?}", decode(line).unwrap()).contains("hush"));
        let session = ZooKeeperSession { id: "1".into(), password: "hush".into() };
        let start = ToJvm::Start { previous_session: Some(session.clone()) };
        assert!(!format!("{start:?} {:?}", FromJvm::ZookeeperSession(session)).contains("hush"));
        let tokens = decode(r#"{"type":"tokens","credentials":"hush"}"#).unwrap();
        assert!(!format!("{tokens:?}").contains("hush"));
        let bad = decode(r#"{"type":"zookeeperSession","id":1,"password":"hush"}"#).unwrap_err();
        assert!(!bad.to_string().contains("hush"));
    }
}
