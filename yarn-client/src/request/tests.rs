use std::path::{Path, PathBuf};

use flink_model::config::Configuration;
use flink_model::options;
use flink_model::spec::ClusterMode;
use serde_json::{Value, json};

use super::*;
use crate::context::Context;
use crate::deploy::{ClusterManifest, Purpose};
use crate::error::Failure;
use crate::setup::Setup;

/// A machine with a caller's directory and a distribution of Flink.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { dir: tempfile::tempdir().unwrap() };
        for (file, content) in [
            ("flink/lib/flink-dist-1.17.2.jar", ""),
            ("flink/plugins/p/p.jar", ""),
            ("caller/conf/flink-conf.yaml", "jobmanager.memory.process.size: 1600m\n"),
            ("caller/hadoop/core-site.xml", "<configuration/>"),
        ] {
            let path = machine.at(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        for closed in ["caller", "caller/conf", "caller/hadoop"] {
            machine.mode(closed, 0o700);
        }
        machine.configure(&[("taskmanager.memory.process.size", "1728m")]);
        machine
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(self.at(name), mode).unwrap();
    }

    /// Adds lines to the configuration.
    fn configure(&self, pairs: &[(&str, &str)]) {
        let file = self.at("caller/conf/flink-conf.yaml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        pairs.iter().for_each(|(key, value)| text.push_str(&format!("{key}: {value}\n")));
        std::fs::write(file, text).unwrap();
    }

    /// A request with further keys.
    fn json(&self, mode: &str, more: Value) -> Value {
        let mut request = json!({
            "version": 1,
            "mode": mode,
            "flinkLibDir": self.at("flink/lib"),
            "flinkConfDir": self.at("caller/conf"),
            "hadoopConfDir": self.at("caller/hadoop"),
        });
        let Value::Object(more) = more else { panic!("no object") };
        request.as_object_mut().unwrap().extend(more);
        request
    }

    fn request(&self, mode: &str, more: Value) -> Result<Request, Failure> {
        Request::parse(self.json(mode, more).to_string().as_bytes())
    }

    fn process(&self) -> Context {
        let vars = [
            ("FLINK_HOME", "/other/flink"),
            ("FLINK_CONF_DIR", "/other/conf"),
            ("YARN_CONF_DIR", "/other/yarn"),
            ("HADOOP_CLASSPATH", "/other/hadoop"),
            ("HADOOP_PROXY_USER", "eve"),
            ("HADOOP_USER_NAME", "ann"),
            ("KRB5CCNAME", "FILE:/cache"),
        ];
        Context {
            vars: vars.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            cwd: self.dir.path().into(),
            exe: "/heddle/bin/heddle".into(),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        }
    }

    /// What is deployed for a request.
    fn wanted(&self, mode: &str, more: Value) -> Result<(Context, Setup, ClusterManifest), Failure> {
        let request = self.request(mode, more)?;
        let context = request.context(&self.process());
        let setup = request.setup(&context)?;
        let manifest = request.manifest(&setup, &context)?;
        Ok((context, setup, manifest))
    }

    fn manifest(&self, mode: &str, more: Value) -> ClusterManifest {
        self.wanted(mode, more).unwrap().2
    }
}

fn set(configuration: &Configuration) -> Vec<String> {
    configuration.iter().map(|(key, entry)| format!("{key}={}", entry.value.text())).collect()
}

#[test]
fn what_is_not_given_has_its_default() {
    let machine = Machine::new();
    let request =
        machine.request("session", json!({"clusterSpecification": null, "jobGraph": null})).unwrap();
    assert_eq!((request.mode, request.version), (ClusterMode::Session, VERSION));
    assert_eq!((request.name, request.flink_home, request.program), (None, None, None));
    assert!(request.ship_files.is_empty() && request.user_jars.is_empty() && !request.detached);
    let manifest = machine.manifest("session", json!({}));
    assert_eq!(manifest, ClusterManifest::new(Purpose::SESSION));
}

#[test]
fn the_environment_is_that_of_the_request() {
    let machine = Machine::new();
    let (context, setup, _) = machine.wanted("session", json!({})).unwrap();
    let var = |name: &str| context.vars.get(name).map(String::as_str);
    assert_eq!(var("FLINK_CONF_DIR").map(Path::new), Some(machine.at("caller/conf").as_path()));
    assert_eq!(var("HADOOP_CONF_DIR").map(Path::new), Some(machine.at("caller/hadoop").as_path()));
    assert_eq!((var("FLINK_HOME"), var("YARN_CONF_DIR"), var("HADOOP_CLASSPATH")), (None, None, None));
    assert_eq!((var("HADOOP_PROXY_USER"), var("HADOOP_USER_NAME")), (None, Some("ann")));
    assert_eq!(var("KRB5CCNAME"), Some("FILE:/cache"));
    assert_eq!((setup.flink.root, setup.release.to_string()), (machine.at("flink"), "1.17.2".to_owned()));
    // Nobody has named plugins, and Flink's client would ship none.
    assert!(!setup.flink.plugins.exists());
    let more = json!({"proxyUser": "bob", "hadoopUser": "etl", "flinkHome": machine.at("flink")});
    let (context, setup, _) = machine.wanted("session", more).unwrap();
    assert_eq!(context.vars["HADOOP_PROXY_USER"], "bob");
    assert_eq!(context.vars["HADOOP_USER_NAME"], "etl");
    assert_eq!(setup.flink.plugins, machine.at("flink/plugins"));
}

#[test]
fn settings_that_the_file_cannot_hold() {
    let machine = Machine::new();
    let more = json!({"configuration": {
        "a.b": "x # y\nz",
        "s3.secret-key": "hush#hush",
        "taskmanager.memory.process.size": "2g",
        "execution.target": "yarn-session",
    }});
    let (_, setup, _) = machine.wanted("session", more.clone()).unwrap();
    let text = |key: &str| setup.configuration.text(key);
    assert_eq!(text("a.b").as_deref(), Some("x # y\nz"));
    assert_eq!(text("taskmanager.memory.process.size").as_deref(), Some("2g"));
    assert_eq!(text("jobmanager.memory.process.size").as_deref(), Some("1600m"));
    assert_eq!(text("execution.target"), None);
    let shown = format!("{:?}", machine.request("session", more).unwrap());
    assert!(shown.contains("a.b") && !shown.contains("hush"), "{shown}");
}

#[test]
fn flink_may_be_in_several_places() {
    let machine = Machine::new();
    let flink = |more: Value| machine.wanted("session", more).map(|(_, setup, _)| setup);
    let dist = options::FLINK_DIST_JAR.key;
    let elsewhere = flink(json!({"flinkDist": "/opt/flink-dist_2.12-1.16.3.jar"})).unwrap();
    assert_eq!(
        (elsewhere.release.to_string().as_str(), elsewhere.configuration.text(dist)),
        ("1.16.3", None)
    );
    assert_eq!(elsewhere.flink.lib, machine.at("flink/lib"));
    let url = "hdfs://nn:8020/flink/flink-dist-1.20.1.jar";
    let remote = flink(json!({"flinkLibDir": null, "flinkDist": url})).unwrap();
    assert_eq!(remote.configuration.text(dist).as_deref(), Some(url));
    assert!(!remote.flink.lib.exists() && remote.release.to_string() == "1.20.1");
    machine.configure(&[("yarn.provided.lib.dirs", "hdfs://nn:8020/flink")]);
    assert_eq!(flink(json!({"flinkDist": url})).unwrap().configuration.text(dist), None);
    for nowhere in [
        json!({"flinkLibDir": null}),
        json!({"flinkDist": "/opt/flink-dist-1.12.7.jar"}),
        json!({"flinkDist": "/opt/flink-yarn-1.17.2.jar"}),
    ] {
        assert!(flink(nowhere.clone()).unwrap_err().is_unsupported(), "{nowhere}");
    }
    let gone = flink(json!({"flinkLibDir": machine.at("gone")})).unwrap_err();
    assert!(gone.to_string().contains("is not a directory") && !gone.is_unsupported(), "{gone}");
}

#[test]
fn what_flinks_client_sets_for_itself_does_not_go_to_the_cluster() {
    let machine = Machine::new();
    machine.configure(&[
        ("$internal.application.program-args", "--password;canary"),
        ("$internal.deployment.config-dir", "/home/ann/conf"),
        ("$internal.pipeline.job-id", "00ff"),
        ("execution.target", "yarn-application"),
    ]);
    let (_, setup, _) = machine.wanted("session", json!({})).unwrap();
    let left: Vec<&str> =
        setup.configuration.iter().map(|(key, _)| key).filter(|key| !key.contains("memory")).collect();
    assert_eq!(left, ["$internal.pipeline.job-id"]);
}

#[test]
fn a_session_with_files_and_sizes() {
    let machine = Machine::new();
    machine.configure(&[("yarn.ship-files", "/old")]);
    let sizes = json!({"masterMemoryMB": 1600, "taskManagerMemoryMB": 2048, "slotsPerTaskManager": 4});
    let more = json!({
        "name": "etl",
        "shipFiles": ["/a", "/b;c", "hdfs://nn/d"],
        "shipArchives": ["/x.zip"],
        "clusterSpecification": sizes,
    });
    let manifest = machine.manifest("session", more);
    assert_eq!(
        set(&manifest.configuration),
        [
            "taskmanager.memory.process.size=2048m",
            "taskmanager.numberOfTaskSlots=4",
            "yarn.application.name=etl",
            "yarn.ship-archives=/x.zip",
            "yarn.ship-files=/a;'/b;c';hdfs://nn/d",
        ]
    );
    let files = manifest.configuration.get(&options::SHIP_FILES).unwrap().unwrap();
    assert_eq!(files, ["/a", "/b;c", "hdfs://nn/d"]);
}

#[test]
fn sizes_count_also_where_the_configuration_has_none() {
    let machine = Machine::new();
    std::fs::write(machine.at("caller/conf/flink-conf.yaml"), "").unwrap();
    let sizes = json!({"masterMemoryMB": 1024, "taskManagerMemoryMB": 1024, "slotsPerTaskManager": 1});
    let manifest = machine.manifest("session", json!({"clusterSpecification": sizes}));
    let expected = [
        "jobmanager.memory.process.size=1024m",
        "taskmanager.memory.process.size=1024m",
        "taskmanager.numberOfTaskSlots=1",
    ];
    assert_eq!(set(&manifest.configuration), expected);
}

#[test]
fn an_application_with_its_program() {
    let machine = Machine::new();
    machine.configure(&[("pipeline.jars", "file:/w/job.jar"), ("pipeline.classpaths", "file:/old.jar")]);
    let program = json!({
        "jar": "/w/job.jar",
        "mainClass": "a.Main",
        "args": ["--in", "x y"],
        "classpath": ["file:///opt/a.jar", "file:///opt/b.jar"],
    });
    let manifest = machine.manifest("application", json!({"program": program}));
    let Purpose::Application { program } = &manifest.purpose else { panic!("{manifest:?}") };
    assert_eq!((program.jar.as_deref(), program.main_class.as_deref()), (Some("/w/job.jar"), Some("a.Main")));
    assert_eq!(program.args, ["--in", "x y"]);
    assert_eq!(
        set(&manifest.configuration),
        ["pipeline.classpaths=file:///opt/a.jar;file:///opt/b.jar", "pipeline.jars=file:///w/job.jar"]
    );
    // The jar of the configuration alone, as Flink's client has it.
    let manifest = machine.manifest("application", json!({"program": {"mainClass": "a.Main"}}));
    let Purpose::Application { program } = manifest.purpose else { panic!("another mode") };
    assert_eq!(program.jar.as_deref(), Some("file:/w/job.jar"));
    let other = json!({"program": {"jar": "/w/other.jar"}});
    assert!(machine.wanted("application", other).unwrap_err().to_string().contains("one jar"));
}

#[test]
fn programs_that_need_a_jar_of_opt() {
    let machine = Machine::new();
    for (class, jar) in [
        ("org.apache.flink.client.python.PythonDriver", "flink-python"),
        ("org.apache.flink.table.runtime.application.SqlDriver", "flink-sql-gateway"),
    ] {
        let manifest = machine.manifest("application", json!({"program": {"mainClass": class}}));
        let Purpose::Application { program } = manifest.purpose else { panic!("another mode") };
        assert_eq!((program.jar, program.opt_jars), (None, vec![jar.to_owned()]));
    }
    machine.configure(&[("pipeline.jars", "file:/w/a.jar;file:/w/b.jar")]);
    let python = json!({"program": {"mainClass": "org.apache.flink.client.python.PythonDriver"}});
    let Purpose::Application { program } = machine.manifest("application", python).purpose else { panic!() };
    assert_eq!((program.jar, program.libraries.len()), (None, 2), "they are further jars");
}

#[test]
fn a_per_job_cluster_has_the_jars_of_its_job() {
    let machine = Machine::new();
    let manifest = machine.manifest("per-job", json!({"userJars": ["file:/w/a.jar", "hdfs://nn/b.jar"]}));
    let Purpose::PerJob { program } = manifest.purpose else { panic!("another mode") };
    assert_eq!((program.jar, program.user_jars.len()), (None, 2));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let machine = Machine::new();
    let refused = |mode: &str, more: Value| {
        let failure = machine.wanted(mode, more).map(|_| ()).unwrap_err();
        (failure.is_unsupported(), failure.to_string())
    };
    for (mode, more, words) in [
        ("application", json!({}), "an application has a program"),
        ("session", json!({"program": {}}), "only an application has a program"),
        ("session", json!({"userJars": ["/a.jar"]}), "only a per-job cluster has userJars"),
        ("per-job", json!({"jobGraph": "x"}), "jobGraph"),
        ("session", json!({"flinkConfDir": "conf"}), "absolute"),
        ("application", json!({"program": {}}), "neither the jar nor the class"),
        ("application", json!({"program": {"mainClass": "a.B", "classpath": ["b.jar"]}}), "no URL"),
    ] {
        let (unsupported, why) = refused(mode, more);
        assert!(why.contains(words) && !unsupported, "{why}");
    }
    // Whoever writes these is of another release.
    for (mode, more, words) in [
        ("session", json!({"version": 2}), "the version of the request is 2, and this heddle reads 1"),
        ("session", json!({"version": null}), "the version of the request is none"),
        ("session", json!({"colour": "blue"}), "unknown field `colour`"),
        ("detached", json!({}), "unknown variant `detached`"),
        ("session", json!({"shipFiles": "canary"}), "a value is not of its kind at line 1 column"),
    ] {
        let (unsupported, why) = refused(mode, more);
        assert!(why.contains(words) && unsupported && !why.contains("canary"), "{why}");
    }
    let cut = Request::parse(b"{\"version\": 1").unwrap_err();
    assert!(cut.to_string().starts_with("cannot understand the request") && !cut.is_unsupported(), "{cut}");
}

#[test]
fn only_what_is_private_is_read() {
    let machine = Machine::new();
    let file = machine.at("caller/request.json");
    std::fs::write(&file, machine.json("session", json!({})).to_string()).unwrap();
    machine.mode("caller/request.json", 0o600);
    assert_eq!(Request::read(&file).unwrap(), machine.request("session", json!({})).unwrap());
    for (name, usual, open) in [
        ("caller", 0o700, 0o755),
        ("caller/conf", 0o700, 0o750),
        ("caller/hadoop", 0o700, 0o711),
        ("caller/request.json", 0o600, 0o606),
    ] {
        machine.mode(name, open);
        let failure = Request::read(&file).unwrap_err();
        let text = failure.to_string();
        assert!(text.contains(&format!("{} is not private", machine.at(name).display())), "{text}");
        assert!(failure.is_unsupported() && failure.hints()[0].contains("700"), "{failure:?}");
        machine.mode(name, usual);
    }
    assert!(Request::read(&machine.at("caller/none.json")).unwrap_err().to_string().contains("none.json"));
    assert!(Request::read(&machine.at("none/none.json")).is_err());
}

#[test]
fn arguments_are_not_shown() {
    let machine = Machine::new();
    let program = json!({"jar": "/w/job.jar", "args": ["--password", "canary"]});
    let request = machine.request("application", json!({"program": program})).unwrap();
    let shown = format!("{request:?}");
    assert!(!shown.contains("canary") && shown.contains("2 arguments"), "{shown}");
}
