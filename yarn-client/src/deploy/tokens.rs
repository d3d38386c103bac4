//! The delegation tokens of an application on a cluster with Kerberos: which services they are for, and who
//! may renew them. With these tokens the nodes read the application's files and collect its logs, and its
//! processes call Hadoop without tickets of their own.
//!
//! A plan says what is fetched; the tokens themselves are fetched just before the application is submitted
//! ([`super::fetched`]).

use std::collections::BTreeMap;

use flink_model::config::{Configuration, Origin};
use flink_model::options::{self, Opt};
use hadoop_fs::TokenIdentity;
use hadoop_rpc::{Authentication, HadoopConf, Login};
use serde::{Deserialize, Serialize};
use yarn_api::{AMRM_TOKEN, NM_TOKEN, RM_DELEGATION_TOKEN, RM_PRINCIPAL, RmService, resource_managers};

use crate::configuration::{bad_value, text};
use crate::error::{Failure, yarn_failure};
use crate::units::iso;
use crate::warning::Warnings;

/// Stands for the host in a principal of Hadoop's configuration.
const HOST: &str = "_HOST";
/// Whether the ResourceManager itself gets tokens of HDFS for applications that have none.
const RM_PRIVILEGES: &str = "yarn.resourcemanager.proxy-user-privileges.enabled";
/// How long tokens live at most, in milliseconds: the keys of the servers that give them, and what counts
/// there without these.
const FILE_SYSTEM_AGE: &str = "dfs.namenode.delegation.token.max-lifetime";
const RESOURCE_MANAGER_AGE: &str = "yarn.resourcemanager.delegation.token.max-lifetime";
const USUAL_AGE_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The name of Flink's provider of tokens of file systems.
const HADOOP_FS: &str = "hadoopfs";

/// The keys of Flink that name directories to which a cluster writes, or from which it reads, in any release.
const DIRECTORIES: [&str; 14] = [
    "execution.checkpointing.dir",
    "state.checkpoints.dir",
    "state.backend.fs.checkpointdir",
    "execution.checkpointing.savepoint-dir",
    "state.savepoints.dir",
    "savepoints.state.backend.fs.dir",
    "state.changelog.dstl.dfs.base-path",
    "state.backend.changelog.dstl.dfs.base-path",
    "high-availability.storageDir",
    "high-availability.zookeeper.storageDir",
    "recovery.zookeeper.storageDir",
    "job-result-store.storage-path",
    "jobmanager.archive.fs.dir",
    "fs.default-scheme",
];

/// How a deployment logs in to a cluster with Kerberos, and which tokens its application gets. It holds no
/// token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Security {
    /// The user who logs in: a principal.
    pub principal: String,
    /// The user for whom that one acts, if it is another one.
    pub acts_for: Option<String>,
    /// With what the user is logged in, in words.
    pub login: String,
    /// The file systems for which the application gets tokens.
    pub file_systems: Vec<TokenFor>,
    /// Who may renew the tokens of the file systems.
    pub renewer: Option<String>,
    /// Who may renew the token for the ResourceManager. `None` means that the application gets none.
    pub resource_manager: Option<String>,
    /// The greatest ages in milliseconds of the tokens of file systems, and of that for the ResourceManager,
    /// as the configuration here has them.
    pub greatest_ages_ms: (Option<u64>, Option<u64>),
    /// The tokens of the login that the application gets, too: their kinds and services, and when they end.
    pub handed_over: Vec<String>,
}

/// A file system for which an application gets a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenFor {
    /// The file system, such as `hdfs://nn:8020`.
    pub url: String,
    /// What is there, such as `staging directory` or the key that names it.
    pub purposes: Vec<String>,
    /// Whether the deployment fails if there is no token.
    pub(crate) needed: bool,
}

/// What an application has on a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) purpose: String,
    /// Whether the application cannot do without it.
    pub(crate) needed: bool,
}

impl Place {
    /// A place without which the application cannot start.
    pub(crate) fn needed(url: impl Into<String>, purpose: impl Into<String>) -> Self {
        Self { url: url.into(), purpose: purpose.into(), needed: true }
    }
}

/// A setting that switches the tokens of file systems off.
struct Off {
    key: &'static str,
    origin: Origin,
}

/// What decides which tokens an application gets.
pub(crate) struct Situation<'a> {
    pub(crate) hadoop: &'a HadoopConf,
    pub(crate) flink: &'a Configuration,
    pub(crate) login: &'a Login,
    /// With what the user is logged in, in words.
    pub(crate) via: String,
    /// Whether the JVMs of the cluster log in with a keytab.
    pub(crate) keytab: bool,
}

impl Situation<'_> {
    /// Decides which tokens the application gets; `None` with simple authentication. `places` are those of
    /// the application's files, and `root_of` gives the file system of a URL. It is a failure if the settings
    /// contradict each other, or if it is not known who is to renew the tokens.
    pub(crate) fn decide(
        self,
        places: Vec<Place>,
        root_of: &dyn Fn(&str) -> Result<String, Failure>,
        warnings: &mut Warnings,
    ) -> Result<Option<Security>, Failure> {
        let authentication =
            Authentication::of(self.hadoop).map_err(|e| Failure::configuration(e.to_string()))?;
        if authentication == Authentication::Simple {
            return Ok(None);
        }
        let user = self.login.user();
        let principal = user.real.as_ref().unwrap_or(&user.effective).clone();
        let mut security = Security {
            principal,
            acts_for: user.real.as_ref().map(|_| user.effective.clone()),
            login: self.via.clone(),
            file_systems: Vec::new(),
            renewer: None,
            resource_manager: None,
            greatest_ages_ms: (
                greatest_age(self.hadoop, FILE_SYSTEM_AGE),
                greatest_age(self.hadoop, RESOURCE_MANAGER_AGE),
            ),
            handed_over: handed_over(self.login),
        };
        self.check_keytab(security.acts_for.as_deref())?;
        let off = self.switched_off()?;
        let nothing = matches!(&off, Some(Off { key, .. }) if *key == options::DELEGATION_TOKENS.key);
        // Servers give tokens only for tickets.
        if self.login.kerberos().is_some() && !nothing {
            let resource_manager = resource_manager_principal(self.hadoop)?;
            if off.is_none() {
                let renewer = text(self.flink, &options::TOKEN_RENEWER);
                security.renewer = Some(renewer.unwrap_or_else(|| resource_manager.clone()));
                let places = places.iter().cloned().chain(self.more_places(warnings)?).collect();
                security.file_systems = unite(places, root_of, warnings)?;
            }
            // With such a token in the login, calls of the ResourceManager authenticate with it, and get no
            // other one.
            let given = self.has_token(RM_DELEGATION_TOKEN);
            security.resource_manager = Some(resource_manager).filter(|_| !given);
        }
        self.warn_without_tokens(&security, &places, off.as_ref(), warnings);
        Ok(Some(security))
    }

    /// Refuses a keytab where the user acts for another one. The containers run as that one, who could read
    /// the keytab, and the JVMs in them would nevertheless be the user of the keytab.
    fn check_keytab(&self, acts_for: Option<&str>) -> Result<(), Failure> {
        let Some(other) = acts_for.filter(|_| self.keytab) else { return Ok(()) };
        Err(Failure::configuration(format!(
            "the application would run as {other}, who must not get the keytab of another user ({})",
            options::KERBEROS_KEYTAB.key
        ))
        .hint(format!(
            "leave {} and {} out, and log in with `kinit -kt KEYTAB PRINCIPAL`",
            options::KERBEROS_KEYTAB.key,
            options::KERBEROS_PRINCIPAL.key
        )))
    }

    /// The setting that switches the tokens of file systems off, if there is one.
    fn switched_off(&self) -> Result<Option<Off>, Failure> {
        let (all, more) = (&options::DELEGATION_TOKENS, &options::KERBEROS_FILE_SYSTEMS);
        if !self.flink.require(all).map_err(bad_value)? {
            if !list(self.flink, more)?.is_empty() {
                return Err(Failure::configuration(format!(
                    "{} ({}) is false, and {} ({}) names file systems for which tokens would have to be fetched",
                    all.key,
                    self.flink.origin(all),
                    more.key,
                    self.flink.origin(more),
                ))
                .hint(format!("leave {} out, or {}", more.key, all.key)));
            }
            return Ok(Some(Off { key: all.key, origin: self.flink.origin(all) }));
        }
        let hdfs = &options::HADOOP_FS_TOKENS;
        if !self.flink.require(hdfs).map_err(bad_value)? {
            return Ok(Some(Off { key: hdfs.key, origin: self.flink.origin(hdfs) }));
        }
        let services = &options::APP_MASTER_TOKEN_SERVICES;
        let named = list(self.flink, services)?.iter().any(|service| service == HADOOP_FS);
        Ok((!named).then(|| Off { key: services.key, origin: self.flink.origin(services) }))
    }

    /// Whether the login has tokens of this kind.
    fn has_token(&self, kind: &str) -> bool {
        self.login.tokens().get().tokens_of_kind(kind).next().is_some()
    }

    /// The places that the configurations name.
    fn more_places(&self, warnings: &mut Warnings) -> Result<Vec<Place>, Failure> {
        let mut places = Vec::new();
        let default = self.hadoop.get("fs.defaultFS").map_err(|e| Failure::configuration(e.to_string()))?;
        places.extend(default.filter(|url| is_hdfs(url)).map(|url| Place::needed(url, "fs.defaultFS")));
        let named = options::KERBEROS_FILE_SYSTEMS.key;
        for url in list(self.flink, &options::KERBEROS_FILE_SYSTEMS)? {
            if is_hdfs(&url) {
                places.push(Place::needed(url, named));
            } else {
                warnings.warn(format!(
                    "{named}: heddle fetches no token for {url}, which is no HDFS; with a keytab Flink's JobManager fetches one"
                ));
            }
        }
        let directories = DIRECTORIES.iter().filter_map(|key| Some((key, self.flink.text(key)?)));
        let directories = directories.filter(|(_, url)| is_hdfs(url));
        // With a keytab the JVMs log in by themselves.
        let needed = !self.keytab;
        places.extend(directories.map(|(key, url)| Place { url, purpose: (*key).to_owned(), needed }));
        Ok(places)
    }

    /// Warns if the nodes will have no token with which they can read the application's files.
    fn warn_without_tokens(
        &self,
        security: &Security,
        places: &[Place],
        off: Option<&Off>,
        warnings: &mut Warnings,
    ) {
        let given = self.has_token(hadoop_fs::HDFS_TOKEN);
        if given || !security.file_systems.is_empty() || !places.iter().any(|place| is_hdfs(&place.url)) {
            return;
        }
        if self.hadoop.get_bool(RM_PRIVILEGES, false).unwrap_or_default() {
            return;
        }
        let why = match off {
            Some(Off { key, origin }) => format!("{key} ({origin})"),
            None => "a login with tokens alone can fetch none".to_owned(),
        };
        warnings.warn(format!(
            "the application gets no delegation token of HDFS: {why}; unless the ResourceManager gets one for it ({RM_PRIVILEGES}), \
             the nodes cannot read its files"
        ));
    }
}

/// The kinds and services of the tokens of the login, and when they end, for people.
fn handed_over(login: &Login) -> Vec<String> {
    let tokens = login.tokens().get();
    let told = tokens.tokens.values().filter(|token| is_for_others(&token.kind));
    told.map(|token| {
        let ends = TokenIdentity::of(token).and_then(|identity| iso(identity.max_date_ms));
        let ends = ends.map(|end| format!(", which ends at the latest at {end}")).unwrap_or_default();
        format!("{} for {}{ends}", token.kind, token.service)
    })
    .collect()
}

/// The greatest age of a token in milliseconds. The configuration of its server decides about it, of which
/// the one here is usually a copy.
fn greatest_age(conf: &HadoopConf, key: &str) -> Option<u64> {
    conf.get_i64(key, USUAL_AGE_MS).ok().and_then(|age| u64::try_from(age).ok())
}

/// Whether a token of the login may go to another application. Those with which the process itself speaks to
/// YARN, because it runs in a container, are of no use to others.
pub(crate) fn is_for_others(kind: &str) -> bool {
    kind != AMRM_TOKEN && kind != NM_TOKEN
}

/// The principal of the ResourceManager, who renews the tokens of applications.
fn resource_manager_principal(conf: &HadoopConf) -> Result<String, Failure> {
    let principal = conf.get(RM_PRINCIPAL).map_err(|e| Failure::configuration(e.to_string()))?;
    let principal = principal.map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).ok_or_else(|| {
        Failure::configuration(format!(
            "{RM_PRINCIPAL} is not set, so nobody could renew the application's delegation tokens"
        ))
        .hint("take it over from the ResourceManager's yarn-site.xml")
    })?;
    let Some((service, realm)) = principal.split_once(&format!("/{HOST}@")) else { return Ok(principal) };
    let known = resource_managers(conf, RmService::Client).map_err(|e| yarn_failure(&e))?;
    let host = known.first().map(|endpoint| endpoint.host().to_lowercase()).unwrap_or_default();
    Ok(format!("{service}/{host}@{realm}"))
}

/// Brings together what is on the same file system. A place of HDFS that cannot be understood is a failure if
/// it is needed.
fn unite(
    places: Vec<Place>,
    root_of: &dyn Fn(&str) -> Result<String, Failure>,
    warnings: &mut Warnings,
) -> Result<Vec<TokenFor>, Failure> {
    let mut united: Vec<TokenFor> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for Place { url, purpose, needed } in places.into_iter().filter(|place| is_hdfs(&place.url)) {
        let root = match root_of(&url) {
            Ok(root) => root,
            Err(failure) if needed => return Err(failure),
            Err(failure) => {
                warnings.warn(format!("no delegation token for {url} ({purpose}): {failure}"));
                continue;
            }
        };
        let at = *known.entry(root.clone()).or_insert(united.len());
        match united.get_mut(at) {
            None => united.push(TokenFor { url: root, purposes: vec![purpose], needed }),
            Some(same) => {
                same.needed |= needed;
                if !same.purposes.contains(&purpose) {
                    same.purposes.push(purpose);
                }
            }
        }
    }
    Ok(united)
}

fn is_hdfs(url: &str) -> bool {
    url.starts_with("hdfs:")
}

fn list(configuration: &Configuration, option: &Opt<Vec<String>>) -> Result<Vec<String>, Failure> {
    let list = configuration.get(option).map_err(bad_value)?.unwrap_or_default();
    Ok(list.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect())
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
