//! Checks the certificate of a JobManager. The signatures of the handshake are always checked, so a server
//! has to own the key of its certificate.

use std::sync::Arc;

use flink_model::ssl::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, PeerMisbehaved, RootCertStore,
    SignatureScheme,
};
use sha1::{Digest as _, Sha1};

use super::certificate::Certificate;

/// The certificates of servers that are trusted.
#[derive(Debug)]
pub(super) enum Trust {
    /// Certificates with one of these fingerprints.
    Fingerprints(Vec<Fingerprint>),
    /// These certificates, and no others.
    Exactly(Vec<CertificateDer<'static>>),
    /// The certificates of a truststore, and certificates that an authority in the truststore has signed.
    Store {
        /// All certificates of the truststore.
        certificates: Vec<CertificateDer<'static>>,
        /// Those that may sign other certificates.
        authorities: RootCertStore,
        /// Those that may sign nothing.
        others: RootCertStore,
    },
}

impl Trust {
    /// The certificates of a truststore; `None` if there are none.
    pub(super) fn in_store(certificates: Vec<CertificateDer<'static>>) -> Option<Self> {
        let may_sign = |certificate: &CertificateDer<'_>| {
            Certificate::read(certificate).is_some_and(|certificate| certificate.may_sign())
        };
        let (authorities, others): (Vec<_>, Vec<_>) = certificates.iter().cloned().partition(may_sign);
        let (authorities, others) = (roots(&authorities), roots(&others));
        (!certificates.is_empty()).then_some(Self::Store { certificates, authorities, others })
    }
}

/// These certificates in the form in which the library checks signatures with them.
pub(super) fn roots(certificates: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    roots
}

/// Why a certificate is not trusted, if the library has no error for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// It is of an old version of X.509, and the truststore does not hold the certificate itself.
    #[error(
        "the certificate is of version {0} of X.509, and a certificate of this version counts only if the truststore \
         holds it itself"
    )]
    Old(u8),
    /// It is of an old version of X.509, and the name of the host has to be checked.
    #[error(
        "the certificate is of version {0} of X.509, which names no host in a place where it can be checked"
    )]
    Nameless(u8),
    /// It is signed with a certificate of the truststore that may sign nothing.
    #[error(
        "the truststore holds the certificate of its signer, but that is not marked as an authority (basic constraints)"
    )]
    SignedByNone,
}

impl Unfit {
    /// What the user can do.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Old(_) => {
                "make a certificate of version 3 for this REST interface, as `keytool -genkeypair` does, or put this \
                 one itself into security.ssl.rest.truststore"
            }
            Self::Nameless(_) => {
                "make a certificate of version 3 that names the host, with `keytool -genkeypair -ext \
                 SAN=dns:<host>`, or set security.ssl.rest.verify-hostname to false"
            }
            Self::SignedByNone => {
                "the certificate of an authority is made with `keytool -genkeypair -ext bc:critical=ca:true`; or put the \
                 certificate of this REST interface itself into security.ssl.rest.truststore"
            }
        }
    }
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        CertificateError::Other(OtherError(Arc::new(unfit))).into()
    }
}

#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    /// Whether a certificate has to be for the host, too.
    named: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(trust: Trust, named: bool, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { trust, named, algorithms }
    }

    /// Checks that one of `authorities` has signed a certificate. If it was one of `others`, the error says
    /// that.
    fn check_signed(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        (authorities, others): (&RootCertStore, &RootCertStore),
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = parsed(end_entity, Unfit::Old)?;
        let signed_by = |roots| {
            let algorithms = self.algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)
        };
        match signed_by(authorities) {
            Err(Error::InvalidCertificate(_)) if signed_by(others).is_ok() => Err(Unfit::SignedByNone.into()),
            done => done,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_known = |list: &[CertificateDer<'_>]| list.iter().any(|known| known == end_entity);
        let counts = match &self.trust {
            Trust::Fingerprints(list) => list.contains(&Sha1::digest(end_entity).into()),
            Trust::Exactly(list) => is_known(list),
            // As with Java, a certificate that is itself in the truststore counts whatever is in it.
            Trust::Store { certificates, .. } if is_known(certificates) => true,
            Trust::Store { authorities, others, .. } => {
                self.check_signed(end_entity, intermediates, (authorities, others), now)?;
                true
            }
        };
        if !counts {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        if self.named {
            verify_server_name(&parsed(end_entity, Unfit::Nameless)?, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match unread(certificate) {
            None => verify_tls12_signature(message, certificate, signature, &self.algorithms),
            Some(certificate) => verify_by_key(message, &certificate, signature, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match unread(certificate) {
            None => verify_tls13_signature(message, certificate, signature, &self.algorithms),
            Some(Certificate { key, .. }) => {
                let key = SubjectPublicKeyInfoDer::from(key);
                verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
            }
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A certificate in the library's form. If it is of a version that the library does not read, the error is
/// the one that `old` makes of the version.
fn parsed<'a>(
    certificate: &'a CertificateDer<'_>,
    old: fn(u8) -> Unfit,
) -> Result<ParsedCertificate<'a>, Error> {
    ParsedCertificate::try_from(certificate).map_err(|error| match Certificate::read(certificate) {
        Some(certificate) if certificate.is_old() => old(certificate.version).into(),
        _ => error,
    })
}

/// A certificate that the library does not read, such as one of an old version. One of them counts only if it
/// is known itself, so nothing but its key matters.
fn unread<'a>(certificate: &'a CertificateDer<'_>) -> Option<Certificate<'a>> {
    match ParsedCertificate::try_from(certificate) {
        Ok(_) => None,
        Err(_) => Certificate::read(certificate),
    }
}

/// Checks a signature of TLS 1.2 with the key of a certificate that the library does not read.
fn verify_by_key(
    message: &[u8],
    certificate: &Certificate<'_>,
    signature: &DigitallySignedStruct,
    supported: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = certificate.public_key().ok_or(CertificateError::BadEncoding)?;
    let of_scheme = supported.mapping.iter().find(|(scheme, _)| *scheme == signature.scheme);
    let (_, algorithms) = of_scheme.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let fits = algorithms.iter().find(|algorithm| *algorithm.public_key_alg_id() == *key.algorithm);
    let valid = fits.is_some_and(|algorithm| {
        algorithm.verify_signature(key.bits, message, signature.signature()).is_ok()
    });
    if valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
}
