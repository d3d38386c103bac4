//! The settings of TLS for the REST interface, read from the configuration as Flink reads them: a key of
//! `security.ssl.rest.*` wins over the one of `security.ssl.*`. This module opens no file.

use std::fmt;

use crate::config::{Configuration, Opt, Origin, ValueError};
use crate::options;

/// The cipher suites of a cluster that heddle starts, unless the user names some. The default of Flink's
/// older releases, which is the last one, has no forward secrecy, does not work with keys of elliptic curves,
/// and heddle's commands do not speak it. It stays in the list for programs that use Flink's own client with
/// its defaults.
const SUITES: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,\
                      TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,\
                      TLS_RSA_WITH_AES_128_CBC_SHA";

/// The settings of TLS cannot be used. The texts hold no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SslError {
    /// A value does not have its option's type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A key that must be set is not.
    #[error("{why}: neither {key} nor {common} is set")]
    Missing {
        /// What makes the key necessary.
        why: &'static str,
        /// The key for the REST interface.
        key: &'static str,
        /// The key for all of Flink's traffic.
        common: &'static str,
    },
    /// The fingerprint is none.
    #[error(
        "{key} ({origin}): {text:?} is not the SHA-1 of a certificate, which has 40 hexadecimal digits",
        key = options::SSL_REST_FINGERPRINT.key
    )]
    Fingerprint {
        /// What is not a fingerprint.
        text: String,
        /// Where it is set.
        origin: Origin,
    },
    /// heddle cannot read files of this type.
    #[error("{key} is {kind}: heddle reads files of the types JKS and PKCS12")]
    StoreType {
        /// The key with the type.
        key: &'static str,
        /// The type.
        kind: String,
    },
}

/// A password. Its `Debug` text does not show it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Password(String);

impl Password {
    /// The password itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::config::HIDDEN)
    }
}

/// A keystore or truststore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSettings {
    /// The path of the file. A relative path counts from the working directory, as with Flink.
    pub path: String,
    /// The key that names the path.
    pub path_key: &'static str,
    /// The password of the file.
    pub password: Password,
    /// The key that holds the password.
    pub password_key: &'static str,
}

/// A keystore and the password of the key in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// The keystore.
    pub store: StoreSettings,
    /// The password of the key.
    pub key_password: Password,
    /// The key that holds the password of the key.
    pub key_password_key: &'static str,
}

/// The SHA-1 of a certificate.
pub type Fingerprint = [u8; 20];

/// How a client of the REST interface speaks TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestSsl {
    /// The certificates that the client trusts; `None` stands for those of the machine.
    pub truststore: Option<StoreSettings>,
    /// The only certificates that the client accepts, if there are any here; then the truststore does not
    /// count.
    pub fingerprints: Vec<Fingerprint>,
    /// Whether the certificate has to be for the host, too.
    pub verify_hostname: bool,
    /// The key with which the client proves who it is, if the server demands that.
    pub key: Option<KeySettings>,
    /// The versions of TLS, if they are set.
    pub protocols: Option<Vec<String>>,
    /// The cipher suites in Java's names, if they are set.
    pub algorithms: Option<Vec<String>>,
}

impl RestSsl {
    /// Whether the name of the host in a certificate has to be right. Without a truststore and fingerprints
    /// it has to be, because else the certificate of any host would do.
    pub fn checks_names(&self) -> bool {
        self.verify_hostname || self.fingerprints.is_empty() && self.truststore.is_none()
    }

    /// The settings of a client.
    pub fn of_client(conf: &Configuration) -> Result<Self, SslError> {
        Ok(Self {
            truststore: truststore(conf)?,
            fingerprints: fingerprints(conf)?,
            verify_hostname: verifies_hostname(conf)?,
            key: if authenticates(conf)? {
                Some(key(conf, "the REST interface demands a certificate of its clients")?)
            } else {
                None
            },
            protocols: list(conf, &options::SSL_PROTOCOL),
            algorithms: list(conf, &options::SSL_ALGORITHMS),
        })
    }
}

/// Whether the REST interface speaks TLS.
pub fn rest_speaks_tls(conf: &Configuration) -> Result<bool, ValueError> {
    Ok(conf.get(&options::SSL_REST)?.unwrap_or_default())
}

/// Whether the REST interface speaks TLS and demands a certificate of its clients.
pub fn authenticates(conf: &Configuration) -> Result<bool, ValueError> {
    Ok(rest_speaks_tls(conf)? && conf.get(&options::SSL_REST_AUTHENTICATION)?.unwrap_or_default())
}

/// Whether clients of the REST interface check the host name in its certificate.
pub fn verifies_hostname(conf: &Configuration) -> Result<bool, ValueError> {
    Ok(conf.get(&options::SSL_REST_VERIFY_HOSTNAME)?.unwrap_or_default())
}

/// The key of the REST interface itself.
pub fn server_key(conf: &Configuration) -> Result<KeySettings, SslError> {
    key(conf, "the REST interface speaks TLS")
}

/// Refuses settings with which the REST interface of a JobManager cannot start.
pub fn check_server(conf: &Configuration) -> Result<(), SslError> {
    if !rest_speaks_tls(conf)? {
        return Ok(());
    }
    server_key(conf)?;
    if authenticates(conf)? && truststore(conf)?.is_none() {
        return Err(SslError::Missing {
            why: "the REST interface demands a certificate of its clients",
            key: options::SSL_REST_TRUSTSTORE.key,
            common: options::SSL_TRUSTSTORE.key,
        });
    }
    Ok(())
}

/// Sets the cipher suites of a cluster that heddle starts, if they matter and the user has named none.
pub fn name_suites(conf: &mut Configuration) -> Result<(), ValueError> {
    let matter = authenticates(conf)? || conf.get(&options::INTERNAL_SSL)?.unwrap_or_default();
    if matter && !conf.contains(&options::SSL_ALGORITHMS) {
        let origin = Origin::Derived("heddle's choice".to_owned());
        conf.set(options::SSL_ALGORITHMS.key, SUITES, origin);
    }
    Ok(())
}

/// The values of a list that is separated by commas, if the option is set.
pub fn list(conf: &Configuration, option: &Opt<String>) -> Option<Vec<String>> {
    let text = conf.find(option)?.1.value.text();
    Some(text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

fn truststore(conf: &Configuration) -> Result<Option<StoreSettings>, SslError> {
    let Some((path, path_key)) = either(conf, &options::SSL_REST_TRUSTSTORE, &options::SSL_TRUSTSTORE) else {
        return Ok(None);
    };
    check_type(conf, &options::SSL_REST_TRUSTSTORE_TYPE)?;
    let why = "the truststore has a password";
    let (password, password_key) =
        needed(conf, why, &options::SSL_REST_TRUSTSTORE_PASSWORD, &options::SSL_TRUSTSTORE_PASSWORD)?;
    let password = Password(password);
    Ok(Some(StoreSettings { path: path.trim().to_owned(), path_key, password, password_key }))
}

fn key(conf: &Configuration, why: &'static str) -> Result<KeySettings, SslError> {
    check_type(conf, &options::SSL_REST_KEYSTORE_TYPE)?;
    let (path, path_key) = needed(conf, why, &options::SSL_REST_KEYSTORE, &options::SSL_KEYSTORE)?;
    let (password, password_key) =
        needed(conf, why, &options::SSL_REST_KEYSTORE_PASSWORD, &options::SSL_KEYSTORE_PASSWORD)?;
    let (key_password, key_password_key) =
        needed(conf, why, &options::SSL_REST_KEY_PASSWORD, &options::SSL_KEY_PASSWORD)?;
    let password = Password(password);
    Ok(KeySettings {
        store: StoreSettings { path: path.trim().to_owned(), path_key, password, password_key },
        key_password: Password(key_password),
        key_password_key,
    })
}

fn needed(
    conf: &Configuration,
    why: &'static str,
    option: &Opt<String>,
    common: &Opt<String>,
) -> Result<(String, &'static str), SslError> {
    either(conf, option, common).ok_or(SslError::Missing { why, key: option.key, common: common.key })
}

/// The value of the first of two options that is set, with its key.
fn either(conf: &Configuration, one: &Opt<String>, other: &Opt<String>) -> Option<(String, &'static str)> {
    [one.key, other.key].into_iter().find_map(|key| {
        let value = conf.text(key).filter(|value| !value.is_empty())?;
        Some((value, key))
    })
}

fn check_type(conf: &Configuration, option: &Opt<String>) -> Result<(), SslError> {
    let known = |kind: &String| ["JKS", "PKCS12"].iter().any(|known| kind.trim().eq_ignore_ascii_case(known));
    match conf.text(option.key).filter(|kind| !kind.trim().is_empty() && !known(kind)) {
        Some(kind) => Err(SslError::StoreType { key: option.key, kind }),
        None => Ok(()),
    }
}

fn fingerprints(conf: &Configuration) -> Result<Vec<Fingerprint>, SslError> {
    let origin = conf.origin(&options::SSL_REST_FINGERPRINT);
    let each = list(conf, &options::SSL_REST_FINGERPRINT).unwrap_or_default().into_iter().map(|text| {
        fingerprint(&text).ok_or_else(|| SslError::Fingerprint { text: text.clone(), origin: origin.clone() })
    });
    each.collect()
}

/// Reads a SHA-1 in hexadecimal digits, between which there may be colons.
fn fingerprint(text: &str) -> Option<Fingerprint> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| *c != ':')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    Fingerprint::try_from(bytes).ok().filter(|_| digits.len() == 40)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileFormat;

    fn conf(pairs: &[(&str, &str)]) -> Configuration {
        let mut conf = Configuration::new(FileFormat::Standard);
        pairs.iter().for_each(|(key, value)| conf.set_dynamic(*key, *value));
        conf
    }

    #[test]
    fn keys_of_the_rest_interface_win_over_the_common_ones() {
        let client = RestSsl::of_client(&conf(&[
            ("security.ssl.enabled", "true"),
            ("security.ssl.rest.authentication-enabled", "true"),
            ("security.ssl.truststore", "/common"),
            ("security.ssl.rest.truststore", " trust.jks "),
            ("security.ssl.truststore-password", " common pass "),
            ("security.ssl.keystore", "key.jks"),
            ("security.ssl.rest.keystore-password", "k"),
            ("security.ssl.key-password", "kk"),
            ("security.ssl.protocol", "TLSv1.2, TLSv1.3"),
        ]))
        .unwrap();
        let trust = client.truststore.unwrap();
        assert_eq!((trust.path.as_str(), trust.path_key), ("trust.jks", "security.ssl.rest.truststore"));
        assert_eq!(trust.password.reveal(), " common pass ");
        assert_eq!(trust.password_key, "security.ssl.truststore-password");
        let key = client.key.unwrap();
        assert_eq!((key.store.path.as_str(), key.key_password.reveal()), ("key.jks", "kk"));
        assert_eq!(client.protocols.unwrap(), ["TLSv1.2", "TLSv1.3"]);
        assert_eq!(client.algorithms, None);
        assert!(!format!("{key:?}{trust:?}", key = key.store).contains("common pass"));
    }

    #[test]
    fn a_key_is_needed_only_where_it_is_demanded() {
        let rest = ("security.ssl.rest.enabled", "true");
        let client = RestSsl::of_client(&conf(&[rest])).unwrap();
        assert_eq!(client, RestSsl::default());
        let demanded = [rest, ("security.ssl.rest.authentication-enabled", "true")];
        let missing = RestSsl::of_client(&conf(&demanded)).unwrap_err().to_string();
        assert!(
            missing.contains("neither security.ssl.rest.keystore nor security.ssl.keystore"),
            "{missing}"
        );
        // Without TLS nothing is demanded.
        assert_eq!(RestSsl::of_client(&conf(&demanded[1..])).unwrap().key, None);
        let trust = [rest, ("security.ssl.rest.truststore", "t")];
        assert!(
            matches!(RestSsl::of_client(&conf(&trust)), Err(SslError::Missing { key, .. }) if key.ends_with("truststore-password"))
        );
    }

    #[test]
    fn a_server_needs_its_key_and_with_authentication_a_truststore() {
        assert_eq!(check_server(&conf(&[])), Ok(()));
        let mut pairs = vec![("security.ssl.rest.enabled", "true")];
        assert!(
            matches!(check_server(&conf(&pairs)), Err(SslError::Missing { key, .. }) if key.ends_with("keystore"))
        );
        for key in ["keystore", "keystore-password", "key-password"] {
            pairs.push(match key {
                "keystore" => ("security.ssl.rest.keystore", "k"),
                "keystore-password" => ("security.ssl.rest.keystore-password", "p"),
                _ => ("security.ssl.rest.key-password", "p"),
            });
        }
        assert_eq!(check_server(&conf(&pairs)), Ok(()));
        pairs.push(("security.ssl.rest.authentication-enabled", "true"));
        assert!(
            matches!(check_server(&conf(&pairs)), Err(SslError::Missing { key, .. }) if key.ends_with("truststore"))
        );
    }

    #[test]
    fn fingerprints_and_types() {
        let digits = "0123456789abcdef0123456789ABCDEF01234567";
        let with_colons = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).into_owned())
            .collect::<Vec<_>>()
            .join(":");
        let both = format!("{digits}, {with_colons}");
        let read = fingerprints(&conf(&[("security.ssl.rest.cert.fingerprint", &both)])).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0][0], read[0][19], read[0]), (0x01, 0x67, read[1]));
        for bad in ["12", &digits[1..], "no", &format!("{digits}0")] {
            let refused = fingerprints(&conf(&[("security.ssl.rest.cert.fingerprint", bad)]));
            assert!(refused.unwrap_err().to_string().contains("40 hexadecimal digits"), "{bad}");
        }
        let kind = |kind| {
            truststore(&conf(&[
                ("security.ssl.rest.truststore", "t"),
                ("security.ssl.rest.truststore-password", "p"),
                ("security.ssl.rest.truststore-type", kind),
            ]))
        };
        assert!(kind("jks").is_ok() && kind("PKCS12").is_ok());
        assert!(kind("BCFKS").unwrap_err().to_string().contains("truststore-type is BCFKS"));
    }

    #[test]
    fn suites_are_named_where_they_matter() {
        let named = |pairs: &[(&str, &str)]| {
            let mut conf = conf(pairs);
            name_suites(&mut conf).unwrap();
            conf.text("security.ssl.algorithms")
        };
        let (rest, internal) =
            (("security.ssl.rest.enabled", "true"), ("heddle.security.internal-ssl", "true"));
        assert_eq!(named(&[]), None);
        assert_eq!(named(&[rest]), None);
        assert!(named(&[internal]).unwrap().starts_with("TLS_ECDHE_ECDSA"));
        assert!(named(&[rest, ("security.ssl.rest.authentication-enabled", "true")]).is_some());
        assert_eq!(named(&[internal, ("security.ssl.algorithms", "X")]).as_deref(), Some("X"));
    }
}
