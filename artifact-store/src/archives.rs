//! Class data archives in a store: chooses the archives that the containers of a role get, and adds new
//! archives.

use std::path::Path;

use flink_model::class_data::{ArchiveName, CONTAINER_DIRECTORY, ClassDataSpec, DIRECTORY, JavaId};
use flink_model::local_resource::{LocalResource, LocalResourceKind};
use futures::future;
use hadoop_fs::{FileStatus, FsErrorKind, Source, Storage, WriteOptions};

use crate::error::StoreError;
use crate::store::{Statuses, Store};
use crate::trust::{Distrust, check_own, inside, is_below, is_loose};
use crate::visibility::{ancestors, visibility};

/// The largest number of archives that the containers get. One may not be enough, because the nodes may have
/// two versions of Java, for example while one replaces the other. More cost time, because every node copies
/// each of these files.
const MOST: usize = 2;

/// The archives in a directory of the store.
#[derive(Debug, Default, PartialEq)]
struct Choice<'a> {
    /// The newest archives that are complete, at most `MOST`.
    whole: Vec<&'a FileStatus>,
    /// Archives with another size than their names say, each with the size in its name.
    damaged: Vec<(&'a FileStatus, u64)>,
}

fn choose<'a>(files: &'a [FileStatus], owners: &[String]) -> Choice<'a> {
    let mut choice = Choice::default();
    for file in files.iter().filter(|file| !file.is_dir && owners.contains(&file.owner)) {
        match file.path.parse::<ArchiveName>() {
            Ok(name) if name.size == file.len => choice.whole.push(file),
            Ok(name) => choice.damaged.push((file, name.size)),
            Err(_) => {}
        }
    }
    choice.whole.sort_by_key(|file| std::cmp::Reverse(file.modified_ms));
    choice.whole.truncate(MOST);
    choice
}

/// The archives in a store for the JVMs of one role.
#[derive(Debug)]
pub struct Archives {
    /// What the ApplicationMaster needs to add an archive.
    pub order: ClassDataSpec,
    /// The archives as local resources.
    pub resources: Vec<LocalResource>,
    /// Whether the user may add an archive.
    pub may_add: bool,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl Store {
    /// The archives in `directory`, which is a path below the store's root. `class_path` holds the jars that
    /// the archives are made of. All questions to the NameNode are asked at the same time, so they take one
    /// round trip.
    pub async fn archives(&self, directory: &str, class_path: Vec<String>) -> Result<Archives, StoreError> {
        let fs = StoreError::from;
        let path = format!("{}/{directory}", self.root.trim_end_matches('/'));
        let list = async {
            match self.storage.list(&path, false).await {
                Err(e) if e.kind() == FsErrorKind::NotFound => Ok(Vec::new()),
                found => found.map_err(fs),
            }
        };
        let (files, above) = future::join(list, self.ask(ancestors(&format!("{path}/x")))).await;
        let above = self.admitted(above?)?;
        let user = self.storage.user().to_owned();
        let root = above.get(&self.root).and_then(Option::as_ref).map(|root| root.owner.clone());
        let owners: Vec<String> = std::iter::once(user).chain(root).collect();
        let mut warnings = Vec::new();
        let distrust = self.require_trust(&path, &above).err();
        if let Some(why) = &distrust {
            warnings.push(format!("class data archives are not looked for: {why}"));
        }
        let strict = self.storage.has_owners();
        let mut files = if distrust.is_some() { Vec::new() } else { files? };
        files.retain(|file| !strict || !is_loose(file));
        let may_add = distrust.is_none() && self.may_make(&path, &above);
        let choice = choose(&files, &owners);
        for (file, size) in &choice.damaged {
            let url = self.storage.url(&file.path).map_err(fs)?;
            warnings.push(format!(
                "the class data archive {url} is damaged and is left out: it has {} bytes and not {size}; delete it (`hdfs dfs -rm`), and a \
                 new one is made",
                file.len
            ));
        }
        self.note_use(choice.whole.iter().map(|file| (*file).clone()).collect()).await;
        let modes = || above.values().map(|status| status.as_ref().map_or(0, |s| u32::from(s.mode)));
        let resource = |file: &&FileStatus| {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            Ok(LocalResource {
                key: format!("{CONTAINER_DIRECTORY}/{name}"),
                url: self.storage.url(&file.path).map_err(fs)?,
                size: file.len,
                modification_time: i64::try_from(file.modified_ms).unwrap_or(i64::MAX),
                visibility: visibility(u32::from(file.mode), modes()),
                kind: LocalResourceKind::File,
            })
        };
        let resources: Vec<LocalResource> =
            choice.whole.iter().map(resource).collect::<Result<_, StoreError>>()?;
        let order = ClassDataSpec {
            store: self.storage.url(&self.root).map_err(fs)?,
            directory: directory.to_owned(),
            class_path,
            found: resources.iter().map(|r| r.key.clone()).collect(),
            owners,
            incoming: self.incoming(&above).rsplit('/').next().unwrap_or_default().to_owned(),
            modes: (self.directory_mode(&above), self.modes.1),
            replication: self.replication,
        };
        Ok(Archives { order, resources, may_add, warnings })
    }

    /// Whether the user may make the directory `path`, or may write to it, as far as owners and modes tell.
    fn may_make(&self, path: &str, known: &Statuses) -> bool {
        const EVERYBODY_WRITES: u16 = 0o002;
        let there = ancestors(&format!("{path}/x"));
        let there = there.iter().filter(|level| **level == self.root || is_below(level, &self.root));
        match there.filter_map(|level| known.get(level)?.as_ref()).next_back() {
            Some(deepest) if self.storage.has_owners() => {
                deepest.owner == self.storage.user() || deepest.mode & EVERYBODY_WRITES != 0
            }
            _ => true,
        }
    }
}

/// The directory of a store that holds the archives of one role. Clients and ApplicationMasters that make an
/// archive add it here.
#[derive(Debug)]
pub struct Repository<'a> {
    storage: Storage,
    order: &'a ClassDataSpec,
    store: &'a str,
    directory: String,
}

impl<'a> Repository<'a> {
    /// The directory that `order` describes. `storage` must be the file system of the store that `order`
    /// names.
    pub fn new(storage: Storage, order: &'a ClassDataSpec) -> Self {
        let store = order.store.trim_end_matches('/');
        Self { storage, order, store, directory: format!("{store}/{}", order.directory) }
    }

    /// The URL of the directory.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// The name of a complete archive for this Java; `None` if there is none.
    pub async fn find(&self, java: &JavaId) -> Result<Option<String>, StoreError> {
        let found = match self.storage.list(&self.directory, false).await {
            Ok(found) => found,
            Err(error) if error.kind() == FsErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(whole_archive(&found, &self.order.owners, java))
    }

    /// Uploads the file of an archive and then gives it the name `name`. If `staging`, the application's
    /// directory, is on the same file system, the file is first written there, because that directory is
    /// removed when the application ends, whatever happens. Otherwise it is written to the directory of the
    /// store's unfinished uploads, under a name that the container id `container` makes unique. If another
    /// process has added the archive meanwhile, that one stays.
    pub async fn add(
        &self,
        name: &str,
        file: &Path,
        staging: Option<&str>,
        container: &str,
    ) -> Result<(), StoreError> {
        let Self { storage, order, store, directory } = self;
        let temporary = match staging.filter(|dir| dir.starts_with(&format!("{}/", storage.root()))) {
            Some(dir) => {
                // If the directory has been removed, this fails. Otherwise the upload would make it again.
                storage.status(dir).await?;
                format!("{}/{name}", dir.trim_end_matches('/'))
            }
            None => {
                let incoming = format!("{store}/{}", order.incoming);
                storage.mkdirs(&incoming, Some(order.modes.0)).await?;
                self.require_own(&incoming).await?;
                format!("{incoming}/{container}-{name}")
            }
        };
        let (directory_mode, mode) = order.modes;
        storage.mkdirs(directory, Some(directory_mode)).await?;
        for directory in [&format!("{store}/{DIRECTORY}"), directory] {
            self.require_owner(directory).await?;
        }
        let options = WriteOptions {
            mode: Some(mode),
            replication: order.replication,
            overwrite: true,
            fitted: true,
            ..WriteOptions::default()
        };
        storage.write_file(&temporary, &Source::File(file.to_owned()), &options).await?;
        match storage.rename(&temporary, &format!("{directory}/{name}"), false).await {
            Ok(()) => Ok(()),
            // Another ApplicationMaster has added the archive in the meantime.
            Err(error) if error.kind() == FsErrorKind::AlreadyExists => {
                storage.delete(&temporary, false).await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Repository<'_> {
    /// Fails if a directory of the store belongs to somebody whose archives are not used, or if others may
    /// write to it.
    async fn require_owner(&self, directory: &str) -> Result<(), StoreError> {
        if !self.storage.has_owners() {
            return Ok(());
        }
        let found = self.storage.status(directory).await?;
        let owner = self.order.owners.last().map_or("", String::as_str);
        inside(self.storage.user(), owner, std::iter::once(&found))
            .map_err(|distrust| self.untrusted(distrust))
    }

    /// Fails if a directory does not belong to the user.
    async fn require_own(&self, directory: &str) -> Result<(), StoreError> {
        if !self.storage.has_owners() {
            return Ok(());
        }
        let found = self.storage.status(directory).await?;
        check_own(&found, self.storage.user()).map_err(|distrust| self.untrusted(distrust))
    }

    fn untrusted(&self, distrust: Distrust) -> StoreError {
        let remedy = distrust.remedy(None);
        StoreError::Untrusted { store: self.store.to_owned(), distrust, remedy }
    }
}

/// The name of an archive for this Java that has the size in its name and belongs to one of `owners`.
fn whole_archive(files: &[FileStatus], owners: &[String], java: &JavaId) -> Option<String> {
    let ours = files.iter().filter(|file| owners.contains(&file.owner));
    let mut names = ours.filter_map(|file| Some((file.len, file.path.parse::<ArchiveName>().ok()?)));
    names.find(|(len, name)| name.java == java.text && name.size == *len).map(|(_, name)| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::status;

    fn name(begin: &str, number: u8) -> String {
        format!("{begin}-{}.jsa", format!("{number:02x}").repeat(32))
    }

    fn file(name: &str, owner: &str) -> FileStatus {
        status(&format!("/s/cds/jobmanager-0123456789abcdef/{name}"), owner, 0o644)
    }

    #[test]
    fn the_newest_whole_archives_are_chosen() {
        let file = |name: &str, len, modified_ms| FileStatus { len, modified_ms, ..file(name, "ann") };
        let files = [
            file(&name("17-a-5", 1), 5, 1),
            file(&name("21-b-5", 2), 5, 3),
            file(&name("11-c-5", 3), 5, 2),
            file(&name("17-d-9", 4), 5, 9),
            file("notes.txt", 5, 9),
            FileStatus { owner: "eve".into(), ..file(&name("17-e-5", 5), 5, 9) },
        ];
        let owners = ["ann".to_owned()];
        let choice = choose(&files, &owners);
        assert_eq!(choice.whole, [&files[1], &files[2]]);
        assert_eq!(choice.damaged, [(&files[3], 9)]);
        assert_eq!(choose(&[], &owners), Choice::default());
    }

    #[test]
    fn an_archive_is_found_by_its_java_if_it_is_whole_and_of_an_owner() {
        let file = |name: &str, len, owner: &str| FileStatus { len, ..file(name, owner) };
        let java = JavaId { feature: 17, text: "17-a".into() };
        let find =
            |name: &str, len, owner: &str| whole_archive(&[file(name, len, owner)], &["ann".into()], &java);
        assert_eq!(find(&name("17-a-5", 1), 5, "ann").as_deref(), Some(&*name("17-a-5", 1)));
        for (name, len, owner) in [
            (name("17-a-5", 1), 4, "ann"),
            (name("17-a-5", 1), 5, "eve"),
            (name("21-a-5", 1), 5, "ann"),
            ("notes.txt".to_owned(), 5, "ann"),
        ] {
            assert_eq!(find(&name, len, owner), None, "{name} {len} {owner}");
        }
    }
}
