//! Checks that a dry run shows the same value that a deployment carries out.

use flink_model::config::FileFormat;
use hadoop_rpc::HadoopConf;
use yarn_api::records::{NewApplication, Resource};

use super::*;
use crate::context::{Context, FlinkHome};
use crate::deploy::manifest::{ClientProgram, ClusterManifest, Program, Purpose};
use crate::deploy::show::DryRun;
use crate::deploy::staged::{ClassDataArchives, Staged, StagedFile, submission_context};
use crate::setup::Setup;
use flink_model::local_resource::Visibility;

/// A machine with Flink and heddle on it.
struct Machine {
    dir: tempfile::TempDir,
    context: Context,
    setup: Setup,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_path_buf();
        for (file, content) in [
            ("flink/lib/flink-dist-1.20.1.jar", "x"),
            ("flink/lib/flink-cep.jar", "x"),
            ("flink/plugins/p/p.jar", "x"),
            ("flink/conf/log4j.properties", "rootLogger.level = INFO\n"),
            ("flink/conf/config.yaml", "taskmanager.numberOfTaskSlots: 2\n"),
            ("heddle/bin/heddle-am", "x"),
            ("heddle/bin/heddle-taskrunner", "x"),
            ("heddle/bin/flink-bridge.jar", "x"),
            ("data/x.txt", "x"),
            ("script.py", "x"),
        ] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let context = Context {
            vars: [("FLINK_HOME".to_owned(), root.join("flink").display().to_string())].into(),
            cwd: root.clone(),
            exe: root.join("heddle/bin/heddle"),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        };
        let setup = Setup::load(&context).unwrap();
        Self { dir, context, setup }
    }

    /// The plan for a manifest on a cluster that always gives the same answers.
    fn resolve(&self, manifest: &ClusterManifest) -> Result<Resolved, Failure> {
        self.resolve_on(manifest, None)
    }

    fn resolve_on(
        &self,
        manifest: &ClusterManifest,
        security: Option<&Security>,
    ) -> Result<Resolved, Failure> {
        let mut warnings = Warnings::default();
        let derived = Derived::new(manifest, &self.setup, &self.context, "random", &mut warnings)?;
        let facts = Facts {
            application: NewApplication {
                id: "application_1700000000000_0001".parse().unwrap(),
                max_capability: Resource::new(8192, 8),
            },
            queues: vec![],
            rights: vec![],
            nodes: vec![],
            labels: None,
            resource_types: None,
        };
        let conf =
            HadoopConf::from_map([("fs.defaultFS", "hdfs://nn:8020"), ("dfs.secret.password", "hidden")]);
        let remote = [RemoteFile {
            resource: LocalResource {
                key: "more/m.txt".into(),
                url: "hdfs://nn:8020/more/m.txt".into(),
                size: 7,
                modification_time: 8,
                visibility: Visibility::Public,
                kind: LocalResourceKind::File,
            },
            part: Part::System,
            by: "yarn.ship-files",
            encrypted: false,
        }];
        let directory = "hdfs://nn:8020/user/ann/.flink/application_1700000000000_0001";
        let answers =
            Answers { conf: &conf, user: "ann", facts: &facts, directory, remote: &remote, security };
        Resolved::new(&derived, &answers, &mut Warnings::default())
    }
}

/// The files, with places as a store would give them.
fn staged(resolved: &Resolved) -> Staged {
    let file = |file: &ResolvedFile| StagedFile {
        resource: match &file.source {
            ResolvedSource::Remote(resource) => resource.clone(),
            ResolvedSource::SharedStore(_)
            | ResolvedSource::PrivateStore(_)
            | ResolvedSource::OfApplication(_) => LocalResource {
                key: file.key.clone(),
                url: format!("hdfs://nn:8020/store/{}", file.key),
                size: 1,
                modification_time: 2,
                visibility: Visibility::Private,
                kind: file.kind,
            },
        },
        part: file.part,
        upload: false,
    };
    Staged::new(resolved, resolved.files.iter().map(file).collect(), ClassDataArchives::default())
}

/// A manifest as a command line makes it, in each of the three modes.
fn manifests(machine: &Machine) -> Vec<ClusterManifest> {
    let application = Program {
        main_class: Some("org.apache.flink.client.python.PythonDriver".into()),
        args: vec!["--python".into(), "script.py".into(), "--password".into(), "secret".into()],
        files: vec![("script.py".into(), machine.dir.path().join("script.py"))],
        ..Program::default()
    };
    let per_job = ClientProgram { main_class: Some("Main".into()), ..ClientProgram::default() };
    let purposes = [
        Purpose::Session { min_task_managers: Some(2) },
        Purpose::Application { program: application },
        Purpose::PerJob { program: per_job },
    ];
    let manifest = |purpose| {
        let mut configuration = machine.setup.configuration.clone();
        configuration.set("yarn.application.name", "count", Origin::Flag("-nm".into()));
        configuration.set("jobmanager.memory.process.size", "1 gb", Origin::Flag("-jm".into()));
        configuration.set("execution.attached", "false", Origin::Flag("-d".into()));
        configuration.set("parallelism.default", "3", Origin::Derived("the program".into()));
        configuration.set_dynamic("taskmanager.memory.process.size", "1728m");
        configuration.set_dynamic("yarn.ship-files", "data");
        configuration.set_dynamic("s3.secret-key", "hidden too");
        configuration.set_dynamic("yarn.no-such-key", "x");
        ClusterManifest {
            submission: Some("nightly".into()),
            timeout_ms: Some(90_000),
            ..ClusterManifest::new(purpose).configured(&machine.setup, &configuration)
        }
    };
    purposes.map(manifest).into()
}

#[test]
fn the_plan_that_is_shown_is_the_plan_that_is_carried_out() {
    let machine = Machine::new();
    for manifest in manifests(&machine) {
        let planned = machine.resolve(&manifest).unwrap();
        let executed = machine.resolve(&manifest).unwrap();
        assert_eq!(planned, executed);
        let written = serde_json::to_string(&planned).unwrap();
        let read: Resolved = serde_json::from_str(&written).unwrap();
        assert_eq!(read, planned, "it survives a file");
        // What YARN gets, what the ApplicationMaster gets and what the user sees follow from this value
        // alone.
        let (of_read, of_planned) = (staged(&read), staged(&planned));
        assert_eq!(of_read, of_planned);
        assert_eq!(
            submission_context(&read, &of_read).unwrap(),
            submission_context(&planned, &of_planned).unwrap()
        );
        assert_eq!(DryRun::new(&read, &of_read), DryRun::new(&planned, &of_planned));
        let stored: Staged = serde_json::from_str(&serde_json::to_string(&of_planned).unwrap()).unwrap();
        assert_eq!(stored, of_planned);
    }
}

#[test]
fn a_cluster_with_kerberos() {
    let machine = Machine::new();
    for name in ["ann.keytab", "realm.conf"] {
        std::fs::write(machine.dir.path().join(name), "x").unwrap();
    }
    let security = Security {
        principal: "ann@R".into(),
        acts_for: None,
        login: "with the tickets of kinit".into(),
        file_systems: vec![],
        renewer: Some("rm/h@R".into()),
        resource_manager: Some("rm/h@R".into()),
        greatest_ages_ms: (Some(604_800_000), None),
        handed_over: vec![],
    };
    for mut manifest in manifests(&machine) {
        for (key, value) in [
            ("security.kerberos.login.keytab", "ann.keytab"),
            ("security.kerberos.login.principal", "ann@R"),
            ("security.kerberos.krb5-conf.path", "realm.conf"),
        ] {
            manifest.configuration.set_dynamic(key, value);
        }
        let resolved = machine.resolve_on(&manifest, Some(&security)).unwrap();
        let read: Resolved = serde_json::from_str(&serde_json::to_string(&resolved).unwrap()).unwrap();
        assert_eq!(read, resolved);
        // JobManager and TaskManagers have both files, and no store has one.
        let staged = staged(&resolved);
        let of_application: Vec<&str> = resolved.files_of_application().map(|(key, _)| key).collect();
        assert_eq!(of_application, ["krb5.keytab", "krb5.conf"]);
        let context = submission_context(&resolved, &staged).unwrap();
        for key in of_application {
            let resources = &staged.am_spec.resources.task_manager_resources;
            assert!(resources.iter().any(|resource| resource.key == key), "{key}");
            assert!(context.am_container.local_resources.contains_key(key), "{key}");
        }
        let spec = &resolved.am_spec;
        for jvm in [&spec.job_manager.jvm, &spec.task_managers.jvm] {
            assert!(jvm.jvm_args.iter().any(|arg| arg == "-Djava.security.krb5.conf=krb5.conf"));
            assert!(!jvm.class_path.iter().any(|entry| entry.starts_with("krb5")));
        }
        let text = String::from_utf8_lossy(resolved.small_files[0].content.bytes()).into_owned();
        for setting in [
            "security.kerberos.login.keytab: krb5.keytab",
            "security.kerberos.login.principal: ann@R",
            "security.kerberos.token.provider.hadoopfs.renewer: rm/h@R",
        ] {
            assert!(text.contains(setting), "{text}");
        }
        // The client itself logs in with its own file.
        let own = |setting: &&EffectiveSetting| setting.key == "security.kerberos.login.keytab";
        assert_eq!(resolved.configuration.iter().find(own).unwrap().value, "ann.keytab");
        let shown = DryRun::new(&resolved, &staged).kerberos.unwrap();
        assert_eq!((shown.principal.as_deref(), shown.tokens.len()), (Some("ann@R"), 1));
        assert_eq!(shown.keytab.unwrap().path, "krb5.keytab");
    }
}

#[test]
fn a_manifest_in_a_file_gives_the_plan_of_the_command_line() {
    let machine = Machine::new();
    for (number, manifest) in manifests(&machine).into_iter().enumerate() {
        let path = machine.dir.path().join(format!("manifest{number}.json"));
        std::fs::write(&path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
        let read = ClusterManifest::read(&path).unwrap();
        assert_eq!(read, manifest);
        assert_eq!(machine.resolve(&read).unwrap(), machine.resolve(&manifest).unwrap());
    }
}

#[test]
fn a_manifest_can_be_written_by_hand() {
    let machine = Machine::new();
    let path = machine.dir.path().join("manifest.json");
    let text = r#"{
        "purpose": { "mode": "session" },
        "configuration": {
            "jobmanager.memory.process.size": "1 gb",
            "taskmanager.memory.process.size": { "value": "1728m", "option": "-tm" }
        }
    }"#;
    std::fs::write(&path, text).unwrap();
    let resolved = machine.resolve(&ClusterManifest::read(&path).unwrap()).unwrap();
    assert_eq!((resolved.application_master.memory_mb, resolved.task_manager.memory_mb), (1024, 1728));
    let origin = |key: &str| {
        resolved
            .configuration
            .iter()
            .find(|setting| setting.key == key)
            .map(|setting| setting.origin.as_str())
    };
    assert_eq!(origin("jobmanager.memory.process.size"), Some("-D"));
    assert_eq!(origin("taskmanager.memory.process.size"), Some("option -tm"));
    std::fs::write(&path, r#"{ "purpose": { "mode": "session" }, "config": {} }"#).unwrap();
    let refused = ClusterManifest::read(&path).unwrap_err().to_string();
    assert!(refused.contains("is not a manifest") && refused.contains("unknown field `config`"), "{refused}");
}

#[test]
fn warnings_are_part_of_the_plan() {
    let machine = Machine::new();
    let resolved = machine.resolve(&manifests(&machine)[0]).unwrap();
    let told: Vec<String> = resolved.warnings.iter().map(|warning| format!("{warning:?}")).collect();
    assert!(told.iter().any(|text| text.contains("yarn.no-such-key")), "{told:?}");
    assert!(told.iter().any(|text| text.contains("no NodeManager of the cluster is running")), "{told:?}");
}

#[test]
fn a_plan_shows_no_secret_in_a_log() {
    let machine = Machine::new();
    for mut manifest in manifests(&machine) {
        for key in ["flink.hadoop.fs.s3a.secret.key", "containerized.master.env.DB_PASSWORD"] {
            manifest.configuration.set_dynamic(key, "hidden as well");
        }
        let command = "wrap --token=hidden %java% %jvmmem% %jvmopts% -Dtoken=hidden %class% %args%";
        manifest.configuration.set_dynamic("yarn.container-start-command-template", command);
        let resolved = machine.resolve(&manifest).unwrap();
        let text = format!("{resolved:?}");
        assert!(!text.contains("hidden") && !text.contains("\"secret\""), "{text}");
        let shown = serde_json::to_string(&DryRun::new(&resolved, &staged(&resolved))).unwrap();
        assert!(shown.contains("wrap") && !shown.contains("hidden"), "{shown}");
        assert!(!format!("{manifest:?}").contains("hidden"));
    }
}

#[test]
fn what_only_high_availability_reads_is_not_read_without_it() {
    let machine = Machine::new();
    for mut manifest in manifests(&machine) {
        let key = "yarn.application-attempt-failures-validity-interval";
        manifest.configuration.set_dynamic(key, "10 s");
        machine.resolve(&manifest).unwrap();
        manifest.configuration.set_dynamic("high-availability.type", "zookeeper");
        let refused = machine.resolve(&manifest).unwrap_err().to_string();
        assert!(refused.contains(key), "{refused}");
    }
}

#[test]
fn an_empty_manifest_takes_all_from_the_files() {
    let machine = Machine::new();
    assert_eq!(machine.setup.configuration.format(), FileFormat::Standard);
    let home = FlinkHome::find(&machine.context).unwrap();
    let manifest = ClusterManifest::new(Purpose::SESSION);
    let configured = manifest.clone().configured(&machine.setup, &machine.setup.configuration);
    assert_eq!(configured, ClusterManifest { flink_home: Some(home.root), ..manifest });
}
