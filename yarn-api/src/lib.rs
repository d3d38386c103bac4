//! YARN's messages, and typed clients of three protocols: [`ApplicationClient`] for
//! ApplicationClientProtocol, [`AmRmClient`] for ApplicationMasterProtocol, and [`NodeManagerClients`] for
//! ContainerManagementProtocol.
//!
//! Callers use the plain types of [`records`]; the messages of the wire stay inside this crate. The crate
//! makes no decisions of its own: the caller decides what is asked for, and when.

mod am_rm_client;
mod application_client;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod nm_client;
mod nm_tokens;
mod node_error;
mod proto;
pub mod records;
mod resource_manager;
mod response_id;

pub use am_rm_client::{AmError, AmRmClient};
pub use application_client::ApplicationClient;
pub use error::{Cause, YarnError};
pub use nm_client::{NodeManagerClients, NodeManagerOptions};
pub use nm_tokens::{NM_TOKEN, NmTokenCache};
pub use node_error::{NodeError, NodeErrorKind};
pub use resource_manager::{
    AMRM_TOKEN, DEFAULTS, RM_DELEGATION_TOKEN, RM_PRINCIPAL, RmService, client_options, resource_managers,
};
pub use response_id::ResponseId;
