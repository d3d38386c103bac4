//! The JobManager's end of the ApplicationMaster: line JSON on loopback (docs/design.md, "Bridge").

mod message;
mod server;

pub use message::{DecodeError, FromJvm, PROTOCOL, Status, ToJvm, WorkerInfo, decode, encode};
pub use server::{Bridge, BridgeEvent, Secret};

/// Environment variable with the port, for the JVM.
pub const PORT_VARIABLE: &str = "HEDDLE_BRIDGE_PORT";
/// Environment variable with the secret, for the JVM.
pub const SECRET_VARIABLE: &str = "HEDDLE_BRIDGE_SECRET";
