//! Computes the sizes of JobManager and TaskManager for `heddle memory`, tells where each size comes from,
//! and what YARN grants for them. A deployment uses the same limits and messages.

mod compare;
mod json;
mod limits;
mod refusal;
mod study;

pub use compare::{Changed, changes, per_slot};
pub use json::render as json;
pub use limits::{ContainerLimits, Known, Node, Scheduler, scheduler_name};
pub(crate) use refusal::{limits_exceeded, refusal, set_in_vain};
pub use study::{Other, Sizes, Study, StudyOptions};
