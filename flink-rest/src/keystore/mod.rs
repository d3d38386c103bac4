//! Reads Java's keystores and truststores: files of the types JKS and PKCS12. Which of the two a file is
//! shows its content, because Java itself takes either of them where one is expected.

pub(crate) mod der;
mod ec;
mod jks;
mod pkcs12;
mod types;

pub use types::{KeyEntry, KeyStore, KeyStoreError};

/// The largest file that is read. Java's own file with the certificates of all authorities has 200 kB.
pub const LARGEST: u64 = 16 << 20;

/// The first bytes of a file of the type JCEKS, which holds the keys of Java's own cipher.
const JCEKS: [u8; 4] = [0xce, 0xce, 0xce, 0xce];
/// The first byte of a PKCS12 file, which is a sequence in DER.
const SEQUENCE: u8 = 0x30;

impl KeyStore {
    /// Reads a file with this content. Its keys are decrypted if there is a password for them.
    pub fn read(content: &[u8], password: &str, key_password: Option<&str>) -> Result<Self, KeyStoreError> {
        match content {
            [a, b, c, d, ..] if [*a, *b, *c, *d] == jks::MAGIC => jks::read(content, password, key_password),
            [a, b, c, d, ..] if [*a, *b, *c, *d] == JCEKS => Err(KeyStoreError::Jceks),
            [SEQUENCE, ..] => pkcs12::read(content, password, key_password.is_some()),
            _ => Err(KeyStoreError::Unknown),
        }
    }
}

#[cfg(test)]
mod tests;
