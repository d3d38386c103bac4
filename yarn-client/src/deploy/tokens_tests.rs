use std::sync::Arc;

use flink_model::config::FileFormat;
use hadoop_rpc::{ConfError, Credentials, KerberosLogin, MechanismFactory, Token, UserIdentity};

use super::*;
use crate::warning::Warning;

const AUTHENTICATION: &str = "hadoop.security.authentication";

#[derive(Debug)]
struct Tickets;

impl KerberosLogin for Tickets {
    fn mechanism(&self, _: &HadoopConf, _: &str) -> Result<Arc<dyn MechanismFactory>, ConfError> {
        Err(Authentication::of(&HadoopConf::from_map([(AUTHENTICATION, "none")])).unwrap_err())
    }

    fn principal(&self) -> &str {
        "ann@R"
    }
}

fn ann() -> Login {
    Login::simple(UserIdentity::principal("ann@R", "ann"))
}

fn with_tickets() -> Login {
    ann().with_kerberos(Arc::new(Tickets))
}

fn token(kind: &str) -> Token {
    Token { kind: kind.into(), service: format!("{kind}:1"), ..Token::default() }
}

fn with_tokens(login: Login, kinds: &[&str]) -> Login {
    let mut credentials = Credentials::default();
    kinds.iter().for_each(|kind| credentials.add_token(token(kind)));
    login.with_credentials(credentials)
}

/// What is decided in a cluster with these settings of Hadoop and Flink, and the warnings.
fn decide(
    login: &Login,
    hadoop: &[(&str, &str)],
    flink: &[(&str, &str)],
    keytab: bool,
) -> Result<(Option<Security>, Vec<String>), String> {
    let usual = [
        (AUTHENTICATION, "kerberos"),
        ("fs.defaultFS", "hdfs://nn:8020"),
        ("yarn.resourcemanager.principal", "rm/_HOST@R"),
        ("yarn.resourcemanager.address", "RM.example.com:8032"),
    ];
    let hadoop = HadoopConf::from_map(usual.iter().chain(hadoop).copied());
    let mut configuration = Configuration::new(FileFormat::Standard);
    flink.iter().for_each(|(key, value)| configuration.set_dynamic(*key, *value));
    let situation =
        Situation { hadoop: &hadoop, flink: &configuration, login, via: "somehow".into(), keytab };
    let root_of = |url: &str| match url.split('/').nth(2) {
        Some("bad") => Err(Failure::new("it cannot be understood")),
        Some(host) if !host.is_empty() => Ok(format!("hdfs://{host}")),
        _ => Ok("hdfs://nn:8020".to_owned()),
    };
    let places = vec![
        Place::needed("hdfs://nn:8020", "staging directory"),
        Place::needed("s3a://bucket/lib", "yarn.provided.lib.dirs"),
    ];
    let mut warnings = Warnings::default();
    let decided =
        situation.decide(places, &root_of, &mut warnings).map_err(|failure| failure.render(false))?;
    let told = warnings.iter().map(|warning| match warning {
        Warning::Warning(text) | Warning::Note(text) => text.clone(),
    });
    Ok((decided, told.collect()))
}

fn file_systems(security: &Security) -> Vec<String> {
    security.file_systems.iter().map(|of| format!("{}: {}", of.url, of.purposes.join(", "))).collect()
}

#[test]
fn without_kerberos_there_is_nothing_to_decide() {
    let decided = decide(&ann(), &[(AUTHENTICATION, "simple")], &[], true).unwrap();
    assert_eq!(decided, (None, vec![]));
    assert!(decide(&ann(), &[(AUTHENTICATION, "other")], &[], false).is_err());
}

#[test]
fn tokens_for_everything_that_the_application_uses() {
    let flink = [
        ("state.checkpoints.dir", "hdfs:///checkpoints"),
        ("state.savepoints.dir", "file:///savepoints"),
        ("high-availability.storageDir", "hdfs://ha/flink"),
        ("security.kerberos.access.hadoopFileSystems", "hdfs://other;webhdfs://third:9870"),
    ];
    let (security, warnings) = decide(&with_tickets(), &[], &flink, false).unwrap();
    let security = security.unwrap();
    assert_eq!(
        file_systems(&security),
        [
            "hdfs://nn:8020: staging directory, fs.defaultFS, state.checkpoints.dir",
            "hdfs://other: security.kerberos.access.hadoopFileSystems",
            "hdfs://ha: high-availability.storageDir"
        ]
    );
    assert!(security.file_systems.iter().all(|of| of.needed));
    assert_eq!(security.renewer.as_deref(), Some("rm/rm.example.com@R"));
    assert_eq!(security.resource_manager, security.renewer);
    assert_eq!((security.principal.as_str(), security.login.as_str()), ("ann@R", "somehow"));
    assert!(warnings.len() == 1 && warnings[0].contains("webhdfs://third:9870"), "{warnings:?}");

    // With a keytab the JVMs need no token for what the configuration names.
    let (security, _) = decide(&with_tickets(), &[], &flink, true).unwrap();
    let needed: Vec<bool> = security.unwrap().file_systems.iter().map(|of| of.needed).collect();
    assert_eq!(needed, [true, true, false]);
    let bad = [("state.checkpoints.dir", "hdfs://bad/x")];
    assert!(decide(&with_tickets(), &[], &bad, false).is_err());
    let (_, warnings) = decide(&with_tickets(), &[], &bad, true).unwrap();
    assert!(warnings[0].contains("hdfs://bad/x (state.checkpoints.dir)"), "{warnings:?}");

    let old = [("yarn.security.kerberos.additionalFileSystems", "hdfs://other")];
    let (security, _) = decide(&with_tickets(), &[], &old, false).unwrap();
    assert_eq!(security.unwrap().file_systems.len(), 2);
}

#[test]
fn how_long_tokens_live() {
    let ages = |hadoop: &[(&str, &str)]| {
        let (security, _) = decide(&with_tickets(), hadoop, &[], false).unwrap();
        security.unwrap().greatest_ages_ms
    };
    assert_eq!(ages(&[]), (Some(604_800_000), Some(604_800_000)));
    let here = [(FILE_SYSTEM_AGE, "180000"), (RESOURCE_MANAGER_AGE, "a week")];
    assert_eq!(ages(&here), (Some(180_000), None));
    // An identifier as Java writes it: for ann@R, without a renewer, issued at 1 and ending at 2.
    let identifier = [&[0, 5][..], b"ann@R", &[0, 0, 1, 2, 3, 4]].concat();
    let given = Token { identifier, ..token("HDFS_DELEGATION_TOKEN") };
    let mut credentials = Credentials::default();
    credentials.add_token(given);
    let (security, _) = decide(&ann().with_credentials(credentials), &[], &[], false).unwrap();
    let told = &security.unwrap().handed_over[0];
    assert!(told.ends_with(":1, which ends at the latest at 1970-01-01T00:00:00.002Z"), "{told}");
}

#[test]
fn who_may_renew() {
    let mine = [("security.kerberos.token.provider.hadoopfs.renewer", "etl")];
    let (security, _) = decide(&with_tickets(), &[], &mine, false).unwrap();
    let security = security.unwrap();
    assert_eq!(security.renewer.as_deref(), Some("etl"));
    assert_eq!(security.resource_manager.as_deref(), Some("rm/rm.example.com@R"));
    let literal = [("yarn.resourcemanager.principal", "yarn@R")];
    let (security, _) = decide(&with_tickets(), &literal, &[], false).unwrap();
    assert_eq!(security.unwrap().renewer.as_deref(), Some("yarn@R"));
    let none = [("yarn.resourcemanager.principal", "")];
    let refused = decide(&with_tickets(), &none, &[], false).unwrap_err();
    assert!(refused.contains("yarn.resourcemanager.principal is not set"), "{refused}");
}

#[test]
fn who_wants_no_tokens() {
    let login = with_tickets();
    for (key, value, rm) in [
        ("security.delegation.tokens.enabled", "false", false),
        ("security.kerberos.fetch.delegation-token", "false", false),
        ("security.delegation.token.provider.hadoopfs.enabled", "false", true),
        ("yarn.security.appmaster.delegation.token.services", "hbase", true),
    ] {
        let (security, warnings) = decide(&login, &[], &[(key, value)], true).unwrap();
        let security = security.unwrap();
        assert!(security.file_systems.is_empty() && security.renewer.is_none(), "{key}");
        assert_eq!(security.resource_manager.is_some(), rm, "{key}");
        assert!(warnings.len() == 1 && warnings[0].contains("(-D)"), "{key}: {warnings:?}");
        // Others may have fetched them, or the ResourceManager gets them.
        let given = with_tokens(with_tickets(), &["HDFS_DELEGATION_TOKEN"]);
        let (security, warnings) = decide(&given, &[], &[(key, value)], true).unwrap();
        let handed_over = security.unwrap().handed_over;
        assert_eq!(handed_over, ["HDFS_DELEGATION_TOKEN for HDFS_DELEGATION_TOKEN:1"]);
        assert!(warnings.is_empty(), "{warnings:?}");
        let privileges = [(RM_PRIVILEGES, "true")];
        let (_, warnings) = decide(&login, &privileges, &[(key, value)], true).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
    }
    let contradiction = [
        ("security.delegation.tokens.enabled", "false"),
        ("security.kerberos.access.hadoopFileSystems", "hdfs://other"),
    ];
    let refused = decide(&login, &[], &contradiction, true).unwrap_err();
    assert!(refused.contains("security.kerberos.access.hadoopFileSystems (-D) names"), "{refused}");
}

#[test]
fn tokens_alone() {
    let kinds = ["HDFS_DELEGATION_TOKEN", RM_DELEGATION_TOKEN, AMRM_TOKEN, "kms-dt"];
    let (security, warnings) = decide(&with_tokens(ann(), &kinds), &[], &[], false).unwrap();
    let security = security.unwrap();
    assert!(security.file_systems.is_empty() && security.resource_manager.is_none());
    assert_eq!(security.handed_over.len(), 3, "{security:?}");
    assert!(warnings.is_empty(), "{warnings:?}");
    let (_, warnings) = decide(&with_tokens(ann(), &[RM_DELEGATION_TOKEN]), &[], &[], false).unwrap();
    assert!(warnings[0].contains("a login with tokens alone"), "{warnings:?}");
    // The ResourceManager would give no second token to a client that has one.
    let both = with_tokens(with_tickets(), &kinds);
    let (security, _) = decide(&both, &[], &[], false).unwrap();
    let security = security.unwrap();
    assert!(security.resource_manager.is_none() && security.file_systems.len() == 1);
}

#[test]
fn a_user_who_acts_for_another_one() {
    let login = Login::simple(UserIdentity::proxied("bob", "gateway@R")).with_kerberos(Arc::new(Tickets));
    let (security, _) = decide(&login, &[], &[], false).unwrap();
    let security = security.unwrap();
    assert_eq!((security.principal.as_str(), security.acts_for.as_deref()), ("gateway@R", Some("bob")));
    let refused = decide(&login, &[], &[], true).unwrap_err();
    assert!(refused.contains("would run as bob") && refused.contains("kinit -kt"), "{refused}");
}
