//! The user's Hadoop: configuration, identity, and the clients made of them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flink_model::config::{Configuration, shown};
use flink_model::options;
use hadoop_fs::{FsError, Patience, Storage};
use hadoop_rpc::{Authentication, ClientOptions, Defaults, HadoopConf, Login, Lookup, RetryPolicy, TimeUnit};
use yarn_api::records::ApplicationReport;
use yarn_api::{ApplicationClient, RmService, resource_managers};

use crate::active::Active;
use crate::configuration::text;
use crate::context::Context;
use crate::error::{Failure, yarn_failure};
use crate::login::login;
use crate::logins::{Prefer, Via};
use crate::patience::{Wait, Waits};
use crate::variables;

/// Longest pause between two tries, where the configuration says nothing. Up to as much again is added at
/// random. After a failover a command should not take half a second more than it must.
const RETRY: Duration = Duration::from_millis(250);
/// First pause between two tries, unless the configuration names a shorter one.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// Deadline of one call to a Hadoop service that a person waits for.
const DEADLINE: Duration = Duration::from_secs(20);

/// How to reach one Hadoop cluster as one user.
#[derive(Debug, Clone)]
pub struct Hadoop {
    /// Site files, with `flink.hadoop.*` and `flink.yarn.*` of Flink's configuration on top.
    pub conf: HadoopConf,
    /// The identity with which the services are called.
    pub login: Login,
    /// With what the user was logged in.
    pub via: Via,
    /// How long servers that are not there are waited for.
    pub wait: Wait,
    /// What is called when one is waited for.
    waits: Waits,
    /// The directory in which the active ResourceManager is remembered.
    cache: Option<PathBuf>,
}

impl Hadoop {
    /// Loads the Hadoop configuration that Flink would load, and logs in. With Kerberos the tickets of the
    /// user must be usable, or else there must be tokens; the login may take up to ten seconds.
    pub async fn load(context: &Context, configuration: &Configuration) -> Result<Self, Failure> {
        let conf = Self::configuration(context, configuration)?;
        Self::log_in(context, configuration, conf, Prefer::Tickets).await
    }

    /// The same, but `None` for a cluster without Kerberos, and without a Hadoop configuration. It is for
    /// what needs a login and no Hadoop.
    pub async fn load_if_kerberos(
        context: &Context,
        configuration: &Configuration,
    ) -> Result<Option<Self>, Failure> {
        let Ok(conf) = Self::configuration(context, configuration) else { return Ok(None) };
        if !matches!(Authentication::of(&conf), Ok(Authentication::Kerberos)) {
            return Ok(None);
        }
        Self::log_in(context, configuration, conf, Prefer::Tickets).await.map(Some)
    }

    /// The same for a process that another process of heddle's has started, with tokens for it: no ticket is
    /// asked for as long as the tokens are sufficient.
    pub async fn load_for_helper(context: &Context, configuration: &Configuration) -> Result<Self, Failure> {
        let conf = Self::configuration(context, configuration)?;
        Self::log_in(context, configuration, conf, Prefer::Tokens).await
    }

    /// Logs in where the Hadoop configuration is loaded already.
    pub(crate) async fn log_in(
        context: &Context,
        configuration: &Configuration,
        conf: HadoopConf,
        prefer: Prefer,
    ) -> Result<Self, Failure> {
        let (login, via) = login(context, configuration, &conf, prefer).await?;
        let (waits, cache) = (context.waits.clone(), context.cache_dir());
        Ok(Self { conf, login, via, wait: Wait::Reading, waits, cache })
    }

    /// The Hadoop configuration that Flink would load. It is a failure if there is none.
    pub(crate) fn configuration(
        context: &Context,
        configuration: &Configuration,
    ) -> Result<HadoopConf, Failure> {
        let mut lookup = Lookup::new(Defaults::common().and(yarn_api::DEFAULTS));
        lookup.extra_dirs.extend(text(configuration, &options::HDFS_CONF_DIR).map(|dir| context.path(dir)));
        // Flink's scripts take the directories from Flink's configuration where the environment names none.
        let env = |name: &str| {
            let directories = [
                (variables::HADOOP_CONF_DIR, &options::HADOOP_CONF_DIR),
                (variables::YARN_CONF_DIR, &options::YARN_CONF_DIR),
            ];
            let configured = || {
                let (_, option) = directories.iter().find(|(variable, _)| variable.name() == name)?;
                text(configuration, option)
            };
            context.vars.get(name).filter(|v| !v.is_empty()).cloned().or_else(configured)
        };
        let mut conf = HadoopConf::load(&env, &lookup).map_err(|e| {
            Failure::configuration(e.to_string())
                .hint("correct the file, or let HADOOP_CONF_DIR name a directory with a sound one")
        })?;
        if !conf.found() {
            return Err(not_found(&conf));
        }
        for Override { key, value, from } in overrides(configuration) {
            conf.set(&key, &value, &format!("{from} of Flink's configuration"));
        }
        Ok(conf)
    }

    /// The same with more or less time for servers that are not there.
    pub fn waiting(self, wait: Wait) -> Self {
        Self { wait, ..self }
    }

    /// A client of the ResourceManager.
    pub fn yarn(&self) -> Result<ApplicationClient, Failure> {
        const INTERVAL: &str = "yarn.resourcemanager.connect.retry-interval.ms";
        let known = resource_managers(&self.conf, RmService::Client).map_err(|e| yarn_failure(&e))?;
        // An address that nobody has set is not waited for.
        let named = known.iter().any(|endpoint| endpoint.host() != "0.0.0.0");
        let wait = if named { self.wait } else { Wait::Little };
        let within = wait.for_resource_manager(&self.conf);
        let interval = match self.conf.origin(INTERVAL) {
            Some(_) => self.conf.get_duration(INTERVAL, RETRY, TimeUnit::Millis).unwrap_or(RETRY),
            None => RETRY,
        };
        let retry = RetryPolicy {
            max_attempts: u32::MAX,
            min_delay: FIRST_RETRY.min(interval),
            max_delay: interval,
            max_elapsed: within,
        };
        let mut options =
            ClientOptions::of(&self.conf, self.login.clone(), &RmService::Client.security(), None)
                .map_err(|e| Failure::configuration(e.to_string()))?;
        options.deadline = DEADLINE;
        let client = ApplicationClient::new(&self.conf, &options, retry).map_err(|e| yarn_failure(&e))?;
        let client = match Active::new(self.cache.as_deref(), &known) {
            None => client,
            Some(active) => {
                let client = match active.last() {
                    Some(index) => client.with_active(index),
                    None => client,
                };
                client.on_active(Arc::new(move |index| active.remember(index)))
            }
        };
        Ok(match wait {
            Wait::Little => client,
            Wait::Reading | Wait::Changing => {
                let waits = self.waits.clone();
                client.on_wait(Arc::new(move |error| waits.tell_rpc(error, within)))
            }
        })
    }

    /// The file system that `url` is on; without a URL the default one.
    pub fn storage(&self, url: Option<&str>) -> Result<Storage, Failure> {
        Storage::open(&self.conf, &self.login, url).map(|fs| self.patient(fs)).map_err(|e| Failure::fs(&e))
    }

    /// Whether an application that does not run yet is still waited for after this time. Somebody is told of
    /// the wait.
    pub(crate) fn waits_for(&self, found: &ApplicationReport, waited: Duration) -> bool {
        let within = self.wait.for_resource_manager(&self.conf);
        if waited < within {
            self.waits.tell_application(found, within);
        }
        waited < within
    }

    /// The same file system, and a NameNode that is not there is waited for.
    pub(crate) fn patient(&self, storage: Storage) -> Storage {
        let within = self.wait.for_name_node(&self.conf);
        let waits = self.waits.clone();
        let tell = Arc::new(move |error: &FsError| waits.tell_fs(error, within));
        storage.with_patience(Patience { within, tell })
    }
}

/// A Hadoop setting that Flink's configuration makes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Override {
    /// Hadoop's key.
    pub(crate) key: String,
    pub(crate) value: String,
    /// The key of Flink's configuration.
    pub(crate) from: String,
}

impl fmt::Debug for Override {
    /// Leaves the value out if the key has the name of a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} ({})", self.key, shown(&self.key, self.value.clone()), self.from)
    }
}

/// `flink.hadoop.*` and `flink.yarn.*`, which count more than all files of Hadoop's, here and on the nodes.
pub(crate) fn overrides(configuration: &Configuration) -> impl Iterator<Item = Override> {
    [(options::HADOOP_PREFIX, ""), (options::YARN_PREFIX, "yarn.")].into_iter().flat_map(
        |(prefix, target)| {
            configuration.with_prefix(prefix).into_iter().map(move |(key, value)| Override {
                from: format!("{prefix}{key}"),
                key: format!("{target}{key}"),
                value,
            })
        },
    )
}

fn not_found(conf: &HadoopConf) -> Failure {
    let looked: Vec<String> = conf
        .looked_in()
        .iter()
        .map(|dir| {
            let state = if dir.exists { "holds none of the files" } else { "does not exist" };
            format!("{} ({}: {state})", dir.path.display(), dir.named_by)
        })
        .collect();
    let places =
        if looked.is_empty() { "no variable names a directory".to_owned() } else { looked.join(", ") };
    Failure::configuration(format!(
        "no Hadoop configuration (core-site.xml, hdfs-site.xml, yarn-site.xml) found; looked in: {places}"
    ))
    .hint("set HADOOP_CONF_DIR to the directory that holds the cluster's core-site.xml and yarn-site.xml")
}
