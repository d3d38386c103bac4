//! Decides what the user reads while an application starts, and when to stop waiting. This module does no
//! I/O.

use std::time::Duration;

use flink_rest::{Answer, RestAddress};
use yarn_api::records::{ApplicationReport, ApplicationState, FinalStatus};

use crate::application::{report_address, rest_place, with_extract};
use crate::diagnose::cluster::waits_for_master;
use crate::diagnostics;
use crate::error::Failure;
use crate::rest_security::RestSecurity;
use crate::waiting::news::{Change, News, Reason};

/// For how long an application waits for its ApplicationMaster before the cluster is asked for the reason.
const ASK_AFTER: Duration = Duration::from_secs(5);
/// The shortest and the longest pause between two such questions, each of which ends within a few seconds.
/// The pause begins to be longer after 40 s, because many clients may wait for a full queue.
const ASK_EVERY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));
/// How often the user is reminded, in the words of Flink's client, that the deployment takes long.
const REMIND_EVERY: Duration = Duration::from_secs(60);
/// For how long after it was ready a JobManager may fail to answer before it is no longer waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(180);
/// The same limit for a JobManager whose machine cannot be reached from this machine. Waiting does not change
/// that.
const REACH_WITHIN: Duration = Duration::from_secs(15);
/// The time that a JobManager has to be ready after YARN has reported the application as running, which can
/// be long before.
const READY_WITHIN: Duration = Duration::from_secs(600);

/// Follows an application from its submission on.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// Whether the application ends with a program of its own.
    ends_with_program: bool,
    state: Option<ApplicationState>,
    /// Why the application waits, in YARN's words.
    yarns_reason: Reason,
    /// Since when the ApplicationMaster's container is waited for, as the time since the submission.
    waits_since: Option<Duration>,
    /// When the cluster was last asked for the reason.
    asked: Option<Duration>,
    /// The reason that was found by comparing the container with the cluster.
    found_reason: Reason,
    reminders: u32,
    /// How the JobManager is spoken to.
    security: RestSecurity,
}

/// What a report of the application means.
#[derive(Debug)]
pub(crate) enum Progress {
    /// The application cannot be used yet.
    Waiting,
    /// YARN reports the application as running; its JobManager listens at this address now or soon.
    Running(RestAddress),
    /// The program has already ended successfully.
    Ended,
    /// The application has ended and cannot be used.
    Failed(Failure),
    /// The application runs, and this client must not call it.
    Unusable(Failure),
}

/// What the JobManager's answer means, or that there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The JobManager answers.
    Ready,
    /// The JobManager does not answer yet, and there is still time.
    NotYet,
    /// The JobManager is no longer waited for. The text is a warning for the user.
    GivenUp(String),
}

/// For how long the application has been in its present state.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Since {
    /// The time since YARN has reported the application as running.
    pub(crate) running: Duration,
    /// The time since the ApplicationMaster has reported that its JobManager is ready; `None` if it has not.
    pub(crate) ready: Option<Duration>,
}

/// Judges the last attempt to reach the JobManager at `address`.
pub(crate) fn reached(answer: Answer, address: &RestAddress, since: Since) -> Reached {
    let (patience, why) = match answer {
        Answer::Ready => return Reached::Ready,
        Answer::NotYet => (ANSWER_WITHIN, "does not answer"),
        Answer::OutOfReach => (REACH_WITHIN, "cannot be reached from this machine"),
        // Waiting does not change what is said of TLS.
        Answer::Untrusted => {
            return Reached::GivenUp(format!(
                "YARN says that the application runs, but this client cannot speak TLS with what listens at {address}: it is \
                 no longer waited for; `flink list` says why"
            ));
        }
    };
    let why = match since.ready {
        Some(ready) if ready >= patience => why,
        None if since.running >= READY_WITHIN => "does not get ready",
        _ => return Reached::NotYet,
    };
    Reached::GivenUp(format!(
        "YARN says that the application runs, but its JobManager at {address} {why}: it is no longer waited for"
    ))
}

/// Whether the ApplicationMaster has reported that its JobManager is ready. It does so in its heartbeats with
/// the progress, which is 0 until then.
pub(crate) fn is_ready(found: &ApplicationReport) -> bool {
    found.progress > 0.0
}

impl Watch {
    /// Follows an application. `ends_with_program` says that it ends when its program ends.
    pub(crate) fn new(ends_with_program: bool, security: RestSecurity) -> Self {
        Self { ends_with_program, security, ..Self::default() }
    }

    /// Takes in the report that came `elapsed` after the submission. Returns what the report means, and what
    /// is new for the user.
    pub(crate) fn step(&mut self, found: &ApplicationReport, elapsed: Duration) -> (Progress, Vec<News>) {
        let mut tell = Vec::new();
        if waits_for_master(found) {
            self.waits_since.get_or_insert(elapsed);
        } else {
            // Another attempt may wait later on, for the same reason or for another one.
            (self.waits_since, self.asked, self.found_reason) = (None, None, Reason::default());
        }
        match found.state {
            ApplicationState::Failed | ApplicationState::Killed => {
                return (Progress::Failed(failure(found)), tell);
            }
            ApplicationState::Running => match report_address(found, &self.security) {
                Ok(address) => {
                    tell.extend(self.remind(elapsed));
                    return (Progress::Running(address), tell);
                }
                // Its address is known, so a later report changes nothing.
                Err(failure) if rest_place(found).is_ok() => return (Progress::Unusable(failure), tell),
                Err(_) => {}
            },
            ApplicationState::Finished
                if self.ends_with_program && found.final_status == FinalStatus::Succeeded =>
            {
                return (Progress::Ended, tell);
            }
            ApplicationState::Finished => {
                let what = format!(
                    "the application {} has ended before it could be used (final status {})",
                    found.id, found.final_status
                );
                return (Progress::Failed(with_extract(what, found)), tell);
            }
            state => {
                if self.state != Some(state) {
                    tell.push(News::Line(format!("Deploying cluster, current state {state}")));
                }
            }
        }
        self.state = Some(found.state);
        if found.state == ApplicationState::Accepted {
            tell.extend(self.yarn_says(found, elapsed));
        }
        tell.extend(self.remind(elapsed));
        (Progress::Waiting, tell)
    }

    /// What is new of YARN's own reason.
    fn yarn_says(&mut self, found: &ApplicationReport, elapsed: Duration) -> Option<News> {
        let reason = diagnostics::waiting_reason(found.diagnostics.as_deref().unwrap_or_default());
        match self.yarns_reason.change(&reason, elapsed)? {
            Change::Kind => {
                Some(News::Line(format!("YARN says: {}", diagnostics::without_last_node(&reason))))
            }
            // The reason that was found has figures of its own, which say more than YARN's.
            Change::Figures { .. } if self.found_reason.is_told() => None,
            Change::Figures { due } => {
                let short = format!("YARN: {}", diagnostics::moving_part(&reason));
                Some(News::Moved { text: format!("YARN says: {reason}"), short, due })
            }
        }
    }

    /// Whether the cluster is to be asked now why the application waits. What is found out comes in by
    /// [`Watch::judged`].
    pub(crate) fn asks_why(&mut self, elapsed: Duration) -> bool {
        let Some(since) = self.waits_since.filter(|since| elapsed >= *since + ASK_AFTER) else {
            return false;
        };
        let pause = (elapsed.saturating_sub(since) / 4).clamp(ASK_EVERY.0, ASK_EVERY.1);
        let due = self.asked.is_none_or(|asked| elapsed >= asked + pause);
        if due {
            self.asked = Some(elapsed);
        }
        due
    }

    /// Takes in the reason that was found, as whole sentences; `None` if there is none that says more than
    /// YARN does. Returns what is new for the user.
    pub(crate) fn judged(&mut self, reason: Option<&str>, elapsed: Duration) -> Option<News> {
        // The container may have come while the cluster was asked.
        self.waits_since?;
        let text = reason?;
        match self.found_reason.change(text, elapsed)? {
            Change::Kind => Some(News::Line(text.to_owned())),
            Change::Figures { due } => {
                let short = text.split_once(": ").map_or(text, |(_, figures)| figures).to_owned();
                Some(News::Moved { text: text.to_owned(), short, due })
            }
        }
    }

    fn remind(&mut self, elapsed: Duration) -> Option<News> {
        let due = u32::try_from(elapsed.as_secs() / REMIND_EVERY.as_secs()).unwrap_or(u32::MAX);
        if due <= self.reminders {
            return None;
        }
        self.reminders = due;
        Some(News::Line(format!(
            "Deployment took more than {} seconds. Please check if the requested resources are available in the YARN cluster",
            elapsed.as_secs()
        )))
    }
}

fn failure(found: &ApplicationReport) -> Failure {
    let what =
        format!("The YARN application unexpectedly switched to state {} during deployment", found.state);
    with_extract(what, found)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::rest_security::tests::{TLS, TRUST, security};
    use yarn_api::records::{Priority, ResourceUsage};

    pub(crate) fn report(state: ApplicationState, diagnostics: &str) -> ApplicationReport {
        ApplicationReport {
            id: "application_1_0001".parse().unwrap(),
            attempt_id: None,
            user: String::new(),
            queue: String::new(),
            name: String::new(),
            application_type: String::new(),
            tags: Default::default(),
            state,
            final_status: FinalStatus::Undefined,
            diagnostics: Some(diagnostics.into()),
            host: Some("h".into()),
            rpc_port: Some(1),
            tracking_url: None,
            original_tracking_url: None,
            start_time: None,
            launch_time: None,
            finish_time: None,
            progress: 0.0,
            usage: None,
            priority: Priority(0),
            node_label: None,
            am_node_label: None,
            log_aggregation: None,
            unmanaged: false,
            am_rm_token: None,
        }
    }

    #[test]
    fn one_that_must_not_be_called_is_not_waited_for() {
        let mut watch = Watch::new(false, security(&[TLS, TRUST[0], TRUST[1]]).unwrap());
        let plain = |host: Option<&str>| ApplicationReport {
            host: host.map(str::to_owned),
            original_tracking_url: Some("http://h:1".into()),
            ..report(ApplicationState::Running, "")
        };
        let (progress, _) = watch.step(&plain(None), Duration::ZERO);
        assert!(matches!(progress, Progress::Waiting), "{progress:?}");
        let (progress, _) = watch.step(&plain(Some("h")), Duration::ZERO);
        assert!(matches!(progress, Progress::Unusable(_)), "{progress:?}");
    }

    #[test]
    fn tells_each_thing_once() {
        let mut watch = Watch::default();
        let mut told = Vec::new();
        for (state, text, seconds) in [
            (ApplicationState::Submitted, "", 0),
            (ApplicationState::Accepted, "queue full", 1),
            (ApplicationState::Accepted, "queue full", 2),
            (ApplicationState::Accepted, "[Fri Nov 20 23:16:56 +0000 2026] AM limit", 61),
            (ApplicationState::Accepted, "AM limit", 62),
            (ApplicationState::Running, "", 63),
            (ApplicationState::Running, "", 121),
        ] {
            told.extend(watch.step(&report(state, text), Duration::from_secs(seconds)).1);
        }
        let line = |news| match news {
            News::Line(text) => text,
            moved => panic!("{moved:?}"),
        };
        let told: Vec<_> = told.into_iter().map(line).collect();
        assert_eq!(
            told,
            [
                "Deploying cluster, current state SUBMITTED",
                "Deploying cluster, current state ACCEPTED",
                "YARN says: queue full",
                "YARN says: AM limit",
                "Deployment took more than 61 seconds. Please check if the requested resources are available in the YARN cluster",
                "Deployment took more than 121 seconds. Please check if the requested resources are available in the YARN cluster",
            ]
        );
    }

    #[test]
    fn figures_that_move_are_no_news() {
        let mut watch = Watch::default();
        let mut lines = Vec::new();
        let mut moved = 0;
        // Reports that come four times a second for five minutes.
        for tick in 0..1200u64 {
            let text = format!(
                "Application is Activated, waiting for resources to be assigned for AM.  Last Node which was processed for the application : \
                 h:{} ( Partition : [], Total resource : <memory:8192, vCores:16>, Available resource : <memory:{}, vCores:1> ).",
                tick % 2,
                tick % 7
            );
            let at = Duration::from_millis(tick * 250);
            for news in watch.step(&report(ApplicationState::Accepted, &text), at).1 {
                match news {
                    News::Line(text) => lines.push(text),
                    News::Moved { due: true, text, .. } => lines.push(text),
                    News::Moved { .. } => moved += 1,
                }
            }
        }
        lines.retain(|line| line.starts_with("YARN says: "));
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert_eq!(
            lines[0],
            "YARN says: Application is Activated, waiting for resources to be assigned for AM"
        );
        assert!(lines[1].contains("Last Node") && moved > 1000, "{lines:?} {moved}");
    }

    #[test]
    fn after_a_while_the_cluster_is_asked_why_and_its_reason_is_told() {
        let mut watch = Watch::default();
        let at = Duration::from_secs;
        let waits = report(ApplicationState::Accepted, "queue full 1");
        let mut asked = Vec::new();
        for second in 0..100 {
            watch.step(&waits, at(second));
            if watch.asks_why(at(second)) {
                asked.push(second);
            }
        }
        assert_eq!(asked, [5, 15, 25, 35, 47, 63, 84]);
        let reason = "The ApplicationMaster waits: 7 MB left";
        assert_eq!(watch.judged(None, at(25)), None);
        assert_eq!(watch.judged(Some(reason), at(25)), Some(News::Line(reason.to_owned())));
        assert_eq!(watch.judged(Some(reason), at(35)), None);
        let moved = "The ApplicationMaster waits: 6 MB left";
        let news = News::Moved { text: moved.to_owned(), short: "6 MB left".to_owned(), due: false };
        assert_eq!(watch.judged(Some(moved), at(45)), Some(news));
        // Its figures stand for YARN's, but another reason of YARN is told.
        let (_, news) = watch.step(&report(ApplicationState::Accepted, "queue full 2"), at(46));
        assert_eq!(news, []);
        let (_, news) = watch.step(&report(ApplicationState::Accepted, "launched"), at(47));
        assert_eq!(news, [News::Line("YARN says: launched".to_owned())]);
        // What was found out too late is not told.
        let usage = Some(ResourceUsage { containers: 1, ..ResourceUsage::default() });
        let starts = ApplicationReport { usage, ..report(ApplicationState::Accepted, "launched") };
        watch.step(&starts, at(48));
        assert_eq!(watch.judged(Some("no room"), at(49)), None);
        assert!(!watch.asks_why(at(100)));
        // A second attempt waits for the same reason, which is told as well.
        watch.step(&waits, at(200));
        assert_eq!(watch.judged(Some(reason), at(210)), Some(News::Line(reason.to_owned())));
    }

    #[test]
    fn a_jobmanager_is_waited_for_but_not_for_ever() {
        let address = RestAddress::plain("h", 1);
        let ready =
            |seconds| Since { running: Duration::from_secs(500), ready: Some(Duration::from_secs(seconds)) };
        let after = |answer, seconds| reached(answer, &address, ready(seconds));
        assert_eq!(after(Answer::Ready, 1000), Reached::Ready);
        assert_eq!(after(Answer::NotYet, 179), Reached::NotYet);
        assert!(
            matches!(after(Answer::NotYet, 180), Reached::GivenUp(text) if text.contains("h:1 does not answer"))
        );
        assert_eq!(after(Answer::OutOfReach, 14), Reached::NotYet);
        assert!(
            matches!(after(Answer::OutOfReach, 15), Reached::GivenUp(text) if text.contains("this machine"))
        );
        // The limit counts from the moment when the JobManager is ready, not from when YARN reports the
        // application as running.
        let starting = |answer, seconds| {
            reached(answer, &address, Since { running: Duration::from_secs(seconds), ready: None })
        };
        for answer in [Answer::NotYet, Answer::OutOfReach] {
            assert_eq!(starting(answer, 599), Reached::NotYet);
            assert!(
                matches!(starting(answer, 600), Reached::GivenUp(text) if text.contains("does not get ready"))
            );
        }
        assert_eq!(starting(Answer::Ready, 0), Reached::Ready);
    }

    #[test]
    fn a_failure_tells_why() {
        let (progress, _) = Watch::default()
            .step(&report(ApplicationState::Failed, "boom\n\tat a.B(C.java)"), Duration::ZERO);
        let Progress::Failed(failure) = progress else { panic!("{progress:?}") };
        let text = failure.render(false);
        assert!(
            text.contains("state FAILED") && text.contains("boom") && text.contains("heddle logs"),
            "{text}"
        );
        assert!(!text.contains("C.java"), "{text}");
    }
}
