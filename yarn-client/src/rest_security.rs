//! How the commands of one configuration speak to the REST interfaces of JobManagers: over TLS or plain HTTP,
//! and with which certificates.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use flink_model::config::Configuration;
use flink_model::options;
use flink_model::ssl::{self, RestSsl, SslError};
use flink_rest::keystore::KeyStoreError;
use flink_rest::{RestAddress, Scheme, Tls, TlsError, WrittenAddress};

use crate::context::Context;
use crate::error::Failure;

/// How REST interfaces are spoken to. Clones share everything.
#[derive(Clone)]
pub struct RestSecurity(Arc<Inner>);

struct Inner {
    /// Whether the configuration says that REST interfaces speak TLS.
    required: bool,
    settings: Result<RestSsl, SslError>,
    /// The directory from which relative paths of the settings count.
    directory: PathBuf,
    tls: OnceLock<Tls>,
}

impl fmt::Debug for RestSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestSecurity").field("required", &self.0.required).finish_non_exhaustive()
    }
}

impl Default for RestSecurity {
    /// The security settings of an empty configuration.
    fn default() -> Self {
        Self(Arc::new(Inner {
            required: false,
            settings: Ok(RestSsl::default()),
            directory: PathBuf::new(),
            tls: OnceLock::new(),
        }))
    }
}

impl RestSecurity {
    /// What the configuration says. If it says that REST interfaces speak TLS, the files with certificates
    /// and keys are read now, so that a wrong file is found before anything else happens.
    pub fn of(configuration: &Configuration, context: &Context) -> Result<Self, Failure> {
        let required = ssl::rest_speaks_tls(configuration).map_err(|e| bad_setting(e.into()))?;
        let security = Self(Arc::new(Inner {
            required,
            settings: RestSsl::of_client(configuration),
            directory: context.cwd.clone(),
            tls: OnceLock::new(),
        }));
        if required {
            security.tls()?;
        }
        Ok(security)
    }

    /// The address of the REST interface at this host and port. `https` says that somebody else than the
    /// configuration says that it speaks TLS. It is never spoken to by plain HTTP if the configuration says
    /// TLS.
    pub fn address(&self, host: impl Into<String>, port: u16, https: bool) -> Result<RestAddress, Failure> {
        let tls = if self.0.required || https { Some(self.tls()?) } else { None };
        Ok(RestAddress { tls, ..RestAddress::plain(host, port) })
    }

    /// Whether the configuration says that REST interfaces speak TLS.
    pub(crate) fn is_required(&self) -> bool {
        self.0.required
    }

    /// Whether this process speaks TLS in place of the JVM in which `main()` of a per-job cluster runs. That
    /// JVM is given an address of this machine, so it cannot check the name of the host where that has to be
    /// right.
    ///
    /// It is not so where clients have to prove who they are: whatever process of the user calls the port on
    /// this machine, such as a browser that shows a page of somebody else's, would do so with the user's key.
    pub(crate) fn is_spoken_for_main(&self) -> bool {
        let names = |settings: &RestSsl| settings.checks_names() && settings.key.is_none();
        self.0.required && self.0.settings.as_ref().is_ok_and(names)
    }

    /// The address that a user has written.
    pub fn written(&self, address: WrittenAddress) -> Result<RestAddress, Failure> {
        let WrittenAddress { host, port, scheme } = address;
        if self.0.required && scheme == Some(Scheme::Http) {
            let key = options::SSL_REST.key;
            return Err(Failure::usage(format!(
                "http://{host}:{port} is to be called without TLS, and {key} says that REST interfaces speak it"
            ))
            .hint(format!("write https://{host}:{port}, or set {key} to false (-D)")));
        }
        self.address(host, port, scheme == Some(Scheme::Https))
    }

    fn tls(&self) -> Result<Tls, Failure> {
        if let Some(tls) = self.0.tls.get() {
            return Ok(tls.clone());
        }
        let settings = self.0.settings.as_ref().map_err(|error| bad_setting(error.clone()))?;
        let tls = Tls::of_client(settings, &self.0.directory).map_err(no_tls)?;
        Ok(self.0.tls.get_or_init(|| tls).clone())
    }
}

/// The failure for settings of TLS that cannot be used.
pub(crate) fn bad_setting(error: SslError) -> Failure {
    match error {
        SslError::Value(error) => crate::configuration::bad_value(error),
        error => {
            let refused = matches!(error, SslError::StoreType { .. });
            Failure::because("cannot speak TLS with REST interfaces", error)
                .hint("docs/security.md has an example with all keys")
                .unsupported_if(refused)
        }
    }
}

fn no_tls(error: TlsError) -> Failure {
    let hint = error.hint();
    let refused = is_javas(&error);
    let failure = Failure::because("cannot speak TLS with REST interfaces", error).unsupported_if(refused);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Whether Java may be able to do what heddle is not.
fn is_javas(error: &TlsError) -> bool {
    use KeyStoreError::{Jceks, Undecodable, Unknown};
    match error {
        TlsError::Unsupported { .. } => true,
        TlsError::Store { source, .. } => matches!(source, Jceks | Undecodable(_) | Unknown),
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use flink_model::config::FileFormat;

    use super::*;

    const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../flink-rest/src/fixtures/stores");
    pub(crate) const TLS: (&str, &str) = ("security.ssl.rest.enabled", "true");
    pub(crate) const TRUST: [(&str, &str); 2] = [
        ("security.ssl.rest.truststore", "trust.jks"),
        ("security.ssl.rest.truststore-password", "storepass"),
    ];

    /// What these settings say.
    pub(crate) fn security(pairs: &[(&str, &str)]) -> Result<RestSecurity, Failure> {
        let mut configuration = Configuration::new(FileFormat::Standard);
        pairs.iter().for_each(|(key, value)| configuration.set_dynamic(*key, *value));
        let context = Context {
            vars: BTreeMap::new(),
            cwd: STORES.into(),
            exe: "/x/heddle".into(),
            user: "ann".into(),
            waits: Default::default(),
            logins: Default::default(),
        };
        RestSecurity::of(&configuration, &context)
    }

    fn written(security: &RestSecurity, text: &str) -> Result<String, Failure> {
        security.written(text.parse().unwrap()).map(|address| address.url())
    }

    #[test]
    fn with_tls_nothing_is_called_without_it() {
        let security = security(&[TLS, TRUST[0], TRUST[1]]).unwrap();
        assert_eq!(written(&security, "h:1").unwrap(), "https://h:1");
        assert_eq!(written(&security, "https://h:1/").unwrap(), "https://h:1");
        let refused = written(&security, "http://h:1").unwrap_err();
        assert!(refused.is_usage() && refused.hints()[0].contains("https://h:1"), "{refused}");
        assert_eq!(security.address("h", 1, false).unwrap().url(), "https://h:1");
        assert_eq!(security.address("h", 1, false).unwrap(), security.address("h", 1, true).unwrap());
    }

    #[test]
    fn without_it_only_what_asks_for_it_speaks_tls() {
        let security = security(&TRUST).unwrap();
        assert_eq!(written(&security, "h:1").unwrap(), "http://h:1");
        assert_eq!(written(&security, "HTTPS://h:1").unwrap(), "https://h:1");
        assert_eq!(security.address("h", 1, true).unwrap().url(), "https://h:1");
    }

    #[test]
    fn tls_is_spoken_for_main_where_the_name_of_the_host_matters() {
        let (named, machines) = (("security.ssl.rest.verify-hostname", "true"), &[TLS][..]);
        let proven = [
            ("security.ssl.rest.authentication-enabled", "true"),
            ("security.ssl.rest.keystore", "rsa.jks"),
            ("security.ssl.rest.keystore-password", "storepass"),
            ("security.ssl.rest.key-password", "keypass1"),
        ];
        let of = |pairs: &[(&str, &str)]| security(pairs).unwrap().is_spoken_for_main();
        assert!(of(&[TLS, TRUST[0], TRUST[1], named]));
        assert!(!of(&[TLS, TRUST[0], TRUST[1]]));
        assert!(!of(&[TRUST[0], TRUST[1], named]));
        assert!(!of(&[&[TLS, TRUST[0], TRUST[1], named][..], &proven].concat()));
        // Without a truststore the certificates of the machine count, where there are any.
        assert!(security(machines).is_err() || of(machines));
    }

    #[test]
    fn a_file_that_cannot_be_used_is_found_early_and_named() {
        let wrong = [TLS, ("security.ssl.rest.truststore", "none.jks"), TRUST[1]];
        let failure = security(&wrong).unwrap_err().render(false);
        assert!(failure.contains("none.jks (security.ssl.rest.truststore)"), "{failure}");
        let wrong = [TLS, TRUST[0], ("security.ssl.rest.truststore-password", "x1y2z3")];
        let failure = security(&wrong).unwrap_err().render(true);
        assert!(failure.contains("hint: check security.ssl.rest.truststore-password"), "{failure}");
        assert!(!failure.contains("x1y2z3"));
        assert!(security(&wrong[1..]).is_ok());
        let failure = security(&[TLS, TRUST[0]]).unwrap_err();
        assert!(!failure.is_unsupported(), "Flink's client cannot do it either");
        let failure = failure.render(false);
        assert!(failure.contains("neither security.ssl.rest.truststore-password nor"), "{failure}");
        let of_java = [TLS, TRUST[0], TRUST[1], ("security.ssl.rest.truststore-type", "BCFKS")];
        assert!(security(&of_java).unwrap_err().is_unsupported());
        assert!(security(&[("security.ssl.rest.enabled", "perhaps")]).is_err());
    }
}
