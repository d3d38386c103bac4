use super::*;
use flink_model::jvm_options::Logging;
use flink_model::release::Release;

use crate::deploy::manifest::ClientProgram;
use crate::warning::Warning;

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    /// A distribution of Flink, an installation of heddle, and some files of the user.
    fn new() -> Self {
        let fixture = Self { dir: tempfile::tempdir().unwrap() };
        // Only what everybody may read is shared.
        std::fs::set_permissions(fixture.dir.path(), mode(0o755)).unwrap();
        for file in [
            "flink/lib/flink-dist-1.20.1.jar",
            "flink/lib/a.jar",
            "flink/plugins/p/p.jar",
            "flink/opt/flink-python-1.20.1.jar",
            "flink/usrlib/u.jar",
            "heddle/bin/heddle-am",
            "heddle/bin/heddle-taskrunner",
            "heddle/bin/flink-bridge.jar",
            "job.jar",
            "data/x.txt",
            "usrlib/y.jar",
            "z.tar.gz",
            "z.rar",
            "flink/conf/log4j.properties",
            "config.yaml",
            "flink-conf.yaml",
            "am.json",
            "program.json",
            "heddle-am.json",
            "other/heddle-am",
            "container_tokens",
            "same/log4j.properties",
            "other/log4j.properties",
            "none.zip",
        ] {
            let path = fixture.dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let content = if file.starts_with("other") { "other" } else { "x" };
            std::fs::write(path, content).unwrap();
        }
        std::fs::write(fixture.dir.path().join("z.tar.gz"), b"\x1f\x8b\x08").unwrap();
        fixture
    }

    fn files(&self, settings: &[(&str, &str)], purpose: &Purpose) -> Result<Vec<String>, String> {
        self.told(settings, purpose).map(|(files, _)| files)
    }

    /// Returns the files and the warnings.
    fn told(
        &self,
        settings: &[(&str, &str)],
        purpose: &Purpose,
    ) -> Result<(Vec<String>, Vec<String>), String> {
        let root = self.dir.path();
        let context = Context {
            vars: Default::default(),
            cwd: root.into(),
            exe: root.join("heddle/bin/heddle"),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        };
        let flink = FlinkHome {
            root: root.join("flink"),
            conf: root.join("flink/conf"),
            lib: root.join("flink/lib"),
            plugins: root.join("flink/plugins"),
            dist_jar: root.join("flink/lib/flink-dist-1.20.1.jar"),
        };
        let mut conf = Configuration::new(FileFormat::Standard);
        for (key, value) in settings {
            conf.set_dynamic(*key, *value);
        }
        let inclusion = conf.require(&options::INCLUDE_USER_JAR).unwrap();
        let mut warnings = Warnings::default();
        let log4j =
            LocalFile { key: "log4j.properties".into(), path: root.join("flink/conf/log4j.properties") };
        let release = Release { major: 1, minor: 20, patch: 1 };
        let names = Names { release, logging: (Logging::Log4j, Some(log4j)) };
        let kerberos = KerberosFiles::of(&conf, &context).map_err(|e| e.render(false))?;
        let files = container_files(&context, &flink, &conf, purpose, &kerberos, inclusion)
            .and_then(|files| admitted(files, &names, &mut warnings))
            .map_err(|e| e.render(false))?;
        let shown = files.into_iter().filter(|f| f.part != Part::Own).map(|f| {
            let source = match f.source {
                FileSource::Shared(_) => "shared",
                FileSource::Closed(_) => "closed",
                FileSource::Private(_) => "private",
                FileSource::OfApplication(_) => "of the application",
                FileSource::Remote(_) => "remote",
                FileSource::RemoteTree(_) => "tree",
                FileSource::RemotePath(_) => "path",
            };
            format!("{} {source} {:?}", f.key, f.part)
        });
        let told = warnings.iter().map(|warning| match warning {
            Warning::Warning(text) | Warning::Note(text) => text.clone(),
        });
        Ok((shown.collect(), told.collect()))
    }
}

const SESSION: Purpose = Purpose::SESSION;

fn application(jar: &str) -> Purpose {
    Purpose::Application { program: Program { jar: Some(jar.into()), ..Program::default() } }
}

fn mode(bits: u32) -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(bits)
}

#[test]
fn what_is_no_library_or_closed_to_others_is_not_shared() {
    let fixture = Fixture::new();
    let at = |name: &str| fixture.dir.path().join(name);
    for file in ["flink/lib/hive-site.xml", "flink/plugins/README.txt"] {
        std::fs::write(at(file), "x").unwrap();
    }
    std::fs::set_permissions(at("flink/lib/a.jar"), mode(0o600)).unwrap();
    std::fs::set_permissions(at("flink/plugins/p"), mode(0o700)).unwrap();
    assert_eq!(
        fixture.files(&[], &SESSION).unwrap(),
        [
            "lib/a.jar closed System",
            "lib/hive-site.xml private System",
            "plugins/README.txt shared System",
            "plugins/p/p.jar closed System",
            "lib/flink-dist-1.20.1.jar shared System"
        ]
    );
}

#[test]
fn files_of_kerberos_go_to_no_store() {
    let fixture = Fixture::new();
    let keytab = ("security.kerberos.login.keytab", "data/x.txt");
    let settings = [
        keytab,
        ("security.kerberos.login.principal", "ann@EXAMPLE.COM"),
        ("security.kerberos.krb5-conf.path", "am.json"),
    ];
    let expected = ["krb5.keytab of the application Apart", "krb5.conf of the application Apart"];
    assert_eq!(fixture.files(&settings, &SESSION).unwrap()[..2], expected);
    // Somebody who has shipped the keytab until now may go on with it, and it does not go to a store either.
    let name = ("yarn.security.kerberos.localized-keytab-path", "z.tar.gz");
    let mine = ("security.kerberos.login.keytab", "z.tar.gz");
    let both = [mine, settings[1], name, ("yarn.ship-files", "z.tar.gz")];
    let files = fixture.files(&both, &SESSION).unwrap();
    assert_eq!(files[0], "z.tar.gz of the application Apart");
    assert!(!files[1..].iter().any(|file| file.starts_with("z.tar.gz")), "{files:?}");
    // The same name for two contents.
    let other = [keytab, settings[1], name, ("yarn.ship-files", "z.tar.gz")];
    let refused = fixture.files(&other, &SESSION).unwrap_err();
    assert!(refused.contains("two files would both be \"z.tar.gz\""), "{refused}");
    let reserved = ("yarn.security.kerberos.localized-keytab-path", "container_tokens");
    assert!(fixture.files(&[keytab, settings[1], reserved], &SESSION).is_err());
}

#[test]
fn a_session_has_the_distribution() {
    let files = Fixture::new().files(&[], &SESSION).unwrap();
    assert_eq!(
        files,
        [
            "lib/a.jar shared System",
            "plugins/p/p.jar shared System",
            "lib/flink-dist-1.20.1.jar shared System"
        ]
    );
}

#[test]
fn an_application_has_its_jar_and_usrlib() {
    let fixture = Fixture::new();
    let files = fixture.files(&[], &application("job.jar")).unwrap();
    assert_eq!(files[3..], ["usrlib/u.jar private User", "job.jar private User"]);
    let disabled = [("yarn.classpath.include-user-jar", "DISABLED")];
    let files = fixture.files(&disabled, &application("hdfs://h:1/a/job.jar")).unwrap();
    assert_eq!(files[4..], ["usrlib/job.jar remote User"]);
    let per_job =
        Purpose::PerJob { program: ClientProgram { jar: Some("job.jar".into()), ..Default::default() } };
    assert_eq!(fixture.files(&[], &per_job).unwrap()[4..], ["job.jar private User"]);
    assert_eq!(fixture.files(&disabled, &per_job).unwrap().len(), 4);
    let here = format!("file:{}/job.jar", fixture.dir.path().display());
    let user_jars = vec![here, "hdfs://h:1/a/udf.jar".to_owned()];
    let of_caller = Purpose::PerJob { program: ClientProgram { user_jars, ..Default::default() } };
    let files = fixture.files(&[], &of_caller).unwrap();
    assert_eq!(files[4..], ["job.jar private User", "udf.jar remote User"]);
    assert_eq!(fixture.files(&disabled, &of_caller).unwrap().len(), 4);
}

#[test]
fn without_a_lib_there_is_the_flink_dist_jar() {
    let fixture = Fixture::new();
    std::fs::remove_dir_all(fixture.dir.path().join("flink/lib")).unwrap();
    let files = fixture.files(&[], &SESSION).unwrap();
    let keys: Vec<&str> = files.iter().filter_map(|file| file.split(' ').next()).collect();
    assert_eq!(keys, ["plugins/p/p.jar", "lib/flink-dist-1.20.1.jar"]);
}

#[test]
fn provided_directories_take_the_place_of_uploads() {
    let settings = [
        ("yarn.provided.lib.dirs", "hdfs:///flink/lib;hdfs:///flink/plugins/"),
        ("yarn.provided.usrlib.dir", "hdfs:///app/usrlib"),
        ("yarn.ship-files", "data;hdfs:///more/m.txt"),
        ("yarn.ship-archives", "z.tar.gz"),
    ];
    assert_eq!(
        Fixture::new().files(&settings, &application("job.jar")).unwrap(),
        [
            "lib tree System",
            "plugins tree System",
            "data/x.txt private System",
            "m.txt path System",
            "z.tar.gz private Apart",
            "usrlib tree User",
            "job.jar private User",
        ]
    );
}

#[test]
fn a_pattern_takes_the_names_of_what_it_matches() {
    let fixture = Fixture::new();
    let settings = [
        ("yarn.provided.lib.dirs", "hdfs:///flink-dist/*;hdfs:///more/*"),
        ("yarn.ship-files", "hdfs:///v[12]/data"),
    ];
    let files = fixture.files(&settings, &SESSION).unwrap();
    assert_eq!(files, ["hdfs:///flink-dist/* tree System", "hdfs:///more/* tree System", "data path System"]);
    let pattern =
        ContainerFile::file("hdfs:///a/*", FileSource::RemoteTree("hdfs:///a/*".into()), Part::System, "x");
    let found = pattern.named_by("/a/plugins");
    assert_eq!(found.key, "plugins");
    assert!(found.check_name(true).is_ok());
    assert!(pattern.named_by("/a/usrlib").check_name(true).is_err());
    let named =
        ContainerFile::file("lib", FileSource::RemoteTree("hdfs:///a*/lib".into()), Part::System, "x");
    assert_eq!(named.named_by("/ab/lib").key, "lib");
}

#[test]
fn what_may_hold_the_class_with_main() {
    let local = || FileSource::Private("/no/such.jar".into());
    let remote = |url: &str| FileSource::Remote(url.to_owned());
    for (key, source, part, may) in [
        ("lib/a.jar", local(), Part::System, false),
        ("classes/a/B.class", local(), Part::System, true),
        ("classes/a/B.class", local(), Part::Apart, false),
        ("a.jar", remote("hdfs:///a.jar"), Part::User, true),
        ("a.txt", remote("hdfs:///a.txt"), Part::System, false),
        ("lib", FileSource::RemoteTree("hdfs:///lib".to_owned()), Part::System, true),
        ("plugins/p/p.jar", remote("hdfs:///p.jar"), Part::System, false),
        (BRIDGE, remote("hdfs:///flink-bridge.jar"), Part::Own, true),
        (AM, remote("hdfs:///heddle-am.jar"), Part::Own, false),
    ] {
        assert_eq!(ContainerFile::file(key, source, part, "x").may_hold("a.B"), may, "{key} {part:?}");
    }
}

#[test]
fn jars_of_opt_lie_beside_the_class_path() {
    let program = Program { opt_jars: vec!["flink-python".into()], ..Program::default() };
    let files = Fixture::new().files(&[], &Purpose::Application { program }).unwrap();
    assert_eq!(files.last().unwrap(), "opt/flink-python-1.20.1.jar shared Apart");
    let program = Program { opt_jars: vec!["flink-sql-gateway".into()], ..Program::default() };
    let refused = Fixture::new().files(&[], &Purpose::Application { program }).unwrap_err();
    assert!(refused.contains("no flink-sql-gateway*.jar"), "{refused}");
}

#[test]
fn libraries_files_and_archives_of_a_program() {
    let fixture = Fixture::new();
    let program = || Program {
        libraries: vec!["job.jar".into(), "hdfs:///jars/udf.jar".into()],
        files: vec![("script.sql".into(), "hdfs:///scripts/x.sql".into())],
        archives: vec![("env.tar.gz".into(), fixture.dir.path().join("z.tar.gz"))],
        ..Program::default()
    };
    let files = fixture.files(&[], &Purpose::Application { program: program() }).unwrap();
    assert_eq!(
        files[4..],
        [
            "job.jar private User",
            "udf.jar remote User",
            "script.sql remote Apart",
            "env.tar.gz private Apart"
        ]
    );
    let disabled = [("yarn.classpath.include-user-jar", "DISABLED")];
    let files = fixture.files(&disabled, &Purpose::Application { program: program() }).unwrap();
    assert!(files.contains(&"usrlib/job.jar private User".to_owned()), "{files:?}");
    let wrong = Program {
        archives: vec![("env.tar.gz".into(), fixture.dir.path().join("none.zip"))],
        ..Program::default()
    };
    let refused = fixture.files(&[], &Purpose::Application { program: wrong }).unwrap_err();
    assert!(refused.contains("it is no gzip file"), "{refused}");
}

#[test]
fn what_is_refused() {
    let fixture = Fixture::new();
    for (key, value, expected) in [
        ("yarn.provided.lib.dirs", "/flink/lib", "not a directory of the cluster"),
        ("yarn.provided.lib.dirs", "hdfs:///a/usrlib", "is for the user's jars"),
        ("yarn.provided.usrlib.dir", "usrlib", "not a directory of the cluster"),
        ("yarn.provided.usrlib.dir", "hdfs:///a/lib", "its last part is not usrlib"),
        ("yarn.ship-files", "usrlib", "usrlib cannot be shipped"),
        ("yarn.ship-files", "hdfs:///a/usrlib/", "usrlib cannot be shipped"),
        ("yarn.ship-files", "nowhere", "Ship file nowhere does not exist"),
        ("yarn.ship-files", "data/x.txt;hdfs:///b/x.txt", "would both be \"x.txt\""),
        ("yarn.ship-archives", "z.rar", "YARN cannot unpack"),
        ("yarn.ship-archives", "nowhere.zip", "does not exist"),
        ("yarn.ship-archives", "none.zip", "it is no zip archive"),
        ("yarn.ship-files", "hdfs://host/", "no name"),
    ] {
        let refused = fixture.files(&[(key, value)], &application("job.jar")).unwrap_err();
        assert!(refused.contains(expected), "{key}={value}: {refused}");
    }
    for (name, sign) in [("a$b.jar", "'$'"), ("a:b.jar", "':'"), ("a;b.jar", "';'")] {
        std::fs::write(fixture.dir.path().join(name), "jar").unwrap();
        let refused = fixture.files(&[], &application(name)).unwrap_err();
        assert!(refused.contains("has the character") && refused.contains(sign), "{name}: {refused}");
        let remote = fixture.files(&[], &application(&format!("hdfs:///jars/{name}"))).unwrap_err();
        assert!(remote.contains("has the character"), "{name}: {remote}");
    }
    let long = format!("{}$", "x".repeat(250));
    std::fs::write(fixture.dir.path().join(&long), "").unwrap();
    let refused = fixture.files(&[("yarn.ship-files", &long)], &SESSION).unwrap_err();
    assert!(refused.contains("too long"), "{refused}");
    // A file gets a substitute name if only the shell would evaluate its name, or if its name with a '$' is
    // not on the class path.
    for name in ["a$b.txt", "a`b.txt", "a\"\\\n.jar"] {
        std::fs::write(fixture.dir.path().join(name), "").unwrap();
        assert!(fixture.files(&[("yarn.ship-files", name)], &SESSION).is_ok(), "{name}");
    }
    let missing = fixture.files(&[], &application("none.jar")).unwrap_err();
    assert!(missing.contains("JAR file none.jar does not exist"), "{missing}");
    let directory = fixture.files(&[], &application("data")).unwrap_err();
    assert!(directory.contains("is not a file"), "{directory}");
}

#[test]
fn one_file_may_be_named_twice() {
    let fixture = Fixture::new();
    let files = fixture.files(&[("yarn.ship-files", "job.jar;flink/lib")], &application("job.jar")).unwrap();
    assert_eq!(files.iter().filter(|f| f.starts_with("job.jar")).count(), 1);
    assert_eq!(files.len(), fixture.files(&[], &application("job.jar")).unwrap().len());
    std::fs::create_dir(fixture.dir.path().join("lib")).unwrap();
    std::fs::write(fixture.dir.path().join("lib/a.jar"), "other").unwrap();
    let refused = fixture.files(&[("yarn.ship-files", "lib")], &SESSION).unwrap_err();
    assert!(
        refused.contains("lib/a.jar") && refused.contains("Flink's lib and yarn.ship-files"),
        "{refused}"
    );
}

#[test]
fn remote_or_local() {
    for remote in ["hdfs:///a", "hdfs://h:1/a", "s3a://b/c", "hdfs:/a"] {
        assert!(is_remote(remote), "{remote}");
    }
    for local in ["a", "/a", "file:///a", "file:/a", "a:b", "./x:/y"] {
        assert!(!is_remote(local), "{local}");
    }
    assert_eq!(without_scheme("file:///a/b"), "/a/b");
    assert_eq!(without_scheme("file:/a/b"), "/a/b");
}

#[test]
fn names_of_heddles_own_files_are_refused() {
    let fixture = Fixture::new();
    for path in ["heddle-am.json", "other/heddle-am", "container_tokens"] {
        let refused = fixture.files(&[("yarn.ship-files", path)], &application("job.jar")).unwrap_err();
        let name = path.rsplit('/').next().unwrap();
        let expected =
            format!("two files would both be {name:?} in the containers (heddle and yarn.ship-files)");
        assert!(refused.contains(&expected), "{refused}");
    }
    let free = fixture.files(&[("yarn.ship-files", "am.json;program.json")], &SESSION).unwrap();
    assert_eq!(free[3..], ["am.json private System", "program.json private System"]);
}

#[test]
fn flinks_own_configuration_comes_before_a_shipped_one() {
    let fixture = Fixture::new();
    let plain = fixture.files(&[], &SESSION).unwrap();
    let shipped = "config.yaml;flink-conf.yaml;other/log4j.properties";
    let (files, warnings) = fixture.told(&[("yarn.ship-files", shipped)], &SESSION).unwrap();
    assert_eq!(files, plain);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].starts_with("yarn.ship-files: config.yaml is left out, because"), "{warnings:?}");
    assert!(warnings[2].contains("/flink/conf/log4j.properties"), "{warnings:?}");
    // Older manuals tell users to ship the logging configuration.
    let (files, warnings) = fixture.told(&[("yarn.ship-files", "same/log4j.properties")], &SESSION).unwrap();
    assert_eq!((files, warnings), (plain, vec![]));
}
