//! The metrics of an application, for Prometheus (`heddle.metrics.port`).
//!
//! [`table`] names every metric. [`state`] is pure: it hears what the controller observes, and gets the time
//! as an argument. [`snapshot`] makes the values of one moment from it and from what was measured at this
//! moment, and [`encode`] makes text of them; [`targets`] lists the addresses at which Prometheus finds the
//! metrics of the application's JVMs. [`jobs`] asks Flink's REST interface, and only while somebody reads the
//! metrics. [`service`] ties them together and serves them.
//!
//! Nothing here has a series for each container, so the cost does not grow with their number.

mod encode;
mod histogram;
mod jobs;
mod service;
mod snapshot;
mod state;
mod table;
mod targets;

pub(crate) use service::{Metrics, Sources};
pub(crate) use state::About;
