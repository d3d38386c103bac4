use std::collections::BTreeMap;

use flink_model::config::{Configuration, FileFormat};

use super::*;
use crate::context::FlinkHome;
use crate::hadoop_jars;
use crate::report::Silent;

struct Fixture {
    dir: tempfile::TempDir,
    context: Context,
    setup: Setup,
}

fn fixture(vars: &[(&str, &str)], pairs: &[(&str, &str)]) -> Fixture {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("flink");
    for jar in ["lib/b.jar", "lib/flink-dist-1.20.1.jar", "lib/a.jar", "lib/sub/c.jar", "lib/notes.txt"] {
        let path = root.join(jar);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let java = dir.path().join("jdk/bin/java");
    std::fs::create_dir_all(java.parent().unwrap()).unwrap();
    std::fs::write(&java, "").unwrap();
    std::fs::set_permissions(&java, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::create_dir_all(dir.path().join("heddle/lib")).unwrap();
    std::fs::write(dir.path().join("heddle/lib/flink-client-fs.jar"), "").unwrap();
    std::fs::write(dir.path().join("jdk/release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"21.0.1\"\n").unwrap();
    let mut all: BTreeMap<String, String> =
        [("FLINK_HOME", root.clone()), ("JAVA_HOME", dir.path().join("jdk"))]
            .map(|(k, v)| (k.into(), v.display().to_string()))
            .into();
    all.extend(vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
    let exe = dir.path().join("heddle/bin/heddle");
    let context = Context {
        vars: all,
        cwd: "/".into(),
        exe,
        user: "ann".into(),
        waits: Default::default(),
        logins: Default::default(),
    };
    let mut configuration = Configuration::new(FileFormat::Standard);
    for (key, value) in pairs {
        configuration.set_dynamic(*key, *value);
    }
    let flink = FlinkHome::find(&context).unwrap();
    let setup = Setup { flink, release: "1.20.1".parse().unwrap(), configuration, warnings: vec![] };
    Fixture { dir, context, setup }
}

fn line(fixture: &Fixture, options: &[&str], program: &[&str]) -> Vec<String> {
    line_with(fixture, &HadoopJars::default(), options, program)
}

fn line_with(fixture: &Fixture, hadoop: &HadoopJars, options: &[&str], program: &[&str]) -> Vec<String> {
    let address = RestAddress::plain("[::1]", 8081);
    let list = |words: &[&str]| words.iter().map(OsString::from).collect();
    let arguments = ClientWords { options: list(options), program: list(program) };
    let at = Some(JobManager::At(&address));
    let command = client(&fixture.context, &fixture.setup, hadoop, at, "run", &arguments, &Silent).unwrap();
    let dir = fixture.dir.path().display().to_string();
    command.get_args().map(|a| a.to_string_lossy().replace(&dir, "DIR")).collect()
}

#[test]
fn the_whole_command() {
    let fixture = fixture(
        &[
            ("JVM_ARGS", "-Xmx1g"),
            ("FLINK_LOG_DIR", "/log"),
            ("FLINK_IDENT_STRING", "me"),
            ("HADOOP_CLASSPATH", "/h/*"),
        ],
        &[("env.java.opts.all", "\"--add-opens=a/b=ALL-UNNAMED -Dx=y\""), ("env.java.opts.client", "-Dc=1")],
    );
    let words = line(&fixture, &["-Drest.port=1", "-c", "A b"], &["job.jar", "$x"]);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let expected = [
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xmx1g",
        "-XX:+IgnoreUnrecognizedVMOptions",
        "--add-opens=a/b=ALL-UNNAMED",
        "-Dx=y",
        "-Djava.security.manager=allow",
        "-Dc=1",
        &format!("-Dlog.file=/log/flink-me-client-{host}.log"),
        "-Dlog4j.configuration=file:DIR/flink/conf/log4j-cli.properties",
        "-Dlog4j.configurationFile=file:DIR/flink/conf/log4j-cli.properties",
        "-Dlogback.configurationFile=file:DIR/flink/conf/logback.xml",
        "-classpath",
        "DIR/flink/lib/a.jar:DIR/flink/lib/b.jar:DIR/flink/lib/sub/c.jar:DIR/flink/lib/flink-dist-1.20.1.jar:/h/*::",
        "org.apache.flink.client.cli.CliFrontend",
        "run",
        "-Drest.port=1",
        "-c",
        "A b",
        "--target=remote",
        "-Dexecution.target=remote",
        "-Drest.address=::1",
        "-Drest.port=8081",
        "-Djobmanager.rpc.address=::1",
        "job.jar",
        "$x",
    ];
    assert_eq!(words, expected);
}

#[test]
fn the_client_gets_a_file_system_unless_there_is_hadoops() {
    let words = line(&fixture(&[], &[]), &[], &[]);
    assert!(words.contains(&"-Dheddle.client.fs.helper=DIR/heddle/bin/heddle".to_owned()), "{words:?}");
    let end = "DIR/flink/lib/flink-dist-1.20.1.jar:DIR/heddle/lib/flink-client-fs.jar:";
    assert!(words.iter().any(|w| w.ends_with(end)), "{words:?}");
    let words = line(&fixture(&[("HADOOP_CLASSPATH", "/h/*")], &[]), &[], &[]);
    assert!(!words.iter().any(|w| w.contains("client-fs") || w.contains("client.fs")), "{words:?}");
}

#[tokio::test]
async fn hadoops_classes_stand_behind_flinks_and_take_the_place_of_the_file_system() {
    let mut fixture = fixture(&[], &[]);
    let at = |name: &str| fixture.dir.path().join(name);
    for (directory, file) in [("hadoop", "hadoop-client-api-3.3.6.jar"), ("conf", "core-site.xml")] {
        std::fs::create_dir_all(at(directory)).unwrap();
        std::fs::write(at(directory).join(file), "<configuration/>").unwrap();
    }
    let (jars, conf) = (at("hadoop").display().to_string(), at("conf").display().to_string());
    fixture.context.vars.insert("HADOOP_CONF_DIR".to_owned(), conf);
    fixture.setup.configuration.set_dynamic("heddle.hadoop.jars", jars);
    let hadoop = hadoop_jars::find(&fixture.context, &fixture.setup.configuration, &Silent).await.unwrap();
    let words = line_with(&fixture, &hadoop, &[], &[]);
    let end = "DIR/flink/lib/flink-dist-1.20.1.jar:DIR/hadoop/hadoop-client-api-3.3.6.jar:DIR/conf:";
    assert!(words.iter().any(|w| w.ends_with(end)), "{words:?}");
    assert!(!words.iter().any(|w| w.contains("client-fs") || w.contains("client.fs")), "{words:?}");
}

#[test]
fn the_class_path_has_the_real_directory() {
    let mut fixture = fixture(&[], &[]);
    let other = fixture.dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(fixture.dir.path().join("flink/lib"), other.join("lib")).unwrap();
    fixture.context.vars.insert("FLINK_HOME".into(), other.display().to_string());
    fixture.setup.flink = FlinkHome::find(&fixture.context).unwrap();
    let words = line(&fixture, &[], &[]);
    let begin = "DIR/flink/lib/a.jar:DIR/flink/lib/b.jar:DIR/flink/lib/sub/c.jar:DIR/flink/lib/flink-dist-1.20.1.jar:";
    assert!(words.iter().any(|word| word.starts_with(begin)), "{words:?}");
    // Everything else is that of the directory that was named.
    assert!(
        words.contains(&"-Dlogback.configurationFile=file:DIR/other/conf/logback.xml".to_owned()),
        "{words:?}"
    );
}

#[test]
fn high_availability_does_not_hide_the_address() {
    let words = line(&fixture(&[], &[("high-availability.type", "zookeeper")]), &[], &[]);
    assert!(words.contains(&"-Dhigh-availability.type=NONE".to_owned()), "{words:?}");
    let words = line(&fixture(&[], &[]), &[], &[]);
    assert!(!words.iter().any(|w| w.contains("high-availability")), "{words:?}");
}

#[test]
fn without_java_the_way_out_is_told() {
    let mut fixture = fixture(&[], &[]);
    fixture.context.vars.remove("JAVA_HOME");
    let (hadoop, nothing) = (HadoopJars::default(), ClientWords::default());
    let failure =
        client(&fixture.context, &fixture.setup, &hadoop, None, "run", &nothing, &Silent).unwrap_err();
    assert!(failure.hints().iter().any(|h| h.contains("--main cluster")), "{failure}");
}
