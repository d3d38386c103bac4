//! Tokens and secrets, and the credentials files in which Hadoop stores them. YARN gives each container such
//! a file, and the launch context of a container holds the bytes of one.

mod format;
#[cfg(test)]
mod tests;
mod token;

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

pub use token::{Credentials, Token};

/// The two formats of Hadoop's credentials files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFormat {
    /// Version 0, in Java's Writable encoding. Every release of Hadoop can read it.
    Writable,
    /// Version 1, in protobuf. Hadoop 3 can read it.
    Protobuf,
}

/// Why a credentials file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file system refused.
    #[error("cannot {action} the credentials file {path}: {source}", path = path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the file system.
        source: std::io::Error,
    },
    /// The bytes are not those of a credentials file.
    #[error("not a Hadoop credentials file: {0}")]
    Malformed(String),
}

fn io_error(action: &'static str, path: &Path, source: std::io::Error) -> CredentialsError {
    CredentialsError::Io { action, path: path.to_owned(), source }
}

impl Credentials {
    /// Reads the bytes of a credentials file in either format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CredentialsError> {
        format::read(bytes).map_err(CredentialsError::Malformed)
    }

    /// The bytes of a credentials file in the older format, which every release of Hadoop can read.
    pub fn to_writable_bytes(&self) -> Vec<u8> {
        self.to_bytes(TokenFormat::Writable)
    }

    /// The bytes of a credentials file in this format.
    pub fn to_bytes(&self, format: TokenFormat) -> Vec<u8> {
        match format {
            TokenFormat::Writable => format::write_writable(self),
            TokenFormat::Protobuf => format::write_protobuf(self),
        }
    }

    /// Reads a file of either format.
    pub fn read_file(path: &Path) -> Result<Self, CredentialsError> {
        let bytes = std::fs::read(path).map_err(|e| io_error("read", path, e))?;
        format::read(&bytes).map_err(|why| CredentialsError::Malformed(format!("{}: {why}", path.display())))
    }

    /// Writes a file that only its owner can read (mode 600). It is written under another name and then
    /// renamed, so that no other process sees an incomplete file.
    pub fn write_file(&self, path: &Path, format: TokenFormat) -> Result<(), CredentialsError> {
        let bytes = self.to_bytes(format);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unique = uuid::Uuid::new_v4();
        let part = path.with_file_name(format!(".{name}.{unique}.part"));
        let write = || {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&part)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&part, path)
        };
        write().map_err(|e| {
            // The first error is the one to report. If the file with the other name cannot be removed, only
            // its owner can read it.
            drop(std::fs::remove_file(&part));
            io_error("write", path, e)
        })
    }
}

/// Credentials that can be replaced while clients use them, because YARN replaces tokens from time to time.
/// Clones share the credentials.
///
/// A new connection uses the tokens of that moment. If the token that a connection has used is replaced, the
/// next call opens a new connection.
#[derive(Clone)]
pub struct TokenSource {
    current: Arc<watch::Sender<Arc<Credentials>>>,
}

impl Default for TokenSource {
    fn default() -> Self {
        Self::new(Credentials::default())
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource").field(&*self.current.borrow()).finish()
    }
}

impl TokenSource {
    /// Makes a source of these credentials.
    pub fn new(credentials: Credentials) -> Self {
        Self { current: Arc::new(watch::Sender::new(Arc::new(credentials))) }
    }

    /// The credentials of this moment.
    pub fn get(&self) -> Arc<Credentials> {
        self.current.borrow().clone()
    }

    /// Replaces all tokens and secrets.
    pub fn replace(&self, credentials: Credentials) {
        self.current.send_replace(Arc::new(credentials));
    }

    /// Changes the credentials in one step, so that nobody gets half-changed ones.
    pub fn update(&self, change: impl FnOnce(&mut Credentials)) {
        self.current.send_modify(|current| change(Arc::make_mut(current)));
    }

    /// Adds a token under this alias, in place of an older one.
    pub fn put(&self, alias: impl Into<String>, token: Token) {
        self.update(|c| {
            c.tokens.insert(alias.into(), token);
        });
    }
}
