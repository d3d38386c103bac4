//! Bringing up a cluster: check, stage, submit, wait. Whatever stops it half way is undone.

mod archives;
mod capacity;
mod facts;
mod ground;
mod names;
mod order;
mod packed;
mod places;
mod plan;
mod prepare;
mod prewarm;
mod queue;
mod resolve;
mod savepoint;
pub mod show;
mod submission;
mod submit;
mod tags;
mod undo;
mod wanted;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flink_model::container::AM_SPEC_FILE;
use flink_model::spec::SPEC_FILE;
use flink_rest::{Answer, Probe, RestAddress};
use futures::{FutureExt, future};
use hadoop_fs::Source;
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::interrupt::Interrupt;
use crate::patience::Wait;
use crate::report::Report;
use crate::report_poll::ReportPoll;
use crate::timing::{Marks, SUBMISSION};
use crate::{follow, leftovers};
use ground::Ground;
use plan::{Plan, plan, rehearse};
use prepare::Prepared;
use submission::Known;
use undo::Undo;
use watch::{News, Progress, Reached, Since, Watch, is_ready, reached};

pub use order::{ClientProgram, Deployment, Order, Program, Purpose};
pub use show::DryRun;

/// First and longest wait between two looks at the application's report.
const POLL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(250));
/// A ResourceManager that is silent for this long while an application comes up is given up.
const SILENCE: Duration = Duration::from_secs(120);

/// Starts a cluster and waits until it can be used. `interrupt` gives up; then, and after any error, nothing
/// is left in YARN or HDFS.
pub async fn deploy(
    order: Order,
    report: Arc<dyn Report>,
    interrupt: &Interrupt,
) -> Result<Deployment, Failure> {
    let prepared = Prepared::new(order, &*report)?;
    let hadoop = Hadoop::load(&prepared.context, &prepared.configuration)?.waiting(Wait::Changing);
    let yarn = hadoop.yarn()?;
    prepared.timing.configured();
    let find = submission::find(&prepared, &yarn);
    let find = async {
        match prepared.within {
            None => find.await,
            Some(within) => {
                tokio::time::timeout(within, find).await.unwrap_or_else(|_| Err(too_late(within)))
            }
        }
    };
    let asked = interrupt.unless_raised(find).await;
    if let Some(known) = asked.map_err(|cause| Failure::interrupted(cause, "nothing was started"))?? {
        let (Known::Alive(id) | Known::Succeeded(id)) = known;
        let work = known_deployment(&prepared, known, yarn, &*report);
        let done = interrupt.unless_raised(work).await;
        return done.map_err(|cause| follow::goes_on(cause, id, prepared.mode))?;
    }
    let undo = Undo::default();
    let work = async {
        let bring_up = bring_up(&prepared, hadoop, yarn.clone(), &undo, &report);
        match prepared.within {
            None => bring_up.await,
            Some(within) => tokio::time::timeout(within, bring_up)
                .await
                .unwrap_or_else(|_| Err(too_late(within).retry_if(!undo.waits_in_vain()))),
        }
    };
    let mut why = "the client gave up the deployment".to_owned();
    let failure = match interrupt.unless_raised(work).await {
        Ok(Ok(Up { id, address, secret, marks })) => {
            let timing = prepared.timing.clone();
            return Ok(Deployment { id, address, yarn, found: false, secret, timing, marks, undo });
        }
        Ok(Err(failure)) => failure,
        Err(cause) => {
            why = format!("the client gave up the deployment: {cause}");
            Failure::interrupted(cause, "the deployment was given up")
        }
    };
    undo.run(&why, &*report).await;
    submission::forget(&prepared);
    Err(failure)
}

fn too_late(within: Duration) -> Failure {
    Failure::new(format!("the cluster was not ready within {within:?}: the deployment was given up"))
        .hint("nothing is left of it; a longer --timeout waits longer")
        .retry_if(true)
}

/// What [`deploy`] would do. The ResourceManager gives an application id away for it; nothing else changes.
pub async fn dry_run(order: Order, report: &dyn Report) -> Result<DryRun, Failure> {
    let prepared = Prepared::new(order, report)?;
    let hadoop = Hadoop::load(&prepared.context, &prepared.configuration)?;
    let yarn = hadoop.yarn()?;
    prepared.timing.configured();
    let (ground, stock) = Ground::look(&prepared, hadoop, yarn, report).await?;
    rehearse(&prepared, &ground)?;
    ground.check_rights(&stock).await?;
    let placed = ground.planned(stock).await?;
    let plan = plan(&prepared, &ground, placed, report).await?;
    Ok(DryRun::new(&prepared, plan))
}

async fn bring_up(
    prepared: &Prepared,
    hadoop: Hadoop,
    yarn: ApplicationClient,
    undo: &Undo,
    report: &Arc<dyn Report>,
) -> Result<Up, Failure> {
    let timing = &prepared.timing;
    report.info(&format!("Cluster specification: {}", prepared.specification()));
    // Everything that can say no comes before the first byte is written.
    let (ground, stock) = Ground::look(prepared, hadoop, yarn, &**report).await?;
    rehearse(prepared, &ground)?;
    let (yarn, directory) = (&ground.yarn, &ground.directory);
    let id = ground.facts.application.id;
    tracing::debug!(elapsed = ?timing.elapsed(), "checked");

    undo.note(|state| {
        state.directory = Some(directory.clone());
        state.waits_in_vain = !ground.fits;
    });
    // A NameNode that refused has made nothing that could be removed.
    let create = timing.time("application's directory made", directory.create());
    let create = create.map(|made| made.inspect_err(|_| undo.note(|state| state.directory = None)));
    // Where something has to be uploaded, a NameNode that refuses the directory is to be heard first.
    let at_once = prepared.fast_start && stock.is_complete();
    let place = ground.place(stock, timing, undo, report);
    let placed = if at_once {
        future::try_join(create, place).await?.1
    } else {
        create.await?;
        place.await?
    };
    let Plan { mut context, mut inline, order, spec, .. } =
        plan(prepared, &ground, placed, &**report).await?;
    // The order lies in the directory in any case: by it the directory is known for ours.
    let mut own = vec![(SPEC_FILE.to_owned(), Source::Bytes(order.clone()))];
    if submit::fit_inline(&inline, &order) {
        inline.push((AM_SPEC_FILE.to_owned(), order));
    } else {
        own.extend(inline.drain(..).map(|(name, content)| (name, Source::Bytes(content))));
        for resource in submit::put_all(directory, std::mem::take(&mut own)).await? {
            let local = submit::local_resource(&resource)?;
            let name = if resource.key == SPEC_FILE { AM_SPEC_FILE.to_owned() } else { resource.key };
            context.am_container.local_resources.insert(name, local);
        }
    }
    let secret = submit::new_secret();
    context.am_container.tokens = submit::credentials(&secret, &inline).to_writable_bytes();
    tracing::debug!(elapsed = ?timing.elapsed(), "staged");

    submission::remember(prepared, yarn, id)?;
    report.info(&format!("Submitting application master {id}"));
    undo.note(|state| state.application = Some((yarn.clone(), id)));
    let _ = prepared.submitted.set(id);
    let submit = timing.time(SUBMISSION, yarn.submit_application(&context));
    submit.await.map_err(|e| {
        let failure = yarn_failure(&e);
        match e.rpc().and_then(|rpc| rpc.remote()) {
            Some(_) => failure
                .hint("nothing was started; another queue (-qu) or the cluster's administrator may help"),
            None => failure,
        }
    })?;
    report.info(&format!("Submitted application {id}"));
    report.info("Waiting for the cluster to be allocated");
    // Its legs are told by the cluster, if it comes up.
    let start = timing.leg("start of the cluster");
    // Neither a file that nobody waits for, nor tidying up after others must hold up this application.
    let tidy = async {
        if let Err(failure) = submit::put_all(directory, own).await {
            report.warn(&failure.to_string());
        }
        leftovers::sweep(yarn, &ground.storage, &ground.base, id).await;
        future::pending::<Infallible>().await
    };
    let ended = tokio::select! {
        ended = wait(yarn, id, prepared, spec.prewarm.is_some(), &**report) => ended?,
        never = tidy => match never {},
    };
    let (address, marks) = ended.inspect_err(|_| undo.note(|state| state.application = None))?;
    start.cancel();
    if let Some(address) = &address {
        report.info(&format!("Found Web Interface {address} of application '{id}'."));
    }
    Ok(Up { id, address, secret, marks })
}

/// A cluster that has come up.
struct Up {
    id: ApplicationId,
    address: Option<RestAddress>,
    secret: Vec<u8>,
    marks: Marks,
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
    let (address, marks) = match known {
        Known::Alive(_) => wait(&yarn, id, prepared, true, report).await??,
        Known::Succeeded(_) => (None, Marks::default()),
    };
    if let Some(address) = &address {
        report.info(&format!("Found Web Interface {address} of application '{id}'."));
    }
    let timing = prepared.timing.clone();
    Ok(Deployment {
        id,
        address,
        yarn,
        found: true,
        secret: Vec::new(),
        timing,
        marks,
        undo: Undo::default(),
    })
}

/// Takes away what is shown in place, at the end.
struct InPlace<'a>(&'a dyn Report);

impl Drop for InPlace<'_> {
    fn drop(&mut self) {
        self.0.in_place("");
    }
}

/// Follows the application until it can be spoken to (none: its program has ended well already), or (the
/// inner error) has failed. `early`: it may run, for YARN, before its REST interface is up.
async fn wait(
    yarn: &ApplicationClient,
    id: ApplicationId,
    prepared: &Prepared,
    early: bool,
    report: &dyn Report,
) -> Result<Result<(Option<RestAddress>, Marks), Failure>, Failure> {
    const DEPLOYED: &str = "YARN application has been deployed successfully.";
    let begin = Instant::now();
    let timing = &prepared.timing;
    let mut watch = if prepared.program.is_some() { Watch::of_program() } else { Watch::default() };
    let mut pause = POLL.0;
    let mut patience = ReportPoll::new(SILENCE);
    let mut marks = Marks::default();
    let _place = InPlace(report);
    let mut listening: Option<(Probe, Instant)> = None;
    let mut ready: Option<Instant> = None;
    loop {
        let Some(found) = patience.report(yarn, id, report).await? else {
            tokio::time::sleep(POLL.1).await;
            continue;
        };
        marks.saw(found.state, timing.elapsed());
        let (progress, news) = watch.step(&found, begin.elapsed());
        for news in news {
            match news {
                News::Line(text) => report.info(&text),
                News::Moved { text, short, due } => {
                    if !report.in_place(&short) && due {
                        report.info(&text);
                    }
                }
            }
        }
        match progress {
            // Its first answer costs a JobManager a moment: no need to ask for it.
            Progress::Running(address) if !early => {
                report.info(DEPLOYED);
                return Ok(Ok((Some(address), marks)));
            }
            // It can still die before it answers, so the report is looked at in between.
            Progress::Running(address) => {
                listening = listening.filter(|(probe, _)| *probe.address() == address);
                let (probe, since) = listening.get_or_insert_with(|| (Probe::new(&address), Instant::now()));
                if ready.is_none() && is_ready(&found) {
                    ready = Some(Instant::now());
                }
                let answer = probe.within(POLL.1).await;
                let since = Since { running: since.elapsed(), ready: ready.map(|at| at.elapsed()) };
                match reached(answer, &address, since) {
                    Reached::NotYet => {
                        if answer == Answer::OutOfReach {
                            tokio::time::sleep(POLL.1).await;
                        }
                        continue;
                    }
                    Reached::Ready => {}
                    Reached::GivenUp(warning) => report.warn(&warning),
                }
                marks.answers = Some(timing.elapsed());
                report.info(DEPLOYED);
                return Ok(Ok((Some(address), marks)));
            }
            Progress::Ended => {
                report.info(DEPLOYED);
                return Ok(Ok((None, marks)));
            }
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
        fn any_thread<T: Send>(_: impl FnOnce(Order, Arc<dyn Report>, Interrupt) -> T) {}
        any_thread(|order, report, interrupt| async move { deploy(order, report, &interrupt).await });
    }
}
