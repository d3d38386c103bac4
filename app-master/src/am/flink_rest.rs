//! The component that asks the JobManager's REST interface, for a per-job cluster.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use super::effects::FlinkRest;
use crate::controller::event::Event;
use crate::rest::Rest;
use crate::submission::policy::SubmissionInput;

/// See the module's text. Each question is a task of its own; its deadline is the client's.
pub(super) struct RestCalls {
    /// The client, with the URL that it was made for.
    client: Mutex<Option<(String, Rest)>>,
    events: mpsc::UnboundedSender<Event>,
}

impl RestCalls {
    pub(super) fn new(events: mpsc::UnboundedSender<Event>) -> Self {
        Self { client: Mutex::default(), events }
    }

    /// The client for a URL, made once for each.
    fn client(&self, url: &str) -> Result<Rest, String> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        match &*client {
            Some((known, rest)) if known == url => Ok(rest.clone()),
            _ => {
                let new = Rest::new(url)?;
                *client = Some((url.to_owned(), new.clone()));
                Ok(new)
            }
        }
    }

    fn spawn(&self, question: impl Future<Output = SubmissionInput> + Send + 'static) {
        let events = self.events.clone();
        // At the end nobody listens any more.
        tokio::spawn(async move { drop(events.send(Event::Submission(question.await))) });
    }
}

impl FlinkRest for RestCalls {
    fn look_at_jobs(&self, url: &str) {
        let client = self.client(url);
        self.spawn(async move {
            let jobs = async { client?.jobs().await };
            SubmissionInput::Jobs(jobs.await)
        });
    }

    fn explain_job(&self, url: &str, job: String) {
        let client = self.client(url);
        self.spawn(async move {
            let why = async { client?.explain(&job).await };
            let log = |error: &String| tracing::warn!(error, "cannot tell why the job failed");
            SubmissionInput::Explained(why.await.inspect_err(log).ok().flatten())
        });
    }

    fn shut_down(&self, url: &str) {
        let client = self.client(url);
        tokio::spawn(async move {
            let asked = async { client?.shut_down().await };
            if let Err(error) = asked.await {
                tracing::warn!(error, "cannot ask the JobManager to end");
            }
        });
    }
}
