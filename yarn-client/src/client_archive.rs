//! Gives the JVM of Flink's own client (see [`crate::run`]) a class data archive, so that the JVM starts
//! faster. The archive is `<cache>/cds/client-<key>/<name>.jsa`; the key is a hash of the command, the Java
//! and the jars.
//!
//! The first run with a Java and a set of jars records which classes it loads. A separate process
//! (`heddle client-archive`) of low priority then makes an archive of these classes, and may still run when
//! the command has ended. Later runs use the archive. A command never fails because of the archive: without
//! one, the JVM only starts more slowly.

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
use crate::ownership;

/// The subcommand that makes an archive. Only heddle itself runs it, so no help text lists it.
pub const VERB: &str = "client-archive";

/// The first release of Java whose archives can hold the classes of applications.
const OLDEST_JAVA: u16 = 11;
/// From this release on, Java does not print which classes it leaves out of its list of loaded classes. Older
/// releases print them to the standard output, where the program's own output is.
const SILENT_JAVA: u16 = 17;
const SILENT: [&str; 2] = ["-XX:+UnlockDiagnosticVMOptions", "-XX:-DisplayVMOutput"];
/// The file extension of the lists of classes. A list is named after the id of the heddle process that has
/// started the JVM.
const LIST: &str = "lst";
/// The number of `client-<key>` directories that are kept. Other Javas, commands and releases of Flink have
/// directories of their own.
const KEPT: usize = 4;
/// The list of classes is complete when it has not grown for `QUIET`. After `LONGEST`, it is used as it is,
/// even if it still grows.
const QUIET: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);
/// The time limit of the JVM that makes the archive.
const DEADLINE: Duration = Duration::from_secs(180);

/// What the process that makes an archive needs to know.
#[derive(Debug, Serialize, Deserialize)]
struct ArchiveBuild {
    java: PathBuf,
    java_id: String,
    wide: bool,
    class_path: String,
    /// The file to which the JVM writes the names of its classes.
    list: PathBuf,
    /// The directory for the archive.
    directory: PathBuf,
}

/// Returns the options by which the JVM of Flink's client uses an archive, or records its classes for one.
/// They belong in front of all other options. `verb` is the command of Flink's client, because each command
/// needs other classes; `given` holds the other options of the JVM. The result is empty if archives are
/// switched off, if the user's own options concern archives, or if the cache cannot be used.
pub fn options(
    context: &Context,
    configuration: &Configuration,
    java: &Path,
    verb: &str,
    given: &[String],
    class_path: &OsStr,
) -> Vec<String> {
    let fast = configuration.require(&options::FAST_START).unwrap_or(false);
    // Java takes options from these environment variables, too.
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
    // What is in these directories is mapped into the JVM.
    for level in [cache, &directory] {
        ownership::check_directory(level)
            .map_err(|distrust| other(&format!("{} is not used: {distrust}", level.display())))?;
    }
    if let Some((path, name)) = find(&directory)? {
        let text =
            path.to_str().filter(|text| !text.contains(':')).ok_or_else(|| other("no path for Java"))?;
        match verify(&path, &name) {
            Ok(()) => return Ok(quiet_with(text)),
            Err(why) => tracing::warn!("{text} is removed: {why}"),
        }
        fs::remove_file(&path)?;
    }
    ownership::make_directory(&directory)?;
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
    // The process gets a process group of its own, so that Ctrl-C ends the command and not the making of the
    // archive.
    #[expect(clippy::disallowed_methods, reason = "the archive is made after the command has ended")]
    let mut maker = Command::new(&context.exe);
    maker.arg(VERB).arg(build).current_dir("/").process_group(0);
    maker.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok(options)
}

/// Acquires the right to make the archive in this directory. The right lasts as long as the returned file is
/// open. It is an error if another process has it.
fn lock(directory: &Path) -> io::Result<File> {
    let lock = File::create(directory.join("lock"))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
    Ok(lock)
}

/// Returns the jars at the front of the class path, joined with `:`, and a text with their paths, sizes and
/// modification times by which changed jars are noticed.
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

/// Finds the archive in a directory, if there is one.
fn find(directory: &Path) -> io::Result<Option<(PathBuf, ArchiveName)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.find_map(|path| Some((path.clone(), path.to_str()?.parse().ok()?))))
}

/// Makes an archive, unless another process is making it. The only argument in `words` is an `ArchiveBuild`
/// as JSON.
pub async fn main(context: &Context, words: &[OsString]) -> Exit {
    let build = words.first().and_then(|word| serde_json::from_str::<ArchiveBuild>(word.to_str()?).ok());
    let Some(build) = build else { return Exit::Failed };
    let made = make(&build, &context.exe).await;
    // The list is no longer needed, whether or not an archive was made.
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
    // `main` removes the list when this function returns. If that happened before the JVM has opened its
    // list, the JVM would create the list afterwards, and nobody would remove it.
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
    // The JVM is killed when this thread ends: if the JVM takes longer than `DEADLINE`, or if this process is
    // killed.
    let thread = SpawnThread::start()?;
    let mut dump = thread.spawn(dump).await?;
    let status = timeout(DEADLINE, dump.wait()).await.map_err(io::Error::other)??;
    if !status.success() || !part.is_file() {
        let _ = fs::remove_file(&part);
        return Err(io::Error::other(format!("Java ended with {status}")));
    }
    let (size, sha256) = measure(&part)?;
    let name = ArchiveName { java: build.java_id.clone(), size, sha256 }.to_string();
    fs::rename(&part, build.directory.join(name))?;
    tidy(&build.directory)
}

/// Waits until the list of classes is complete. It is an error if there is no list after `LONGEST`.
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

/// Removes lists whose heddle process no longer runs. Such a list is left if the process that makes the
/// archive is killed.
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

/// Removes the oldest `client-<key>` directories, so that `KEPT` of them remain.
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
            logins: Default::default(),
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
        let name = ArchiveName { java: "17-x".into(), size: 1, sha256: "2d".repeat(32) };
        fs::write(dir.path().join(name.to_string()), "x").unwrap();
        assert_eq!(find(dir.path()).unwrap().unwrap().1, name);
    }
}
