//! Makes one class data archive, from the class list to the file in the store.

use std::path::PathBuf;

use flink_model::class_data::{ArchiveName, ClassDataSpec, ClassList, JavaId};
use taskrunner::node_jars::NodeJars;

use super::build_container::BuildContainer;
use super::dump_jvm::{BuildDirectory, DumpJvm};
use super::repository;

/// A JVM that has loaded fewer classes than this has ended before its start was over; its list is of no use.
const FEWEST_CLASSES: usize = 4500;

/// What an archive is made of.
pub(super) struct ArchiveInput<'a> {
    pub(super) class_data: &'a ClassDataSpec,
    /// The `java` to make it with.
    pub(super) java: PathBuf,
    pub(super) id: JavaId,
    pub(super) wide: bool,
    /// The node's jars that follow those of `class_data` on the class path.
    pub(super) node_jars: Option<NodeJars>,
    pub(super) list: ClassList,
}

impl ArchiveInput<'_> {
    /// Whether it is worth the work.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.list.classes() {
            few if few < FEWEST_CLASSES => Err(format!("only {few} classes were recorded")),
            _ => Ok(()),
        }
    }
}

/// Makes an archive in `container` and adds it to the store; gives a sentence that says which.
pub(super) async fn build(container: &BuildContainer, input: &ArchiveInput<'_>) -> Result<String, String> {
    let ArchiveInput { class_data, java, id, wide, node_jars, list } = input;
    let repository = repository::open(&container.conf, &container.login, class_data)?;
    if let Some(name) = repository.find(id).await.map_err(|e| e.to_string())? {
        return Ok(format!("{}/{name} is there by now", repository.directory()));
    }
    let directory = BuildDirectory::make(&container.dir).await?;
    let dump = DumpJvm {
        java,
        wide: *wide,
        class_path: &class_data.class_path,
        node_jars: node_jars.as_ref(),
        list,
    };
    let made = dump.run(&directory, container).await?;
    let (size, sha256) = made.measured;
    let name = ArchiveName { java: id.text.clone(), size, sha256 }.to_string();
    let added = repository.add(&name, &made.file, container.staging_dir.as_deref(), &container.id).await;
    added.map_err(|e| e.to_string())?;
    let (mb, s) = (size >> 20, made.took.as_secs_f32());
    Ok(format!("{}/{name}: {} classes, {mb} MiB, made in {s:.1} s", repository.directory(), list.classes()))
}
