//! Flink's REST interface: a typed client.

mod address;
mod api;
mod client;
mod error;
mod types;
mod wait;

use std::time::Duration;

pub use address::RestAddress;
pub(crate) use address::bracketed;
pub use api::Trigger;
pub use client::{Limits, RestClient};
pub(crate) use error::telling_line;
pub use error::{FullText, RestError};
pub use types::*;
pub(crate) use wait::{Answer, Probe};

use crate::error::Failure;

/// Asks the JobManager to end the cluster: all its jobs are cancelled.
pub async fn stop_cluster(address: &RestAddress) -> Result<(), Failure> {
    let limits = Limits { call: Duration::from_secs(10), ..Limits::default() };
    let failed =
        |e: RestError| e.failure(format!("cannot ask the JobManager at {address} to stop the cluster"));
    RestClient::new(address, limits).map_err(failed)?.shut_down().await.map_err(failed)
}
