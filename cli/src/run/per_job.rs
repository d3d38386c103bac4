//! Runs a program on a per-job cluster: its `main()` runs in Flink's client on this machine.

use std::sync::Arc;

use flink_rest::RestAddress;
use yarn_client::deploy::{ClientProgram, ClusterManifest, Purpose};
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::per_job::{self, Ended, Program};
use yarn_client::setup::Setup;
use yarn_client::{run as client, target};

use super::RunCommand;
use super::jar::{check_jar, hadoop_here, jar_here, words_with};
use crate::console::{Console, warn};
use crate::deployment::{deployer, dry_run, manifest};
use crate::jobs::Overheard;
use crate::program;
use crate::signals::on_signals;
use crate::timing::{Clocked, Outcome};

impl RunCommand<'_> {
    /// The manifest of the per-job cluster that the command line asks for. `jar` is the program's jar on this
    /// machine.
    pub(crate) fn per_job_manifest(
        &mut self,
        setup: &Setup,
        jar: Option<String>,
    ) -> Result<ClusterManifest, Failure> {
        let options = self.options;
        program::execution(options, setup.release, &mut self.configuration)?;
        let program = ClientProgram {
            jar,
            main_class: options.class.clone(),
            args: program::jar_and_arguments(options)?.1,
            savepoint: options.from_savepoint.clone(),
            user_jars: Vec::new(),
        };
        manifest(Purpose::PerJob { program }, setup, &self.configuration, &options.deploy)
    }

    /// Starts the cluster and the program, and waits for the program.
    pub(super) async fn per_job(mut self, setup: Setup) -> Result<Exit, Failure> {
        let Self { context, console, options, words, timing, .. } = self;
        let job_manager = options.cluster.job_manager.as_deref();
        warn(console, target::without_effect(job_manager, &self.configuration).iter());
        check_jar(context, options)?;
        let interrupt = on_signals()?;
        let jar = jar_here(context, options, &self.configuration, console, timing, &interrupt).await?;
        let mut words = words_with(words, options, jar.as_deref());
        self.give_environment(setup.release, &mut words)?;
        let manifest = self.per_job_manifest(&setup, jar)?;
        let client_setup = Setup { configuration: self.configuration, ..setup.clone() };
        let deployer = deployer(context, setup, timing);
        if options.deploy.dry_run {
            let shown = dry_run(&deployer, &manifest, &options.deploy, options.cluster.verbose, console);
            let shown = interrupt.unless_raised(shown).await;
            return shown.map_err(|cause| Failure::interrupted(cause, "the command was given up"))?;
        }
        let clocked = Clocked::new(timing, &options.deploy, context, console);
        let hadoop = hadoop_here(context, &client_setup.configuration, console, &interrupt).await?;
        let (overheard, stdout) = Overheard::if_wanted(console.is_json())?;
        let start = |address: &RestAddress| {
            let port = Some(client::JobManager::Behind(address));
            client::client(context, &client_setup, &hadoop, port, "run", &words, &**console)
        };
        let program = Program {
            start: &start,
            stdout,
            log: client::log_file(context, &client_setup),
            detached: options.detached,
            timed: clocked.is_wanted(),
        };
        let report = Arc::<Console>::clone(console);
        let ended = Box::pin(per_job::run(&deployer, &manifest, program, report, &interrupt)).await?;
        let Ended { done, application, address } = ended;
        let jobs = match overheard {
            Some(overheard) => Some(overheard.jobs(address.as_ref()).await),
            None => None,
        };
        clocked.tell(&Outcome { application, address: address.as_ref(), jobs, last: None });
        done.map_err(|failure| application.into_iter().fold(failure, Failure::of_application))
    }
}
