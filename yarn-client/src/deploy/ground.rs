//! What is looked at before anything is written: YARN, HDFS and the files on this machine.

use std::collections::BTreeMap;

use flink_model::class_path::ContainerFiles;
use flink_model::spec::{Resource, ResourceKind};
use futures::future;
use hadoop_fs::Storage;
use yarn_api::ApplicationClient;

use super::facts::{self, Facts};
use super::prepare::Prepared;
use super::resolve::{RemoteFile, resolve};
use super::undo::Undo;
use super::wanted::{BRIDGE, Origin, Part, Wanted};
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::report::Report;
use crate::staging::{ApplicationDir, Artifact, Store, below, hash_files};
use std::sync::Arc;

/// Below the staging directory's base: the store for files that anybody may see, and the one for the user's own.
pub(crate) const SHARED_STORE: &str = ".heddle/store";
pub(crate) const PRIVATE_STORE: &str = ".heddle/private";

/// All that a deployment works on.
pub(crate) struct Ground {
    pub(crate) hadoop: Hadoop,
    pub(crate) yarn: ApplicationClient,
    pub(crate) storage: Storage,
    /// Directory in which `.flink/<application id>` is made.
    pub(crate) base: String,
    pub(crate) facts: Facts,
    pub(crate) directory: ApplicationDir,
    shared: (Store, Vec<Artifact>),
    private: (Store, Vec<Artifact>),
    remote: Vec<RemoteFile>,
    parts: BTreeMap<String, Part>,
}

/// A file of the containers, as YARN gets it.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) resource: Resource,
    pub(crate) part: Part,
    /// It is not on the cluster yet (only in a plan that is not carried out).
    pub(crate) upload: bool,
}

impl Ground {
    /// Looks at everything; refuses what cannot work.
    pub(crate) async fn look(
        prepared: &Prepared,
        hadoop: Hadoop,
        yarn: ApplicationClient,
        report: &dyn Report,
    ) -> Result<Self, Failure> {
        let staging = prepared.staging_base.as_deref();
        let storage = hadoop.storage(staging)?;
        let local = |wanted: &Wanted| match &wanted.origin {
            Origin::Shared(path) | Origin::Private(path) => Some(path.clone()),
            _ => None,
        };
        let paths: Vec<_> = prepared.wanted.iter().filter_map(local).collect();
        let cache = prepared.context.cache_dir().map(|dir| dir.join("hashes.json"));
        let (facts, hashed, base, remote) = future::try_join4(
            facts::gather(&yarn),
            hash_files(&paths, cache),
            facts::staging_base(&storage, staging),
            resolve(&hadoop, &prepared.wanted, prepared.release, report),
        )
        .await?;
        facts::check(prepared, &hadoop, &facts, report)?;

        let (mut shared, mut private) = (Vec::new(), Vec::new());
        let mut hashed = hashed.into_iter();
        for wanted in prepared.wanted.iter().filter(|w| local(w).is_some()) {
            let Some(file) = hashed.next() else { break };
            let artifact = Artifact { key: wanted.key.clone(), file, kind: wanted.kind };
            let list = if matches!(wanted.origin, Origin::Shared(_)) { &mut shared } else { &mut private };
            list.push(artifact);
        }
        let store_storage = hadoop.storage(prepared.store_dir.as_deref().or(staging))?;
        let store_root = match &prepared.store_dir {
            Some(dir) => dir.clone(),
            None => below(&base, SHARED_STORE),
        };
        let replication = prepared.replication;
        let id = facts.application.id.to_string();
        let local_parts = prepared.wanted.iter().map(|w| (w.key.clone(), w.part));
        let remote_parts = remote.iter().map(|f| (f.resource.key.clone(), f.part));
        Ok(Self {
            directory: ApplicationDir::new(storage.clone(), &base, &id, replication),
            shared: (Store::shared(store_storage, &store_root, replication)?, shared),
            private: (Store::private(storage.clone(), &below(&base, PRIVATE_STORE), replication)?, private),
            parts: local_parts.chain(remote_parts).collect(),
            hadoop,
            yarn,
            storage,
            base,
            facts,
            remote,
        })
    }

    /// The files as they will be; nothing is written.
    pub(crate) async fn planned(&self) -> Result<Vec<Placed>, Failure> {
        let (shared, private) =
            future::try_join(self.shared.0.survey(&self.shared.1), self.private.0.survey(&self.private.1))
                .await?;
        let mut planned = self.shared.0.planned(&shared)?;
        planned.append(&mut self.private.0.planned(&private)?);
        let mut placed: Vec<Placed> =
            planned.into_iter().map(|(resource, upload)| self.placed(resource, upload)).collect();
        placed.extend(self.remote.iter().map(|f| self.placed(f.resource.clone(), false)));
        Ok(placed)
    }

    /// Brings all files to the cluster.
    pub(crate) async fn place(&self, undo: &Undo, report: &Arc<dyn Report>) -> Result<Vec<Placed>, Failure> {
        let (shared, private) =
            future::try_join(self.shared.0.survey(&self.shared.1), self.private.0.survey(&self.private.1))
                .await?;
        let missing = [shared.missing(), private.missing()].concat();
        if !missing.is_empty() {
            report.upload_begins(missing.len(), missing.iter().sum());
        }
        let brought = future::try_join(
            self.shared.0.complete(shared, &undo.unfinished, report),
            self.private.0.complete(private, &undo.unfinished, report),
        )
        .await;
        if !missing.is_empty() {
            report.upload_ends();
        }
        let (mut resources, mut private) = brought?;
        resources.append(&mut private);
        resources.extend(self.remote.iter().map(|f| f.resource.clone()));
        Ok(resources.into_iter().map(|resource| self.placed(resource, false)).collect())
    }

    fn placed(&self, resource: Resource, upload: bool) -> Placed {
        let part = self.parts.get(&resource.key).copied().unwrap_or(Part::Apart);
        Placed { resource, part, upload }
    }
}

/// What of it stands on the class path.
pub(crate) fn container_files(prepared: &Prepared, placed: &[Placed]) -> ContainerFiles {
    let of = |part: Part| {
        let keys = placed.iter().filter(move |p| p.part == part && p.resource.kind == ResourceKind::File);
        keys.map(|p| p.resource.key.clone())
    };
    ContainerFiles {
        shipped: of(Part::System).chain(prepared.logging.1.iter().map(|f| f.key.clone())).collect(),
        user: of(Part::User).collect(),
        bridge: Some(BRIDGE.to_owned()),
    }
}
