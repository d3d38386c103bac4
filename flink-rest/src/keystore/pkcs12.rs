//! The format PKCS12, with the library p12-keystore.

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;
use rustls::pki_types::CertificateDer;

use super::ec;
use super::types::{KeyEntry, KeyStore, KeyStoreError};

/// Reads a file. In a PKCS12 file that Java writes, keys have the password of the file.
pub(super) fn read(content: &[u8], password: &str, with_keys: bool) -> Result<KeyStore, KeyStoreError> {
    let archive = Pkcs12Archive::from_pkcs12(content, password).map_err(|error| reason(&error))?;
    let der = |certificate: &p12_keystore::Certificate| CertificateDer::from(certificate.as_der().to_vec());
    // As with Java, a certificate counts as trusted only if the file says so.
    let trusted = archive.certs.iter().filter(|bag| bag.trusted).map(|bag| der(&bag.cert)).collect();
    let mut keys = Vec::new();
    for key in &archive.keys {
        let id = key.local_key_id.as_ref().map(|id| id.0.as_slice());
        let own = archive.certs.iter().find(|bag| id.is_some() && bag.local_key_id.as_deref() == id);
        let Some(own) = own else { continue };
        let mut chain = vec![&own.cert];
        // A chain of authorities ends with one that has signed itself, or that is in it already.
        while let Some(last) = chain.last()
            && let Some(issuer) =
                archive.certs.iter().map(|bag| &bag.cert).find(|certificate| {
                    certificate.subject() == last.issuer() && !chain.contains(certificate)
                })
        {
            chain.push(issuer);
        }
        let chain: Vec<_> = chain.into_iter().map(der).collect();
        let private = with_keys.then(|| ec::with_public_key(key.key.as_der().to_vec(), &chain));
        keys.push(KeyEntry { alias: key.friendly_name.clone().unwrap_or_default(), key: private, chain });
    }
    Ok(KeyStore { trusted, keys })
}

fn reason(error: &Error) -> KeyStoreError {
    match error {
        Error::MacError(_) | Error::Pkcs5Error(_) => KeyStoreError::Password,
        error => KeyStoreError::Undecodable(error.to_string()),
    }
}
