//! How a connection authenticates its user, and how it protects its messages afterwards. A client says with
//! [`AuthPolicy`] which SASL methods it may use. Methods that this crate does not have can be added as a
//! [`MechanismFactory`].

mod digest;
mod kerberos;
mod layer;
mod negotiate;
mod protection;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::endpoint::Endpoint;

pub use kerberos::KerberosProblem;
#[cfg(fuzzing)]
pub(crate) use layer::unwrap_with_each_cipher;
pub(crate) use negotiate::{Authenticated, Negotiation, Next};
pub use protection::Protection;

/// How connections authenticate.
#[derive(Debug, Clone)]
pub enum AuthPolicy {
    /// No SASL: the server believes the user name. A server that requires authentication refuses the
    /// connection with an error that says so.
    Simple,
    /// SASL. Of the methods that the server offers, in the *server's* order, the first one is used that is in
    /// this list and for which the client has what the method needs.
    Sasl(Vec<SaslMethod>),
}

impl AuthPolicy {
    /// Only a token of this kind (with DIGEST-MD5), whose service is the server's address or is empty.
    pub fn token(kind: impl Into<String>) -> Self {
        Self::Sasl(vec![SaslMethod::Token(TokenSelector { kind: kind.into(), service: None })])
    }

    /// A token of this kind if the client has one, or else no authentication if the server allows that.
    pub fn token_or_simple(kind: impl Into<String>) -> Self {
        let token = SaslMethod::Token(TokenSelector { kind: kind.into(), service: None });
        Self::Sasl(vec![token, SaslMethod::Simple])
    }
}

/// A way to authenticate inside SASL.
#[derive(Clone)]
pub enum SaslMethod {
    /// `TOKEN` with mechanism DIGEST-MD5: a delegation token from the client's
    /// [`TokenSource`](crate::TokenSource).
    Token(TokenSelector),
    /// `SIMPLE`: the server lets the client continue without authentication.
    Simple,
    /// Another mechanism, Kerberos for example.
    Other(Arc<dyn MechanismFactory>),
}

impl fmt::Debug for SaslMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(selector) => f.debug_tuple("Token").field(selector).finish(),
            Self::Simple => f.write_str("Simple"),
            Self::Other(factory) => write!(f, "Other({})", factory.method()),
        }
    }
}

/// Which token to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSelector {
    /// The kind of the token, as in the credentials file.
    pub kind: String,
    /// The service of the token if it is not the address of the connection but, for example, a logical name.
    /// A token with an empty service can always be used.
    pub service: Option<String>,
}

/// What the server says about one method that it offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslOffer {
    /// The method: `TOKEN`, `KERBEROS` or `SIMPLE`.
    pub method: String,
    /// The mechanism of SASL: `DIGEST-MD5`, `GSSAPI`, or empty for `SIMPLE`.
    pub mechanism: String,
    /// The service part of the server's principal.
    pub protocol: String,
    /// The host part of the server's principal, or `default` for tokens.
    pub server_id: String,
}

/// The connection on which an authentication starts.
#[derive(Debug, Clone, Copy)]
pub struct SaslConnection<'a> {
    /// The server, by the name that the configuration has for it.
    pub endpoint: &'a Endpoint,
    /// The address to which that name led.
    pub peer: SocketAddr,
    /// The protections of messages that are allowed, in any order.
    pub protection: &'a [Protection],
}

/// Makes a [`Mechanism`] for each authentication with one method, such as `KERBEROS`, which the crate
/// `hadoop-gssapi` adds. Starting and the steps may block: they run in a thread of their own, within the time
/// of the handshake. Protecting and opening messages must not block.
pub trait MechanismFactory: Send + Sync {
    /// The method's name in Hadoop, such as `KERBEROS`.
    fn method(&self) -> &str;
    /// Starts one authentication. `Ok(None)` if the client lacks what the method needs; then the next one is
    /// tried.
    fn start(
        &self,
        offer: &SaslOffer,
        connection: SaslConnection<'_>,
    ) -> Result<Option<Box<dyn Mechanism>>, SaslError>;
}

/// One running authentication, on the client's side.
pub trait Mechanism: Send {
    /// Answers a challenge. `None` is the start of a mechanism in which the client sends the first message.
    fn step(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, SaslError>;
    /// Checks the last token of the server, which came with its report of success (`None` if it sent none).
    /// Returns the protection that was agreed for what follows (`None` if messages are plain).
    fn finish(&mut self, last: Option<&[u8]>) -> Result<Option<SecurityLayer>, SaslError>;
}

/// Protection of messages after authentication, one half for each direction.
pub struct SecurityLayer {
    /// For messages to the server.
    pub wrap: Box<dyn Wrap>,
    /// For messages from the server.
    pub unwrap: Box<dyn Unwrap>,
}

/// Protects what goes to the server.
pub trait Wrap: Send {
    /// The longest plain text that one call accepts, in bytes.
    fn max_plain(&self) -> usize;
    /// Protects one piece of at most that length.
    fn wrap(&mut self, plain: &[u8]) -> Result<Vec<u8>, SaslError>;
}

/// Opens what comes from the server.
pub trait Unwrap: Send {
    /// Checks and opens one piece.
    fn unwrap(&mut self, wrapped: &[u8]) -> Result<Vec<u8>, SaslError>;
}

/// Why an authentication failed, in words that contain no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The two sides agree on no method or mechanism, or a message or a proof was wrong.
    #[error("{0}")]
    Failed(String),
    /// The server offers no protection of messages that `hadoop.rpc.protection` allows here.
    #[error("{}", weaker(server, client))]
    Protection {
        /// What the server offers.
        server: String,
        /// What is allowed here.
        client: String,
    },
    /// Kerberos failed on this side, before the server could judge anything.
    #[error("{why}")]
    Kerberos {
        /// What kind of problem it is, which decides what can be done about it.
        problem: KerberosProblem,
        /// What was being done and why it failed, in words.
        why: String,
    },
}

/// The words for a server whose protections are none of those that are allowed here.
pub(crate) fn weaker(server: &str, client: &str) -> String {
    format!(
        "the server offers {server} for the protection of messages, but hadoop.rpc.protection here allows only {client}"
    )
}
