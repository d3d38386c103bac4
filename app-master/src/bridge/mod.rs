//! The ApplicationMaster's end of its connection with the JobManager's JVM: JSON objects, one in a line, over
//! loopback. The messages: docs/design/control-protocol.md, "The bridge".

mod message;
mod server;

pub use message::{
    DecodeError, FromJvm, PROTOCOL, Status, ToJvm, WorkerInfo, ZooKeeperSession, decode, encode,
};
pub use server::{Bridge, BridgeEvent, Secret};

/// Environment variable with the port, for the JVM.
pub const PORT_VARIABLE: &str = "HEDDLE_BRIDGE_PORT";
/// Environment variable with the secret, for the JVM.
pub const SECRET_VARIABLE: &str = "HEDDLE_BRIDGE_SECRET";
