//! Tokens and secrets, and the files Hadoop keeps them in.

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

/// The two formats of Hadoop's token storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFormat {
    /// Version 0, Java's Writable encoding: every Hadoop reads it.
    Writable,
    /// Version 1, protobuf: Hadoop 3 reads it.
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
        /// Why.
        source: std::io::Error,
    },
    /// The bytes are not a token storage.
    #[error("not a Hadoop credentials file: {0}")]
    Malformed(String),
}

fn io_error(action: &'static str, path: &Path, source: std::io::Error) -> CredentialsError {
    CredentialsError::Io { action, path: path.to_owned(), source }
}

impl Credentials {
    /// Reads either format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CredentialsError> {
        format::read(bytes).map_err(CredentialsError::Malformed)
    }

    /// The older format, which every Hadoop reads.
    pub fn to_writable_bytes(&self) -> Vec<u8> {
        self.to_bytes(TokenFormat::Writable)
    }

    /// The chosen format.
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

    /// Writes a file that only its owner can read (mode 600), in one step: never a half file under its name.
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
            // The first error is the one to report. A part that cannot be removed is readable by its owner
            // only.
            drop(std::fs::remove_file(&part));
            io_error("write", path, e)
        })
    }
}

/// Credentials that can be replaced while clients use them (token roll-over). Clones share them.
///
/// A new connection uses the tokens of that moment; when the token that a connection used is replaced, the
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
    /// Credentials that hold until they are replaced.
    pub fn new(credentials: Credentials) -> Self {
        Self { current: Arc::new(watch::Sender::new(Arc::new(credentials))) }
    }

    /// The credentials of this moment.
    pub fn get(&self) -> Arc<Credentials> {
        self.current.borrow().clone()
    }

    /// Replaces all.
    pub fn replace(&self, credentials: Credentials) {
        self.current.send_replace(Arc::new(credentials));
    }

    /// Changes them in place, atomically.
    pub fn update(&self, change: impl FnOnce(&mut Credentials)) {
        self.current.send_modify(|current| change(Arc::make_mut(current)));
    }

    /// Adds a token under this alias, replacing an older one.
    pub fn put(&self, alias: impl Into<String>, token: Token) {
        self.update(|c| {
            c.tokens.insert(alias.into(), token);
        });
    }
}
