//! Why a handshake has failed, and what helps, in words.

use rustls::CertificateError;
use rustls::CertificateError::{
    ApplicationVerificationFailure, BadSignature, Expired, ExpiredContext, NotValidForName,
    NotValidForNameContext, NotValidYet, NotValidYetContext, UnknownIssuer,
};

use super::verifier::Unfit;
use super::{Basis, Tls};
use crate::error::RestError;

impl Tls {
    /// The error for a handshake with the server at `address` that has failed.
    pub(crate) fn refusal(&self, address: String, error: &rustls::Error) -> RestError {
        match error {
            rustls::Error::InvalidCertificate(error) => RestError::Certificate {
                address,
                trusted: self.trusted().to_owned(),
                reason: wrong_with(error),
                advice: advice(error, self.basis),
            },
            rustls::Error::AlertReceived(alert) => {
                RestError::Handshake { address, reason: format!("it has answered {alert:?}") }
            }
            rustls::Error::InvalidMessage(_) => {
                RestError::Handshake { address, reason: "what it sends is not TLS".to_owned() }
            }
            error => RestError::Handshake { address, reason: error.to_string() },
        }
    }
}

/// What is wrong with a certificate, in words.
fn wrong_with(error: &CertificateError) -> String {
    match error {
        UnknownIssuer => "it knows neither the certificate nor who has signed it".to_owned(),
        ApplicationVerificationFailure => "the certificate is another one".to_owned(),
        Expired | ExpiredContext { .. } => "the certificate has expired".to_owned(),
        NotValidYet | NotValidYetContext { .. } => "the certificate is not valid yet".to_owned(),
        NotValidForName | NotValidForNameContext { .. } => "the certificate is for another host".to_owned(),
        BadSignature => "the signature is wrong".to_owned(),
        CertificateError::Other(other) => match other.0.downcast_ref::<Unfit>() {
            Some(unfit) => unfit.to_string(),
            None => format!("the certificate cannot be used ({other})"),
        },
        other => other.to_string(),
    }
}

/// What helps against a certificate that does not count by this.
fn advice(error: &CertificateError, basis: Basis) -> Option<&'static str> {
    Some(match error {
        UnknownIssuer => {
            "security.ssl.rest.truststore has to hold the certificate of this REST interface, or of who has signed it"
        }
        ApplicationVerificationFailure if basis == Basis::Fingerprint => {
            "security.ssl.rest.cert.fingerprint has to be the SHA-1 of this certificate, which `keytool -list -v \
             -keystore <file>` shows"
        }
        ApplicationVerificationFailure => {
            "either the keystore of the JobManager was replaced after its start, or another program has taken its port"
        }
        Expired | ExpiredContext { .. } => {
            "renew the certificate of this REST interface, and start the cluster anew with it; if it is still valid, this \
             machine's clock is wrong"
        }
        NotValidYet | NotValidYetContext { .. } => {
            "compare the clocks of this machine and of the one on which the certificate was made"
        }
        NotValidForName | NotValidForNameContext { .. } if basis == Basis::Machine => {
            "its certificate has to name the host as a SAN, as with `keytool -genkeypair -ext SAN=dns:<host>`; the name in \
             CN does not count"
        }
        NotValidForName | NotValidForNameContext { .. } => {
            "its certificate has to name the host as a SAN, as with `keytool -genkeypair -ext SAN=dns:<host>`; the name in \
             CN does not count. Or set security.ssl.rest.verify-hostname to false"
        }
        BadSignature if basis == Basis::Truststore => {
            "if its authority has a new key, security.ssl.rest.truststore has to hold the new certificate of the \
             authority; otherwise another program may have taken the port"
        }
        CertificateError::Other(other) => other.0.downcast_ref::<Unfit>()?.advice(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_is_about_what_is_wrong() {
        let of = |error, basis| advice(&error, basis).unwrap_or_default();
        let (machine, store) = (Basis::Machine, Basis::Truststore);
        assert!(of(UnknownIssuer, store).contains("truststore has to hold"));
        assert!(of(Expired, store).starts_with("renew"));
        assert!(of(NotValidYet, machine).contains("clocks"));
        for basis in [machine, store, Basis::Fingerprint] {
            let named = of(NotValidForName, basis);
            assert!(named.contains("SAN=dns:") && named.contains("CN does not count"), "{named}");
            // With the certificates of the machine the name is always checked.
            assert_eq!(named.contains("verify-hostname"), basis != machine, "{named}");
        }
        let another = |basis| of(ApplicationVerificationFailure, basis);
        assert!(another(Basis::Fingerprint).contains("cert.fingerprint has to be the SHA-1"));
        assert!(another(Basis::OwnKeystore).contains("keystore of the JobManager"));
        for error in [Expired, NotValidYet, NotValidForName, ApplicationVerificationFailure] {
            assert!(!of(error, Basis::Fingerprint).contains("security.ssl.rest.truststore"));
        }
    }
}
