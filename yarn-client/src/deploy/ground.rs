//! What is looked at before anything is written: YARN, HDFS and the files on this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use artifact_store::{Artifact, Hashes, PRIVATE_STORE, Pace, SHARED_STORE, Store, Survey, Uploaded, below};
use flink_model::class_path::ContainerFiles;
use flink_model::container::BRIDGE;
use flink_model::local_resource::{LocalResource, LocalResourceKind, Visibility};
use futures::future;
use hadoop_fs::Storage;
use yarn_api::ApplicationClient;

use super::facts::Facts;
use super::prepare::Prepared;
use super::resolve::{RemoteFile, resolve};
use super::undo::Undo;
use super::wanted::{Origin, Part, Wanted};
use super::{facts, savepoint};
use crate::error::Failure;
use crate::hadoop::Hadoop;
use crate::report::Report;
use crate::staging::ApplicationDir;
use crate::timing::Timing;
use crate::units::{bytes, count};

/// All that a deployment works on.
pub(crate) struct Ground {
    pub(crate) hadoop: Hadoop,
    pub(crate) yarn: ApplicationClient,
    pub(crate) storage: Storage,
    /// Directory in which `.flink/<application id>` is made.
    pub(crate) base: String,
    pub(crate) facts: Facts,
    /// The cluster as it is can give what is asked for, as far as is known.
    pub(crate) fits: bool,
    pub(crate) directory: ApplicationDir,
    shared: Store,
    private: Store,
    hashes: Hashes,
    remote: Vec<RemoteFile>,
    parts: BTreeMap<String, Part>,
}

/// What the stores have of the files, and what they lack.
#[derive(Debug)]
pub(crate) struct Stock {
    shared: Survey,
    private: Survey,
}

impl Stock {
    /// Nothing has to be uploaded.
    pub(crate) fn is_complete(&self) -> bool {
        self.shared.missing().is_empty() && self.private.missing().is_empty()
    }
}

/// A file of the containers, as YARN gets it.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) resource: LocalResource,
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
    ) -> Result<(Self, Stock), Failure> {
        let staging = prepared.staging_base.as_deref();
        let storage = hadoop.storage(staging)?;
        let base = facts::staging_base(&storage, staging)?;
        let timing = &prepared.timing;
        let local: Vec<(&Wanted, &PathBuf, bool)> = prepared
            .wanted
            .iter()
            .filter_map(|wanted| match &wanted.origin {
                Origin::Shared(path) => Some((wanted, path, true)),
                Origin::Private(path) => Some((wanted, path, false)),
                _ => None,
            })
            .collect();
        let paths: Vec<PathBuf> = local.iter().map(|(_, path, _)| (*path).clone()).collect();
        let hashes = Hashes::open(prepared.context.cache_dir().map(|dir| dir.join("hashes.json")));
        let contents = hashes.begin(&paths, |files| {
            let leg = timing.leg("files hashed").end_when_dropped(count(files, "file"));
            if files == 0 {
                leg.cancel();
            }
            leg
        })?;
        let (mut shared, mut private) = (Vec::new(), Vec::new());
        for ((wanted, _, in_shared), file) in local.iter().zip(contents) {
            let artifact = Artifact::new(wanted.key.clone(), file, wanted.kind);
            if *in_shared { shared.push(artifact) } else { private.push(artifact) }
        }

        let store_storage = hadoop.storage(prepared.store_dir.as_deref().or(staging))?;
        let store_root = match &prepared.store_dir {
            Some(dir) => dir.clone(),
            None => below(&base, SHARED_STORE),
        };
        let replication = prepared.replication;
        let pace = if prepared.fast_start { Pace::QUICK } else { Pace::PLAIN };
        let shared_store = Store::shared(store_storage, &store_root, replication, pace)?;
        let private_store = Store::private(storage.clone(), &below(&base, PRIVATE_STORE), replication, pace)?;

        let facts = timing.time("ResourceManager asked", facts::gather(&yarn, prepared));
        let answers = timing.time("NameNode asked", facts::first_answer(&storage, &base));
        let resolved = resolve(&hadoop, &prepared.wanted, &prepared.names, report);
        let remote = async {
            if local.len() == prepared.wanted.len() {
                return resolved.await;
            }
            timing.time("remote files looked at", resolved).await
        };
        let savepoint = savepoint::check(&hadoop, prepared.savepoint.as_deref());
        let remote = async { Ok(future::try_join(remote, savepoint).await?.0) };
        let stock = async {
            let surveys = future::try_join(shared_store.survey(shared), private_store.survey(private));
            Ok(timing.time("stores looked at", surveys).await?)
        };
        let (facts, (), remote, (shared, private)) = if prepared.fast_start {
            future::try_join4(facts, answers, remote, stock).await?
        } else {
            let (facts, answers, remote) = future::try_join3(facts, answers, remote).await?;
            (facts, answers, remote, stock.await?)
        };
        let fits = facts::check(prepared, &hadoop, &facts, report)?;

        let id = facts.application.id.to_string();
        let local_parts = prepared.wanted.iter().map(|w| (w.key.clone(), w.part));
        let remote_parts = remote.iter().map(|f| (f.resource.key.clone(), f.part));
        let ground = Self {
            directory: ApplicationDir::new(storage.clone(), &base, &id, replication),
            shared: shared_store,
            private: private_store,
            hashes,
            parts: local_parts.chain(remote_parts).collect(),
            hadoop,
            yarn,
            storage,
            base,
            facts,
            fits,
            remote,
        };
        Ok((ground, Stock { shared, private }))
    }

    /// Refuses a plan where the NameNode would not let the user write what has to be written; nothing is.
    pub(crate) async fn check_rights(&self, stock: &Stock) -> Result<(), Failure> {
        let fs = |e| Failure::fs(&e);
        self.storage.check_writable(self.directory.path()).await.map_err(fs)?;
        for (store, survey) in [(&self.shared, &stock.shared), (&self.private, &stock.private)] {
            if !survey.missing().is_empty() {
                store.check_writable().await?;
            }
        }
        Ok(())
    }

    /// The files as they will be; nothing is written.
    pub(crate) async fn planned(&self, stock: Stock) -> Result<Vec<Placed>, Failure> {
        let (mut planned, mut private) =
            future::try_join(self.shared.planned(stock.shared), self.private.planned(stock.private)).await?;
        planned.append(&mut private);
        let mut placed: Vec<Placed> =
            planned.into_iter().map(|(resource, upload)| self.placed(resource, upload)).collect();
        placed.extend(self.remote.iter().map(|f| self.placed(f.resource.clone(), false)));
        Ok(placed)
    }

    /// Brings all files to the cluster.
    pub(crate) async fn place(
        &self,
        stock: Stock,
        timing: &Timing,
        undo: &Undo,
        report: &Arc<dyn Report>,
    ) -> Result<Vec<Placed>, Failure> {
        let Stock { shared, private } = stock;
        let missing = [shared.missing(), private.missing()].concat();
        let upload = timing.leg("upload");
        if !missing.is_empty() {
            report.upload_begins(missing.len(), missing.iter().sum());
        }
        let listener = Arc::clone(report);
        let uploaded: Uploaded = Arc::new(move |name, bytes| listener.uploaded(name, bytes));
        let brought = future::try_join(
            self.shared.complete(shared, &undo.unfinished, &uploaded),
            self.private.complete(private, &undo.unfinished, &uploaded),
        )
        .await;
        if !missing.is_empty() {
            report.upload_ends();
            upload.end_of(format!("{}, {}", count(missing.len(), "file"), bytes(missing.iter().sum())));
        }
        let (mut brought, mut private) = brought?;
        brought.append(&mut private);
        let (contents, mut resources): (Vec<_>, Vec<_>) = brought.into_iter().unzip();
        if let Err(failure) = self.hashes.remember(&contents).map_err(Failure::from) {
            let hints = failure.hints().join("; ");
            report.warn(&format!("{failure}; {hints}"));
        }
        resources.extend(self.remote.iter().map(|f| f.resource.clone()));
        Ok(resources.into_iter().map(|resource| self.placed(resource, false)).collect())
    }

    /// The files by their names alone.
    pub(crate) fn names(&self) -> Vec<Placed> {
        let resource = |key: &String| LocalResource {
            key: key.clone(),
            url: String::new(),
            size: 0,
            modification_time: 0,
            visibility: Visibility::Private,
            kind: LocalResourceKind::File,
        };
        let each = self.parts.iter();
        each.map(|(key, part)| Placed { resource: resource(key), part: *part, upload: false }).collect()
    }

    /// The store for files that anybody may see, and the one for the user's own.
    pub(crate) fn stores(&self) -> (&Store, &Store) {
        (&self.shared, &self.private)
    }

    fn placed(&self, resource: LocalResource, upload: bool) -> Placed {
        let part = self.parts.get(&resource.key).copied().unwrap_or(Part::Apart);
        Placed { resource, part, upload }
    }
}

/// What of it stands on the class path.
pub(crate) fn container_files(placed: &[Placed]) -> ContainerFiles {
    let of = |part: Part| {
        let keys =
            placed.iter().filter(move |p| p.part == part && p.resource.kind == LocalResourceKind::File);
        keys.map(|p| p.resource.key.clone())
    };
    ContainerFiles {
        // Configuration and logging settings lie in the working directory, which stands behind the jars: it
        // is no part of what a class data archive can be made for.
        shipped: of(Part::System).collect(),
        user: of(Part::User).collect(),
        bridge: Some(BRIDGE.to_owned()),
    }
}
