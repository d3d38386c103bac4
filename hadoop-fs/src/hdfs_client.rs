//! The client of hdfs-native with what heddle adds to it: explicit configuration and user, a deadline for
//! every call, a token if the cluster has Kerberos, the active one of several NameNodes, waiting for a
//! NameNode that cannot be reached or is in safe mode, and typed errors. The other modules for HDFS call
//! hdfs-native through it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hadoop_rpc::{Authentication, HadoopConf, Login, Protection, Retry};
use hdfs_native::{Client, ClientBuilder, HdfsError};
use tokio::time::{Instant, timeout};

use crate::error::{FsError, FsErrorKind};
use crate::hdfs_error;
use crate::location::{Location, bad_conf};
use crate::name_nodes::NameNodes;
use crate::tokens::{InUse, Tokens};
use crate::types::Patience;

/// The configuration keys that hdfs-native reads, or their beginnings.
const KEYS: &[&str] = &[
    "dfs.client.",
    "dfs.ha.namenodes.",
    "dfs.namenode.rpc-address.",
    "dfs.data.transfer.",
    "dfs.encrypt.data.transfer",
    "dfs.user.home.dir.prefix",
    "hadoop.rpc.protection",
];

/// The shortest and the longest pause before a call is repeated because no NameNode could be reached.
const WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

/// The configuration directory that hdfs-native is given. It cannot contain files, so hdfs-native reads no
/// configuration files, whatever HADOOP_CONF_DIR and HADOOP_HOME say.
const NO_DIRECTORY: &str = "/dev/null";

/// For how long a call may be under way before the NameNodes are asked which of them is active, and the pause
/// before they are asked again.
const LOOK: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(2));

/// How long the NameNode may take to tell in which encryption zone a path is. Nothing depends on the answer
/// but the words of an error.
const ZONE_WITHIN: Duration = Duration::from_secs(5);

/// The keys that name the place of the keys of encryption zones, such as a KMS.
const KEY_PROVIDERS: [&str; 2] = ["hadoop.security.key.provider.path", "dfs.encryption.key.provider.uri"];

/// hdfs-native's client of one HDFS as one user, with a deadline for each call.
#[derive(Debug, Clone)]
pub(crate) struct HdfsClient {
    pub(crate) location: Location,
    deadline: Duration,
    patience: Option<Patience>,
    /// What `current` is made with.
    parts: Arc<Parts>,
    /// The NameNodes, if there are several.
    name_nodes: Option<NameNodes>,
    current: Arc<Mutex<Current>>,
}

/// What does not change while an HDFS is used.
#[derive(Debug)]
struct Parts {
    settings: Vec<(String, String)>,
    user: String,
    /// The tokens, if the cluster has Kerberos. hdfs-native itself does not speak Kerberos.
    tokens: Option<Tokens>,
    /// Where the keys of encryption zones are, according to the configuration.
    key_provider: Option<String>,
}

/// hdfs-native's client for one operation.
struct Ready {
    hdfs: Client,
    /// The index of the NameNode that is asked first, if one of several was found active.
    asked: Option<usize>,
    token: Option<InUse>,
}

/// hdfs-native's client as it is now.
#[derive(Debug)]
struct Current {
    hdfs: Client,
    /// The index of the NameNode that it asks first; `None` as long as none of several was found active.
    active: Option<usize>,
}

impl HdfsClient {
    pub(crate) fn open(
        conf: &HadoopConf,
        login: &Login,
        location: Location,
        deadline: Duration,
    ) -> Result<Self, FsError> {
        let bad = |e| bad_conf(&location.root, &e);
        // A value that Hadoop would refuse is refused here too.
        Protection::allowed(conf).map_err(bad)?;
        let (user, tokens) = match Authentication::of(conf).map_err(bad)? {
            Authentication::Simple => (login.user().effective.clone(), None),
            // The NameNode takes the user from the token.
            Authentication::Kerberos => {
                (login.user().short_name().to_owned(), Some(Tokens::of(conf, login, &location)))
            }
        };
        let mut settings = Vec::new();
        for (key, ..) in conf.iter().filter(|(key, ..)| KEYS.iter().any(|prefix| key.starts_with(prefix))) {
            let value = conf.get(key).map_err(bad)?;
            settings.extend(value.map(|value| (key.to_owned(), value)));
        }
        if !location.logical {
            // A single NameNode that refuses the connection would be tried 15 times over minutes.
            settings.push(("dfs.client.failover.max.attempts".to_owned(), "0".to_owned()));
        } else if conf.origin("dfs.client.failover.max.attempts").is_none() {
            // Six tries take longer than a failover from one NameNode to the other, but not longer than a
            // person is willing to wait.
            settings.push(("dfs.client.failover.max.attempts".to_owned(), "6".to_owned()));
        }
        let name_nodes = location.logical.then(|| NameNodes::of(conf, &location, login)).transpose()?;
        let key_provider =
            KEY_PROVIDERS.iter().find_map(|key| conf.get(key).ok()?.filter(|uri| !uri.is_empty()));
        let parts = Arc::new(Parts { settings, user, tokens, key_provider });
        let hdfs = build(&location, &parts, None)?;
        let current = Arc::new(Mutex::new(Current { hdfs, active: None }));
        Ok(Self { location, deadline, patience: None, parts, name_nodes, current })
    }

    /// The same client with another deadline for each call.
    pub(crate) fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// The same client, which waits so long for NameNodes.
    pub(crate) fn with_patience(&self, patience: Patience) -> Self {
        Self { patience: Some(patience), ..self.clone() }
    }

    /// hdfs-native's client, which asks the active one of several NameNodes first. There is a token for it if
    /// it needs one.
    async fn hdfs(&self) -> Result<Ready, FsError> {
        let token = match &self.parts.tokens {
            Some(tokens) => Some(tokens.ready(self.deadline).await?),
            None => None,
        };
        let now = || {
            let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            (current.hdfs.clone(), current.active)
        };
        if let Some(name_nodes) = &self.name_nodes
            && now().1.is_none()
            && let Some(active) = name_nodes.active().await
        {
            self.begin_with(name_nodes, active)?;
        }
        let (hdfs, asked) = now();
        Ok(Ready { hdfs, asked, token })
    }

    /// Makes hdfs-native ask this NameNode first from now on.
    fn begin_with(&self, name_nodes: &NameNodes, active: usize) -> Result<(), FsError> {
        let hdfs = build(&self.location, &self.parts, Some(name_nodes.beginning_with(active)))?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.active != Some(active) {
            *current = Current { hdfs, active: Some(active) };
        }
        Ok(())
    }

    /// Returns when another NameNode than the one with the index `asked` is active, which is asked first from
    /// then on; gives its address. As long as the one that was asked is active, or none is, a call can still
    /// be answered.
    async fn failed_over(&self, asked: Option<usize>) -> Result<String, FsError> {
        let (Some(name_nodes), Some(asked)) = (&self.name_nodes, asked) else {
            return std::future::pending().await;
        };
        tokio::time::sleep(LOOK.0).await;
        loop {
            match name_nodes.active().await {
                Some(active) if active != asked => {
                    return self.begin_with(name_nodes, active).map(|()| name_nodes.address(active));
                }
                _ => tokio::time::sleep(LOOK.1).await,
            }
        }
    }

    /// Makes the call, and repeats it while no NameNode can be reached, or while the active one is in safe
    /// mode, and the time of the patience has not passed. Repeating does no harm, because such a call was not
    /// sent or was refused.
    pub(crate) async fn persist<T, F: Future<Output = Result<T, FsError>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, FsError> {
        self.repeat(call, |error| self.is_absent(error)).await
    }

    /// As [`Self::persist`], for a call that may be executed twice. So it is also repeated if the connection
    /// has broken while it was open whether the NameNode has executed it, as when a NameNode dies.
    pub(crate) async fn persist_idempotent<T, F: Future<Output = Result<T, FsError>>>(
        &self,
        call: impl Fn() -> F,
    ) -> Result<T, FsError> {
        let broke = |e: &FsError| e.kind() == FsErrorKind::Unreachable && e.retry() == Retry::IfIdempotent;
        self.repeat(call, |error| self.is_absent(error) || broke(error)).await
    }

    /// Repeats the call as long as it may be repeated and the patience lasts. A call that was refused because
    /// of a token is repeated once with another token.
    async fn repeat<T, F: Future<Output = Result<T, FsError>>>(
        &self,
        call: impl Fn() -> F,
        may_repeat: impl Fn(&FsError) -> bool,
    ) -> Result<T, FsError> {
        let (begin, mut pause, mut told, mut with_other_token) = (Instant::now(), WAIT.0, false, false);
        loop {
            let error = match call().await {
                Err(error) if error.is_of_old_token() && !with_other_token => {
                    with_other_token = true;
                    continue;
                }
                Err(error) if may_repeat(&error) => error,
                done => return done,
            };
            let Some(patience) = &self.patience else { return Err(error) };
            if begin.elapsed() >= patience.within || self.is_unknown().await {
                return Err(error);
            }
            if !std::mem::replace(&mut told, true) {
                (patience.tell)(&error);
            }
            tokio::time::sleep(pause.min(patience.within)).await;
            pause = (pause * 2).min(WAIT.1);
        }
    }

    /// Whether the call has failed because no NameNode can be reached, because none is active, or because the
    /// active one is in safe mode, as it is for a moment after its start.
    fn is_absent(&self, error: &FsError) -> bool {
        match error.kind() {
            FsErrorKind::Unreachable => error.retry() == Retry::Later,
            FsErrorKind::Standby => self.location.logical,
            FsErrorKind::SafeMode => true,
            _ => false,
        }
    }

    /// Whether the host of the only NameNode has no address. Then its name is wrong, and waiting does not
    /// help. If the name service does not answer in time, the name may be right.
    async fn is_unknown(&self) -> bool {
        if self.location.logical {
            return false;
        }
        let address = self.location.root.trim_start_matches("hdfs://");
        #[expect(clippy::disallowed_methods, reason = "the deadline is in the next line")]
        let lookup = tokio::net::lookup_host(address);
        matches!(timeout(self.deadline, lookup).await, Ok(Err(_)))
    }

    /// Runs one operation within the deadline. If the NameNode that was asked is silent and another one has
    /// become active, the operation ends with an error after which it may be repeated.
    pub(crate) async fn guard<T, F: Future<Output = Result<T, HdfsError>>>(
        &self,
        operation: &'static str,
        path: &str,
        call: impl FnOnce(Client) -> F,
    ) -> Result<T, FsError> {
        let Ready { hdfs, asked, token } = self.hdfs().await?;
        let done = tokio::select! {
            done = self.within_deadline(operation, path, token, call(hdfs.clone())) => done,
            active = self.failed_over(asked) => {
                let why = format!("the NameNode was silent, and meanwhile {} is the active one", active?);
                Err(FsError::new(FsErrorKind::Unreachable, operation, path, &*self.location.server, why))
            }
        };
        match done {
            Err(failed) if failed.kind() == FsErrorKind::EncryptionZone => {
                let zone = self.zone(&hdfs, path).await;
                Err(failed.with_detail(hdfs_error::in_zone(zone.as_deref())))
            }
            done => done,
        }
    }

    /// Runs one operation within the deadline, whichever NameNode is active. For operations that must not be
    /// repeated while it is open whether they were executed.
    pub(crate) async fn guard_once<T, F: Future<Output = Result<T, HdfsError>>>(
        &self,
        operation: &'static str,
        path: &str,
        call: impl FnOnce(Client) -> F,
    ) -> Result<T, FsError> {
        let Ready { hdfs, token, .. } = self.hdfs().await?;
        self.within_deadline(operation, path, token, call(hdfs)).await
    }

    /// The encryption zone that a path is in, in words; `None` if it is in none, or if the NameNode does not
    /// tell it.
    pub(crate) async fn encryption_zone(&self, path: &str) -> Option<String> {
        let Ready { hdfs, .. } = self.hdfs().await.ok()?;
        self.zone(&hdfs, path).await
    }

    async fn zone(&self, hdfs: &Client, path: &str) -> Option<String> {
        match timeout(ZONE_WITHIN.min(self.deadline), hdfs.encryption_zone(path)).await {
            Ok(Ok(zone)) => {
                zone.map(|zone| hdfs_error::zone_in_words(&zone, self.parts.key_provider.as_deref()))
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, path, "the NameNode does not tell the encryption zone");
                None
            }
            Err(_) => None,
        }
    }

    async fn within_deadline<T>(
        &self,
        operation: &'static str,
        path: &str,
        token: Option<InUse>,
        call: impl Future<Output = Result<T, HdfsError>>,
    ) -> Result<T, FsError> {
        match timeout(self.deadline, call).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(e)) => {
                let failed = hdfs_error::of(operation, path, &self.location.server, &e);
                Err(match (&self.parts.tokens, token) {
                    (Some(tokens), Some(used)) if hdfs_error::is_invalid_token(&e) => {
                        tokens.refused(&used, failed)
                    }
                    _ => failed,
                })
            }
            Err(_) => {
                let why = format!("no answer within {} s", self.deadline.as_secs_f64());
                Err(FsError::new(FsErrorKind::Timeout, operation, path, &*self.location.server, why))
            }
        }
    }
}

/// hdfs-native's client. `name_nodes`: the NameNodes in another order than that of the configuration.
fn build(location: &Location, parts: &Parts, name_nodes: Option<String>) -> Result<Client, FsError> {
    let key = format!("dfs.ha.namenodes.{}", location.root.trim_start_matches("hdfs://"));
    let order = name_nodes.map(|names| (key, names));
    let mut all: Vec<_> = parts.settings.clone();
    all.retain(|(key, _)| order.as_ref().is_none_or(|(ordered, _)| key != ordered));
    all.extend(order);
    let builder = ClientBuilder::new()
        .with_config_dir(NO_DIRECTORY)
        .with_config(all)
        .with_url(&*location.root)
        .with_user(&*parts.user);
    let builder = match &parts.tokens {
        Some(tokens) => builder.with_tokens(Arc::new(tokens.clone())),
        None => builder,
    };
    builder.build().map_err(|e| hdfs_error::of("use", &location.root, &location.server, &e))
}
