//! The history of one attempt, with what earlier attempts have left. Pure: the time is an argument, in ms
//! since 1970.

use std::collections::BTreeMap;

use diagnosis::facts::{ClassJars, ContainerEnd, Final, MemorySamples, Part, Seen, Source, Voice};
use flink_model::spec::ClusterMode;
use outcomes::{Entry, JobManagerState, Left, Record, Running, SCHEMA};
use taskrunner::cause::{ExitCause, Fault, JvmExit};
use taskrunner::cause_facts::container_end;
use yarn_api::records::{ContainerId, FinalStatus, NodeId};

use super::asks::Asks;
use super::ends::Ends;
use super::node_notes::NodeNotes;
use super::texts::short;
use super::told::Texts;
use crate::controller::observation::Observation;

/// Most bytes of the diagnostics of the application.
const DIAGNOSTICS: usize = 8 << 10;
/// Most classes whose jars are kept.
const CLASSES: usize = 16;
/// How the JobManager begins a failure of the user's `main()`.
const BY_MAIN: &str = "main() of ";

/// What is known of the attempt from its start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    pub(crate) application: String,
    pub(crate) name: String,
    pub(crate) mode: Option<ClusterMode>,
    pub(crate) flink: String,
    /// Number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// The container of heddle-am and of the JobManager, and its node.
    pub(crate) container: String,
    pub(crate) node: String,
    /// The label of the nodes that TaskManagers need.
    pub(crate) label: Option<String>,
    /// When heddle-am was started.
    pub(crate) started: u64,
    /// What memory and slots are configured with.
    pub(crate) memory: BTreeMap<String, String>,
}

/// How often a history has changed, so that it can be told whether it has since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Version {
    /// The application is registered with YARN.
    pub(crate) registered: bool,
    /// Of anything.
    pub(crate) changes: u64,
    /// Of the ends of containers.
    pub(crate) ends: u64,
}

/// A container of a TaskManager.
#[derive(Debug)]
struct Held {
    node: NodeId,
    since: u64,
    /// Its JVM runs, or has run.
    up: bool,
    /// When that was started; none for one that an earlier attempt has started.
    started: Option<u64>,
    /// It is given back, or its TaskManager has ended.
    over: bool,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct History {
    identity: Identity,
    version: Version,
    /// Since when the JobManager's JVM is connected.
    job_manager: Option<u64>,
    /// Since when it can be used.
    ready: Option<u64>,
    restarts: u32,
    held: BTreeMap<ContainerId, Held>,
    asks: Asks,
    ends: Ends,
    told: Texts,
    classes: Vec<Seen<ClassJars>>,
    nodes: NodeNotes,
    ended: Option<(u64, Option<Final>)>,
    diagnostics: String,
}

impl History {
    pub(crate) fn new(identity: Identity) -> Self {
        Self { identity, ..Self::default() }
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Takes note of an observation, if it is of interest.
    pub(crate) fn note(&mut self, observation: &Observation, now: u64) {
        let changed = self.note_session(observation)
            || self.note_job_manager(observation, now)
            || self.note_ask(observation, now)
            || self.note_container(observation, now)
            || self.note_end(observation, now)
            || self.nodes.note(observation, now);
        self.version.changes += u64::from(changed);
    }

    fn note_session(&mut self, observation: &Observation) -> bool {
        let registered = matches!(observation, Observation::Registered { .. });
        self.version.registered |= registered;
        registered
    }

    fn note_job_manager(&mut self, observation: &Observation, now: u64) -> bool {
        match observation {
            Observation::JobManagerConnected { .. } => self.job_manager = Some(now),
            Observation::JobManagerReady { .. } => {
                self.ready = Some(now);
                self.asks.job_manager_ready();
            }
            Observation::JobManagerDisconnected { .. } => (self.job_manager, self.ready) = (None, None),
            Observation::JobManagerRestarts { summary, .. } => {
                (self.job_manager, self.ready) = (None, None);
                self.restarts += 1;
                self.told.add(Voice::JobManager, summary, now);
                self.asks.job_manager_lost();
            }
            Observation::JobManagerHangs { silence } => {
                let text = format!("the JobManager has not answered for {} s", silence.as_secs());
                self.told.add(Voice::JobManager, &text, now);
            }
            Observation::JobManagerDoesNotConnect { within } => {
                let text = format!("the JobManager's JVM has not connected within {} s", within.as_secs());
                self.told.add(Voice::JobManager, &text, now);
            }
            Observation::JobManagerFailure { text } => {
                let voice = if text.starts_with(BY_MAIN) { Voice::Main } else { Voice::JobManager };
                self.told.add(voice, text, now);
            }
            _ => return false,
        }
        true
    }

    fn note_ask(&mut self, observation: &Observation, now: u64) -> bool {
        match observation {
            Observation::Requested { request, size } => self.asks.requested(*request, size, now),
            Observation::Cancelled { request } => self.asks.cancelled(*request, now),
            Observation::Refused { request, reason } => self.asks.refused(*request, reason, now),
            Observation::AskedAhead { count, size } => self.asks.asked_ahead(size, *count, now),
            _ => return false,
        }
        true
    }

    fn note_container(&mut self, observation: &Observation, now: u64) -> bool {
        match observation {
            Observation::Granted { request, container, node } => {
                self.asks.granted(*request);
                // One that came ahead of its request is granted for it once more.
                self.hold(*container, node, false, now);
            }
            Observation::Adopted { container, node } => self.hold(*container, node, true, now),
            Observation::TaskManagerStarted { container, .. } => {
                let Some(held) = self.held.get_mut(container) else { return false };
                (held.up, held.started) = (true, Some(now));
            }
            Observation::Stopping { container, .. } => {
                let Some(held) = self.held.get_mut(container) else { return false };
                held.over = true;
            }
            _ => return false,
        }
        true
    }

    fn hold(&mut self, container: ContainerId, node: &NodeId, up: bool, now: u64) {
        let held = || Held { node: node.clone(), since: now, up, started: None, over: false };
        self.held.entry(container).or_insert_with(held);
    }

    fn note_end(&mut self, observation: &Observation, now: u64) -> bool {
        match observation {
            Observation::StartFailed { container, why, .. } => {
                self.container_ended(*container, &ExitCause::not_started(why.clone()), false, now);
            }
            Observation::TaskManagerEnded { container, report, .. } => {
                return self.task_manager_ended(*container, report, now);
            }
            Observation::ContainerEnded { container, cause, explained, .. } => {
                // Flink may have given it back before YARN or the kernel ended it.
                let given_back = *explained && !self.ends.has(&container.to_string());
                self.container_ended(*container, cause, given_back, now);
            }
            Observation::ContainerGone { container, unknown, .. } => {
                if let Some(cause) = unknown {
                    self.container_ended(*container, cause, false, now);
                }
                self.held.remove(container);
            }
            _ => return false,
        }
        true
    }

    /// The JVM of a container has ended. If that was wanted, it is nothing to speak of. Otherwise more may be
    /// heard of it, and may be not, because Flink gives the container back.
    fn task_manager_ended(&mut self, container: ContainerId, report: &JvmExit, now: u64) -> bool {
        let expected = self.held.get(&container).is_none_or(|held| held.over);
        if !expected {
            self.container_ended(container, &ExitCause::new(None, Some(report)), false, now);
        }
        !expected
    }

    /// Takes note of the end of a container, or of more about one that is known already.
    fn container_ended(&mut self, container: ContainerId, cause: &ExitCause, given_back: bool, now: u64) {
        let id = container.to_string();
        let (mut node, mut started) = (None, None);
        let mut end = container_end(cause);
        if let Some(held) = self.held.get_mut(&container) {
            held.over = true;
            (node, started) = (Some(held.node.to_string()), held.started);
            // It has ended by itself before there was a JVM to tell about.
            end.at_start |= cause.fault == Fault::Process && !held.up;
        }
        let end = ContainerEnd { container: id.clone(), node, given_back, ..end };
        self.version.ends += 1;
        if self.ends.has(&id) {
            self.ends.change(&id, |known| *known = merged(std::mem::take(known), end));
        } else {
            self.ends.add(Entry { at: now, attempt: self.identity.attempt, started, end });
        }
    }

    /// Takes note of the jars that hold some classes. Later ones than the first [`CLASSES`] are left out.
    pub(crate) fn note_classes(&mut self, found: Vec<ClassJars>, now: u64) {
        for fact in found {
            if self.classes.len() < CLASSES && !self.has_class(&fact.class) {
                self.classes.push(Seen { source: Source::ApplicationMaster, at: Some(now), fact });
                self.version.changes += 1;
            }
        }
    }

    /// Whether the jars of this class are known.
    pub(crate) fn has_class(&self, class: &str) -> bool {
        self.classes.iter().any(|seen| seen.fact.class == class)
    }

    /// Whether no more classes are kept.
    pub(crate) fn has_all_classes(&self) -> bool {
        self.classes.len() >= CLASSES
    }

    /// How the memory of a TaskManager's container had gone that has ended.
    pub(crate) fn memory(&mut self, container: ContainerId, samples: MemorySamples) {
        let id = container.to_string();
        if self.ends.has(&id) {
            self.ends.set_memory(&id, samples);
            self.version.ends += 1;
        }
    }

    /// How the attempt ends. `status`: what YARN is told; none if YARN is told nothing, because another
    /// attempt may follow.
    pub(crate) fn end(&mut self, status: Option<FinalStatus>, diagnostics: &str, now: u64) {
        self.ended = status.map(|status| (now, Final::of(&status.to_string())));
        self.diagnostics = short(diagnostics, DIAGNOSTICS);
        self.version.changes += 1;
    }

    /// Goes on with what earlier attempts have left.
    pub(crate) fn go_on_with(&mut self, earlier: Left) {
        let Left { record, entries, .. } = earlier;
        let Record { told, classes, nodes, dropped, .. } = record.unwrap_or_default();
        self.version.changes += 1;
        self.version.ends += u64::from(!entries.is_empty());
        self.ends.put_in_front(entries, dropped);
        self.told.put_in_front(told);
        self.nodes.put_in_front(nodes);
        let own = std::mem::replace(&mut self.classes, classes);
        self.classes.extend(own);
        self.classes.truncate(CLASSES);
    }

    /// The record as it is to be written now.
    pub(crate) fn record(&self, now: u64) -> Record {
        let Identity { application, name, mode, flink, attempt, container, node, label, started, memory } =
            self.identity.clone();
        let (ended, status) = self.ended.map_or((None, None), |(at, status)| (Some(at), status));
        let master = self.job_manager.map(|since| Running {
            part: Part::JobManager,
            container: container.clone(),
            node: node.clone(),
            since: Some(since),
            registered: self.ready.is_some(),
        });
        let workers = self.held.iter().filter(|(_, held)| !held.over).map(|(container, held)| Running {
            part: Part::TaskManager,
            container: container.to_string(),
            node: held.node.to_string(),
            since: Some(held.since),
            registered: held.up,
        });
        Record {
            schema: SCHEMA,
            application,
            name,
            mode: mode.map(mode_text).unwrap_or_default().to_owned(),
            heddle: env!("CARGO_PKG_VERSION").to_owned(),
            flink,
            attempt,
            started: Some(started),
            written: now,
            ended,
            status,
            diagnostics: self.diagnostics.clone(),
            memory,
            asks: self.asks.list(label.as_deref()),
            running: master.into_iter().chain(workers).collect(),
            told: self.told.list(),
            classes: self.classes.clone(),
            nodes: self.nodes.list(),
            dropped: self.ends.dropped(),
            job_manager: JobManagerState {
                ready: self.ready,
                restarts: self.restarts,
                node,
                container,
                memory: None,
            },
        }
    }

    /// The containers that have ended, the oldest first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.ends.iter().cloned().collect()
    }
}

/// What is known of an end once there is a second word on it, which as a rule is YARN's.
fn merged(known: ContainerEnd, new: ContainerEnd) -> ContainerEnd {
    ContainerEnd {
        node: new.node.or(known.node),
        status: new.status.or(known.status),
        code: new.code.or(known.code),
        signal: new.signal.or(known.signal),
        exhausted: new.exhausted.or(known.exhausted),
        peak: new.peak.or(known.peak),
        allowed: new.allowed.or(known.allowed),
        said: if new.said.is_empty() { known.said } else { new.said },
        diagnostics: if new.diagnostics.is_empty() { known.diagnostics } else { new.diagnostics },
        at_start: known.at_start || new.at_start,
        given_back: known.given_back,
        memory: new.memory.or(known.memory),
        ..new
    }
}

/// The name of a mode in the record, and in the metrics.
pub(crate) fn mode_text(mode: ClusterMode) -> &'static str {
    match mode {
        ClusterMode::Session => "session",
        ClusterMode::Application => "application",
        ClusterMode::PerJob => "per-job",
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
