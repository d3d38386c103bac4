//! Keeps in the application's directory what the next attempt has to know.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::effects::NextAttempt;
use crate::bridge::ZooKeeperSession;
use crate::environment::Environment;
use crate::staging::{SUBMISSION, ZOOKEEPER_SESSION};
use crate::submission::policy::SubmissionRecord;

enum Keep {
    Session(ZooKeeperSession),
    Submission(SubmissionRecord),
}

/// Writes one file after the other, in the order in which it was told.
pub(super) struct KeptForNextAttempt(mpsc::UnboundedSender<Keep>);

impl KeptForNextAttempt {
    /// `kept`: is told what is known of the submission once it is written. The task that writes ends once the
    /// result is dropped and everything is written.
    pub(super) fn start(
        environment: Arc<Environment>,
        kept: watch::Sender<SubmissionRecord>,
    ) -> (Self, JoinHandle<()>) {
        let (sender, mut what) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Some(keep) = what.recv().await {
                let written = match &keep {
                    Keep::Session(session) => ZOOKEEPER_SESSION.write(&environment, session).await,
                    Keep::Submission(record) => SUBMISSION.write(&environment, record).await,
                };
                if let Err(error) = written {
                    tracing::warn!("{error}; should this attempt fail, the next one does not know it");
                }
                // After an error as well: the client cannot do anything about it.
                if let Keep::Submission(record) = keep {
                    kept.send_replace(record);
                }
            }
        });
        (Self(sender), task)
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
