//! heddle-am: the ApplicationMaster that hosts the JobManager.
//!
//! Decisions are pure ([`ledger`], `am::brain`, `am::end`); effects are at the edge: [`bridge`] to the JobManager's JVM,
//! [`control`] to the taskrunners, [`launcher`] to the NodeManagers.

pub mod am;
pub mod bridge;
pub mod control;
pub mod jobmanager;
pub mod launcher;
pub mod ledger;
pub mod ports;
pub mod staging;
