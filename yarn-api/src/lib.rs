//! YARN messages and typed clients: ApplicationClient, ApplicationMaster, ContainerManagement.
//!
//! Callers use the plain types of [`records`]; the messages of the wire stay inside. There is no policy here:
//! the caller decides what is asked for, and when.

mod am_rm_client;
mod application_client;
mod error;
mod nm_client;
mod nm_tokens;
mod node_error;
mod proto;
pub mod records;
mod resource_manager;

pub use am_rm_client::{AMRM_TOKEN, AmError, AmRmClient};
pub use application_client::ApplicationClient;
pub use error::{Cause, YarnError};
pub use nm_client::{NodeManagerClients, NodeManagerOptions};
pub use nm_tokens::{NM_TOKEN, NmTokenCache};
pub use node_error::{NodeError, NodeErrorKind};
pub use resource_manager::{DEFAULTS, RmService, resource_managers};
