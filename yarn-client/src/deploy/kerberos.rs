//! What Kerberos adds to the containers: the keytab and `krb5.conf`, and the settings with which Flink's
//! processes find them. What follows from Flink's configuration is decided here alone, because a keytab may
//! also be for Kafka or ZooKeeper, while the cluster itself has no Kerberos.

use std::fs::File;
use std::path::{Path, PathBuf};

use flink_model::config::{Configuration, Origin};
use flink_model::options;
use flink_model::release::Release;
use serde::{Deserialize, Serialize};
use taskrunner::links;

use crate::configuration::{bad_value, text};
use crate::context::Context;
use crate::error::Failure;
use crate::login::{self, KeytabSetting};
use crate::paths::without_scheme;

/// The name of the configuration of Kerberos in the containers, as Flink's client has it.
const KRB5_CONF: &str = "krb5.conf";

/// The first release of Flink whose JobManager fetches tokens for the cluster, and asks who may renew them.
const RENEWER_SINCE: (u16, u16) = (1, 17);

/// The files with which the JVMs of a cluster log in. Nothing of their content is kept here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KerberosFiles {
    /// The keytab, if the cluster has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keytab: Option<Keytab>,
    /// The configuration of Kerberos on this machine that is uploaded for the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub krb5_conf: Option<PathBuf>,
}

/// The keytab with which the JVMs of a cluster log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keytab {
    /// The principal as which they log in.
    pub principal: String,
    /// The file of this machine that is uploaded. `None` means that each node has the keytab already.
    pub uploaded: Option<PathBuf>,
    /// The path in the containers. It is relative to their working directory, unless each node has the keytab
    /// already.
    pub path: String,
}

impl KerberosFiles {
    /// The files that the configuration names. It is a failure if one of them cannot be read, or if there is
    /// a keytab without a principal.
    pub(crate) fn of(configuration: &Configuration, context: &Context) -> Result<Self, Failure> {
        let krb5_conf = match text(configuration, &options::KERBEROS_CONF) {
            None => None,
            Some(path) => Some(readable(context, &path, options::KERBEROS_CONF.key)?),
        };
        Ok(Self { keytab: keytab(configuration, context)?, krb5_conf })
    }

    /// The files that are uploaded: the path in the containers, the file of this machine, and the
    /// configuration key that names it.
    pub(crate) fn uploads(&self) -> Vec<(String, PathBuf, &'static str)> {
        let keytab = self.keytab.iter().filter_map(|keytab| {
            let local = keytab.uploaded.clone()?;
            Some((keytab.path.clone(), local, options::KERBEROS_KEYTAB.key))
        });
        let krb5_conf = self.krb5_conf.iter();
        let krb5_conf =
            krb5_conf.map(|path| (KRB5_CONF.to_owned(), path.clone(), options::KERBEROS_CONF.key));
        keytab.chain(krb5_conf).collect()
    }

    /// Refuses a keytab that the containers would not find: each node is said to have it, but the path is
    /// relative, and `may_be` says that no file of the containers can have it.
    pub(crate) fn check(&self, may_be: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let Some(Keytab { path, uploaded: None, .. }) = &self.keytab else { return Ok(()) };
        if Path::new(path).is_absolute() || may_be(path) {
            return Ok(());
        }
        let (ship, named) = (options::SHIP_LOCAL_KEYTAB.key, options::LOCALIZED_KEYTAB_PATH.key);
        Err(Failure::configuration(format!(
            "{ship} is false, but the containers have no file {path:?}, where the keytab is to be ({named})"
        ))
        .hint(format!("{named} names the path that the keytab has on every node"))
        .hint(format!("without {ship} the keytab is uploaded for the application")))
    }

    /// The configuration for the containers: that of this machine, with the keytab where it is in the
    /// containers, and with who may renew the tokens that the JobManager fetches.
    pub(crate) fn configure(
        &self,
        configuration: &Configuration,
        release: Release,
        renewer: Option<&str>,
    ) -> Configuration {
        let mut own = configuration.clone();
        if let Some(Keytab { principal, path, .. }) = &self.keytab {
            let settings = [
                (&options::KERBEROS_KEYTAB, path, options::LOCALIZED_KEYTAB_PATH.key),
                (&options::KERBEROS_PRINCIPAL, principal, options::KERBEROS_PRINCIPAL.key),
            ];
            for (option, value, from) in settings {
                let origin = match own.find(option) {
                    Some((key, entry)) if key == option.key && entry.value.text() == *value => continue,
                    _ => Origin::Derived(format!("from {from}")),
                };
                for old in option.deprecated {
                    own.remove(old);
                }
                own.set(option.key, value.as_str(), origin);
            }
        }
        if let Some(renewer) = renewer
            && (release.major, release.minor) >= RENEWER_SINCE
            && text(&own, &options::TOKEN_RENEWER).is_none()
        {
            let origin = Origin::Derived("from yarn.resourcemanager.principal".to_owned());
            own.set(options::TOKEN_RENEWER.key, renewer, origin);
        }
        own
    }
}

fn keytab(configuration: &Configuration, context: &Context) -> Result<Option<Keytab>, Failure> {
    let Some(KeytabSetting { path: local, principal }) = login::keytab(context, configuration)? else {
        return Ok(None);
    };
    let (ship, named) = (&options::SHIP_LOCAL_KEYTAB, options::LOCALIZED_KEYTAB_PATH.key);
    let default = options::LOCALIZED_KEYTAB_PATH.default.unwrap_or_default();
    let path = text(configuration, &options::LOCALIZED_KEYTAB_PATH).unwrap_or_else(|| default.to_owned());
    if !configuration.require(ship).map_err(bad_value)? {
        return Ok(Some(Keytab { principal, uploaded: None, path }));
    }
    let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
    if !links::is_below(&path) {
        return Err(Failure::configuration(format!(
            "the keytab is uploaded, and {named} is no path below the containers' directory: {path:?}"
        ))
        .hint(format!("name a file such as {default}"))
        .hint(format!("if each node has the keytab there, set {} to false", ship.key)));
    }
    Ok(Some(Keytab { principal, uploaded: Some(local), path }))
}

/// The absolute path of a local file, which must be one that this user can read.
fn readable(context: &Context, named: &str, by: &str) -> Result<PathBuf, Failure> {
    let path = context.path(without_scheme(named));
    let shown = path.display();
    let correct = "correct the path, or leave the key out: then KRB5_CONFIG or /etc/krb5.conf counts here, and the nodes' own file there";
    let failed = |e| Failure::because(format!("cannot read {shown} ({by})"), e).hint(correct);
    // To open something else than a file might block.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(Failure::configuration(format!("{shown} ({by}) is not a file")).hint(correct));
    }
    File::open(&path).map_err(failed)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use flink_model::config::FileFormat;

    use super::*;

    struct Machine {
        dir: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            for name in ["ann.keytab", "realm.conf"] {
                std::fs::write(dir.path().join(name), "x").unwrap();
            }
            Self { dir }
        }

        fn files(&self, settings: &[(&str, &str)]) -> Result<KerberosFiles, String> {
            let context = Context {
                vars: Default::default(),
                cwd: self.dir.path().to_owned(),
                exe: "/x/heddle".into(),
                user: "ann".to_owned(),
                waits: Default::default(),
                logins: Default::default(),
            };
            KerberosFiles::of(&conf(settings), &context).map_err(|failure| failure.render(false))
        }
    }

    const KEYTAB: (&str, &str) = ("security.kerberos.login.keytab", "ann.keytab");
    const PRINCIPAL: (&str, &str) = ("security.kerberos.login.principal", "ann@EXAMPLE.COM");
    const NOT_SHIPPED: (&str, &str) = ("yarn.security.kerberos.ship-local-keytab", "false");

    fn conf(settings: &[(&str, &str)]) -> Configuration {
        let mut conf = Configuration::new(FileFormat::Standard);
        settings.iter().for_each(|(key, value)| conf.set_dynamic(*key, *value));
        conf
    }

    fn at(path: &str) -> (&'static str, &str) {
        ("yarn.security.kerberos.localized-keytab-path", path)
    }

    #[test]
    fn what_is_uploaded() {
        let machine = Machine::new();
        assert_eq!(machine.files(&[]).unwrap(), KerberosFiles::default());
        assert_eq!(machine.files(&[at("/x"), NOT_SHIPPED]).unwrap(), KerberosFiles::default());
        let conf = ("security.kerberos.krb5-conf.path", "file:realm.conf");
        let uploads = |settings: &[(&str, &str)]| -> Vec<String> {
            let uploads = machine.files(settings).unwrap().uploads();
            uploads
                .into_iter()
                .map(|(key, path, _)| {
                    format!("{key} {}", path.strip_prefix(machine.dir.path()).unwrap().display())
                })
                .collect()
        };
        assert_eq!(uploads(&[KEYTAB, PRINCIPAL, conf]), ["krb5.keytab ann.keytab", "krb5.conf realm.conf"]);
        assert_eq!(uploads(&[KEYTAB, PRINCIPAL, at("./etc/k")]), ["etc/k ann.keytab"]);
        assert_eq!(uploads(&[KEYTAB, PRINCIPAL, NOT_SHIPPED, conf]), ["krb5.conf realm.conf"]);
        let old = [("security.keytab", "ann.keytab"), ("security.principal", "ann")];
        assert_eq!(uploads(&old), ["krb5.keytab ann.keytab"]);
    }

    #[test]
    fn what_is_refused() {
        let machine = Machine::new();
        let none = ("security.kerberos.login.keytab", "none.keytab");
        let directory = ("security.kerberos.krb5-conf.path", ".");
        for (settings, expected) in [
            (vec![KEYTAB], "security.kerberos.login.keytab (-D)"),
            (vec![none, PRINCIPAL], "none.keytab"),
            (vec![directory], "(security.kerberos.krb5-conf.path) is not a file"),
            (vec![KEYTAB, PRINCIPAL, at("/etc/krb5.keytab")], "ship-local-keytab to false"),
            (vec![KEYTAB, PRINCIPAL, at("../k")], "no path below the containers' directory"),
        ] {
            let refused = machine.files(&settings).unwrap_err();
            assert!(refused.contains(expected), "{settings:?}: {refused}");
        }
    }

    #[test]
    fn a_keytab_that_each_node_has() {
        let machine = Machine::new();
        let on_nodes = machine.files(&[KEYTAB, PRINCIPAL, NOT_SHIPPED, at("/etc/k")]).unwrap();
        assert!(on_nodes.check(|_| false).is_ok());
        let relative = machine.files(&[KEYTAB, PRINCIPAL, NOT_SHIPPED]).unwrap();
        assert!(relative.check(|key| key == "krb5.keytab").is_ok());
        let refused = relative.check(|_| false).unwrap_err().render(false);
        assert!(refused.contains("have no file \"krb5.keytab\""), "{refused}");
        assert!(machine.files(&[KEYTAB, PRINCIPAL]).unwrap().check(|_| false).is_ok());
    }

    #[test]
    fn settings_for_the_containers() {
        let machine = Machine::new();
        let old = [("security.keytab", "ann.keytab"), ("security.principal", "ann@EXAMPLE.COM")];
        let release = |minor| Release { major: 1, minor, patch: 0 };
        let settings = |given: &[(&str, &str)], release, renewer| -> Vec<(String, String)> {
            let own = machine.files(given).unwrap().configure(&conf(given), release, renewer);
            own.iter().map(|(key, entry)| (key.to_owned(), entry.value.text())).collect()
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let login = [
            pair("security.kerberos.login.keytab", "krb5.keytab"),
            pair("security.kerberos.login.principal", "ann@EXAMPLE.COM"),
        ];
        assert_eq!(settings(&old, release(20), None), login);
        assert_eq!(settings(&[KEYTAB, PRINCIPAL], release(16), Some("rm/h@R")), login);
        let renewer = |name: &str| pair("security.kerberos.token.provider.hadoopfs.renewer", name);
        let new = settings(&[KEYTAB, PRINCIPAL], release(17), Some("rm/h@R"));
        assert_eq!(new, [&login[..], &[renewer("rm/h@R")]].concat());
        let mine = [("security.kerberos.token.provider.hadoopfs.renewer", "me")];
        assert_eq!(settings(&mine, release(20), Some("rm/h@R")), [renewer("me")]);
        assert!(settings(&[], release(20), None).is_empty());
        let two = Release { major: 2, minor: 0, patch: 0 };
        assert_eq!(settings(&[], two, Some("rm/h@R")), [renewer("rm/h@R")]);
    }
}
