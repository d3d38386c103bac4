//! Holds the connections to the services of the cluster that a deployment needs. It asks the services
//! everything that must be known before anything is written, and as much as possible of it at the same time,
//! because each question takes a round trip.

use std::collections::BTreeSet;
use std::path::PathBuf;

use artifact_store::{
    Artifact, Concurrency, Division, Hashes, Inventory, PRIVATE_STORE, Refused, RootOwner, SHARED_STORE,
    Store, below,
};
use futures::future;
use hadoop_fs::Storage;
use yarn_api::ApplicationClient;

use super::container_files::{ContainerFile, FileSource};
use super::derived::Derived;
use super::remote_files::{RemoteFile, remote_files};
use super::resolved::{Answers, Resolved};
use super::tokens::{Place, Security, Situation};
use super::{facts, savepoint, zones};
use crate::context::Context;
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::staging::{ApplicationDir, Ground};
use crate::timing::Timing;
use crate::units::count;
use crate::warning::Warnings;

/// The connections to the cluster's services, and the directories that a deployment uses there.
pub(crate) struct Services {
    pub(crate) hadoop: Hadoop,
    pub(crate) yarn: ApplicationClient,
    pub(crate) storage: Storage,
    /// Where `.flink/<application id>` is created.
    pub(crate) ground: Ground,
    /// The store for files that every user may read.
    pub(crate) shared: Store,
    /// The store for the user's own files.
    pub(crate) private: Store,
    replication: Option<u16>,
}

/// Which of a deployment's files the stores have already, and which must be uploaded.
#[derive(Debug)]
pub(crate) struct Surveys {
    pub(crate) shared: Inventory,
    pub(crate) private: Inventory,
    /// The remembered hashes of local files, which are kept between runs.
    pub(crate) hashes: Hashes,
}

impl Surveys {
    /// Whether nothing must be uploaded.
    pub(crate) fn are_complete(&self) -> bool {
        self.shared.missing().is_empty() && self.private.missing().is_empty()
    }
}

impl Services {
    /// Opens the file systems. A service is asked only if a staging directory is configured: whether several
    /// users share it.
    pub(crate) async fn new(
        derived: &Derived,
        hadoop: Hadoop,
        yarn: ApplicationClient,
    ) -> Result<Self, Failure> {
        let staging = derived.staging_base.as_deref();
        let storage = hadoop.storage(staging)?;
        let ground = Ground::find(&storage.clone().with_deadline(facts::FIRST_ANSWER), staging).await?;
        let store_storage = hadoop.storage(derived.store_dir.as_deref().or(staging))?;
        let usual = || RootOwner::User { below: ground.top.clone() };
        let (store_root, store_owner) = match &derived.store_dir {
            Some(dir) => (dir.clone(), RootOwner::Named { home: store_storage.home_dir().to_owned() }),
            None => (below(&ground.base, SHARED_STORE), usual()),
        };
        let replication = derived.replication;
        let concurrency = if derived.fast_start { Concurrency::QUICK } else { Concurrency::PLAIN };
        let shared = Store::shared(store_storage, &store_root, store_owner, replication, concurrency)?;
        let private_root = below(&ground.base, PRIVATE_STORE);
        let private = Store::private(storage.clone(), &private_root, usual(), replication, concurrency)?;
        Ok(Self { hadoop, yarn, storage, ground, shared, private, replication })
    }

    /// Asks all services at once, and makes the remaining decisions.
    pub(crate) async fn resolve(
        &self,
        derived: &Derived,
        context: &Context,
        timing: &Timing,
        warnings: &mut Warnings,
    ) -> Result<(Resolved, Surveys), Failure> {
        let local: Vec<(&ContainerFile, &PathBuf)> = derived
            .files
            .iter()
            .filter_map(|file| match &file.source {
                FileSource::Shared(path) | FileSource::Closed(path) | FileSource::Private(path) => {
                    Some((file, path))
                }
                // No store has files of the application.
                FileSource::OfApplication(_)
                | FileSource::Remote(_)
                | FileSource::RemoteTree(_)
                | FileSource::RemotePath(_) => None,
            })
            .collect();
        let paths: Vec<PathBuf> = local.iter().map(|(_, path)| (*path).clone()).collect();
        let hashes = Hashes::open(context.cache_dir().map(|dir| dir.join("hashes.json")));
        // Hashing continues while the services are asked.
        let contents = hashes.begin(&paths, |files| {
            let step = timing.step("files hashed").end_when_dropped(count(files, "file"));
            if files == 0 {
                step.cancel();
            }
            step
        })?;
        let (mut shared, mut private) = (Vec::new(), Vec::new());
        for ((file, _), content) in local.iter().zip(contents) {
            let artifact = Artifact::new(file.key.clone(), content, file.kind);
            match &file.source {
                FileSource::Shared(_) => shared.push(artifact),
                // Only a store with a name can have been filled by somebody else.
                FileSource::Closed(_) if derived.store_dir.is_some() => shared.push(artifact.only_found()),
                _ => private.push(artifact),
            }
        }

        let facts = timing.time("ResourceManager asked", facts::gather(&self.yarn, derived));
        let puts_files = derived.files.iter().any(|file| matches!(file.source, FileSource::OfApplication(_)));
        let answers = facts::first_answer(&self.storage, &self.ground.base, puts_files);
        let answers = timing.time("NameNode asked", answers);
        let only_local = !derived.files.iter().any(|file| file.source.is_remote());
        let looked = remote_files(&self.hadoop, &derived.files, &derived.names, warnings);
        let remote = async {
            if only_local {
                return looked.await;
            }
            timing.time("remote files looked at", looked).await
        };
        let savepoint = savepoint::check(&self.hadoop, derived.savepoint.as_deref());
        let remote = async { Ok(future::try_join(remote, savepoint).await?.0) };
        let surveys = async {
            let surveys = future::try_join(self.shared.survey(shared), self.private.survey(private));
            let surveys = async {
                let (shared, private) = surveys.await?;
                self.divide(shared, private).await
            };
            timing.time("stores looked at", surveys).await
        };
        let (facts, (), mut remote, (shared, private, distrust)) = if derived.fast_start {
            future::try_join4(facts, answers, remote, surveys).await?
        } else {
            let (facts, answers, remote) = future::try_join3(facts, answers, remote).await?;
            (facts, answers, remote, surveys.await?)
        };
        // The NameNode would refuse each file, one after the other.
        self.shared.require_no_zone(&shared).await?;
        self.private.require_no_zone(&private).await?;
        zones::check(&self.hadoop, &mut remote, warnings).await?;
        let directory = self.directory(facts.application.id).url()?;
        let security = self.security(derived, &remote, warnings)?;
        let user = self.hadoop.login.user();
        let answers = Answers {
            conf: &self.hadoop.conf,
            // With Kerberos, this is a principal, for which servers have a shorter name.
            user: if security.is_some() { user.short_name() } else { &user.effective },
            facts: &facts,
            directory: &directory,
            remote: &remote,
            security: security.as_ref(),
        };
        let staging = self.ground.warning.clone();
        staging.into_iter().chain(distrust).for_each(|warning| warnings.warn(warning));
        let resolved = Resolved::new(derived, &answers, warnings)?;
        Ok((resolved, Surveys { shared, private, hashes }))
    }

    /// Decides how the application gets access to Hadoop's services, if the cluster has Kerberos.
    fn security(
        &self,
        derived: &Derived,
        remote: &[RemoteFile],
        warnings: &mut Warnings,
    ) -> Result<Option<Security>, Failure> {
        let mut places = vec![
            Place::needed(self.storage.root(), "staging directory"),
            Place::needed(self.shared.url()?, "store"),
        ];
        // There may be hundreds of files, but they are on few file systems.
        let root = |url: &str| url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let of_files: BTreeSet<(String, &str)> =
            remote.iter().map(|file| (root(&file.resource.url), file.by)).collect();
        places.extend(of_files.into_iter().map(|(url, by)| Place::needed(url, by)));
        places.extend(derived.savepoint.iter().map(|path| Place::needed(path, "savepoint")));
        let situation = Situation {
            hadoop: &self.hadoop.conf,
            flink: &derived.configuration,
            login: &self.hadoop.login,
            via: self.hadoop.via.to_string(),
            keytab: derived.kerberos.keytab.is_some(),
        };
        let root_of = |url: &str| self.hadoop.storage(Some(url)).map(|storage| storage.root().to_owned());
        situation.decide(places, &root_of, warnings)
    }

    /// Lets the private store serve what the shared one does not: what may not be added there, and what is
    /// not trusted. The last value warns of the latter, and of a store that is not there and cannot be made.
    async fn divide(
        &self,
        shared: Inventory,
        private: Inventory,
    ) -> Result<(Inventory, Inventory, Option<String>), Failure> {
        let Division { inventory, elsewhere, refused, unmade } = self.shared.divide(shared).await?;
        let private = if elsewhere.is_empty() {
            private
        } else {
            self.private.survey(private.into_artifacts().into_iter().chain(elsewhere).collect()).await?
        };
        self.private.require_root(&private)?;
        let store = self.shared.url()?;
        let warning = refused.map(|refused| warning_of(&refused, &store));
        Ok((inventory, private, warning.or_else(|| (unmade > 0).then(|| warning_of_none(&store, unmade)))))
    }

    /// The directory of an application. The directory is not created yet.
    pub(crate) fn directory(&self, id: impl std::fmt::Display) -> ApplicationDir {
        ApplicationDir::new(self.storage.clone(), &self.ground, &id.to_string(), self.replication)
    }

    /// Refuses a deployment if the NameNode would not let the user write what must be written. Nothing is
    /// written here.
    pub(crate) async fn check_rights(&self, resolved: &Resolved, surveys: &Surveys) -> Result<(), Failure> {
        let fs = |e| Failure::fs(&e);
        let directory = self.directory(resolved.application.id);
        self.storage.check_writable(directory.path()).await.map_err(fs)?;
        for (store, survey) in [(&self.shared, &surveys.shared), (&self.private, &surveys.private)] {
            if !survey.missing().is_empty() {
                store.check_writable().await?;
            }
        }
        Ok(())
    }
}

/// Says that there is no store.
fn warning_of_none(store: &str, files: usize) -> String {
    format!(
        "there is no store at {store}, and you may not make one, so your private store gets {}; whoever may write there, such as an \
         administrator, fills one for all users with `heddle store publish`",
        count(files, "file")
    )
}

/// Says which files of a store are not used.
fn warning_of(refused: &Refused, store: &str) -> String {
    let Refused { files, why, whole_store } = refused;
    let files = count(*files, "file");
    if *whole_store {
        return format!(
            "the store {store} is not used, and your private store gets {files} instead: {why}; whoever can replace the store decides what \
             runs with your rights. `heddle store publish` fills one for all users, in a directory in which only its owner may write"
        );
    }
    format!(
        "the store does not serve {files}, which your private store gets instead: {why}; only files are used that belong to you or to \
         the owner of the store, and that nobody else may write to"
    )
}
