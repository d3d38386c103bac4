//! The key with which JobManager and TaskManagers of one application speak TLS to each other
//! (`heddle.security.internal-ssl`). Each application gets its own key, with a certificate that the key
//! itself has signed. One PKCS12 file is both keystore and truststore, so whoever has it is part of the
//! application, and nobody else is.

use std::fmt;

use flink_model::config::{Configuration, Origin};
use flink_model::container::INTERNAL_KEY;
use flink_model::spec::JvmTemplate;
use flink_model::{options, ssl};
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey, PrivateKeyChain,
};
use rand::Rng;

use crate::configuration::bad_value;
use crate::error::{CauseClass, Failure};

/// What the keys of Flink's own connections begin with.
const PREFIX: &str = "security.ssl.internal.";
/// Those of them that name a key or the certificates that count.
const OF_KEYS: [&str; 8] = [
    "keystore",
    "keystore-password",
    "key-password",
    "keystore-type",
    "truststore",
    "truststore-password",
    "truststore-type",
    "cert.fingerprint",
];
/// The property of the JVM that decides how Netty checks the names of hosts.
const NO_HOST_NAMES: &str =
    "org.apache.flink.shaded.netty4.io.netty.handler.ssl.defaultEndpointVerificationAlgorithm";
/// The name of the key in the file.
const ALIAS: &str = "flink";
/// How often the password is hashed. It is random and as long as a key, so that hashing it more often would
/// only make each JVM start later.
const ITERATIONS: u32 = 1000;

/// A keystore and its password. Its `Debug` text shows neither.
#[derive(Clone)]
pub(crate) struct KeyMaterial {
    /// The file.
    pub(crate) keystore: Vec<u8>,
    /// The password of the file and of the key in it.
    password: String,
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyMaterial({} bytes)", self.keystore.len())
    }
}

/// Refuses settings that contradict a key of heddle's.
pub(crate) fn check(conf: &Configuration) -> Result<(), Failure> {
    if !conf.require(&options::INTERNAL_SSL).map_err(bad_value)? {
        return Ok(());
    }
    let own = options::INTERNAL_SSL.key;
    let contradicts = |key: &str, what: &str| {
        let origin = conf.entry(key).map(|entry| entry.origin.to_string()).unwrap_or_default();
        Failure::configuration(format!("{own} is true, and {key} is set ({origin}): {what}"))
            .hint(format!("leave {key} out, or {own}"))
    };
    for name in OF_KEYS {
        let key = format!("{PREFIX}{name}");
        if conf.entry(&key).is_some() {
            return Err(contradicts(&key, "heddle makes the key for the application itself"));
        }
    }
    let enabled = format!("{PREFIX}enabled");
    if conf.text(&enabled).is_some_and(|value| !value.trim().eq_ignore_ascii_case("true")) {
        return Err(contradicts(&enabled, "the two contradict each other"));
    }
    let protocols = ssl::list(conf, &options::SSL_PROTOCOL);
    let newest = protocols.is_some_and(|list| list.iter().all(|one| one.eq_ignore_ascii_case("TLSv1.3")));
    let fits = |suite: &String| match newest {
        true => !suite.contains("_WITH_"),
        false => suite.starts_with("TLS_ECDHE_ECDSA_WITH_"),
    };
    if ssl::list(conf, &options::SSL_ALGORITHMS).is_some_and(|suites| !suites.iter().any(fits)) {
        let suite = if newest { "TLS_AES_128_GCM_SHA256" } else { "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" };
        let key = options::SSL_ALGORITHMS.key;
        return Err(contradicts(
            key,
            "none of its cipher suites works with heddle's key, which is of an elliptic curve",
        )
        .hint(format!("add {suite} to {key}")));
    }
    Ok(())
}

/// Makes the configuration of JobManager and TaskManagers use the key. Both have the file in their working
/// directory.
pub(crate) fn configure(conf: &mut Configuration, key: &KeyMaterial) {
    let mut set = |name: &str, value: &str| {
        let origin = Origin::Derived(format!("from {}", options::INTERNAL_SSL.key));
        conf.set(format!("{PREFIX}{name}"), value, origin);
    };
    set("enabled", "true");
    for store in ["keystore", "truststore"] {
        set(store, INTERNAL_KEY);
        set(&format!("{store}-password"), &key.password);
        // Releases of Flink that do not know this key take Java's default type, which reads PKCS12 in every
        // release of Java.
        set(&format!("{store}-type"), "PKCS12");
    }
    set("key-password", &key.password);
}

/// The JVM without the check of host names in the certificates of Flink's own connections, which the Netty of
/// Flink 2.3 makes and which nothing in Flink's configuration switches off. The certificate is for no host:
/// the client does not know on which nodes the containers will be, and nobody else has the key.
pub(crate) fn without_host_names(mut template: JvmTemplate) -> JvmTemplate {
    // In front: the user's options win.
    template.jvm_args.insert(0, format!("-D{NO_HOST_NAMES}=NONE"));
    template
}

/// Makes a key for one application.
pub(crate) fn generate() -> Result<KeyMaterial, Failure> {
    let failed = |e: &dyn fmt::Display| {
        Failure::new(format!("cannot make a key for the application ({}): {e}", options::INTERNAL_SSL.key))
            .of_class(CauseClass::Internal)
    };
    let mut random = [0; 32];
    rand::rng().fill_bytes(&mut random);
    let password = hex::encode(random);
    let key = rcgen::KeyPair::generate().map_err(|e| failed(&e))?;
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "application of heddle");
    let certificate = parameters.self_signed(&key).map_err(|e| failed(&e))?;
    let certificate = Certificate::from_der(certificate.der()).map_err(|e| failed(&e))?;
    let private = PrivateKey::from_der(&key.serialize_der()).map_err(|e| failed(&e))?;
    let mut store = KeyStore::new();
    let chain = PrivateKeyChain::new(ALIAS, private, [certificate]);
    store.add_entry(ALIAS, KeyStoreEntry::PrivateKeyChain(chain));
    // Java 8 reads no newer encryption than this. What protects the key is where the file and the password
    // go, because they go together.
    let keystore = store
        .writer(&password)
        .encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc)
        .encryption_iterations(ITERATIONS)
        .mac_algorithm(MacAlgorithm::HmacSha1)
        .mac_iterations(ITERATIONS)
        .write()
        .map_err(|e| failed(&e))?;
    Ok(KeyMaterial { keystore, password })
}

#[cfg(test)]
mod tests {
    use flink_model::config::FileFormat;
    use flink_rest::keystore;

    use super::*;

    fn conf(pairs: &[(&str, &str)]) -> Configuration {
        let mut conf = Configuration::new(FileFormat::Standard);
        pairs.iter().for_each(|(key, value)| conf.set_dynamic(*key, *value));
        conf
    }

    #[test]
    fn each_key_is_another_and_its_file_is_its_own_truststore() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert!(one.password != other.password && one.keystore != other.keystore);
        let mut store = keystore::KeyStore::read(&one.keystore, &one.password, Some(&one.password)).unwrap();
        assert_eq!((store.keys.len(), store.trust_anchors().len()), (1, 1));
        assert_eq!(store.keys.pop().map(|entry| entry.alias).as_deref(), Some(ALIAS));
        assert!(keystore::KeyStore::read(&one.keystore, &other.password, None).is_err());
        assert!(!format!("{one:?}").contains(&one.password));
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        let (mut conf, key) = (conf(&[]), generate().unwrap());
        configure(&mut conf, &key);
        for name in ["keystore-password", "key-password", "truststore-password"] {
            assert_eq!(conf.text(&format!("{PREFIX}{name}")).as_deref(), Some(key.password.as_str()));
        }
        assert_eq!(conf.text("security.ssl.internal.keystore").as_deref(), Some(INTERNAL_KEY));
        assert!(conf.masked().all(|(_, value, _)| value != key.password));
        assert!(!format!("{conf:?}").contains(&key.password));
    }

    #[test]
    fn what_contradicts_it_is_refused() {
        let own = ("heddle.security.internal-ssl", "true");
        check(&conf(&[own])).unwrap();
        check(&conf(&[("security.ssl.internal.keystore", "mine")])).unwrap();
        for fits in [
            ("security.ssl.internal.enabled", "true"),
            ("security.ssl.internal.handshake-timeout", "1000"),
            ("security.ssl.keystore", "for-rest"),
            ("security.ssl.protocol", "TLSv1.2"),
            (
                "security.ssl.algorithms",
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            ),
        ] {
            check(&conf(&[own, fits])).unwrap();
        }
        for (key, value) in [
            ("security.ssl.internal.keystore", "mine"),
            ("security.ssl.internal.truststore-password", "x1y2z3"),
            ("security.ssl.internal.cert.fingerprint", "00"),
            ("security.ssl.internal.enabled", "false"),
            ("security.ssl.algorithms", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ] {
            let refused = check(&conf(&[own, (key, value)])).unwrap_err().render(true);
            assert!(
                refused.contains(&format!("{key} is set (-D)")) && refused.contains("hint: leave"),
                "{refused}"
            );
            assert!(!refused.contains("x1y2z3"));
        }
        let new = [
            own,
            ("security.ssl.protocol", "TLSv1.3"),
            ("security.ssl.algorithms", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ];
        assert!(check(&conf(&new)).unwrap_err().render(false).contains("add TLS_AES_128_GCM_SHA256"));
    }
}
