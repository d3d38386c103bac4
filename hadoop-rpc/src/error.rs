//! The error of a failed call. It says which method was called at which address, why the call has failed, and
//! whether another try can help, so that callers can decide by values instead of texts.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::java_exceptions::RemoteKind;
use crate::remote::RemoteException;
use crate::retry::Retry;
use crate::sasl::{self, KerberosProblem, SaslError};

/// How far a request had got when its connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// No byte of the request was handed to the operating system, so the server has not executed it.
    No,
    /// The request may have reached the server, and may have been executed.
    Maybe,
}

/// Why a call failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host name has no address.
    Resolve(Arc<io::Error>),
    /// No connection could be made.
    Connect(Arc<io::Error>),
    /// No connection was made within this time.
    ConnectTimeout(Duration),
    /// The connection was made, but the server did not finish the handshake within the time.
    HandshakeTimeout(Duration),
    /// Server and client agree on no way to authenticate, or the server's proof was wrong.
    Auth(String),
    /// The server offers no protection of messages that `hadoop.rpc.protection` allows here.
    Protection {
        /// What the server offers, in Hadoop's names.
        server: String,
        /// What is allowed here.
        client: String,
    },
    /// Kerberos failed on this side, before the server could judge anything.
    Kerberos {
        /// What kind of problem it is.
        problem: KerberosProblem,
        /// What was being done and why it failed, in words.
        why: String,
    },
    /// No answer came within the deadline of the call.
    Deadline {
        /// The deadline.
        after: Duration,
        /// Whether the request may have been sent.
        sent: Sent,
    },
    /// The connection ended while the call was waiting.
    Disconnected {
        /// Why, in words.
        cause: String,
        /// Whether the request may have been sent.
        sent: Sent,
    },
    /// The other side does not speak Hadoop RPC (an HTTP port, for example).
    NotHadoopRpc(String),
    /// A message is larger than allowed.
    TooLarge {
        /// The size of the message in bytes.
        size: u64,
        /// The bound in bytes.
        limit: u64,
    },
    /// The answer could not be understood.
    Malformed(String),
    /// The server answered with an exception.
    Remote(RemoteException),
    /// The client was closed while the call was waiting.
    Closed,
}

/// A failed call.
#[derive(Debug, Clone)]
pub struct RpcError {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    operation: &'static str,
    address: String,
    kind: ErrorKind,
    attempts: u32,
    elapsed: Duration,
}

impl RpcError {
    /// An error of the call `operation` to `address` (as a person writes it: `host:port`).
    pub fn new(operation: &'static str, address: impl Into<String>, kind: ErrorKind) -> Self {
        let inner = Inner { operation, address: address.into(), kind, attempts: 1, elapsed: Duration::ZERO };
        Self { inner: Box::new(inner) }
    }

    /// The error of an answer that lacks something required. It is for typed clients that use this crate.
    pub fn malformed(operation: &'static str, address: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(operation, address, ErrorKind::Malformed(what.into()))
    }

    pub(crate) fn after(mut self, attempts: u32, elapsed: Duration) -> Self {
        self.inner.attempts = attempts;
        self.inner.elapsed = elapsed;
        self
    }

    /// Why the call failed.
    pub fn kind(&self) -> &ErrorKind {
        &self.inner.kind
    }

    /// The method that was called.
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }

    /// The address of the server that was called.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// How many tries were made. A server that was asked again while another one did not answer counts once.
    pub fn attempts(&self) -> u32 {
        self.inner.attempts
    }

    /// The server's exception, if the server answered with one.
    pub fn remote(&self) -> Option<&RemoteException> {
        match &self.inner.kind {
            ErrorKind::Remote(remote) => Some(remote),
            _ => None,
        }
    }

    /// What the server's exception is about, if the server answered with one.
    pub fn remote_kind(&self) -> Option<RemoteKind> {
        self.remote().map(|r| r.kind)
    }

    /// Whether the server answered with an exception of this kind.
    pub fn is_remote(&self, kind: RemoteKind) -> bool {
        self.remote_kind() == Some(kind)
    }

    /// Whether no connection to the server could be made. An answer that is wrong or late does not count.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self.inner.kind,
            ErrorKind::Resolve(_) | ErrorKind::Connect(_) | ErrorKind::ConnectTimeout(_)
        )
    }

    /// Whether the server's name has no address.
    pub fn is_unknown_host(&self) -> bool {
        matches!(self.inner.kind, ErrorKind::Resolve(_))
    }

    /// Whether a deadline has passed without an answer.
    pub(crate) fn is_late(&self) -> bool {
        matches!(
            self.inner.kind,
            ErrorKind::ConnectTimeout(_) | ErrorKind::HandshakeTimeout(_) | ErrorKind::Deadline { .. }
        )
    }

    /// Whether another try can help.
    pub fn retry(&self) -> Retry {
        match &self.inner.kind {
            ErrorKind::Resolve(_) | ErrorKind::Connect(_) => Retry::OtherServer,
            ErrorKind::ConnectTimeout(_) | ErrorKind::HandshakeTimeout(_) => Retry::OtherServer,
            ErrorKind::Deadline { sent: Sent::No, .. } => Retry::OtherServer,
            ErrorKind::Disconnected { sent: Sent::No, .. } => Retry::OtherServer,
            ErrorKind::Deadline { .. } | ErrorKind::Disconnected { .. } => Retry::IfIdempotent,
            ErrorKind::Remote(remote) => remote.retry,
            ErrorKind::Auth(_) | ErrorKind::NotHadoopRpc(_) | ErrorKind::TooLarge { .. } => Retry::No,
            ErrorKind::Protection { .. } | ErrorKind::Malformed(_) | ErrorKind::Closed => Retry::No,
            // The Kerberos library has asked each KDC several times.
            ErrorKind::Kerberos { .. } => Retry::No,
        }
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { operation, address, kind, attempts, elapsed } = &*self.inner;
        write!(f, "{operation} on {address}: {kind}")?;
        if *attempts > 1 {
            write!(f, " (after {attempts} attempts in {:.1} s)", elapsed.as_secs_f64())?;
        }
        Ok(())
    }
}

impl std::error::Error for RpcError {}

impl From<SaslError> for ErrorKind {
    fn from(error: SaslError) -> Self {
        match error {
            SaslError::Failed(why) => Self::Auth(why),
            SaslError::Protection { server, client } => Self::Protection { server, client },
            SaslError::Kerberos { problem, why } => Self::Kerberos { problem, why },
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(e) => write!(f, "the host name cannot be resolved: {e}"),
            Self::Connect(e) => write!(f, "cannot connect: {e}"),
            Self::ConnectTimeout(after) => write!(f, "no connection within {}", Seconds(*after)),
            Self::HandshakeTimeout(after) => {
                write!(
                    f,
                    "connected, but the server did not complete the handshake within {}",
                    Seconds(*after)
                )
            }
            Self::Auth(why) => write!(f, "authentication failed: {why}"),
            Self::Kerberos { problem: KerberosProblem::Downgrade, why } => {
                write!(f, "authentication failed: {why}")
            }
            Self::Kerberos { why, .. } => write!(f, "authentication with Kerberos failed: {why}"),
            Self::Protection { server, client } => f.write_str(&sasl::weaker(server, client)),
            Self::Deadline { after, sent: Sent::Maybe } => write!(f, "no answer within {}", Seconds(*after)),
            Self::Deadline { after, sent: Sent::No } => {
                write!(f, "the request could not be sent within {}", Seconds(*after))
            }
            Self::Disconnected { cause, sent: Sent::No } => {
                write!(f, "the connection broke before the request was sent: {cause}")
            }
            Self::Disconnected { cause, sent: Sent::Maybe } => {
                write!(f, "the connection broke before the answer came: {cause}")
            }
            Self::NotHadoopRpc(what) => write!(f, "this is not a Hadoop RPC port: {what}"),
            Self::TooLarge { size, limit } => {
                write!(f, "a message of {size} bytes is larger than the limit of {limit} bytes")
            }
            Self::Malformed(what) => write!(f, "the answer cannot be understood: {what}"),
            Self::Remote(remote) => {
                f.write_str(before(remote))?;
                remote.fmt(f)
            }
            Self::Closed => f.write_str("the client was closed"),
        }
    }
}

/// What servers leave out because they know it: which proof they did not take, and what is set on this side.
fn before(remote: &RemoteException) -> &'static str {
    match remote.kind {
        RemoteKind::InvalidToken => {
            "the server does not accept the token, which has expired or was cancelled: "
        }
        RemoteKind::AuthenticationRequired if remote.full_text.contains("KERBEROS") => {
            "the server requires Kerberos, but hadoop.security.authentication is simple in the configuration here: "
        }
        _ => "",
    }
}

/// A duration as people write it: `5 s`, `0.25 s`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(class: &str, text: &str) -> String {
        ErrorKind::Remote(RemoteException::new(class.into(), text.into(), true)).to_string()
    }

    #[test]
    fn a_refusal_says_what_was_not_taken() {
        let class = "org.apache.hadoop.security.token.SecretManager$InvalidToken";
        assert_eq!(
            remote(class, "token (token for ann: N) can't be found in cache"),
            "the server does not accept the token, which has expired or was cancelled: token (token for ann: N) can't \
             be found in cache (InvalidToken)"
        );
        let class = "org.apache.hadoop.security.AccessControlException";
        let secured = remote(class, "SIMPLE authentication is not enabled.  Available:[TOKEN, KERBEROS]");
        assert!(secured.starts_with("the server requires Kerberos, but hadoop.security.auth"), "{secured}");
        assert!(secured.ends_with("Available:[TOKEN, KERBEROS] (AccessControlException)"), "{secured}");
        let token = remote(class, "SIMPLE authentication is not enabled.  Available:[TOKEN]");
        assert!(token.starts_with("SIMPLE authentication is not enabled."), "{token}");
        assert!(remote(class, "Permission denied").starts_with("Permission denied"));
    }

    #[test]
    fn a_downgrade_is_no_failure_of_kerberos() {
        let of = |problem| ErrorKind::Kerberos { problem, why: "no".into() }.to_string();
        assert_eq!(of(KerberosProblem::Downgrade), "authentication failed: no");
        assert_eq!(of(KerberosProblem::Expired), "authentication with Kerberos failed: no");
    }
}
