//! What is done if `main()` ends before its cluster is there: the deployment is given up, or else the
//! ApplicationMaster hears how `main()` has ended.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use yarn_api::records::ApplicationId;

use super::attend::{attend, connection_failure};
use super::completion::{Told, told};
use super::end::ApplicationEnd;
use super::follow::Follower;
use super::running::{Ended, SubmitsJobs, warn_of};
use crate::client_process::JvmEnd;
use crate::deploy::Deployment;
use crate::error::{CauseClass, Failure};
use crate::exit::Exit;
use crate::interrupt::{Cause, Interrupt};
use crate::report::Report;

/// Where `main()` has ended without a job, the cluster that was submitted for it gets this long to come up:
/// its ApplicationMaster then tells YARN how `main()` has ended. A cluster that does not come up is killed.
const HEAR_WITHIN: Duration = Duration::from_secs(60);

/// `main()` has ended before the cluster was there, and no job can have been submitted: nothing answered yet.
pub(super) async fn over_early(
    main: &mut impl SubmitsJobs,
    ended: JvmEnd,
    deployed: Pin<&mut impl Future<Output = Result<Deployment, Failure>>>,
    submitted: Option<ApplicationId>,
    give_up: &Interrupt,
    interrupt: &Interrupt,
    report: &dyn Report,
) -> Result<Ended, Failure> {
    if let Some(cause) = ended.interrupted {
        give_up.raise(cause);
        // The deployment may have been finished before it was given up.
        let deployment = deployed.await?;
        deployment.undo(report).await;
        let done = main.before_its_cluster(&ended);
        return Ok(Ended { done, application: Some(deployment.id), address: None });
    }
    let exit = Exit::of_jvm(ended.status);
    let cause = Cause::MainEnded(exit.code());
    let application = match one_that_hears(deployed, cause, submitted, give_up, interrupt, report).await {
        Ok(deployment) => {
            tell_the_end(&deployment, exit.code(), interrupt, report).await;
            Some(deployment.id)
        }
        Err(failure) => {
            report.warn(&failure.to_string());
            None
        }
    };
    Ok(Ended { done: main.before_its_cluster(&ended), application, address: None })
}

/// The cluster, so that it can hear how `main()` ended, if YARN knows it already as `submitted`; else the
/// deployment is given up.
async fn one_that_hears(
    mut deployed: Pin<&mut impl Future<Output = Result<Deployment, Failure>>>,
    cause: Cause,
    submitted: Option<ApplicationId>,
    give_up: &Interrupt,
    interrupt: &Interrupt,
    report: &dyn Report,
) -> Result<Deployment, Failure> {
    if let Some(id) = submitted {
        report.info(&format!("{cause}: the application {id} is ended"));
        tokio::select! {
            deployed = &mut deployed => return deployed,
            _ = interrupt.raised() => {}
            () = tokio::time::sleep(HEAR_WITHIN) => {}
        }
    }
    give_up.raise(cause);
    deployed.await
}

/// `main()` has ended with this code: YARN hears it from the ApplicationMaster.
pub(super) async fn tell_the_end(
    deployment: &Deployment,
    code: u8,
    interrupt: &Interrupt,
    report: &dyn Report,
) {
    let (end, _watching) = ApplicationEnd::watched(deployment);
    let telling = async {
        let address = deployment
            .address
            .as_ref()
            .ok_or_else(|| Failure::new("it has ended already").of_class(CauseClass::State))?;
        let mut follower = Follower::new(deployment, address, Arc::default(), end.clone());
        let connection = attend(deployment, &mut follower).await?;
        let _following = deployment.highly_available.then(|| follower.start());
        connection.complete(code.into()).await.map_err(|e| connection_failure(&e))
    };
    match told(telling, &end, interrupt, report).await {
        Told::Noted(_) => return,
        Told::Over(last) => warn_of(&last, report),
        Told::Not(why) => report
            .warn(&format!("the application {} cannot be told that main() has ended: {why}", deployment.id)),
    }
    deployment.undo(report).await;
}
