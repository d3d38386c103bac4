//! The client: starts Flink clusters on YARN and speaks to them.
//!
//! As a library it keeps no process-wide state: surroundings come in as a [`context::Context`], progress goes out to a
//! [`report::Report`], and many deployments with different configurations can run in one process.

pub mod application;
pub mod cli;
mod client_archive;
mod client_failure;
mod client_process;
mod client_run;
mod cluster_timing;
mod configuration;
pub mod context;
mod control;
pub mod deploy;
pub mod diagnostics;
pub mod error;
pub mod exit;
pub mod fetch;
mod follow;
pub mod fs;
pub mod gc;
pub mod hadoop;
pub mod interrupt;
pub mod jar;
mod java;
pub mod kill;
mod leftovers;
pub mod memory;
mod memory_kills;
mod paths;
pub mod patience;
mod per_job;
pub mod properties;
pub mod ps;
pub mod query;
mod reach;
pub mod report;
mod report_poll;
pub mod run;
pub mod session;
pub mod setup;
pub mod sql;
pub mod staging;
mod table;
pub mod target;
pub mod timing;
mod unserved;
pub mod variables;
