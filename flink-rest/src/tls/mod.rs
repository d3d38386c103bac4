//! TLS for calls to a JobManager: which certificates count, with which key the client proves who it is, and
//! which versions and cipher suites it speaks. The settings are Flink's, and a file is read where Flink's own
//! client reads it.

mod certificate;
mod error;
mod refusal;
mod suites;
mod verifier;

use std::fmt;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use flink_model::ssl::{KeySettings, RestSsl, StoreSettings};
use rustls::client::WantsClientCert;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ConfigBuilder, InconsistentKeys, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::keystore::{KeyStore, KeyStoreError, LARGEST};
use certificate::Certificate;
use verifier::{Trust, Verifier};

#[cfg(fuzzing)]
pub(crate) use certificate::read_any as read_any_certificate;
pub use error::TlsError;

/// An encrypted connection to a REST interface.
pub type EncryptedStream = tokio_rustls::client::TlsStream<TcpStream>;

/// A client's side of TLS. Clones share everything; two values are equal if one is a clone of the other.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// What decides which certificates count, for messages.
    trusted: Arc<str>,
    basis: Basis,
}

/// What decides which certificates count; the advice depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    /// `security.ssl.rest.cert.fingerprint`.
    Fingerprint,
    /// A truststore that is set.
    Truststore,
    /// The certificates of the machine, with which the name of the host has to be right.
    Machine,
    /// The keystore with which the caller has started the JobManager.
    OwnKeystore,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({})", self.trusted)
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }
}

impl Eq for Tls {}

impl Tls {
    /// TLS with these settings, whose relative paths count from `directory`. The files are read now.
    ///
    /// With a truststore or a fingerprint, the host name in the certificate does not matter unless the
    /// settings say so, as with Flink's own client. With the certificates of the machine it has to be the
    /// right one, because else the certificate of any host would do.
    pub fn of_client(settings: &RestSsl, directory: &Path) -> Result<Self, TlsError> {
        let provider = Arc::new(suites::provider(settings)?);
        let (builder, trusted, basis) = if !settings.fingerprints.is_empty() {
            let trust = Trust::Fingerprints(settings.fingerprints.clone());
            let key = flink_model::options::SSL_REST_FINGERPRINT.key;
            let trusted = format!("the fingerprint in {key}");
            (verified(trust, &provider, settings)?, trusted, Basis::Fingerprint)
        } else if let Some(truststore) = &settings.truststore {
            let path = directory.join(&truststore.path);
            let anchors = read(truststore, None, directory)?.trust_anchors();
            let key = truststore.path_key;
            let trust =
                Trust::in_store(anchors).ok_or(TlsError::NoCertificate { path: path.clone(), key })?;
            let trusted = format!("the truststore {} ({key})", path.display());
            (verified(trust, &provider, settings)?, trusted, Basis::Truststore)
        } else {
            let roots = certificates_of_the_machine()?;
            let builder = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&suites::versions(settings)?)?
                .with_root_certificates(roots);
            (builder, "this machine's list of authorities".to_owned(), Basis::Machine)
        };
        let config = match &settings.key {
            Some(key) => with_key(builder, key, directory)?,
            None => builder.with_no_client_auth(),
        };
        Ok(Self { config: Arc::new(config), trusted: trusted.into(), basis })
    }

    /// TLS for a JobManager that the caller has started with this key for its REST interface. Only the
    /// certificate of the key counts. With `authenticates` it is also the one with which the caller proves
    /// who it is, as Flink's own programs do.
    pub fn of_own_job_manager(
        key: &KeySettings,
        authenticates: bool,
        directory: &Path,
    ) -> Result<Self, TlsError> {
        let store = read(&key.store, None, directory)?;
        let own = store.keys.iter().filter_map(|entry| entry.chain.first().cloned()).collect::<Vec<_>>();
        let path = directory.join(&key.store.path);
        if own.is_empty() {
            return Err(TlsError::Key { path, key: key.store.path_key, why: "holds no key".to_owned() });
        }
        let settings = RestSsl::default();
        let provider = Arc::new(suites::provider(&settings)?);
        let builder = verified(Trust::Exactly(own), &provider, &settings)?;
        let config = match authenticates {
            true => with_key(builder, key, directory)?,
            false => builder.with_no_client_auth(),
        };
        let trusted = format!("the keystore {} ({})", path.display(), key.store.path_key);
        Ok(Self { config: Arc::new(config), trusted: trusted.into(), basis: Basis::OwnKeystore })
    }

    /// What decides which certificates count, such as the truststore with its key.
    pub fn trusted(&self) -> &str {
        &self.trusted
    }

    /// What encrypts connections.
    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.config))
    }

    pub(crate) fn config(&self) -> ClientConfig {
        (*self.config).clone()
    }
}

/// TLS that trusts no certificate. It is for clients that speak plain HTTP, because reqwest wants a
/// configuration of TLS even for them.
pub fn no_certificates() -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn verified(
    trust: Trust,
    provider: &Arc<CryptoProvider>,
    settings: &RestSsl,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&suites::versions(settings)?)?;
    let algorithms = provider.signature_verification_algorithms;
    let verifier = Verifier::new(trust, settings.verify_hostname, algorithms);
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
}

/// Adds the key with which the client proves who it is.
fn with_key(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    settings: &KeySettings,
    directory: &Path,
) -> Result<ClientConfig, TlsError> {
    let bad = |why: String| TlsError::Key {
        path: directory.join(&settings.store.path),
        key: settings.store.path_key,
        why,
    };
    let store = read(&settings.store, Some(settings), directory)?;
    let mut keys = store.keys.into_iter();
    let entry = keys.next().ok_or_else(|| bad("holds no key".to_owned()))?;
    if keys.next().is_some() {
        tracing::debug!(alias = entry.alias, "the keystore holds several keys; the first one is taken");
    }
    let key = entry.key.ok_or_else(|| bad("holds no key".to_owned()))?;
    let provider = Arc::clone(builder.crypto_provider());
    let signing = provider.key_provider.load_private_key(PrivateKeyDer::Pkcs8(key)).map_err(|e| {
        bad(format!(
            "holds a key of a kind that heddle cannot use (it uses RSA, P-256, P-384 and Ed25519): {e}"
        ))
    })?;
    let certified = CertifiedKey::new(entry.chain, signing);
    check_pair(&certified)
        .map_err(|e| bad(format!("holds a key that does not belong to its certificate: {e}")))?;
    Ok(builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified))))
}

/// Checks that a key is the one of its certificate. The library does not read certificates of old versions.
fn check_pair(pair: &CertifiedKey) -> Result<(), rustls::Error> {
    let certificate = pair.cert.first().and_then(|certificate| Certificate::read(certificate));
    match (certificate.filter(Certificate::is_old), pair.key.public_key()) {
        (Some(certificate), Some(key)) if certificate.key != key.as_ref() => {
            Err(InconsistentKeys::KeyMismatch.into())
        }
        (Some(_), _) => Ok(()),
        (None, _) => match pair.keys_match() {
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
            done => done,
        },
    }
}

/// Reads a store; its keys, too, if there is a password for them.
fn read(
    settings: &StoreSettings,
    keys: Option<&KeySettings>,
    directory: &Path,
) -> Result<KeyStore, TlsError> {
    let (path, key) = (directory.join(&settings.path), settings.path_key);
    let content = content(&path).map_err(|source| TlsError::File { path: path.clone(), key, source })?;
    let key_password = keys.map(|keys| keys.key_password.reveal());
    KeyStore::read(&content, settings.password.reveal(), key_password).map_err(|source| TlsError::Store {
        path,
        key,
        password_key: match (&source, keys) {
            (KeyStoreError::Password, _) => Some(settings.password_key),
            (KeyStoreError::KeyPassword { .. }, Some(keys)) => Some(keys.key_password_key),
            _ => None,
        },
        source,
    })
}

fn content(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LARGEST {
        return Err(std::io::Error::other(format!("it has more than {} MiB", LARGEST >> 20)));
    }
    Ok(content)
}

fn certificates_of_the_machine() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        let why = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
        return Err(TlsError::Machine(why));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;
