//! What the witnesses of an application are asked with.

use diagnosis::facts::Settings;
use flink_model::config::Configuration;
use flink_model::options;
use flink_model::release::Release;
use taskrunner::keys::Access;

use crate::configuration::text;
use crate::context::Context;
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::rest_security::RestSecurity;

/// How the witnesses of applications are reached, and what the caller knows itself.
#[derive(Debug, Clone)]
pub struct Inquiry {
    pub(super) hadoop: Hadoop,
    /// How the JobManager's REST interface is spoken to.
    pub(super) security: RestSecurity,
    /// The staging directory, if one is configured.
    pub(super) staging: Option<String>,
    /// What the application was configured with, if the caller knows that. What its JobManager says counts
    /// more.
    pub(super) settings: Option<Settings>,
    /// The client's key for the control port of heddle-am. Only who has submitted the application has it.
    pub(super) access: Option<Access>,
}

impl Inquiry {
    /// By what this configuration says of the cluster.
    pub fn new(hadoop: Hadoop, security: RestSecurity, configuration: &Configuration) -> Self {
        let staging = text(configuration, &options::STAGING_DIRECTORY);
        let staging = staging.map(|base| base.trim_end_matches('/').to_owned());
        Self { hadoop, security, staging, settings: None, access: None }
    }

    /// The same, with a login and the certificates that the configuration names. It is a failure if there is
    /// no Hadoop configuration, or if login or certificates cannot be used.
    pub async fn load(context: &Context, configuration: &Configuration) -> Result<Self, Failure> {
        let hadoop = Hadoop::load(context, configuration).await?;
        let security = RestSecurity::of(configuration, context)?;
        Ok(Self::new(hadoop, security, configuration))
    }

    /// For an application that the caller has configured so.
    pub(crate) fn configured(self, configuration: Configuration, release: Release) -> Self {
        Self { settings: Some(Settings { configuration, release }), ..self }
    }

    /// For an application that the caller has submitted: this is its key.
    pub(crate) fn with_access(self, access: Option<Access>) -> Self {
        Self { access, ..self }
    }

    /// How JobManagers are called.
    pub(crate) fn security(&self) -> &RestSecurity {
        &self.security
    }

    /// The Hadoop of the applications.
    pub fn hadoop(&self) -> &Hadoop {
        &self.hadoop
    }
}
