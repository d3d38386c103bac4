//! Says as whom the user is logged in to a cluster with Kerberos, and which tokens were given to this process
//! (`heddle ps`). No secret is part of it.

use hadoop_fs::TokenIdentity;
use hadoop_rpc::Token;
use serde::Serialize;

use crate::hadoop::Hadoop;
use crate::units::iso;

/// As whom the user is logged in. The field names are those of `--output json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The principal, or the user for whom it acts.
    pub principal: String,
    /// The user who acts for the other one, if there are two.
    #[serde(rename = "actingPrincipal")]
    pub acting: Option<String>,
    /// The name that servers have for the user.
    pub name: String,
    /// With what the user was logged in, such as `with the keytab /k`.
    #[serde(rename = "login")]
    pub via: String,
    /// The tokens that were given to this process.
    pub tokens: Vec<GivenToken>,
}

/// A token that was given to this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenToken {
    /// Its kind, such as `HDFS_DELEGATION_TOKEN`.
    pub kind: String,
    /// The server that it is for.
    pub service: String,
    /// The user whom it is for, if the token says so.
    pub owner: Option<String>,
    /// When it ends at the latest, in ISO 8601, if the token says so.
    pub ends: Option<String>,
}

impl Identity {
    /// As whom one is logged in here; `None` without Kerberos.
    pub fn of(hadoop: &Hadoop) -> Option<Self> {
        if hadoop.via.is_name() {
            return None;
        }
        let user = hadoop.login.user();
        let tokens = hadoop.login.tokens().get();
        Some(Self {
            principal: user.effective.clone(),
            acting: user.real.clone(),
            name: user.short_name().to_owned(),
            via: hadoop.via.to_string(),
            tokens: tokens.tokens.values().map(GivenToken::of).collect(),
        })
    }
}

impl Identity {
    /// When the first of the given tokens ends at the latest, in ISO 8601; `None` if no token says that.
    pub fn first_end(&self) -> Option<&str> {
        // All texts have the same form, in which the order of the texts is that of the times.
        self.tokens.iter().filter_map(|token| token.ends.as_deref()).min()
    }
}

impl GivenToken {
    fn of(token: &Token) -> Self {
        let identity = TokenIdentity::of(token);
        Self {
            kind: token.kind.clone(),
            service: token.service.clone(),
            ends: identity.as_ref().and_then(|identity| iso(identity.max_date_ms)),
            owner: identity.map(|identity| identity.owner),
        }
    }
}
