//! The JVM that makes a class data archive (`-Xshare:dump`), and the directory in which it does so.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flink_model::class_data::{ClassList, RpcJars, dump_options, is_rpc_jar};
use flink_model::class_path::is_dist_jar;
use flink_model::container::ARCHIVE_DIRECTORY;
use taskrunner::archive;
use taskrunner::control::JvmRecords;
use taskrunner::exit::ExitReport;
use taskrunner::fresh;
use taskrunner::jvm::{JvmCommand, JvmProcess};
use taskrunner::node_jars::NodeJars;
use tokio::time::timeout;
use zip::ZipArchive;

use super::build_container::BuildContainer;
use super::memory_budget::used_by;
use crate::clock;
use crate::launcher::USER_VARIABLE;
use crate::tokens::FILE_VARIABLE;

const LIST: &str = "classes.lst";
const ARCHIVE: &str = "classes.jsa";
const OUTPUT: &str = "dump.out";
/// How long one run of the JVM may take. It needs some seconds of processor time and has the lowest priority
/// on its node, so on a busy node it takes minutes and does no harm; a JVM that hangs is to end all the same.
const DEADLINE: Duration = Duration::from_secs(900);
/// How often the container's memory is looked at.
const MEMORY_CHECK: Duration = Duration::from_millis(200);
/// Space that must be free on the disk beside the copies of the jars, for the archive and the class list.
const SPARE: u64 = 512 << 20;

/// The directory in which the archive is made; dropping this value removes it.
pub(super) struct BuildDirectory(PathBuf);

impl BuildDirectory {
    pub(super) async fn make(working_directory: &Path) -> Result<Self, String> {
        let path = working_directory.join(ARCHIVE_DIRECTORY);
        // An earlier one may have left something.
        let _ = std::fs::remove_dir_all(&path);
        fresh::directory(&path).map_err(|e| format!("cannot make {}: {e}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for BuildDirectory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "not removed");
        }
    }
}

/// What the JVM is started with.
pub(super) struct DumpJvm<'a> {
    pub(super) java: &'a Path,
    pub(super) wide: bool,
    /// Paths in the container's working directory, as they stand on the class path.
    pub(super) class_path: &'a [String],
    /// What follows them there.
    pub(super) node_jars: Option<&'a NodeJars>,
    pub(super) list: &'a ClassList,
}

/// An archive, still in its [`BuildDirectory`].
pub(super) struct NewArchive {
    pub(super) file: PathBuf,
    /// Size in bytes, and SHA-256.
    pub(super) measured: (u64, String),
    pub(super) took: Duration,
}

impl DumpJvm<'_> {
    pub(super) async fn run(
        &self,
        directory: &BuildDirectory,
        container: &BuildContainer,
    ) -> Result<NewArchive, String> {
        let begin = clock::now();
        if let Some(why) = container.shortage() {
            return Err(why);
        }
        let (from, to, jars, node_jars) =
            (container.dir.clone(), directory.0.clone(), self.jars(), self.node_jars.cloned());
        let copied = tokio::task::spawn_blocking(move || {
            if let Some(jars) = node_jars {
                jars.link(&from).map_err(|e| format!("cannot link the node's jars: {e}"))?;
            }
            copy(&from, &to, &jars)?;
            unpack_rpc(&from, &to, &jars)
        });
        let rpc_jars = copied.await.map_err(|e| e.to_string())??;
        let file = directory.0.join(ARCHIVE);
        let lists = [self.list.resolved(&rpc_jars), self.list.resolved(&RpcJars::new())];
        for (list, has_rpc_classes) in lists.iter().zip([true, false]) {
            // The first try has left its list.
            let _ = std::fs::remove_file(directory.0.join(LIST));
            fresh::write(&directory.0.join(LIST), list.as_bytes(), 0o600)
                .map_err(|e| format!("cannot write the class list: {e}"))?;
            let report = self.run_once(directory, container).await?;
            if report.code == Some(0) && file.is_file() {
                break;
            }
            let said = std::fs::read_to_string(directory.0.join(OUTPUT)).unwrap_or_default();
            // Java 11 may be unable to archive what an RPC class extends, and then refuses the whole list.
            if !(has_rpc_classes && said.contains("class list format error")) {
                let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
                return Err(format!("{} {last}", report.summary));
            }
            tracing::debug!(said, "once more without the RPC classes");
        }
        let measured = {
            let file = file.clone();
            let measure = tokio::task::spawn_blocking(move || archive::measure(&file)).await;
            measure.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?
        };
        Ok(NewArchive { file, measured, took: begin.elapsed() })
    }

    /// The class path, one jar each.
    fn jars(&self) -> Vec<String> {
        let node = self.node_jars.map(NodeJars::names).unwrap_or_default();
        self.class_path.iter().cloned().chain(node).collect()
    }

    /// One run of the JVM, which is ended when it takes too long or too much memory.
    async fn run_once(
        &self,
        directory: &BuildDirectory,
        container: &BuildContainer,
    ) -> Result<Arc<ExitReport>, String> {
        let begin = clock::now();
        let process =
            self.command(directory, container)?.spawn(&container.thread).await.map_err(|e| e.to_string())?;
        let guard = KillOnDrop(process);
        loop {
            match timeout(MEMORY_CHECK, guard.0.wait()).await {
                Ok(report) => return Ok(report),
                Err(_) if begin.elapsed() > DEADLINE => {
                    return Err(format!("it took longer than {} s", DEADLINE.as_secs()));
                }
                Err(_) => {
                    if let Some(what) = container.limits.exceeded(container.used() + used_by(guard.0.pid())) {
                        return Err(format!("it would have taken more {what} than the container has"));
                    }
                }
            }
        }
    }

    fn command(&self, directory: &BuildDirectory, container: &BuildContainer) -> Result<JvmCommand, String> {
        let java = self.java.canonicalize().map_err(|e| e.to_string())?;
        let home = java.parent().and_then(Path::parent).ok_or("Java has no directory")?;
        Ok(JvmCommand {
            release: None,
            archives: archive::Wish::default(),
            launcher: ["nice", "-n", "19"].map(str::to_owned).into(),
            java_home: Some(home.display().to_string()),
            jvm_args: dump_options(LIST, ARCHIVE, self.wide),
            class_path: self.jars().join(":"),
            // No class is run, but the JVM insists on an argument.
            main_class: "-version".to_owned(),
            args: Vec::new(),
            env: BTreeMap::from([("MALLOC_ARENA_MAX".to_owned(), "1".to_owned())]),
            // It speaks to nobody.
            without: [FILE_VARIABLE, USER_VARIABLE].map(str::to_owned).into(),
            stdout: directory.0.join(OUTPUT),
            stderr: directory.0.join(OUTPUT),
            log: None,
            dir: directory.0.clone(),
            self_exe: container.self_exe.clone(),
            records: JvmRecords::default(),
            container_mb: 0,
        })
    }
}

/// Ends the JVM when nobody waits for it any more.
struct KillOnDrop(JvmProcess);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// Copies the jars and sets their modification time to zero. The JVM records that time in the archive, and
/// does not compare a zero with the jar that it finds later; on other nodes the same jar has another time.
fn copy(from: &Path, to: &Path, jars: &[String]) -> Result<(), String> {
    let cannot =
        |what: &str, path: &Path, e: std::io::Error| format!("cannot {what} {}: {e}", path.display());
    let sizes = jars.iter().filter_map(|jar| std::fs::metadata(from.join(jar)).ok()).map(|m| m.len());
    let need = sizes.sum::<u64>() + SPARE;
    let disk = rustix::fs::statvfs(to).map_err(|e| cannot("look at the disk of", to, e.into()))?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < need {
        return Err(format!("the disk of {} has less than {} MiB left", to.display(), need >> 20));
    }
    for jar in jars {
        let (source, target) = (from.join(jar), to.join(jar));
        if let Some(parent) = Path::new(jar).parent() {
            fresh::directories(to, parent).map_err(|e| cannot("make the directory of", &target, e))?;
        }
        let file = fresh::copy(&source, &target).map_err(|e| cannot("copy", &source, e))?;
        file.set_modified(SystemTime::UNIX_EPOCH).map_err(|e| cannot("set the time of", &target, e))?;
    }
    Ok(())
}

/// Unpacks the jars of Flink's RPC classes out of flink-dist, as Flink itself does when it starts.
fn unpack_rpc(from: &Path, to: &Path, jars: &[String]) -> Result<RpcJars, String> {
    let mut unpacked = RpcJars::new();
    for jar in jars.iter().filter(|jar| is_dist_jar(jar)) {
        let cannot = |e: &dyn std::fmt::Display| format!("cannot unpack the RPC classes of {jar}: {e}");
        let mut dist =
            ZipArchive::new(File::open(from.join(jar)).map_err(|e| cannot(&e))?).map_err(|e| cannot(&e))?;
        let inner: Vec<String> =
            dist.file_names().filter(|name| is_rpc_jar(name)).map(str::to_owned).collect();
        for name in inner {
            let target = to.join(&name);
            let mut content = dist.by_name(&name).map_err(|e| cannot(&e))?;
            std::io::copy(&mut content, &mut fresh::file(&target, 0o644).map_err(|e| cannot(&e))?)
                .map_err(|e| cannot(&e))?;
            unpacked.insert(name.trim_end_matches(".jar").to_owned(), target.display().to_string());
        }
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[tokio::test]
    async fn the_directory_is_new_and_what_a_link_leads_to_stays() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(cache.path().join("a.jar"), "sings").unwrap();
        symlink(cache.path(), dir.path().join(ARCHIVE_DIRECTORY)).unwrap();
        fs::create_dir(dir.path().join("lib")).unwrap();
        symlink(cache.path().join("a.jar"), dir.path().join("lib/a.jar")).unwrap();
        symlink(cache.path().join("a.jar"), dir.path().join("b.jar")).unwrap();
        let directory = BuildDirectory::make(dir.path()).await.unwrap();
        let jars = ["lib/a.jar", "b.jar"].map(str::to_owned);
        copy(dir.path(), &directory.0, &jars).unwrap();
        for jar in &jars {
            let copied = directory.0.join(jar);
            assert!(fs::symlink_metadata(&copied).unwrap().is_file());
            assert_eq!(copied.metadata().unwrap().modified().unwrap(), SystemTime::UNIX_EPOCH);
            assert_eq!(fs::read(&copied).unwrap(), b"sings");
        }
        assert!(copy(dir.path(), &directory.0, &jars).is_err(), "a copy is never written over");
        drop(directory);
        assert!(!dir.path().join(ARCHIVE_DIRECTORY).exists());
        assert_eq!(fs::read(cache.path().join("a.jar")).unwrap(), b"sings");
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);
    }
}
