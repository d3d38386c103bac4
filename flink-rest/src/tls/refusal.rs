//! Why a handshake has failed, in words.

use rustls::CertificateError;

use super::Tls;
use super::verifier::Unfit;
use crate::error::RestError;

impl Tls {
    /// The error for a handshake with the server at `address` that has failed.
    pub(crate) fn refusal(&self, address: String, error: &rustls::Error) -> RestError {
        match error {
            rustls::Error::InvalidCertificate(error) => RestError::Certificate {
                address,
                trusted: self.trusted().to_owned(),
                reason: wrong_with(error),
                advice: unfit(error).map(Unfit::advice),
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
    use CertificateError::{
        ApplicationVerificationFailure, BadSignature, Expired, ExpiredContext, NotValidForName,
        NotValidForNameContext, NotValidYet, NotValidYetContext, UnknownIssuer,
    };
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

fn unfit(error: &CertificateError) -> Option<Unfit> {
    match error {
        CertificateError::Other(other) => other.0.downcast_ref().copied(),
        _ => None,
    }
}
