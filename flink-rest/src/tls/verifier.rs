//! Checks the certificate of a JobManager. The signatures of the handshake are always checked, so a server
//! has to own the key of its certificate.

use flink_model::ssl::Fingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha1::{Digest as _, Sha1};

/// Which certificates count.
#[derive(Debug)]
pub(super) enum Trust {
    /// Those with one of these fingerprints.
    Fingerprints(Vec<Fingerprint>),
    /// These.
    Exactly(Vec<CertificateDer<'static>>),
    /// Those of a truststore, and those that they have signed.
    Store {
        /// The certificates of the truststore.
        certificates: Vec<CertificateDer<'static>>,
        /// The same as authorities.
        roots: RootCertStore,
    },
}

impl Trust {
    /// The certificates of a truststore; `None` if there are none.
    pub(super) fn in_store(certificates: Vec<CertificateDer<'static>>) -> Option<Self> {
        let roots = roots(&certificates);
        (!certificates.is_empty()).then_some(Self::Store { certificates, roots })
    }
}

/// The certificates of a list that can be used as authorities, in the form in which signatures are checked by
/// them.
pub(super) fn roots(certificates: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    roots
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
            Trust::Store { roots, .. } => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                verify_server_cert_signed_by_trust_anchor(
                    &certificate,
                    roots,
                    intermediates,
                    now,
                    self.algorithms.all,
                )?;
                true
            }
        };
        if !counts {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        if self.named {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
