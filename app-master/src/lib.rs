//! heddle-am: the ApplicationMaster that hosts the JobManager.
//!
//! Decisions are pure (`controller`, [`ledger`], [`submission::policy`]); effects are components at the edge
//! (`am`): [`bridge`] to the JobManager's JVM, [`control`] to the taskrunners, [`launcher`] to the
//! NodeManagers, `flink-rest` to Flink, [`submission::service`] to the client.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests lay out directories of their own"))]

pub mod am;
pub mod bridge;
#[cfg(test)]
mod canary_tests;
pub mod cds;
mod class_jars;
mod clock;
pub mod cluster_service;
pub mod control;
mod controller;
pub mod environment;
pub mod failure;
mod flink_settings;
mod history;
pub mod jobmanager;
pub mod launcher;
pub mod ledger;
mod metrics;
mod outcome_files;
mod own_rest;
pub mod ports;
mod samples;
pub mod staging;
pub mod submission;
pub mod timeline;
mod tokens;
