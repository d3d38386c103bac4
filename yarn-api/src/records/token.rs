//! Conversions of tokens to and from their messages on the wire. The records contain tokens as
//! [`hadoop_rpc::Token`], whose `Debug` text hides the password.

use hadoop_rpc::Token;

use super::ids::NodeId;
use super::wire::{MissingField, required};
use crate::proto::{common, yarn as pb};

pub(crate) fn token_from(p: common::Token) -> Token {
    Token { kind: p.kind, service: p.service, identifier: p.identifier, password: p.password }
}

pub(crate) fn token_to(token: &Token) -> common::Token {
    common::Token {
        kind: token.kind.clone(),
        service: token.service.clone(),
        identifier: token.identifier.clone(),
        password: token.password.clone(),
    }
}

/// The token with which an ApplicationMaster calls one NodeManager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NmToken {
    /// The NodeManager.
    pub node: NodeId,
    /// The token.
    pub token: Token,
}

impl NmToken {
    pub(crate) fn from_proto(p: pb::NmToken) -> Result<Self, MissingField> {
        Ok(Self { node: NodeId::from_proto(p.node_id)?, token: token_from(required(p.token, "NMToken")?) })
    }
}
