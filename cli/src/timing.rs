//! Prints what a deployment prints at its end: its answer for programs and, with `--timing`, the time of each
//! step.

use flink_model::config::masked_lines;
use flink_rest::RestAddress;
use serde_json::{Map, Value, json};
use yarn_api::records::{ApplicationId, ApplicationReport, FinalStatus};
use yarn_client::cluster_timing;
use yarn_client::context::Context;
use yarn_client::deploy::Deployment;
use yarn_client::timing::Timing;

use super::console::Console;
use super::memory::look;
use super::options::DeployOptions;
use super::text;

/// The result of running a program, for the JSON answer.
#[derive(Debug, Default)]
pub(super) struct Outcome<'a> {
    /// The application; none if there has never been one.
    pub(super) application: Option<ApplicationId>,
    /// The address of its REST interface.
    pub(super) address: Option<&'a RestAddress>,
    /// The jobs of the program, if the command has looked for them.
    pub(super) jobs: Option<Vec<Value>>,
    /// YARN's last report on the application, if the command has waited for its end.
    pub(super) last: Option<ApplicationReport>,
}

impl Outcome<'_> {
    fn to_json(&self) -> Map<String, Value> {
        let mut answer = told(self.application, self.address);
        if let Some(jobs) = &self.jobs {
            answer.insert("jobs".into(), json!(jobs));
        }
        if let Some(last) = &self.last {
            let ended = last.final_status != FinalStatus::Undefined;
            answer.insert("state".into(), json!(last.state.to_string()));
            answer.insert("finalStatus".into(), json!(ended.then(|| last.final_status.to_string())));
            let diagnostics = last.diagnostics.as_deref().map(str::trim).filter(|text| !text.is_empty());
            answer.insert("diagnostics".into(), json!(diagnostics.map(masked_lines)));
        }
        answer
    }
}

/// The part of an answer that says which cluster it is about.
pub(super) fn told(application: Option<ApplicationId>, address: Option<&RestAddress>) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("application".into(), json!(application.map(|id| id.to_string())));
    answer.insert("webInterface".into(), json!(address.map(RestAddress::url)));
    answer
}

/// Records the time of a command, and shows it if the user wants that (`--timing`).
pub(super) struct Clocked<'a> {
    /// The recorded steps.
    pub(super) timing: Timing,
    wanted: bool,
    context: &'a Context,
    console: &'a Console,
}

impl<'a> Clocked<'a> {
    /// For a command whose time `timing` records.
    pub(super) fn new(
        timing: &Timing,
        options: &DeployOptions,
        context: &'a Context,
        console: &'a Console,
    ) -> Self {
        Self { timing: timing.clone(), wanted: options.timing, context, console }
    }

    /// Whether the time is to be shown.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Prints the answer for programs and, if that is wanted, the time. All steps must have been recorded by
    /// then.
    pub(super) fn tell(&self, outcome: &Outcome<'_>) {
        if self.console.is_json() {
            let mut answer = outcome.to_json();
            if self.wanted {
                answer.insert("timing".into(), json!(self.timing.summary()));
            }
            self.console.answer(Value::Object(answer));
        } else if self.wanted {
            self.console.err_styled(&text::timing::draw(
                &self.timing.summary(),
                look(self.context, &std::io::stderr()),
            ));
        }
    }

    /// The same for a cluster that has just been started. Before, it asks YARN and the ApplicationMaster for
    /// their steps, if the time is to be shown.
    pub(super) async fn tell_start(&self, deployment: &Deployment) {
        if self.wanted {
            cluster_timing::complete(deployment).await;
        }
        self.tell(&Outcome {
            application: Some(deployment.id),
            address: deployment.address.as_ref(),
            ..Outcome::default()
        });
    }
}
