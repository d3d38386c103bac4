//! What heddle's programs serve to Prometheus: a small HTTP server ([`serve`]), and the lists of targets that
//! Prometheus finds by HTTP or in a file ([`TargetGroup`]).
//!
//! The crate knows nothing of YARN, of Flink, or of what is measured.

mod server;
mod targets;

pub use server::{Answer, Limits, Question, serve};
pub use targets::{BadTargets, Labels, TargetGroup, read_targets, write_targets};

/// The setting in which a JobManager's configuration tells where `heddle-am` serves its metrics, as a URL
/// without a path (`http://host:port`). `heddle-am` sets it, and Flink's REST interface shows it.
pub const ADDRESS_KEY: &str = "heddle.metrics.address";
/// The path at which the metrics are.
pub const METRICS_PATH: &str = "/metrics";
/// The path at which the list of targets is.
pub const TARGETS_PATH: &str = "/sd";
