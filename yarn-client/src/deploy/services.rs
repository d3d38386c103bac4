//! Holds the connections to the services of the cluster that a deployment needs. It asks the services
//! everything that must be known before anything is written, and as much as possible of it at the same time,
//! because each question takes a round trip.

use std::path::PathBuf;

use artifact_store::{Artifact, Concurrency, Hashes, Inventory, PRIVATE_STORE, SHARED_STORE, Store, below};
use futures::future;
use hadoop_fs::Storage;
use yarn_api::ApplicationClient;

use super::container_files::{ContainerFile, FileSource};
use super::derived::Derived;
use super::remote_files::remote_files;
use super::resolved::{Answers, Resolved};
use super::{facts, savepoint};
use crate::context::Context;
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::staging::ApplicationDir;
use crate::timing::Timing;
use crate::units::count;
use crate::warning::Warnings;

/// The connections to the cluster's services, and the directories that a deployment uses there.
pub(crate) struct Services {
    pub(crate) hadoop: Hadoop,
    pub(crate) yarn: ApplicationClient,
    pub(crate) storage: Storage,
    /// The directory in which `.flink/<application id>` is created.
    pub(crate) base: String,
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
    /// Opens the file systems. No service is asked yet.
    pub(crate) fn new(derived: &Derived, hadoop: Hadoop, yarn: ApplicationClient) -> Result<Self, Failure> {
        let staging = derived.staging_base.as_deref();
        let storage = hadoop.storage(staging)?;
        let base = facts::staging_base(&storage, staging)?;
        let store_storage = hadoop.storage(derived.store_dir.as_deref().or(staging))?;
        let store_root = match &derived.store_dir {
            Some(dir) => dir.clone(),
            None => below(&base, SHARED_STORE),
        };
        let replication = derived.replication;
        let concurrency = if derived.fast_start { Concurrency::QUICK } else { Concurrency::PLAIN };
        let shared = Store::shared(store_storage, &store_root, replication, concurrency)?;
        let private =
            Store::private(storage.clone(), &below(&base, PRIVATE_STORE), replication, concurrency)?;
        Ok(Self { hadoop, yarn, storage, base, shared, private, replication })
    }

    /// Asks all services at once, and makes the remaining decisions.
    pub(crate) async fn resolve(
        &self,
        derived: &Derived,
        context: &Context,
        timing: &Timing,
        warnings: &mut Warnings,
    ) -> Result<(Resolved, Surveys), Failure> {
        let local: Vec<(&ContainerFile, &PathBuf, bool)> = derived
            .files
            .iter()
            .filter_map(|file| match &file.source {
                FileSource::Shared(path) => Some((file, path, true)),
                FileSource::Private(path) => Some((file, path, false)),
                FileSource::Remote(_) | FileSource::RemoteTree(_) | FileSource::RemotePath(_) => None,
            })
            .collect();
        let paths: Vec<PathBuf> = local.iter().map(|(_, path, _)| (*path).clone()).collect();
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
        for ((file, _, in_shared), content) in local.iter().zip(contents) {
            let artifact = Artifact::new(file.key.clone(), content, file.kind);
            if *in_shared { shared.push(artifact) } else { private.push(artifact) }
        }

        let facts = timing.time("ResourceManager asked", facts::gather(&self.yarn, derived));
        let answers = timing.time("NameNode asked", facts::first_answer(&self.storage, &self.base));
        let only_local = local.len() == derived.files.len();
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
            Ok(timing.time("stores looked at", surveys).await?)
        };
        let (facts, (), remote, (shared, private)) = if derived.fast_start {
            future::try_join4(facts, answers, remote, surveys).await?
        } else {
            let (facts, answers, remote) = future::try_join3(facts, answers, remote).await?;
            (facts, answers, remote, surveys.await?)
        };
        let directory = self.directory(facts.application.id).url()?;
        let answers = Answers {
            conf: &self.hadoop.conf,
            user: &self.hadoop.login.user().effective,
            facts: &facts,
            directory: &directory,
            remote: &remote,
        };
        let resolved = Resolved::new(derived, &answers, warnings)?;
        Ok((resolved, Surveys { shared, private, hashes }))
    }

    /// The directory of an application. The directory is not created yet.
    pub(crate) fn directory(&self, id: impl std::fmt::Display) -> ApplicationDir {
        ApplicationDir::new(self.storage.clone(), &self.base, &id.to_string(), self.replication)
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
