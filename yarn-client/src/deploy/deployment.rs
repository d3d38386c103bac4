//! A cluster that has come up.

use flink_rest::RestAddress;
use taskrunner::keys::Access;
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use super::undo::Undo;
use crate::diagnose::{Inquiry, explained};
use crate::error::Failure;
use crate::report::Report;
use crate::rest_security::RestSecurity;
use crate::timing::{Marks, Timing};

/// A cluster that has come up.
#[derive(Debug)]
pub struct Deployment {
    /// Its application.
    pub id: ApplicationId,
    /// Its REST interface; none: its program has ended already, and well.
    pub address: Option<RestAddress>,
    /// The ResourceManager it runs under.
    pub yarn: ApplicationClient,
    /// The application was there already: an earlier submission of the same name had made it.
    pub found: bool,
    /// Whether the JobManager and the ApplicationMaster are replaced when they fail.
    pub(crate) highly_available: bool,
    /// What the client needs to call the control server; none if it has not submitted the application.
    pub(super) access: Option<Access>,
    /// How its REST interface is spoken to.
    pub rest_security: RestSecurity,
    /// What its witnesses are asked with.
    pub(super) inquiry: Inquiry,
    /// Where its steps are recorded.
    pub timing: Timing,
    /// When the client saw it come up.
    pub(crate) marks: Marks,
    pub(super) undo: Undo,
}

impl Deployment {
    /// What the client needs to call the control server. Only who has submitted the application has it.
    pub(crate) fn access(&self) -> Option<&Access> {
        self.access.as_ref()
    }

    /// What its witnesses are asked with, if it fails or waits.
    pub fn inquiry(&self) -> &Inquiry {
        &self.inquiry
    }

    /// A failure of it, with the cause as far as that is found within three seconds.
    pub async fn explained(&self, failure: Failure) -> Failure {
        explained(failure, &self.inquiry, self.id).await
    }

    /// Ends it again and removes its files.
    pub async fn undo(&self, report: &dyn Report) {
        self.undo.run("the client gave up the deployment", report).await;
    }
}
