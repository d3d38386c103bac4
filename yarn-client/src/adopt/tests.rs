use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A machine with two distributions and heddle.
struct Fixture {
    /// It is removed with the value.
    _dir: tempfile::TempDir,
    root: PathBuf,
    context: Context,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for file in [
            "f1/lib/flink-dist-1.20.1.jar",
            "f1/conf/config.yaml",
            "f1/bin/config.sh",
            "f1/bin/flink",
            "f1/bin/sql-client.sh",
            "f1/bin/historyserver.sh",
            "f1/log/old.log",
            "f1/LICENSE",
            "f2/lib/flink-dist-2.3.0.jar",
            "f2/conf/config.yaml",
            "f2/bin/config.sh",
            "f2/bin/flink",
            "f2/opt/x.jar",
            "other/file",
            "heddle/bin/heddle",
        ] {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let context = Context {
            vars: [("FLINK_HOME".to_owned(), root.join("f1").display().to_string())].into(),
            cwd: root.clone(),
            exe: root.join("heddle/bin/heddle"),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        };
        Self { _dir: dir, root, context }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn request(&self, directory: &str, home: Option<&str>) -> AdoptRequest {
        let flink_home = home.map(|home| self.at(home));
        AdoptRequest { directory: self.at(directory), flink_home, dry_run: false }
    }

    fn adopt(&self, directory: &str, home: Option<&str>) -> Result<Adopted, String> {
        adopt(&self.context, &self.request(directory, home), &|| Ok(())).map_err(|e| e.render(false))
    }

    /// The names in the working directory.
    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(&self.root).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn shown(adopted: &Adopted) -> Vec<String> {
    let line = |changed: &Changed| format!("{:?} {}", changed.change, changed.path.display());
    adopted.changes.iter().map(line).collect()
}

#[test]
fn a_directory_is_made() {
    let fixture = Fixture::new();
    let before = fixture.names();
    let dry = AdoptRequest { dry_run: true, ..fixture.request("d", None) };
    let planned = adopt(&fixture.context, &dry, &|| Ok(())).unwrap();
    assert_eq!(fixture.names(), before, "nothing is made");
    let adopted = fixture.adopt("d", None).unwrap();
    assert_eq!(shown(&planned), shown(&adopted));
    assert_eq!((adopted.existed, adopted.release.as_str()), (false, "1.20.1"));
    let commands = ["bin/flink", "bin/flink-yarn-session", "bin/sql-client.sh", "bin/yarn-session.sh"];
    assert_eq!(adopted.commands, commands);
    let mut after = before;
    after.insert("d".into());
    assert_eq!(fixture.names(), after, "nothing is beside it");

    let link = |path: &str| fixture.at("d").join(path).read_link().unwrap();
    for path in ["conf", "lib", "LICENSE", "bin/historyserver.sh"] {
        assert_eq!(link(path), fixture.at("f1").join(path), "{path}");
    }
    for command in commands {
        let path = fixture.at("d").join(command);
        assert!(crate::adopted::starts_heddle(&path), "{command}");
        let exe = fixture.context.exe.display().to_string();
        assert!(fs::read_to_string(&path).unwrap().contains(&exe), "{command}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o100, 0o100, "{command}");
    }
    assert_eq!(fs::read_dir(fixture.at("d/log")).unwrap().count(), 0, "the log is its own");
    assert_eq!(shown(&fixture.adopt("d", None).unwrap()), Vec::<String>::new(), "it is up to date");

    let mut called = fixture.context.clone();
    called.vars.clear();
    let called = called.called_as(fixture.at("d/bin/flink").as_os_str());
    let flink = FlinkHome::find(&called).unwrap();
    assert_eq!((flink.root.clone(), flink.conf.clone()), (fixture.at("d"), fixture.at("d/conf")));
    assert_eq!(flink.stands_for(), Some(fixture.at("f1")));
}

#[test]
fn a_directory_is_brought_up_to_date() {
    let mut fixture = Fixture::new();
    fs::create_dir(fixture.at("d")).unwrap();
    fixture.adopt("d", None).unwrap();
    fs::write(fixture.at("d/log/a.log"), "a").unwrap();
    fs::remove_file(fixture.at("d/conf")).unwrap();
    fs::create_dir(fixture.at("d/conf")).unwrap();

    let changed = fixture.adopt("d", Some("f2")).unwrap();
    assert!(changed.existed);
    let expected = [
        "Replaced bin/config.sh",
        "Kept conf",
        "Replaced lib",
        "Made opt",
        "Removed LICENSE",
        "Removed bin/historyserver.sh",
        "Removed bin/sql-client.sh",
    ];
    assert_eq!(shown(&changed), expected);
    assert_eq!(fixture.at("d/lib").read_link().unwrap(), fixture.at("f2/lib"));
    assert_eq!(fs::read_to_string(fixture.at("d/log/a.log")).unwrap(), "a");
    assert!(fs::read_dir(fixture.at("d/conf")).unwrap().next().is_none(), "the user's own");

    // Without the option it goes on to stand for that, also if the variable leads to another one.
    let again = fixture.adopt("d", None).unwrap();
    assert_eq!((again.flink_home.clone(), shown(&again)), (fixture.at("f2"), vec!["Kept conf".to_owned()]));
    assert_eq!(again.notes.len(), 1, "{:?}", again.notes);
    assert!(
        again.notes[0].contains(&format!("--flink-home {}", fixture.at("f1").display())),
        "{:?}",
        again.notes
    );
    fixture.context.vars.insert("FLINK_HOME".into(), fixture.at("d").display().to_string());
    assert_eq!(fixture.adopt("d", None).unwrap().notes, Vec::<String>::new());
    // A directory of heddle's stands for its distribution.
    assert_eq!(fixture.adopt("e", None).unwrap().flink_home, fixture.at("f2"));
}

#[test]
fn heddle_is_named_by_the_path_on_the_path() {
    let mut fixture = Fixture::new();
    fs::create_dir(fixture.at("bin")).unwrap();
    symlink(&fixture.context.exe, fixture.at("bin/heddle")).unwrap();
    let path = format!("relative:{}:{}", fixture.at("other").display(), fixture.at("bin").display());
    fixture.context.vars.insert("PATH".into(), path);
    assert_eq!(fixture.adopt("d", None).unwrap().heddle, fixture.at("bin/heddle"));
    fs::remove_file(fixture.at("bin/heddle")).unwrap();
    let changed = fixture.adopt("d", None).unwrap();
    assert_eq!(changed.heddle, fixture.context.exe);
    assert_eq!(shown(&changed).len(), changed.commands.len(), "{changed:?}");
}

#[test]
fn a_change_that_was_interrupted_is_repeated() {
    let fixture = Fixture::new();
    fixture.adopt("d", None).unwrap();
    // As it is after the first steps: the note names both, and `lib` leads to the new one.
    let note = Note {
        flink_home: fixture.at("f2"),
        before: vec![fixture.at("f2"), fixture.at("f1")],
        heddle: fixture.context.exe.clone(),
        version: "0".into(),
    };
    fs::write(fixture.at("d").join(crate::adopted::NOTE), serde_json::to_string(&note).unwrap()).unwrap();
    fs::remove_file(fixture.at("d/lib")).unwrap();
    symlink(fixture.at("f2/lib"), fixture.at("d/lib")).unwrap();
    fs::write(fixture.at("d/.conf.heddle-new"), "half").unwrap();

    let changed = fixture.adopt("d", None).unwrap();
    assert!(!shown(&changed).iter().any(|change| change.contains("Kept")), "{changed:?}");
    for path in ["lib", "conf", "opt"] {
        assert_eq!(fixture.at("d").join(path).read_link().unwrap(), fixture.at("f2").join(path));
    }
    assert!(!fixture.at("d/.conf.heddle-new").exists());
    assert_eq!(shown(&fixture.adopt("d", None).unwrap()), Vec::<String>::new());
}

#[test]
fn what_is_given_up_leaves_nothing() {
    let fixture = Fixture::new();
    let before = fixture.names();
    let given_up = || -> Result<(), Failure> { Err(Failure::new("given up")) };
    let failure = adopt(&fixture.context, &fixture.request("d", None), &given_up).unwrap_err();
    assert_eq!((failure.to_string().as_str(), fixture.names()), ("given up", before));
    fixture.adopt("d", None).unwrap();
    let changed = adopt(&fixture.context, &fixture.request("d", Some("f2")), &given_up);
    assert!(changed.is_err());
    assert_eq!(shown(&fixture.adopt("d", None).unwrap()), Vec::<String>::new(), "it is as it was");
}

#[test]
fn what_is_refused() {
    let mut fixture = Fixture::new();
    let before = fixture.names();
    symlink("nowhere", fixture.at("dangling")).unwrap();
    for (directory, home, said) in [
        ("other", None, "`heddle adopt` has not made it"),
        ("other/file", None, "`heddle adopt` has not made it"),
        ("dangling", None, "`heddle adopt` has not made it"),
        ("f1", None, "it is that Flink distribution itself"),
        ("f1/d", None, "it lies in that Flink distribution"),
        ("", None, "the Flink distribution lies in it"),
        ("gone/d", None, "must be there already"),
        ("d", Some("other"), "is no Flink distribution"),
        ("d", Some("gone"), "is no Flink distribution"),
    ] {
        let failure = fixture.adopt(directory, home).unwrap_err();
        assert!(failure.contains(said) && failure.contains("hint: "), "{directory} {home:?}: {failure}");
    }
    fs::remove_file(fixture.at("dangling")).unwrap();
    fixture.context.vars.clear();
    let failure = fixture.adopt("d", None).unwrap_err();
    assert!(failure.contains("FLINK_HOME is not set") && failure.contains("--flink-home"), "{failure}");
    assert_eq!(fixture.names(), before);
}
