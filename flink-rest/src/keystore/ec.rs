//! Java writes a private key of an elliptic curve without its public key, and the library of ciphers wants it
//! with the public key. The key's certificate has that.

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::ParsedCertificate;

use super::der::{self, BIT_STRING, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, encode};

/// The algorithm of keys of elliptic curves, 1.2.840.10045.2.1.
const EC: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// The type of the element with the public key.
const PUBLIC_KEY: u8 = 0xa1;

/// The private key, a `PrivateKeyInfo` of PKCS8, with the public key of its certificate if it is one of an
/// elliptic curve and has none itself.
pub(super) fn with_public_key(key: Vec<u8>, chain: &[CertificateDer<'_>]) -> PrivatePkcs8KeyDer<'static> {
    let completed = chain.first().and_then(|certificate| completed(&key, certificate));
    PrivatePkcs8KeyDer::from(completed.unwrap_or(key))
}

fn completed(key: &[u8], certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (info, _) = der::expect(key, SEQUENCE)?;
    let (version, rest) = der::element(info.content)?;
    let (algorithm, rest) = der::expect(rest, SEQUENCE)?;
    let (identifier, _) = der::expect(algorithm.content, OBJECT_IDENTIFIER)?;
    if identifier.content != EC {
        return None;
    }
    let (private, _) = der::expect(rest, OCTET_STRING)?;
    let (ec, _) = der::expect(private.content, SEQUENCE)?;
    let (ec_version, rest) = der::element(ec.content)?;
    let (number, mut optional) = der::expect(rest, OCTET_STRING)?;
    while let Some((element, rest)) = der::element(optional) {
        if element.tag == PUBLIC_KEY {
            return None;
        }
        optional = rest;
    }
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let public = parsed.subject_public_key_info();
    let (public, _) = der::expect(&public, SEQUENCE)?;
    let (_, rest) = der::element(public.content)?;
    let (point, _) = der::expect(rest, BIT_STRING)?;
    let public = encode(PUBLIC_KEY, point.whole);
    let private = encode(SEQUENCE, &[ec_version.whole, number.whole, &public].concat());
    let private = encode(OCTET_STRING, &private);
    Some(encode(SEQUENCE, &[version.whole, algorithm.whole, &private].concat()))
}
