//! Tells an attached client what the TaskManagers of its cluster wait for, as long as they do.

use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, Instant};

use flink_rest::{JobSummary, RestAddress, RestClient, RestTimeouts};
use taskrunner::control::OpenRequests;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use super::judged;
use super::news::{Change, Reason};
use super::requests::{OpenRequest, of_log, of_message};
use crate::memory_kills::LOG;
use crate::report::Report;

/// How often the JobManager is asked whether a job waits for slots.
const LOOK: Duration = Duration::from_secs(5);
/// The time limit of each answer of the JobManager.
const ANSWER: Duration = Duration::from_secs(5);
/// For how long a job has to wait for slots before heddle-am's log is read.
const PATIENCE: Duration = Duration::from_secs(10);
/// The shortest and the longest pause until the reason is found out again. It begins to be longer once
/// something has waited for some minutes: many clients may wait at the same time for a cluster that is full,
/// and each of them would list its nodes and read a log.
const AGAIN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(300));
/// The time after which a known reason is told again because its numbers have changed.
const REPEAT_EVERY: Duration = Duration::from_secs(300);

/// The pause until the reason for a wait is found out again, once it has lasted so long.
fn again_in(waited: Duration) -> Duration {
    (waited / 4).clamp(AGAIN.0, AGAIN.1)
}

/// Waits for `work`, and lets `telling` run meanwhile.
pub async fn during<T>(work: impl Future<Output = T>, telling: impl Future<Output = Infallible>) -> T {
    tokio::select! {
        done = work => done,
        never = telling => match never {},
    }
}

/// Tells what the TaskManagers of the application wait for, whose JobManager is at `address`, for as long as
/// it is polled. It asks the JobManager whether a job waits for slots, and only while one does, it reads
/// heddle-am's log. A cluster that Flink's own client has started has no such log, and nothing is told.
pub async fn tell(
    address: &RestAddress,
    yarn: &ApplicationClient,
    id: ApplicationId,
    report: &dyn Report,
) -> Infallible {
    let Ok(client) = RestClient::new(address, RestTimeouts::one_try(ANSWER)) else { return pending().await };
    let mut teller = Teller::new(yarn, id, report);
    let mut since: Option<Instant> = None;
    let mut read: Option<Instant> = None;
    loop {
        sleep(LOOK).await;
        // A JobManager that does not answer for a moment says nothing about its jobs.
        let Ok(jobs) = client.jobs().await else { continue };
        if !jobs.iter().any(JobSummary::waits_for_slots) {
            (since, read) = (None, None);
            teller.tell(&[]).await;
            continue;
        }
        let waited = since.get_or_insert_with(Instant::now).elapsed();
        if waited < PATIENCE || read.is_some_and(|at| at.elapsed() < again_in(waited)) {
            continue;
        }
        read = Some(Instant::now());
        match client.text(LOG).await {
            Ok(log) => teller.tell(&of_log(&log)).await,
            Err(error) => tracing::debug!(%error, "no log of the ApplicationMaster"),
        }
    }
}

/// Tells the same of a per-job cluster, whose ApplicationMaster tells the client itself which requests are
/// open.
pub(crate) async fn tell_requests(
    mut requests: watch::Receiver<OpenRequests>,
    yarn: &ApplicationClient,
    id: ApplicationId,
    report: &dyn Report,
) -> Infallible {
    let mut teller = Teller::new(yarn, id, report);
    let mut since: Option<Instant> = None;
    loop {
        let open = of_message(&requests.borrow_and_update());
        teller.tell(&open).await;
        let changed = if open.is_empty() {
            since = None;
            requests.changed().await
        } else {
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            // After that time it is found out again.
            timeout(again_in(waited), requests.changed()).await.unwrap_or(Ok(()))
        };
        if changed.is_err() {
            // The connection has ended, and there will be no more of them.
            return pending().await;
        }
    }
}

/// Tells what is new of open requests.
struct Teller<'a> {
    yarn: &'a ApplicationClient,
    id: ApplicationId,
    report: &'a dyn Report,
    begin: Instant,
    reason: Reason,
}

impl<'a> Teller<'a> {
    fn new(yarn: &'a ApplicationClient, id: ApplicationId, report: &'a dyn Report) -> Self {
        let reason = Reason::repeated_every(REPEAT_EVERY);
        Self { yarn, id, report, begin: Instant::now(), reason }
    }

    /// These requests are open.
    async fn tell(&mut self, open: &[OpenRequest]) {
        if open.is_empty() {
            if self.reason.is_told() {
                self.reason = Reason::repeated_every(REPEAT_EVERY);
                self.report.info("TaskManagers do not wait for containers any more.");
            }
            return;
        }
        let asks = open.iter().map(|request| request.ask.clone()).collect();
        let judged = judged::task_managers(self.yarn, self.id, asks).await;
        let text = judged.unwrap_or_else(|| {
            open.iter().map(|request| request.words.as_str()).collect::<Vec<_>>().join(" ")
        });
        match self.reason.change(&text, self.begin.elapsed()) {
            Some(Change::Kind | Change::Figures { due: true }) => self.report.info(&text),
            Some(Change::Figures { due: false }) | None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_long_is_looked_at_seldom() {
        let seconds = Duration::from_secs;
        for (waited, pause) in [(0, 30), (120, 30), (240, 60), (7200, 300)] {
            assert_eq!(again_in(seconds(waited)), seconds(pause), "{waited}");
        }
    }
}
