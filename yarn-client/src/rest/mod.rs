//! Flink's REST interface: a typed client, and the commands that need nothing else.

mod api;
mod client;
mod error;
pub(crate) mod losses;
mod orders;
mod run;
mod types;
pub mod verbs;
mod wait;

use std::time::Duration;

use flink_model::config::Configuration;
use serde_json::{Map, Value, json};

pub use api::Trigger;
pub use client::{Limits, RestClient};
pub use error::{FullText, RestError};
pub use types::*;
pub(crate) use wait::{Answer, Probe};

use crate::cli::options::{
    CancelOptions, CheckpointOptions, ListOptions, RunOptions, SavepointOptions, StopOptions,
};
use crate::context::Context;
use crate::error::Failure;
use crate::interrupt::Interrupt;
use crate::ps;
use crate::report::Output;
use crate::target::{Cluster, RestAddress};

/// Asks the JobManager to end the cluster: all its jobs are cancelled.
pub async fn stop_cluster(address: &RestAddress) -> Result<(), Failure> {
    let limits = Limits { call: Duration::from_secs(10), ..Limits::default() };
    let failed =
        |e: RestError| e.failure(format!("cannot ask the JobManager at {address} to stop the cluster"));
    RestClient::new(address, limits).map_err(failed)?.shut_down().await.map_err(failed)
}

/// A client for a command, and how long the command waits for an operation.
fn client(cluster: &Cluster, configuration: &Configuration) -> Result<(RestClient, Duration), Failure> {
    let patience = orders::patience(configuration)?;
    let limits = Limits { call: Limits::default().call.min(patience), ..Limits::default() };
    let client = RestClient::new(&cluster.address, limits);
    Ok((client.map_err(|e| e.failure("cannot speak to the JobManager"))?, patience))
}

/// The same of a cluster that nobody has looked for yet: fails if nobody listens.
async fn connect(
    cluster: &Cluster,
    configuration: &Configuration,
) -> Result<(RestClient, Duration), Failure> {
    let connected = client(cluster, configuration)?;
    cluster.reach().await?;
    Ok(connected)
}

/// What a command has come to, for programs.
fn answer<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// `list`.
pub(crate) async fn list(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &ListOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let (client, _) = connect(cluster, configuration).await?;
    let shown = verbs::Shown::of(options.running, options.scheduled, options.all);
    let jobs = verbs::list(&client, shown, output).await?;
    Ok(answer([("jobs", json!(jobs.iter().map(ps::job).collect::<Vec<_>>()))]))
}

/// `cancel`.
pub(crate) async fn cancel(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &CancelOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let order = orders::cancel(options)?;
    let (client, patience) = connect(cluster, configuration).await?;
    let savepoint = verbs::cancel(&client, &order, patience, output).await?;
    Ok(answer([("job", json!(order.job.as_str())), ("savepoint", json!(savepoint))]))
}

/// `stop`.
pub(crate) async fn stop(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &StopOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let order = orders::stop(options)?;
    let (client, patience) = connect(cluster, configuration).await?;
    let done = verbs::stop(&client, &order, patience, output).await?;
    Ok(answer([("job", json!(order.job.as_str())), done.entry()]))
}

/// `savepoint`.
pub(crate) async fn savepoint(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &SavepointOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let order = orders::savepoint(options)?;
    if options.dispose.is_none() && options.rest.words.len() > 2 {
        output.out("Provided more arguments than required. Ignoring not needed arguments.");
    }
    let (client, patience) = connect(cluster, configuration).await?;
    let done = verbs::savepoint(&client, &order, patience, output).await?;
    Ok(match &order {
        verbs::Savepoint::Dispose(_) => answer([done.entry()]),
        verbs::Savepoint::Take { job, .. } => answer([("job", json!(job.as_str())), done.entry()]),
    })
}

/// `checkpoint`.
pub(crate) async fn checkpoint(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &CheckpointOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let job = orders::checkpoint(&options.rest.words)?;
    let (client, patience) = connect(cluster, configuration).await?;
    let number = verbs::checkpoint(&client, &job, options.full, patience, output).await?;
    Ok(answer([("job", json!(job.as_str())), ("checkpoint", json!(number))]))
}

/// `run --main cluster`: the job, which has ended or, detached, was submitted.
pub(crate) async fn run(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &RunOptions,
    context: &Context,
    interrupt: &Interrupt,
    output: &dyn Output,
) -> Result<JobId, Failure> {
    let order = orders::cluster_run(options, configuration, context)?;
    let (client, _) = self::client(cluster, configuration)?;
    run::run(&client, order, cluster, interrupt, output).await
}
