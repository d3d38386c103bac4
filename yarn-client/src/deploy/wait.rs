//! Waits until a submitted application can be used, and tells the user its progress meanwhile. What the
//! reports of YARN mean is decided in [`super::watch`], which does no I/O.

use std::time::{Duration, Instant};

use flink_rest::{Answer, Probe, RestAddress};
use tokio::task::JoinSet;
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use super::watch::{Progress, Reached, Since, Watch, is_ready, reached};
use crate::error::{Failure, RestFailure};
use crate::report::Report;
use crate::report_poll::ReportPoll;
use crate::rest_security::RestSecurity;
use crate::timing::{Marks, Timing};
use crate::waiting::judged::{self, MasterSize};

/// The first and the longest pause between two requests for the application's report.
const POLL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(250));
/// If the ResourceManager does not answer for this long while an application starts, the client gives up.
const SILENCE: Duration = Duration::from_secs(120);

/// When it is dropped, removes the text that is shown in place.
struct InPlace<'a>(&'a dyn Report);

impl Drop for InPlace<'_> {
    fn drop(&mut self) {
        self.0.in_place("");
    }
}

/// A cluster that can be used.
pub(crate) struct Started {
    /// The REST interface; `None` if the program has already ended successfully.
    pub(crate) address: Option<RestAddress>,
    /// When the client saw the cluster reach each state.
    pub(crate) marks: Marks,
}

/// An application that is waited for.
pub(crate) struct Waiting<'a> {
    pub(crate) yarn: &'a ApplicationClient,
    pub(crate) id: ApplicationId,
    /// Whether the application ends with its program.
    pub(crate) ends_with_program: bool,
    /// Whether YARN may report the application as running before its REST interface answers.
    pub(crate) early: bool,
    /// How its REST interface is spoken to.
    pub(crate) security: RestSecurity,
    /// The size of its ApplicationMaster's container, if this client has asked for that.
    pub(crate) master: Option<MasterSize>,
}

/// Follows the application until the cluster can be used. It is a failure if the application has ended, or if
/// the client cannot follow it any longer; then it may be alive.
pub(crate) async fn wait(
    waiting: Waiting<'_>,
    timing: &Timing,
    report: &dyn Report,
) -> Result<Started, Failure> {
    const DEPLOYED: &str = "YARN application has been deployed successfully.";
    let Waiting { yarn, id, ends_with_program, early, security, master } = waiting;
    let begin = Instant::now();
    let mut watch = Watch::new(ends_with_program, security);
    let mut pause = POLL.0;
    let mut patience = ReportPoll::new(SILENCE);
    let mut marks = Marks::default();
    let _in_place = InPlace(report);
    let mut listening: Option<(Probe, Instant)> = None;
    let mut ready: Option<Instant> = None;
    // Finds out why the application waits, which must not delay the reports. It ends with this function.
    let mut judging = JoinSet::new();
    loop {
        let Some(found) = patience.report(yarn, id, report).await? else {
            tokio::time::sleep(POLL.1).await;
            continue;
        };
        marks.saw(found.state, timing.elapsed());
        let (progress, mut news) = watch.step(&found, begin.elapsed());
        if watch.asks_why(begin.elapsed()) {
            judging.spawn(judged::master(yarn.clone(), found.clone(), master));
        }
        if let Some(Ok(reason)) = judging.try_join_next() {
            news.extend(watch.judged(reason.as_deref(), begin.elapsed()));
        }
        news.into_iter().for_each(|news| news.show(report));
        match progress {
            // A JobManager needs some time for its first answer, so the client does not ask it for one
            // without need.
            Progress::Running(address) if !early => {
                report.info(DEPLOYED);
                return Ok(Started { address: Some(address), marks });
            }
            // The application may still end before its JobManager answers, so its report is read between the
            // tries.
            Progress::Running(address) => {
                listening = listening.filter(|(probe, _)| *probe.address() == address);
                let (probe, since) = match &mut listening {
                    Some(listening) => listening,
                    None => {
                        let probe = Probe::new(&address)
                            .map_err(|e| e.failure(format!("cannot call the JobManager at {address}")))?;
                        listening.insert((probe, Instant::now()))
                    }
                };
                if ready.is_none() && is_ready(&found) {
                    ready = Some(Instant::now());
                }
                let answer = probe.within(POLL.1).await;
                let since = Since { running: since.elapsed(), ready: ready.map(|at| at.elapsed()) };
                match reached(answer, &address, since) {
                    Reached::NotYet => {
                        if answer == Answer::OutOfReach {
                            tokio::time::sleep(POLL.1).await;
                        }
                        continue;
                    }
                    Reached::Ready => {}
                    Reached::GivenUp(warning) => report.warn(&warning),
                }
                marks.answers = Some(timing.elapsed());
                report.info(DEPLOYED);
                return Ok(Started { address: Some(address), marks });
            }
            Progress::Ended => {
                report.info(DEPLOYED);
                return Ok(Started { address: None, marks });
            }
            Progress::Failed(failure) | Progress::Unusable(failure) => return Err(failure),
            Progress::Waiting => tokio::time::sleep(pause).await,
        }
        pause = (pause * 5 / 4).min(POLL.1);
    }
}
