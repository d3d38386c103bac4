//! The client: starts Flink clusters on YARN and speaks to them.
//!
//! As a library it keeps no process-wide state: surroundings come in as a [`context::Context`], progress goes
//! out to a [`report::Report`], and many deployments with different configurations can run in one process.

mod active;
pub mod application;
pub mod client_archive;
pub mod client_failure;
pub mod client_process;
pub mod client_run;
mod client_tokens;
pub mod cluster_timing;
pub mod configuration;
pub mod context;
mod control;
pub mod deploy;
pub mod diagnostics;
pub mod error;
pub mod exit;
pub mod fetch;
pub mod follow;
pub mod gc;
pub mod hadoop;
mod held_tokens;
pub mod identity;
pub mod interrupt;
pub mod jar;
mod java;
mod kerberos_hint;
pub mod kill;
mod leftovers;
mod login;
pub mod logins;
pub mod memory;
pub mod memory_kills;
mod ownership;
pub mod paths;
pub mod patience;
pub mod per_job;
pub mod properties;
pub mod ps;
mod reach;
pub mod report;
mod report_poll;
pub mod rest_security;
pub mod run;
pub mod session;
mod session_settings;
pub mod setup;
pub mod shared_store;
pub mod staging;
pub mod target;
pub mod timing;
pub mod token_keeper;
mod token_upkeep;
pub mod units;
pub mod variables;
pub mod warning;
