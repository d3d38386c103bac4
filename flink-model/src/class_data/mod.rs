//! Says which class data archive fits which JVM. With an archive (the JVM's "CDS", class data sharing), a JVM
//! starts faster, because it maps its classes into memory instead of reading and checking them. Does no I/O.
//!
//! An archive is made for a role and for the jars at the front of the class path. Both are in the name of its
//! directory, `cds/<role>-<key>` below a store's root. The name of the file ([`ArchiveName`]) says which Java
//! has made the archive, and has the size and the checksum of the file. A node with another Java sees from
//! the name that it cannot use the archive.

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

/// The directory of the archives, below a store's root.
pub const DIRECTORY: &str = "cds";

/// The directory of the archives in a container's working directory.
pub const CONTAINER_DIRECTORY: &str = "heddle/cds";

/// The feature releases of Java with which archives are made and used. JVMs of later releases compare the
/// modification times of the jars with those in the archive, and these times differ from node to node.
pub const PORTABLE: RangeInclusive<u16> = 11..=23;

/// A part of each archive's key. It must change if a release of heddle must not use the archives of older
/// releases.
const FORMAT: u32 = 1;

/// The size of the heap, in bytes, from which on the JVM uses 64-bit references to objects. Then the archive
/// must have been made with 64-bit references, too.
const WIDE_FROM: u64 = 32 << 30;

/// What the ApplicationMaster needs to make an archive for a role, and the nodes to use one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassDataSpec {
    /// The URL of the store's root.
    pub store: String,
    /// The directory of the archives below the root, as the function [`directory`] gives it.
    pub directory: String,
    /// The jars at the front of the class path, of which the archive is made.
    pub class_path: Vec<String>,
    /// The keys of those local resources of the container that are archives.
    pub found: Vec<String>,
    /// The users whose archives are used: the application's user, and the owner of the store. If everybody
    /// may write to the store, anybody could leave an archive there, and only those of these users can be
    /// trusted.
    pub owners: Vec<String>,
    /// The name of the directory below the root for files that are still being uploaded.
    pub incoming: String,
    /// The modes of new directories and of new files in the store.
    pub modes: (u16, u16),
    /// The replication of new files; `None` stands for the file system's own.
    pub replication: Option<u16>,
}

/// The local resources that are the jars at the front of a class path. The front ends at the first entry that
/// is not a jar of the container. The result is `None` if Flink's main jar is not among them, because then an
/// archive would be of little use.
///
/// The JVM accepts an archive if the archive's class path is the beginning of its own. The archive's class
/// path must not have a directory that is not empty.
pub fn front<'a>(class_path: &[String], resources: &'a [LocalResource]) -> Option<Vec<&'a LocalResource>> {
    let jar = |entry: &String| {
        let found = resources.iter().find(|r| r.key == *entry && r.kind == LocalResourceKind::File);
        found.filter(|r| r.key.ends_with(".jar"))
    };
    let front: Vec<&LocalResource> = class_path.iter().map_while(jar).collect();
    front.iter().any(|jar| is_dist_jar(&jar.key)).then_some(front)
}

/// The directory of the archives for a role with these jars at the front of its class path.
pub fn directory(role: Role, front: &[&LocalResource]) -> String {
    let role = match role {
        Role::JobManager => "jobmanager",
        Role::TaskManager => "taskmanager",
    };
    let jars: String = front.iter().map(|jar| format!("{} {}\n", jar.key, identity(jar))).collect();
    format!("{DIRECTORY}/{role}-{}", fingerprint(&format!("{FORMAT} {role}\n{jars}")))
}

/// A text that identifies the content of a file: its hash if the file is in the store, otherwise its URL,
/// size and modification time.
fn identity(file: &LocalResource) -> String {
    let mut parts = file.url.rsplit('/').skip(1);
    let (hash, letters) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hash && hash.get(..2) == Some(letters) {
        return hash.to_owned();
    }
    format!("{} {} {}", file.url, file.size, file.modification_time)
}

/// The first 16 hexadecimal digits of a text's SHA-256, as a short name for the text.
pub fn fingerprint(text: &str) -> String {
    short_hash(text, 16)
}

fn short_hash(text: &str, digits: usize) -> String {
    let mut hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    hash.truncate(digits);
    hash
}

/// A Java installation, as far as it decides whether an archive fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JavaId {
    /// The feature release, such as 17.
    pub feature: u16,
    /// The version, and a hash of everything that has to be the same: `17.0.15+6-1f2e3d4c5b6a`.
    pub text: String,
}

impl JavaId {
    /// Identifies a Java by the content of the file `release` in its directory; `None` if the file does not
    /// tell the version. `wide` says whether the JVM [uses 64-bit references](wide_references). `beside`
    /// identifies the jars of the node that are on the class path besides those of the container, and is
    /// empty if there are none.
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

/// Whether a JVM with these options uses 64-bit references to objects. An archive that was made with
/// references of one size does not fit a JVM with references of the other size.
pub fn wide_references(options: &[String]) -> bool {
    let size =
        |o: &String| o.strip_prefix("-Xmx").or_else(|| o.strip_prefix("-XX:MaxHeapSize=")).map(str::to_owned);
    let heap = options.iter().rev().find_map(size);
    heap.and_then(|size| MemorySize::parse(&size).ok()).is_some_and(|heap| heap.bytes() >= WIDE_FROM)
        || options.iter().any(|o| o == "-XX:-UseCompressedOops" || o == "-XX:+UseZGC")
}

/// The first of the user's options that decides which archive the JVM uses or makes, or that prevents it from
/// using one. If there is such an option, heddle adds no archive.
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

/// The options for a JVM that makes the file `archive` with the classes in the file `list`. `wide` says
/// whether it is for JVMs with 64-bit references.
pub fn dump_options(list: &str, archive: &str, wide: bool) -> Vec<String> {
    let mut options: Vec<String> = [
        "-Xshare:dump",
        "-Xlog:disable",
        "-Xlog:all=error:stdout",
        "-Xmx256m",
        // The next two options keep the address space small, because a NodeManager that checks virtual memory
        // counts all reserved address space.
        "-XX:ReservedCodeCacheSize=32m",
        "-XX:CompressedClassSpaceSize=128m",
        "-XX:ParallelGCThreads=1",
        // Only with this garbage collector can the archive hold objects of the JDK, too.
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

/// The number of hexadecimal digits of the checksum in the name of an archive, a SHA-256.
const CHECKSUM_DIGITS: usize = 64;
/// The same for archives of earlier releases, whose checksum is a CRC-32. They are not used, because anybody
/// can make another file with the same CRC-32.
const OLD_CHECKSUM_DIGITS: usize = 8;

/// The name of an archive: `<java>-<size in bytes>-<SHA-256 in 64 hexadecimal digits>.jsa`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveName {
    /// The [`JavaId::text`] of the Java that has made the archive.
    pub java: String,
    /// The size of the archive in bytes.
    pub size: u64,
    /// The SHA-256 of the archive, in lower-case hexadecimal digits.
    pub sha256: String,
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}.jsa", self.java, self.size, self.sha256)
    }
}

/// A text that is not the name of an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a class data archive")]
pub struct NotAnArchive(String);

impl FromStr for ArchiveName {
    type Err = NotAnArchive;

    /// Reads the name of an archive, or a path that ends with such a name.
    fn from_str(text: &str) -> Result<Self, NotAnArchive> {
        let parsed = split_name(text).filter(|(.., checksum)| checksum.len() == CHECKSUM_DIGITS);
        let (java, size, sha256) = parsed.ok_or_else(|| NotAnArchive(text.to_owned()))?;
        Ok(Self { java: java.to_owned(), size, sha256: sha256.to_owned() })
    }
}

/// Splits a path that ends with the name of an archive into Java, size and checksum.
fn split_name(path: &str) -> Option<(&str, u64, &str)> {
    let mut parts = path.rsplit('/').next()?.strip_suffix(".jsa")?.rsplitn(3, '-');
    let (checksum, size, java) = (parts.next()?, parts.next()?, parts.next()?);
    let is_checksum = checksum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    Some((java, size.parse().ok().filter(|_| is_checksum)?, checksum))
}

/// Whether a path below a store's root is that of an archive, `cds/<role>-<key>/<name>`, which may be one of
/// an earlier release.
pub fn is_archive(path: &str) -> bool {
    let mut parts = path.split('/');
    let (top, directory, name) = (parts.next(), parts.next(), parts.next());
    let made = |directory: &str| {
        let key = directory.strip_prefix("jobmanager-").or_else(|| directory.strip_prefix("taskmanager-"));
        key.is_some_and(|key| key.len() == 16 && key.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    top == Some(DIRECTORY)
        && directory.is_some_and(made)
        && name
            .and_then(split_name)
            .is_some_and(|(.., checksum)| [CHECKSUM_DIGITS, OLD_CHECKSUM_DIGITS].contains(&checksum.len()))
        && parts.next().is_none()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
