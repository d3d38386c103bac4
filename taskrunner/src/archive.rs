//! Decides which class data archive a JVM uses, or that the JVM records its classes so that an archive can be
//! made.
//!
//! A JVM with an archive starts faster. A JVM that is given the archive of another Java, or of other jars,
//! starts without an archive and prints a warning to its output. So heddle gives a JVM only an archive that
//! fits, and switches these warnings off. The JVM runs what an archive holds, and a damaged one could crash
//! it, so heddle checks the size and the SHA-256 of the file first.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flink_model::class_data::{
    ArchiveName, ClassList, JavaId, LAMBDA_LINES_SINCE, PORTABLE, in_the_way, wide_references,
};
use flink_model::container::RECORDING;
use ring::digest::{self, SHA256};
use tokio::time::{Instant, sleep};

use crate::expand::Lookup;
use crate::fresh;
use crate::java;
use crate::node_jars::NodeJars;

/// The files to which the JVM writes the names of its classes. They are in a new directory below the JVM's
/// working directory: if a link in the working directory had the name of one of the files, the JVM would
/// write to the link's target.
const LOG: &str = "log";
const LIST: &str = "list";
/// A recording is over when the JVM has loaded no class for `QUIET`, but it takes at least `YOUNGEST` and at
/// most `OLDEST`.
const YOUNGEST: Duration = Duration::from_secs(12);
const OLDEST: Duration = Duration::from_secs(60);
const QUIET: Duration = Duration::from_secs(4);

/// Environment variables from which `java` takes further options.
const VARIABLES: [&str; 2] = ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"];

/// What a JVM may do with class data archives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// The names of archives in the working directory, in the order of preference.
    pub archives: Vec<String>,
    /// Whether the JVM records its classes if none of the archives fits.
    pub record: bool,
}

impl Wish {
    /// Whether the JVM may use an archive or record its classes.
    pub fn is_wanted(&self) -> bool {
        self.record || !self.archives.is_empty()
    }
}

/// What a JVM does with class data archives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Use {
    /// The JVM uses no archive and records nothing.
    #[default]
    Nothing,
    /// The JVM uses the archive of this name in the working directory.
    Archive(String),
    /// The JVM records its classes.
    Record(Recording),
}

impl Use {
    /// Decides what a JVM of `java` with these options does. This reads every archive whose name fits, so it
    /// must not run on a thread of the async runtime. `dir` is the working directory, and `node_jars` are the
    /// jars of the node for which the archive must have been made, too.
    pub fn decide(
        wish: &Wish,
        java: &Path,
        options: &[String],
        env: Lookup,
        dir: &Path,
        node_jars: Option<&NodeJars>,
    ) -> Self {
        if !wish.is_wanted() {
            return Self::Nothing;
        }
        let variables: Vec<String> = VARIABLES.iter().filter_map(|name| env(name)).collect();
        let all = options.iter().map(String::as_str);
        let all = all.chain(variables.iter().flat_map(|text| text.split_whitespace()));
        if let Some(option) = in_the_way(all) {
            tracing::info!(option, "no class data archive: this option decides what the JVM does");
            return Self::Nothing;
        }
        let wide = wide_references(options);
        let Some(id) = id(java, wide, node_jars).filter(|id| PORTABLE.contains(&id.feature)) else {
            tracing::debug!(java = %java.display(), "no class data archive: not for this Java");
            return Self::Nothing;
        };
        for file in &wish.archives {
            match file.parse::<ArchiveName>() {
                Ok(name) if name.java == id.text => match verify(&dir.join(file), &name) {
                    Ok(()) => return Self::Archive(file.clone()),
                    Err(why) => tracing::warn!(
                        "the class data archive {name} is left out: {why}; hint: delete it from the directory cds of heddle's store, and a \
                         new one is made"
                    ),
                },
                _ => tracing::info!(file, java = id.text, "not the class data archive of this Java"),
            }
        }
        if !wish.record {
            return Self::Nothing;
        }
        let own_list = id.feature >= LAMBDA_LINES_SINCE;
        let (dir, node_jars) = (dir.join(RECORDING), node_jars.cloned());
        Self::Record(Recording { java: java.to_owned(), id, wide, node_jars, dir, own_list })
    }

    /// The options for the JVM. They belong in front of all other options.
    pub fn options(&self) -> Vec<String> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Archive(file) => quiet_with(file),
            Self::Record(recording) => {
                let mut options =
                    vec![format!("-Xlog:class+load=debug:file={RECORDING}/{LOG}::filecount=1,filesize=16M")];
                if recording.own_list {
                    options.push(format!("-XX:DumpLoadedClassList={RECORDING}/{LIST}"));
                }
                options
            }
        }
    }
}

/// The options for a JVM that uses an archive. They switch off what the JVM would print about the archive,
/// because it is of no use to the people who read the JVM's output.
pub fn quiet_with(archive: &str) -> Vec<String> {
    vec![format!("-XX:SharedArchiveFile={archive}"), "-Xlog:cds*=off".to_owned()]
}

/// Identifies a Java together with the node's jars, for the names of archives. `wide` says whether the JVM
/// uses 64-bit references. The version comes from the file `release` of the Java's directory, so no process
/// is started; the result is `None` if there is no such file or if it does not tell the version.
pub fn id(java: &Path, wide: bool, node_jars: Option<&NodeJars>) -> Option<JavaId> {
    let beside = node_jars.map(NodeJars::fingerprint).unwrap_or_default();
    JavaId::of(&java::release_file(java)?, std::env::consts::ARCH, wide, beside)
}

/// The size in bytes and the SHA-256 of a file, in hexadecimal digits.
pub fn measure(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hasher = digest::Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((size, hex::encode(hasher.finish()))),
            n => {
                hasher.update(buffer.get(..n).unwrap_or_default());
                size += n as u64;
            }
        }
    }
}

/// Checks that a file has the size and the checksum that its name says. The error is a sentence for people.
pub fn verify(path: &Path, name: &ArchiveName) -> Result<(), String> {
    match measure(path) {
        Ok((size, _)) if size != name.size => Err(format!("it has {size} bytes and not {}", name.size)),
        Ok((_, sha256)) if sha256 != name.sha256 => Err("its checksum is wrong".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}

/// How a JVM records which classes it loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The path of `java`.
    pub java: PathBuf,
    /// Identifies the Java and the node's jars, as [`id`] does.
    pub id: JavaId,
    /// Whether the JVM uses 64-bit references to objects.
    pub wide: bool,
    /// The jars of the node that are on the JVM's class path.
    pub node_jars: Option<NodeJars>,
    /// The directory of the files that the JVM writes.
    dir: PathBuf,
    /// Whether the JVM also writes its own class list, which has lines about lambdas.
    own_list: bool,
}

impl Recording {
    /// Makes the directory for the files of the JVM. This must be done before the JVM starts.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        fresh::directory(&self.dir)
    }

    /// Waits until the JVM has loaded no class for 4 s: at least 12 s and at most 60 s from this call, which
    /// is made when the JVM has been started, or later.
    pub async fn settled(&self) {
        let begin = Instant::now();
        let size = || std::fs::metadata(self.dir.join(LOG)).map(|m| m.len()).unwrap_or_default();
        sleep(YOUNGEST - QUIET).await;
        let mut before = size();
        while begin.elapsed() < OLDEST {
            sleep(QUIET).await;
            let now = size();
            if std::mem::replace(&mut before, now) == now {
                break;
            }
        }
    }

    /// Reads the recorded classes and then removes the files. Fails if a file cannot be read.
    pub async fn take(&self) -> io::Result<ClassList> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.read()).await.map_err(io::Error::other)?
    }

    fn read(&self) -> io::Result<ClassList> {
        let text = |path: &Path| {
            let bytes = std::fs::read(path);
            // The JVM is still writing, so the file may end in the middle of a character.
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        // The JVM gives the log this name when it has reached 16 MiB, and begins another file.
        let older = self.dir.join(format!("{LOG}.0"));
        let mut log = text(&older).unwrap_or_default();
        log.push_str(&text(&self.dir.join(LOG))?);
        let own = if self.own_list { text(&self.dir.join(LIST))? } else { String::new() };
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            tracing::debug!(%error, path = %self.dir.display(), "not removed");
        }
        Ok(ClassList::from_log(&log, &own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: &str = "JAVA_VERSION=\"17.0.1\"\n";

    fn java(dir: &Path, release: &str) -> PathBuf {
        std::fs::create_dir_all(dir.join("jdk/bin")).unwrap();
        std::fs::write(dir.join("jdk/bin/java"), "").unwrap();
        std::fs::write(dir.join("jdk/release"), release).unwrap();
        dir.join("jdk/bin/java")
    }

    /// Writes an archive for the Java and returns the archive's name.
    fn archive(dir: &Path, java: &Path, content: &[u8]) -> String {
        let name = ArchiveName {
            java: id(java, false, None).unwrap().text,
            size: content.len() as u64,
            sha256: hex::encode(digest::digest(&SHA256, content)),
        };
        std::fs::write(dir.join(name.to_string()), content).unwrap();
        name.to_string()
    }

    #[test]
    fn only_a_whole_archive_of_this_java_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let java = java(dir.path(), RELEASE);
        let good = archive(dir.path(), &java, b"content");
        let (cut, other) = (archive(dir.path(), &java, b"more content"), good.replace("17.0.1", "17.0.2"));
        std::fs::write(dir.path().join(&cut), "more").unwrap();
        let garbled = archive(dir.path(), &java, b"as long");
        std::fs::write(dir.path().join(&garbled), "AS LONG").unwrap();
        let decide = |archives: &[&String], options: &[&str], tool: Option<&str>| {
            let wish = Wish { archives: archives.iter().map(|a| (*a).clone()).collect(), record: true };
            let options: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
            let env = |name: &str| tool.filter(|_| name == "JAVA_TOOL_OPTIONS").map(str::to_owned);
            Use::decide(&wish, &java, &options, &env, dir.path(), None)
        };
        assert_eq!(decide(&[&other, &cut, &garbled, &good], &[], None), Use::Archive(good.clone()));
        assert!(matches!(decide(&[&other, &cut, &garbled], &[], None), Use::Record(_)));
        assert!(matches!(decide(&[&good], &["-Xmx40g"], None), Use::Record(Recording { wide: true, .. })));
        assert_eq!(decide(&[&good], &["-Xshare:off"], None), Use::Nothing);
        assert_eq!(decide(&[&good], &[], Some("-Dx -Xshare:off")), Use::Nothing);
        let options = decide(&[&good], &[], None).options();
        assert_eq!(options, [format!("-XX:SharedArchiveFile={good}"), "-Xlog:cds*=off".to_owned()]);
        assert_eq!(decide(&[], &[], None).options().len(), 2);
        let nothing = Use::decide(&Wish::default(), &java, &[], &|_| None, dir.path(), None);
        assert!(nothing.options().is_empty());
    }

    #[test]
    fn old_new_and_unknown_javas_do_without() {
        let dir = tempfile::tempdir().unwrap();
        for release in ["JAVA_VERSION=\"1.8.0_392\"\n", "JAVA_VERSION=\"25\"\n", ""] {
            let java = java(dir.path(), release);
            let wish = Wish { archives: Vec::new(), record: true };
            assert_eq!(
                Use::decide(&wish, &java, &[], &|_| None, dir.path(), None),
                Use::Nothing,
                "{release}"
            );
        }
        // The class list of Java 11 has no lines about lambdas, so the JVM is not told to write it.
        let java = java(dir.path(), "JAVA_VERSION=\"11.0.13\"\n");
        let wish = Wish { archives: Vec::new(), record: true };
        assert_eq!(Use::decide(&wish, &java, &[], &|_| None, dir.path(), None).options().len(), 1);
    }

    #[tokio::test]
    async fn a_recording_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let java = java(dir.path(), RELEASE);
        let wish = Wish { archives: Vec::new(), record: true };
        let Use::Record(recording) = Use::decide(&wish, &java, &[], &|_| None, dir.path(), None) else {
            panic!("it records")
        };
        let line = "[class,load] A source: x\n[debug][class,load]  klass: 0x1 super: 0x0 loader: [l of 'bootstrap']\n";
        recording.prepare().unwrap();
        assert!(recording.prepare().is_err(), "something is there already");
        std::fs::write(recording.dir.join(LOG), line).unwrap();
        std::fs::write(recording.dir.join(LIST), "A\n@lambda-proxy A\n").unwrap();
        assert_eq!(recording.take().await.unwrap().text(), "A id: 0\n@lambda-proxy A\n");
        assert!(recording.take().await.is_err());
    }
}
