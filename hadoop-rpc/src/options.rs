//! How a client connects and calls. The caller decides this, but for the protection of messages, which is
//! always that of Hadoop's configuration.

use std::time::Duration;

use crate::conf::{ConfError, HadoopConf};
use crate::login::Login;
use crate::protocol::ProtocolSecurity;
use crate::sasl::{AuthPolicy, Protection};

/// How a client connects and calls.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The user who calls, with tokens that may be replaced while the client exists.
    pub login: Login,
    /// How connections authenticate.
    pub auth: AuthPolicy,
    /// The protections of messages after SASL that are allowed (`hadoop.rpc.protection`), in any order. Of
    /// those that the server offers too, the strongest is used; a server that offers none of them is refused.
    /// As in Hadoop, they do not matter to a connection without SASL, or with method SIMPLE.
    pub protection: Vec<Protection>,
    /// The deadline of a call, including the time to connect, unless the options of the call say otherwise.
    pub deadline: Duration,
    /// The deadline for resolving the name and connecting. The handshake that follows has the same time
    /// again.
    pub connect_timeout: Duration,
    /// The largest message that is accepted from the server, in bytes.
    pub max_frame: usize,
}

impl ClientOptions {
    /// Options with the protections that the configuration allows, with simple authentication, even if the
    /// login has tokens, and with 30 s for a call, 10 s to connect, and 64 MiB for a message. It is an error
    /// if the configuration names a protection that Hadoop does not have.
    pub fn simple(conf: &HadoopConf, login: Login) -> Result<Self, ConfError> {
        Ok(Self {
            login,
            auth: AuthPolicy::Simple,
            protection: Protection::allowed(conf)?,
            deadline: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            max_frame: 64 << 20,
        })
    }

    /// The same as [`simple`](Self::simple), with the authentication that the configuration says, for servers
    /// of a protocol with this security (see [`AuthPolicy::of`]).
    pub fn of(
        conf: &HadoopConf,
        login: Login,
        security: &ProtocolSecurity,
        service: Option<&str>,
    ) -> Result<Self, ConfError> {
        let auth = AuthPolicy::of(conf, &login, security, service)?;
        Ok(Self::simple(conf, login)?.with_auth(auth))
    }

    /// The same options with another way to authenticate.
    pub fn with_auth(self, auth: AuthPolicy) -> Self {
        Self { auth, ..self }
    }
}

/// What differs for one call from the client's options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// The deadline of each try; `None` stands for that of the client.
    pub deadline: Option<Duration>,
    /// Whether it does no harm if the server executes the call twice. Then the call may be repeated also
    /// after a failure that leaves open whether the server has executed it.
    pub idempotent: bool,
}
