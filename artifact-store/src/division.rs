//! Decides which of a deployment's files one store serves, if the store may belong to somebody else: files
//! that are there and can be trusted, and files that the user may add. All others go to another store.

use hadoop_fs::{FileStatus, FsErrorKind};

use crate::error::StoreError;
use crate::store::{Artifact, Inventory, Statuses, Store, is_there};
use crate::trust::{Distrust, Judge, RootOwner, check_own, check_own_alone, inside, is_below};
use crate::visibility::ancestors;

/// An inventory, divided.
#[derive(Debug)]
pub struct Division {
    /// What the store serves.
    pub inventory: Inventory,
    /// What another store has to serve.
    pub elsewhere: Vec<Artifact>,
    /// Files that the store could serve, if it were trusted.
    pub refused: Option<Refused>,
    /// The number of files that the store does not get because it is not there, and the user may not make it.
    pub unmade: usize,
}

/// Files that are not taken from a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// How many files these are.
    pub files: usize,
    /// Why the store, or the first of the files, is not trusted.
    pub why: Distrust,
    /// Whether the store as a whole is not trusted.
    pub whole_store: bool,
}

/// What a store does with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Service {
    /// It is there.
    Has,
    /// It is not there, and the user owns the directory for it, or will.
    Adds,
    /// The user may add it if the user may write to the store's root, or may make it.
    NeedsRoot,
    /// It is not there, and the user may not add it.
    Lacks,
    /// What is there is not trusted.
    Distrusts(Distrust),
}

impl Store {
    /// Divides an inventory. The result holds all artifacts, in their order. Nothing is asked, except, if
    /// that decides, whether the user may write to the store's root, or may make it.
    pub async fn divide(&self, inventory: Inventory) -> Result<Division, StoreError> {
        let services = self.services(&inventory);
        let decides = services.contains(&Service::NeedsRoot) && self.may_upload(&inventory.known);
        let may_write_root = decides && self.may_write_root(&inventory.known).await?;
        Ok(self.share_out(inventory, services, may_write_root))
    }

    /// What the store does with each file.
    fn services(&self, inventory: &Inventory) -> Vec<Service> {
        let Inventory { artifacts, paths, known } = inventory;
        let of_root = self.trust_root(known);
        let has_owners = self.storage.has_owners();
        let root = known.get(&self.root).and_then(Option::as_ref).filter(|_| has_owners);
        let is_named = matches!(self.root_owner, RootOwner::Named { .. });
        let serve = |(artifact, path): (&Artifact, &Option<String>)| {
            let is_whole = path.as_ref().is_some_and(|path| is_there(artifact, known.get(path)));
            let service = match (&of_root, root, path) {
                (Err(distrust), ..) => Service::Distrusts(distrust.clone()),
                (Ok(()), Some(root), Some(path)) => self.service(root, path, is_whole, known),
                (Ok(()), Some(_), None) => Service::NeedsRoot,
                (Ok(()), None, _) if is_whole => Service::Has,
                // A store that does not exist yet will be the user's own. Its usual place is the user's, too.
                (Ok(()), None, _) if has_owners && is_named => Service::NeedsRoot,
                (Ok(()), None, _) => Service::Adds,
            };
            let adds = matches!(service, Service::Adds | Service::NeedsRoot);
            if adds && artifact.only_found { Service::Lacks } else { service }
        };
        artifacts.iter().zip(paths).map(serve).collect()
    }

    /// Divides an inventory by what the store does with each file.
    fn share_out(&self, inventory: Inventory, services: Vec<Service>, may_write_root: bool) -> Division {
        let Inventory { artifacts, paths, known } = inventory;
        let uploads = self.may_upload(&known);
        let has_root = known.get(&self.root).is_some_and(Option::is_some);
        let whole_store = self.trust_root(&known).is_err();
        let mut served = Inventory { artifacts: Vec::new(), paths: Vec::new(), known };
        let (mut elsewhere, mut refused, mut unmade) = (Vec::new(), None, 0);
        for ((artifact, path), service) in artifacts.into_iter().zip(paths).zip(services) {
            match service {
                Service::Has => {}
                Service::Adds if uploads => {}
                Service::NeedsRoot if uploads && may_write_root => {}
                Service::Adds | Service::NeedsRoot | Service::Lacks => {
                    unmade += usize::from(service == Service::NeedsRoot && !has_root);
                    elsewhere.push(artifact.for_another_store());
                    continue;
                }
                Service::Distrusts(why) => {
                    refused.get_or_insert(Refused { files: 0, why, whole_store }).files += 1;
                    elsewhere.push(artifact.for_another_store());
                    continue;
                }
            }
            served.artifacts.push(artifact);
            served.paths.push(path);
        }
        Division { inventory: served, elsewhere, refused, unmade }
    }

    /// Fails if the user may not publish files in the store: it must be the user's own, and nobody else may
    /// write to it, or exchange it. The same holds for all places of the inventory's files.
    pub fn require_publisher(&self, inventory: &Inventory) -> Result<(), StoreError> {
        self.require_root(inventory)?;
        let known = &inventory.known;
        let root = known.get(&self.root).and_then(Option::as_ref).filter(|_| self.storage.has_owners());
        let own = root.map_or(Ok(()), |root| check_own_alone(root, self.storage.user()));
        own.map_err(|distrust| self.untrusted(distrust))?;
        inventory.paths.iter().flatten().try_for_each(|path| self.require_trust(path, known))
    }

    /// Why other users, who name this store, do not use it; `None` if they do.
    pub async fn distrusted_by_others(&self) -> Result<Option<Distrust>, StoreError> {
        if !self.storage.has_owners() {
            return Ok(None);
        }
        let known = self.look_above().await?;
        // Nobody has this name, and nobody's home holds the store.
        let root_owner = RootOwner::Named { home: self.root.clone() };
        let judge = Judge { user: "", root_owner: &root_owner, private: false };
        Ok(judge.root(&self.root, levels_of_root(&self.root, &known)).err())
    }

    /// Fails if the store itself is not trusted. This is for stores that no other one can stand in for.
    pub fn require_root(&self, inventory: &Inventory) -> Result<(), StoreError> {
        self.trust_root(&inventory.known).map_err(|distrust| self.untrusted(distrust))
    }

    /// Fails if the file at `path`, which a container is to get, is not trusted.
    pub(crate) fn require_trust(&self, path: &str, known: &Statuses) -> Result<(), StoreError> {
        let root = known.get(&self.root).and_then(Option::as_ref).filter(|_| self.storage.has_owners());
        let levels = levels(path, &self.root).into_iter();
        let found = levels.filter_map(|level| known.get(&level)?.as_ref());
        self.trust_root(known)
            .and_then(|()| root.map_or(Ok(()), |root| inside(self.storage.user(), &root.owner, found)))
            .map_err(|distrust| self.untrusted(distrust))
    }

    fn untrusted(&self, distrust: Distrust) -> StoreError {
        let store = self.storage.url(&self.root).unwrap_or_else(|_| self.root.clone());
        let is_named = matches!(self.root_owner, RootOwner::Named { .. });
        let remedy = distrust.remedy(is_named.then_some(&*self.root));
        StoreError::Untrusted { store, distrust, remedy }
    }

    fn trust_root(&self, known: &Statuses) -> Result<(), Distrust> {
        if !self.storage.has_owners() {
            return Ok(());
        }
        self.judge().root(&self.root, levels_of_root(&self.root, known))
    }

    /// What the store does with the file at `path`. `is_whole` says whether a file of the right size is
    /// there.
    fn service(&self, root: &FileStatus, path: &str, is_whole: bool, known: &Statuses) -> Service {
        let user = self.storage.user();
        let levels = levels(path, &self.root);
        let found: Vec<&FileStatus> = levels.iter().filter_map(|level| known.get(level)?.as_ref()).collect();
        if let Err(distrust) = inside(user, &root.owner, found.iter().copied()) {
            return Service::Distrusts(distrust);
        }
        if is_whole {
            return Service::Has;
        }
        // All directories that are there belong to the user or to the store's owner, and only owners write.
        match found.iter().rfind(|level| level.is_dir) {
            Some(deepest) if deepest.owner == user => Service::Adds,
            Some(_) => Service::Lacks,
            None => Service::NeedsRoot,
        }
    }

    /// Whether the user's directory for uploads is not another user's.
    fn may_upload(&self, known: &Statuses) -> bool {
        let incoming = known.get(&self.incoming(known)).and_then(Option::as_ref);
        let incoming = incoming.filter(|_| self.storage.has_owners());
        incoming.is_none_or(|incoming| check_own(incoming, self.storage.user()).is_ok())
    }

    /// Fails if a directory that the user has just made, or found, is not the user's own.
    pub(crate) async fn require_own(&self, directory: &str) -> Result<(), StoreError> {
        if !self.storage.has_owners() {
            return Ok(());
        }
        let found = self.storage.status(directory).await?;
        check_own(&found, self.storage.user()).map_err(|distrust| self.untrusted(distrust))
    }

    /// Whether the user may add directories to the store's root, or may make it.
    async fn may_write_root(&self, known: &Statuses) -> Result<bool, StoreError> {
        let nearest = levels_of_root(&self.root, known).last();
        if nearest.is_some_and(|nearest| nearest.owner == self.storage.user()) {
            return Ok(true);
        }
        match self.storage.check_writable(&self.root).await {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == FsErrorKind::PermissionDenied => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}

/// The directories from the root of the file system down to that of a store, as far as they exist.
fn levels_of_root<'k>(root: &str, known: &'k Statuses) -> impl Iterator<Item = &'k FileStatus> + use<'k> {
    let levels = ancestors(&format!("{root}/x")).into_iter();
    levels.filter_map(|level| known.get(&level)?.as_ref())
}

/// The directories between the root of a store and a file, and the file itself.
fn levels(path: &str, root: &str) -> Vec<String> {
    let mut levels = ancestors(path);
    levels.retain(|level| is_below(level, root));
    levels.push(path.to_owned());
    levels
}

#[cfg(test)]
#[path = "division_tests.rs"]
mod tests;
