//! Tells the state of an application, and why it fails or waits (`heddle status`, `heddle why`): asks all
//! witnesses, and has the crate `diagnosis` judge what they say.
//!
//! The witnesses are the ResourceManager, the JobManager, heddle-am by its control port and by its record on
//! the file system, and the logs. One that is silent does not keep the others from being asked: that it is
//! silent, and why, is a fact, too.

mod account;
mod answer;
mod bundle;
pub(crate) mod cluster;
mod gather;
mod inquiry;
mod job_manager;
mod log_ends;
mod log_text;
mod need;
pub(crate) mod record;
mod redact;
mod silence;
mod tar;
mod top;

pub use answer::{Silent, Status, Why};
pub use bundle::{Bundle, Written};
pub use gather::{Effort, Gathered, TaskManagers, gather};
pub use inquiry::Inquiry;
pub use top::explained;
pub(crate) use top::{found, with_first};
