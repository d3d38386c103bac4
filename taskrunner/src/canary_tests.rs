//! For every file that is written in a TaskManager's container, puts a link with its name there first, which
//! leads to a file in the NodeManager's cache (the canary). The canary must not change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use flink_model::container::{HEAP_DUMP, LINK_PREFIX, NODE_JARS, RECORDING, WRITTEN};

use crate::agent::write_files;
use crate::archive::{Use, Wish};
use crate::control::{File, JvmRecords, Launch};
use crate::fresh;
use crate::heap_dump::HeapDump;
use crate::links;
use crate::node_jars::NodeJars;
use crate::plan::{ContainerEnvironment, jvm_command};

/// A container's directory in which all names of `files` are links to the canary, and all names of
/// `directories` are links to the canary's directory.
struct Cage {
    dir: tempfile::TempDir,
    cache: tempfile::TempDir,
}

impl Cage {
    fn new(files: &[&str], directories: &[&str]) -> Self {
        let cage = Self { dir: tempfile::tempdir().unwrap(), cache: tempfile::tempdir().unwrap() };
        let canary = cage.cache.path().join("canary");
        fs::write(&canary, "sings").unwrap();
        for name in files {
            symlink(&canary, cage.dir.path().join(name)).unwrap();
        }
        for name in directories {
            symlink(cage.cache.path(), cage.dir.path().join(name)).unwrap();
        }
        cage
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn check(&self, what: &str) {
        assert_eq!(fs::read(self.cache.path().join("canary")).unwrap(), b"sings", "{what}");
        assert_eq!(fs::read_dir(self.cache.path()).unwrap().count(), 1, "{what} made a file in the cache");
    }
}

#[test]
fn files_that_heddle_am_sends() {
    for name in WRITTEN {
        let cage = Cage::new(&[name], &[]);
        let file = File { name: name.to_owned(), content: b"ours".to_vec() };
        assert!(write_files(cage.path(), &[file]).is_err(), "{name}");
        cage.check(name);
    }
}

#[test]
fn links_of_localized_files() {
    let cage = Cage::new(&["plain", ".heddle-link.plain"], &["lib", "heddle"]);
    for key in ["lib/a.jar", "heddle/flink-bridge.jar"] {
        let name = links::name(key, true);
        assert!(name.starts_with(LINK_PREFIX));
        symlink("/dev/null", cage.path().join(&name)).unwrap();
        assert!(links::settle(cage.path()).is_err(), "{key}");
        cage.check(key);
        fs::remove_file(cage.path().join(&name)).unwrap();
    }
}

#[test]
fn what_a_jvm_records() {
    let java = tempfile::tempdir().unwrap();
    fs::create_dir_all(java.path().join("jdk/bin")).unwrap();
    fs::write(java.path().join("jdk/bin/java"), "").unwrap();
    fs::write(java.path().join("jdk/release"), "JAVA_VERSION=\"17.0.1\"\n").unwrap();
    let cage = Cage::new(&[], &[RECORDING]);
    let wish = Wish { archives: Vec::new(), record: true };
    let decided = Use::decide(&wish, &java.path().join("jdk/bin/java"), &[], &|_| None, cage.path(), None);
    let Use::Record(recording) = decided else { panic!("it records") };
    assert!(recording.prepare().is_err());
    cage.check(RECORDING);
    // The JVM itself follows links, so all that it writes must be in the new directory.
    let free = tempfile::tempdir().unwrap();
    let Use::Record(recording) =
        Use::decide(&wish, &java.path().join("jdk/bin/java"), &[], &|_| None, free.path(), None)
    else {
        panic!("it records")
    };
    recording.prepare().unwrap();
    for option in Use::Record(recording).options() {
        let path = option.rsplit(['=', ':']).find(|part| part.contains('/')).map(str::to_owned);
        let path = path.unwrap_or_else(|| option.clone());
        assert!(option.contains(&format!("={RECORDING}/")), "{option} ({path})");
    }
}

#[test]
fn the_heap_dump_of_a_jvm() {
    let cage = Cage::new(&[], &[HEAP_DUMP]);
    let launch = Launch {
        jvm_args: vec!["-Xmx1m".to_owned()],
        records: Some(JvmRecords { heap_dump: true, ..JvmRecords::default() }),
        ..Launch::default()
    };
    let container = ContainerEnvironment {
        env: &|_| None,
        log_dir: cage.path(),
        dir: cage.path(),
        self_exe: Path::new("/me"),
    };
    let (mut command, _) = jvm_command(&launch, &container);
    assert!(HeapDump::prepare(&mut command).is_none());
    assert_eq!(command.jvm_args, ["-Xmx1m"]);
    cage.check(HEAP_DUMP);
}

#[test]
fn links_to_the_nodes_jars() {
    let node = tempfile::tempdir().unwrap();
    fs::write(node.path().join("h.jar"), "h").unwrap();
    let jars = NodeJars::find(&format!("lib/f.jar:.:{}/*", node.path().display())).unwrap();
    let place = jars.names()[0].rsplit_once('/').unwrap().0.to_owned();
    assert!(place.starts_with(NODE_JARS));
    for above in Path::new(&place).ancestors().filter(|path| !path.as_os_str().is_empty()) {
        let cage = Cage::new(&[], &[]);
        if let Some(parent) = above.parent() {
            fs::create_dir_all(cage.path().join(parent)).unwrap();
        }
        symlink(cage.cache.path(), cage.path().join(above)).unwrap();
        assert!(jars.link(cage.path()).is_err(), "{}", above.display());
        cage.check("links to jars");
    }
}

#[test]
fn logs_of_the_jvm() {
    let names =
        ["taskmanager.out", "taskmanager.err", "jobmanager.out", "jobmanager.err", "heap-dump-upload.log"];
    let cage = Cage::new(&names, &[]);
    for name in names {
        assert!(fresh::log(&cage.path().join(name)).is_err(), "{name}");
    }
    cage.check("logs");
}
