//! What a deployment needs to know before it asks anybody: all that the order, the configuration and local
//! files say.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use artifact_store::LocalFile;
use flink_model::cluster_spec::ClusterSpec;
use flink_model::config::{Configuration, Origin};
use flink_model::jvm_options::Logging;
use flink_model::options;
use flink_model::plan::{self, ShippedConfiguration};
use flink_model::ports;
use flink_model::release::Release;
use flink_model::spec::ClusterMode;
use flink_model::start_template::StartTemplate;
use yarn_api::records::ApplicationId;

use super::names::Names;
use super::order::{Order, Program, Purpose};
use super::tags::tags;
use super::wanted;
use super::wanted::Wanted;
use crate::configuration::{bad_value, text};
use crate::context::{Context, FlinkHome};
use crate::error::Failure;
use crate::paths::{is_remote, without_scheme};
use crate::report::Report;
use crate::setup::release_of;
use crate::timing::Timing;
use crate::{jar, java, memory, unserved};

/// Characters of an application's type (`YarnConfiguration.APPLICATION_TYPE_LENGTH`).
const LONGEST_TYPE: usize = 20;

/// A program, wherever its `main()` runs.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) jar: Option<String>,
    pub(crate) main_class: Option<String>,
    pub(crate) args: Vec<String>,
}

/// A checked order.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) context: Context,
    pub(crate) configuration: Configuration,
    pub(crate) release: Release,
    pub(crate) mode: ClusterMode,
    /// Of application mode.
    pub(crate) program: Option<Program>,
    /// What is run, for the plan.
    pub(crate) runs: Option<Runs>,
    /// The savepoint that the program's job starts from.
    pub(crate) savepoint: Option<String>,
    pub(crate) name: String,
    pub(crate) submission: Option<String>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) within: Option<Duration>,
    pub(crate) timing: Timing,
    /// Set when YARN is asked to start the application.
    pub(crate) submitted: Arc<OnceLock<ApplicationId>>,
    /// Everything that makes a start quicker may be used.
    pub(crate) fast_start: bool,
    pub(crate) cluster: ClusterSpec,
    pub(crate) wanted: Vec<Wanted>,
    /// Logging configuration, and the names that it and others take.
    pub(crate) names: Names,
    pub(crate) staging_base: Option<String>,
    pub(crate) store_dir: Option<String>,
    pub(crate) replication: Option<u16>,
}

impl Prepared {
    /// Checks an order.
    pub(crate) fn new(order: Order, report: &dyn Report) -> Result<Self, Failure> {
        let Order { setup, context, purpose, submission, client, within, timing, submitted } = order;
        let mut flink = setup.flink;
        let mut release = setup.release;
        let mut configuration = setup.configuration;
        if let Some(jar) = text(&configuration, &options::FLINK_DIST_JAR) {
            let plain = without_scheme(&jar);
            let path = if is_remote(&jar) { plain.into() } else { context.path(plain) };
            release = release_of(&path)?;
            if !is_remote(&jar) {
                flink.dist_jar = path;
            }
        }
        unserved::check(&configuration)?;
        ports::check(&configuration).map_err(bad_value)?;
        for warning in options::check_keys(&configuration) {
            report.warn(&warning.to_string());
        }
        tell_of_start_template(&configuration, report)?;
        if let Some(kind) = text(&configuration, &options::APPLICATION_TYPE)
            && kind.chars().count() > LONGEST_TYPE
        {
            let key = options::APPLICATION_TYPE.key;
            report.warn(&format!("YARN keeps only the first {LONGEST_TYPE} characters of {key} ({kind:?})"));
        }
        java::check_containers(&configuration, release, report)?;
        let cluster = ClusterSpec::from(&configuration, release)
            .map_err(|e| memory::refusal(&configuration, release, &flink.conf, e))?;
        memory::set_in_vain(&configuration, release).iter().for_each(|warning| report.warn(warning));
        if let Purpose::Session { min_workers: Some(workers) } = purpose {
            keep_workers(workers, &cluster, release, &mut configuration, report);
        }
        let inclusion = configuration.require(&options::INCLUDE_USER_JAR).map_err(bad_value)?;
        let mode = purpose.mode();
        let names = Names { release, logging: logging(&context, &flink)? };
        let wanted = wanted::wanted(&context, &flink, &configuration, &purpose, inclusion)?;
        if let Purpose::Application(program) = &purpose {
            check_program(&context, program, &configuration, &wanted)?;
        }
        let wanted = wanted::admitted(wanted, &names, report)?;
        let path = |option| text(&configuration, option).map(|p: String| p.trim_end_matches('/').to_owned());
        let replication =
            text(&configuration, &options::FILE_REPLICATION).and_then(|r| r.parse::<i32>().ok());
        Ok(Self {
            name: text(&configuration, &options::APPLICATION_NAME)
                .unwrap_or_else(|| purpose.default_name().to_owned()),
            staging_base: path(&options::STAGING_DIRECTORY),
            store_dir: path(&options::STORE_DIR),
            replication: replication.filter(|r| *r > 0).and_then(|r| u16::try_from(r).ok()),
            mode,
            runs: match &purpose {
                Purpose::Session { .. } => None,
                Purpose::PerJob { jar } => client.as_ref().map(|client| Runs {
                    jar: jar.clone(),
                    main_class: client.main_class.clone(),
                    args: client.args.clone(),
                }),
                Purpose::Application(program) => Some(Runs {
                    jar: program.jar.clone(),
                    main_class: program.main_class.clone(),
                    args: program.args.clone(),
                }),
            },
            savepoint: match &purpose {
                Purpose::Session { .. } => None,
                _ => client.and_then(|client| client.savepoint).or_else(|| savepoint(&configuration)),
            },
            program: match purpose {
                Purpose::Application(program) => Some(program),
                _ => None,
            },
            tags: tags(
                &text(&configuration, &options::APPLICATION_TAGS).unwrap_or_default(),
                submission.as_deref(),
            )?,
            submission,
            within,
            timing,
            submitted,
            fast_start: configuration.require(&options::FAST_START).map_err(bad_value)?,
            context,
            configuration,
            release,
            cluster,
            wanted,
            names,
        })
    }

    /// The sizes, as Flink's client tells them.
    pub(crate) fn specification(&self) -> String {
        format!(
            "ClusterSpecification{{masterMemoryMB={}, taskManagerMemoryMB={}, slotsPerTaskManager={}}}",
            self.cluster.am_memory_mb(),
            self.cluster.tm_memory_mb(),
            self.cluster.slots
        )
    }

    /// The configuration file for the containers.
    pub(crate) fn shipped(&self, id: ApplicationId) -> Result<ShippedConfiguration, Failure> {
        plan::shipped_configuration(&self.configuration, self.release, Some(&id.to_string()))
            .map_err(|e| Failure::because("cannot write the configuration for the containers", e))
    }
}

/// The savepoint that the configuration has jobs start from, under the name of any release.
fn savepoint(configuration: &Configuration) -> Option<String> {
    let keys = ["execution.state-recovery.path", "execution.savepoint.path"];
    keys.iter().find_map(|key| configuration.text(key)).filter(|path| !path.trim().is_empty())
}

/// The class with `main()` must be in the program's jar, or in another file on the containers' class path.
/// What lies on HDFS is seen by the JobManager only.
fn check_program(
    context: &Context,
    program: &Program,
    configuration: &Configuration,
    wanted: &[Wanted],
) -> Result<(), Failure> {
    let Some(path) = program.jar.as_deref().filter(|jar| !is_remote(jar)) else { return Ok(()) };
    let path = context.path(without_scheme(path));
    if !path.is_file() {
        // The list of files tells what is wrong with it.
        return Ok(());
    }
    let class_paths = configuration.text("pipeline.classpaths").is_some_and(|paths| !paths.trim().is_empty());
    jar::check_program(&path, program.main_class.as_deref(), |class| {
        class_paths || wanted.iter().any(|file| file.may_hold(class))
    })
}

/// The logging configuration of Flink's configuration directory, else the one that we bring.
fn logging(context: &Context, flink: &FlinkHome) -> Result<(Logging, Option<LocalFile>), Failure> {
    let here = ["log4j.properties", "logback.xml"].into_iter().filter(|name| flink.conf.join(name).is_file());
    let (kind, directory) = match Logging::discover(here) {
        Logging::Unconfigured => (
            Logging::Log4j,
            context.own_file("log4j.properties")?.parent().map(Path::to_path_buf).unwrap_or_default(),
        ),
        kind => (kind, flink.conf.clone()),
    };
    let file = kind.file_name().map(|name| LocalFile { key: name.to_owned(), path: directory.join(name) });
    Ok((kind, file))
}

/// `-n` of older manuals: TaskManagers that are there from the start on, as slots that are never given back.
fn keep_workers(
    workers: u32,
    cluster: &ClusterSpec,
    release: Release,
    configuration: &mut Configuration,
    report: &dyn Report,
) {
    if !release.traits().min_slots {
        report.warn(&format!(
            "-n {workers} is ignored: Flink {release} asks for as many TaskManagers as the jobs need"
        ));
    } else if !configuration.contains(&options::MIN_SLOTS) {
        let slots = i64::from(workers) * i64::from(cluster.slots);
        configuration.set(options::MIN_SLOTS.key, slots.to_string(), Origin::Flag("-n".into()));
    }
}

/// Says plainly what of the template for the start of the JVMs has an effect.
fn tell_of_start_template(configuration: &Configuration, report: &dyn Report) -> Result<(), Failure> {
    let key = options::START_COMMAND_TEMPLATE.key;
    let Some(template) = configuration.text(key) else { return Ok(()) };
    let parsed = StartTemplate::parse(&template).map_err(|e| {
        Failure::because(format!("cannot use {key} ({template:?})"), e)
            .hint("words in front of %java% start Java, words before %class% are JVM options, words behind it arguments")
    })?;
    if !parsed.applied_anyway.is_empty() {
        report
            .warn(&format!("{key}: {} left out, and applied all the same", parsed.applied_anyway.join(", ")));
    }
    if template.contains("%redirects%") {
        tracing::debug!("%redirects% of {key} has no effect: heddle writes the log files itself");
    }
    Ok(())
}
