//! `run` and `run-application`: where the program runs, and how.

use std::ffi::OsString;
use std::sync::Arc;

use artifact_store::files_below;
use flink_model::config::{Configuration, Origin};
use flink_model::options::{self, EXECUTION_ATTACHED, EXECUTION_TARGET};
use flink_rest::RestAddress;
use yarn_client::configuration::text;
use yarn_client::context::{Context, FlinkHome};
use yarn_client::deploy::{ClientProgram, Deployment, Order, Purpose};
use yarn_client::error::Failure;
use yarn_client::exit::Exit;
use yarn_client::fetch::fetch;
use yarn_client::hadoop::Hadoop;
use yarn_client::paths::{is_remote, without_scheme};
use yarn_client::per_job::Ended;
use yarn_client::report::Report;
use yarn_client::run::ClientWords;
use yarn_client::setup::Setup;
use yarn_client::target::Cluster;
use yarn_client::timing::{Jobs, Timing};
use yarn_client::{
    client_run, cluster_timing, deploy, follow, jar, per_job, run as client, setup, target, timing,
};

use super::cluster_query::query_cluster;
use super::console::{Console, Output, warn};
use super::housekeeping::{duration, to_json};
use super::jobs::{Overheard, Watched};
use super::options::{DeployOptions, RunOptions};
use super::settings::Settings;
use super::signals::on_signals;
use super::timing::{Clocked, Outcome};
use super::{job_verbs, jobs, program, text};

/// Where a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On a cluster that is there.
    Cluster,
    /// On a cluster of its own; `main()` on the client.
    PerJob,
    /// As an application; `main()` in the JobManager.
    Application,
}

/// What the options and the configuration ask for.
fn place(options: &RunOptions, configuration: &Configuration) -> Place {
    let kind = text(configuration, &EXECUTION_TARGET).map(|t| t.to_lowercase());
    let named = configuration.text("yarn.application.id").is_some();
    let on_yarn = options.cluster.job_manager.as_deref() == Some("yarn-cluster");
    match kind.as_deref() {
        Some("yarn-application") => Place::Application,
        Some("yarn-per-job") if !named => Place::PerJob,
        // The option of older releases, which the target wins over.
        None if on_yarn && !named => Place::PerJob,
        _ => Place::Cluster,
    }
}

/// `run`.
pub(super) async fn run(
    context: &Context,
    console: &Arc<Console>,
    mut options: RunOptions,
    words: &ClientWords,
    timing: &Timing,
) -> Result<Exit, Failure> {
    let settings = Settings::of_verb(&options.cluster, Some(&options.yarn))?;
    let in_cluster = match options.main_place.as_deref() {
        None | Some("client") => false,
        Some("cluster") => true,
        Some(other) => return Err(Failure::usage(format!("--main {other}: it is either client or cluster"))),
    };
    let mut setup = if in_cluster { None } else { Some(Setup::load(context)?) };
    let (mut configuration, warnings) = match &mut setup {
        Some(setup) => (setup.configuration.clone(), setup.warnings.clone()),
        None => setup::configuration_if_any(context).map(|(_, conf, warnings)| (conf, warnings))?,
    };
    settings.apply(&mut configuration);
    options.detached |=
        options.yarn.yarn_detached || program::is_property(&configuration, EXECUTION_ATTACHED.key, "false");
    if options.yarn.yarn_query {
        return query_cluster(context, console, &configuration).await;
    }
    let place = place(&options, &configuration);
    if place == Place::Application {
        check_application(&options)?;
        // Without --main, which an application cannot have, it is loaded.
        let Some(setup) = setup else { return Err(no_main_place()) };
        let setup = Setup { configuration, ..setup };
        return start_application(context, console, &options, &settings, setup, timing).await;
    }
    if options.jarfile.is_none()
        && options.program.is_empty()
        && options.python.is_none()
        && options.py_module.is_none()
    {
        return Err(Failure::usage("the program's jar is missing")
            .hint("write it behind the options: flink run [options] <jar>"));
    }
    warn(console, warnings.iter().chain(&settings.warnings));
    if options.attached {
        console.warn("--attached has no effect here: `flink run` waits for the job unless -d is given");
    }
    if place == Place::PerJob {
        warn(console, target::without_effect(options.cluster.job_manager.as_deref(), &configuration).iter());
        check_jar(context, &options)?;
        let local = jar_here(context, &options, &configuration, console, timing).await?;
        let Some(setup) = setup.filter(|_| !in_cluster) else {
            return Err(Failure::usage("--main cluster needs a cluster that is there")
                .hint("`flink run-application -t yarn-application` starts one and runs main() in it"));
        };
        let mut setup = Setup { configuration, ..setup };
        program::execution(&options, setup.release, &mut setup.configuration)?;
        return per_job(context, console, &options, setup, local, words, timing).await;
    }
    deployment_options_have_no_effect(&options.deploy, console)?;
    let slips = options::check_keys(&configuration);
    slips.iter().filter(|w| w.origin == Origin::Dynamic).for_each(|w| console.warn(&w.to_string()));
    check_jar(context, &options)?;
    let json = console.is_json();
    let clocked = Clocked::new(timing, &options.deploy, context, console);
    timing.configured();
    let before = configuration.clone();
    let target =
        target::choose(options.cluster.job_manager.as_deref(), &mut configuration, context, &**console)?;
    let locate = target::locate(target, &configuration, context, &**console);
    let cluster = timing.time("ResourceManager asked", locate).await?;
    // Before main() is started, for it may have side effects.
    timing.time("JobManager reached", cluster.reach()).await?;
    let local = jar_here(context, &options, &configuration, console, timing).await?;
    let sizing = settings.sizing_flags();
    if !sizing.is_empty() {
        let list = sizing.join(", ");
        console.warn(&format!("no effect on a cluster that runs already: {list}"));
    }
    match setup {
        Some(mut setup) => {
            let mut words = words_with(words, &options, local.as_deref());
            // What the session was started with, from the properties file.
            let remembered = configuration.iter().filter(|(key, entry)| before.entry(key) != Some(entry));
            words
                .options
                .extend(remembered.map(|(key, entry)| format!("-D{key}={}", entry.value.text()).into()));
            setup.configuration = configuration;
            let client = client::client(context, &setup, Some(&cluster.address), "run", &words, &**console)?;
            let cancels = options.shutdown_on_attached_exit
                || program::is_property(&setup.configuration, "execution.shutdown-on-attached-exit", "true");
            let (overheard, stdout) = Overheard::if_wanted(json)?;
            let run = client_run::Run {
                command: client,
                stdout,
                log: &client::log_file(context, &setup),
                cancels: cancels && !options.detached,
                timing: clocked.is_wanted().then_some(timing),
            };
            let configuration = &setup.configuration;
            let ended =
                client_run::run(run, &cluster, context, configuration, &on_signals()?, &**console).await;
            let jobs = match overheard {
                Some(overheard) => Some(overheard.jobs(Some(&cluster.address)).await),
                None => None,
            };
            clocked.tell(&Outcome { jobs, ..of(&cluster) });
            ended
        }
        None => {
            let options = options_with(&options, local);
            let interrupt = on_signals()?;
            let work = job_verbs::run(&cluster, &configuration, &options, context, &interrupt, &**console);
            let done = if clocked.is_wanted() {
                let jobs = Jobs::new(&cluster.address, timing, timing::MAIN).ignore_present().await;
                jobs.during(work).await
            } else {
                work.await
            };
            let jobs = match done.as_ref().ok().filter(|_| json) {
                Some(job) => Some(jobs::known(std::slice::from_ref(job), Some(&cluster.address)).await),
                None => None,
            };
            clocked.tell(&Outcome { jobs, ..of(&cluster) });
            done.map(|_| Exit::Done)
        }
    }
}

/// A program on a cluster that was there before.
fn of(cluster: &Cluster) -> Outcome<'_> {
    Outcome { application: cluster.application, address: Some(&cluster.address), ..Outcome::default() }
}

/// `run-application`, and `run` with its target.
pub(super) async fn application(
    context: &Context,
    console: &Arc<Console>,
    options: &RunOptions,
    timing: &Timing,
) -> Result<Exit, Failure> {
    let settings = Settings::of_verb(&options.cluster, Some(&options.yarn))?;
    check_application(options)?;
    let mut setup = Setup::load(context)?;
    settings.apply(&mut setup.configuration);
    start_application(context, console, options, &settings, setup, timing).await
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

fn no_main_place() -> Failure {
    Failure::usage("--main has no meaning here: an application's main() runs in the JobManager")
}

/// `setup` holds the settings.
async fn start_application(
    context: &Context,
    console: &Arc<Console>,
    options: &RunOptions,
    settings: &Settings,
    mut setup: Setup,
    timing: &Timing,
) -> Result<Exit, Failure> {
    match text(&setup.configuration, &EXECUTION_TARGET).map(|t| t.to_lowercase()).as_deref() {
        None | Some("yarn-application") => {}
        Some(other) => {
            return Err(Failure::usage(format!("an application cannot be started on the target {other}"))
                .hint("write -t yarn-application")
                .hint("`flink run` runs programs on the targets yarn-session, yarn-per-job and remote"));
        }
    }
    warn(console, setup.warnings.iter().chain(&settings.warnings));
    let release = setup.release;
    let program = program::application(options, release, &mut setup.configuration, context)?;
    let order = order(&options.deploy, setup, context, Purpose::Application(program), timing)?;
    if options.deploy.dry_run {
        return dry_run(order, &options.deploy, options.cluster.verbose, context, console).await;
    }
    let clocked = Clocked::new(timing, &options.deploy, context, console);
    let interrupt = on_signals()?;
    let deployment = deploy::deploy(order, Arc::<Console>::clone(console), &interrupt).await?;
    tell(&deployment, console);
    if !options.attached {
        clocked.tell_start(&deployment).await;
        return Ok(Exit::Done);
    }
    let address = deployment.address.as_ref();
    let work = follow::follow(&deployment.yarn, deployment.id, address, &interrupt, &**console);
    let mut watched = Watched::new(address.filter(|_| console.is_json()));
    let work = watched.during(work);
    let ended = match address.filter(|_| clocked.is_wanted()) {
        Some(address) => {
            // With the application its ApplicationMaster ends, so it is asked before.
            let work = async { futures::join!(work, cluster_timing::complete(&deployment)).0 };
            Jobs::new(address, timing, timing::MAIN).during(work).await
        }
        None => work.await,
    };
    // What it has come to is known by now, so that a ResourceManager that is silent is no failure.
    let last = match console.is_json() {
        true => deployment.yarn.application_report(deployment.id).await.ok(),
        false => None,
    };
    let jobs = Some(watched.jobs());
    clocked.tell(&Outcome { application: Some(deployment.id), address, jobs, last });
    ended.map_err(|failure| failure.of_application(deployment.id))
}

fn tell(deployment: &Deployment, console: &Console) {
    console.out(&format!("Application ID: {}", deployment.id));
    match &deployment.address {
        Some(address) => console.out(&format!("JobManager Web Interface: http://{address}")),
        None => {
            console.info(&format!("Application {} has finished with final state SUCCEEDED", deployment.id))
        }
    }
}

async fn per_job(
    context: &Context,
    console: &Arc<Console>,
    options: &RunOptions,
    setup: Setup,
    jar: Option<String>,
    words: &ClientWords,
    timing: &Timing,
) -> Result<Exit, Failure> {
    let words = words_with(words, options, jar.as_deref());
    let client_setup = setup.clone();
    let mut order = order(&options.deploy, setup, context, Purpose::PerJob { jar }, timing)?;
    order.client = Some(ClientProgram {
        main_class: options.class.clone(),
        args: program::jar_and_arguments(options)?.1,
        savepoint: options.from_savepoint.clone(),
    });
    if options.deploy.dry_run {
        return dry_run(order, &options.deploy, options.cluster.verbose, context, console).await;
    }
    let clocked = Clocked::new(timing, &options.deploy, context, console);
    let (overheard, stdout) = Overheard::if_wanted(console.is_json())?;
    let start = |address: &RestAddress| {
        client::client(context, &client_setup, Some(address), "run", &words, &**console)
    };
    let program = per_job::Program {
        start: &start,
        stdout,
        log: client::log_file(context, &client_setup),
        detached: options.detached,
        timed: clocked.is_wanted(),
    };
    let report = Arc::<Console>::clone(console);
    let Ended { done, application, address } = per_job::run(order, program, report, &on_signals()?).await?;
    let jobs = match overheard {
        Some(overheard) => Some(overheard.jobs(address.as_ref()).await),
        None => None,
    };
    clocked.tell(&Outcome { application, address: address.as_ref(), jobs, last: None });
    done.map_err(|failure| application.into_iter().fold(failure, Failure::of_application))
}

/// None for Python.
fn named_jar(options: &RunOptions) -> Result<Option<String>, Failure> {
    if options.python.is_some() || options.py_module.is_some() {
        return Ok(None);
    }
    program::jar_and_arguments(options).map(|(jar, _)| jar)
}

/// Looks at the program's jar before anything is begun for it, if it is on this machine.
fn check_jar(context: &Context, options: &RunOptions) -> Result<(), Failure> {
    let Some(jar) = named_jar(options)? else { return Ok(()) };
    jar::check_path(&jar)?;
    if is_remote(&jar) {
        return Ok(());
    }
    let path = context.path(without_scheme(&jar));
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => {
            return Err(Failure::new(format!("the jar {} is not a file", path.display()))
                .hint("name the jar itself, not its directory"));
        }
        Err(e) => {
            let what = format!("cannot read the program's jar {}", path.display());
            return Err(Failure::because(what, e).hint(
                "the first word behind the options is the jar, the words behind it are the program's arguments",
            ));
        }
    }
    jar::check_program(&path, options.class.as_deref(), |class| {
        // main() also finds classes of -C and of Flink's lib.
        !options.classpath.is_empty()
            || FlinkHome::find(context)
                .and_then(|flink| Ok(files_below(&flink.lib, "lib")?))
                .is_ok_and(|files| files.iter().any(|file| jar::holds(&file.path, class)))
    })
}

/// The program's jar on this machine: fetched, if it lies on HDFS. None for Python.
async fn jar_here(
    context: &Context,
    options: &RunOptions,
    configuration: &Configuration,
    console: &Arc<Console>,
    timing: &Timing,
) -> Result<Option<String>, Failure> {
    let Some(jar) = named_jar(options)? else { return Ok(None) };
    if !is_remote(&jar) {
        return Ok(Some(jar));
    }
    let hadoop = Hadoop::load(context, configuration)?;
    let path = timing.time("jar fetched", fetch(&hadoop, context, &jar, &**console)).await?;
    Ok(Some(path.to_string_lossy().into_owned()))
}

/// The command line for Flink's client, with the jar that was fetched in the place of the one on HDFS.
fn words_with(words: &ClientWords, options: &RunOptions, jar: Option<&str>) -> ClientWords {
    let mut words = words.clone();
    let Some(jar) = jar else { return words };
    match &options.jarfile {
        Some(named) => {
            let option = OsString::from(format!("--jarfile={named}"));
            for word in words.options.iter_mut().filter(|word| **word == option) {
                *word = format!("--jarfile={jar}").into();
            }
        }
        None => {
            if let Some(first) = words.program.first_mut() {
                *first = jar.into();
            }
        }
    }
    words
}

fn options_with(options: &RunOptions, jar: Option<String>) -> RunOptions {
    let mut options = options.clone();
    match (&mut options.jarfile, jar) {
        (Some(named), Some(jar)) => *named = jar,
        (None, Some(jar)) => {
            if let Some(first) = options.program.first_mut() {
                *first = jar.into();
            }
        }
        (_, None) => {}
    }
    options
}

/// What the options for a deployment say.
pub(super) fn order(
    options: &DeployOptions,
    setup: Setup,
    context: &Context,
    purpose: Purpose,
    timing: &Timing,
) -> Result<Order, Failure> {
    let within = options.timeout.as_deref().map(|text| duration("--timeout", text, "90s or 5min"));
    Ok(Order {
        submission: options.submission.clone(),
        within: within.transpose()?,
        timing: timing.clone(),
        ..Order::new(setup, context.clone(), purpose)
    })
}

/// Shows what would be done. Warnings go to stderr, for stdout may be read by a program.
pub(super) async fn dry_run(
    order: Order,
    options: &DeployOptions,
    verbose: bool,
    context: &Context,
    console: &Console,
) -> Result<Exit, Failure> {
    let timing = order.timing.clone();
    let mut shown = deploy::dry_run(order, &Aside(console)).await?;
    if console.is_json() {
        if options.timing {
            shown = shown.with_timing(timing.summary());
        }
        console.answer(to_json(&shown)?);
    } else {
        let text = if verbose { text::plan::details(&shown) } else { text::plan::summary(&shown) };
        console.out(text.trim_end());
        Clocked::new(&timing, options, context, console).tell(&Outcome::default());
    }
    Ok(Exit::Done)
}

struct Aside<'a>(&'a Console);

impl Report for Aside<'_> {
    fn info(&self, text: &str) {
        self.0.err(text);
    }

    fn warn(&self, text: &str) {
        self.0.err(&format!("warning: {text}"));
    }
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

/// `info`: the plan, by Flink's own client.
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
    let jar = jar_here(context, options, &setup.configuration, console, &Timing::start()).await?;
    let words = words_with(words, options, jar.as_deref());
    let client = client::client(context, &setup, None, "info", &words, &**console)?;
    client_run::run_alone(client, &client::log_file(context, &setup), context, &on_signals()?).await
}
