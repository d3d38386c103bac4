//! The class data archive for the JVM of Flink's own client (see [`crate::run`]):
//! `<cache>/cds/client-<key>/<name>.jsa`.
//!
//! The first run with a Java and a set of jars writes down which classes it loads. A process of its own makes
//! an archive of them (`heddle client-archive`), at low priority and after the command may be long over;
//! later runs use it. A command never fails because of it: without an archive the JVM only starts slower.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use flink_model::class_data::{
    ArchiveName, DIRECTORY, dump_options, fingerprint, in_the_way, wide_references,
};
use flink_model::config::Configuration;
use flink_model::options;
use serde::{Deserialize, Serialize};
use taskrunner::archive::{id, measure, quiet_with, verify};
use taskrunner::exec;
use taskrunner::spawn::SpawnThread;
use tokio::time::{Instant, sleep, timeout};

use crate::context::Context;
use crate::exit::Exit;

/// The subcommand that makes an archive; it is not for people and in no help.
pub const VERB: &str = "client-archive";

/// Java's first release whose archives can hold the classes of applications.
const OLDEST_JAVA: u16 = 11;
/// From this release on Java does not print which classes it leaves out of its list. Older ones print them to
/// the standard output, among the program's own output.
const SILENT_JAVA: u16 = 17;
const SILENT: [&str; 2] = ["-XX:+UnlockDiagnosticVMOptions", "-XX:-DisplayVMOutput"];
/// Ending of the lists of classes; their names are the ids of the processes that write them.
const LIST: &str = "lst";
/// Archives that are kept: those of other Javas and of other releases of Flink.
const KEPT: usize = 4;
/// The list of classes is whole when it has not grown for `QUIET`; one that still grows after `LONGEST` will
/// do.
const QUIET: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);
/// Time limit of the JVM that makes the archive.
const DEADLINE: Duration = Duration::from_secs(180);

/// What is needed to make an archive.
#[derive(Debug, Serialize, Deserialize)]
struct ArchiveBuild {
    java: PathBuf,
    java_id: String,
    wide: bool,
    class_path: String,
    /// Where the JVM writes its classes.
    list: PathBuf,
    /// Where the archive is put.
    directory: PathBuf,
}

/// Options for the JVM in front of all others, by which it uses an archive or helps to make one. `verb`: what
/// the client does, because that decides which classes it needs; `given`: the others.
pub fn options(
    context: &Context,
    configuration: &Configuration,
    java: &Path,
    verb: &str,
    given: &[String],
    class_path: &OsStr,
) -> Vec<String> {
    let fast = configuration.require(&options::FAST_START).unwrap_or(false);
    // Java takes options by these, too.
    let variables = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"].map(|name| context.vars.get(name));
    let variables = variables.into_iter().flatten().flat_map(|text| text.split_whitespace());
    let ours = fast && in_the_way(given.iter().map(String::as_str).chain(variables)).is_none();
    let Some(cache) = context.cache_dir().filter(|_| ours) else { return Vec::new() };
    match use_or_record(context, &cache.join(DIRECTORY), java, verb, wide_references(given), class_path) {
        Ok(options) => options,
        Err(error) => {
            tracing::info!(%error, cache = %cache.display(), "no class data archive for Flink's client");
            Vec::new()
        }
    }
}

fn use_or_record(
    context: &Context,
    cache: &Path,
    java: &Path,
    verb: &str,
    wide: bool,
    class_path: &OsStr,
) -> io::Result<Vec<String>> {
    let other = |what: &str| io::Error::other(what.to_owned());
    let id = id(java, wide, None)
        .filter(|id| id.feature >= OLDEST_JAVA)
        .ok_or_else(|| other("not for this Java"))?;
    let (front, stamps) = front(class_path)?;
    let directory = cache.join(format!("client-{}", fingerprint(&format!("{verb} {}\n{stamps}", id.text))));
    if let Some((path, name)) = find(&directory)? {
        let text =
            path.to_str().filter(|text| !text.contains(':')).ok_or_else(|| other("no path for Java"))?;
        match verify(&path, &name) {
            Ok(()) => return Ok(quiet_with(text)),
            Err(why) => tracing::warn!("{text} is removed: {why}"),
        }
        fs::remove_file(&path)?;
    }
    fs::create_dir_all(&directory)?;
    if lock(&directory).is_err() {
        return Err(other("another process makes one"));
    }
    let list = directory.join(format!("{}.{LIST}", std::process::id()));
    let text = list.to_str().ok_or_else(|| other("no path for Java"))?.to_owned();
    let mut options = vec![format!("-XX:DumpLoadedClassList={text}")];
    if id.feature < SILENT_JAVA {
        options.extend(SILENT.map(str::to_owned));
    }
    let build =
        ArchiveBuild { java: java.to_owned(), java_id: id.text, wide, class_path: front, list, directory };
    let build = serde_json::to_string(&build)?;
    // It gets a process group of its own, so that Ctrl-C ends the command and not this.
    #[expect(clippy::disallowed_methods, reason = "the archive is made after the command has ended")]
    let mut maker = Command::new(&context.exe);
    maker.arg(VERB).arg(build).current_dir("/").process_group(0);
    maker.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(options)
}

/// The right to make the archive of a directory, held as long as the file is open.
fn lock(directory: &Path) -> io::Result<File> {
    let lock = File::create(directory.join("lock"))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

/// The jars at the front of the class path, joined, and what tells whether they are the same.
fn front(class_path: &OsStr) -> io::Result<(String, String)> {
    let (mut jars, mut stamps) = (Vec::new(), String::new());
    for path in std::env::split_paths(class_path) {
        let Some(text) = path.to_str().filter(|text| text.ends_with(".jar")) else { break };
        let file = fs::metadata(&path)?;
        stamps.push_str(&format!("{text} {} {}.{:09}\n", file.len(), file.mtime(), file.mtime_nsec()));
        jars.push(text.to_owned());
    }
    Ok((jars.join(":"), stamps))
}

/// The archive in a directory, if there is one.
fn find(directory: &Path) -> io::Result<Option<(PathBuf, ArchiveName)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.find_map(|path| Some((path.clone(), path.to_str()?.parse().ok()?))))
}

/// Makes an archive, unless another process is at it; `words`: the build, as JSON.
pub async fn main(context: &Context, words: &[OsString]) -> Exit {
    let build = words.first().and_then(|word| serde_json::from_str::<ArchiveBuild>(word.to_str()?).ok());
    let Some(build) = build else { return Exit::Failed };
    let made = make(&build, &context.exe).await;
    // Whether an archive was made or not, the list is not needed any longer.
    let _ = fs::remove_file(&build.list);
    match made {
        Ok(()) => Exit::Done,
        Err(error) => {
            tracing::warn!(%error, directory = %build.directory.display(), "no class data archive is made");
            Exit::Failed
        }
    }
}

async fn make(build: &ArchiveBuild, exe: &Path) -> io::Result<()> {
    // The JVM may not have opened its list yet: who removed it now would leave one for ever.
    settled(&build.list).await?;
    let _lock = lock(&build.directory)?;
    sweep(&build.directory, &build.list)?;
    if find(&build.directory)?.is_some() {
        return Ok(());
    }
    let part = build.directory.join("part");
    let _ = fs::remove_file(&part);
    let list = build.list.display().to_string();
    #[expect(clippy::disallowed_methods, reason = "Java makes the archive")]
    let mut dump = Command::new("nice");
    dump.args(["-n", "19"]).arg(&build.java);
    dump.args(dump_options(&list, &part.display().to_string(), build.wide)).arg("-version");
    dump.env("CLASSPATH", &build.class_path).env_remove("JAVA_TOOL_OPTIONS").env_remove("JDK_JAVA_OPTIONS");
    let mut dump = exec::tied(&dump, exe);
    dump.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The JVM ends with this thread: when it has taken too long, and when this process is killed.
    let thread = SpawnThread::start()?;
    let mut dump = thread.spawn(dump).await?;
    let status = timeout(DEADLINE, dump.wait()).await.map_err(io::Error::other)??;
    if !status.success() || !part.is_file() {
        let _ = fs::remove_file(&part);
        return Err(io::Error::other(format!("Java ended with {status}")));
    }
    let (size, crc) = measure(&part)?;
    let name = ArchiveName { java: build.java_id.clone(), size, crc }.to_string();
    fs::rename(&part, build.directory.join(name))?;
    tidy(&build.directory)
}

/// Waits until the JVM has loaded what it needs.
async fn settled(list: &Path) -> io::Result<()> {
    let begin = Instant::now();
    let mut before = 0;
    loop {
        sleep(QUIET).await;
        let now = fs::metadata(list).map(|file| file.len()).unwrap_or_default();
        if now > 0 && (now == before || begin.elapsed() > LONGEST) {
            return Ok(());
        }
        if begin.elapsed() > LONGEST {
            return Err(io::Error::other("the JVM has written no list of its classes"));
        }
        before = now;
    }
}

/// Removes lists of processes that are gone, whose makers were killed.
fn sweep(directory: &Path, ours: &Path) -> io::Result<()> {
    for path in fs::read_dir(directory)?.flatten().map(|entry| entry.path()) {
        let is_list = path.extension().is_some_and(|extension| extension == LIST) && path != ours;
        let writer = path.file_stem().map(|pid| Path::new("/proc").join(pid));
        if is_list && writer.is_some_and(|writer| !writer.exists()) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Removes the oldest of the other archives.
fn tidy(ours: &Path) -> io::Result<()> {
    let Some(cache) = ours.parent() else { return Ok(()) };
    let age = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let is_client = |path: &PathBuf| {
        path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("client-"))
    };
    let mut others: Vec<PathBuf> = fs::read_dir(cache)?.flatten().map(|entry| entry.path()).collect();
    others.retain(|path| is_client(path) && path != ours);
    others.sort_by_key(|path| std::cmp::Reverse(age(path)));
    others.iter().skip(KEPT - 1).try_for_each(fs::remove_dir_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_of_the_class_path_and_what_tells_it() {
        let dir = tempfile::tempdir().unwrap();
        let jar = |name: &str| dir.path().join(name);
        fs::write(jar("a.jar"), "1").unwrap();
        fs::write(jar("b.jar"), "1").unwrap();
        let join = |names: &[&str]| std::env::join_paths(names.iter().map(|name| jar(name))).unwrap();
        let (jars, stamps) = front(&join(&["a.jar", "b.jar", "*", "c.jar"])).unwrap();
        assert_eq!(OsString::from(jars), join(&["a.jar", "b.jar"]));
        fs::write(jar("b.jar"), "22").unwrap();
        assert_ne!(front(&join(&["a.jar", "b.jar"])).unwrap().1, stamps);
        assert!(front(&join(&["none.jar"])).is_err());
    }

    #[tokio::test]
    async fn no_list_of_classes_stays() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        // Another process makes the archive, and the JVM is slow to start.
        let lock = lock(dir.path()).unwrap();
        let build = ArchiveBuild {
            java: "/none".into(),
            java_id: "11-x".into(),
            wide: false,
            class_path: String::new(),
            list: at("1.lst"),
            directory: dir.path().into(),
        };
        let words = [OsString::from(serde_json::to_string(&build).unwrap())];
        let late = async {
            sleep(Duration::from_millis(500)).await;
            fs::write(at("1.lst"), "java/lang/Object").unwrap();
        };
        let context = Context {
            vars: Default::default(),
            cwd: "/".into(),
            exe: "/none".into(),
            user: "ann".into(),
            waits: Default::default(),
        };
        let (made, ()) = tokio::join!(main(&context, &words), late);
        assert!(matches!(made, Exit::Failed) && !at("1.lst").exists());
        drop(lock);

        let alive = format!("{}.lst", std::process::id());
        for name in [alive.as_str(), "4194305.lst", "ours.lst", "x.jsa"] {
            fs::write(at(name), "").unwrap();
        }
        sweep(dir.path(), &at("ours.lst")).unwrap();
        let left = [alive.as_str(), "4194305.lst", "ours.lst", "x.jsa"].map(|name| at(name).exists());
        assert_eq!(left, [true, false, true, true]);
    }

    #[test]
    fn a_few_archives_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..7u64 {
            let path = dir.path().join(format!("client-{number}"));
            fs::create_dir(&path).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(number);
            File::open(&path).unwrap().set_modified(time).unwrap();
        }
        fs::create_dir(dir.path().join("other")).unwrap();
        tidy(&dir.path().join("client-0")).unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().map(|e| e.file_name()).collect();
        left.sort();
        assert_eq!(left, ["client-0", "client-4", "client-5", "client-6", "other"]);
    }

    #[test]
    fn what_is_not_an_archive_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(find(&dir.path().join("none")).unwrap().is_none());
        fs::write(dir.path().join("lock"), "").unwrap();
        assert!(find(dir.path()).unwrap().is_none());
        let name = ArchiveName { java: "17-x".into(), size: 1, crc: 2 };
        fs::write(dir.path().join(name.to_string()), "x").unwrap();
        assert_eq!(find(dir.path()).unwrap().unwrap().1, name);
    }
}
