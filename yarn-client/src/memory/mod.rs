//! `heddle memory`: the sizes of JobManager and TaskManager, where each comes from, and what YARN grants for them.

mod bar;
mod json;
mod limits;
mod text;

use std::path::{Path, PathBuf};
use std::time::Duration;

use flink_model::cluster_spec::{ClusterSpec, LimitError, SpecError};
use flink_model::config::{Configuration, Origin};
use flink_model::memory::{Explained, Role, remedies};
use flink_model::memory_advice::{Advice, advise, without_effect};
use flink_model::options;
use flink_model::release::Release;
use futures::future;
use yarn_api::ApplicationClient;
use yarn_api::records::NodeState;

use crate::configuration::text as text_of;
use crate::context::{Context, FlinkHome};
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::paths::{is_remote, without_scheme};
use crate::patience::Wait;
use crate::setup::{load_configuration, release_of};
use crate::variables;
use limits::Scheduler;

pub(crate) use bar::Look;
pub use limits::{Known, Limits, Node};

/// A ResourceManager that does not answer within this time is not waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Reads either configuration file; taken where neither release's own is there.
const READS_BOTH: Release = Release { major: 1, minor: 20, patch: 0 };

/// What is to be computed.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// `-D`.
    pub properties: Vec<(String, String)>,
    /// `--set`: on top of everything, and compared with the sizes without it.
    pub trials: Vec<(String, String)>,
    /// `--flink-version`.
    pub release: Option<Release>,
    /// Leave the ResourceManager alone.
    pub offline: bool,
}

/// The sizes as one release makes them.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    pub(crate) release: Release,
    pub(crate) spec: ClusterSpec,
    /// JobManager, TaskManager.
    pub(crate) processes: [Explained; 2],
}

/// Other sizes to compare with.
#[derive(Debug, Clone)]
pub(crate) struct Other {
    /// What they are: `without --set`, `Flink 1.20.5`.
    pub(crate) name: String,
    /// They, or why there are none.
    pub(crate) sizes: Result<Sizes, String>,
}

/// All that is shown.
#[derive(Debug)]
pub struct Study {
    pub(crate) sizes: Sizes,
    pub(crate) directory: PathBuf,
    pub(crate) limits: Result<Limits, String>,
    pub(crate) without_trials: Option<Other>,
    pub(crate) at_hand: Option<Other>,
    pub(crate) advice: Vec<Advice>,
    /// Why YARN would refuse.
    pub(crate) refused: Vec<LimitError>,
    /// Things to tell the user.
    pub warnings: Vec<String>,
}

impl Sizes {
    fn of(configuration: &Configuration, release: Release) -> Result<Self, SpecError> {
        let spec = ClusterSpec::from(configuration, release)?;
        let jm = Explained::job_manager(configuration, release)?;
        let tm = Explained::task_manager(configuration, release)?;
        Ok(Self { release, spec, processes: [jm, tm] })
    }

    /// MB and vcores that are asked for.
    pub(crate) fn request(&self, role: Role) -> (u64, u64) {
        let (mb, vcores) = match role {
            Role::JobManager => (self.spec.am_memory_mb(), self.spec.am_vcores),
            Role::TaskManager => (self.spec.tm_memory_mb(), self.spec.tm_vcores),
        };
        (mb, vcores.unsigned_abs().into())
    }
}

impl Study {
    /// Reads the configuration, computes, and asks YARN.
    pub async fn make(context: &Context, order: &Order) -> Result<Self, Failure> {
        let found = Found::look(context, order.release)?;
        let mut warnings = found.warnings.clone();
        let with = |conf: &Configuration, list: &[(String, String)], origin: &Origin| {
            let mut conf = conf.clone();
            list.iter().for_each(|(key, value)| conf.set(key.clone(), value.clone(), origin.clone()));
            conf
        };
        let trial = Origin::Flag("--set".to_owned());
        let plain = with(&found.configuration, &order.properties, &Origin::Dynamic);
        let configuration = with(&plain, &order.trials, &trial);
        let release = found.release_for(context, &configuration, order)?;
        warnings.extend(options::check_keys(&configuration).iter().map(ToString::to_string));
        let sizes = Sizes::of(&configuration, release)
            .map_err(|e| refusal(&configuration, release, &found.directory, e))?;
        let without_trials = (!order.trials.is_empty()).then(|| Other {
            name: "without --set".to_owned(),
            sizes: Sizes::of(&plain, release).map_err(|e| e.to_string()),
        });
        let at_hand =
            found.at_hand.as_ref().filter(|(at_hand, _)| *at_hand != release).map(|(at_hand, conf)| {
                let conf = with(&with(conf, &order.properties, &Origin::Dynamic), &order.trials, &trial);
                let sizes = Sizes::of(&conf, *at_hand).map_err(|e| e.to_string());
                Other { name: format!("Flink {at_hand}"), sizes }
            });
        let limits = limits_of(context, &configuration, order.offline, &mut warnings).await;
        let yarn = limits.as_ref().ok().map(Limits::yarn);
        let [jm, tm] = &sizes.processes;
        let advice = advise(&configuration, release, &sizes.spec, [jm, tm], yarn.as_ref());
        let refused = yarn.and_then(|yarn| sizes.spec.check(&yarn).err()).unwrap_or_default();
        let directory = found.directory;
        Ok(Self { sizes, directory, limits, without_trials, at_hand, advice, refused, warnings })
    }

    /// For programs.
    pub fn json(&self) -> Result<serde_json::Value, Failure> {
        json::render(self)
    }

    /// For people.
    pub(crate) fn text(&self, look: Look) -> String {
        text::render(self, look)
    }

    /// The error with which a deployment of these sizes would end, if it would.
    pub fn refusal(&self) -> Option<Failure> {
        (!self.refused.is_empty()).then(|| limits_exceeded(&self.refused))
    }
}

impl Limits {
    /// What the ResourceManager grants for a request.
    async fn ask(hadoop: &Hadoop, yarn: &ApplicationClient) -> Result<Self, Failure> {
        let running = [NodeState::Running];
        let (application, nodes) = future::join(yarn.new_application(), yarn.cluster_nodes(&running)).await;
        let application = application.map_err(|e| yarn_failure(&e))?;
        let nodes = nodes.map_err(|e| yarn_failure(&e))?;
        Ok(Self::of_cluster(&hadoop.conf, &application.max_capability, &nodes))
    }
}

/// YARN's limits; a text where they are not known.
async fn limits_of(
    context: &Context,
    configuration: &Configuration,
    offline: bool,
    warnings: &mut Vec<String>,
) -> Result<Limits, String> {
    let hadoop = Hadoop::load(context, configuration).map_err(|failure| failure.to_string())?;
    if offline {
        return Ok(Limits::of_files(&hadoop.conf));
    }
    let ask = async {
        // It can do without.
        let hadoop = hadoop.clone().waiting(Wait::Little);
        let yarn = hadoop.yarn()?;
        Limits::ask(&hadoop, &yarn).await
    };
    let why = match tokio::time::timeout(ANSWER_WITHIN, ask).await {
        Ok(Ok(limits)) => return Ok(limits),
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => format!("the ResourceManager does not answer within {} s", ANSWER_WITHIN.as_secs()),
    };
    warnings.push(format!("YARN's limits are those of the configuration files: {why}"));
    Ok(Limits::of_files(&hadoop.conf))
}

/// What a user is told when Flink does not take a configuration, with what would work.
pub(crate) fn refusal(
    configuration: &Configuration,
    release: Release,
    directory: &Path,
    error: SpecError,
) -> Failure {
    let hints: Vec<String> = if matches!(error, SpecError::Memory(_)) {
        [Role::JobManager, Role::TaskManager]
            .into_iter()
            .flat_map(|role| remedies(configuration, release, role))
            .map(|remedy| remedy.to_string())
            .collect()
    } else {
        Vec::new()
    };
    let failure = Failure::because("Flink cannot run with this configuration", error);
    hints
        .into_iter()
        .fold(failure, Failure::hint)
        .hint(format!("the configuration is in {}; -jm, -tm and -s set the sizes", directory.display()))
}

/// Sizes that are set in vain, in words; for a configuration that Flink takes.
pub(crate) fn set_in_vain(configuration: &Configuration, release: Release) -> Vec<String> {
    let processes =
        (Explained::job_manager(configuration, release), Explained::task_manager(configuration, release));
    let (Ok(jm), Ok(tm)) = processes else { return Vec::new() };
    without_effect(configuration, release, [&jm, &tm]).into_iter().map(|advice| advice.text).collect()
}

/// What a user is told when YARN has no container of that size.
pub(crate) fn limits_exceeded(errors: &[LimitError]) -> Failure {
    let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Failure::new(list.join("\nerror: ")).hint("ask for less, or have the cluster's limits raised")
}

/// The configuration, as it is found on this machine.
struct Found {
    directory: PathBuf,
    release: Release,
    configuration: Configuration,
    /// The distribution's release and the configuration as that one reads it.
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

    /// A main jar that is named in the configuration counts more than the distribution's, as in a deployment.
    fn release_for(
        &self,
        context: &Context,
        configuration: &Configuration,
        order: &Order,
    ) -> Result<Release, Failure> {
        match (order.release, text_of(configuration, &options::FLINK_DIST_JAR)) {
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

/// How the scheduler is called.
pub(crate) fn scheduler_name(scheduler: Scheduler) -> &'static str {
    match scheduler {
        Scheduler::Capacity => "capacity scheduler",
        Scheduler::Fair => "fair scheduler",
        Scheduler::Fifo => "FIFO scheduler",
    }
}
