//! The tokens that let an ApplicationMaster speak to NodeManagers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hadoop_rpc::{Credentials, TokenSource};

use crate::records::{NmToken, NodeId};

/// Kind of the tokens for NodeManagers.
pub const NM_TOKEN: &str = "NMToken";

/// The latest token for each node. Clones share it.
///
/// The ResourceManager sends a node's token with the first container on that node and again only when its
/// keys change, so what it sends must be kept as long as the attempt lives.
#[derive(Debug, Clone, Default)]
pub struct NmTokenCache {
    nodes: Arc<Mutex<HashMap<NodeId, TokenSource>>>,
}

impl NmTokenCache {
    /// Adds tokens; one for a node that is known replaces the older one, for connections that are open as
    /// well.
    pub fn update(&self, tokens: &[NmToken]) {
        let mut nodes = self.lock();
        for NmToken { node, token } in tokens {
            let mut token = token.clone();
            // The token's service is an address as text, which need not be the one that is connected to.
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
