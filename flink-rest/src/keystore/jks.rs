//! Java's own format of keystores, JKS. All numbers are big-endian.
//!
//! A file has a magic number, a version (1 or 2) and the number of entries; then the entries; then 20 bytes
//! of SHA-1 over the password, a fixed text and all bytes before. An entry is a number for its kind, a name,
//! a date, and either a protected key with its certificates or one certificate. In version 2, the name of the
//! certificate's type is in front of each certificate.
//!
//! A protected key is an `EncryptedPrivateKeyInfo` of PKCS8 whose data is a salt, the key XOR a stream of
//! SHA-1 values, and a SHA-1 that shows whether the password is right.

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha1::{Digest as _, Sha1};

use super::der::{self, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};
use super::ec;
use super::types::{KeyEntry, KeyStore, KeyStoreError};

/// The first bytes of a file.
pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
/// The length of a SHA-1.
const DIGEST: usize = 20;
/// What is hashed between the password and the file.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// The algorithm of protected keys, 1.3.6.1.4.1.42.2.17.1.1.
const KEY_PROTECTOR: [u8; 10] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01];
const KEY: u32 = 1;
const CERTIFICATE: u32 = 2;
const X509: &[u8] = b"X.509";

/// Reads a file.
pub(super) fn read(
    content: &[u8],
    password: &str,
    key_password: Option<&str>,
) -> Result<KeyStore, KeyStoreError> {
    let too_short = KeyStoreError::Damaged("it is too short");
    let (data, digest) = content.split_last_chunk::<DIGEST>().ok_or_else(|| too_short.clone())?;
    let own = Sha1::new().chain_update(utf16(password)).chain_update(WHITENER).chain_update(data).finalize();
    if own.as_slice() != digest.as_slice() {
        return Err(KeyStoreError::Password);
    }
    let mut reader = Reader { rest: data.get(MAGIC.len()..).ok_or(too_short)? };
    let named_types = match reader.number()? {
        1 => false,
        2 => true,
        _ => return Err(KeyStoreError::Damaged("it has a version that Java does not know")),
    };
    let mut store = KeyStore::default();
    for _ in 0..reader.number()? {
        let kind = reader.number()?;
        let alias = String::from_utf8_lossy(reader.text()?).into_owned();
        let _created = reader.take(8)?;
        match kind {
            KEY => {
                let protected = reader.block()?;
                let mut chain = Vec::new();
                for _ in 0..reader.number()? {
                    chain.push(reader.certificate(named_types)?);
                }
                let key = match key_password {
                    Some(password) => Some(unprotected(protected, password, &alias, &chain)?),
                    None => None,
                };
                store.keys.push(KeyEntry { alias, key, chain });
            }
            CERTIFICATE => store.trusted.push(reader.certificate(named_types)?),
            _ => return Err(KeyStoreError::Damaged("it has an entry of an unknown kind")),
        }
    }
    if reader.rest.is_empty() {
        Ok(store)
    } else {
        Err(KeyStoreError::Damaged("something comes after the last entry"))
    }
}

fn unprotected(
    protected: &[u8],
    password: &str,
    alias: &str,
    chain: &[CertificateDer<'_>],
) -> Result<PrivatePkcs8KeyDer<'static>, KeyStoreError> {
    let data = protected_data(protected).ok_or(KeyStoreError::Damaged("it has a key of an unknown form"))?;
    let wrong = || KeyStoreError::KeyPassword { alias: alias.to_owned() };
    let (salt, rest) = data.split_first_chunk::<DIGEST>().ok_or_else(wrong)?;
    let (encrypted, check) = rest.split_last_chunk::<DIGEST>().ok_or_else(wrong)?;
    let password = utf16(password);
    let mut stream = *salt;
    let mut key = Vec::with_capacity(encrypted.len());
    for block in encrypted.chunks(DIGEST) {
        stream = Sha1::new().chain_update(&password).chain_update(stream).finalize().into();
        key.extend(block.iter().zip(stream).map(|(byte, mask)| byte ^ mask));
    }
    if Sha1::new().chain_update(&password).chain_update(&key).finalize().as_slice() != check.as_slice() {
        return Err(wrong());
    }
    Ok(ec::with_public_key(key, chain))
}

/// The data of an `EncryptedPrivateKeyInfo` with Java's algorithm.
fn protected_data(bytes: &[u8]) -> Option<&[u8]> {
    let (info, _) = der::expect(bytes, SEQUENCE)?;
    let (algorithm, rest) = der::expect(info.content, SEQUENCE)?;
    let (identifier, _) = der::expect(algorithm.content, OBJECT_IDENTIFIER)?;
    let (data, _) = der::expect(rest, OCTET_STRING)?;
    (identifier.content == KEY_PROTECTOR).then_some(data.content)
}

/// The password as Java hashes it.
fn utf16(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// Nothing is allocated by a length that the file names before that many bytes are there.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], KeyStoreError> {
        let (taken, rest) =
            self.rest.split_at_checked(length).ok_or(KeyStoreError::Damaged("it ends within an entry"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, KeyStoreError> {
        Ok(self.take(4)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// A text with its length in two bytes.
    fn text(&mut self) -> Result<&'a [u8], KeyStoreError> {
        let length = self.take(2)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        self.take(length)
    }

    /// Bytes with their number in four bytes.
    fn block(&mut self) -> Result<&'a [u8], KeyStoreError> {
        let length = self.number()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn certificate(&mut self, named_type: bool) -> Result<CertificateDer<'static>, KeyStoreError> {
        if named_type && self.text()? != X509 {
            return Err(KeyStoreError::Damaged("it has a certificate of another kind than X.509"));
        }
        Ok(CertificateDer::from(self.block()?.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file with this content after the magic number, and with the right hash.
    fn file(content: &[u8], password: &str) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], content].concat();
        let digest =
            Sha1::new().chain_update(utf16(password)).chain_update(WHITENER).chain_update(&bytes).finalize();
        bytes.extend(digest);
        bytes
    }

    #[test]
    fn sizes_that_a_file_claims_are_not_believed() {
        let many = [0, 0, 0, 2, 255, 255, 255, 255];
        let damaged = |content: &[u8]| read(&file(content, "p"), "p", Some("p")).unwrap_err().to_string();
        assert!(damaged(&many).contains("ends within an entry"));
        let large = [&[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0][..], &[0; 8], &[255; 4]].concat();
        assert!(damaged(&large).contains("ends within an entry"));
        assert!(damaged(&[0, 0, 0, 3, 0, 0, 0, 0]).contains("version"));
        assert!(damaged(&[0, 0, 0, 2, 0, 0, 0, 0, 9]).contains("after the last entry"));
        assert!(
            damaged(&[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).contains("kind")
        );
        assert_eq!(read(&MAGIC, "p", None).unwrap_err(), KeyStoreError::Damaged("it is too short"));
        assert_eq!(read(&file(&[0, 0, 0, 2, 0, 0, 0, 0], "p"), "p", None).unwrap().keys.len(), 0);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(content in prop::collection::vec(any::<u8>(), 0..300), kind in 0u8..4) {
            let _ = read(&content, "p", Some("p"));
            let entry = [&[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, kind][..], &content].concat();
            let _ = read(&file(&entry, "p"), "p", Some("p"));
            let _ = protected_data(&content);
        }
    }
}
