//! What a deployment is asked for, and what it gives.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flink_model::spec::ClusterMode;
use flink_rest::RestAddress;
use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use super::undo::Undo;
use crate::context::Context;
use crate::report::Report;
use crate::setup::Setup;
use crate::timing::{Marks, Timing};

/// What cluster to start.
#[derive(Debug)]
pub struct Order {
    /// Flink, with the effective configuration.
    pub setup: Setup,
    /// The surroundings.
    pub context: Context,
    /// What it is for.
    pub purpose: Purpose,
    /// Names this submission: a second order of the same name finds the first one's application. None: a
    /// random name.
    pub submission: Option<String>,
    /// What `main()` on this machine is run with, for the checks and the plan of a per-job cluster.
    pub client: Option<ClientProgram>,
    /// Gives up, and kills the application, when it cannot be used within this time.
    pub within: Option<Duration>,
    /// Where the legs of the deployment are recorded.
    pub timing: Timing,
    /// Set when YARN is asked to start the application.
    pub submitted: Arc<OnceLock<ApplicationId>>,
}

impl Order {
    /// An order without a bound on its time. The time of its legs counts from now.
    pub fn new(setup: Setup, context: Context, purpose: Purpose) -> Self {
        Self {
            setup,
            context,
            purpose,
            submission: None,
            client: None,
            within: None,
            timing: Timing::start(),
            submitted: Arc::default(),
        }
    }
}

/// What a cluster is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Jobs that are submitted to it until it is stopped.
    Session {
        /// TaskManagers to keep from the start on.
        min_workers: Option<u32>,
    },
    /// The jobs of one `main()` that runs on the client.
    PerJob {
        /// The program's jar: a local path. It comes to the containers' class path, too, unless
        /// `yarn.classpath.include-user-jar` is DISABLED.
        jar: Option<String>,
    },
    /// A program whose `main()` runs in the JobManager.
    Application(Program),
}

impl Purpose {
    pub(crate) fn mode(&self) -> ClusterMode {
        match self {
            Self::Session { .. } => ClusterMode::Session,
            Self::PerJob { .. } => ClusterMode::PerJob,
            Self::Application(_) => ClusterMode::Application,
        }
    }

    /// Name of the application if the user gives none, as Flink's.
    pub(crate) fn default_name(&self) -> &'static str {
        match self {
            Self::Session { .. } => "Flink session cluster",
            Self::PerJob { .. } => "Flink per-job cluster",
            Self::Application(_) => "Flink Application Cluster",
        }
    }
}

/// The program of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Its jar: a local path, or a URL on a file system that the nodes can read. None: the program is on the
    /// class path.
    pub jar: Option<String>,
    /// Class with `main()`; none: the jar's manifest names it.
    pub main_class: Option<String>,
    /// Its arguments, verbatim.
    pub args: Vec<String>,
    /// Beginnings of names of jars in Flink's `opt` directory that go to the containers' `opt`, outside of
    /// the class path.
    pub opt_jars: Vec<&'static str>,
    /// More local files for the containers: key and path. Outside of the class path.
    pub files: Vec<(String, std::path::PathBuf)>,
}

/// A program whose `main()` runs on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientProgram {
    /// Class with `main()`; none: the jar's manifest names it.
    pub main_class: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// The savepoint that its job starts from.
    pub savepoint: Option<String>,
}

/// A cluster that has come up.
#[derive(Debug)]
pub struct Deployment {
    /// Its application.
    pub id: ApplicationId,
    /// Its REST interface; none: its program has ended already, and well.
    pub address: Option<RestAddress>,
    /// The ResourceManager it runs under.
    pub yarn: ApplicationClient,
    /// The application was there already: an earlier order of the same name had made it.
    pub found: bool,
    pub(super) secret: Vec<u8>,
    /// Where its legs are recorded.
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
