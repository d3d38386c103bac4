//! Carries out what a command line asks for: a function for each verb.

use std::sync::Arc;

use flink_model::config::Configuration;
use serde_json::{Map, Value, json};
use yarn_api::records::ApplicationId;
use yarn_client::application::parse_id;
use yarn_client::context::{Context, FlinkHome};
use yarn_client::deploy::{ClusterManifest, Purpose};
use yarn_client::diagnose::Inquiry;
use yarn_client::error::{CauseClass, Failure};
use yarn_client::exit::Exit;
use yarn_client::hadoop::Hadoop;
use yarn_client::interrupt::Interrupt;
use yarn_client::patience::Wait;
use yarn_client::properties::SessionFile;
use yarn_client::report::Report;
use yarn_client::rest_security::RestSecurity;
use yarn_client::run::ClientWords;
use yarn_client::setup::Setup;
use yarn_client::target::Cluster;
use yarn_client::timing::Timing;
use yarn_client::{properties, setup, target};

use super::cluster_query::query_cluster;
use super::console::{Console, Output, warn};
use super::deployment::{deployer, dry_run, manifest};
use super::memory::look;
use super::options::{ClusterOptions, RunOptions, SessionOptions, Verb};
use super::parse::Invocation;
use super::settings::Settings;
use super::signals::{on_signals, unless_signalled};
use super::timing::{Clocked, told};
use super::{adopt, housekeeping, job_verbs, logs, memory, run, sd, status, store, text, why};
use crate::attached::Attached;

/// Carries out a verb. If it fails and `--timing` was given, the time until then is shown.
pub(super) async fn obey(
    context: Context,
    shared_console: &Arc<Console>,
    invocation: Invocation,
) -> Result<Exit, Failure> {
    let timing = Timing::start();
    let wanted = matches!(
        &invocation.verb,
        Verb::Session(SessionOptions { deploy, .. })
        | Verb::Run(RunOptions { deploy, .. })
        | Verb::RunApplication(RunOptions { deploy, .. }) if deploy.timing
    );
    let done = Box::pin(perform(&context, shared_console, invocation, &timing)).await;
    if let Some(summary) = timing.failure().filter(|_| wanted && done.is_err()) {
        shared_console.err_styled(&text::timing::draw(&summary, look(&context, &std::io::stderr())));
    }
    done
}

async fn perform(
    context: &Context,
    shared_console: &Arc<Console>,
    invocation: Invocation,
    timing: &Timing,
) -> Result<Exit, Failure> {
    let Invocation { verb, client_words } = invocation;
    let console: &Console = shared_console;
    if verb.json()? {
        console.answer_in_json();
    }
    if let Verb::Session(SessionOptions { deploy, .. })
    | Verb::Run(RunOptions { deploy, .. })
    | Verb::RunApplication(RunOptions { deploy, .. }) = &verb
        && !deploy.dry_run
    {
        console.has_effects();
    }
    let of_this_machine = matches!(
        verb,
        Verb::Adopt(_)
            | Verb::Memory(_)
            | Verb::ExplainExit(_)
            | Verb::Completion(_)
            | Verb::Man(_)
            | Verb::Reference(_)
    );
    if !of_this_machine {
        context.unused_places().iter().for_each(|warning| console.err(&format!("warning: {warning}")));
        FlinkHome::notes(context).iter().for_each(|note| console.err(&format!("note: {note}")));
    }
    // The other verbs start something, and undo that when a signal comes.
    let ends_by_signal = matches!(
        verb,
        Verb::List(_)
            | Verb::Cancel(_)
            | Verb::Stop(_)
            | Verb::Savepoint(_)
            | Verb::Checkpoint(_)
            | Verb::Ps(_)
            | Verb::Status(_)
            | Verb::Logs(_)
            | Verb::Sd(_)
            | Verb::Kill(_)
            | Verb::Gc(_)
            | Verb::Store(_)
            | Verb::Memory(_)
    ) || matches!(&verb, Verb::Why(options) if options.bundle.is_none());
    // On the heap, because the verbs together are too large for the stack in a build that is not optimized.
    let work = Box::pin(carry_out(context, shared_console, verb, &client_words, timing));
    if ends_by_signal { unless_signalled(context, console, work).await } else { work.await }
}

async fn carry_out(
    context: &Context,
    shared_console: &Arc<Console>,
    verb: Verb,
    client_words: &ClientWords,
    timing: &Timing,
) -> Result<Exit, Failure> {
    let console: &Console = shared_console;
    match verb {
        Verb::Session(options) => Box::pin(session(context, shared_console, &options, timing)).await,
        Verb::Run(options) => {
            Box::pin(run::run(context, shared_console, options, client_words, timing)).await
        }
        Verb::Info(options) => run::info(context, shared_console, &options, client_words).await,
        Verb::RunApplication(options) => {
            Box::pin(run::application(context, shared_console, &options, timing)).await
        }
        Verb::List(options) => {
            let (cluster, configuration) =
                find_cluster(Wait::Reading, context, console, &options.cluster).await?;
            let done = job_verbs::list(&cluster, &configuration, &options, console).await;
            answer(console, &cluster, done)
        }
        Verb::Cancel(options) => {
            let (cluster, configuration) =
                find_cluster(Wait::Changing, context, console, &options.cluster).await?;
            let done = job_verbs::cancel(&cluster, &configuration, &options, console).await;
            answer(console, &cluster, done)
        }
        Verb::Stop(options) => {
            let (cluster, configuration) =
                find_cluster(Wait::Changing, context, console, &options.cluster).await?;
            let done = job_verbs::stop(&cluster, &configuration, &options, console).await;
            answer(console, &cluster, done)
        }
        Verb::Savepoint(options) => {
            let (cluster, configuration) =
                find_cluster(Wait::Changing, context, console, &options.cluster).await?;
            let done = job_verbs::savepoint(&cluster, &configuration, &options, console).await;
            answer(console, &cluster, done)
        }
        Verb::Checkpoint(options) => {
            let (cluster, configuration) =
                find_cluster(Wait::Changing, context, console, &options.cluster).await?;
            let done = job_verbs::checkpoint(&cluster, &configuration, &options, console).await;
            answer(console, &cluster, done)
        }
        Verb::Ps(options) => housekeeping::ps(context, console, &options).await,
        Verb::Status(options) => status::status(context, console, &options).await,
        Verb::Why(options) => why::why(context, console, &options).await,
        Verb::Logs(options) => logs::logs(context, console, &options).await,
        Verb::Sd(options) => sd::sd(context, console, &options).await,
        Verb::Kill(options) => housekeeping::kill(context, console, &options).await,
        Verb::ExplainExit(options) => housekeeping::explain_exit(console, &options),
        Verb::Gc(options) => housekeeping::gc(context, console, &options).await,
        Verb::Store(options) => store::store(context, shared_console, &options).await,
        Verb::Adopt(options) => adopt::adopt(context, console, &options),
        Verb::Memory(options) => memory::run(context, console, &options).await,
        Verb::Completion(options) => housekeeping::completion(console, &options),
        Verb::Man(options) => housekeeping::man(context, console, &options),
        Verb::Reference(options) => housekeeping::reference(context, console, &options),
    }
}

/// Sets the JSON answer of a command on jobs: the cluster, and what the command has `done`.
fn answer(
    console: &Console,
    cluster: &Cluster,
    done: Result<Map<String, Value>, Failure>,
) -> Result<Exit, Failure> {
    let done =
        done.map_err(|failure| cluster.application.into_iter().fold(failure, Failure::of_application))?;
    let mut all = told(cluster.application, Some(&cluster.address));
    all.extend(done);
    console.answer(Value::Object(all));
    Ok(Exit::Done)
}

/// The cluster that a command on jobs means, and the configuration with the command's options.
async fn find_cluster(
    wait: Wait,
    context: &Context,
    console: &Console,
    options: &ClusterOptions,
) -> Result<(Cluster, Configuration), Failure> {
    let (_, mut configuration, warnings) = setup::configuration_if_any(context)?;
    let settings = Settings::of_verb(options, None)?;
    warn(console, warnings.iter().chain(&settings.warnings));
    settings.apply(&mut configuration);
    let target = target::choose(options.job_manager.as_deref(), &mut configuration, context, console)?;
    let cluster = target::locate_waiting(wait, target, &configuration, context, console).await?;
    Ok((cluster, configuration))
}

/// The manifest of the session that the command line asks for.
pub(super) fn session_manifest(
    options: &SessionOptions,
    settings: &Settings,
    setup: &Setup,
) -> Result<ClusterManifest, Failure> {
    let mut configuration = setup.configuration.clone();
    settings.apply(&mut configuration);
    let purpose = Purpose::Session { min_task_managers: settings.min_task_managers };
    manifest(purpose, setup, &configuration, &options.deploy)
}

async fn session(
    context: &Context,
    shared_console: &Arc<Console>,
    options: &SessionOptions,
    timing: &Timing,
) -> Result<Exit, Failure> {
    let console: &Console = shared_console;
    let settings = Settings::of_session(options)?;
    if options.query || options.application_id.is_some() {
        let (_, mut configuration, warnings) = setup::configuration_if_any(context)?;
        warn(console, warnings.iter().chain(&settings.warnings));
        settings.apply(&mut configuration);
        return match options.application_id.as_deref().filter(|_| !options.query) {
            Some(id) => attach(context, console, &configuration, id, settings.detached).await,
            None => {
                let query = query_cluster(context, console, &configuration);
                unless_signalled(context, console, query).await
            }
        };
    }
    let setup = Setup::load(context)?;
    warn(console, setup.warnings.iter().chain(&settings.warnings));
    let mut configuration = setup.configuration.clone();
    settings.apply(&mut configuration);
    let properties = target::properties_file(&configuration, context);
    let manifest = session_manifest(options, &settings, &setup)?;
    let deployer = deployer(context, setup, timing);
    if options.deploy.dry_run {
        return dry_run(&deployer, &manifest, &options.deploy, options.verbose, console).await;
    }
    // Later commands could not find the session, if there can be no file.
    properties::check(&properties)?;
    let clocked = Clocked::new(timing, &options.deploy, context, console);
    let interrupt = on_signals()?;
    let deployment = deployer.deploy(&manifest, Arc::<Console>::clone(shared_console), &interrupt).await?;
    let id = deployment.id;
    let Some(address) = deployment.address.clone() else {
        return Err(Failure::new(format!("the session {id} has ended already")).of_class(CauseClass::State));
    };
    let remembered = SessionFile { application_id: id, dynamic_properties: settings.dynamic };
    match properties::write(&properties, &remembered) {
        Ok(unknown) => unknown.iter().for_each(|warning| console.warn(warning)),
        Err(failure) => {
            // Later commands could not find the session. So it is ended, as Flink's own client does.
            deployment.undo(console).await;
            return Err(failure);
        }
    }
    console.out(&format!("JobManager Web Interface: {}", address.url()));
    clocked.tell_start(&deployment).await;
    if settings.detached {
        console.info(&detached_hint(id));
        return Ok(Exit::Done);
    }
    // A program that reads the answer needs it now, while this command stays attached.
    console.give_answer(None);
    let security = deployment.rest_security.clone();
    let inquiry = deployment.inquiry();
    let attached = Attached { yarn: &deployment.yarn, id, address, security, properties, inquiry };
    attend(&attached, &interrupt, console).await
}

async fn attach(
    context: &Context,
    console: &Console,
    configuration: &Configuration,
    id: &str,
    detached: bool,
) -> Result<Exit, Failure> {
    let id = parse_id(id)?;
    let properties = target::properties_file(configuration, context);
    let security = RestSecurity::of(configuration, context)?;
    let find = async {
        let hadoop = Hadoop::load(context, configuration).await?.waiting(Wait::Changing);
        let yarn = hadoop.yarn()?;
        let address = target::application_address(&hadoop, &yarn, id, &security).await?;
        Ok((hadoop, yarn, address))
    };
    let (hadoop, yarn, address) = unless_signalled(context, console, find).await?;
    console.info(&format!("Found Web Interface {address} of application '{id}'."));
    console.answer(Value::Object(told(Some(id), Some(&address))));
    console.give_answer(None);
    if detached {
        console.info(&detached_hint(id));
        return Ok(Exit::Done);
    }
    let inquiry = &Inquiry::new(hadoop, security.clone(), configuration);
    let attached = Attached { yarn: &yarn, id, address, security, properties, inquiry };
    attend(&attached, &on_signals()?, console).await
}

async fn attend(attached: &Attached<'_>, interrupt: &Interrupt, console: &Console) -> Result<Exit, Failure> {
    attached.attend(interrupt, console, &|text| console.err(text)).await.map(|()| Exit::Done)
}

fn detached_hint(id: ApplicationId) -> String {
    format!(
        "The Flink YARN session cluster has been started in detached mode. In order to stop Flink gracefully, use the \
         following command:\n\
         $ echo \"stop\" | ./bin/yarn-session.sh -id {id}\n\
         If this should not be possible, then you can also kill Flink via YARN's web interface or via:\n\
         $ heddle kill {id}\n\
         Note that killing Flink might not clean up all job artifacts and temporary files."
    )
}

/// Carries out `flink --version`.
pub(super) fn flink_version(context: &Context, console: &Console) -> Result<Exit, Failure> {
    let release = setup::release_of(&FlinkHome::find(context)?.dist_jar)?;
    console.answer(json!({ "flink": release.to_string(), "heddle": env!("CARGO_PKG_VERSION") }));
    console.out(&format!("Version: {release}"));
    Ok(Exit::Done)
}
