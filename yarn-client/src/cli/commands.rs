//! One function for each command: options in, effects out.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;
use std::sync::Arc;

use flink_model::config::Configuration;
use tokio_util::sync::CancellationToken;
use yarn_api::records::{ApplicationId, NodeState};

use super::Invocation;
use super::console::Console;
use super::options::{ClusterOptions, RunOptions, SessionOptions, Verb};
use super::settings::Settings;
use crate::context::Context;
use crate::deploy::{self, SessionOrder};
use crate::error::Failure;
use crate::hadoop::{Hadoop, yarn_failure};
use crate::properties::{self, SessionFile};
use crate::report::{Output, Report};
use crate::session::Attached;
use crate::setup::{self, Setup};
use crate::target::{self, Cluster};
use crate::{query, rest, run as client};

/// Does what was asked for.
pub(super) async fn run(
    context: Context,
    shared_console: &Arc<Console>,
    invocation: Invocation,
) -> Result<ExitCode, Failure> {
    let Invocation { verb, client_words } = invocation;
    let console: &Console = shared_console;
    match verb {
        Verb::Session(options) => session(&context, shared_console, &options).await,
        Verb::Run(options) => run_program(&context, console, &options, &client_words).await,
        Verb::Info(_) => {
            let setup = Setup::load(&context)?;
            become_client(client::client(&context, &setup, None, "info", &client_words)?)
        }
        Verb::RunApplication(_) => {
            Err(Failure::new("run-application is not served yet: it comes with application mode")
                .hint("`flink run` runs a program on a session that `yarn-session.sh -d` has started"))
        }
        Verb::List(options) => {
            let (cluster, configuration) = find_cluster(&context, console, &options.cluster).await?;
            rest::list(&cluster, &configuration, &options, console).await.map_err(|f| cluster.explain(f))
        }
        Verb::Cancel(options) => {
            let (cluster, configuration) = find_cluster(&context, console, &options.cluster).await?;
            rest::cancel(&cluster, &configuration, &options, console).await.map_err(|f| cluster.explain(f))
        }
        Verb::Stop(options) => {
            let (cluster, configuration) = find_cluster(&context, console, &options.cluster).await?;
            rest::stop(&cluster, &configuration, &options, console).await.map_err(|f| cluster.explain(f))
        }
        Verb::Savepoint(options) => {
            let (cluster, configuration) = find_cluster(&context, console, &options.cluster).await?;
            rest::savepoint(&cluster, &configuration, &options, console).await.map_err(|f| cluster.explain(f))
        }
        Verb::Checkpoint(options) => {
            let (cluster, configuration) = find_cluster(&context, console, &options.cluster).await?;
            rest::checkpoint(&cluster, &configuration, &options, console)
                .await
                .map_err(|f| cluster.explain(f))
        }
    }
}

/// The cluster that a command on jobs means, and the configuration that its options make.
async fn find_cluster(
    context: &Context,
    console: &Console,
    options: &ClusterOptions,
) -> Result<(Cluster, Configuration), Failure> {
    let (_, mut configuration, warnings) = setup::configuration_if_any(context)?;
    let settings = Settings::of_verb(options, None)?;
    warn(console, warnings.iter().chain(&settings.warnings));
    settings.apply(&mut configuration);
    let target = target::choose(options.job_manager.as_deref(), &mut configuration, context, console)?;
    let cluster = target::locate(target, &configuration, context, console).await?;
    Ok((cluster, configuration))
}

async fn run_program(
    context: &Context,
    console: &Console,
    options: &RunOptions,
    words: &[OsString],
) -> Result<ExitCode, Failure> {
    let settings = Settings::of_verb(&options.cluster, Some(&options.yarn))?;
    let in_cluster = match options.main_place.as_deref() {
        None | Some("client") => false,
        Some("cluster") => true,
        Some(other) => return Err(Failure::usage(format!("--main {other}: it is either client or cluster"))),
    };
    if options.jarfile.is_none()
        && options.program.is_empty()
        && options.python.is_none()
        && options.py_module.is_none()
    {
        return Err(Failure::usage("the program's jar is missing")
            .hint("write it behind the options: flink run [options] <jar>"));
    }
    if !in_cluster {
        check_jar(context, options)?;
    }
    let mut setup = if in_cluster { None } else { Some(Setup::load(context)?) };
    let (mut configuration, warnings) = match &mut setup {
        Some(setup) => (setup.configuration.clone(), setup.warnings.clone()),
        None => setup::configuration_if_any(context)
            .map(|(_, configuration, warnings)| (configuration, warnings))?,
    };
    warn(console, warnings.iter().chain(&settings.warnings));
    settings.apply(&mut configuration);
    if asks_for_own_cluster(options, &configuration) {
        return Err(Failure::new(
            "per-job mode is not served yet: this would start a cluster for the one program",
        )
        .hint(
            "start a session with `yarn-session.sh -d`, then leave out -m yarn-cluster and -t yarn-per-job",
        ));
    }
    let target =
        target::choose(options.cluster.job_manager.as_deref(), &mut configuration, context, console)?;
    let cluster = target::locate(target, &configuration, context, console).await?;
    let sizing = settings.sizing_flags();
    if !sizing.is_empty() {
        let list = sizing.join(", ");
        console.warn(&format!("no effect on a cluster that runs already: {list}"));
    }
    match setup {
        Some(mut setup) => {
            setup.configuration = configuration;
            become_client(client::client(context, &setup, Some(&cluster.address), "run", words)?)
        }
        None => {
            let done = rest::run(&cluster, &configuration, options, context, console).await;
            done.map_err(|f| cluster.explain(f))
        }
    }
}

/// Whether the older options, or the target, ask for a cluster of the program's own.
fn asks_for_own_cluster(options: &RunOptions, configuration: &Configuration) -> bool {
    let named = configuration.text("yarn.application.id").is_some();
    let per_job =
        configuration.text("execution.target").is_some_and(|t| t.eq_ignore_ascii_case("yarn-per-job"));
    let on_yarn = options.cluster.job_manager.as_deref() == Some("yarn-cluster");
    (per_job || on_yarn) && !named
}

/// The jar must be there before a JVM is started for it.
fn check_jar(context: &Context, options: &RunOptions) -> Result<(), Failure> {
    let first = options.program.first().and_then(|w| w.to_str());
    let is_python = options.python.is_some() || options.py_module.is_some();
    let Some(jar) = options.jarfile.as_deref().or(first).filter(|_| !is_python) else { return Ok(()) };
    if jar.contains("://") && !jar.starts_with("file:") {
        return Err(Failure::new(format!("the jar {jar} is not on this machine"))
            .hint("fetch it to this machine first, for example with `hdfs dfs -get`"));
    }
    let path = context.path(jar.strip_prefix("file://").unwrap_or(jar));
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(Failure::new(format!("the jar {} is not a file", path.display()))),
        Err(e) => Err(Failure::because(format!("cannot read the program's jar {}", path.display()), e).hint(
            "the first word behind the options is the jar, the words behind it are the program's arguments",
        )),
    }
}

/// Goes on as the JVM of Flink's own client. Only returns if that is not possible.
fn become_client(mut command: std::process::Command) -> Result<ExitCode, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    Err(Failure::because(format!("cannot start {program}"), command.exec()))
}

fn warn<'a>(console: &Console, warnings: impl Iterator<Item = &'a String>) {
    for warning in warnings {
        console.warn(warning);
    }
}

async fn session(
    context: &Context,
    shared_console: &Arc<Console>,
    options: &SessionOptions,
) -> Result<ExitCode, Failure> {
    let console: &Console = shared_console;
    let settings = Settings::of_session(options)?;
    if options.query || options.application_id.is_some() {
        let (_, mut configuration, warnings) = setup::configuration_if_any(context)?;
        warn(console, warnings.iter().chain(&settings.warnings));
        settings.apply(&mut configuration);
        return match options.application_id.as_deref().filter(|_| !options.query) {
            Some(id) => attach(context, console, &configuration, id, settings.detached).await,
            None => query_cluster(context, console, &configuration).await,
        };
    }
    let mut setup = Setup::load(context)?;
    warn(console, setup.warnings.iter().chain(&settings.warnings));
    settings.apply(&mut setup.configuration);
    let properties = target::properties_file(&setup.configuration, context);
    let interrupt = on_signals()?;
    let order =
        SessionOrder { min_workers: settings.min_workers, ..SessionOrder::new(setup, context.clone()) };
    let deployment = deploy::session(order, Arc::<Console>::clone(shared_console), &interrupt).await?;
    let id = deployment.id;
    let remembered = SessionFile { application_id: id, dynamic_properties: settings.dynamic };
    if let Err(failure) = properties::write(&properties, &remembered) {
        // As Flink does: a session that the commands after it cannot find is none.
        deployment.undo(console).await;
        return Err(failure);
    }
    console.out(&format!("JobManager Web Interface: http://{}", deployment.address));
    if settings.detached {
        console.info(&detached_hint(id));
        return Ok(ExitCode::SUCCESS);
    }
    let attached = Attached { yarn: &deployment.yarn, id, address: deployment.address.clone(), properties };
    attend(&attached, &interrupt, console).await
}

async fn attach(
    context: &Context,
    console: &Console,
    configuration: &Configuration,
    id: &str,
    detached: bool,
) -> Result<ExitCode, Failure> {
    let id = target::parse_id(id)?;
    let properties = target::properties_file(configuration, context);
    let yarn = Hadoop::load(context, configuration)?.yarn()?;
    let address = target::application_address(&yarn, id).await?;
    console.info(&format!("Found Web Interface {address} of application '{id}'."));
    if detached {
        console.info(&detached_hint(id));
        return Ok(ExitCode::SUCCESS);
    }
    attend(&Attached { yarn: &yarn, id, address, properties }, &on_signals()?, console).await
}

async fn attend(
    attached: &Attached<'_>,
    interrupt: &CancellationToken,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let ended_well = attached.attend(interrupt, console, &|text| console.err(text)).await?;
    Ok(if ended_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn query_cluster(
    context: &Context,
    console: &Console,
    configuration: &Configuration,
) -> Result<ExitCode, Failure> {
    let yarn = Hadoop::load(context, configuration)?.yarn()?;
    let running = [NodeState::Running];
    let (metrics, nodes, queues) =
        tokio::try_join!(yarn.cluster_metrics(), yarn.cluster_nodes(&running), yarn.queues())
            .map_err(|e| yarn_failure(&e))?;
    console.out(&query::describe(metrics.node_managers, &nodes, &queues));
    Ok(ExitCode::SUCCESS)
}

fn detached_hint(id: ApplicationId) -> String {
    format!(
        "The Flink YARN session cluster has been started in detached mode. In order to stop Flink gracefully, use the \
         following command:\n\
         $ echo \"stop\" | ./bin/yarn-session.sh -id {id}\n\
         If this should not be possible, then you can also kill Flink via YARN's web interface or via:\n\
         $ yarn application -kill {id}\n\
         Note that killing Flink might not clean up all job artifacts and temporary files."
    )
}

/// Cancelled by Ctrl-C, SIGTERM and SIGHUP.
fn on_signals() -> Result<CancellationToken, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let token = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind).map_err(|e| Failure::because("cannot listen for signals", e))?;
        let token = token.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                token.cancel();
            }
        });
    }
    Ok(token)
}

/// `flink --version`.
pub(super) fn flink_version(context: &Context, console: &Console) -> Result<ExitCode, Failure> {
    let release = setup::release_of(&crate::context::FlinkHome::find(context)?.dist_jar)?;
    console.out(&format!("Version: {release}"));
    Ok(ExitCode::SUCCESS)
}
