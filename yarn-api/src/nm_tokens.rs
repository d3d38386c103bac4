//! The tokens with which an ApplicationMaster calls NodeManagers. They are kept in a cache, because the
//! ResourceManager does not send the token for a node with every container on that node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hadoop_rpc::{Credentials, TokenSource};

use crate::records::{NmToken, NodeId};

/// The kind of the tokens for NodeManagers.
pub const NM_TOKEN: &str = "NMToken";

/// The latest token for each node. Clones share the tokens.
///
/// The ResourceManager sends the token for a node with the first container on that node, and a new one only
/// when the ResourceManager's key changes. So tokens must be kept until the attempt ends.
#[derive(Debug, Clone, Default)]
pub struct NmTokenCache {
    nodes: Arc<Mutex<HashMap<NodeId, TokenSource>>>,
}

impl NmTokenCache {
    /// Adds tokens. A new token for a node replaces the older one, also for a connection that is open: the
    /// next call opens a new one.
    pub fn update(&self, tokens: &[NmToken]) {
        let mut nodes = self.lock();
        for NmToken { node, token } in tokens {
            let mut token = token.clone();
            // The token's service is an address as text, which may differ from the address that the client
            // uses.
            token.service.clear();
            match nodes.get(node) {
                Some(source) => source.put(NM_TOKEN, token),
                None => {
                    let source = TokenSource::new(Credentials::default());
                    source.put(NM_TOKEN, token);
                    nodes.insert(node.clone(), source);
                }
            }
        }
    }

    /// Whether there is a token for this node.
    pub fn contains(&self, node: &NodeId) -> bool {
        self.lock().contains_key(node)
    }

    pub(crate) fn source(&self, node: &NodeId) -> Option<TokenSource> {
        self.lock().get(node).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, TokenSource>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
