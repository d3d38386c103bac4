//! Supervision of a JVM in a YARN container, and the control protocol between `heddle-am` and `heddle-taskrunner`.
//!
//! `heddle-am` uses the supervisor for the JobManager and the server half of [`control`]; the binary `heddle-taskrunner`
//! is [`agent`] around the same supervisor for a TaskManager.

pub mod agent;
pub mod auth;
pub mod exec;
pub mod exit;
pub mod expand;
pub mod java;
pub mod jvm;
pub mod memory;
pub mod plan;
pub mod spawn;
pub mod tail;

/// Messages, client and server generated from `proto/control.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod control {
    tonic::include_proto!("heddle.control.v1");
}
