//! The running ApplicationMaster: [`run`] ties the controller, which decides, to the components that do what
//! it says.
//!
//! [`effects`] names what components there are and hands each action to its own: [`resource_manager`],
//! [`task_managers`], [`job_manager`], [`next_attempt`], [`tokens`], [`rest_calls`] and [`listeners`].
//! [`log`] and [`open_requests`] hear what the controller observes, and so do the [`subscribers`]:
//! [`timing`], the [metrics](crate::metrics) and the [history](crate::history), from which [`explanation`]
//! explains a failure and [`outcome`] writes the record that the application leaves. [`finish`] carries out
//! the end, with [`unregister`].

mod containers;
mod effects;
mod explanation;
mod finish;
mod head_start;
mod job_manager;
mod job_manager_watch;
mod listeners;
mod log;
mod next_attempt;
mod open_requests;
mod outcome;
mod resource_manager;
mod rest_calls;
mod run;
mod subscribers;
mod task_managers;
mod timing;
mod tokens;
mod unregister;

pub use run::run;
