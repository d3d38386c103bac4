// Changed by heddle: see HEDDLE.md.
mod digest;
mod protection;
pub(crate) mod sasl;
mod token;
pub(crate) mod user;

use std::sync::Arc;

pub use protection::Protection;
pub use token::{DelegationToken, TokenProvider};

/// Authentication state shared by every connection belonging to one client. A client without it
/// uses simple authentication.
#[derive(Debug)]
pub(crate) struct ClientAuth {
    tokens: Arc<dyn TokenProvider>,
    /// The protections of RPC messages that are allowed.
    protection: Vec<Protection>,
}

impl ClientAuth {
    pub(crate) fn new(tokens: Arc<dyn TokenProvider>, protection: Vec<Protection>) -> Arc<Self> {
        Arc::new(Self { tokens, protection })
    }
}
