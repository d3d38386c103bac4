//! `--timing`: options and terminal in, the picture or its JSON out.

use serde_json::json;
use yarn_api::records::ApplicationId;

use super::console::Console;
use super::memory::look;
use super::options::DeployOptions;
use crate::context::Context;
use crate::deploy::Deployment;
use crate::report::Output;
use crate::target::RestAddress;
use crate::timing::{self, Timing};

/// What a command was asked to tell about its time.
pub(super) struct Clocked<'a> {
    /// The recorder.
    pub(super) timing: Timing,
    wanted: bool,
    json: bool,
    context: &'a Context,
    console: &'a Console,
}

impl<'a> Clocked<'a> {
    /// `json`: a program reads the result, as the last line of stdout; all others go to stderr then.
    pub(super) fn new(
        timing: &Timing,
        options: &DeployOptions,
        json: bool,
        context: &'a Context,
        console: &'a Console,
    ) -> Self {
        if json {
            console.keep_stdout_free();
        }
        Self { timing: timing.clone(), wanted: options.timing, json, context, console }
    }

    /// Whether the time is to be told.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Tells it, once all legs are recorded, and which cluster it was about.
    pub(super) fn tell(&self, application: Option<ApplicationId>, address: Option<&RestAddress>) {
        if self.json {
            let mut result = serde_json::Map::new();
            result.insert("application".into(), json!(application.map(|id| id.to_string())));
            result.insert("webInterface".into(), json!(address.map(|address| format!("http://{address}"))));
            if self.wanted {
                result.insert("timing".into(), json!(self.timing.summary()));
            }
            self.console.result(&serde_json::Value::Object(result).to_string());
        } else if self.wanted {
            self.console.err(&timing::draw(&self.timing.summary(), look(self.context, &std::io::stderr())));
        }
    }

    /// The same for a cluster that has just come up: YARN and its ApplicationMaster are asked for their legs before.
    pub(super) async fn tell_start(&self, deployment: &Deployment) {
        if self.wanted {
            timing::complete(deployment).await;
        }
        self.tell(Some(deployment.id), deployment.address.as_ref());
    }
}
