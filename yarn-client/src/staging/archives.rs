//! Class data archives in a store: which of them the containers of a role get.

use std::collections::BTreeMap;

use flink_model::class_data::{ArchiveName, CONTAINER_DIRECTORY, ClassDataSpec};
use flink_model::local_resource::{LocalResource, LocalResourceKind};
use futures::future;
use hadoop_fs::{FileStatus, FsErrorKind};

use super::store::Store;
use super::visibility::{ancestors, visibility};
use crate::error::Failure;
use crate::report::Report;

/// Nodes may have two Javas, as while one is replaced. Each file more is one more that every node fetches.
const MOST: usize = 2;

/// What a store's list of archives says.
#[derive(Debug, Default, PartialEq)]
struct Choice<'a> {
    /// The newest whole ones.
    whole: Vec<&'a FileStatus>,
    /// Those that are not as long as their names say, and how long that is.
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

impl Store {
    /// The archives in `directory`, below the root, as local resources, and what the ApplicationMaster has to know to add one. What is asked
    /// is asked at once.
    pub(crate) async fn archives(
        &self,
        directory: &str,
        class_path: Vec<String>,
        report: &dyn Report,
    ) -> Result<(ClassDataSpec, Vec<LocalResource>), Failure> {
        let fs = |e| Failure::fs(&e);
        let path = format!("{}/{directory}", self.root.trim_end_matches('/'));
        let above: Vec<_> = ancestors(&format!("{path}/x"))
            .into_iter()
            .map(|dir| async move { Ok((dir.clone(), self.storage.find(&dir).await.map_err(fs)?)) })
            .collect();
        let list = async {
            match self.storage.list(&path, false).await {
                Err(e) if e.kind() == FsErrorKind::NotFound => Ok(Vec::new()),
                found => found.map_err(fs),
            }
        };
        let (files, above) = future::try_join(list, future::try_join_all(above)).await?;
        let above: BTreeMap<String, Option<FileStatus>> = above.into_iter().collect();
        let user = self.storage.home_dir().rsplit('/').next().unwrap_or_default().to_owned();
        let root = above.get(&self.root).and_then(Option::as_ref).map(|root| root.owner.clone());
        let owners: Vec<String> = std::iter::once(user).chain(root).collect();
        let choice = choose(&files, &owners);
        for (file, size) in &choice.damaged {
            let url = self.storage.url(&file.path).map_err(fs)?;
            report.warn(&format!(
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
            choice.whole.iter().map(resource).collect::<Result<_, Failure>>()?;
        let order = ClassDataSpec {
            store: self.storage.url(&self.root).map_err(fs)?,
            directory: directory.to_owned(),
            class_path,
            found: resources.iter().map(|r| r.key.clone()).collect(),
            owners,
            modes: (self.directory_mode(&above), self.modes.1),
            replication: self.replication,
        };
        Ok((order, resources))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_archives_are_chosen() {
        let file = |name: &str, len, modified_ms| FileStatus {
            path: format!("/s/cds/jobmanager-0123456789abcdef/{name}"),
            len,
            is_dir: false,
            mode: 0o644,
            owner: "ann".into(),
            group: String::new(),
            modified_ms,
            accessed_ms: 0,
            replication: 1,
            block_size: 1,
        };
        let files = [
            file("17-a-5-00000001.jsa", 5, 1),
            file("21-b-5-00000002.jsa", 5, 3),
            file("11-c-5-00000003.jsa", 5, 2),
            file("17-d-9-00000004.jsa", 5, 9),
            file("notes.txt", 5, 9),
            FileStatus { owner: "eve".into(), ..file("17-e-5-00000005.jsa", 5, 9) },
        ];
        let owners = ["ann".to_owned()];
        let choice = choose(&files, &owners);
        assert_eq!(choice.whole, [&files[1], &files[2]]);
        assert_eq!(choice.damaged, [(&files[3], 9)]);
        assert_eq!(choose(&[], &owners), Choice::default());
    }
}
