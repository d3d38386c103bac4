//! Finds the Java that runs `main()` on this machine, and checks whether this Java and that of the containers
//! fit the release of Flink. An unsuitable Java is so reported before anything starts.

use std::path::{Path, PathBuf};

use flink_model::config::Configuration;
use flink_model::java_fit::{Jvm, Misfit};
use flink_model::jvm_options;
use flink_model::memory::Role;
use flink_model::options;
use flink_model::plan;
use flink_model::release::Release;

use crate::context::{Context, is_executable};
use crate::error::Failure;
use crate::report::Report;
use crate::variables;
use crate::warning::Warnings;

const ELSEWHERE: &str = "main() runs in the cluster, and needs no Java here, with `flink run --main cluster` on a session and with \
                         `flink run-application -t yarn-application`";

/// A Java on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Java {
    /// The path of the program `java`.
    pub(crate) path: PathBuf,
    /// The feature release, such as 17; `None` if the directory of this Java does not tell it.
    pub(crate) version: Option<u16>,
    /// The setting or environment variable that leads to this Java, for messages.
    origin: &'static str,
}

impl Java {
    /// Finds Java in the order of Flink's scripts: `configured` (`env.java.home`), or else `JAVA_HOME`, or
    /// else the PATH. The PATH also counts if the first two name something that is not a directory.
    pub(crate) fn find(context: &Context, configured: Option<&str>) -> Result<Self, Failure> {
        let named = configured.map(|home| ("env.java.home", home));
        let named = named.or_else(|| context.var(variables::JAVA_HOME).map(|home| ("JAVA_HOME", home)));
        let (origin, path) = match named.map(|(origin, home)| (origin, context.path(home))) {
            Some((origin, home)) if home.is_dir() => {
                let java = home.join("bin/java");
                if !is_executable(&java) {
                    let what =
                        format!("no Java in {} ({origin}): bin/java is not a program there", home.display());
                    return Err(Failure::configuration(what)
                        .hint(format!("set {origin} to the directory of a Java installation")));
                }
                (origin, Some(java))
            }
            _ => ("the PATH", context.on_path("java")),
        };
        let path = path.ok_or_else(|| {
            Failure::configuration(
                "no Java on this machine: neither env.java.home, JAVA_HOME nor the PATH leads to one",
            )
            .hint(ELSEWHERE)
            .hint("or set JAVA_HOME")
        })?;
        Ok(Self { version: taskrunner::java::version(&path), path, origin })
    }

    /// Checks whether Flink's client of this release runs on this Java, with or without Hadoop's classes. It
    /// is a failure if it certainly does not; if it only may not, `report` gets a warning.
    pub(crate) fn check(&self, release: Release, hadoop: bool, report: &dyn Report) -> Result<(), Failure> {
        let Some(version) = self.version else { return Ok(()) };
        let place = format!("{}, {}", self.path.display(), self.origin);
        match Misfit::find(release, version, Jvm::Client { hadoop }, place) {
            Some(misfit) if misfit.is_certain() => {
                Err(Failure::because("main() cannot run on this machine", misfit)
                    .hint("env.java.home or JAVA_HOME names the directory of another Java")
                    .hint(ELSEWHERE))
            }
            Some(misfit) => {
                report.warn(&misfit.to_string());
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Checks whether JobManager and TaskManagers run on the Java that the configuration names for their
/// containers. This is possible only if this machine has the same Java at the same place.
pub(crate) fn check_containers(
    configuration: &Configuration,
    release: Release,
    warnings: &mut Warnings,
) -> Result<(), Failure> {
    let mut told = None;
    for (role, prefix) in
        [(Role::JobManager, options::MASTER_ENV), (Role::TaskManager, options::TASK_MANAGER_ENV)]
    {
        let Some(home) = plan::java_home(configuration, release, role) else { continue };
        let java = Path::new(&home).join("bin/java");
        let Some(version) = taskrunner::java::version(&java) else { continue };
        // Mistakes in these options are reported by the code that uses them.
        let options = jvm_options::user_options(configuration, release, role).unwrap_or_default();
        let place = java.display().to_string();
        let misfit = Misfit::find(release, version, Jvm::Container(&options), place);
        match misfit {
            Some(misfit) if misfit.is_certain() => {
                let what = format!("the {role} cannot run in its container");
                let also = if release.traits().java_home { " or env.java.home" } else { "" };
                let hint =
                    format!("{prefix}JAVA_HOME{also} names the directory of another Java on the nodes");
                let also = misfit.hint();
                let failure = Failure::because(what, misfit).hint(hint);
                return Err(also.into_iter().fold(failure, |failure, hint| failure.hint(hint)));
            }
            Some(misfit) if told.as_ref() != Some(&misfit) => {
                warnings.warn(misfit.to_string());
                told = Some(misfit);
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "java_tests.rs"]
mod tests;
