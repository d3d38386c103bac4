//! Carries out `run --main cluster`: uploads a jar to the JobManager, which runs its `main()`, through
//! Flink's REST interface. So this machine needs neither Java nor Flink.

use std::time::Duration;

use flink_model::release::Traits;
use flink_rest::{Accumulator, ClaimMode, JobId, JobResult, RestClient, RestError, telling_line};
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;
use yarn_client::application::with_extract;
use yarn_client::client_run::{end_of, over};
use yarn_client::error::{CauseClass, Failure, RestFailure};
use yarn_client::interrupt::Interrupt;
use yarn_client::target::Cluster;
use yarn_client::{follow, memory_kills};

use super::arguments::ClusterRun;
use crate::console::Output;

const POLL: Duration = Duration::from_millis(500);
/// How long the client waits for YARN to report the end of an application whose JobManager no longer answers.
/// YARN reports it some seconds after the JobManager has ended, and says why.
const END_IS_KNOWN: Duration = Duration::from_secs(10);

/// Uploads the jar and runs it. Unless detached, it waits for the job, which it returns, and prints its
/// result. What the program prints is in the JobManager's log.
pub(super) async fn run(
    client: &RestClient,
    mut asked: ClusterRun,
    cluster: &Cluster,
    yarn: Option<&ApplicationClient>,
    interrupt: &Interrupt,
    output: &dyn Output,
) -> Result<JobId, Failure> {
    let application = yarn.zip(cluster.application);
    let jar = asked.jar.display().to_string();
    if !asked.jar.is_file() {
        return Err(Failure::new(format!("cannot read the program's jar {jar}")).of_class(CauseClass::NotFound).hint(
            "the first word behind the options is the jar, the words behind it are the program's arguments",
        ));
    }
    let failed = |e: RestError| e.failure(format!("cannot run {jar} in the cluster at {}", client.base()));
    if asked.claim_mode.is_some() || !asked.run.flink_configuration.is_empty() {
        let release = client.dashboard_config().await.map_err(failed)?;
        fit_to_release(&mut asked, release.traits(), output);
    }
    output.info("main() runs in the JobManager; what it prints is in the JobManager's log");
    let uploaded = interrupt.unless_raised(client.upload_jar(&asked.jar)).await;
    let uploaded =
        uploaded.map_err(|cause| Failure::interrupted(cause, "nothing was started"))?.map_err(failed)?;
    let id = JobId::random();
    asked.run.job_id = Some(id.clone());
    let submitted = interrupt.unless_raised(client.run_jar(&uploaded, &asked.run)).await;
    if let Err(error) = client.delete_jar(&uploaded).await {
        output.warn(&format!("the uploaded jar stays in the cluster: {error}"));
    }
    let submitted = submitted.map_err(|cause| {
        let what = format!("main() goes on in the JobManager, and so does job {id} if it submits one");
        follow::with_ways_to_end_on(cluster, Failure::interrupted(cause, &what), id.as_str())
    })?;
    let job = match submitted {
        Ok(job) => job,
        Err(error) => {
            let gone = error.status().is_none();
            let left = withdraw(client, &id, &error).await;
            let failure = refused(error, &format!("cannot run {jar} in the cluster at {}", client.base()));
            let failure = left.into_iter().fold(failure, Failure::hint);
            return Err(if gone { explained(failure, application).await } else { failure });
        }
    };
    output.out(&format!("Job has been submitted with JobID {job}"));
    if asked.detached {
        return Ok(job);
    }
    let result = tokio::select! {
        result = wait(client, &job, application) => result?,
        cause = interrupt.raised() => {
            if asked.cancel_on_exit {
                client.cancel(&job).await.map_err(|e| e.failure(format!("could not cancel job {job}")))?;
                let what = format!("the job {job} is cancelled, as --shutdownOnAttachedExit asks");
                return Err(Failure::interrupted(cause, what));
            }
            let failure = Failure::interrupted(cause, format!("the job {job} goes on without this client"));
            return Err(follow::with_ways_to_end_on(cluster, failure, &job.to_string()));
        }
    };
    if result.application_status != "SUCCEEDED" {
        let cause = result.failure_cause.unwrap_or_default().stack_trace;
        let what = format!("job {job} ended as {}", result.application_status);
        if cluster.application.is_some()
            && let Some(why) = memory_kills::explain(&cluster.address, &cause).await
        {
            output.warn(&why);
        }
        let failure = match cause.is_empty() {
            true => Failure::new(what),
            false => RestError::remote(200, &[cause]).failure(what),
        };
        return Err(failure.of_class(CauseClass::Program));
    }
    let accumulators = client.accumulators(&job).await.unwrap_or_else(|error| {
        output.warn(&format!("the job's accumulators cannot be read: {error}"));
        Vec::new()
    });
    output.out(&result_text(&job, &result, &accumulators));
    Ok(job)
}

/// The failure of a `main()` in the JobManager. If it has done what Flink does not allow there, the failure
/// says so in words for the user.
fn refused(error: RestError, what: &str) -> Failure {
    let text = error.to_string();
    if text.contains("CoordinationRequestGateway") {
        let what = format!(
            "{what}: main() fetches the results of its job (executeAndCollect, collect, print of a table), which Flink \
             cannot do for a main() in the JobManager"
        );
        return Failure::new(what)
            .of_class(CauseClass::Program)
            .hint("leave out --main cluster: main() then runs on this machine, which needs Java and Flink");
    }
    let several = text.contains("more than one execute");
    // What the JobManager answers to this call is nearly always the exception of main().
    let is_answer = matches!(error, RestError::Remote { .. });
    let failure = error.failure(what);
    let failure = if is_answer { failure.of_class(CauseClass::Program) } else { failure };
    match several {
        true => failure.hint("such a program needs its main() on the client: leave out --main cluster"),
        false => failure,
    }
}

/// Cancels the job that `main()` had started before it failed. Returns what has become of the job, in words
/// for the user.
async fn withdraw(client: &RestClient, job: &JobId, error: &RestError) -> Option<String> {
    if matches!(error, RestError::Connect { .. } | RestError::Unavailable { .. } | RestError::Local(_)) {
        return None;
    }
    match client.job_status(job).await {
        Ok(status) if status.is_terminal() => None,
        Ok(_) => Some(match client.cancel(job).await {
            Ok(()) => format!("the job that it had started before, {job}, is cancelled"),
            Err(error) => format!("the job that it had started before, {job}, may go on: {error}"),
        }),
        // The JobManager has not answered, so main() may still be running.
        Err(_) if error.status().is_none() => Some(format!("if main() goes on, its job will be {job}")),
        Err(_) => None,
    }
}

/// Writes each setting under the name that the release of the cluster knows. A setting that the release does
/// not know at all is left out with a warning.
fn fit_to_release(asked: &mut ClusterRun, traits: &Traits, output: &dyn Output) {
    let words = |mode: ClaimMode| {
        output.warn(&format!("this release of Flink has no claim mode: {mode:?} is ignored"))
    };
    match asked.claim_mode {
        Some(mode) if traits.state_recovery_keys => asked.run.claim_mode = Some(mode),
        Some(mode) if traits.claim_mode => asked.run.restore_mode = Some(mode),
        Some(mode) => words(mode),
        None => {}
    }
    if !traits.rest_run_configuration && !asked.run.flink_configuration.is_empty() {
        let keys: Vec<String> = std::mem::take(&mut asked.run.flink_configuration).into_keys().collect();
        output.warn(&format!(
            "this release of Flink cannot take -D with --main cluster; ignored: {}",
            keys.join(", ")
        ));
    }
}

/// Waits for the result of the job. If the JobManager no longer answers because its application has ended,
/// the failure says why that has ended.
async fn wait(
    client: &RestClient,
    job: &JobId,
    application: Option<(&ApplicationClient, ApplicationId)>,
) -> Result<JobResult, Failure> {
    tokio::select! {
        result = result_of(client, job) => match result {
            Ok(result) => Ok(result),
            Err(failure) => Err(explained(failure, application).await),
        },
        last = end_of(application) => Err(with_extract(over(&last), &last)),
    }
}

/// The failure of the application, if it has ended, else `failure`. The end of the application explains why
/// its JobManager could not be reached.
async fn explained(failure: Failure, application: Option<(&ApplicationClient, ApplicationId)>) -> Failure {
    if application.is_none() {
        return failure;
    }
    match tokio::time::timeout(END_IS_KNOWN, end_of(application)).await {
        Ok(last) => with_extract(over(&last), &last).with_chain(vec![failure.to_string()]),
        Err(_) => failure,
    }
}

async fn result_of(client: &RestClient, job: &JobId) -> Result<JobResult, Failure> {
    loop {
        match client.job_result(job).await {
            Ok(Some(result)) => return Ok(result),
            Ok(None) => tokio::time::sleep(POLL).await,
            Err(error) => {
                let failure = error.failure(format!("cannot find out how job {job} has ended"));
                return Err(failure.hint("the job may go on: `flink list -a` shows it"));
            }
        }
    }
}

/// What Flink's client prints about a job that has finished. The values of accumulators are shown as the REST
/// interface returns them.
fn result_text(job: &JobId, result: &JobResult, accumulators: &[Accumulator]) -> String {
    let mut text = format!(
        "Program execution finished\nJob with JobID {job} has finished.\nJob Runtime: {} ms",
        result.net_runtime
    );
    if !accumulators.is_empty() {
        text.push_str("\nAccumulator Results: ");
        for Accumulator { name, kind, value } in accumulators {
            let value = telling_line(std::slice::from_ref(value));
            text.push_str(&format!("\n- {name} ({kind}): {value}"));
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_rest::DashboardConfig;
    use yarn_client::report::{Report, Silent};

    struct Deaf;

    impl Report for Deaf {
        fn info(&self, text: &str) {
            Silent.info(text);
        }
        fn warn(&self, _: &str) {}
    }

    impl Output for Deaf {
        fn out(&self, _: &str) {}
        fn err(&self, _: &str) {}
    }

    #[test]
    fn each_release_gets_the_fields_it_knows() {
        let fitted = |release: &str| {
            let mut asked = ClusterRun {
                jar: "j".into(),
                run: Default::default(),
                claim_mode: Some(ClaimMode::Claim),
                detached: false,
                cancel_on_exit: false,
            };
            asked.run.flink_configuration.insert("k".into(), "v".into());
            let config = DashboardConfig { flink_version: release.into() };
            fit_to_release(&mut asked, config.traits(), &Deaf);
            (
                asked.run.claim_mode.is_some(),
                asked.run.restore_mode.is_some(),
                asked.run.flink_configuration.len(),
            )
        };
        assert_eq!(fitted("2.3.0"), (true, false, 1));
        assert_eq!(fitted("1.20.5"), (true, false, 1));
        assert_eq!(fitted("1.19.3"), (false, true, 1));
        assert_eq!(fitted("1.16.3"), (false, true, 0));
        assert_eq!(fitted("1.14.6"), (false, false, 0));
        assert_eq!(fitted("unknown"), (true, false, 1));
    }

    #[test]
    fn what_main_may_not_do_is_explained() {
        let trace =
            |text: &str| RestError::remote(400, &[format!("java.lang.IllegalArgumentException: {text}")]);
        let bug = refused(
            trace("Job client must be a CoordinationRequestGateway. This is a bug."),
            "cannot run j.jar",
        );
        insta::assert_snapshot!(bug.render(false), @r"
        error: cannot run j.jar: main() fetches the results of its job (executeAndCollect, collect, print of a table), which Flink cannot do for a main() in the JobManager
        hint: leave out --main cluster: main() then runs on this machine, which needs Java and Flink
        ");
        let twice = "Cannot have more than one execute() or executeAsync() call in a single environment.";
        insta::assert_snapshot!(refused(trace(twice), "cannot run j.jar").render(false), @r"
        error: cannot run j.jar: Cannot have more than one execute() or executeAsync() call in a single environment.
        hint: such a program needs its main() on the client: leave out --main cluster
        ");
    }

    #[test]
    fn results_read_as_flinks_own() {
        let job = JobId::parse("fd72014d4c864993a2e5a9287b4a9c5d").unwrap();
        let result = JobResult { net_runtime: 12, ..JobResult::default() };
        let accumulators = [Accumulator { name: "n".into(), kind: "IntCounter".into(), value: "5".into() }];
        assert_eq!(
            result_text(&job, &result, &accumulators),
            format!(
                "Program execution finished\nJob with JobID {job} has finished.\nJob Runtime: 12 ms\nAccumulator Results: \n\
                 - n (IntCounter): 5\n"
            )
        );
    }
}
