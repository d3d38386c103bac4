//! The JVM that makes an archive.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use flink_model::archive::{ClassList, RpcJars, dump_options, is_rpc_jar};
use flink_model::class_path::is_dist_jar;
use flink_model::container::ARCHIVE_WORKSHOP;
use hadoop_rpc::HadoopConf;
use taskrunner::archive;
use taskrunner::exit::ExitReport;
use taskrunner::fresh;
use taskrunner::jvm::{JvmCommand, JvmProcess};
use taskrunner::memory;
use taskrunner::node_jars::NodeJars;
use tokio::time::{Instant, timeout};
use zip::ZipArchive;

use super::Reason;
use super::room::{Limits, Used};
use super::workshop::Workshop;

const LIST: &str = "classes.lst";
const ARCHIVE: &str = "classes.jsa";
const OUTPUT: &str = "dump.out";
/// For the JVM, which makes way for everybody else.
const DEADLINE: Duration = Duration::from_secs(180);
/// Between two looks at the container's memory.
const LOOK: Duration = Duration::from_millis(200);
/// Space on the disk beside the copies of the jars, for archive and list.
const SPARE: u64 = 512 << 20;

/// The directory in which the archive is made; dropping it removes it.
pub(super) struct Place(PathBuf);

impl Place {
    pub(super) async fn make(container: &Path) -> Result<Self, Reason> {
        let path = container.join(ARCHIVE_WORKSHOP);
        // What an earlier one has left.
        let _ = std::fs::remove_dir_all(&path);
        fresh::directory(&path).map_err(|e| format!("cannot make {}: {e}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(%error, "not removed");
        }
    }
}

/// How to make it.
pub(super) struct Dump<'a> {
    pub(super) java: &'a Path,
    pub(super) wide: bool,
    /// Paths in the container's working directory, as they stand on the class path.
    pub(super) class_path: &'a [String],
    /// What follows them there.
    pub(super) node_jars: Option<&'a NodeJars>,
    pub(super) list: &'a ClassList,
}

/// It lies in its [`Place`].
pub(super) struct Made {
    pub(super) file: PathBuf,
    pub(super) measured: (u64, u32),
    pub(super) took: Duration,
}

impl Dump<'_> {
    pub(super) async fn run(&self, place: &Place, shop: &Workshop) -> Result<Made, Reason> {
        let begin = Instant::now();
        if let Some(why) = shop.shortage() {
            return Err(why);
        }
        let (from, to, jars, node_jars) =
            (shop.dir.clone(), place.0.clone(), self.jars(), self.node_jars.cloned());
        let copied = tokio::task::spawn_blocking(move || {
            if let Some(jars) = node_jars {
                jars.link(&from).map_err(|e| format!("cannot link the node's jars: {e}"))?;
            }
            copy(&from, &to, &jars)?;
            unpack_rpc(&from, &to, &jars)
        });
        let rpc_jars = copied.await.map_err(|e| e.to_string())??;
        let file = place.0.join(ARCHIVE);
        let lists = [self.list.resolved(&rpc_jars), self.list.resolved(&RpcJars::new())];
        for (list, more) in lists.iter().zip([true, false]) {
            // Of the first try.
            let _ = std::fs::remove_file(place.0.join(LIST));
            fresh::write(&place.0.join(LIST), list.as_bytes(), 0o600)
                .map_err(|e| format!("cannot write the class list: {e}"))?;
            let report = self.dump(place, shop).await?;
            if report.code == Some(0) && file.is_file() {
                break;
            }
            let said = std::fs::read_to_string(place.0.join(OUTPUT)).unwrap_or_default();
            // Java 11 may be unable to archive what an RPC class extends, and takes no such list at all.
            if !(more && said.contains("class list format error")) {
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
        Ok(Made { file, measured, took: begin.elapsed() })
    }

    /// The class path.
    fn jars(&self) -> Vec<String> {
        let node = self.node_jars.map(NodeJars::names).unwrap_or_default();
        self.class_path.iter().cloned().chain(node).collect()
    }

    /// One run of the JVM.
    async fn dump(&self, place: &Place, shop: &Workshop) -> Result<Arc<ExitReport>, Reason> {
        let begin = Instant::now();
        let process = self.command(place, shop)?.spawn(&shop.thread).await.map_err(|e| e.to_string())?;
        let guard = Guard(process);
        loop {
            match timeout(LOOK, guard.0.wait()).await {
                Ok(report) => return Ok(report),
                Err(_) if begin.elapsed() > DEADLINE => {
                    return Err(format!("it took longer than {} s", DEADLINE.as_secs()));
                }
                Err(_) => {
                    if let Some(what) = shop.limits.exceeded(shop.used() + of(guard.0.pid())) {
                        return Err(format!("it would have taken more {what} than the container has"));
                    }
                }
            }
        }
    }

    fn command(&self, place: &Place, shop: &Workshop) -> Result<JvmCommand, Reason> {
        let java = self.java.canonicalize().map_err(|e| e.to_string())?;
        let home = java.parent().and_then(Path::parent).ok_or("Java has no directory")?;
        Ok(JvmCommand {
            release: None,
            archives: archive::Wish::default(),
            launcher: ["nice", "-n", "19"].map(str::to_owned).into(),
            java_home: Some(home.display().to_string()),
            jvm_args: dump_options(LIST, ARCHIVE, self.wide),
            class_path: self.jars().join(":"),
            // Nothing runs; the JVM only wants to be told something.
            main_class: "-version".to_owned(),
            args: Vec::new(),
            env: BTreeMap::from([("MALLOC_ARENA_MAX".to_owned(), "1".to_owned())]),
            stdout: place.0.join(OUTPUT),
            stderr: place.0.join(OUTPUT),
            log: None,
            dir: place.0.clone(),
            self_exe: shop.self_exe.clone(),
        })
    }
}

/// Ends the JVM when nobody waits for it any more.
struct Guard(JvmProcess);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// The limits of a container of this memory: what the NodeManager looks at, and the kernel. `pid` is of a process in it.
pub(super) fn limits(conf: &HadoopConf, memory_mb: u64, pid: u32) -> Limits {
    let cgroup = memory::sample(pid).map(|sample| sample.cgroup_limit).filter(|limit| *limit > 0);
    Limits::new(memory_mb, ratio(conf), cgroup)
}

/// Address space for each byte of a container's memory, where NodeManagers look at it.
pub(super) fn ratio(conf: &HadoopConf) -> Option<f64> {
    const CHECK: &str = "yarn.nodemanager.vmem-check-enabled";
    const RATIO: &str = "yarn.nodemanager.vmem-pmem-ratio";
    const YARNS_RATIO: f64 = 2.1;
    let checked = conf.get_bool(CHECK, true).unwrap_or(true);
    let ratio = conf.get(RATIO).ok().flatten().and_then(|text| text.trim().parse().ok());
    checked.then(|| ratio.filter(|ratio| *ratio > 0.0).unwrap_or(YARNS_RATIO))
}

pub(super) fn of(pid: u32) -> Used {
    memory::sample(pid)
        .map_or_else(Used::default, |sample| Used { resident: sample.rss, virtual_size: sample.virtual_size })
}

/// Copies the jars, with the time zero: what the JVM records of a file with that time is not compared on other nodes, where the
/// same jar has another time.
fn copy(from: &Path, to: &Path, jars: &[String]) -> Result<(), Reason> {
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

/// Unpacks the jars of Flink's RPC classes, which flink-dist holds: so does Flink, to read them from there.
fn unpack_rpc(from: &Path, to: &Path, jars: &[String]) -> Result<RpcJars, Reason> {
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
        symlink(cache.path(), dir.path().join(ARCHIVE_WORKSHOP)).unwrap();
        fs::create_dir(dir.path().join("lib")).unwrap();
        symlink(cache.path().join("a.jar"), dir.path().join("lib/a.jar")).unwrap();
        symlink(cache.path().join("a.jar"), dir.path().join("b.jar")).unwrap();
        let place = Place::make(dir.path()).await.unwrap();
        let jars = ["lib/a.jar", "b.jar"].map(str::to_owned);
        copy(dir.path(), &place.0, &jars).unwrap();
        for jar in &jars {
            let copied = place.0.join(jar);
            assert!(fs::symlink_metadata(&copied).unwrap().is_file());
            assert_eq!(copied.metadata().unwrap().modified().unwrap(), SystemTime::UNIX_EPOCH);
            assert_eq!(fs::read(&copied).unwrap(), b"sings");
        }
        assert!(copy(dir.path(), &place.0, &jars).is_err(), "a copy is never written over");
        drop(place);
        assert!(!dir.path().join(ARCHIVE_WORKSHOP).exists());
        assert_eq!(fs::read(cache.path().join("a.jar")).unwrap(), b"sings");
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);
    }
}
