//! Failed calls: what was wanted, and why it failed.

use std::fmt;

use hadoop_rpc::{ConfError, RemoteKind, Retry, RpcError};

use crate::records::MissingField;

/// Why something failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The call failed, or the server answered with an exception.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The answer lacks what it must have.
    #[error(transparent)]
    Answer(#[from] MissingField),
    /// The Hadoop configuration does not say, or not rightly, where the server is.
    #[error(transparent)]
    Conf(#[from] ConfError),
    /// The Hadoop configuration cannot be used, for a reason that this crate has found.
    #[error("{0}")]
    Address(String),
}

/// A failed operation. Its text holds the cause, so there is no `source`.
#[derive(Debug, Clone)]
pub struct YarnError {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    doing: String,
    cause: Cause,
}

impl YarnError {
    /// `doing` completes the sentence "cannot …": `submit application_1_2 to queue 'a'`.
    pub(crate) fn new(doing: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self { inner: Box::new(Inner { doing: doing.into(), cause: cause.into() }) }
    }

    /// What was wanted, completing the sentence "cannot …".
    pub fn doing(&self) -> &str {
        &self.inner.doing
    }

    /// Why it failed.
    pub fn cause(&self) -> &Cause {
        &self.inner.cause
    }

    /// The failed call, if that was the cause.
    pub fn rpc(&self) -> Option<&RpcError> {
        match &self.inner.cause {
            Cause::Rpc(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the server answered with an exception of this kind.
    pub fn is_remote(&self, kind: RemoteKind) -> bool {
        self.rpc().is_some_and(|error| error.is_remote(kind))
    }

    /// Whether no server could be reached.
    pub fn is_unreachable(&self) -> bool {
        self.rpc().is_some_and(RpcError::is_unreachable)
    }

    /// Whether another try helps.
    pub fn retry(&self) -> Retry {
        self.rpc().map_or(Retry::No, RpcError::retry)
    }
}

impl fmt::Display for YarnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.inner.doing, self.inner.cause)
    }
}

impl std::error::Error for YarnError {}
