//! What a deployment prints at its end: its answer for programs, and with `--timing` where the time went.

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
use crate::console::Output;

/// How a run of a program went, for programs that read it.
#[derive(Debug, Default)]
pub(super) struct Outcome<'a> {
    /// The application; none if there has never been one.
    pub(super) application: Option<ApplicationId>,
    /// Its REST interface.
    pub(super) address: Option<&'a RestAddress>,
    /// The jobs of the program, where they were looked for.
    pub(super) jobs: Option<Vec<Value>>,
    /// The last that YARN said of the application, where its end was waited for.
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
            answer.insert("diagnostics".into(), json!(diagnostics));
        }
        answer
    }
}

/// The cluster that an answer is about.
pub(super) fn told(application: Option<ApplicationId>, address: Option<&RestAddress>) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("application".into(), json!(application.map(|id| id.to_string())));
    answer.insert("webInterface".into(), json!(address.map(|address| format!("http://{address}"))));
    answer
}

/// The time of a command, and whether it is to be shown.
pub(super) struct Clocked<'a> {
    /// The recorder.
    pub(super) timing: Timing,
    wanted: bool,
    context: &'a Context,
    console: &'a Console,
}

impl<'a> Clocked<'a> {
    /// For the command whose time `timing` records.
    pub(super) fn new(
        timing: &Timing,
        options: &DeployOptions,
        context: &'a Context,
        console: &'a Console,
    ) -> Self {
        Self { timing: timing.clone(), wanted: options.timing, context, console }
    }

    /// Whether the time is to be told.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Prints the answer for programs and, if that is wanted, the time. By then all steps are recorded.
    pub(super) fn tell(&self, outcome: &Outcome<'_>) {
        if self.console.is_json() {
            let mut answer = outcome.to_json();
            if self.wanted {
                answer.insert("timing".into(), json!(self.timing.summary()));
            }
            self.console.answer(Value::Object(answer));
        } else if self.wanted {
            self.console
                .err(&text::timing::draw(&self.timing.summary(), look(self.context, &std::io::stderr())));
        }
    }

    /// The same for a cluster that has just come up: YARN and its ApplicationMaster are asked for their steps
    /// before.
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
