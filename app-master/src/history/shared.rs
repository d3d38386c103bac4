//! One history for several tasks: the loop that notes, the server that tells, and the task that writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diagnosis::facts::{ClassJars, MemorySamples};
use outcomes::{Account, Entry, Left, Record};
use taskrunner::control::Memory;
use tokio::sync::watch;
use yarn_api::records::{ContainerId, FinalStatus};

use super::state::{History, Identity, Version};
use crate::controller::observation::Observation;
use crate::samples::Samples;

/// Clones share it. Times are in ms since 1970.
#[derive(Debug, Clone)]
pub(crate) struct SharedHistory {
    history: Arc<Mutex<History>>,
    /// The memory of the JobManager's JVM.
    job_manager: Arc<Mutex<Samples>>,
    version: Arc<watch::Sender<Version>>,
}

impl SharedHistory {
    pub(crate) fn new(identity: Identity) -> Self {
        let (version, _) = watch::channel(Version::default());
        let history = Arc::new(Mutex::new(History::new(identity)));
        Self { history, job_manager: Arc::default(), version: Arc::new(version) }
    }

    /// Takes note of what was observed.
    pub(crate) fn note(&self, observations: &[Observation], now: u64) {
        if !observations.is_empty() {
            self.change(|history| observations.iter().for_each(|one| history.note(one, now)));
        }
    }

    /// See [`History::memory`].
    pub(crate) fn memory(&self, container: ContainerId, samples: MemorySamples) {
        self.change(|history| history.memory(container, samples));
    }

    /// Keeps a sample of the memory of the JobManager's JVM. It is in the record that is written next, and no
    /// reason to write one.
    pub(crate) fn job_manager_memory(&self, memory: Memory) {
        self.job_manager.lock().unwrap_or_else(PoisonError::into_inner).add(memory);
    }

    /// See [`History::end`].
    pub(crate) fn end(&self, status: Option<FinalStatus>, diagnostics: &str, now: u64) {
        self.change(|history| history.end(status, diagnostics, now));
    }

    /// See [`History::go_on_with`].
    pub(crate) fn go_on_with(&self, earlier: Left) {
        self.change(|history| history.go_on_with(earlier));
    }

    /// See [`History::note_classes`].
    pub(crate) fn note_classes(&self, found: Vec<ClassJars>, now: u64) {
        self.change(|history| history.note_classes(found, now));
    }

    /// Those of these classes whose jars are not known yet; none if no more are kept.
    pub(crate) fn unknown_classes(&self, mut classes: Vec<String>) -> Vec<String> {
        let history = self.history();
        classes.retain(|class| !history.has_class(class) && !history.has_all_classes());
        classes
    }

    /// Tells when it has changed.
    pub(crate) fn versions(&self) -> watch::Receiver<Version> {
        self.version.subscribe()
    }

    /// The record as it is to be written now, and which version of the history it has.
    pub(crate) fn record(&self, now: u64) -> (Record, Version) {
        let history = self.history();
        (self.with_memory(history.record(now)), history.version())
    }

    /// The record with the memory of the JobManager's JVM.
    fn with_memory(&self, mut record: Record) -> Record {
        let samples = self.job_manager.lock().unwrap_or_else(PoisonError::into_inner);
        record.job_manager.memory = samples.for_record().map(Box::new);
        record
    }

    /// The containers that have ended.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.history().entries()
    }

    /// Everything, for a client or for the diagnosis.
    pub(crate) fn account(&self, now: u64) -> Account {
        let history = self.history();
        Account { record: self.with_memory(history.record(now)), entries: history.entries() }
    }

    fn change(&self, change: impl FnOnce(&mut History)) {
        let mut history = self.history();
        change(&mut history);
        let new = history.version();
        // The history is still locked, so that no older version is told after a newer one.
        self.version.send_if_modified(|version| std::mem::replace(version, new) != new);
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_told() {
        let history = SharedHistory::new(Identity { attempt: 2, ..Identity::default() });
        let mut versions = history.versions();
        history.note(&[], 1);
        history.note(&[Observation::Registering], 2);
        assert!(!versions.has_changed().unwrap());
        let text = "main() of M failed".to_owned();
        history.clone().note(&[Observation::JobManagerFailure { text }], 3);
        assert!(versions.has_changed().unwrap());
        assert_eq!(*versions.borrow_and_update(), Version { changes: 1, ..Version::default() });
        history.end(Some(FinalStatus::Failed), "why", 9);
        let (record, version) = history.record(10);
        assert_eq!((record.ended, record.attempt, version.changes), (Some(9), 2, 2));
        assert_eq!(history.account(10), Account { record, entries: history.entries() });
    }

    #[test]
    fn the_jars_of_a_class_are_noted_once() {
        let history = SharedHistory::new(Identity::default());
        let of = |number: usize| ClassJars { class: format!("a.B{number}"), ..ClassJars::default() };
        history.note_classes(vec![of(1), of(1)], 5);
        assert_eq!(history.unknown_classes(vec!["a.B1".into(), "a.B2".into()]), ["a.B2"]);
        history.note_classes((0..50).map(of).collect(), 6);
        assert!(history.unknown_classes(vec!["a.B99".into()]).is_empty());
        let classes = history.record(7).0.classes;
        assert_eq!((classes.len(), classes[0].at), (16, Some(5)));
    }

    #[test]
    fn the_memory_of_the_jobmanager_is_in_the_record_and_no_change() {
        let history = SharedHistory::new(Identity::default());
        let versions = history.versions();
        assert_eq!(history.record(1).0.job_manager.memory, None);
        history.job_manager_memory(Memory { at_unix_ms: 5_000, rss: 3 << 20, ..Memory::default() });
        assert!(!versions.has_changed().unwrap());
        assert_eq!(history.account(1).record.job_manager.memory.unwrap().rss, [3 << 10]);
    }
}
