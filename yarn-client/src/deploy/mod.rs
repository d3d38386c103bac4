//! Bringing up a cluster: check, stage, submit, wait. Whatever stops it half way is undone.

mod facts;
mod ground;
mod order;
mod prepare;
mod queue;
mod resolve;
mod show;
mod submission;
mod submit;
mod undo;
mod wanted;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flink_model::spec::{AmSpec, SPEC_FILE};
use futures::future;
use hadoop_fs::Source;
use tokio_util::sync::CancellationToken;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, SubmissionContext};

use crate::error::Failure;
use crate::hadoop::{Hadoop, yarn_failure};
use crate::janitor;
use crate::memory::Limits;
use crate::patience::Patience;
use crate::report::Report;
use crate::target::RestAddress;
use ground::{Ground, Placed};
use prepare::Prepared;
use submission::Known;
use submit::InlineFiles;
use undo::Undo;
use watch::{Progress, Watch};

pub(crate) use ground::{PRIVATE_STORE, SHARED_STORE};
pub use order::{Deployment, Order, Program, Purpose};
pub use show::DryRun;
pub(crate) use submission::SUBMISSION_TAG;
pub(crate) use wanted::{is_remote, without_scheme};
pub(crate) use watch::with_extract;

/// First and longest wait between two looks at the application's report.
const POLL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(250));
/// A ResourceManager that is silent for this long while an application comes up is given up.
const SILENCE: Duration = Duration::from_secs(120);

/// What YARN grants for a request, as a deployment would find it.
pub(crate) async fn limits(hadoop: &Hadoop, yarn: &ApplicationClient) -> Result<Limits, Failure> {
    Ok(facts::gather(yarn).await?.limits(hadoop))
}

/// Starts a cluster and waits until it can be used. `interrupt` gives up; then, and after any error, nothing is left in YARN or HDFS.
pub async fn deploy(
    order: Order,
    report: Arc<dyn Report>,
    interrupt: &CancellationToken,
) -> Result<Deployment, Failure> {
    let prepared = Prepared::new(order, &*report)?;
    let hadoop = Hadoop::load(&prepared.context, &prepared.configuration)?;
    let yarn = hadoop.yarn()?;
    if let Some(known) = submission::find(&prepared, &yarn).await? {
        return known_deployment(&prepared, known, yarn, &*report).await;
    }
    let undo = Undo::default();
    let work = async {
        let bring_up = bring_up(&prepared, hadoop, yarn.clone(), &undo, &report);
        match prepared.within {
            None => bring_up.await,
            Some(within) => tokio::time::timeout(within, bring_up).await.unwrap_or_else(|_| {
                Err(Failure::new(format!(
                    "the cluster was not ready within {within:?}: the deployment was given up"
                ))
                .hint("nothing is left of it; a longer --timeout waits longer")
                .retry_if(true))
            }),
        }
    };
    let failure = match interrupt.run_until_cancelled(work).await {
        Some(Ok((id, address, secret))) => {
            return Ok(Deployment { id, address, yarn, found: false, secret, undo });
        }
        Some(Err(failure)) => failure,
        None => Failure::new("interrupted: the deployment was given up"),
    };
    undo.run(&*report).await;
    submission::forget(&prepared);
    Err(failure)
}

/// What [`deploy`] would do. The ResourceManager gives an application id away for it; nothing else changes.
pub async fn dry_run(order: Order, report: &dyn Report) -> Result<DryRun, Failure> {
    let prepared = Prepared::new(order, report)?;
    let hadoop = Hadoop::load(&prepared.context, &prepared.configuration)?;
    let yarn = hadoop.yarn()?;
    let ground = Ground::look(&prepared, hadoop, yarn, report).await?;
    let placed = ground.planned().await?;
    let plan = plan(&prepared, &ground, placed)?;
    Ok(DryRun::new(&prepared, plan))
}

/// What YARN and the ApplicationMaster get, in one value. It holds no secret but in the contents of `inline`.
pub(crate) struct Plan {
    pub(crate) placed: Vec<Placed>,
    pub(crate) spec: AmSpec,
    pub(crate) context: SubmissionContext,
    /// Configuration files, the program, and the spec itself, by their names.
    pub(crate) inline: InlineFiles,
    order: Bytes,
}

fn plan(prepared: &Prepared, ground: &Ground, placed: Vec<Placed>) -> Result<Plan, Failure> {
    let shipped = prepared.shipped(ground.facts.application.id)?;
    let spec = submit::spec(prepared, ground, &shipped, &placed)?;
    let order = serde_json::to_vec_pretty(&spec)
        .map_err(|e| Failure::because("cannot write the order to the ApplicationMaster", e))?;
    let inline = submit::configuration_files(prepared, &shipped)?;
    let resources: Vec<_> = placed.iter().map(|p| p.resource.clone()).collect();
    let context = submit::submission(prepared, ground, &spec, &resources)?;
    Ok(Plan { placed, spec, context, inline, order: order.into() })
}

async fn bring_up(
    prepared: &Prepared,
    hadoop: Hadoop,
    yarn: ApplicationClient,
    undo: &Undo,
    report: &Arc<dyn Report>,
) -> Result<(ApplicationId, Option<RestAddress>, Vec<u8>), Failure> {
    let begin = Instant::now();
    report.info(&format!("Cluster specification: {}", prepared.specification()));
    // Everything that can say no comes before the first byte is written.
    let ground = Ground::look(prepared, hadoop, yarn, &**report).await?;
    let (yarn, directory) = (&ground.yarn, &ground.directory);
    let id = ground.facts.application.id;
    tracing::debug!(elapsed = ?begin.elapsed(), "checked");

    undo.note(|state| state.directory = Some(directory.clone()));
    // A NameNode that refused has made nothing that could be removed.
    directory.create().await.inspect_err(|_| undo.note(|state| state.directory = None))?;
    let placed = ground.place(undo, report).await?;
    let Plan { mut context, mut inline, order, .. } = plan(prepared, &ground, placed)?;
    // The order lies in the directory in any case: by it the directory is known for ours.
    let mut own = vec![(SPEC_FILE.to_owned(), Source::Bytes(order.clone()))];
    if submit::fit_inline(&inline, &order) {
        inline.push((SPEC_FILE.to_owned(), order));
    } else {
        own.extend(inline.drain(..).map(|(name, content)| (name, Source::Bytes(content))));
        for resource in submit::put_all(directory, std::mem::take(&mut own)).await? {
            let local = submit::local_resource(&resource)?;
            context.am_container.local_resources.insert(resource.key, local);
        }
    }
    let secret = submit::new_secret();
    context.am_container.tokens = submit::credentials(&secret, &inline).to_writable_bytes();
    tracing::debug!(elapsed = ?begin.elapsed(), "staged");

    submission::remember(prepared, yarn, id)?;
    report.info(&format!("Submitting application master {id}"));
    undo.note(|state| state.application = Some((yarn.clone(), id)));
    yarn.submit_application(&context).await.map_err(|e| yarn_failure(&e))?;
    report.info(&format!("Submitted application {id}"));
    report.info("Waiting for the cluster to be allocated");
    // Neither a file that nobody waits for, nor tidying up after others must hold up this application.
    let tidy = async {
        if let Err(failure) = submit::put_all(directory, own).await {
            report.warn(&failure.to_string());
        }
        janitor::sweep(yarn, &ground.storage, &ground.base, id).await;
        future::pending::<Infallible>().await
    };
    let ended = tokio::select! {
        ended = wait(yarn, id, prepared.program.is_some(), &**report) => ended?,
        never = tidy => match never {},
    };
    let address = ended.inspect_err(|_| undo.note(|state| state.application = None))?;
    if let Some(address) = &address {
        report.info(&format!("Found Web Interface {address} of application '{id}'."));
    }
    Ok((id, address, secret))
}

/// An application that an earlier order of the same name has made.
async fn known_deployment(
    prepared: &Prepared,
    known: Known,
    yarn: ApplicationClient,
    report: &dyn Report,
) -> Result<Deployment, Failure> {
    let (Known::Alive(id) | Known::Succeeded(id)) = known;
    let name = prepared.submission.as_deref().unwrap_or_default();
    report.info(&format!("The submission {name} is there already: application {id}"));
    let address = match known {
        Known::Alive(_) => wait(&yarn, id, prepared.program.is_some(), report).await??,
        Known::Succeeded(_) => None,
    };
    if let Some(address) = &address {
        report.info(&format!("Found Web Interface {address} of application '{id}'."));
    }
    Ok(Deployment { id, address, yarn, found: true, secret: Vec::new(), undo: Undo::default() })
}

/// Follows the application until it can be spoken to (none: its program has ended well already), or (the inner error) has failed.
async fn wait(
    yarn: &ApplicationClient,
    id: ApplicationId,
    has_program: bool,
    report: &dyn Report,
) -> Result<Result<Option<RestAddress>, Failure>, Failure> {
    let begin = Instant::now();
    let mut watch = if has_program { Watch::of_program() } else { Watch::default() };
    let mut pause = POLL.0;
    let mut patience = Patience::new(SILENCE);
    loop {
        let Some(found) = patience.report(yarn, id, report).await? else {
            tokio::time::sleep(POLL.1).await;
            continue;
        };
        let (progress, news) = watch.step(&found, begin.elapsed());
        for text in news {
            report.info(&text);
        }
        match progress {
            Progress::Ready(address) => return Ok(Ok(Some(address))),
            Progress::Ended => return Ok(Ok(None)),
            Progress::Failed(failure) => return Ok(Err(failure)),
            Progress::Waiting => tokio::time::sleep(pause).await,
        }
        pause = (pause * 5 / 4).min(POLL.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that embeds the client runs deployments on any thread. It does not compile otherwise.
    #[test]
    fn a_deployment_can_be_spawned() {
        fn any_thread<T: Send>(_: impl FnOnce(Order, Arc<dyn Report>, CancellationToken) -> T) {}
        any_thread(|order, report, interrupt| async move { deploy(order, report, &interrupt).await });
    }
}
