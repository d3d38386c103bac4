//! Carries out `run`, `run-application` and `info`. First it decides on what kind of cluster the program
//! runs, and where its `main()` runs. Then exactly one of the modules below carries out the decision.

mod application;
mod jar;
#[cfg(test)]
mod manifest_tests;
mod on_cluster;
mod per_job;
mod plan;

use std::sync::Arc;

use flink_model::config::Configuration;
use flink_model::options::{EXECUTION_ATTACHED, EXECUTION_TARGET, SESSION};
use flink_model::release::Release;
use serde_json::json;
use yarn_client::configuration::text;
use yarn_client::context::Context;
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::hadoop::Hadoop;
use yarn_client::report::Report;
use yarn_client::run::ClientWords;
use yarn_client::setup::Setup;
use yarn_client::timing::Timing;
use yarn_client::{client_run, run as client, setup, target};

use super::cluster_query::query_cluster;
use super::console::{Console, warn};
use super::options::RunOptions;
use super::settings::Settings;
use super::signals::{on_signals, unless_signalled};
use super::{program, python};
use jar::{check_jar, hadoop_here, jar_here, words_with};
use plan::Plan;

/// A command that runs a program, with all that is needed to carry it out.
pub(super) struct RunCommand<'a> {
    context: &'a Context,
    console: &'a Arc<Console>,
    options: &'a RunOptions,
    /// The command line for Flink's own client.
    words: &'a ClientWords,
    settings: &'a Settings,
    /// Flink's configuration with the settings of the command.
    configuration: Configuration,
    timing: &'a Timing,
}

/// On what kind of cluster the program runs, and where its `main()` runs.
#[derive(Debug)]
enum Decision {
    /// In application mode: `main()` runs in the JobManager of a new cluster.
    Application(Setup),
    /// On a per-job cluster: `main()` runs in Flink's client.
    PerJob(Setup),
    /// On an existing cluster: `main()` runs in Flink's client.
    OnCluster(Setup),
    /// On an existing cluster: `main()` runs in its JobManager (`--main cluster`). That needs no Flink on
    /// this machine.
    OnClusterByRest,
}

/// Where `main()` is to run (`--main`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Main {
    Default,
    Client,
    Cluster,
}

impl Main {
    fn of(options: &RunOptions) -> Result<Self, Failure> {
        match options.main_place.as_deref() {
            None => Ok(Self::Default),
            Some("client") => Ok(Self::Client),
            Some("cluster") => Ok(Self::Cluster),
            Some(other) => Err(Failure::usage(format!("--main {other}: it is either client or cluster"))),
        }
    }
}

/// On what kind of cluster a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Existing,
    PerJob,
    Application,
}

impl Target {
    /// What the options and the configuration ask for.
    fn of(options: &RunOptions, configuration: &Configuration) -> Self {
        let kind = text(configuration, &EXECUTION_TARGET).map(|t| t.to_lowercase());
        let named = configuration.text("yarn.application.id").is_some();
        let on_yarn = options.cluster.job_manager.as_deref() == Some("yarn-cluster");
        match kind.as_deref() {
            Some("yarn-application") => Self::Application,
            Some("yarn-per-job") if !named => Self::PerJob,
            // This is the option `-m yarn-cluster` of older releases, which counts only if no target is set.
            None if on_yarn && !named && !target::is_said(configuration, &SESSION) => Self::PerJob,
            _ => Self::Existing,
        }
    }

    /// The same for a SQL script, which is an application unless something else is asked for.
    fn of_script(options: &RunOptions, configuration: &Configuration) -> Self {
        let asked = text(configuration, &EXECUTION_TARGET).is_some()
            || configuration.text("yarn.application.id").is_some()
            || text(configuration, &SESSION).is_some()
            || options.cluster.job_manager.is_some();
        if asked { Self::of(options, configuration) } else { Self::Application }
    }
}

/// Decides where the program runs. `setup` is Flink on this machine, if it is needed. Fails if `--main` does
/// not fit the target.
fn decide(target: Target, main: Main, setup: Option<Setup>) -> Result<Decision, Failure> {
    match (target, main, setup) {
        (Target::Application, Main::Default, Some(setup)) => Ok(Decision::Application(setup)),
        (Target::Application, _, _) => Err(no_main_place()),
        (Target::PerJob, Main::Default | Main::Client, Some(setup)) => Ok(Decision::PerJob(setup)),
        (Target::PerJob, _, _) => Err(Failure::usage("--main cluster needs a cluster that is there")
            .hint("`flink run-application -t yarn-application` starts one and runs main() in it")),
        (Target::Existing, Main::Default | Main::Client, Some(setup)) => Ok(Decision::OnCluster(setup)),
        (Target::Existing, _, _) => Ok(Decision::OnClusterByRest),
    }
}

fn no_main_place() -> Failure {
    Failure::usage("--main has no meaning here: an application's main() runs in the JobManager")
}

/// Carries out `run`.
pub(super) async fn run(
    context: &Context,
    console: &Arc<Console>,
    mut options: RunOptions,
    words: &ClientWords,
    timing: &Timing,
) -> Result<Exit, Failure> {
    let settings = Settings::of_verb(&options.cluster, Some(&options.yarn))?;
    let main = Main::of(&options)?;
    let setup = if main == Main::Cluster { None } else { Some(Setup::load(context)?) };
    let (mut configuration, warnings) = match &setup {
        Some(setup) => (setup.configuration.clone(), setup.warnings.clone()),
        None => setup::configuration_if_any(context).map(|(_, conf, warnings)| (conf, warnings))?,
    };
    settings.apply(&mut configuration);
    options.detached |=
        options.yarn.yarn_detached || program::is_property(&configuration, EXECUTION_ATTACHED.key, "false");
    if options.yarn.yarn_query {
        return unless_signalled(context, console, query_cluster(context, console, &configuration)).await;
    }
    let target = match program::named_script(&options, context)? {
        Some(_) => Target::of_script(&options, &configuration),
        None => Target::of(&options, &configuration),
    };
    let command =
        RunCommand { context, console, options: &options, words, settings: &settings, configuration, timing };
    if target != Target::Application {
        command.check_program_is_named()?;
        warn(console, warnings.iter().chain(&settings.warnings));
        if options.attached {
            console.warn("--attached has no effect here: `flink run` waits for the job unless -d is given");
        }
    }
    match decide(target, main, setup)? {
        Decision::Application(setup) => {
            check_application(&options)?;
            Box::pin(command.application(setup)).await
        }
        Decision::PerJob(setup) => Box::pin(command.per_job(setup)).await,
        Decision::OnCluster(setup) => Box::pin(command.on_cluster(setup)).await,
        Decision::OnClusterByRest => command.on_cluster_by_rest().await,
    }
}

/// Carries out `run-application`.
pub(super) async fn application(
    context: &Context,
    console: &Arc<Console>,
    options: &RunOptions,
    timing: &Timing,
) -> Result<Exit, Failure> {
    let settings = Settings::of_verb(&options.cluster, Some(&options.yarn))?;
    check_application(options)?;
    let setup = Setup::load(context)?;
    let mut configuration = setup.configuration.clone();
    settings.apply(&mut configuration);
    let words = &ClientWords::default();
    let settings = &settings;
    let command = RunCommand { context, console, options, words, settings, configuration, timing };
    Box::pin(command.application(setup)).await
}

fn check_application(options: &RunOptions) -> Result<(), Failure> {
    if options.main_place.is_some() {
        return Err(no_main_place());
    }
    if options.attached && (options.detached || options.yarn.yarn_detached) {
        return Err(Failure::usage("--attached and --detached exclude each other"));
    }
    Ok(())
}

impl RunCommand<'_> {
    fn check_program_is_named(&self) -> Result<(), Failure> {
        let options = self.options;
        if options.jarfile.is_some()
            || !options.program.is_empty()
            || options.python.is_some()
            || options.py_module.is_some()
        {
            return Ok(());
        }
        Err(Failure::usage("the program's jar is missing")
            .hint("write it behind the options: flink run [options] <jar>"))
    }

    /// Adds the Python environment of the program (`--py-env`), if it has one, to the words for Flink's
    /// client.
    fn give_environment(&self, release: Release, words: &mut ClientWords) -> Result<(), Failure> {
        let Self { context, console, options, configuration, .. } = self;
        match python::environment(options, configuration, release, context, &***console)? {
            Some(environment) => python::give(&environment, configuration, release, words),
            None => Ok(()),
        }
    }
}

/// Carries out `info`: Flink's own client prints the plan of a job.
pub(super) async fn info(
    context: &Context,
    console: &Arc<Console>,
    options: &RunOptions,
    words: &ClientWords,
) -> Result<Exit, Failure> {
    let settings = Settings::of_verb(&options.cluster, Some(&options.yarn))?;
    let mut setup = Setup::load(context)?;
    warn(console, setup.warnings.iter().chain(&settings.warnings));
    settings.apply(&mut setup.configuration);
    check_jar(context, options)?;
    let interrupt = on_signals()?;
    let jar = jar_here(context, options, &setup.configuration, console, &Timing::start(), &interrupt).await?;
    let mut words = words_with(words, options, jar.as_deref());
    let (configuration, release) = (&setup.configuration, setup.release);
    if let Some(environment) = python::environment(options, configuration, release, context, &**console)? {
        python::give(&environment, configuration, release, &mut words)?;
    }
    let hadoop = hadoop_here(context, &setup.configuration, console, &interrupt).await?;
    let client = client::client(context, &setup, &hadoop, None, "info", &words, &**console)?;
    let log = client::log_file(context, &setup);
    let hadoop = interrupt.unless_raised(Hadoop::load_if_kerberos(context, &setup.configuration)).await;
    let hadoop = hadoop.map_err(|cause| Failure::interrupted(cause, "the program was not started"))?;
    // A plan can be made without Hadoop, too.
    let hadoop = hadoop.unwrap_or_else(|failure| {
        tracing::debug!(%failure, "no tokens for the program");
        None
    });
    let (plan, stdout) = match console.is_json() {
        true => Plan::read().map(|(plan, stdout)| (Some(plan), Some(stdout)))?,
        false => (None, None),
    };
    let exit = client_run::run_alone(client, stdout, hadoop.as_ref(), &log, context, &interrupt).await?;
    if let Some(plan) = plan {
        console.answer(json!({ "plan": plan.found().await? }));
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use flink_model::config::FileFormat;
    use yarn_client::context::FlinkHome;

    use super::*;
    use crate::options::ClusterOptions;

    fn setup() -> Setup {
        let path = PathBuf::from("/flink");
        let flink = FlinkHome {
            root: path.clone(),
            conf: path.clone(),
            lib: path.clone(),
            plugins: path.clone(),
            dist_jar: path,
        };
        Setup {
            flink,
            release: "1.20.1".parse().unwrap(),
            configuration: Configuration::new(FileFormat::Standard),
            warnings: vec![],
        }
    }

    /// What `of` makes of a command line with these settings.
    fn asked(
        of: fn(&RunOptions, &Configuration) -> Target,
        job_manager: Option<&str>,
        settings: &[(&str, &str)],
    ) -> Target {
        let cluster =
            ClusterOptions { job_manager: job_manager.map(str::to_owned), ..ClusterOptions::default() };
        let mut configuration = Configuration::default();
        for (key, value) in settings {
            configuration.set_dynamic(*key, *value);
        }
        of(&RunOptions { cluster, ..RunOptions::default() }, &configuration)
    }

    #[test]
    fn targets() {
        let of =
            |job_manager: Option<&str>, settings: &[(&str, &str)]| asked(Target::of, job_manager, settings);
        let id = ("yarn.application.id", "application_1_1");
        assert_eq!(of(None, &[]), Target::Existing);
        assert_eq!(of(Some("yarn-cluster"), &[]), Target::PerJob);
        assert_eq!(of(Some("yarn-cluster"), &[id]), Target::Existing);
        assert_eq!(of(Some("yarn-cluster"), &[("execution.target", "remote")]), Target::Existing);
        assert_eq!(of(None, &[("execution.target", "YARN-PER-JOB")]), Target::PerJob);
        assert_eq!(of(None, &[("execution.target", "yarn-per-job"), id]), Target::Existing);
        assert_eq!(of(None, &[("execution.target", "yarn-application"), id]), Target::Application);
    }

    #[test]
    fn a_script_is_an_application_unless_something_else_is_asked_for() {
        let of = |job_manager: Option<&str>, settings: &[(&str, &str)]| {
            asked(Target::of_script, job_manager, settings)
        };
        assert_eq!(of(None, &[]), Target::Application);
        assert_eq!(of(None, &[("execution.target", "yarn-session")]), Target::Existing);
        assert_eq!(of(None, &[("yarn.application.id", "application_1_1")]), Target::Existing);
        assert_eq!(of(Some("h:1"), &[]), Target::Existing);
        assert_eq!(of(Some("yarn-cluster"), &[]), Target::PerJob);
    }

    #[test]
    fn decisions() {
        let said = |target, main| {
            let setup = (main != Main::Cluster).then(setup);
            match decide(target, main, setup) {
                Ok(Decision::Application(_)) => "application".to_owned(),
                Ok(Decision::PerJob(_)) => "per-job".to_owned(),
                Ok(Decision::OnCluster(_)) => "on a cluster".to_owned(),
                Ok(Decision::OnClusterByRest) => "on a cluster, by REST".to_owned(),
                Err(failure) => failure.to_string(),
            }
        };
        assert_eq!(said(Target::Application, Main::Default), "application");
        assert!(said(Target::Application, Main::Client).starts_with("--main has no meaning here"));
        assert!(said(Target::Application, Main::Cluster).starts_with("--main has no meaning here"));
        assert_eq!(said(Target::PerJob, Main::Default), "per-job");
        assert_eq!(said(Target::PerJob, Main::Client), "per-job");
        assert_eq!(said(Target::PerJob, Main::Cluster), "--main cluster needs a cluster that is there");
        assert_eq!(said(Target::Existing, Main::Client), "on a cluster");
        assert_eq!(said(Target::Existing, Main::Cluster), "on a cluster, by REST");
    }
}
