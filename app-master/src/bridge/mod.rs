//! The ApplicationMaster's end of its connection with the JobManager's JVM: JSON objects, one in a line, over
//! two pipes that the JVM inherits. The messages: docs/design/control-protocol.md, "The bridge".

mod connection;
mod message;

pub use connection::{Bridge, BridgeEvent};
pub use message::{
    DecodeError, FromJvm, LogLevel, ObtainedTokens, PROTOCOL, Status, ToJvm, WorkerInfo, ZooKeeperSession,
    decode, encode,
};
