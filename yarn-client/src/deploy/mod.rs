//! Bringing up a cluster: check, stage, submit, wait. Whatever stops it half way is undone.

mod facts;
mod prepare;
mod queue;
mod submit;
mod watch;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use flink_model::spec::SPEC_FILE;
use futures::future;
use hadoop_fs::{Source, Storage};
use hadoop_rpc::Retry;
use tokio_util::sync::CancellationToken;
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use crate::context::Context;
use crate::error::Failure;
use crate::hadoop::{Hadoop, yarn_failure};
use crate::janitor;
use crate::report::Report;
use crate::session;
use crate::setup::Setup;
use crate::staging::{ApplicationDir, Artifact, Store, Unfinished, hash_files};
use crate::target::RestAddress;
use prepare::Prepared;
use watch::{Progress, Watch};

/// First and longest wait between two looks at the application's report.
const POLL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(250));
/// A ResourceManager that is silent for this long while an application comes up is given up.
const SILENCE: Duration = Duration::from_secs(120);
/// How often that silence is mentioned.
const REMIND: Duration = Duration::from_secs(30);
/// Bound for undoing a deployment.
const UNDO_WITHIN: Duration = Duration::from_secs(30);

/// What session to start.
#[derive(Debug)]
pub struct SessionOrder {
    /// Flink, with the effective configuration.
    pub setup: Setup,
    /// The surroundings.
    pub context: Context,
    /// TaskManagers to keep from the start on.
    pub min_workers: Option<u32>,
}

impl SessionOrder {
    /// A session as the configuration says.
    pub fn new(setup: Setup, context: Context) -> Self {
        Self { setup, context, min_workers: None }
    }
}

/// A cluster that has come up.
#[derive(Debug)]
pub struct Deployment {
    /// Its application.
    pub id: ApplicationId,
    /// Its REST interface.
    pub address: RestAddress,
    /// The ResourceManager it runs under.
    pub yarn: ApplicationClient,
    undo: Undo,
}

impl Deployment {
    /// Ends it again and removes its files.
    pub async fn undo(&self, report: &dyn Report) {
        self.undo.run(report).await;
    }
}

/// What has to be taken back if the deployment fails.
#[derive(Debug, Default)]
struct Undo {
    unfinished: Unfinished,
    state: Mutex<UndoState>,
}

#[derive(Debug, Default, Clone)]
struct UndoState {
    storage: Option<Storage>,
    directory: Option<ApplicationDir>,
    application: Option<(ApplicationClient, ApplicationId)>,
}

impl Undo {
    fn note(&self, change: impl FnOnce(&mut UndoState)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state);
        }
    }

    async fn run(&self, report: &dyn Report) {
        let state = self.state.lock().map(|mut s| std::mem::take(&mut *s)).unwrap_or_default();
        let work = async {
            if let Some((yarn, id)) = &state.application {
                report.info("Killing YARN application");
                if let Err(failure) = session::kill(yarn, *id, "the client gave up the deployment").await {
                    report.warn(&format!("{failure}; `yarn application -kill {id}` kills it"));
                }
            }
            if let Some(directory) = &state.directory
                && let Err(failure) = directory.remove().await
            {
                report.warn(&format!("left behind: {failure}"));
            }
            if let Some(storage) = &state.storage {
                self.unfinished.remove(storage).await;
            }
        };
        if tokio::time::timeout(UNDO_WITHIN, work).await.is_err() {
            report.warn(
                "the cluster did not answer while the deployment was undone: something may be left behind",
            );
        }
    }
}

/// Starts a session and waits until it can be used. `interrupt` gives up; then, and after any error, nothing is left in YARN or HDFS.
pub async fn session(
    order: SessionOrder,
    report: Arc<dyn Report>,
    interrupt: &CancellationToken,
) -> Result<Deployment, Failure> {
    let prepared = Prepared::session(order, &*report)?;
    let undo = Undo::default();
    let failure = match interrupt.run_until_cancelled(deploy(&prepared, &undo, &report)).await {
        Some(Ok((id, address, yarn))) => return Ok(Deployment { id, address, yarn, undo }),
        Some(Err(failure)) => failure,
        None => Failure::new("interrupted: the deployment was given up"),
    };
    undo.run(&*report).await;
    Err(failure)
}

async fn deploy(
    prepared: &Prepared,
    undo: &Undo,
    report: &Arc<dyn Report>,
) -> Result<(ApplicationId, RestAddress, ApplicationClient), Failure> {
    let begin = Instant::now();
    let hadoop = Hadoop::load(&prepared.context, &prepared.configuration)?;
    let yarn = hadoop.yarn()?;
    let storage = hadoop.storage(prepared.staging_base.as_deref())?;
    report.info(&format!("Cluster specification: {}", prepared.specification()));

    // Everything that can say no comes before the first byte is written.
    let paths: Vec<_> = prepared.artifacts.iter().map(|f| f.path.clone()).collect();
    let cache = prepared.context.cache_dir().map(|dir| dir.join("hashes.json"));
    let (facts, hashed, base) = future::try_join3(
        facts::gather(&yarn),
        hash_files(&paths, cache),
        facts::staging_base(&storage, prepared.staging_base.as_deref()),
    )
    .await?;
    facts::check(prepared, &hadoop, &facts, &**report)?;
    tracing::debug!(elapsed = ?begin.elapsed(), "checked");

    let id = facts.application.id;
    let store_storage = hadoop.storage(prepared.store_dir.as_deref().or(prepared.staging_base.as_deref()))?;
    let store_root =
        prepared.store_dir.clone().unwrap_or_else(|| format!("{}/.heddle/store", store_storage.home_dir()));
    let store = Store::new(store_storage.clone(), &store_root, prepared.replication)?;
    let directory = ApplicationDir::new(storage.clone(), &base, &id.to_string(), prepared.replication);
    undo.note(|state| {
        state.storage = Some(store_storage);
        state.directory = Some(directory.clone());
    });

    let shipped = prepared.shipped(id)?;
    let names = prepared.artifacts.iter().map(|f| f.key.clone());
    let artifacts: Vec<Artifact> = names.zip(hashed).map(|(key, file)| Artifact { key, file }).collect();
    // A NameNode that refused has made nothing that could be removed.
    directory.create().await.inspect_err(|_| undo.note(|state| state.directory = None))?;
    let place = store.place(&artifacts, &undo.unfinished, report);
    let ship = submit::put_all(&directory, submit::ship_files(prepared));
    let (mut resources, mut shipped_by_user) = future::try_join(place, ship).await?;
    resources.append(&mut shipped_by_user);
    let spec = submit::spec(prepared, &hadoop, &shipped, &directory, &resources)?;
    let order = serde_json::to_vec_pretty(&spec)
        .map_err(|e| Failure::because("cannot write the order to the ApplicationMaster", e))?;
    let order = Bytes::from(order);
    let mut inline = submit::configuration_files(prepared, &shipped)?;
    // The order lies in the directory in any case: by it the directory is known for ours.
    let mut own = vec![(SPEC_FILE.to_owned(), Source::Bytes(order.clone()))];
    if submit::fit_inline(&inline, &order) {
        inline.push((SPEC_FILE.to_owned(), order));
    } else {
        own.extend(inline.drain(..).map(|(name, content)| (name, Source::Bytes(content))));
        resources.append(&mut submit::put_all(&directory, std::mem::take(&mut own)).await?);
    }
    let context = submit::submission(prepared, &hadoop, &facts, &spec, &resources, &inline)?;
    tracing::debug!(elapsed = ?begin.elapsed(), "staged");

    report.info(&format!("Submitting application master {id}"));
    undo.note(|state| state.application = Some((yarn.clone(), id)));
    yarn.submit_application(&context).await.map_err(|e| yarn_failure(&e))?;
    report.info("Waiting for the cluster to be allocated");
    // Neither a file that nobody waits for, nor tidying up after others must hold up this application.
    let tidy = async {
        if let Err(failure) = submit::put_all(&directory, own).await {
            report.warn(&failure.to_string());
        }
        janitor::sweep(&yarn, &storage, &base, id).await;
        future::pending::<Infallible>().await
    };
    let ended = tokio::select! {
        ended = wait(&yarn, id, &**report) => ended?,
        never = tidy => match never {},
    };
    let address = ended.inspect_err(|_| undo.note(|state| state.application = None))?;
    report.info(&format!("Found Web Interface {address} of application '{id}'."));
    Ok((id, address, yarn))
}

/// Follows the application until it can be spoken to, or (the inner error) has ended.
async fn wait(
    yarn: &ApplicationClient,
    id: ApplicationId,
    report: &dyn Report,
) -> Result<Result<RestAddress, Failure>, Failure> {
    let begin = Instant::now();
    let mut watch = Watch::default();
    let mut pause = POLL.0;
    let mut heard = Instant::now();
    let mut warned: Option<Instant> = None;
    loop {
        let found = match yarn.application_report(id).await {
            Ok(found) => found,
            // A ResourceManager that fails over or starts anew takes the application with it.
            Err(e) if e.retry() != Retry::No && heard.elapsed() < SILENCE => {
                if warned.is_none_or(|at| at.elapsed() >= REMIND) {
                    warned = Some(Instant::now());
                    report.warn(&format!("{}; still waiting", yarn_failure(&e)));
                }
                tokio::time::sleep(POLL.1).await;
                continue;
            }
            Err(e) => return Err(yarn_failure(&e)),
        };
        heard = Instant::now();
        warned = None;
        let (progress, news) = watch.step(&found, begin.elapsed());
        for text in news {
            report.info(&text);
        }
        match progress {
            Progress::Ready(address) => return Ok(Ok(address)),
            Progress::Failed(failure) => return Ok(Err(failure)),
            Progress::Waiting => tokio::time::sleep(pause).await,
        }
        pause = (pause * 5 / 4).min(POLL.1);
    }
}
