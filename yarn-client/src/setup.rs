//! Finds the user's Flink: the distribution, its release and its configuration. The release decides which
//! configuration files are read and which settings are known.

use std::path::Path;

use flink_model::config::{
    self, ConfigFiles, Configuration, FileFormat, LEGACY_FILE, STANDARD_FILE, SourceFile,
};
use flink_model::memory;
use flink_model::release::Release;

use crate::context::{Context, FlinkHome};
use crate::error::Failure;
use crate::variables;

/// A Flink distribution with its configuration.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The place of the distribution.
    pub flink: FlinkHome,
    /// The release of the distribution.
    pub release: Release,
    /// The configuration that was read from its files.
    pub configuration: Configuration,
    /// Warnings about settings that Flink accepts but that are probably mistakes.
    pub warnings: Vec<String>,
}

impl Setup {
    /// Finds the distribution, and loads its configuration. It is a failure if there is none or if its files
    /// cannot be used.
    pub fn load(context: &Context) -> Result<Self, Failure> {
        Self::of(context, FlinkHome::find(context)?)
    }

    /// Loads the configuration of a distribution whose places are known. It is a failure if its release is
    /// not served, or if its files cannot be used.
    pub fn of(context: &Context, flink: FlinkHome) -> Result<Self, Failure> {
        let release = release_of(&flink.dist_jar)?;
        let (configuration, warnings) = load_configuration(context, &flink.conf, release)?;
        Ok(Self { flink, release, configuration, warnings })
    }
}

/// The release of a distribution, which the name of its flink-dist jar tells. It is a failure if the name
/// does not tell a release that heddle knows.
pub fn release_of(dist_jar: &Path) -> Result<Release, Failure> {
    let name = dist_jar.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    match Release::from_dist_jar(name) {
        Some(Ok(release)) => Ok(release),
        Some(Err(e)) => Err(Failure::because(format!("cannot use {}", dist_jar.display()), e).unsupported()),
        None => Err(Failure::configuration(format!(
            "{} is not a flink-dist jar: its name does not tell the release",
            dist_jar.display()
        ))
        .hint("the jar's name must be like flink-dist-1.20.1.jar")
        .unsupported()),
    }
}

/// Loads the configuration for commands that only need to find a cluster. Without a distribution, the
/// configuration is empty.
pub fn configuration_if_any(
    context: &Context,
) -> Result<(Option<FlinkHome>, Configuration, Vec<String>), Failure> {
    match FlinkHome::find(context) {
        Ok(flink) => {
            let release = release_of(&flink.dist_jar)?;
            let (configuration, warnings) = load_configuration(context, &flink.conf, release)?;
            Ok((Some(flink), configuration, warnings))
        }
        Err(failure) if FlinkHome::is_named(context) => Err(failure),
        Err(_) => Ok((None, Configuration::new(FileFormat::Standard), Vec::new())),
    }
}

/// Loads the files in `dir` that `release` reads, and the environment variables that it still knows.
pub(crate) fn load_configuration(
    context: &Context,
    dir: &Path,
    release: Release,
) -> Result<(Configuration, Vec<String>), Failure> {
    let legacy = read_if_there(&dir.join(LEGACY_FILE))?;
    let standard = read_if_there(&dir.join(STANDARD_FILE))?;
    let files = ConfigFiles {
        legacy: legacy.as_ref().map(|(path, text)| SourceFile { path, text }),
        standard: standard.as_ref().map(|(path, text)| SourceFile { path, text }),
    };
    let loaded = config::load_files(release, &files).map_err(|e| {
        Failure::because(format!("cannot load Flink's configuration from {}", dir.display()), e)
            .hint("FLINK_CONF_DIR names the directory; without it, it is the conf directory of FLINK_HOME")
    })?;
    let mut configuration = loaded.configuration;
    memory::apply_heap_environment(
        &mut configuration,
        release,
        context.var(variables::FLINK_JM_HEAP),
        context.var(variables::FLINK_TM_HEAP),
    );
    Ok((configuration, loaded.warnings.iter().map(ToString::to_string).collect()))
}

fn read_if_there(path: &Path) -> Result<Option<(String, String)>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Failure::because(format!("cannot read {}", path.display()), e)),
    }
}
