//! Completes the timing of a cluster's start (`--timing`) with the steps that the client does not see itself.
//! YARN and the ApplicationMaster are asked for them once the cluster is ready.

use std::time::Duration;

use taskrunner::control::TimelineReply;
use taskrunner::timeline::{self, Timeline};

use crate::control::control_address;
use crate::deploy::Deployment;
use crate::timing::{Clock, Marks, SUBMISSION, Step};

/// The time limit for all questions together.
const WITHIN: Duration = Duration::from_secs(5);
/// The name of the ApplicationMaster's first step, which begins when its process starts.
const APPLICATION_MASTER: &str = "ApplicationMaster";

/// Adds the steps that YARN and the ApplicationMaster know of. If one of them does not answer, its part of
/// the start remains a single step.
pub async fn complete(deployment: &Deployment) {
    let timing = &deployment.timing;
    let Some(submission) = timing.find(SUBMISSION) else {
        // The application existed before this command, so nothing was started.
        return;
    };
    let asked = async { futures::future::join(allocated(deployment, &submission), own(deployment)).await };
    let (allocated, own) = tokio::time::timeout(WITHIN, asked).await.unwrap_or_default();
    steps(&submission, deployment.marks, allocated, &own).into_iter().for_each(|step| timing.add(step));
}

/// When YARN allocated the ApplicationMaster's container, as the time since the command has started.
async fn allocated(deployment: &Deployment, submission: &Step) -> Option<Duration> {
    let asked = async {
        let yarn = &deployment.yarn;
        let application = yarn.application_report(deployment.id).await?;
        let Some(attempt) = application.attempt_id else { return Ok(None) };
        let Some(container) = yarn.attempt_report(attempt).await?.am_container else { return Ok(None) };
        let container = yarn.container_report(container).await?;
        Ok::<_, yarn_api::YarnError>(application.start_time.zip(container.creation_time))
    };
    match asked.await {
        Ok(times) => {
            let (started, created) = times?;
            // The ResourceManager's clock may differ from the client's. YARN records the start of an
            // application while it handles the submission, so that moment is taken as the middle of the
            // client's step for the submission.
            let clock = Clock { shows_unix_ms: started, at: submission.begin + submission.length() / 2 };
            Some(clock.place(created))
        }
        Err(error) => {
            tracing::debug!(%error, "YARN does not tell when the container was allocated");
            None
        }
    }
}

/// The steps that the ApplicationMaster has recorded.
async fn own(deployment: &Deployment) -> Vec<Step> {
    let (Some(address), Some(access)) = (&deployment.address, deployment.access()) else {
        return Vec::new();
    };
    let control = match control_address(address).await {
        Ok(control) => control,
        Err(failure) => {
            tracing::debug!(%failure, "no timeline");
            return Vec::new();
        }
    };
    match timeline::ask(&control, access).await {
        Ok(Timeline { reply, at }) => place(&reply, deployment.timing.since_start(at)),
        Err(error) => {
            tracing::debug!(%error, "no timeline");
            Vec::new()
        }
    }
}

/// Places the steps of a reply on the client's clock. `at` is when the ApplicationMaster's clock was read.
fn place(reply: &TimelineReply, at: Duration) -> Vec<Step> {
    let clock = Clock { shows_unix_ms: reply.now_unix_ms, at };
    let step = |step: &taskrunner::control::Step| {
        let over = step.end_unix_ms > 0;
        let end = if over { step.end_unix_ms } else { reply.now_unix_ms };
        let placed = Step::new(&*step.name, clock.place(step.begin_unix_ms), clock.place(end));
        match (step.subject.as_str(), over) {
            ("", true) => placed,
            ("", false) => placed.of("not over"),
            (subject, true) => placed.of(subject),
            (subject, false) => placed.of(format!("{subject}, not over")),
        }
    };
    reply.steps.iter().map(step).collect()
}

/// Combines all steps from the submission to the first answer of the JobManager.
fn steps(submission: &Step, marks: Marks, allocated: Option<Duration>, own: &[Step]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut from = submission.end;
    let container = "ApplicationMaster's container allocated";
    match (marks.accepted, allocated) {
        // Both happened between two requests for the report, so their order within that time is not known.
        (Some(accepted), Some(allocated)) if allocated <= accepted => {
            steps.push(Step::new(format!("accepted, {container}"), from, allocated));
        }
        (accepted, allocated) => {
            steps.extend(accepted.map(|accepted| Step::new("accepted", from, accepted)));
            from = accepted.unwrap_or(from);
            steps.extend(allocated.map(|allocated| Step::new(container, from, allocated)));
        }
    }
    from = allocated.unwrap_or(from).max(from);
    let started = own.iter().filter(|step| step.name == APPLICATION_MASTER).map(|step| step.begin).min();
    match (allocated, started, marks.running) {
        (Some(_), Some(at), _) => {
            steps.push(Step::new("ApplicationMaster's container localized and started", from, at));
        }
        (None, Some(at), _) => {
            steps.push(Step::new("ApplicationMaster's container allocated and started", from, at));
        }
        (_, None, Some(at)) => steps.push(Step::new("ApplicationMaster and JobManager start", from, at)),
        (_, None, None) => {}
    }
    steps.extend_from_slice(own);
    // YARN may report the application as running long before its REST interface answers. Until then, the
    // JobManager's start is a step of its own.
    let ready = own.iter().filter(|step| step.subject.is_empty()).map(|step| step.end).max();
    let from = marks.running.max(ready);
    if let (Some(from), Some(answers)) = (from, marks.answers) {
        steps.push(Step::new("until the REST interface answers", from, answers.max(from)));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn shown(allocated: Option<u64>, own: &[Step]) -> String {
        let marks = Marks { accepted: Some(ms(150)), running: Some(ms(900)), answers: Some(ms(1000)) };
        let submission = Step::new(SUBMISSION, ms(40), ms(50));
        let steps = steps(&submission, marks, allocated.map(ms), own);
        let lines = steps.iter().map(|step| {
            format!("{} {} {} ({})", step.begin.as_millis(), step.end.as_millis(), step.name, step.subject)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_way_from_the_submission() {
        let reply = TimelineReply {
            now_unix_ms: 5_000_000,
            steps: vec![
                taskrunner::control::Step {
                    name: APPLICATION_MASTER.into(),
                    begin_unix_ms: 4_999_400,
                    end_unix_ms: 4_999_450,
                    ..Default::default()
                },
                taskrunner::control::Step {
                    name: "TaskManager JVM".into(),
                    subject: "container_1".into(),
                    begin_unix_ms: 4_999_800,
                    end_unix_ms: 0,
                },
            ],
        };
        let own = place(&reply, ms(1010));
        insta::assert_snapshot!(shown(Some(120), &own), @r"
        50 120 accepted, ApplicationMaster's container allocated ()
        120 410 ApplicationMaster's container localized and started ()
        410 460 ApplicationMaster ()
        810 1010 TaskManager JVM (container_1, not over)
        900 1000 until the REST interface answers ()
        ");
        insta::assert_snapshot!(shown(None, &own), @r"
        50 150 accepted ()
        150 410 ApplicationMaster's container allocated and started ()
        410 460 ApplicationMaster ()
        810 1010 TaskManager JVM (container_1, not over)
        900 1000 until the REST interface answers ()
        ");
        insta::assert_snapshot!(shown(Some(300), &[]), @r"
        50 150 accepted ()
        150 300 ApplicationMaster's container allocated ()
        300 900 ApplicationMaster and JobManager start ()
        900 1000 until the REST interface answers ()
        ");
        insta::assert_snapshot!(shown(None, &[]), @r"
        50 150 accepted ()
        150 900 ApplicationMaster and JobManager start ()
        900 1000 until the REST interface answers ()
        ");
    }
}
