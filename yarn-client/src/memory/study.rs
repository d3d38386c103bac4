//! Reads the configuration, computes the sizes of JobManager and TaskManager, and asks YARN what it grants
//! for them. This is the work of `heddle memory`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use flink_model::cluster_spec::{ClusterSpec, LimitError, SpecError};
use flink_model::config::{Configuration, Origin, shown_all};
use flink_model::memory::{Explained, Role};
use flink_model::memory_advice::{Advice, advise};
use flink_model::options;
use flink_model::release::Release;
use futures::future;
use yarn_api::ApplicationClient;
use yarn_api::records::NodeState;

use super::limits::ContainerLimits;
use super::refusal::{limits_exceeded, refusal};
use crate::configuration::text as text_of;
use crate::context::{Context, FlinkHome};
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::logins::Prefer;
use crate::paths::{is_remote, without_scheme};
use crate::patience::Wait;
use crate::setup::{load_configuration, release_of};
use crate::variables;

/// The time limit for the ResourceManager's answer. After it, the limits are taken from the configuration
/// files.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A release that reads both kinds of configuration file. It is used if the wanted release does not accept
/// the file that exists.
const READS_BOTH: Release = Release { major: 1, minor: 20, patch: 0 };

/// What is to be computed.
#[derive(Clone, Default)]
pub struct StudyOptions {
    /// The dynamic properties (`-D`).
    pub properties: Vec<(String, String)>,
    /// Settings to try (`--set`). They override everything else, and the sizes are compared with those
    /// without them.
    pub trials: Vec<(String, String)>,
    /// The release of Flink (`--flink-version`).
    pub release: Option<Release>,
    /// Whether the ResourceManager is not asked (`--offline`).
    pub offline: bool,
}

impl fmt::Debug for StudyOptions {
    /// Leaves out the values of properties with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [properties, trials] = [&self.properties, &self.trials]
            .map(|pairs| shown_all(pairs.iter().map(|(key, value)| (key, value))));
        f.debug_struct("StudyOptions")
            .field("properties", &properties)
            .field("trials", &trials)
            .field("release", &self.release)
            .field("offline", &self.offline)
            .finish()
    }
}

/// The sizes according to one release of Flink.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// The release.
    pub release: Release,
    /// The containers that are requested from YARN.
    pub spec: ClusterSpec,
    /// The memory of the JobManager and of a TaskManager, in this order.
    pub processes: [Explained; 2],
}

/// Other sizes, to compare with.
#[derive(Debug, Clone)]
pub struct Other {
    /// What these sizes are, such as `without --set` or `Flink 1.20.5`.
    pub name: String,
    /// The sizes, or why the configuration has none.
    pub sizes: Result<Sizes, String>,
}

/// Everything that `heddle memory` shows.
#[derive(Debug)]
pub struct Study {
    /// The sizes.
    pub sizes: Sizes,
    /// The directory of Flink's configuration.
    pub directory: PathBuf,
    /// YARN's limits, or why they are not known.
    pub limits: Result<ContainerLimits, String>,
    /// The sizes without `--set`, if there are such settings.
    pub without_trials: Option<Other>,
    /// The sizes according to the release on this machine, if another release is wanted.
    pub at_hand: Option<Other>,
    /// Settings that could be better.
    pub advice: Vec<Advice>,
    /// Why YARN would refuse the containers.
    pub refused: Vec<LimitError>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl Sizes {
    /// Computes the sizes of a configuration according to `release`. It is an error if Flink would not accept
    /// the configuration.
    pub fn of(configuration: &Configuration, release: Release) -> Result<Self, SpecError> {
        let spec = ClusterSpec::from(configuration, release)?;
        let jm = Explained::job_manager(configuration, release)?;
        let tm = Explained::task_manager(configuration, release)?;
        Ok(Self { release, spec, processes: [jm, tm] })
    }

    /// The memory in MiB and the vcores that are requested from YARN.
    pub fn request(&self, role: Role) -> (u64, u64) {
        let (mb, vcores) = match role {
            Role::JobManager => (self.spec.am_memory_mb(), self.spec.am_vcores),
            Role::TaskManager => (self.spec.tm_memory_mb(), self.spec.tm_vcores),
        };
        (mb, vcores.unsigned_abs().into())
    }
}

impl Study {
    /// Reads the configuration, computes the sizes, and asks YARN. It is a failure if Flink would not accept
    /// the configuration; if YARN does not answer, there is only a warning.
    pub async fn make(context: &Context, options: &StudyOptions) -> Result<Self, Failure> {
        let found = Found::look(context, options.release)?;
        let mut warnings = found.warnings.clone();
        let with = |conf: &Configuration, list: &[(String, String)], origin: &Origin| {
            let mut conf = conf.clone();
            list.iter().for_each(|(key, value)| conf.set(key.clone(), value.clone(), origin.clone()));
            conf
        };
        let trial = Origin::Flag("--set".to_owned());
        let plain = with(&found.configuration, &options.properties, &Origin::Dynamic);
        let configuration = with(&plain, &options.trials, &trial);
        let release = found.release_for(context, &configuration, options)?;
        warnings.extend(options::check_keys(&configuration).iter().map(ToString::to_string));
        let sizes = Sizes::of(&configuration, release)
            .map_err(|e| refusal(&configuration, release, &found.directory, e))?;
        let without_trials = (!options.trials.is_empty()).then(|| Other {
            name: "without --set".to_owned(),
            sizes: Sizes::of(&plain, release).map_err(|e| e.to_string()),
        });
        let at_hand =
            found.at_hand.as_ref().filter(|(at_hand, _)| *at_hand != release).map(|(at_hand, conf)| {
                let conf = with(&with(conf, &options.properties, &Origin::Dynamic), &options.trials, &trial);
                let sizes = Sizes::of(&conf, *at_hand).map_err(|e| e.to_string());
                Other { name: format!("Flink {at_hand}"), sizes }
            });
        let limits = limits_of(context, &configuration, options.offline, &mut warnings).await;
        let yarn = limits.as_ref().ok().map(ContainerLimits::yarn);
        let [jm, tm] = &sizes.processes;
        let advice = advise(&configuration, release, &sizes.spec, [jm, tm], yarn.as_ref());
        let refused = yarn.and_then(|yarn| sizes.spec.check(&yarn).err()).unwrap_or_default();
        let directory = found.directory;
        Ok(Self { sizes, directory, limits, without_trials, at_hand, advice, refused, warnings })
    }

    /// The failure with which a deployment of these sizes would end, if it would fail.
    pub fn refusal(&self) -> Option<Failure> {
        (!self.refused.is_empty()).then(|| limits_exceeded(&self.refused))
    }
}

impl ContainerLimits {
    /// Asks the ResourceManager for its limits.
    async fn ask(hadoop: &Hadoop, yarn: &ApplicationClient) -> Result<Self, Failure> {
        let running = [NodeState::Running];
        let (application, nodes) = future::join(yarn.new_application(), yarn.cluster_nodes(&running)).await;
        let application = application.map_err(|e| yarn_failure(&e))?;
        let nodes = nodes.map_err(|e| yarn_failure(&e))?;
        Ok(Self::of_cluster(&hadoop.conf, &application.max_capability, &nodes))
    }
}

/// YARN's limits, or why they are not known.
async fn limits_of(
    context: &Context,
    configuration: &Configuration,
    offline: bool,
    warnings: &mut Vec<String>,
) -> Result<ContainerLimits, String> {
    let conf = Hadoop::configuration(context, configuration).map_err(|failure| failure.to_string())?;
    if offline {
        return Ok(ContainerLimits::of_files(&conf));
    }
    let ask = async {
        // The command works without the ResourceManager's answer, too, so it does not wait for long.
        let hadoop = Hadoop::log_in(context, configuration, conf.clone(), Prefer::Tickets).await?;
        let hadoop = hadoop.waiting(Wait::Little);
        let yarn = hadoop.yarn()?;
        ContainerLimits::ask(&hadoop, &yarn).await
    };
    let why = match tokio::time::timeout(ANSWER_WITHIN, ask).await {
        Ok(Ok(limits)) => return Ok(limits),
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => format!("the ResourceManager does not answer within {} s", ANSWER_WITHIN.as_secs()),
    };
    warnings.push(format!("YARN's limits are those of the configuration files: {why}"));
    Ok(ContainerLimits::of_files(&conf))
}

/// The configuration that was found on this machine.
struct Found {
    directory: PathBuf,
    release: Release,
    configuration: Configuration,
    /// The release of the distribution, and the configuration as that release reads it.
    at_hand: Option<(Release, Configuration)>,
    warnings: Vec<String>,
}

impl Found {
    fn look(context: &Context, wanted: Option<Release>) -> Result<Self, Failure> {
        let home = match (FlinkHome::find(context), wanted, context.var(variables::FLINK_CONF_DIR)) {
            (Ok(home), _, _) => Ok(home),
            (Err(_), Some(release), Some(dir)) => Err((release, context.path(dir))),
            (Err(failure), ..) => {
                return Err(failure.hint(
                    "without a distribution: --flink-version, and FLINK_CONF_DIR for the configuration",
                ));
            }
        };
        match home {
            Ok(home) => {
                let at_hand = release_of(&home.dist_jar)?;
                let (own, own_warnings) = load_configuration(context, &home.conf, at_hand)?;
                let Some(release) = wanted.filter(|release| *release != at_hand) else {
                    return Ok(Self {
                        directory: home.conf,
                        release: at_hand,
                        configuration: own.clone(),
                        at_hand: Some((at_hand, own)),
                        warnings: own_warnings,
                    });
                };
                let (configuration, warnings) = match load_configuration(context, &home.conf, release) {
                    Ok(read) => read,
                    Err(failure) => (own.clone(), vec![read_all_the_same(&failure)]),
                };
                let at_hand = Some((at_hand, own));
                Ok(Self { directory: home.conf, release, configuration, at_hand, warnings })
            }
            Err((release, directory)) => {
                let (configuration, warnings) = match load_configuration(context, &directory, release) {
                    Ok(read) => read,
                    Err(failure) => match load_configuration(context, &directory, READS_BOTH) {
                        Ok((configuration, _)) => (configuration, vec![read_all_the_same(&failure)]),
                        Err(_) => return Err(failure),
                    },
                };
                Ok(Self { directory, release, configuration, at_hand: None, warnings })
            }
        }
    }

    /// The release for which the sizes are computed. As in a deployment, a flink-dist jar that the
    /// configuration names overrides that of the distribution.
    fn release_for(
        &self,
        context: &Context,
        configuration: &Configuration,
        options: &StudyOptions,
    ) -> Result<Release, Failure> {
        match (options.release, text_of(configuration, &options::FLINK_DIST_JAR)) {
            (None, Some(jar)) => {
                let plain = without_scheme(&jar);
                release_of(&if is_remote(&jar) { plain.into() } else { context.path(plain) })
            }
            _ => Ok(self.release),
        }
    }
}

fn read_all_the_same(failure: &Failure) -> String {
    format!("{failure}; the other file is taken here")
}
