use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Mutex;

use flink_model::config::FileFormat;

use super::*;

#[derive(Default)]
struct Heard(Mutex<RefCell<Vec<String>>>);

impl Report for Heard {
    fn info(&self, _: &str) {}

    fn warn(&self, text: &str) {
        self.0.lock().unwrap().borrow_mut().push(text.to_owned());
    }
}

impl Heard {
    fn all(self) -> Vec<String> {
        self.0.into_inner().unwrap().into_inner()
    }
}

/// A directory with Javas of these versions. Each is in a subdirectory that is named after its version.
fn javas(versions: &[&str]) -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    for version in versions {
        let home = dir.path().join(version);
        std::fs::create_dir_all(home.join("bin")).unwrap();
        std::fs::write(home.join("bin/java"), "").unwrap();
        std::fs::set_permissions(home.join("bin/java"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(home.join("release"), format!("JAVA_VERSION=\"{version}.0.1\"\n")).unwrap();
    }
    dir
}

fn context(dir: &Path, java_home: Option<&str>) -> Context {
    let mut vars = BTreeMap::from([("PATH".to_owned(), dir.join("17/bin").display().to_string())]);
    vars.extend(java_home.map(|home| ("JAVA_HOME".to_owned(), dir.join(home).display().to_string())));
    Context {
        vars,
        cwd: "/".into(),
        exe: "/heddle/bin/heddle".into(),
        user: "ann".into(),
        waits: Default::default(),
        logins: Default::default(),
    }
}

#[test]
fn the_order_is_that_of_flinks_scripts() {
    let dir = javas(&["11", "17", "21"]);
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let at = |home: &str| dir.path().join(home).display().to_string();
    let version = |java_home: Option<&str>, configured: Option<String>| {
        Java::find(&context(dir.path(), java_home), configured.as_deref()).map(|java| java.version)
    };
    assert_eq!(version(Some("11"), Some(at("21"))).unwrap(), Some(21));
    assert_eq!(version(Some("11"), None).unwrap(), Some(11));
    assert_eq!(version(None, None).unwrap(), Some(17));
    assert_eq!(version(Some("11"), Some(at("gone"))).unwrap(), Some(17), "as in Flink's scripts");
    let failure = version(Some("empty"), None).unwrap_err().to_string();
    assert!(failure.contains("empty (JAVA_HOME): bin/java is not a program there"), "{failure}");
}

#[test]
fn main_needs_a_java_that_fits() {
    let dir = javas(&["8", "17", "25"]);
    let check_with = |java_home: &str, release: &str, hadoop| {
        let heard = Heard::default();
        let java = Java::find(&context(dir.path(), Some(java_home)), None).unwrap();
        let done = java.check(release.parse().unwrap(), hadoop, &heard);
        (done.err().map(|failure| failure.to_string()), heard.all())
    };
    let check = |java_home, release| check_with(java_home, release, false);
    assert_eq!(check("17", "2.3.0"), (None, vec![]));
    let (refused, warnings) = check("8", "2.3.0");
    assert!(warnings.is_empty());
    let refused = refused.unwrap();
    assert!(
        refused.contains("Flink 2.3.0 is made for Java 11 to 21 and cannot run on Java 8")
            && refused.contains("8/bin/java, JAVA_HOME"),
        "{refused}"
    );
    assert_eq!(check("17", "1.16.3").1.len(), 1, "the client runs, unlike JobManager and TaskManager");
    assert!(check("25", "2.3.0").0.unwrap().contains("cannot run on Java 25"));
    let (refused, warnings) = check_with("25", "2.3.0", true);
    assert_eq!((refused, warnings.len()), (None, 1));
}

#[test]
fn so_do_the_containers() {
    let dir = javas(&["8", "17"]);
    let at = |home: &str| dir.path().join(home).display().to_string();
    let check = |release: &str, pairs: &[(&str, String)]| {
        let mut configuration = Configuration::new(FileFormat::Legacy);
        for (key, value) in pairs {
            configuration.set_dynamic(*key, value.clone());
        }
        let mut warnings = Warnings::default();
        let done = check_containers(&configuration, release.parse().unwrap(), &mut warnings);
        (done.err(), warnings.iter().map(|warning| format!("{warning:?}")).collect::<Vec<_>>())
    };
    let both = |home: &str| {
        [
            ("containerized.master.env.JAVA_HOME", at(home)),
            ("containerized.taskmanager.env.JAVA_HOME", at(home)),
        ]
    };
    let (refused, _) = check("2.0.2", &both("8")[1..]);
    let refused = refused.unwrap();
    assert!(
        refused
            .to_string()
            .starts_with("the TaskManager cannot run in its container: Flink 2.0.2 is made for Java 11 to 21 and cannot run"),
        "{refused}"
    );
    assert!(refused.hints()[0].starts_with("containerized.taskmanager.env.JAVA_HOME or env.java.home names"));
    let (refused, _) = check("2.0.2", &[("env.java.home", at("8"))]);
    assert!(refused.unwrap().to_string().starts_with("the JobManager cannot run"));
    // In this release, `env.java.home` has no effect on the containers.
    assert!(check("1.20.5", &[("env.java.home", at("8"))]).0.is_none());
    // This machine does not have that Java, so only the node can find out whether it fits.
    assert!(check("2.0.2", &both("6")).0.is_none());
    let (refused, _) = check("1.16.3", &both("17"));
    assert!(refused.unwrap().hints().iter().any(|hint| hint.contains("--add-exports")));
    let mut opened = both("17").to_vec();
    opened.push(("env.java.opts", "--add-exports=java.base/sun.net.util=ALL-UNNAMED".to_owned()));
    let (refused, warnings) = check("1.16.3", &opened);
    assert!(refused.is_none());
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("made for Java 8 to 11 and may not run well on Java 17"), "{warnings:?}");
}
