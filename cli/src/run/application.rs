//! Runs a program in application mode: its `main()` runs in the JobManager of a new cluster.

use std::sync::Arc;

use flink_model::options::EXECUTION_TARGET;
use yarn_client::configuration::text;
use yarn_client::deploy::{ClusterManifest, Deployment, Purpose};
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::report::Report;
use yarn_client::setup::Setup;
use yarn_client::timing::Jobs;
use yarn_client::{cluster_timing, follow, timing as steps};

use super::RunCommand;
use crate::console::{Console, Output, warn};
use crate::deployment::{deployer, dry_run, manifest};
use crate::jobs::Watched;
use crate::program::{self, NamedScript};
use crate::signals::on_signals;
use crate::timing::{Clocked, Outcome};
use crate::{python, sql_script};

impl RunCommand<'_> {
    /// The manifest of the application that the command line asks for.
    pub(crate) fn application_manifest(&mut self, setup: &Setup) -> Result<ClusterManifest, Failure> {
        let Self { context, console, options, .. } = *self;
        let environment =
            python::environment(options, &self.configuration, setup.release, context, &**console)?;
        let configuration = &mut self.configuration;
        let program =
            program::application(options, setup.release, configuration, context, environment.as_ref())?;
        let purpose = Purpose::Application { program };
        manifest(purpose, setup, &self.configuration, &self.options.deploy)
    }

    /// Starts the application, and with `--attached` follows it to its end.
    pub(super) async fn application(mut self, setup: Setup) -> Result<Exit, Failure> {
        let Self { context, console, options, settings, timing, .. } = self;
        match text(&self.configuration, &EXECUTION_TARGET).map(|t| t.to_lowercase()).as_deref() {
            None | Some("yarn-application") => {}
            Some(other) => {
                return Err(Failure::usage(format!(
                    "an application cannot be started on the target {other}"
                ))
                .hint("write -t yarn-application")
                .hint("`flink run` runs programs on the targets yarn-session, yarn-per-job and remote"));
            }
        }
        warn(console, setup.warnings.iter().chain(&settings.warnings));
        let manifest = self.application_manifest(&setup)?;
        if let Some(NamedScript { script, .. }) = program::named_script(options, context)? {
            warn(console, sql_script::warnings(&script, context).iter());
        }
        let deployer = deployer(context, setup, timing);
        if options.deploy.dry_run {
            return dry_run(&deployer, &manifest, &options.deploy, options.cluster.verbose, console).await;
        }
        let clocked = Clocked::new(timing, &options.deploy, context, console);
        let interrupt = on_signals()?;
        let deployment = deployer.deploy(&manifest, Arc::<Console>::clone(console), &interrupt).await?;
        tell(&deployment, console);
        if !options.attached {
            clocked.tell_start(&deployment).await;
            return Ok(Exit::Done);
        }
        let address = deployment.address.as_ref();
        let work = Box::pin(follow::follow(&deployment.yarn, deployment.id, address, &interrupt, &**console));
        let mut watched = Watched::new(address.filter(|_| console.is_json()));
        let work = watched.during(work);
        let ended = match address.filter(|_| clocked.is_wanted()) {
            Some(address) => {
                // The ApplicationMaster ends with the application, so it is asked for its steps while it
                // runs.
                let work = async { futures::join!(work, cluster_timing::complete(&deployment)).0 };
                Jobs::new(address, timing, steps::MAIN).during(work).await
            }
            None => work.await,
        };
        let ended = match ended {
            // An interruption needs no explanation.
            Err(failure) if failure.exit() == Exit::Failed => Err(deployment.explained(failure).await),
            ended => ended,
        };
        // How the application has ended is known by now, so it is no failure if the ResourceManager does not
        // answer.
        let last = match console.is_json() {
            true => deployment.yarn.application_report(deployment.id).await.ok(),
            false => None,
        };
        let jobs = Some(watched.jobs());
        clocked.tell(&Outcome { application: Some(deployment.id), address, jobs, last });
        ended.map_err(|failure| failure.of_application(deployment.id))
    }
}

fn tell(deployment: &Deployment, console: &Console) {
    console.out(&format!("Application ID: {}", deployment.id));
    match &deployment.address {
        Some(address) => console.out(&format!("JobManager Web Interface: {}", address.url())),
        None => {
            console.info(&format!("Application {} has finished with final state SUCCEEDED", deployment.id))
        }
    }
}
