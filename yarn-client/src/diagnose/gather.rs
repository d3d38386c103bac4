//! Asks all witnesses of an application at once, and puts together what they say.

use std::time::Duration;

use artifact_store::now_ms;
use diagnosis::facts::{Absent, Facts, Seen, Source};
use flink_rest::ConfigEntry;
use hadoop_rpc::RemoteKind;
use outcomes::Record;
use tokio::time::timeout;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport};

use super::cluster::{add_cluster_facts, application_fact};
use super::inquiry::Inquiry;
use super::job_manager::{Said, settings_of};
use super::need::needs_logs;
use super::record::Kept;
use super::silence::{in_time, silent, unreachable};
use super::{account, job_manager, log_ends, record};
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::patience::Wait;
use crate::units::count;

/// How much longer the questions to the ResourceManager may take together than each of them: one that is not
/// answered in time must not cost the answers to the others.
const SLACK: Duration = Duration::from_millis(500);

/// How much is done to find something out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// The time limit of each witness.
    each: Duration,
    /// Whether logs are read if nothing else tells the cause.
    logs: bool,
}

impl Effort {
    /// For the state alone: logs are not read.
    pub const STATE: Self = Self { each: Duration::from_secs(3), logs: false };
    /// For the cause: logs are read if nothing else tells it.
    pub const CAUSE: Self = Self { each: Duration::from_secs(3), logs: true };
}

/// The TaskManagers that have registered with the JobManager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskManagers {
    /// How many they are.
    pub registered: u32,
    /// How many slots they have.
    pub slots: u32,
    /// How many of these slots have no task.
    pub free_slots: u32,
}

/// What was found out about an application.
#[derive(Debug, Clone, PartialEq)]
pub struct Gathered {
    /// The application.
    pub application: ApplicationId,
    /// Its name; empty if nobody tells it.
    pub name: String,
    /// The user who has submitted it; empty if nobody tells that.
    pub user: String,
    /// What all witnesses say, those that are silent too.
    pub facts: Facts,
    /// Its TaskManagers, if the JobManager tells them.
    pub task_managers: Option<TaskManagers>,
    /// What could not be read of what is there, as warnings.
    pub notes: Vec<String>,
    /// The JobManager's configuration, if the JobManager tells it. It may hold secrets.
    pub(super) configuration: Vec<ConfigEntry>,
    /// The files of heddle-am's record as they are, by their names.
    pub(super) record: Vec<(&'static str, Vec<u8>)>,
}

/// What the witnesses have said that can be asked quickly.
struct Asked {
    gathered: Gathered,
    /// The ResourceManager's report, if it has answered.
    report: Option<ApplicationReport>,
    /// Whether heddle-am has left a record.
    has_record: bool,
}

/// Asks all witnesses of an application. That a witness is silent is no failure. It is one if the client of
/// the ResourceManager cannot be made, because the Hadoop configuration cannot be used.
pub async fn gather(inquiry: &Inquiry, id: ApplicationId, effort: Effort) -> Result<Gathered, Failure> {
    let hadoop = inquiry.hadoop.clone().waiting(Wait::Little);
    let Asked { mut gathered, report, has_record } = ask(inquiry, &hadoop, id, effort.each).await?;
    if effort.logs && needs_logs(&gathered.facts, has_record) {
        let (owner, now) = (Some(gathered.user.clone()).filter(|user| !user.is_empty()), gathered.facts.now);
        log_ends::add(&mut gathered.facts, &hadoop, (id, report.as_ref()), owner, now).await;
        // Ages count from now on.
        gathered.facts.now = now_ms();
    }
    Ok(gathered)
}

/// What is found out without reading logs, within this time for each witness. It is for a command that has
/// failed and is about to end. Unlike [`gather`], it can be used on any thread: a program that embeds the
/// client deploys on any.
pub(super) async fn quickly(inquiry: &Inquiry, id: ApplicationId, each: Duration) -> Result<Facts, Failure> {
    let hadoop = inquiry.hadoop.clone().waiting(Wait::Little);
    Ok(ask(inquiry, &hadoop, id, each).await?.gathered.facts)
}

/// Asks all witnesses but the logs, each for this time.
async fn ask(
    inquiry: &Inquiry,
    hadoop: &Hadoop,
    id: ApplicationId,
    each: Duration,
) -> Result<Asked, Failure> {
    let yarn = hadoop.yarn()?;
    let own = hadoop.login.user().short_name().to_owned();
    let now = now_ms();
    let mut gathered = Gathered {
        application: id,
        name: String::new(),
        user: String::new(),
        facts: Facts { now, settings: inquiry.settings.clone(), ..Facts::default() },
        task_managers: None,
        notes: Vec::new(),
        configuration: Vec::new(),
        record: Vec::new(),
    };
    let (report, mut kept) =
        tokio::join!(in_time(each, report(&yarn, id)), record::read(inquiry, id, &own, each));
    let report = match report {
        Ok(report) => Some(report),
        Err(absent) => {
            if matches!(absent, Absent::Unreachable(_)) {
                let why = unreachable("only the ResourceManager knows its address");
                gathered.facts.absent.push(silent(Source::JobManager, now, why));
            }
            gathered.facts.absent.push(silent(Source::ResourceManager, now, absent));
            None
        }
    };
    if let Some(report) = &report {
        gathered.name.clone_from(&report.name);
        gathered.user.clone_from(&report.user);
        // Another user's record is in another directory.
        if matches!(kept, Err(Absent::Nothing)) && !report.user.is_empty() && report.user != own {
            kept = record::read(inquiry, id, &report.user, each).await;
        }
    }
    let has_record = kept.is_ok();
    // What is asked for decides which limits of the queue count, so it comes before the queue.
    take_record(&mut gathered, kept, now);
    if let Some(report) = &report {
        of_running(&mut gathered, inquiry, &yarn, report, each, now).await;
    }
    // Ages count from now on.
    gathered.facts.now = now_ms();
    Ok(Asked { gathered, report, has_record })
}

async fn report(yarn: &ApplicationClient, id: ApplicationId) -> Result<ApplicationReport, Absent> {
    yarn.application_report(id).await.map_err(|error| {
        match error.is_remote(RemoteKind::ApplicationNotFound) {
            true => Absent::Forgotten,
            false => unreachable(yarn_failure(&error)),
        }
    })
}

/// Adds what the report says, and what those say who can be asked because of it: the ResourceManager about
/// the cluster, the JobManager, and heddle-am.
async fn of_running(
    gathered: &mut Gathered,
    inquiry: &Inquiry,
    yarn: &ApplicationClient,
    report: &ApplicationReport,
    within: Duration,
    now: u64,
) {
    let facts = &mut gathered.facts;
    let fact = application_fact(report);
    facts.applications.push(Seen { source: Source::ResourceManager, at: Some(now), fact });
    let cluster = timeout(within + SLACK, add_cluster_facts(facts, yarn, report, now));
    let (cluster, said) = tokio::join!(cluster, job_manager::ask(report, &inquiry.security, now, within));
    if cluster.is_err() {
        tracing::debug!("the ResourceManager does not tell of nodes and queue in time");
    }
    if let (Some(address), Some(access)) = (&said.address, &inquiry.access) {
        let account = account::ask(&said.config, address, access, said.classes());
        let account = in_time(within, account).await;
        match account {
            Ok(left) => {
                // What the record has may have been given since it was written.
                gathered.facts.asks.retain(|seen| seen.source != Source::Outcome);
                left.add_to(&mut gathered.facts, Source::ApplicationMaster);
            }
            Err(absent) => gathered.facts.absent.push(silent(Source::ApplicationMaster, now, absent)),
        }
    }
    take_job_manager(gathered, said, now);
}

/// Takes what the JobManager has said into the facts.
fn take_job_manager(gathered: &mut Gathered, said: Said, now: u64) {
    let facts = &mut gathered.facts;
    facts.settings = said.settings().or(facts.settings.take());
    gathered.task_managers = said.overview.as_ref().map(|overview| TaskManagers {
        registered: overview.taskmanagers,
        slots: overview.slots_total,
        free_slots: overview.slots_available,
    });
    let Said { jobs, told, config, absent, .. } = said;
    facts.jobs.extend(jobs);
    facts.told.extend(told);
    facts.absent.extend(absent.map(|absent| silent(Source::JobManager, now, absent)));
    gathered.configuration = config;
}

/// Takes what heddle-am has left into the facts.
fn take_record(gathered: &mut Gathered, kept: Result<Kept, Absent>, now: u64) {
    let Kept { left, files } = match kept {
        Ok(kept) => kept,
        Err(absent) => {
            gathered.facts.absent.push(silent(Source::Outcome, now, absent));
            return;
        }
    };
    left.add_to(&mut gathered.facts, Source::Outcome);
    if gathered.facts.settings.is_none() {
        let told = |record: &Record| settings_of(&record.flink, "heddle-am's record", &record.memory);
        gathered.facts.settings = left.record.as_ref().and_then(told);
    }
    if let Some(record) = left.record.as_ref().filter(|_| gathered.name.is_empty()) {
        gathered.name.clone_from(&record.name);
    }
    if left.broken > 0 {
        let entries = if left.broken == 1 { "entry" } else { "entries" };
        gathered.notes.push(format!(
            "{} {entries} of heddle-am's record cannot be read: a newer heddle may have written them, or heddle-am \
             was ended while it wrote",
            left.broken
        ));
    }
    let dropped = left.record.as_ref().map_or(0, |record| record.dropped);
    if dropped > 0 {
        let ends = count(dropped, "end");
        gathered
            .notes
            .push(format!("{ends} of containers are not in heddle-am's record, because there were too many"));
    }
    gathered.record = files;
}
