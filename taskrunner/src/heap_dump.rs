//! Keeps the dump that a JVM makes of its heap when that is full (`heddle.heap-dump`): makes sure that there
//! is room for it, uploads it to the user's directory in HDFS, and removes it from the node.
//!
//! A dump has everything that the heap had, also passwords and data of users. So it is in a directory of its
//! own with mode 700 as long as it is on the node, and never among the logs, which others may be allowed to
//! read. In HDFS it has mode 600.
//!
//! The upload is done by Hadoop's own shell (`org.apache.hadoop.fs.FsShell`), in a small JVM with the class
//! path and the tokens of the JVM that has made the dump. So any file system works that Flink can use, no
//! other process has to pass on gigabytes, and heddle-taskrunner needs no client of HDFS.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flink_model::container::HEAP_DUMP;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::archive::Wish;
use crate::control::JvmRecords;
use crate::fresh;
use crate::jvm::{JvmCommand, JvmProcess};
use crate::jvm_records::{largest_heap, wants_dump};
use crate::memory;
use crate::spawn::SpawnThread;

/// The main class of the shell.
const SHELL: &str = "org.apache.hadoop.fs.FsShell";
/// The options of its JVM, so that it needs little memory.
const SHELL_OPTIONS: [&str; 6] = [
    "-Xmx64m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:MaxMetaspaceSize=96m",
    "-XX:+IgnoreUnrecognizedVMOptions",
];
/// Everything that the shell makes is the user's alone.
const CLOSED: &str = "fs.permissions.umask-mode=077";
/// What the JVM of the shell needs at most, in bytes, beside a JVM that goes on after its dump.
const SHELL_MEMORY: u64 = 192 << 20;
/// The name of the dump in its directory.
const DUMP_FILE: &str = "heap.hprof";
/// How long one command of the shell may take.
const DEADLINE: Duration = Duration::from_secs(600);
/// The file for the words of the shell, in the directory of the logs.
const OUTPUT: &str = "heap-dump-upload.log";
/// What HotSpot prints to stdout once a dump is complete.
const CREATED: &str = "Heap dump file created";
/// How much of the JVM's stdout is looked at, from its beginning and from its end, in bytes.
const STDOUT: u64 = 64 << 10;

/// Why no dump is made.
#[derive(Debug, thiserror::Error)]
enum NoDump {
    /// The disk has too little room.
    #[error(
        "the disk of {} has {} MiB left, and the heap may have {} MiB; a NodeManager does not use a disk that is full to nine \
         tenths", dir.display(), free >> 20, heap >> 20
    )]
    NoRoom {
        /// The directory.
        dir: PathBuf,
        /// The free bytes.
        free: u64,
        /// The bytes of the largest heap.
        heap: u64,
    },
    /// How large the heap becomes is not known.
    #[error("the options of the JVM do not limit its heap (-Xmx), so it is not known whether there is room")]
    NoLimit,
    /// The directory cannot be made, or the disk cannot be looked at.
    #[error("cannot prepare {}: {source}", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The place for the dump of one JVM, and how it is uploaded.
#[derive(Debug)]
pub struct HeapDump {
    /// The new directory on the node.
    dir: PathBuf,
    /// The JVM that makes the dump.
    command: JvmCommand,
    /// The directory in HDFS.
    target: String,
}

impl HeapDump {
    /// Prepares for the dump of this JVM, if one is wanted: makes the directory, and adds the options with
    /// which the JVM makes the dump. If there is no room for it, the log says so, and the JVM is started
    /// without them.
    pub fn prepare(command: &mut JvmCommand) -> Option<Self> {
        if !wants_dump(&command.records, command.jvm_args.iter().map(String::as_str)) {
            return None;
        }
        match Self::try_prepare(command) {
            Ok(dump) => {
                let path = dump.dir.join(DUMP_FILE);
                let options = [
                    "-XX:+HeapDumpOnOutOfMemoryError".to_owned(),
                    format!("-XX:HeapDumpPath={}", path.display()),
                ];
                command.jvm_args.splice(0..0, options);
                Some(dump)
            }
            Err(error) => {
                tracing::warn!(%error, "no heap dump will be made if the memory of the JVM is full");
                None
            }
        }
    }

    fn try_prepare(command: &JvmCommand) -> Result<Self, NoDump> {
        let heap = largest_heap(command.jvm_args.iter().map(String::as_str));
        let heap = heap.ok_or(NoDump::NoLimit)?;
        let dir = command.dir.join(HEAP_DUMP);
        let failed = |source: io::Error| NoDump::Directory { dir: dir.clone(), source };
        let disk = rustix::fs::statvfs(&command.dir).map_err(|error| failed(error.into()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
        let (free, all) = (bytes(disk.f_bavail), bytes(disk.f_blocks));
        // A dump is about as large as the heap, and has the names and types of all classes.
        if !has_disk_room(free, all, heap.saturating_add(heap / 4)) {
            return Err(NoDump::NoRoom { dir: command.dir.clone(), free, heap });
        }
        // The JobManager is started again in the same container. What an earlier JVM has left is uploaded
        // already, or could not be.
        match fresh::private_directory(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_ours(&dir) => {
                let _ = fs::remove_file(dir.join(DUMP_FILE));
            }
            made => made.map_err(failed)?,
        }
        let target = command.records.heap_dump_directory.trim_end_matches('/').to_owned();
        Ok(Self { dir, command: command.clone(), target })
    }

    /// Whether there is a complete dump: the JVM says so on its stdout.
    fn is_complete(&self) -> bool {
        let exists = fs::symlink_metadata(self.dir.join(DUMP_FILE)).is_ok_and(|found| found.is_file());
        exists && self.stdout().contains(CREATED)
    }

    /// The beginning and the end of the JVM's stdout; empty if it cannot be read.
    fn stdout(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.command.stdout)?;
            let length = file.metadata()?.len();
            let mut bytes = Vec::new();
            (&file).take(STDOUT).read_to_end(&mut bytes)?;
            bytes.push(b'\n');
            file.seek(SeekFrom::Start(length.saturating_sub(STDOUT)))?;
            (&file).take(STDOUT).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }

    /// Uploads the dump and removes it from the node, whether or not that succeeds. What comes of it is told
    /// in the log.
    async fn upload(&self, thread: &SpawnThread, now: u64) {
        let name = self.command.log_name();
        let file = format!("{}/{name}-{}-{}.hprof", self.target, cause(&self.stdout()), day(now));
        let source = self.dir.join(DUMP_FILE);
        tracing::info!(file, "the heap of the JVM was dumped; uploading that");
        match self.put(thread, &source, &file).await {
            Ok(true) => tracing::info!(file, "the heap dump is uploaded, for its user alone (mode 600)"),
            Ok(false) => tracing::info!(
                file,
                "a heap dump of this cause was uploaded on this day already, so that this one is not"
            ),
            Err(why) => tracing::warn!(
                file,
                why,
                "the heap dump cannot be uploaded, and is lost; the words of Hadoop's shell are in {OUTPUT}"
            ),
        }
        if let Err(error) = fs::remove_file(&source) {
            tracing::debug!(%error, file = %source.display(), "not removed");
        }
    }

    /// Whether it was uploaded; false if there is a file of this name already.
    async fn put(&self, thread: &SpawnThread, source: &Path, file: &str) -> Result<bool, String> {
        let made = self.shell(thread, &["-mkdir", "-p", &self.target]).await?;
        made.map_err(|said| format!("cannot make the directory {}: {said}", self.target))?;
        let source = format!("file://{}", source.display());
        match self.shell(thread, &["-put", &source, file]).await? {
            Ok(()) => Ok(true),
            Err(said) if said.contains("File exists") => Ok(false),
            Err(said) => Err(said),
        }
    }

    /// Runs one command of the shell. The outer error says why it could not be run, and the inner one what it
    /// has said.
    async fn shell(&self, thread: &SpawnThread, words: &[&str]) -> Result<Result<(), String>, String> {
        let args = ["-D", CLOSED].iter().chain(words).map(|word| (*word).to_owned()).collect();
        let output = self.command.log_dir().join(OUTPUT);
        let command = JvmCommand {
            release: None,
            archives: Wish::default(),
            launcher: Vec::new(),
            jvm_args: SHELL_OPTIONS.map(str::to_owned).into(),
            main_class: SHELL.to_owned(),
            args,
            stdout: output.clone(),
            stderr: output,
            log: None,
            records: JvmRecords::default(),
            ..self.command.clone()
        };
        let process = EndsWithUpload(command.spawn(thread).await.map_err(|error| crate::chain(&error))?);
        let Ok(report) = timeout(DEADLINE, process.0.wait()).await else {
            return Err(format!("it takes longer than {} s", DEADLINE.as_secs()));
        };
        if report.code == Some(0) {
            return Ok(Ok(()));
        }
        let said = report.stderr_tail.iter().rev().find(|line| line.contains(": "));
        Ok(Err(said.or(report.stderr_tail.last()).unwrap_or(&report.summary).clone()))
    }
}

/// The JVM of the shell. It must not go on without the upload that waits for it, because the next JVM of the
/// container needs the memory.
struct EndsWithUpload(JvmProcess);

impl Drop for EndsWithUpload {
    fn drop(&mut self) {
        // Without effect if it has ended.
        self.0.kill();
    }
}

/// Whether this is a directory, and no link, that belongs to the user of this process.
fn is_ours(dir: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(dir).is_ok_and(|found| found.is_dir() && found.uid() == own)
}

/// Looks from time to time whether a JVM has dumped its heap, and uploads the dump once.
#[derive(Debug)]
pub struct DumpWatch {
    dump: Arc<HeapDump>,
    upload: Option<JoinHandle<()>>,
    /// It was told already that there is no room for the shell's JVM.
    told: bool,
    /// How many looks are left out until it is looked again whether there is room.
    leave_out: u32,
}

/// How many looks are left out if there is no room for the shell's JVM: to find that out is expensive.
const LEAVE_OUT: u32 = 11;

impl DumpWatch {
    /// For this JVM.
    pub fn new(dump: Arc<HeapDump>) -> Self {
        Self { dump, upload: None, told: false, leave_out: 0 }
    }

    /// Begins to upload a dump, if there is one. A JVM that goes on after its dump (`jvm_runs`) has most of
    /// the container's memory; if the rest is too little for the shell, the upload waits until the JVM has
    /// ended. Gives whether an upload is under way.
    pub fn look(&mut self, thread: &SpawnThread, jvm_runs: bool, now: u64) -> bool {
        if let Some(upload) = &self.upload {
            return !upload.is_finished();
        }
        if jvm_runs && self.leave_out > 0 {
            self.leave_out -= 1;
            return false;
        }
        if !self.dump.is_complete() {
            return false;
        }
        if jvm_runs && !has_room(self.dump.command.container_mb, memory::of_container().rss) {
            if !std::mem::replace(&mut self.told, true) {
                tracing::info!(
                    "the heap of the JVM was dumped; that is uploaded when the JVM has ended, because the container has too \
                     little memory for an upload beside it"
                );
            }
            self.leave_out = LEAVE_OUT;
            return false;
        }
        let (dump, thread) = (self.dump.clone(), thread.clone());
        self.upload = Some(tokio::spawn(async move { dump.upload(&thread, now).await }));
        true
    }

    /// Waits until the upload is over, if one was begun.
    pub async fn finished(&mut self) {
        if let Some(upload) = self.upload.as_mut().filter(|upload| !upload.is_finished()) {
            // It has told what came of it.
            let _ = upload.await;
        }
    }

    /// Ends the upload, if one is under way. The dump is lost.
    pub fn give_up(&mut self) {
        self.upload.iter().for_each(JoinHandle::abort);
    }
}

/// Whether a disk of `all` bytes, `free` of which are free, has room for a dump. A NodeManager takes a disk
/// for bad that is full to nine tenths, if
/// `yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage` does not say otherwise. So
/// a dump must not fill it so far; unless it is fuller already, because then the limit is another one.
fn has_disk_room(free: u64, all: u64, dump: u64) -> bool {
    let Some(left) = free.checked_sub(dump) else { return false };
    let tenth = all / 10;
    left > tenth || free <= tenth
}

/// Whether a container has room for the shell beside processes that use so many bytes. If its size is not
/// known, it has none.
fn has_room(container_mb: u64, used: u64) -> bool {
    container_mb > 0 && used.saturating_add(SHELL_MEMORY) <= container_mb.saturating_mul(1 << 20)
}

/// The kind of memory that ran out, as HotSpot prints it in front of "Dumping heap to".
fn cause(stdout: &str) -> &'static str {
    const KINDS: [(&str, &str); 4] = [
        ("Metaspace", "metaspace"),
        ("Compressed class space", "metaspace"),
        ("Java heap space", "heap"),
        ("GC overhead limit exceeded", "heap"),
    ];
    let line = stdout.lines().find_map(|line| line.strip_prefix("java.lang.OutOfMemoryError: "));
    let kind = line.and_then(|line| KINDS.iter().find(|(words, _)| line.contains(words)));
    kind.map_or("other", |(_, kind)| kind)
}

/// The day in UTC, such as `2026-11-30`, of a time in milliseconds since 1970. The arithmetic is that of the
/// proleptic Gregorian calendar, in eras of 400 years that begin on the first of March.
fn day(unix_ms: u64) -> String {
    const DAYS_OF_ERA: u64 = 146_097;
    // From 0000-03-01 to 1970-01-01.
    let days = unix_ms / 86_400_000 + 719_468;
    let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{of_month:02}", era * 400 + year + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        for (ms, text) in [
            (0, "1970-01-01"),
            (951_782_400_000, "2000-02-29"),
            (951_868_800_000, "2000-03-01"),
            (1_796_083_199_999, "2026-11-30"),
            (1_796_083_200_000, "2026-12-01"),
            (4_107_542_399_999, "2100-02-28"),
            (4_107_542_400_000, "2100-03-01"),
        ] {
            assert_eq!(day(ms), text);
        }
    }

    #[test]
    fn the_cause_is_what_hotspot_prints() {
        let said = |kind: &str| {
            format!(
                "x\njava.lang.OutOfMemoryError: {kind}\nDumping heap to /w/heap.hprof ...\n{CREATED} [7 bytes]\n"
            )
        };
        for (kind, name) in [
            ("Java heap space", "heap"),
            ("GC overhead limit exceeded", "heap"),
            ("Metaspace", "metaspace"),
            ("Requested array size exceeds VM limit", "other"),
        ] {
            assert_eq!(cause(&said(kind)), name);
        }
        assert_eq!(cause(""), "other");
    }

    fn command(dir: &Path, heap: &str) -> JvmCommand {
        JvmCommand {
            release: None,
            archives: Wish::default(),
            launcher: Vec::new(),
            java_home: None,
            jvm_args: vec![format!("-Xmx{heap}")],
            class_path: String::new(),
            main_class: "M".to_owned(),
            args: Vec::new(),
            env: std::collections::BTreeMap::new(),
            without: Vec::new(),
            stdout: dir.join("taskmanager.out"),
            stderr: dir.join("taskmanager.err"),
            log: None,
            dir: dir.to_owned(),
            self_exe: dir.join("me"),
            records: JvmRecords {
                heap_dump: true,
                heap_dump_directory: "dumps/".into(),
                ..JvmRecords::default()
            },
            container_mb: 0,
        }
    }

    #[test]
    fn a_dump_has_a_closed_directory_and_room() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let mut jvm = command(dir.path(), "1m");
        let dump = HeapDump::prepare(&mut jvm).unwrap();
        let place = dir.path().join(HEAP_DUMP);
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
        let path = format!("-XX:HeapDumpPath={}/heap.hprof", place.display());
        assert_eq!(jvm.jvm_args, ["-XX:+HeapDumpOnOutOfMemoryError", &path, "-Xmx1m"]);
        assert_eq!(dump.target, "dumps");
        assert!(!dump.is_complete());
        fs::write(place.join(DUMP_FILE), "JAVA PROFILE").unwrap();
        assert!(!dump.is_complete(), "the JVM still writes it");
        fs::write(&jvm.stdout, format!("{CREATED} [12 bytes in 0.1 secs]\n")).unwrap();
        assert!(dump.is_complete());
        // The next JVM in the same container.
        assert!(HeapDump::prepare(&mut command(dir.path(), "1m")).is_some());
        assert!(!place.join(DUMP_FILE).exists());
    }

    #[test]
    fn without_room_no_dump_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let mut large = command(dir.path(), "4096t");
        assert!(HeapDump::prepare(&mut large).is_none());
        assert_eq!(large.jvm_args, ["-Xmx4096t"]);
        let error = HeapDump::try_prepare(&large).unwrap_err().to_string();
        assert!(error.contains("MiB left, and the heap may have 4294967296 MiB"), "{error}");
        large.jvm_args.clear();
        assert!(matches!(HeapDump::try_prepare(&large), Err(NoDump::NoLimit)));
    }

    #[test]
    fn a_dump_does_not_fill_the_disk() {
        assert!(has_disk_room(500, 1000, 300));
        assert!(!has_disk_room(500, 1000, 400), "the NodeManager would take it for bad");
        assert!(has_disk_room(90, 1000, 50), "it is fuller than that already");
        assert!(!has_disk_room(90, 1000, 91));
    }

    #[test]
    fn the_shell_needs_room() {
        assert!(has_room(1024, 500 << 20));
        assert!(!has_room(1024, 900 << 20));
        assert!(!has_room(0, 0));
    }
}
