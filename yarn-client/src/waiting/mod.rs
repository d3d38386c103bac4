//! Tells what an application or its TaskManagers wait for: with numbers, and again when it changes.
//!
//! [`judged`] gathers what the ResourceManager tells of the queue and the nodes, and finds the reason by the
//! rules of the diagnosis. [`news`] decides what of it the user has not read yet. For how long TaskManagers
//! are asked for is known to heddle-am alone: it tells the client of a per-job cluster, and every other
//! client finds it in its log ([`requests`]). A client that is attached to a cluster lets [`task_managers`]
//! run beside its own work.

pub(crate) mod judged;
pub(crate) mod news;
mod requests;
mod task_managers;

pub(crate) use task_managers::tell_requests;
pub use task_managers::{during, tell};
