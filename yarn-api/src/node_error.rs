//! The error of a failed call to a NodeManager. Its kind says what an ApplicationMaster can do about it.
//! NodeManagers report many refusals with the same Java class, so the text of a refusal counts, too.

use hadoop_rpc::{RemoteKind, Retry, RpcError};

use crate::error::YarnError;
use crate::proto::yarn as pb;
use crate::records::NodeId;

/// Why a NodeManager did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeErrorKind {
    /// The ResourceManager has sent no token for the node, or none with the container.
    NoToken,
    /// The grant of the container is not valid any more: it is too old, the clocks of the machines differ, or
    /// it was made before the ResourceManager was restarted. The container has to be released and requested
    /// again.
    GrantInvalid,
    /// The NodeManager does not accept the token for the node or for the container.
    TokenRefused,
    /// The NodeManager has not registered with the ResourceManager yet: try again soon.
    NotReady,
    /// The container was started before. If an earlier call to start it has ended as
    /// [`Uncertain`](Self::Uncertain), that call was successful.
    AlreadyStarted,
    /// The NodeManager does not know the container (any more).
    UnknownContainer,
    /// No connection could be made, so nothing has been done.
    Unreachable,
    /// The request may have been sent, but no answer came, so it may have been done.
    Uncertain,
    /// The NodeManager refuses for another reason, and would refuse again.
    Refused,
}

/// A failed call to a NodeManager.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub struct NodeError {
    /// The kind of failure, for decisions.
    pub kind: NodeErrorKind,
    /// The node.
    pub node: NodeId,
    text: String,
}

impl NodeError {
    pub(crate) fn stated(kind: NodeErrorKind, node: &NodeId, doing: &str, why: &str) -> Self {
        Self { kind, node: node.clone(), text: format!("cannot {doing}: {why}") }
    }

    pub(crate) fn rpc(node: &NodeId, doing: &str, error: RpcError) -> Self {
        let kind = match (error.remote(), error.retry()) {
            (Some(remote), _) => NodeErrorKind::of_exception(&remote.java_class, &remote.full_text),
            (None, Retry::OtherServer | Retry::Later) => NodeErrorKind::Unreachable,
            (None, Retry::IfIdempotent) => NodeErrorKind::Uncertain,
            (None, Retry::No) => NodeErrorKind::Refused,
        };
        Self { kind, node: node.clone(), text: YarnError::new(doing, error).to_string() }
    }

    /// The error for an exception in an answer, which the NodeManager reports for one container.
    pub(crate) fn exception(node: &NodeId, doing: &str, exception: &pb::SerializedException) -> Self {
        let (class, message) = (exception.class_name(), exception.message());
        let text: Vec<_> = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let short = class.rsplit(['.', '$']).next().unwrap_or_default();
        let kind = NodeErrorKind::of_exception(class, message);
        Self::stated(kind, node, doing, &format!("{} ({short})", text.join(" ")))
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, NodeErrorKind::NotReady | NodeErrorKind::Unreachable | NodeErrorKind::Uncertain)
    }
}

impl NodeErrorKind {
    /// The kind of failure that an exception stands for, by its class or, if the class does not say it, by
    /// its text.
    fn of_exception(class: &str, text: &str) -> Self {
        let short = class.rsplit(['.', '$']).next().unwrap_or_default();
        match RemoteKind::of_exception(short, text).into() {
            // A NodeManager uses the same texts for these refusals also in exceptions of other classes.
            Self::Refused => RemoteKind::of_exception("YarnException", text).into(),
            kind => kind,
        }
    }
}

impl From<RemoteKind> for NodeErrorKind {
    fn from(kind: RemoteKind) -> Self {
        match kind {
            RemoteKind::NotReady => Self::NotReady,
            RemoteKind::InvalidContainer | RemoteKind::ContainerGrantExpired => Self::GrantInvalid,
            RemoteKind::InvalidToken | RemoteKind::Sasl | RemoteKind::UnauthorizedRequest => {
                Self::TokenRefused
            }
            RemoteKind::ContainerAlreadyStarted => Self::AlreadyStarted,
            RemoteKind::ContainerNotHandled => Self::UnknownContainer,
            _ => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let yarn = "org.apache.hadoop.yarn.exceptions.YarnException";
        let expired =
            "Unauthorized request to start container. \nThis token is expired. current time is 2 found 1";
        assert_eq!(NodeErrorKind::of_exception(yarn, expired), NodeErrorKind::GrantInvalid);
        assert_eq!(
            NodeErrorKind::of_exception(yarn, "Unauthorized request to start container. \nx"),
            NodeErrorKind::TokenRefused
        );
        let other = "java.io.IOException";
        let running = "Container c already is running on this node!!";
        assert_eq!(NodeErrorKind::of_exception(other, running), NodeErrorKind::AlreadyStarted);
        let token = "org.apache.hadoop.security.token.SecretManager$InvalidToken";
        assert_eq!(NodeErrorKind::of_exception(token, ""), NodeErrorKind::TokenRefused);
        assert_eq!(NodeErrorKind::of_exception(other, "disk"), NodeErrorKind::Refused);
    }

    #[test]
    fn text_of_an_exception() {
        let node = NodeId { host: "h".into(), port: 1 };
        let exception = pb::SerializedException {
            message: Some("Container c is not handled by this NodeManager\n at x".into()),
            class_name: Some("a.b.YarnException".into()),
            ..Default::default()
        };
        let error = NodeError::exception(&node, "stop c on h:1", &exception);
        assert_eq!(error.kind, NodeErrorKind::UnknownContainer);
        assert_eq!(
            error.to_string(),
            "cannot stop c on h:1: Container c is not handled by this NodeManager at x (YarnException)"
        );
    }
}
