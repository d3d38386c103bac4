//! Supervision of a JVM in a YARN container, and the control protocol between `heddle-am` and
//! `heddle-taskrunner`.
//!
//! `heddle-am` uses the supervisor for the JobManager and the server half of [`control`] and [`wire`]; the
//! binary `heddle-taskrunner` is [`agent`] around the same supervisor for a TaskManager. The client of a
//! per-job cluster uses [`submission`], whoever wants to know how a start went [`timeline`], and whoever
//! wants to know what became of containers [`account`].

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests lay out directories of their own"))]

pub mod account;
pub mod agent;
pub mod archive;
pub mod auth;
mod calls;
#[cfg(test)]
mod canary_tests;
pub mod cause;
pub mod cause_facts;
pub mod core_dumps;
pub mod exec;
pub mod exit;
pub mod expand;
pub mod flight_recorder;
pub mod fresh;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod heap_dump;
pub mod java;
pub mod jvm;
pub mod jvm_records;
pub mod keys;
pub mod left_processes;
pub mod links;
pub mod log_findings;
pub mod memory;
pub mod memory_log;
pub mod node_jars;
pub mod perf_data;
pub mod pipes;
pub mod plan;
pub mod protocol;
pub mod reporters;
pub mod spawn;
pub mod stderr_log;
pub mod submission;
pub mod successor;
pub mod tail;
pub mod timeline;
pub mod tls;
pub mod tmp_dirs;
pub mod wire;
pub mod words;

/// Messages, client and server generated from `proto/control.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "this is what prost and tonic generate")]
pub mod control {
    include!("generated/heddle.control.v1.rs");
}

/// An error with all its sources: tonic's own text is only "transport error".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}
