//! Class data archives (the JVM's "CDS"): a JVM that maps one loads its classes in half the time. Which
//! archive fits which JVM; pure.
//!
//! An archive is made for a role and the jars at the front of its class path: both are in the name of its
//! directory, `cds/<role>-<key>` below a store's root. The name of the file ([`ArchiveName`]) says which Java
//! made it, its size and its checksum. A node with another Java sees that from the name, and leaves the
//! archive alone.

mod class_list;

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::class_path::is_dist_jar;
use crate::java_fit::java_version;
use crate::local_resource::{LocalResource, LocalResourceKind};
use crate::memory::Role;
use crate::units::MemorySize;

pub use class_list::{ClassList, LAMBDA_LINES_SINCE, RpcJars, is_rpc_jar};

/// Directory of the archives, below a store's root.
pub const DIRECTORY: &str = "cds";

/// Directory of the archives in a container.
pub const CONTAINER_DIRECTORY: &str = "heddle/cds";

/// Feature releases of Java whose archives can be used on another node than the one that made them. Before,
/// there are none; later ones insist on the modification times of the jars, which differ from node to node.
pub const PORTABLE: RangeInclusive<u16> = 11..=23;

/// Changes when archives of older releases of heddle must not be used any more.
const FORMAT: u32 = 1;

/// With heaps from this size on the JVM uses 64-bit references to objects, and the archive must have been
/// made with them.
const WIDE_FROM: u64 = 32 << 30;

/// What the ApplicationMaster has to know to make the archive of a role, and the nodes to use one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassDataSpec {
    /// URL of the store's root.
    pub store: String,
    /// Directory of the archives below it, as [`directory`] gives it.
    pub directory: String,
    /// The front of the class path: the jars that the archive is made of.
    pub class_path: Vec<String>,
    /// Archives among the container's files, by their keys.
    pub found: Vec<String>,
    /// Users whose archives are used: in a store that everybody may write to anybody could leave one.
    pub owners: Vec<String>,
    /// Modes of new directories and files in the store.
    pub modes: (u16, u16),
    /// Replication of new files; none = the file system's own.
    pub replication: Option<u16>,
}

/// The jars at the front of a class path that are files of the container; none when Flink's main jar is not
/// among them, because the archive would be of little use then.
///
/// The JVM takes an archive whose class path is the front of its own. A directory that is not empty must not
/// be part of that front.
pub fn front<'a>(class_path: &[String], resources: &'a [LocalResource]) -> Option<Vec<&'a LocalResource>> {
    let jar = |entry: &String| {
        let found = resources.iter().find(|r| r.key == *entry && r.kind == LocalResourceKind::File);
        found.filter(|r| r.key.ends_with(".jar"))
    };
    let front: Vec<&LocalResource> = class_path.iter().map_while(jar).collect();
    front.iter().any(|jar| is_dist_jar(&jar.key)).then_some(front)
}

/// The directory of the archives for a role and the jars at the front of its class path.
pub fn directory(role: Role, front: &[&LocalResource]) -> String {
    let role = match role {
        Role::JobManager => "jobmanager",
        Role::TaskManager => "taskmanager",
    };
    let jars: String = front.iter().map(|jar| format!("{} {}\n", jar.key, identity(jar))).collect();
    format!("{DIRECTORY}/{role}-{}", fingerprint(&format!("{FORMAT} {role}\n{jars}")))
}

/// What identifies the content of a file: the hash that the store names it by, or else its place, its size
/// and its modification time.
fn identity(file: &LocalResource) -> String {
    let mut parts = file.url.rsplit('/').skip(1);
    let (hash, letters) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hash && hash.get(..2) == Some(letters) {
        return hash.to_owned();
    }
    format!("{} {} {}", file.url, file.size, file.modification_time)
}

/// A short name for a text. Different texts have different names.
pub fn fingerprint(text: &str) -> String {
    short_hash(text, 16)
}

fn short_hash(text: &str, digits: usize) -> String {
    let mut hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    hash.truncate(digits);
    hash
}

/// What has to be known of a Java installation to tell whether an archive fits it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JavaId {
    /// Its feature release, as 17.
    pub feature: u16,
    /// Version, and a hash of all that the installation says of itself: `17.0.15+6-1f2e3d4c5b6a`.
    pub text: String,
}

impl JavaId {
    /// Reads the file `release` of a Java's directory. `wide` is what [`wide_references`] says of the JVM.
    /// `beside` identifies the jars of the node itself that are on the class path besides the container's
    /// own; it is empty if there are none.
    pub fn of(release_file: &str, architecture: &str, wide: bool, beside: &str) -> Option<Self> {
        let feature = java_version(release_file)?;
        let value = |key: &str| {
            let line =
                release_file.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
            Some(line.trim().trim_matches('"').to_owned())
        };
        let version = value("JAVA_RUNTIME_VERSION").or_else(|| value("JAVA_VERSION"))?;
        let version: String =
            version.chars().filter(|c| c.is_ascii_alphanumeric() || ".+-".contains(*c)).take(40).collect();
        let hash = short_hash(&format!("{architecture} {wide} {beside}\n{release_file}"), 12);
        Some(Self { feature, text: format!("{version}-{hash}") })
    }
}

/// Whether a JVM with these options uses 64-bit references to objects. An archive that was made with 32-bit
/// references does not fit such a JVM, and the other way round.
pub fn wide_references(options: &[String]) -> bool {
    let heap = options.iter().rev().find_map(|o| o.strip_prefix("-Xmx"));
    heap.and_then(|size| MemorySize::parse(size).ok()).is_some_and(|heap| heap.bytes() >= WIDE_FROM)
        || options.iter().any(|o| o == "-XX:-UseCompressedOops" || o == "-XX:+UseZGC")
}

/// The first of the user's options that decides by itself which archives the JVM uses or makes, or that keeps
/// it from using any. heddle adds no archive then.
pub fn in_the_way<'a>(options: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const BEGINNINGS: [&str; 14] = [
        "-Xshare",
        "-XX:SharedArchiveFile",
        "-XX:ArchiveClassesAtExit",
        "-XX:+AutoCreateSharedArchive",
        "-XX:DumpLoadedClassList",
        "-XX:SharedClassListFile",
        "-XX:+UseSharedSpaces",
        "-XX:-UseSharedSpaces",
        "-XX:AOT",
        "-XX:+AOT",
        "-Xbootclasspath/a",
        "--patch-module",
        "--upgrade-module-path",
        "--limit-modules",
    ];
    options.into_iter().find(|option| BEGINNINGS.iter().any(|begin| option.starts_with(begin)))
}

/// Options for the JVM that makes an archive of the classes in the file `list`.
pub fn dump_options(list: &str, archive: &str, wide: bool) -> Vec<String> {
    let mut options: Vec<String> = [
        "-Xshare:dump",
        "-Xlog:disable",
        "-Xlog:all=error:stdout",
        "-Xmx256m",
        // A NodeManager that checks virtual memory counts the whole address space that is reserved.
        "-XX:ReservedCodeCacheSize=32m",
        "-XX:CompressedClassSpaceSize=128m",
        "-XX:ParallelGCThreads=1",
        // Only with this collector can the archive hold objects of the JDK besides classes.
        "-XX:+UseG1GC",
    ]
    .map(str::to_owned)
    .into();
    options.push(format!("-XX:SharedClassListFile={list}"));
    options.push(format!("-XX:SharedArchiveFile={archive}"));
    if wide {
        options.push("-XX:-UseCompressedOops".to_owned());
    }
    options
}

/// Name of an archive: `<java>-<size in bytes>-<CRC-32 in 8 hexadecimal digits>.jsa`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveName {
    /// [`JavaId::text`] of the Java that made it.
    pub java: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its checksum.
    pub crc: u32,
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:08x}.jsa", self.java, self.size, self.crc)
    }
}

/// The text is no name of an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a class data archive")]
pub struct NotAnArchive(String);

impl FromStr for ArchiveName {
    type Err = NotAnArchive;

    /// From a name, or a path that ends in one.
    fn from_str(text: &str) -> Result<Self, NotAnArchive> {
        let parse = || {
            let mut parts = text.rsplit('/').next()?.strip_suffix(".jsa")?.rsplitn(3, '-');
            let (crc, size, java) = (parts.next()?, parts.next()?, parts.next()?);
            let crc = (crc.len() == 8).then(|| u32::from_str_radix(crc, 16).ok())??;
            Some(Self { java: java.to_owned(), size: size.parse().ok()?, crc })
        };
        parse().ok_or_else(|| NotAnArchive(text.to_owned()))
    }
}

/// Whether a path below a store's root is that of an archive: `cds/<role>-<key>/<name>`.
pub fn is_archive(path: &str) -> bool {
    let mut parts = path.split('/');
    let (top, directory, name) = (parts.next(), parts.next(), parts.next());
    let made = |directory: &str| {
        let key = directory.strip_prefix("jobmanager-").or_else(|| directory.strip_prefix("taskmanager-"));
        key.is_some_and(|key| key.len() == 16 && key.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    top == Some(DIRECTORY)
        && directory.is_some_and(made)
        && name.is_some_and(|name| name.parse::<ArchiveName>().is_ok())
        && parts.next().is_none()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
