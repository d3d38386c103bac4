//! Runs a program on an existing cluster. Its `main()` runs in Flink's client, or in the cluster's
//! JobManager.

use flink_model::config::{Configuration, Origin};
use flink_model::options;
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::interrupt::Interrupt;
use yarn_client::report::Report;
use yarn_client::setup::Setup;
use yarn_client::target::Cluster;
use yarn_client::timing::Jobs;
use yarn_client::{client_run, run as client, target, timing as steps};

use super::RunCommand;
use super::jar::{check_jar, hadoop_here, jar_here, options_with, words_with};
use crate::console::Console;
use crate::jobs::Overheard;
use crate::options::DeployOptions;
use crate::signals::{on_signals, unless_signalled};
use crate::timing::{Clocked, Outcome};
use crate::{job_verbs, jobs, program};

/// The cluster that was found, and what is needed to run the program there.
struct Found {
    cluster: Cluster,
    /// The configuration with the settings that the cluster was started with.
    configuration: Configuration,
    /// The program's jar on this machine.
    jar: Option<String>,
    /// What gives up whatever follows.
    interrupt: Interrupt,
}

impl RunCommand<'_> {
    /// Runs `main()` in Flink's client.
    pub(super) async fn on_cluster(self, setup: Setup) -> Result<Exit, Failure> {
        let Self { context, console, options, timing, .. } = self;
        let clocked = Clocked::new(timing, &options.deploy, context, console);
        let Found { cluster, configuration, jar, interrupt } = self.find().await?;
        let mut words = words_with(self.words, options, jar.as_deref());
        self.give_environment(setup.release, &mut words)?;
        // These are the settings that the session was started with, which the properties file contains.
        let remembered =
            configuration.iter().filter(|(key, entry)| self.configuration.entry(key) != Some(entry));
        let remembered = remembered.map(|(key, entry)| format!("-D{key}={}", entry.value.text()).into());
        words.options.extend(remembered);
        let setup = Setup { configuration, ..setup };
        let hadoop = hadoop_here(context, &setup.configuration, console, &interrupt).await?;
        let at = Some(client::JobManager::At(&cluster.address));
        let command = client::client(context, &setup, &hadoop, at, "run", &words, &**console)?;
        let cancels = options.shutdown_on_attached_exit
            || program::is_property(&setup.configuration, "execution.shutdown-on-attached-exit", "true");
        let (overheard, stdout) = Overheard::if_wanted(console.is_json())?;
        let run = client_run::Run {
            command,
            stdout,
            log: &client::log_file(context, &setup),
            cancels: cancels && !options.detached,
            timing: clocked.is_wanted().then_some(timing),
        };
        let ended = Box::pin(client_run::run(run, &cluster, context, &interrupt, &**console)).await;
        let jobs = match overheard {
            Some(overheard) => Some(overheard.jobs(Some(&cluster.address)).await),
            None => None,
        };
        clocked.tell(&Outcome { jobs, ..of(&cluster) });
        ended
    }

    /// Runs `main()` in the JobManager, by its REST interface.
    pub(super) async fn on_cluster_by_rest(self) -> Result<Exit, Failure> {
        let Self { context, console, options, timing, .. } = self;
        let clocked = Clocked::new(timing, &options.deploy, context, console);
        let Found { cluster, configuration, jar, interrupt } = self.find().await?;
        let options = options_with(options, jar);
        let work = job_verbs::run(&cluster, &configuration, &options, context, &interrupt, &**console);
        let done = if clocked.is_wanted() {
            let jobs = Jobs::new(&cluster.address, timing, steps::MAIN).ignore_present().await;
            jobs.during(work).await
        } else {
            work.await
        };
        let jobs = match done.as_ref().ok().filter(|_| console.is_json()) {
            Some(job) => Some(jobs::known(std::slice::from_ref(job), Some(&cluster.address)).await),
            None => None,
        };
        clocked.tell(&Outcome { jobs, ..of(&cluster) });
        done.map(|_| Exit::Done)
    }

    /// Finds the cluster and connects to its JobManager. This comes before `main()` is started, because
    /// `main()` may have side effects.
    async fn find(&self) -> Result<Found, Failure> {
        let Self { context, console, options, timing, .. } = *self;
        deployment_options_have_no_effect(&options.deploy, console)?;
        let mistakes = options::check_keys(&self.configuration);
        let own = mistakes.iter().filter(|warning| warning.origin == Origin::Dynamic);
        own.for_each(|warning| console.warn(&warning.to_string()));
        check_jar(context, options)?;
        timing.configured();
        let mut configuration = self.configuration.clone();
        let job_manager = options.cluster.job_manager.as_deref();
        let target = target::choose(job_manager, &mut configuration, context, &**console)?;
        let locate = async {
            let locate = target::locate(target, &configuration, context, &**console);
            let cluster = timing.time("ResourceManager asked", locate).await?;
            timing.time("JobManager reached", cluster.reach()).await?;
            Ok(cluster)
        };
        let cluster = unless_signalled(context, console, locate).await?;
        let interrupt = on_signals()?;
        let jar = jar_here(context, options, &configuration, console, timing, &interrupt).await?;
        let sizing = self.settings.sizing_flags();
        if !sizing.is_empty() {
            let list = sizing.join(", ");
            console.warn(&format!("no effect on a cluster that runs already: {list}"));
        }
        Ok(Found { cluster, configuration, jar, interrupt })
    }
}

fn of(cluster: &Cluster) -> Outcome<'_> {
    Outcome { application: cluster.application, address: Some(&cluster.address), ..Outcome::default() }
}

fn deployment_options_have_no_effect(options: &DeployOptions, console: &Console) -> Result<(), Failure> {
    if options.dry_run {
        return Err(Failure::usage(
            "--dry-run shows how a cluster would be started, and this one is there already",
        )
        .hint("`flink info` shows the plan of a program"));
    }
    if let Some(name) = &options.submission {
        let what = format!(
            "--submission {name}: on a cluster that runs already nothing finds the job again, and a retry would run it twice"
        );
        return Err(Failure::usage(what)
            .hint("it names the application that a program is started with: `flink run-application -t yarn-application`, `flink run -t yarn-per-job`"));
    }
    if options.timeout.is_some() {
        console.warn("no effect on a cluster that runs already: --timeout");
    }
    Ok(())
}
