//! Writes the record that the application leaves: at most once a second after the end of a container, seldom
//! after anything else, and once more before the application unregisters. A failure is logged once, and the
//! application goes on as if nothing had happened.

use std::sync::Arc;
use std::time::Duration;

use diagnosis::facts::Final;
use outcomes::{CONTAINERS_FILE, Left, RECORD_FILE, Record, record_json};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use yarn_api::records::FinalStatus;

use super::unregister::becomes_true;
use crate::clock;
use crate::environment::Environment;
use crate::history::{Pace, SharedHistory, Version};
use crate::outcome_files::{NotKept, OutcomeFiles};

/// How long the unregistration from YARN waits until the record is written for the last time.
const LAST: Duration = Duration::from_secs(5);
/// How long it may take to learn whether an earlier attempt has ended the application.
const FIRST: Duration = Duration::from_secs(5);
/// How long the last write may still take after SIGTERM, if the application ends without a report to YARN.
const LAST_AFTER_SIGTERM: Duration = Duration::from_millis(1500);

/// Where the record is kept.
trait Files: Send + Sync + 'static {
    fn prepare(&self) -> impl Future<Output = Result<(), NotKept>> + Send;
    fn read(&self) -> impl Future<Output = Result<Left, NotKept>> + Send;
    fn write(&self, name: &str, content: Vec<u8>) -> impl Future<Output = Result<(), NotKept>> + Send;
}

impl Files for OutcomeFiles {
    async fn prepare(&self) -> Result<(), NotKept> {
        OutcomeFiles::prepare(self).await
    }

    async fn read(&self) -> Result<Left, NotKept> {
        OutcomeFiles::read(self).await
    }

    async fn write(&self, name: &str, content: Vec<u8>) -> Result<(), NotKept> {
        OutcomeFiles::write(self, name, content).await
    }
}

/// The task that writes the record.
pub(super) struct OutcomeWriter {
    history: SharedHistory,
    /// Asks the task to write for the last time, and to end.
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl OutcomeWriter {
    /// Starts the task; `None` if the application is to leave no record. `unread`: earlier attempts may have
    /// left one that was not read yet.
    pub(super) fn start(
        environment: &Arc<Environment>,
        history: &SharedHistory,
        unread: bool,
    ) -> Option<Self> {
        let files = OutcomeFiles::new(environment)?;
        let (end, asked) = oneshot::channel();
        let record = Kept::new(files, history.clone(), unread);
        Some(Self { history: history.clone(), end, task: tokio::spawn(record.keep(asked)) })
    }

    /// Lets the task write for the last time, and waits for it for at most [`LAST`]. `status` is the final
    /// status that YARN is told next; `None` if YARN is told nothing.
    pub(super) async fn finish(
        self,
        status: Option<FinalStatus>,
        diagnostics: &str,
        terminated: watch::Receiver<bool>,
    ) {
        let Self { history, end, mut task } = self;
        history.end(status, diagnostics, clock::unix_ms());
        // It fails only if the task has ended already, because nothing can be written.
        let _ = end.send(());
        let after_sigterm = if status.is_some() { Duration::ZERO } else { LAST_AFTER_SIGTERM };
        let sigterm = async {
            becomes_true(terminated).await;
            sleep(after_sigterm).await;
        };
        tokio::select! {
            _ = &mut task => return,
            () = sleep(LAST) => {}
            // SIGKILL comes soon. If YARN had not heard the final status by then, it would start the
            // application once more. The task goes on writing meanwhile.
            () = sigterm => if status.is_some() { return },
        }
        tracing::info!("the record of the application could not be written completely in time");
        task.abort();
    }
}

/// What earlier attempts have left; `None` if there are none, or if that cannot be learned within [`FIRST`].
pub(super) async fn left_by_earlier(environment: &Arc<Environment>) -> Option<Left> {
    if environment.attempt() == 1 {
        return None;
    }
    let files = OutcomeFiles::new(environment)?;
    let read = async {
        files.prepare().await?;
        files.read().await
    };
    let why = match timeout(FIRST, read).await {
        Ok(Ok(left)) => return Some(left),
        Ok(Err(error)) => error.why,
        Err(_) => format!("the NameNode has not answered within {} s", FIRST.as_secs()),
    };
    tracing::warn!(
        why,
        "it is not known whether an earlier attempt has ended the application; it is started"
    );
    None
}

/// How the application has ended as a record tells it, if an attempt could not tell YARN any more: it has
/// written that down before, and another attempt must not run the program once more. An end without a time
/// was not decided.
pub(super) fn end_of(record: &Record) -> Option<(FinalStatus, String)> {
    record.ended?;
    let status = match record.status? {
        Final::Succeeded => FinalStatus::Succeeded,
        Final::Failed => FinalStatus::Failed,
        Final::Killed => FinalStatus::Killed,
    };
    Some((status, record.diagnostics.clone()))
}

/// The state of the task: where the record is kept, and which version of it is written.
struct Kept<F> {
    files: F,
    history: SharedHistory,
    /// Whether earlier attempts may have left a record that is not read yet.
    earlier: bool,
    prepared: bool,
    written: Option<Version>,
    /// Whether a failure was logged.
    told: bool,
}

impl<F: Files> Kept<F> {
    fn new(files: F, history: SharedHistory, earlier: bool) -> Self {
        Self { files, history, earlier, prepared: false, written: None, told: false }
    }

    /// Writes the record whenever that is due, and once more when `end` asks for it.
    async fn keep(mut self, mut end: oneshot::Receiver<()>) {
        let mut versions = self.history.versions();
        let mut pace = Pace::default();
        loop {
            let version = *versions.borrow_and_update();
            if version.registered {
                pace.registered(clock::now());
            }
            let over = tokio::select! {
                biased;
                asked = &mut end => {
                    if asked.is_err() {
                        return;
                    }
                    true
                }
                changed = versions.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    continue;
                }
                () = wait_until(pace.due(version)) => false,
            };
            let begin = clock::now();
            let result = self.write().await;
            pace.tried(begin, clock::now(), result.as_ref().ok().copied());
            let for_good = result.is_err_and(|error| self.failed(error));
            if over || for_good {
                return;
            }
        }
    }

    /// Writes what has changed. Returns the version that is written now.
    async fn write(&mut self) -> Result<Version, NotKept> {
        if !self.prepared {
            self.files.prepare().await?;
            self.prepared = true;
        }
        if self.earlier {
            let left = self.files.read().await?;
            self.history.go_on_with(left);
            self.earlier = false;
        }
        let (record, version) = self.history.record(clock::unix_ms());
        let ends = self.written.map_or(0, |written| written.ends);
        if version.ends != ends {
            let mut lines = String::new();
            for entry in self.history.entries() {
                lines.push_str(&entry.line());
                lines.push('\n');
            }
            self.files.write(CONTAINERS_FILE, lines.into_bytes()).await?;
        }
        if self.written != Some(version) {
            self.files.write(RECORD_FILE, record_json(&record)).await?;
        }
        self.written = Some(version);
        Ok(version)
    }

    /// Logs a failure if it is the first one, or if no other try is made after it. Returns whether no other
    /// try is made.
    fn failed(&mut self, error: NotKept) -> bool {
        let NotKept { for_good, why } = error;
        if !std::mem::replace(&mut self.told, true) || for_good {
            let then = match (for_good, self.written) {
                (false, _) => "that is tried again, and not logged again",
                (true, None) => "none is left",
                (true, Some(_)) => "it stays as it was written before",
            };
            tracing::warn!(
                why,
                "the record of the application cannot be written to .heddle/outcomes of the user's home directory; {then}"
            );
        }
        for_good
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use taskrunner::cause::ExitCause;

    use super::*;
    use crate::controller::observation::Observation;
    use crate::history::Identity;
    use crate::ledger::types::container_id;

    /// A directory in memory. `refuses` says how many calls still fail, and whether they fail for good.
    #[derive(Default)]
    struct Memory {
        files: Mutex<BTreeMap<String, Vec<u8>>>,
        calls: Mutex<Vec<String>>,
        refuses: Mutex<(u32, bool)>,
    }

    impl Memory {
        fn call(&self, name: &str) -> Result<(), NotKept> {
            self.calls.lock().unwrap().push(name.to_owned());
            let mut refuses = self.refuses.lock().unwrap();
            if refuses.0 == 0 {
                return Ok(());
            }
            refuses.0 -= 1;
            Err(NotKept { for_good: refuses.1, why: "no".into() })
        }

        fn calls(&self) -> Vec<String> {
            self.calls.lock().unwrap().drain(..).collect()
        }

        fn left(&self) -> Left {
            let files = self.files.lock().unwrap();
            let file = |name: &str| files.get(name).map(Vec::as_slice);
            Left::parse(file(RECORD_FILE), file(CONTAINERS_FILE))
        }
    }

    impl Files for Arc<Memory> {
        async fn prepare(&self) -> Result<(), NotKept> {
            self.call("prepare")
        }

        async fn read(&self) -> Result<Left, NotKept> {
            self.call("read")?;
            Ok(self.left())
        }

        async fn write(&self, name: &str, content: Vec<u8>) -> Result<(), NotKept> {
            self.call(name)?;
            self.files.lock().unwrap().insert(name.to_owned(), content);
            Ok(())
        }
    }

    fn history(attempt: u32) -> SharedHistory {
        SharedHistory::new(Identity { attempt, ..Identity::default() })
    }

    fn ended(history: &SharedHistory, name: &str) {
        let cause = Box::new(ExitCause::new(Some((137, "")), None));
        let (container, reason) = (container_id(name), String::new());
        let observation = Observation::ContainerEnded { container, reason, cause, explained: false };
        history.note(&[observation], 5);
    }

    #[tokio::test]
    async fn only_what_has_changed_is_written() {
        let (files, history) = (Arc::new(Memory::default()), history(1));
        let mut kept = Kept::new(files.clone(), history.clone(), false);
        kept.write().await.unwrap();
        assert_eq!(files.calls(), ["prepare", RECORD_FILE]);
        kept.write().await.unwrap();
        assert_eq!(files.calls(), [""; 0]);
        ended(&history, "c2");
        assert_eq!(kept.write().await.unwrap(), history.record(0).1);
        assert_eq!(files.calls(), [CONTAINERS_FILE, RECORD_FILE]);
        history.end(Some(FinalStatus::Failed), "why", 9);
        kept.write().await.unwrap();
        assert_eq!(files.calls(), [RECORD_FILE]);
        let left = files.left();
        assert_eq!((left.entries.len(), left.record.unwrap().ended), (1, Some(9)));
    }

    #[test]
    fn only_an_end_that_yarn_was_to_be_told_is_one() {
        let ended = Record { ended: Some(5), status: Some(Final::Failed), ..Record::default() };
        let of = |record: &Record| end_of(record).map(|(status, _)| status);
        assert_eq!(of(&ended), Some(FinalStatus::Failed));
        assert_eq!(of(&Record { ended: None, ..ended.clone() }), None);
        assert_eq!(of(&Record { status: None, ..ended }), None);
    }

    #[tokio::test]
    async fn a_later_attempt_goes_on_with_what_is_there() {
        let files = Arc::new(Memory::default());
        let first = history(1);
        ended(&first, "c2");
        Kept::new(files.clone(), first, false).write().await.unwrap();
        let second = history(2);
        ended(&second, "c3");
        let mut kept = Kept::new(files.clone(), second, true);
        *files.refuses.lock().unwrap() = (1, false);
        assert!(kept.write().await.is_err());
        kept.write().await.unwrap();
        let attempts: Vec<u32> = files.left().entries.iter().map(|entry| entry.attempt).collect();
        assert_eq!(attempts, [1, 2]);
        let last = files.calls().into_iter().rev().take(3).collect::<Vec<_>>();
        assert_eq!(last, [RECORD_FILE, CONTAINERS_FILE, "read"]);
    }

    #[tokio::test]
    async fn the_end_is_written_at_once() {
        let (files, history) = (Arc::new(Memory::default()), history(1));
        let (end, asked) = oneshot::channel();
        let task = tokio::spawn(Kept::new(files.clone(), history.clone(), false).keep(asked));
        let (_signal, terminated) = watch::channel(false);
        let writer = OutcomeWriter { history, end, task };
        writer.finish(Some(FinalStatus::Succeeded), "", terminated).await;
        let record = files.left().record.unwrap();
        assert!(record.ended.is_some() && record.status == Some(diagnosis::facts::Final::Succeeded));
    }

    #[tokio::test]
    async fn sigterm_ends_the_wait_and_at_once_if_yarn_is_to_be_told() {
        for (status, least) in [(Some(FinalStatus::Failed), Duration::ZERO), (None, LAST_AFTER_SIGTERM)] {
            let (end, _asked) = oneshot::channel();
            let (_signal, terminated) = watch::channel(true);
            let task = tokio::spawn(std::future::pending());
            let begin = clock::now();
            OutcomeWriter { history: history(1), end, task }.finish(status, "", terminated).await;
            let took = clock::now() - begin;
            assert!(took >= least && took < least + Duration::from_secs(1), "{took:?}");
        }
    }

    #[test]
    fn what_is_refused_for_good_is_not_tried_again() {
        let mut kept = Kept::new(Arc::new(Memory::default()), history(1), false);
        for (for_good, again) in [(false, true), (true, false)] {
            assert_eq!(!kept.failed(NotKept { for_good, why: String::new() }), again);
        }
    }
}
