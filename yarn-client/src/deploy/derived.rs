//! Computes what follows from a manifest, the configuration files and the other files of this machine,
//! without the network. Most errors of the user are found here, before any service is asked.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use artifact_store::LocalFile;
use flink_model::cluster_spec::ClusterSpec;
use flink_model::config::{Configuration, Origin};
use flink_model::jvm_options::Logging;
use flink_model::options;
use flink_model::ports;
use flink_model::release::Release;
use flink_model::spec::ClusterMode;
use flink_model::ssl;
use flink_model::start_template::StartTemplate;

use super::container_files::{self, ContainerFile, FileSource};
use super::internal_ssl::{self, KeyMaterial};
use super::kerberos::KerberosFiles;
use super::manifest::{ClusterManifest, Program, Purpose};
use super::names::Names;
use super::records::records;
use super::tags::tags;
use crate::configuration::{bad_value, text};
use crate::context::{Context, FlinkHome};
use crate::error::Failure;
use crate::paths::{is_remote, without_scheme};
use crate::rest_security::{RestSecurity, bad_setting};
use crate::setup::{Setup, release_of};
use crate::warning::Warnings;
use crate::{jar, java, memory};

/// The length to which YARN cuts an application's type, in characters
/// (`YarnConfiguration.APPLICATION_TYPE_LENGTH`).
const LONGEST_TYPE: usize = 20;

/// A program, wherever its `main()` runs.
#[derive(Clone, PartialEq)]
pub(crate) struct DerivedProgram {
    pub(crate) jar: Option<String>,
    pub(crate) main_class: Option<String>,
    pub(crate) args: Vec<String>,
}

impl fmt::Debug for DerivedProgram {
    /// Arguments can be secrets, so only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { jar, main_class, args } = self;
        write!(f, "Program {{ {jar:?}, {main_class:?}, {} arguments }}", args.len())
    }
}

/// What is known of a deployment from this machine alone.
#[derive(Debug, Clone)]
pub(crate) struct Derived {
    pub(crate) configuration: Configuration,
    pub(crate) release: Release,
    pub(crate) mode: ClusterMode,
    /// The program; `None` for a session.
    pub(crate) program: Option<DerivedProgram>,
    /// The savepoint from which the program's job starts.
    pub(crate) savepoint: Option<String>,
    pub(crate) name: String,
    pub(crate) submission: Option<String>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) timeout: Option<Duration>,
    /// Whether the start may use everything that makes it faster (`heddle.fast-start`).
    pub(crate) fast_start: bool,
    pub(crate) cluster: ClusterSpec,
    pub(crate) files: Vec<ContainerFile>,
    /// The logging configuration, and the names that files of the user must not have.
    pub(crate) names: Names,
    pub(crate) staging_base: Option<String>,
    pub(crate) store_dir: Option<String>,
    pub(crate) replication: Option<u16>,
    /// How the cluster's REST interface is spoken to.
    pub(crate) rest_security: RestSecurity,
    /// The key for the cluster's own connections, if heddle makes one.
    pub(crate) internal_key: Option<KeyMaterial>,
    /// The files with which the cluster's JVMs log in to Kerberos.
    pub(crate) kerberos: KerberosFiles,
    /// What the user should know, but what does not stop the deployment.
    pub(crate) warnings: Warnings,
}

impl Derived {
    /// Derives everything, and refuses what cannot work. `random_name` names the submission if the manifest
    /// does not name it.
    pub(crate) fn new(
        manifest: &ClusterManifest,
        setup: &Setup,
        context: &Context,
        random_name: &str,
        warnings: &mut Warnings,
    ) -> Result<Self, Failure> {
        let purpose = &manifest.purpose;
        let mut flink = setup.flink.clone();
        let mut release = setup.release;
        let mut configuration = manifest.effective(&setup.configuration);
        if let Some(jar) = text(&configuration, &options::FLINK_DIST_JAR) {
            let plain = without_scheme(&jar);
            let path = if is_remote(&jar) { plain.into() } else { context.path(plain) };
            release = release_of(&path)?;
            if !is_remote(&jar) {
                flink.dist_jar = path;
            }
        }
        name_target(purpose, &mut configuration);
        check_configuration(&configuration, release, warnings)?;
        records(&configuration, "")?;
        let rest_security = RestSecurity::of(&configuration, context)?;
        ssl::name_suites(&mut configuration).map_err(bad_value)?;
        let cluster = ClusterSpec::from(&configuration, release)
            .map_err(|e| memory::refusal(&configuration, release, &flink.conf, e))?;
        memory::set_in_vain(&configuration, release).into_iter().for_each(|warning| warnings.warn(warning));
        if let Purpose::Session { min_task_managers: Some(number) } = purpose {
            keep_task_managers(*number, &cluster, release, &mut configuration, warnings);
        }
        let names = Names { release, logging: logging(context, &flink)? };
        let inclusion = configuration.require(&options::INCLUDE_USER_JAR).map_err(bad_value)?;
        let kerberos = KerberosFiles::of(&configuration, context)?;
        let files =
            container_files::container_files(context, &flink, &configuration, purpose, &kerberos, inclusion)?;
        // What is in a directory of the cluster is not known yet.
        let is_open = |file: &ContainerFile| {
            matches!(file.source, FileSource::RemoteTree(_) | FileSource::RemotePath(_))
        };
        kerberos.check(|key| files.iter().any(|file| file.key == key || is_open(file)))?;
        if let Purpose::Application { program } = purpose {
            check_program(context, program, &configuration, &files)?;
        }
        let files = container_files::admitted(files, &names, warnings)?;
        let path = |option| text(&configuration, option).map(|p: String| p.trim_end_matches('/').to_owned());
        let replication =
            text(&configuration, &options::FILE_REPLICATION).and_then(|r| r.parse::<i32>().ok());
        let (program, savepoint) = program(purpose, &configuration);
        Ok(Self {
            name: text(&configuration, &options::APPLICATION_NAME)
                .unwrap_or_else(|| purpose.default_name().to_owned()),
            staging_base: path(&options::STAGING_DIRECTORY),
            store_dir: path(&options::STORE_DIR),
            replication: replication.filter(|r| *r > 0).and_then(|r| u16::try_from(r).ok()),
            mode: purpose.mode(),
            program,
            savepoint,
            tags: tags(
                &text(&configuration, &options::APPLICATION_TAGS).unwrap_or_default(),
                manifest.submission.as_deref(),
                random_name,
            )?,
            submission: manifest.submission.clone(),
            timeout: manifest.timeout(),
            fast_start: configuration.require(&options::FAST_START).map_err(bad_value)?,
            configuration,
            release,
            cluster,
            files,
            names,
            rest_security,
            internal_key: None,
            kerberos,
            warnings: warnings.clone(),
        })
    }

    /// The same with a key for the cluster's own connections, which `generate` makes, if the user wants one.
    pub(crate) fn with_internal_ssl(
        mut self,
        generate: &dyn Fn() -> Result<KeyMaterial, Failure>,
    ) -> Result<Self, Failure> {
        if self.configuration.require(&options::INTERNAL_SSL).map_err(bad_value)? {
            let key = generate()?;
            internal_ssl::configure(&mut self.configuration, &key);
            self.internal_key = Some(key);
        }
        Ok(self)
    }

    /// The sizes, in the words of Flink's client.
    pub(crate) fn specification(&self) -> String {
        format!(
            "ClusterSpecification{{masterMemoryMB={}, taskManagerMemoryMB={}, slotsPerTaskManager={}}}",
            self.cluster.am_memory_mb(),
            self.cluster.tm_memory_mb(),
            self.cluster.slots
        )
    }
}

/// Writes what kind of cluster it is to `execution.target`, as Flink's client does. Flink 1.17's JobManager
/// cannot start with a keytab where the key is missing.
fn name_target(purpose: &Purpose, configuration: &mut Configuration) {
    let option = &options::EXECUTION_TARGET;
    let target = purpose.mode().target();
    if !text(configuration, option).is_some_and(|given| given.eq_ignore_ascii_case(target)) {
        configuration.set(option.key, target, Origin::Derived("the kind of cluster".to_owned()));
    }
}

/// Refuses settings that heddle cannot follow, and warns about settings that have no effect.
fn check_configuration(
    configuration: &Configuration,
    release: Release,
    warnings: &mut Warnings,
) -> Result<(), Failure> {
    ssl::check_server(configuration).map_err(bad_setting)?;
    internal_ssl::check(configuration)?;
    ports::check(configuration).map_err(bad_value)?;
    for warning in options::check_keys(configuration) {
        warnings.warn(warning.to_string());
    }
    check_start_template(configuration, warnings)?;
    if let Some(kind) = text(configuration, &options::APPLICATION_TYPE)
        && kind.chars().count() > LONGEST_TYPE
    {
        let key = options::APPLICATION_TYPE.key;
        warnings.warn(format!("YARN keeps only the first {LONGEST_TYPE} characters of {key} ({kind:?})"));
    }
    java::check_containers(configuration, release, warnings)
}

/// The program of the cluster, and the savepoint from which its job starts.
fn program(purpose: &Purpose, configuration: &Configuration) -> (Option<DerivedProgram>, Option<String>) {
    let (jar, main_class, args, savepoint) = match purpose {
        Purpose::Session { .. } => return (None, None),
        Purpose::PerJob { program: p } => (&p.jar, &p.main_class, &p.args, p.savepoint.clone()),
        Purpose::Application { program: p } => (&p.jar, &p.main_class, &p.args, None),
    };
    let program = DerivedProgram { jar: jar.clone(), main_class: main_class.clone(), args: args.clone() };
    (Some(program), savepoint.or_else(|| configured_savepoint(configuration)))
}

/// The savepoint that the configuration names, under the key of any release of Flink.
fn configured_savepoint(configuration: &Configuration) -> Option<String> {
    let keys = ["execution.state-recovery.path", "execution.savepoint.path"];
    keys.iter().find_map(|key| configuration.text(key)).filter(|path| !path.trim().is_empty())
}

/// Refuses a program whose class with `main()` is neither in its jar nor in another file on the containers'
/// class path. A jar in HDFS is not read here; if the class is not in it, only the JobManager notices that.
fn check_program(
    context: &Context,
    program: &Program,
    configuration: &Configuration,
    files: &[ContainerFile],
) -> Result<(), Failure> {
    let Some(path) = program.jar.as_deref().filter(|jar| !is_remote(jar)) else { return Ok(()) };
    let path = context.path(without_scheme(path));
    if !path.is_file() {
        // A jar that is missing was reported already when the files of the containers were listed.
        return Ok(());
    }
    let class_paths = configuration.text("pipeline.classpaths").is_some_and(|paths| !paths.trim().is_empty());
    jar::check_program(&path, program.main_class.as_deref(), |class| {
        class_paths || files.iter().any(|file| file.may_hold(class))
    })
}

/// The logging configuration in Flink's configuration directory, or else the one that is installed with
/// heddle.
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

/// Carries out `-n`, an option of Flink's older clients that asks for TaskManagers from the start on. Newer
/// releases of Flink have a minimum number of slots instead, which are never given back.
fn keep_task_managers(
    number: u32,
    cluster: &ClusterSpec,
    release: Release,
    configuration: &mut Configuration,
    warnings: &mut Warnings,
) {
    if !release.traits().min_slots {
        warnings.warn(format!(
            "-n {number} is ignored: Flink {release} asks for as many TaskManagers as the jobs need"
        ));
    } else if !configuration.contains(&options::MIN_SLOTS) {
        let slots = i64::from(number) * i64::from(cluster.slots);
        configuration.set(options::MIN_SLOTS.key, slots.to_string(), Origin::Flag("-n".into()));
    }
}

/// Refuses a template for the start of JVMs that cannot be used, and warns about parts of it that have no
/// effect.
fn check_start_template(configuration: &Configuration, warnings: &mut Warnings) -> Result<(), Failure> {
    let key = options::START_COMMAND_TEMPLATE.key;
    let Some(template) = configuration.text(key) else { return Ok(()) };
    let parsed = StartTemplate::parse(&template).map_err(|e| {
        Failure::because(format!("cannot use {key} ({template:?})"), e)
            .hint("words in front of %java% start Java, words before %class% are JVM options, words behind it arguments")
            .unsupported()
    })?;
    if !parsed.applied_anyway.is_empty() {
        let left_out = parsed.applied_anyway.join(", ");
        warnings.warn(format!("{key}: {left_out} left out, and applied all the same"));
    }
    if template.contains("%redirects%") {
        tracing::debug!("%redirects% of {key} has no effect: heddle writes the log files itself");
    }
    Ok(())
}
