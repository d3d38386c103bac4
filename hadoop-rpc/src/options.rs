//! Which protocol a client speaks, and how it connects and calls.

use std::time::Duration;

use crate::login::Login;
use crate::sasl::{AuthPolicy, Protection};

/// The Java interface that is called, and its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol {
    /// Fully qualified name: `org.apache.hadoop.hdfs.protocol.ClientProtocol`.
    pub name: &'static str,
    /// Version, nearly always 1.
    pub version: u64,
}

/// How a client connects and calls.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Who calls, with tokens that may be replaced while the client lives.
    pub login: Login,
    /// How connections authenticate.
    pub auth: AuthPolicy,
    /// Protections of messages after SASL that the client accepts, the preferred one first
    /// (`hadoop.rpc.protection`).
    pub protection: Vec<Protection>,
    /// Deadline of a call, the time to connect included, unless the call says otherwise.
    pub deadline: Duration,
    /// Deadline for resolving the name and connecting.
    pub connect_timeout: Duration,
    /// Largest message accepted from the server, in bytes.
    pub max_frame: usize,
}

impl ClientOptions {
    /// Simple authentication, even if the login has tokens. 30 s per call, 10 s to connect, 64 MiB per
    /// message.
    pub fn simple(login: Login) -> Self {
        Self {
            login,
            auth: AuthPolicy::Simple,
            protection: Protection::ALL.to_vec(),
            deadline: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            max_frame: 64 << 20,
        }
    }

    /// The same with another way to authenticate.
    pub fn with_auth(self, auth: AuthPolicy) -> Self {
        Self { auth, ..self }
    }
}

/// What differs for one call from the client's options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// Deadline of each try; `None`: the client's.
    pub deadline: Option<Duration>,
    /// Executing the call twice does no harm, so it may be repeated after an uncertain end.
    pub idempotent: bool,
}
