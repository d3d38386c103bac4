//! Implements `heddle kill`, which ends applications through YARN and tells the state in which each of them
//! was. It also removes what a killed ApplicationMaster cannot remove itself.

use flink_model::config::Configuration;
use flink_model::options;
use serde::Serialize;
use yarn_api::ApplicationClient;
use yarn_api::records::{ApplicationId, ApplicationReport, FinalStatus};

use crate::application::application_report;
use crate::configuration::text;
use crate::context::Context;
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::target::properties_file;
use crate::{leftovers, properties, session};

/// What has become of an application that was to be killed. The field names are those of `--output json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Killed {
    /// The id of the application.
    pub application: String,
    /// Whether this command has ended the application; `false` if it had ended before.
    pub killed: bool,
    /// The state before, in YARN's words.
    pub state_before: String,
    /// The state now, in YARN's words.
    pub state: String,
    /// The final status, in YARN's words.
    pub final_status: String,
}

impl Killed {
    fn new(before: &ApplicationReport, after: &ApplicationReport) -> Self {
        Self {
            application: after.id.to_string(),
            killed: !before.state.is_final(),
            state_before: before.state.to_string(),
            state: after.state.to_string(),
            final_status: after.final_status.to_string(),
        }
    }

    /// The line that people read.
    pub fn line(&self) -> String {
        let Self { application, state_before, state, final_status, .. } = self;
        let how = if state == final_status { state.clone() } else { format!("{state}, {final_status}") };
        match self.killed {
            true => format!("Killed {application}: it was {state_before} and is {how} now."),
            false => format!("{application} does not run any more: it has ended before ({how})."),
        }
    }
}

/// Kills an application, and returns when YARN says that it has ended. Then the properties file is removed if
/// it names this application, and the application's directory is removed. An application that has ended
/// before is left alone.
pub async fn kill(
    hadoop: &Hadoop,
    yarn: &ApplicationClient,
    context: &Context,
    configuration: &Configuration,
    id: ApplicationId,
) -> Result<Killed, Failure> {
    let before = application_report(yarn, id).await?;
    if before.state.is_final() {
        return Ok(Killed::new(&before, &before));
    }
    session::kill(yarn, id, "killed by `heddle kill`").await?;
    properties::remove(&properties_file(configuration, context), id);
    let base = text(configuration, &options::STAGING_DIRECTORY);
    let tidy = leftovers::tidy(hadoop, base.as_deref().map(|base| base.trim_end_matches('/')), id);
    let (after, ()) = tokio::join!(yarn.application_report(id), tidy);
    let mut after = after.map_err(|e| yarn_failure(&e))?;
    if after.final_status == FinalStatus::Undefined {
        after.final_status = FinalStatus::Killed;
    }
    Ok(Killed::new(&before, &after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut killed = Killed {
            application: "application_1_0001".into(),
            killed: true,
            state_before: "RUNNING".into(),
            state: "KILLED".into(),
            final_status: "KILLED".into(),
        };
        assert_eq!(killed.line(), "Killed application_1_0001: it was RUNNING and is KILLED now.");
        killed.killed = false;
        killed.state = "FINISHED".into();
        killed.final_status = "SUCCEEDED".into();
        assert_eq!(
            killed.line(),
            "application_1_0001 does not run any more: it has ended before (FINISHED, SUCCEEDED)."
        );
    }
}
