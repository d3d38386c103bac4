//! How a connection proves who is calling: which SASL methods may be used, and the hook for further ones.

mod digest;
mod layer;
mod negotiate;

use std::fmt;
use std::sync::Arc;

use crate::endpoint::Endpoint;

pub(crate) use negotiate::{Authenticated, Negotiation, Next};

/// How connections authenticate.
#[derive(Debug, Clone)]
pub enum AuthPolicy {
    /// No SASL: the server believes the user name. A server that wants more refuses with a clear error.
    Simple,
    /// SASL: the first method in the *server's* order that is in this list and has what it needs.
    Sasl(Vec<SaslMethod>),
}

impl AuthPolicy {
    /// Only tokens of this kind (DIGEST-MD5), whose service is the server's address or empty.
    pub fn token(kind: impl Into<String>) -> Self {
        Self::Sasl(vec![SaslMethod::Token(TokenSelector { kind: kind.into(), service: None })])
    }

    /// A token of this kind if there is one, else no authentication if the server allows that.
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
    /// `SIMPLE`: the server lets the client go on without proof.
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
    /// Token kind, as in the credentials file.
    pub kind: String,
    /// Service of the token if it is not the address of the connection (a logical name, for example). A token
    /// with an empty service fits always.
    pub service: Option<String>,
}

/// What the server says about one method that it offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslOffer {
    /// `TOKEN`, `KERBEROS`, `SIMPLE`.
    pub method: String,
    /// `DIGEST-MD5`, `GSSAPI`, empty.
    pub mechanism: String,
    /// Service part of the server's principal.
    pub protocol: String,
    /// Host part of the server's principal, or `default` for tokens.
    pub server_id: String,
}

/// Makes [`Mechanism`]s for one method; what Kerberos will implement.
pub trait MechanismFactory: Send + Sync {
    /// The method's name in Hadoop: `KERBEROS`.
    fn method(&self) -> &str;
    /// Starts one authentication. `Ok(None)`: the client lacks what the method needs, so try the next one.
    fn start(&self, offer: &SaslOffer, endpoint: &Endpoint) -> Result<Option<Box<dyn Mechanism>>, SaslError>;
}

/// One running authentication, on the client's side.
pub trait Mechanism: Send {
    /// Answers a challenge. `None` is the start, for mechanisms in which the client speaks first.
    fn step(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, SaslError>;
    /// Checks the last token of the server, which came with its success (`None`: it sent none), and gives the
    /// protection that was negotiated for what follows (`None`: plain).
    fn finish(&mut self, last: Option<&[u8]>) -> Result<Option<SecurityLayer>, SaslError>;
}

/// Protection of messages after authentication, one half for each direction.
pub struct SecurityLayer {
    /// To the server.
    pub wrap: Box<dyn Wrap>,
    /// From the server.
    pub unwrap: Box<dyn Unwrap>,
}

/// Protects what goes to the server.
pub trait Wrap: Send {
    /// Longest plain text that one call takes, in bytes.
    fn max_plain(&self) -> usize;
    /// Protects one piece.
    fn wrap(&mut self, plain: &[u8]) -> Result<Vec<u8>, SaslError>;
}

/// Opens what comes from the server.
pub trait Unwrap: Send {
    /// Checks and opens one piece.
    fn unwrap(&mut self, wrapped: &[u8]) -> Result<Vec<u8>, SaslError>;
}

/// Quality of protection, with Hadoop's names in `hadoop.rpc.protection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protection {
    /// `authentication` (SASL `auth`): messages are plain.
    Authentication,
    /// `integrity` (`auth-int`): messages are signed.
    Integrity,
    /// `privacy` (`auth-conf`): messages are signed and encrypted.
    Privacy,
}

impl Protection {
    /// All, the cheapest first.
    pub const ALL: [Self; 3] = [Self::Authentication, Self::Integrity, Self::Privacy];

    /// Hadoop's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Integrity => "integrity",
            Self::Privacy => "privacy",
        }
    }

    /// From Hadoop's name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name().eq_ignore_ascii_case(name.trim()))
    }

    fn qop(self) -> &'static str {
        match self {
            Self::Authentication => "auth",
            Self::Integrity => "auth-int",
            Self::Privacy => "auth-conf",
        }
    }
}

/// Why an authentication failed; holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SaslError(pub String);
