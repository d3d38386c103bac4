//! An application as YARN reports it: its id, its report, its REST address, and why it has ended.

use flink_rest::{RestAddress, bracketed};
use hadoop_rpc::RemoteKind;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport, ApplicationState, FinalStatus};

use crate::diagnostics;
use crate::error::{Failure, yarn_failure};

/// The beginning of the tag by which a submission is found again. The submission's name follows it.
pub const SUBMISSION_TAG: &str = "heddle-submission:";

/// Reads an application id that the user wrote.
pub fn parse_id(text: &str) -> Result<ApplicationId, Failure> {
    text.parse().map_err(|e: yarn_api::records::ParseIdError| {
        Failure::usage(e.to_string()).hint(
            "an id looks like application_1700000000000_0001; `heddle ps` shows those of your applications",
        )
    })
}

/// What YARN knows of an application.
pub async fn application_report(
    yarn: &ApplicationClient,
    id: ApplicationId,
) -> Result<ApplicationReport, Failure> {
    yarn.application_report(id).await.map_err(|e| {
        let failure = yarn_failure(&e).of_application(id);
        if e.is_remote(RemoteKind::ApplicationNotFound) {
            failure
                .hint("check the id; a ResourceManager forgets applications some time after their end, or when it starts anew")
                .hint("`heddle ps --all` lists those that it knows")
        } else {
            failure
        }
    })
}

/// The REST address that a report tells, if the application can be spoken to.
pub fn report_address(found: &ApplicationReport) -> Result<RestAddress, Failure> {
    let id = found.id;
    if found.state.is_final() || found.final_status != FinalStatus::Undefined {
        let what = format!(
            "The Yarn application {id} doesn't run anymore. It has previously completed with final status: {} (state {})",
            found.final_status, found.state
        );
        // YARN's diagnostics say why, where it did not end well.
        let failure = match found.final_status {
            FinalStatus::Succeeded => Failure::new(what).of_application(id),
            _ => with_extract(what, found),
        };
        return Err(failure.hint("`heddle ps` lists those that run"));
    }
    match (&found.host, found.rpc_port) {
        (Some(host), Some(port)) if found.state == ApplicationState::Running => {
            Ok(RestAddress { host: bracketed(host), port })
        }
        _ => Err(Failure::new(format!(
            "the application {id} is in state {}: it has no JobManager yet that could answer",
            found.state
        ))
        .of_application(id)
        .retry_if(true)),
    }
}

/// The failure `what` of an application, with the part of YARN's diagnostics that explains it.
pub fn with_extract(what: String, found: &ApplicationReport) -> Failure {
    let lines = diagnostics::failure_extract(found.diagnostics.as_deref().unwrap_or_default());
    let id = found.id;
    let text = if lines.is_empty() {
        what
    } else {
        format!("{what}. Diagnostics from YARN:\n  {}", lines.join("\n  "))
    };
    Failure::new(text).of_application(id).hint(format!(
        "if log aggregation is enabled, `yarn logs -applicationId {id}` shows the application's logs"
    ))
}
