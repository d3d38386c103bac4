use std::collections::BTreeMap;

use flink_model::config::FileFormat;

use super::*;
use crate::report::Silent;

const ID: &str = "application_1700000000000_0007";

struct Fixture {
    dir: tempfile::TempDir,
    context: Context,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let context = Context {
        vars: BTreeMap::new(),
        cwd: "/".into(),
        exe: "/x/heddle".into(),
        user: "ann".into(),
        waits: Default::default(),
        logins: Default::default(),
    };
    Fixture { dir, context }
}

impl Fixture {
    fn choose(&self, job_manager: Option<&str>, pairs: &[(&str, &str)]) -> Result<Target, Failure> {
        let mut configuration = Configuration::new(FileFormat::Standard);
        configuration.set_dynamic("yarn.properties-file.location", self.dir.path().to_str().unwrap());
        for (key, value) in pairs {
            configuration.set_dynamic(*key, *value);
        }
        choose(job_manager, &mut configuration, &self.context, &Silent)
    }

    fn session_file(&self) -> PathBuf {
        let path = self.dir.path().join(".yarn-properties-ann");
        let session =
            properties::SessionFile { application_id: ID.parse().unwrap(), dynamic_properties: vec![] };
        properties::write(&path, &session).unwrap();
        path
    }
}

fn address(text: &str) -> Target {
    Target::Address(RestSecurity::default().written(parse_address(text).unwrap()).unwrap())
}

fn application(from_file: Option<PathBuf>) -> Target {
    Target::Application { id: ID.parse().unwrap(), from_file }
}

#[test]
fn flinks_order_and_what_has_no_effect() {
    let fixture = fixture();
    let id = ("yarn.application.id", ID);
    let target = |name| ("execution.target", name);
    let session = Target::Application { id: ID.parse().unwrap(), from_file: None };
    let file = application(Some(fixture.session_file()));
    let warned = |job_manager, pairs: &[(&str, &str)]| {
        let mut configuration = Configuration::new(FileFormat::Standard);
        pairs.iter().for_each(|(key, value)| configuration.set_dynamic(*key, *value));
        without_effect(job_manager, &configuration).len()
    };
    for (job_manager, pairs, chosen, warnings) in [
        (Some("h:1"), vec![], address("h:1"), 0),
        (Some("h:1"), vec![id], session.clone(), 1),
        (Some("h:1"), vec![id, target("yarn-session")], session.clone(), 1),
        (Some("h:1"), vec![target("yarn-session")], file.clone(), 1),
        (Some("h:1"), vec![target("REMOTE")], address("localhost:8081"), 1),
        (Some("h:1"), vec![target("remote"), id], address("localhost:8081"), 2),
        (Some("yarn-cluster"), vec![id], session.clone(), 0),
        (Some("yarn-cluster"), vec![id, target("yarn-session")], session, 0),
        (Some("yarn-cluster"), vec![], file, 0),
        (Some("yarn-cluster"), vec![target("remote")], address("localhost:8081"), 1),
        (None, vec![target("remote"), id], address("localhost:8081"), 1),
    ] {
        assert_eq!(fixture.choose(job_manager, &pairs).unwrap(), chosen, "{job_manager:?} {pairs:?}");
        assert_eq!(warned(job_manager, &pairs), warnings, "{job_manager:?} {pairs:?}");
    }
    let mut configuration = Configuration::new(FileFormat::Standard);
    configuration.set("yarn.application.id", ID, Origin::Flag("-yid".into()));
    configuration.set("execution.target", "yarn-session", Origin::Flag("-t".into()));
    assert_eq!(
        without_effect(Some("h:1"), &configuration),
        [format!("-m h:1 has no effect: the application {ID} is named (option -yid)")]
    );
    configuration.set("execution.target", "remote", Origin::Flag("-t".into()));
    assert_eq!(
        without_effect(Some("h:1"), &configuration),
        [
            "-m h:1 has no effect: execution.target is remote (option -t), so that rest.address and rest.port are asked".to_owned(),
            format!("the application {ID} (option -yid) is not asked: execution.target is remote (option -t), so that rest.address and rest.port are asked"),
        ]
    );
}

#[test]
fn an_id_wins_over_the_file() {
    let fixture = fixture();
    let other = "application_1_0001";
    fixture.session_file();
    for target in [None, Some("yarn-session"), Some("YARN-Application")] {
        let mut pairs = vec![("yarn.application.id", other)];
        pairs.extend(target.map(|t| ("execution.target", t)));
        let expected = Target::Application { id: other.parse().unwrap(), from_file: None };
        assert_eq!(fixture.choose(None, &pairs).unwrap(), expected);
    }
}

#[test]
fn the_name_of_a_session_counts_as_an_id_does() {
    let fixture = fixture();
    fixture.session_file();
    let (name, id) = (("heddle.session", "etl"), ("yarn.application.id", ID));
    let target = |name| ("execution.target", name);
    let named = Target::Session("etl".into());
    for (job_manager, pairs, chosen, warning) in [
        (None, vec![name], named.clone(), None),
        (None, vec![name, target("yarn-session")], named.clone(), None),
        (Some("yarn-cluster"), vec![name], named.clone(), None),
        (Some("h:1"), vec![name], named.clone(), Some("-m h:1 has no effect: the session etl is named")),
        (None, vec![name, id], application(None), Some("the session etl (-D) is not asked: the application")),
        (
            None,
            vec![name, id, target("yarn-application")],
            application(None),
            Some("is not asked: execution.t"),
        ),
        (
            None,
            vec![name, target("remote")],
            address("localhost:8081"),
            Some("is not asked: execution.target is"),
        ),
    ] {
        assert_eq!(fixture.choose(job_manager, &pairs).unwrap(), chosen, "{job_manager:?} {pairs:?}");
        let mut configuration = Configuration::new(FileFormat::Standard);
        pairs.iter().for_each(|(key, value)| configuration.set_dynamic(*key, *value));
        let told = without_effect(job_manager, &configuration);
        assert_eq!(told.len(), usize::from(warning.is_some()), "{told:?}");
        assert!(warning.is_none_or(|warning| told[0].contains(warning)), "{told:?}");
    }

    // What the command line says wins over the configuration.
    let in_file = || Origin::File { file: "config.yaml".into(), line: 1 };
    let said = |job_manager, set: &dyn Fn(&mut Configuration)| {
        let mut configuration = Configuration::new(FileFormat::Standard);
        configuration.set_dynamic("yarn.properties-file.location", fixture.dir.path().to_str().unwrap());
        set(&mut configuration);
        assert_eq!(without_effect(job_manager, &configuration), Vec::<String>::new());
        choose(job_manager, &mut configuration, &fixture.context, &Silent).unwrap()
    };
    let name_in_file =
        |configuration: &mut Configuration| configuration.set("heddle.session", "etl", in_file());
    assert_eq!(said(None, &name_in_file), named);
    assert_eq!(said(Some("h:1"), &name_in_file), address("h:1"));
    let both = |configuration: &mut Configuration| {
        name_in_file(configuration);
        configuration.set_dynamic("yarn.application.id", ID);
    };
    assert_eq!(said(None, &both), application(None));
    let other = |configuration: &mut Configuration| {
        configuration.set("yarn.application.id", ID, in_file());
        configuration.set_dynamic("heddle.session", "etl");
    };
    assert_eq!(said(None, &other), named);
}

#[test]
fn the_file_serves_sessions_only() {
    let fixture = fixture();
    let file = fixture.session_file();
    assert_eq!(fixture.choose(None, &[]).unwrap(), application(Some(file.clone())));
    assert_eq!(fixture.choose(Some("yarn-cluster"), &[]).unwrap(), application(Some(file.clone())));
    assert_eq!(
        fixture.choose(None, &[("execution.target", "yarn-session")]).unwrap(),
        application(Some(file))
    );
    let failure = fixture.choose(None, &[("execution.target", "yarn-application")]).unwrap_err();
    assert!(failure.to_string().contains("no cluster id was specified"));
    let remote = [("execution.target", "remote"), ("rest.address", "h"), ("rest.port", "99")];
    assert_eq!(fixture.choose(None, &remote).unwrap(), address("h:99"));
}

#[test]
fn without_anything_the_configured_address() {
    let fixture = fixture();
    let assumed =
        |text: &str| Target::Assumed(RestSecurity::default().written(parse_address(text).unwrap()).unwrap());
    assert_eq!(fixture.choose(None, &[]).unwrap(), assumed("localhost:8081"));
    assert_eq!(fixture.choose(None, &[("jobmanager.rpc.address", "jm")]).unwrap(), assumed("jm:8081"));
}

#[test]
fn nonsense_is_refused() {
    let fixture = fixture();
    for (job_manager, pairs) in [
        (Some("nowhere"), vec![]),
        (Some("h:port"), vec![]),
        (None, vec![("yarn.application.id", "4711")]),
        (None, vec![("execution.target", "kubernetes-session")]),
    ] {
        let failure = fixture.choose(job_manager, &pairs).unwrap_err();
        assert!(failure.is_usage() && !failure.hints().is_empty(), "{failure}");
    }
}

#[test]
fn addresses() {
    let written = |text| RestSecurity::default().written(parse_address(text).unwrap()).unwrap();
    assert_eq!(written("http://h:1/").url(), "http://h:1");
    assert_eq!(written("[::1]:8081").to_string(), "[::1]:8081");
    assert!(parse_address(":1").is_err());
}

#[test]
fn an_application_is_young_for_a_minute() {
    let for_seconds =
        |start: u64, now: u64| young_for(Some(start * 1000), now * 1000).map(|rest| rest.as_secs());
    assert_eq!(for_seconds(100, 100), Some(60));
    assert_eq!(for_seconds(100, 159), Some(1));
    assert_eq!(for_seconds(100, 160), None);
    assert_eq!(for_seconds(100, 90), Some(60));
    assert_eq!(young_for(None, 0), None);
}

#[test]
fn what_the_session_was_started_with_is_older_than_this_command_line() {
    let fixture = fixture();
    let remembered = ["parallelism.default", "a"].map(|key| (key.to_owned(), "3".to_owned()));
    let session = properties::SessionFile {
        application_id: ID.parse().unwrap(),
        dynamic_properties: remembered.into(),
    };
    properties::write(&fixture.dir.path().join(".yarn-properties-ann"), &session).unwrap();
    let mut configuration = Configuration::new(FileFormat::Standard);
    configuration.set_dynamic("yarn.properties-file.location", fixture.dir.path().to_str().unwrap());
    configuration.set_dynamic("parallelism.default", "2");
    choose(None, &mut configuration, &fixture.context, &Silent).unwrap();
    let text = |key| configuration.text(key).unwrap();
    assert_eq!((text("parallelism.default"), text("a")), ("2".to_owned(), "3".to_owned()));
}

#[test]
fn what_runs_programs_is_not_taken_from_the_properties_file() {
    let fixture = fixture();
    let path = fixture.dir.path().join(".yarn-properties-ann");
    let settings = "env.java.home\\=/tmp/e@@flink.yarn.resourcemanager.address\\=evil\\:1@@a\\=1";
    std::fs::write(&path, format!("applicationID={ID}\ndynamicPropertiesString={settings}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut configuration = Configuration::new(FileFormat::Standard);
    configuration.set_dynamic("yarn.properties-file.location", fixture.dir.path().to_str().unwrap());
    let target = choose(None, &mut configuration, &fixture.context, &Silent).unwrap();
    assert_eq!(target, application(Some(path)));
    assert_eq!(configuration.text("a").as_deref(), Some("1"));
    for key in ["env.java.home", "flink.yarn.resourcemanager.address"] {
        assert_eq!(configuration.text(key), None, "{key}");
    }
}

#[test]
fn a_properties_file_that_is_not_trusted_names_no_session() {
    let fixture = fixture();
    let path = fixture.session_file();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let assumed = Target::Assumed(RestAddress::plain("localhost", 8081));
    assert_eq!(fixture.choose(None, &[]).unwrap(), assumed);
    let failure = fixture.choose(None, &[("execution.target", "yarn-session")]).unwrap_err();
    assert!(failure.to_string().contains("no cluster id was specified"), "{failure}");
}

#[test]
fn flinks_client_speaks_as_the_address_says() {
    let mut configuration = Configuration::new(FileFormat::Standard);
    let key = "security.ssl.rest.enabled";
    let said = |configuration: &Configuration, address: &RestAddress| {
        leading_to(configuration, address, false).into_iter().find(|(k, _)| k == key).map(|(_, value)| value)
    };
    let plain = RestAddress::plain("h", 1);
    assert_eq!(said(&configuration, &plain), None);
    configuration.set_dynamic(key, "true");
    assert_eq!(said(&configuration, &plain).as_deref(), Some("false"));
}

#[test]
fn the_name_of_the_host_is_left_out_only_where_another_address_stands_for_it() {
    let fixture = fixture();
    let trust = concat!(env!("CARGO_MANIFEST_DIR"), "/../flink-rest/src/fixtures/stores/trust.jks");
    let mut configuration = Configuration::new(FileFormat::Standard);
    for (key, value) in [
        ("security.ssl.rest.enabled", "true"),
        ("security.ssl.rest.truststore", trust),
        ("security.ssl.rest.truststore-password", "storepass"),
        ("security.ssl.rest.verify-hostname", "true"),
    ] {
        configuration.set_dynamic(key, value);
    }
    let security = RestSecurity::of(&configuration, &fixture.context).unwrap();
    let (encrypted, plain) = (security.address(HERE, 1, false).unwrap(), RestAddress::plain(HERE, 1));
    let said = |configuration: &Configuration, address: &RestAddress, stands| {
        let list = leading_to(configuration, address, stands);
        list.into_iter().find(|(k, _)| k == "security.ssl.rest.verify-hostname").map(|(_, value)| value)
    };
    assert_eq!(said(&configuration, &encrypted, true).as_deref(), Some("false"));
    // A tunnel, whose certificate the user wants to be checked; and TLS that is heddle's own matter.
    assert_eq!(said(&configuration, &encrypted, false), None);
    assert_eq!(said(&configuration, &plain, true), None);
    configuration.set_dynamic("security.ssl.rest.verify-hostname", "false");
    assert_eq!(said(&configuration, &encrypted, true), None);
}

#[test]
fn an_address_with_https_is_spoken_to_over_tls() {
    let fixture = fixture();
    let trust = concat!(env!("CARGO_MANIFEST_DIR"), "/../flink-rest/src/fixtures/stores/trust.jks");
    let trust =
        [("security.ssl.rest.truststore", trust), ("security.ssl.rest.truststore-password", "storepass")];
    let url = |target| match target {
        Target::Address(address) => address.url(),
        other => panic!("{other:?}"),
    };
    assert_eq!(url(fixture.choose(Some("https://h:1"), &trust).unwrap()), "https://h:1");
    assert_eq!(url(fixture.choose(Some("h:1"), &trust).unwrap()), "http://h:1");
    let tls = [trust[0], trust[1], ("security.ssl.enabled", "true")];
    assert_eq!(url(fixture.choose(Some("h:1"), &tls).unwrap()), "https://h:1");
    assert!(fixture.choose(Some("http://h:1"), &tls).unwrap_err().is_usage());
}
