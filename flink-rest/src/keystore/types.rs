//! What is in a keystore, and why one cannot be read.

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// A file cannot be used as keystore. Another try does not help. The texts hold no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyStoreError {
    /// The content of the file is neither JKS nor PKCS12.
    #[error("it is neither a JKS nor a PKCS12 file")]
    Unknown,
    /// The file is of a type that heddle does not read.
    #[error("it is a JCEKS file; heddle reads JKS and PKCS12 files")]
    Jceks,
    /// The password of the file does not fit, or the file is damaged.
    #[error("the password is wrong, or the file is damaged")]
    Password,
    /// The password of the key does not fit.
    #[error("the password of the key {alias:?} is wrong")]
    KeyPassword {
        /// The name of the key.
        alias: String,
    },
    /// The file ends too early, or something is in it that does not belong there.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// The file cannot be decoded.
    #[error("it cannot be decoded: {0}")]
    Undecodable(String),
}

/// What is in a keystore or truststore.
#[derive(Debug, Default)]
pub struct KeyStore {
    /// The certificates that the file names as trusted.
    pub trusted: Vec<CertificateDer<'static>>,
    /// The keys.
    pub keys: Vec<KeyEntry>,
}

/// A key with its certificates.
#[derive(Debug)]
pub struct KeyEntry {
    /// The name of the key.
    pub alias: String,
    /// The private key; `None` if it was not asked for. Its `Debug` text does not show it.
    pub key: Option<PrivatePkcs8KeyDer<'static>>,
    /// The certificate of the key, and after it those of the authorities that have signed it.
    pub chain: Vec<CertificateDer<'static>>,
}

impl KeyStore {
    /// The certificates that Java trusts if it gets the file as truststore: those that the file names as
    /// trusted, and the own one of each key.
    pub fn trust_anchors(&self) -> Vec<CertificateDer<'static>> {
        let own = self.keys.iter().filter_map(|entry| entry.chain.first());
        self.trusted.iter().chain(own).cloned().collect()
    }
}
