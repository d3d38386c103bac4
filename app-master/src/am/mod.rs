//! The ApplicationMaster's life: [`brain`] decides, [`edge`] does, [`end`] says how it ends, [`run`] ties them together.

mod brain;
#[cfg(test)]
mod brain_tests;
mod edge;
mod end;
mod environment;
mod event;
mod failures;
mod finish;
mod head_start;
mod per_job;
mod placement;
mod run;

#[cfg(test)]
pub(crate) use environment::write_inline_files;
pub use environment::{Environment, StartError};
pub(crate) use environment::{hadoop_conf, hadoop_user};
pub use run::run;
