//! Calls to a server with one of the keys in `fixtures/stores`, with truststores from there.

use std::time::Duration;

use flink_model::ssl::StoreSettings;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use sha1::{Digest as _, Sha1};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::verifier::roots;
use super::*;
use crate::address::RestAddress;
use crate::client::{RestClient, RestTimeouts};
use crate::error::RestError;
use crate::keystore::KeyEntry;

const STORES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/fixtures/stores");

fn store(name: &str) -> StoreSettings {
    StoreSettings {
        path: name.to_owned(),
        path_key: "security.ssl.rest.truststore",
        password: "storepass".into(),
        password_key: "security.ssl.rest.truststore-password",
    }
}

fn trusting(name: &str) -> RestSsl {
    RestSsl { truststore: Some(store(name)), ..RestSsl::default() }
}

fn key(name: &str) -> KeySettings {
    let key_password = if name.ends_with(".jks") { "keypass1" } else { "storepass" };
    KeySettings {
        store: StoreSettings { path_key: "security.ssl.rest.keystore", ..store(name) },
        key_password: key_password.into(),
        key_password_key: "security.ssl.rest.key-password",
    }
}

fn tls(settings: &RestSsl) -> Tls {
    Tls::of_client(settings, Path::new(STORES)).unwrap()
}

fn entry(own: &str) -> KeyEntry {
    read(&key(own).store, Some(&key(own)), Path::new(STORES)).unwrap().keys.remove(0)
}

/// A server with the key of `own`, which demands a certificate that is in or signed by `clients`.
fn server(own: &str, clients: Option<&str>) -> ServerConfig {
    let KeyEntry { chain, key, .. } = entry(own);
    showing(chain, key.unwrap(), clients)
}

/// A server with this key, whoever owns it, that shows these certificates.
fn showing(
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
    clients: Option<&str>,
) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        Some(clients) => {
            let anchors = read(&store(clients), None, Path::new(STORES)).unwrap().trust_anchors();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(&anchors)), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let key = ring::sign::any_supported_type(&PrivateKeyDer::Pkcs8(key)).unwrap();
    builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))))
}

/// What a client with this TLS gets from a server with this one. The name of the host is in one certificate
/// only.
async fn called(server: ServerConfig, tls: &Tls) -> Result<usize, RestError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = async {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = tokio_rustls::TlsAcceptor::from(Arc::new(server)).accept(stream).await else {
            return;
        };
        let _ = stream.read(&mut [0; 4096]).await;
        let body = r#"{"jobs":[]}"#;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        let _ = stream.shutdown().await;
    };
    let address = RestAddress { tls: Some(tls.clone()), ..RestAddress::plain("127.0.0.1", port) };
    let client = RestClient::new(&address, RestTimeouts::one_try(Duration::from_secs(20))).unwrap();
    let (jobs, ()) = tokio::join!(client.jobs(), served);
    jobs.map(|jobs| jobs.len())
}

/// What the error for a certificate advises.
fn advice(error: &RestError) -> &'static str {
    match error {
        RestError::Certificate { advice: Some(advice), .. } => advice,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_certificate_counts_by_the_truststore() {
    let unknown = Some("it knows neither the certificate nor who has signed it");
    for (own, trust, refused) in [
        ("rsa.p12", "rsa.p12", None),
        ("rsa.jks", "rsa.jks", None),
        ("ec.p12", "ec.p12", None),
        ("signed.p12", "trust.jks", None),
        ("signed.p12", "trust.p12", None),
        ("signed.p12", "rsa.p12", unknown),
        ("rsa.p12", "trust.jks", unknown),
        // A server that shows the certificate of an authority itself.
        ("ca.p12", "trust.jks", None),
        // Who is trusted is not an authority by that. It is by a certificate that cannot say whether it is
        // one.
        ("misused.p12", "ec.p12", Some("that is not marked as an authority (basic constraints)")),
        ("misused.p12", "misused.p12", None),
        ("of-old.p12", "old.p12", None),
        ("old.p12", "old.p12", None),
        ("old.p12", "old.jks", None),
        (
            "old.p12",
            "trust.jks",
            Some("a certificate of this version counts only if the truststore holds it itself"),
        ),
    ] {
        let got = called(server(own, None), &tls(&trusting(trust))).await;
        match (got, refused) {
            (Ok(0), None) => {}
            (Err(error @ RestError::Certificate { .. }), Some(reason)) => {
                let text = error.to_string();
                assert!(text.contains(&format!("{trust} (security.ssl.rest.truststore): ")), "{text}");
                assert!(text.ends_with(reason), "{text}");
                let advised = advice(&error).contains("has to hold the certificate of this REST interface");
                assert_eq!(advised, refused == unknown, "{error:?}");
                assert!(!error.retry_helps());
            }
            (got, _) => panic!("{own} by {trust}: {got:?}"),
        }
    }
}

#[tokio::test]
async fn one_that_the_library_does_not_read_has_to_own_its_key_too() {
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let settings = RestSsl { protocols: Some(vec![protocol.to_owned()]), ..trusting("old.p12") };
        let got = called(server("old.p12", None), &tls(&settings)).await;
        assert!(got.is_ok(), "{protocol}: {got:?}");
        let thief = showing(entry("old.p12").chain, entry("ec.p12").key.unwrap(), None);
        let error = called(thief, &tls(&settings)).await.unwrap_err();
        assert!(error.to_string().ends_with("the signature is wrong"), "{protocol}: {error}");
        let thief = showing(entry("old.p12").chain, entry("rsa.p12").key.unwrap(), None);
        assert!(called(thief, &tls(&settings)).await.is_err(), "{protocol}");
    }
    let own = Tls::of_own_job_manager(&key("old.jks"), true, Path::new(STORES)).unwrap();
    assert!(called(server("old.p12", None), &own).await.is_ok());
}

#[tokio::test]
async fn a_fingerprint_is_that_of_the_server() {
    let own = read(&key("rsa.p12").store, None, Path::new(STORES)).unwrap().trust_anchors().remove(0);
    let right: [u8; 20] = Sha1::digest(&own).into();
    let with = |fingerprint| RestSsl { fingerprints: vec![[0; 20], fingerprint], ..trusting("trust.jks") };
    assert!(called(server("rsa.p12", None), &tls(&with(right))).await.is_ok());
    let error = called(server("signed.p12", None), &tls(&with(right))).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the fingerprint in security.ssl.rest.cert.fingerprint: the certificate is another"),
        "{error}"
    );
    assert!(advice(&error).starts_with("security.ssl.rest.cert.fingerprint has to be"), "{error:?}");
}

#[tokio::test]
async fn a_client_proves_who_it_is_if_it_has_a_key() {
    for own in ["rsa.jks", "ec.jks", "signed.p12", "ec.p12"] {
        let accepted = if own == "signed.p12" { "trust.jks" } else { own };
        let settings = RestSsl { key: Some(key(own)), ..trusting("rsa.p12") };
        let got = called(server("rsa.p12", Some(accepted)), &tls(&settings)).await;
        assert!(got.is_ok(), "{own}: {got:?}");
    }
    // With TLS 1.2 the client hears of it before it sends anything.
    let silent = RestSsl { protocols: Some(vec!["TLSv1.2".to_owned()]), ..trusting("rsa.p12") };
    let error = called(server("rsa.p12", Some("trust.jks")), &tls(&silent)).await.unwrap_err();
    assert!(
        matches!(&error, RestError::Handshake { reason, .. } if reason.contains("ertificate")),
        "{error}"
    );
}

#[tokio::test]
async fn the_host_name_matters_if_it_is_wanted() {
    for own in ["rsa.jks", "ec.p12"] {
        let settings = RestSsl { verify_hostname: true, ..trusting(own) };
        let error = called(server(own, None), &tls(&settings)).await.unwrap_err();
        assert!(error.to_string().ends_with("the certificate is for another host"), "{error}");
        assert!(advice(&error).contains("SAN=dns:<host>"), "{error:?}");
    }
    let named = |trust| RestSsl { verify_hostname: true, ..trusting(trust) };
    assert!(called(server("here.p12", None), &tls(&named("here.p12"))).await.is_ok());
    let error = called(server("old.p12", None), &tls(&named("old.p12"))).await.unwrap_err();
    assert!(error.to_string().contains("names no host in a place where it can be checked"), "{error}");
}

#[tokio::test]
async fn an_own_job_manager_shows_its_own_certificate() {
    let own = Tls::of_own_job_manager(&key("rsa.jks"), false, Path::new(STORES)).unwrap();
    assert!(called(server("rsa.jks", None), &own).await.is_ok());
    let error = called(server("rsa.p12", None), &own).await.unwrap_err();
    assert!(error.to_string().contains("rsa.jks (security.ssl.rest.keystore)"), "{error}");
    assert!(advice(&error).contains("another program has taken its port"), "{error:?}");
    let proving = Tls::of_own_job_manager(&key("rsa.jks"), true, Path::new(STORES)).unwrap();
    assert!(called(server("rsa.jks", Some("rsa.jks")), &proving).await.is_ok());
}

#[tokio::test]
async fn one_that_speaks_http_is_told_from_one_that_is_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await;
    };
    let address =
        RestAddress { tls: Some(tls(&trusting("rsa.p12"))), ..RestAddress::plain("127.0.0.1", port) };
    let client = RestClient::new(&address, RestTimeouts::one_try(Duration::from_secs(20))).unwrap();
    let (jobs, ()) = tokio::join!(client.jobs(), served);
    let error = jobs.unwrap_err();
    assert!(error.to_string().ends_with("what it sends is not TLS"), "{error}");
    let closed = async {
        let (stream, _) = listener.accept().await.unwrap();
        drop(stream);
    };
    let (jobs, ()) = tokio::join!(client.jobs(), closed);
    assert!(matches!(jobs, Err(RestError::Broken { .. })), "{jobs:?}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let refused = |settings: &RestSsl| Tls::of_client(settings, Path::new(STORES)).unwrap_err();
    let error = refused(&trusting("none.jks"));
    assert!(
        error.to_string().contains("stores/none.jks (security.ssl.rest.truststore): No such file"),
        "{error}"
    );
    let wrong = StoreSettings { password: "other".into(), ..store("trust.jks") };
    let error = refused(&RestSsl { truststore: Some(wrong), ..RestSsl::default() });
    assert!(
        error.hint().unwrap().contains("security.ssl.rest.truststore-password")
            && !error.to_string().contains("other")
    );
    let wrong = KeySettings { key_password: "other".into(), ..key("rsa.jks") };
    let error = refused(&RestSsl { key: Some(wrong), ..trusting("trust.jks") });
    assert!(error.hint().unwrap().contains("security.ssl.rest.key-password"), "{error}");
    let error = refused(&RestSsl { key: Some(key("trust.p12")), ..trusting("trust.jks") });
    assert!(error.to_string().ends_with("(security.ssl.rest.keystore) holds no key"), "{error}");
    let old = RestSsl { protocols: Some(vec!["TLSv1.1".into()]), ..trusting("trust.jks") };
    assert!(refused(&old).to_string().contains("security.ssl.protocol is TLSv1.1"));
}

#[tokio::test]
async fn versions_and_suites_are_those_that_are_wanted() {
    for (protocol, suite, fits) in [
        ("TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true),
        ("TLSv1.3", "TLS_AES_256_GCM_SHA384", true),
        ("TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", false),
    ] {
        let (protocols, algorithms) = (Some(vec![protocol.to_owned()]), Some(vec![suite.to_owned()]));
        let settings = RestSsl { protocols, algorithms, ..trusting("rsa.p12") };
        let got = called(server("rsa.p12", None), &tls(&settings)).await;
        assert_eq!(got.is_ok(), fits, "{suite}: {got:?}");
        assert!(fits || matches!(got, Err(RestError::Handshake { .. })), "{got:?}");
    }
}
