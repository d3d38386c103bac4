//! Carries out the commands for which Flink's REST interface is sufficient: `list`, `cancel`, `stop`,
//! `savepoint`, `checkpoint`, and `run --main cluster`. All but the last return their part of the JSON answer
//! for programs.

mod arguments;
mod cluster_main;
mod perform;

use std::time::Duration;

use flink_model::config::Configuration;
use flink_rest::{JobId, RestClient, RestTimeouts};
use serde_json::{Map, Value, json};
use yarn_client::context::Context;
use yarn_client::diagnose::explained;
use yarn_client::error::{Failure, RestFailure};
use yarn_client::interrupt::Interrupt;
use yarn_client::ps;
use yarn_client::target::Cluster;

use super::options::{
    CancelOptions, CheckpointOptions, ListOptions, RunOptions, SavepointOptions, StopOptions,
};
use crate::console::Output;

/// A client of the REST interface for a command, and how long the command waits for an operation.
fn client(cluster: &Cluster, configuration: &Configuration) -> Result<(RestClient, Duration), Failure> {
    let patience = arguments::patience(configuration)?;
    let limits = RestTimeouts { call: RestTimeouts::default().call.min(patience), ..RestTimeouts::default() };
    let client = RestClient::new(&cluster.address, limits);
    Ok((client.map_err(|e| e.failure("cannot speak to the JobManager"))?, patience))
}

/// The same for a cluster that was located, but not connected to. Fails if no JobManager listens at its
/// address.
async fn connect(
    cluster: &Cluster,
    configuration: &Configuration,
) -> Result<(RestClient, Duration), Failure> {
    let connected = client(cluster, configuration)?;
    cluster.reach_by(&connected.0).await?;
    Ok(connected)
}

/// An answer for programs, from its keys and values.
fn answer<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Carries out `list`.
pub(crate) async fn list(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &ListOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let (client, _) = connect(cluster, configuration).await?;
    let shown = perform::Shown::of(options.running, options.scheduled, options.all);
    let jobs = perform::list(&client, shown, output).await?;
    Ok(answer([("jobs", json!(jobs.iter().map(ps::job).collect::<Vec<_>>()))]))
}

/// Carries out `cancel`.
pub(crate) async fn cancel(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &CancelOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let asked = arguments::cancel(options)?;
    let (client, patience) = connect(cluster, configuration).await?;
    let savepoint = perform::cancel(&client, &asked, patience, output).await?;
    Ok(answer([("job", json!(asked.job.as_str())), ("savepoint", json!(savepoint))]))
}

/// Carries out `stop`.
pub(crate) async fn stop(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &StopOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let asked = arguments::stop(options)?;
    let (client, patience) = connect(cluster, configuration).await?;
    let done = perform::stop(&client, &asked, patience, output).await?;
    Ok(answer([("job", json!(asked.job.as_str())), done.entry()]))
}

/// Carries out `savepoint`.
pub(crate) async fn savepoint(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &SavepointOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let asked = arguments::savepoint(options)?;
    if options.dispose.is_none() && options.rest.words.len() > 2 {
        output.out("Provided more arguments than required. Ignoring not needed arguments.");
    }
    let (client, patience) = connect(cluster, configuration).await?;
    let done = perform::savepoint(&client, &asked, patience, output).await?;
    Ok(match &asked {
        perform::Savepoint::Dispose(_) => answer([done.entry()]),
        perform::Savepoint::Take { job, .. } => answer([("job", json!(job.as_str())), done.entry()]),
    })
}

/// Carries out `checkpoint`.
pub(crate) async fn checkpoint(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &CheckpointOptions,
    output: &dyn Output,
) -> Result<Map<String, Value>, Failure> {
    let job = arguments::checkpoint(&options.rest.words)?;
    let (client, patience) = connect(cluster, configuration).await?;
    let number = perform::checkpoint(&client, &job, options.full, patience, output).await?;
    Ok(answer([("job", json!(job.as_str())), ("checkpoint", json!(number))]))
}

/// Carries out `run --main cluster`. Returns the job, which has ended or, if detached, was submitted.
pub(crate) async fn run(
    cluster: &Cluster,
    configuration: &Configuration,
    options: &RunOptions,
    context: &Context,
    interrupt: &Interrupt,
    output: &dyn Output,
) -> Result<JobId, Failure> {
    let asked = arguments::cluster_run(options, configuration, context)?;
    let (client, _) = self::client(cluster, configuration)?;
    let yarn = cluster.yarn()?;
    let done = cluster_main::run(&client, asked, cluster, yarn.as_ref(), interrupt, output).await;
    match (done, cluster.inquiry()) {
        // Only the failure that tells the end of the application is about the application.
        (Err(failure), Some(inquiry)) => Err(match failure.application() {
            Some(id) => explained(failure, inquiry, id).await,
            None => failure,
        }),
        (done, _) => done,
    }
}
