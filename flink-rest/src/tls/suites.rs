//! Versions and cipher suites of TLS by the names that Java has for them.

use flink_model::options;
use flink_model::ssl::RestSsl;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion, version};

use super::error::TlsError;

/// The versions that heddle speaks.
const VERSIONS: [(&str, &SupportedProtocolVersion); 2] =
    [("TLSv1.2", &version::TLS12), ("TLSv1.3", &version::TLS13)];

/// The wanted versions. Flink's default is TLS 1.2 alone; where nothing is set, the newer version does no
/// harm.
pub(super) fn versions(settings: &RestSsl) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let wanted = |name: &str| {
        settings.protocols.as_ref().is_none_or(|list| list.iter().any(|one| one.eq_ignore_ascii_case(name)))
    };
    let found: Vec<_> =
        VERSIONS.into_iter().filter(|(name, _)| wanted(name)).map(|(_, version)| version).collect();
    if found.is_empty() {
        let known = VERSIONS.map(|(name, _)| name).join(", ");
        return Err(unsupported(options::SSL_PROTOCOL.key, settings.protocols.as_deref(), known));
    }
    Ok(found)
}

/// The ciphers, with those suites that are wanted and belong to a wanted version.
pub(super) fn provider(settings: &RestSsl) -> Result<CryptoProvider, TlsError> {
    let mut provider = ring::default_provider();
    if let Some(wanted) = &settings.algorithms {
        let versions = versions(settings)?;
        let known: Vec<String> = provider
            .cipher_suites
            .iter()
            .filter(|suite| versions.iter().any(|version| version.version == suite.version().version))
            .map(|suite| java_name(suite.suite()))
            .collect();
        let is_wanted = |suite: &SupportedCipherSuite| {
            let name = java_name(suite.suite());
            known.contains(&name) && wanted.iter().any(|one| one.eq_ignore_ascii_case(&name))
        };
        provider.cipher_suites.retain(is_wanted);
        if provider.cipher_suites.is_empty() {
            return Err(unsupported(options::SSL_ALGORITHMS.key, Some(wanted), known.join(", ")));
        }
    }
    Ok(provider)
}

/// Java's name of a suite. Those of TLS 1.3 have another one in the library.
fn java_name(suite: CipherSuite) -> String {
    let name = suite.as_str().unwrap_or_default();
    name.strip_prefix("TLS13_").map_or_else(|| name.to_owned(), |rest| format!("TLS_{rest}"))
}

fn unsupported(key: &'static str, value: Option<&[String]>, known: String) -> TlsError {
    TlsError::Unsupported { key, value: value.unwrap_or_default().join(","), known }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(protocols: Option<&str>, algorithms: &str) -> Result<Vec<String>, String> {
        let words = |text: &str| Some(text.split(',').map(str::to_owned).collect());
        let settings = RestSsl {
            protocols: protocols.and_then(words),
            algorithms: words(algorithms),
            ..RestSsl::default()
        };
        let provider = provider(&settings).map_err(|e| e.to_string())?;
        Ok(provider.cipher_suites.iter().map(|suite| java_name(suite.suite())).collect())
    }

    #[test]
    fn java_names_are_known() {
        let names =
            "TLS_RSA_WITH_AES_128_CBC_SHA,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256";
        let both = suites(None, names).unwrap();
        assert_eq!(both, ["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]);
        assert_eq!(suites(Some("TLSv1.2"), names).unwrap(), ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]);
        let all =
            suites(None, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_CHACHA20_POLY1305_SHA256").unwrap();
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let refused = suites(None, "TLS_RSA_WITH_AES_128_CBC_SHA").unwrap_err();
        assert!(
            refused
                .starts_with("security.ssl.algorithms is TLS_RSA_WITH_AES_128_CBC_SHA: heddle speaks none")
        );
        assert!(refused.contains("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), "{refused}");
        let refused = suites(Some("TLSv1.2"), "TLS_AES_128_GCM_SHA256").unwrap_err();
        assert!(!refused.contains("but TLS_AES"), "{refused}");
        let old = RestSsl { protocols: Some(vec!["TLSv1".into(), "SSLv3".into()]), ..RestSsl::default() };
        let refused = versions(&old).unwrap_err().to_string();
        assert!(
            refused.contains("security.ssl.protocol is TLSv1,SSLv3") && refused.contains("TLSv1.3"),
            "{refused}"
        );
    }
}
