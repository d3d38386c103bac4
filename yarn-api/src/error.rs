//! The error of a failed call to YARN: what was to be done, and why that has failed. Its text contains both,
//! so that it can be shown to a user as it is.

use std::fmt;

use hadoop_rpc::{ConfError, RemoteKind, Retry, RpcError};

use crate::records::MissingField;

/// Why an operation failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The call failed, or the server answered with an exception.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The answer lacks a field that it must have.
    #[error(transparent)]
    Answer(#[from] MissingField),
    /// A value of the Hadoop configuration that is needed to find the server cannot be read.
    #[error(transparent)]
    Conf(#[from] ConfError),
    /// The Hadoop configuration names no ResourceManager, or names one without an address.
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

    /// What was to be done; it completes the sentence "cannot …".
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

    /// Whether no connection to a server could be made.
    pub fn is_unreachable(&self) -> bool {
        self.rpc().is_some_and(RpcError::is_unreachable)
    }

    /// Whether another try can help.
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
