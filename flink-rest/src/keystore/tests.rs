//! The files in `fixtures/stores` are made by keytool of Java 17, with the script `make` there. Each file has
//! the password `storepass`, and each key in a JKS file the password `keypass1`.

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/stores/", $name)).as_slice()
    };
}

const AUTHORITY: &[u8] = fixture!("ca.der");

#[test]
fn truststores() {
    for (name, content) in
        [("JKS", fixture!("trust.jks")), ("PKCS12", fixture!("trust.p12")), ("RC2", fixture!("legacy.p12"))]
    {
        let store = KeyStore::read(content, "storepass", None).unwrap();
        assert_eq!(store.trust_anchors(), [CertificateDer::from(AUTHORITY)], "{name}");
        assert!(store.keys.is_empty());
        let wrong = KeyStore::read(content, "other", None).unwrap_err();
        assert_eq!(wrong, KeyStoreError::Password, "{name}");
    }
}

#[test]
fn keys_can_be_used() {
    for (name, content, password) in [
        ("RSA in JKS", fixture!("rsa.jks"), "keypass1"),
        ("EC in JKS", fixture!("ec.jks"), "keypass1"),
        ("RSA in PKCS12", fixture!("rsa.p12"), "storepass"),
        ("EC in PKCS12", fixture!("ec.p12"), "storepass"),
    ] {
        let mut store = KeyStore::read(content, "storepass", Some(password)).unwrap();
        let entry = store.keys.pop().unwrap();
        assert_eq!((entry.alias.as_str(), entry.chain.len()), ("rest", 1), "{name}");
        let key = PrivateKeyDer::from(entry.key.unwrap());
        let signing = ring::sign::any_supported_type(&key).unwrap();
        rustls::sign::CertifiedKey::new(entry.chain, signing).keys_match().unwrap();
    }
}

#[test]
fn a_file_with_a_key_is_a_truststore_too() {
    let store = KeyStore::read(fixture!("rsa.jks"), "storepass", None).unwrap();
    assert!(store.keys[0].key.is_none());
    assert_eq!(store.trust_anchors(), store.keys[0].chain);
}

#[test]
fn a_chain_has_the_certificate_of_the_authority() {
    let store = KeyStore::read(fixture!("signed.p12"), "storepass", Some("storepass")).unwrap();
    let chain = &store.keys[0].chain;
    assert_eq!((chain.len(), chain[1].as_ref()), (2, AUTHORITY));
    assert_eq!(store.trusted, [CertificateDer::from(AUTHORITY)]);
}

#[test]
fn passwords_of_keys_and_other_files() {
    let wrong = KeyStore::read(fixture!("rsa.jks"), "storepass", Some("storepass")).unwrap_err();
    assert_eq!(wrong.to_string(), "the password of the key \"rest\" is wrong");
    let jceks = KeyStore::read(fixture!("secret.jceks"), "storepass", None).unwrap_err();
    assert!(jceks.to_string().contains("JCEKS"), "{jceks}");
    for content in [&b""[..], b"-----BEGIN CERTIFICATE-----", &AUTHORITY[1..]] {
        assert_eq!(KeyStore::read(content, "p", None).unwrap_err(), KeyStoreError::Unknown);
    }
    let certificate = KeyStore::read(AUTHORITY, "p", None).unwrap_err();
    assert!(matches!(certificate, KeyStoreError::Undecodable(_)), "{certificate}");
    let mut damaged = fixture!("trust.jks").to_vec();
    damaged[40] ^= 1;
    assert_eq!(KeyStore::read(&damaged, "storepass", None).unwrap_err(), KeyStoreError::Password);
    let key = KeyStore::read(fixture!("rsa.jks"), "storepass", Some("keypass1")).unwrap();
    assert!(!format!("{key:?}").contains("PrivatePkcs8KeyDer(["));
}

#[test]
fn a_password_need_not_be_ascii() {
    let store = KeyStore::read(fixture!("umlaut.jks"), "p\u{e4}ssword", None).unwrap();
    assert_eq!(store.trusted, [CertificateDer::from(AUTHORITY)]);
}
