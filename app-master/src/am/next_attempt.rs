//! Keeps in the application's directory what the next attempt has to know, and reads what earlier attempts
//! have kept there. The NameNode may be away just then, so both are tried again. The registration waits for
//! none of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use flink_model::spec::ClusterMode;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::effects::NextAttempt;
use crate::bridge::ZooKeeperSession;
use crate::controller::event::{Earlier, Event};
use crate::environment::Environment;
use crate::staging::{SUBMISSION, ZOOKEEPER_SESSION};
use crate::submission::policy::SubmissionRecord;

/// The first and the longest pause after a file that could not be written.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// How long the session may take to be read. The JobManager cannot start before. Without the session it waits
/// for longer than this, but with a NameNode that does not answer there are no job graphs and checkpoints
/// either.
const SESSION_PATIENCE: Duration = Duration::from_secs(10);
/// How long the submission may take to be read. It is needed only once the JobManager can be used, and starts
/// of the JobManager that fail because its NameNode is away are repeated for as long.
const SUBMISSION_PATIENCE: Duration = Duration::from_secs(240);

/// Reads what earlier attempts have kept; each part is an event once it is known.
pub(super) fn read(environment: Arc<Environment>, events: mpsc::UnboundedSender<Event>) {
    tokio::spawn(async move {
        let session = async {
            let session = ZOOKEEPER_SESSION.read(&environment, SESSION_PATIENCE).await;
            let session = session.unwrap_or_else(|error| {
                tracing::warn!("{error}; the JobManager waits until ZooKeeper ends the session");
                None
            });
            // At the end the loop does not listen any more.
            drop(events.send(Event::Earlier(Earlier::Session(session))));
        };
        let submission = async {
            if environment.spec.application.mode != ClusterMode::PerJob {
                return;
            }
            let record = SUBMISSION.read(&environment, SUBMISSION_PATIENCE).await;
            let record = record.map(Option::unwrap_or_default).inspect_err(|error| {
                tracing::warn!(
                    "{error}; how main() and the jobs ended that were over by then is not known any more"
                );
            });
            drop(events.send(Event::Earlier(Earlier::Submission(record.ok()))));
        };
        tokio::join!(session, submission);
    });
}

#[derive(Debug)]
enum Keep {
    Session(ZooKeeperSession),
    Submission(SubmissionRecord),
}

/// Where it is kept: each kind in a file of its own.
trait Files: Send + Sync + 'static {
    /// The error is a whole sentence.
    fn write(&self, keep: &Keep) -> impl Future<Output = Result<(), String>> + Send;
}

impl Files for Arc<Environment> {
    async fn write(&self, keep: &Keep) -> Result<(), String> {
        match keep {
            Keep::Session(session) => ZOOKEEPER_SESSION.write(self, session).await,
            Keep::Submission(record) => SUBMISSION.write(self, record).await,
        }
    }
}

/// The newest value of each file, as long as it is not written.
#[derive(Debug, Default)]
struct Unwritten(VecDeque<Keep>);

impl Unwritten {
    fn put(&mut self, keep: Keep) {
        let same = |other: &&mut Keep| std::mem::discriminant(*other) == std::mem::discriminant(&keep);
        match self.0.iter_mut().find(same) {
            Some(older) => *older = keep,
            None => self.0.push_back(keep),
        }
    }
}

/// Takes what is to be kept.
pub(super) struct KeptForNextAttempt(mpsc::UnboundedSender<Keep>);

impl KeptForNextAttempt {
    /// `kept`: is told what is known of the submission once it is written. The task that writes ends once the
    /// result is dropped and everything is written.
    pub(super) fn start(
        environment: Arc<Environment>,
        kept: watch::Sender<SubmissionRecord>,
    ) -> (Self, JoinHandle<()>) {
        let (sender, what) = mpsc::unbounded_channel();
        (Self(sender), tokio::spawn(write_all(environment, what, PAUSES, kept)))
    }

    fn keep(&self, what: Keep) {
        // Its task ends with the sender.
        drop(self.0.send(what));
    }
}

impl NextAttempt for KeptForNextAttempt {
    fn keep_session(&self, session: ZooKeeperSession) {
        self.keep(Keep::Session(session));
    }

    fn keep_submission(&self, record: SubmissionRecord) {
        self.keep(Keep::Submission(record));
    }
}

/// Writes one file after the other, each until that has succeeded or there is a newer value for it.
async fn write_all(
    files: impl Files,
    mut what: mpsc::UnboundedReceiver<Keep>,
    (shortest, longest): (Duration, Duration),
    kept: watch::Sender<SubmissionRecord>,
) {
    let mut unwritten = Unwritten::default();
    // None: the last try has succeeded.
    let mut pause: Option<Duration> = None;
    let mut more = true;
    loop {
        while let Ok(keep) = what.try_recv() {
            unwritten.put(keep);
        }
        let Some(keep) = unwritten.0.pop_front() else {
            match what.recv().await {
                Some(keep) => unwritten.put(keep),
                None => return,
            }
            continue;
        };
        match files.write(&keep).await {
            Ok(()) => {
                if pause.take().is_some() {
                    tracing::info!("what the next attempt has to know can be written again");
                }
                if let Keep::Submission(record) = keep {
                    kept.send_replace(record);
                }
            }
            Err(error) => {
                if pause.is_none() {
                    tracing::warn!(
                        "{error}; it is tried again, and until then the next attempt would not know it"
                    );
                }
                unwritten.put(keep);
                let wait = pause.map_or(shortest, |pause| (pause * 2).min(longest));
                pause = Some(wait);
                // A newer value, or the end, is a reason to try at once.
                tokio::select! {
                    newer = what.recv(), if more => match newer {
                        Some(keep) => unwritten.put(keep),
                        None => more = false,
                    },
                    () = sleep(wait) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::timeout;

    use super::*;

    const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(4));

    /// A NameNode that refuses as often as it is told to, and what it has been asked to write.
    #[derive(Default)]
    struct NameNode {
        refusals: usize,
        asked: Mutex<Vec<String>>,
    }

    impl Files for Arc<NameNode> {
        async fn write(&self, keep: &Keep) -> Result<(), String> {
            let mut asked = self.asked.lock().unwrap();
            asked.push(match keep {
                Keep::Session(session) => session.id.clone(),
                Keep::Submission(record) => format!("{:?}", record.exit_code),
            });
            if asked.len() > self.refusals { Ok(()) } else { Err("refused".into()) }
        }
    }

    fn session(id: &str) -> Keep {
        Keep::Session(ZooKeeperSession { id: id.into(), password: "p".into() })
    }

    fn record(exit_code: i32) -> SubmissionRecord {
        SubmissionRecord { exit_code: Some(exit_code), ..SubmissionRecord::default() }
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_written_later_and_only_then_called_kept() {
        let name_node = Arc::new(NameNode { refusals: 5, ..NameNode::default() });
        let (sender, what) = mpsc::unbounded_channel();
        let (kept, mut known) = watch::channel(SubmissionRecord::default());
        let writer = tokio::spawn(write_all(name_node.clone(), what, PAUSES, kept));
        sender.send(Keep::Submission(record(3))).unwrap();
        let is_kept = known.wait_for(|known| known.exit_code.is_some());
        assert_eq!(*timeout(Duration::from_secs(60), is_kept).await.unwrap().unwrap(), record(3));
        assert_eq!(*name_node.asked.lock().unwrap(), ["Some(3)"; 6]);
        drop(sender);
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn only_the_newest_value_of_each_file_is_written() {
        let name_node = Arc::new(NameNode { refusals: 1, ..NameNode::default() });
        let (sender, what) = mpsc::unbounded_channel();
        let (kept, known) = watch::channel(SubmissionRecord::default());
        for keep in [session("1"), Keep::Submission(record(1)), session("2"), Keep::Submission(record(2))] {
            sender.send(keep).unwrap();
        }
        // Also after the end.
        drop(sender);
        write_all(name_node.clone(), what, PAUSES, kept).await;
        assert_eq!(*name_node.asked.lock().unwrap(), ["2", "Some(2)", "2"]);
        assert_eq!(*known.borrow(), record(2));
    }
}
