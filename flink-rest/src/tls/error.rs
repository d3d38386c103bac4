//! Why TLS cannot be set up.

use std::path::PathBuf;

use crate::keystore::KeyStoreError;

/// TLS cannot be set up with these settings and files. Another try does not help.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {} ({key}): {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The key that names the file.
        key: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not a keystore that can be used.
    #[error("cannot use {} ({key}): {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// The key that names the file.
        key: &'static str,
        /// The key with the password that does not fit, if that is the reason.
        password_key: Option<&'static str>,
        /// Why.
        source: KeyStoreError,
    },
    /// A truststore that trusts nobody.
    #[error("{} ({key}) holds no certificate that could be trusted", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// The key that names the file.
        key: &'static str,
    },
    /// A keystore that cannot be used to prove who the client is.
    #[error("{} ({key}) {why}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The key that names the file.
        key: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// None of the wanted versions or cipher suites is known.
    #[error("{key} is {value}: heddle speaks none of them, but {known}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What is known.
        known: String,
    },
    /// The certificates of this machine.
    #[error("no truststore is set, and this machine has no certificates of authorities: {0}")]
    Machine(String),
    /// Something else.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

impl TlsError {
    /// The advice for a user, if there is some.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File { key, .. } => Some(format!("{key} names a file on this machine")),
            Self::Store { password_key: Some(key), .. } => {
                Some(format!("check {key}; `keytool -list -keystore <file>` takes the same password"))
            }
            Self::NoCertificate { key, .. } => Some(format!(
                "put the certificate of the REST interface, or of its authority, into the file that {key} names: `keytool -importcert`"
            )),
            Self::Machine(_) => {
                Some("security.ssl.rest.truststore names a file with the certificates that count".to_owned())
            }
            Self::Key { key, .. } => {
                Some(format!("`keytool -list -keystore <file>` shows what is in the file that {key} names"))
            }
            Self::Unsupported { key, .. } => {
                Some(format!("add one of these to {key}, here and in the configuration of the cluster"))
            }
            Self::Store { .. } | Self::Setup(_) => None,
        }
    }
}
