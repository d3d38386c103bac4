//! What a deployment needs to know before it asks anybody: all that the order, the configuration and local files say.

use std::path::Path;

use flink_model::class_path::{ContainerFiles, is_dist_jar};
use flink_model::cluster_spec::ClusterSpec;
use flink_model::config::{Configuration, Origin};
use flink_model::jvm_options::Logging;
use flink_model::options;
use flink_model::plan::{self, ShippedConfiguration};
use flink_model::release::Release;
use flink_model::spec::ClusterMode;
use yarn_api::records::ApplicationId;

use super::SessionOrder;
use crate::context::{Context, FlinkHome};
use crate::error::Failure;
use crate::report::Report;
use crate::setup::release_of;
use crate::staging::{LocalFile, files_below};
use crate::target::text;

/// Keys of our own files in the containers.
pub(crate) const AM: &str = "heddle-am";
pub(crate) const TASKRUNNER: &str = "heddle-taskrunner";
pub(crate) const BRIDGE: &str = "heddle/flink-bridge.jar";

/// A checked order.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) context: Context,
    pub(crate) configuration: Configuration,
    pub(crate) release: Release,
    pub(crate) mode: ClusterMode,
    pub(crate) name: String,
    pub(crate) cluster: ClusterSpec,
    /// Files that come from the store.
    pub(crate) artifacts: Vec<LocalFile>,
    /// Files of this application alone.
    pub(crate) ship: Vec<LocalFile>,
    /// Logging configuration: its kind and the local file.
    pub(crate) logging: (Logging, Option<LocalFile>),
    pub(crate) staging_base: Option<String>,
    pub(crate) store_dir: Option<String>,
    pub(crate) replication: Option<u16>,
}

impl Prepared {
    /// Checks an order for a session.
    pub(crate) fn session(order: SessionOrder, report: &dyn Report) -> Result<Self, Failure> {
        let SessionOrder { setup, context, min_workers } = order;
        let mut flink = setup.flink;
        let mut release = setup.release;
        let mut configuration = setup.configuration;
        if let Some(jar) = text(&configuration, &options::FLINK_DIST_JAR) {
            flink.dist_jar = context.path(jar.strip_prefix("file://").unwrap_or(&jar));
            release = release_of(&flink.dist_jar)?;
        }
        for warning in options::check_keys(&configuration) {
            report.warn(&warning.to_string());
        }
        warn_of_what_is_not_served(&configuration, report);
        let cluster = ClusterSpec::from(&configuration, release).map_err(|e| {
            Failure::because("Flink cannot run with this configuration", e).hint(format!(
                "the configuration is in {}; -jm, -tm and -s set the sizes",
                flink.conf.display()
            ))
        })?;
        if let Some(workers) = min_workers {
            keep_workers(workers, &cluster, release, &mut configuration, report);
        }
        let artifacts = artifacts(&context, &flink)?;
        let logging = logging(&context, &flink)?;
        let ship = ship_files(&context, &configuration)?;
        let path = |option| text(&configuration, option).map(|p: String| p.trim_end_matches('/').to_owned());
        let replication =
            text(&configuration, &options::FILE_REPLICATION).and_then(|r| r.parse::<i32>().ok());
        Ok(Self {
            name: text(&configuration, &options::APPLICATION_NAME)
                .unwrap_or_else(|| "Flink session cluster".into()),
            staging_base: path(&options::STAGING_DIRECTORY),
            store_dir: path(&options::STORE_DIR),
            replication: replication.filter(|r| *r > 0).and_then(|r| u16::try_from(r).ok()),
            mode: ClusterMode::Session,
            context,
            configuration,
            release,
            cluster,
            artifacts,
            ship,
            logging,
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

    /// Keys of everything in the containers that Flink sees.
    pub(crate) fn container_files(&self) -> ContainerFiles {
        let own = [AM, TASKRUNNER, BRIDGE];
        let keys = self.artifacts.iter().chain(&self.ship).chain(&self.logging.1).map(|f| f.key.clone());
        ContainerFiles {
            shipped: keys.filter(|key| !own.contains(&key.as_str())).collect(),
            user: Vec::new(),
            bridge: Some(BRIDGE.to_owned()),
        }
    }
}

/// Flink's `lib` and `plugins`, and our own programs.
fn artifacts(context: &Context, flink: &FlinkHome) -> Result<Vec<LocalFile>, Failure> {
    let mut files = files_below(&flink.lib, "lib")?;
    files.retain(|file| !is_dist_jar(&file.key));
    files.push(LocalFile { key: format!("lib/{}", flink.dist_name()), path: flink.dist_jar.clone() });
    if flink.plugins.is_dir() {
        files.append(&mut files_below(&flink.plugins, "plugins")?);
    }
    for (key, name) in [(AM, "heddle-am"), (TASKRUNNER, "heddle-taskrunner"), (BRIDGE, "flink-bridge.jar")] {
        files.push(LocalFile { key: key.to_owned(), path: context.own_file(name)? });
    }
    Ok(files)
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

/// `yarn.ship-files`: files by their names, directories with all below them.
fn ship_files(context: &Context, configuration: &Configuration) -> Result<Vec<LocalFile>, Failure> {
    let list =
        configuration.get(&options::SHIP_FILES).map_err(|e| Failure::because("cannot ship files", e))?;
    let mut files = Vec::new();
    for item in list.unwrap_or_default() {
        let wrong = |why: &str| {
            Failure::new(format!("cannot ship {item:?}: {why}"))
                .hint("-t and yarn.ship-files name local files and directories")
        };
        let plain = item.strip_prefix("file://").unwrap_or(&item);
        if plain.contains("://") {
            return Err(wrong("only local paths are served yet"));
        }
        let path = context.path(plain);
        let metadata = path.metadata().map_err(|e| {
            Failure::because(
                format!("Ship file {item} does not exist or cannot be read ({})", path.display()),
                e,
            )
            .hint("-t and yarn.ship-files name local files and directories")
        })?;
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        let name = [&path, &real].into_iter().find_map(|p| p.file_name()?.to_str().map(str::to_owned));
        let Some(name) = name else { return Err(wrong("it has no name that can be used on the nodes")) };
        if metadata.is_dir() && name == "usrlib" {
            return Err(wrong(
                "a directory named usrlib cannot be shipped: it is for the user's jars of application mode",
            ));
        }
        if metadata.is_dir() {
            files.append(&mut files_below(&path, &name)?);
        } else {
            files.push(LocalFile { key: name, path });
        }
    }
    // Flink's main jar is there already.
    files.retain(|file| !is_dist_jar(&file.key));
    let mut keys: Vec<&str> = files.iter().map(|f| f.key.as_str()).collect();
    keys.sort_unstable();
    if let Some((twice, _)) = keys.iter().zip(keys.iter().skip(1)).find(|(a, b)| a == b) {
        return Err(Failure::new(format!(
            "two of the files to ship would both be {twice:?} in the containers"
        )));
    }
    Ok(files)
}

/// `-n` of older manuals: TaskManagers that are there from the start on, as slots that are never given back.
fn keep_workers(
    workers: u32,
    cluster: &ClusterSpec,
    release: Release,
    configuration: &mut Configuration,
    report: &dyn Report,
) {
    const MIN_SLOTS: &str = "slotmanager.number-of-slots.min";
    if !release.traits().min_slots {
        report.warn(&format!(
            "-n {workers} is ignored: Flink {release} asks for as many TaskManagers as the jobs need"
        ));
    } else if configuration.entry(MIN_SLOTS).is_none() {
        let slots = i64::from(workers) * i64::from(cluster.slots);
        configuration.set(MIN_SLOTS, slots.to_string(), Origin::Flag("-n".into()));
    }
}

fn warn_of_what_is_not_served(configuration: &Configuration, report: &dyn Report) {
    let set = |key: &str| configuration.entry(key).is_some();
    for option in [&options::PROVIDED_LIB_DIRS, &options::SHIP_ARCHIVES] {
        if set(option.key) {
            report.warn(&format!("{} is not served yet and has no effect", option.key));
        }
    }
    if set(options::START_COMMAND_TEMPLATE.key) {
        report.warn(&format!(
            "{} has no effect: heddle starts its own programs",
            options::START_COMMAND_TEMPLATE.key
        ));
    }
}
