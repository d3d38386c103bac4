//! The ApplicationMaster's life: [`brain`] decides, [`edge`] does, [`end`] says how it ends, [`run`] ties them together.

mod brain;
#[cfg(test)]
mod brain_tests;
mod edge;
mod end;
mod event;
mod failures;
mod finish;
mod head_start;
mod per_job;
mod placement;
mod run;

pub use run::run;
