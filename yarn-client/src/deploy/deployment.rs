//! A cluster that has come up.

use flink_rest::RestAddress;
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use super::undo::Undo;
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
    /// How its REST interface is spoken to.
    pub rest_security: RestSecurity,
    pub(super) secret: Vec<u8>,
    /// Where its steps are recorded.
    pub timing: Timing,
    /// When the client saw it come up.
    pub(crate) marks: Marks,
    pub(super) undo: Undo,
}

impl Deployment {
    /// The secret that the application's processes know each other by.
    pub(crate) fn control_secret(&self) -> &[u8] {
        &self.secret
    }

    /// Ends it again and removes its files.
    pub async fn undo(&self, report: &dyn Report) {
        self.undo.run("the client gave up the deployment", report).await;
    }
}
