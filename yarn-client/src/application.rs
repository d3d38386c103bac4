//! Reads and explains what YARN reports about an application: its id, its report, the REST address of its
//! JobManager, and why it has ended. All commands that name an application use these functions, so that they
//! give the same failures and hints.

use flink_model::config::masked_lines;
use flink_model::options;
use flink_rest::{RestAddress, Scheme, bracketed};
use hadoop_rpc::RemoteKind;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport, ApplicationState, FinalStatus};

use crate::diagnostics;
use crate::error::{CauseClass, Failure, yarn_failure};
use crate::rest_security::RestSecurity;

/// The beginning of the tag by which a named submission finds its application again. The name of the
/// submission follows it.
pub const SUBMISSION_TAG: &str = "heddle-submission:";

/// The hint for an application whose delegation tokens were refused.
const ENDED_TOKEN: &str = "the application's delegation tokens have reached their greatest age, or were cancelled: start it again, from \
     a savepoint if there is one; with a keytab its TaskManagers get other tokens, and with \
     yarn.resourcemanager.proxy-user-privileges.enabled on the cluster so does each new attempt of its \
     ApplicationMaster";

/// Parses an application id that the user wrote. A malformed id is a usage failure.
pub fn parse_id(text: &str) -> Result<ApplicationId, Failure> {
    text.parse().map_err(|e: yarn_api::records::ParseIdError| {
        Failure::usage(e.to_string()).hint(
            "an id looks like application_1700000000000_0001; `heddle ps` shows those of your applications",
        )
    })
}

/// Asks the ResourceManager for its report of an application. It is a failure if the ResourceManager does not
/// answer or does not know the application.
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

/// Takes the REST address of the JobManager from a report. It is a failure if the application has ended or
/// does not run yet; in the second case a retry may help. It is one, too, if the application has told YARN
/// that its REST interface speaks plain HTTP, and the configuration says that REST interfaces speak TLS: no
/// call could succeed.
pub fn report_address(found: &ApplicationReport, security: &RestSecurity) -> Result<RestAddress, Failure> {
    let (host, port) = rest_place(found)?;
    let scheme = scheme(found);
    if security.is_required() && scheme == Some(Scheme::Http) {
        let (id, key) = (found.id, options::SSL_REST.key);
        let what = format!(
            "the REST interface of the application {id} is not called: it speaks plain HTTP, as the application has told \
             YARN, and {key} says that REST interfaces speak TLS"
        );
        let hint = format!("to call it without TLS, add -D{key}=false to this command");
        return Err(Failure::configuration(what).of_application(id).hint(hint));
    }
    security.address(host, port, scheme == Some(Scheme::Https))
}

/// Takes host and port of the REST interface from a report, as [`report_address`] does.
pub fn rest_place(found: &ApplicationReport) -> Result<(String, u16), Failure> {
    let id = found.id;
    if found.state.is_final() || found.final_status != FinalStatus::Undefined {
        let what = format!(
            "The Yarn application {id} doesn't run anymore. It has previously completed with final status: {} (state {})",
            found.final_status, found.state
        );
        // If the application did not succeed, YARN's diagnostics say why.
        let failure = match found.final_status {
            FinalStatus::Succeeded => Failure::new(what).of_application(id),
            _ => with_extract(what, found),
        };
        return Err(failure.of_class(CauseClass::State).hint("`heddle ps` lists those that run"));
    }
    match (&found.host, found.rpc_port) {
        (Some(host), Some(port)) if found.state == ApplicationState::Running => Ok((bracketed(host), port)),
        (None, _) if found.state == ApplicationState::Running && found.attempt_id.is_none() => {
            let owner = Some(&*found.user).filter(|user| !user.is_empty()).unwrap_or("another user");
            let what = format!(
                "YARN does not tell where the application {id} of {owner} can be reached, because you may not see it"
            );
            Err(Failure::new(what).of_class(CauseClass::Permission).of_application(id).hint(format!(
                "its user can allow others to see it when it is deployed, with {}",
                options::VIEW_ACLS.key
            )))
        }
        _ => Err(Failure::new(format!(
            "the application {id} is in state {}: it has no JobManager yet that could answer",
            found.state
        ))
        .of_class(CauseClass::State)
        .of_application(id)
        .retry_if(true)),
    }
}

/// How the application has told YARN that its REST interface speaks; `None` if it has not told that.
pub fn scheme(found: &ApplicationReport) -> Option<Scheme> {
    match found.original_tracking_url.as_deref()?.split_once("://")?.0 {
        "http" => Some(Scheme::Http),
        "https" => Some(Scheme::Https),
        _ => None,
    }
}

/// Makes the failure `what` of an application, with the part of YARN's diagnostics that explains it. Secrets
/// in them are hidden.
pub fn with_extract(what: String, found: &ApplicationReport) -> Failure {
    let diagnostics = found.diagnostics.as_deref().unwrap_or_default();
    let lines = diagnostics::failure_extract(&masked_lines(diagnostics));
    let id = found.id;
    let text = if lines.is_empty() {
        what
    } else {
        format!("{what}. Diagnostics from YARN:\n  {}", lines.join("\n  "))
    };
    let mut failure = Failure::new(text).of_class(CauseClass::Cluster).of_application(id);
    if diagnostics::tells_of_an_ended_token(diagnostics) {
        failure = failure.hint(ENDED_TOKEN);
    }
    failure
        .hint(format!("`heddle logs {id}` shows the application's logs, if YARN has collected them"))
        .hint(why_hint(id))
}

/// The hint that names the command which tells all that is known of the cause.
pub(crate) fn why_hint(id: ApplicationId) -> String {
    format!("`heddle why {id}` tells what was found of the cause, with the evidence")
}
