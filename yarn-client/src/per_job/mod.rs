//! A cluster for one `main()`, which runs beside it: as a rule here, in Flink's own client ([`run`]), else in
//! the process of whoever has asked for the cluster ([`run_for_caller`]).
//!
//! Flink's client needs the address of the JobManager when it starts. It gets one on this machine, and what
//! it sends there waits until the cluster is ready and is then passed on. Whoever submits jobs himself waits
//! until the cluster is ready, and connects to the JobManager. The ApplicationMaster ends the cluster once it
//! has heard that `main()` is over, or that this client is gone, and the last job has ended. With high
//! availability `main()` goes on while the JobManager or the ApplicationMaster is replaced.

mod attend;
mod caller;
mod completion;
mod course;
mod early;
mod end;
mod follow;
mod forward;
mod peer;
mod program;
mod running;
mod warnings;

pub use caller::{Caller, run_for_caller};
pub use program::{Program, run};
pub use running::Ended;
