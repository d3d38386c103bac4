//! Knows which keys hold secrets, so that their values are not shown.

/// What is shown instead of a secret.
pub const HIDDEN: &str = "******";

/// Parts of the names of keys whose values must not be shown. The list is the union of the lists that Flink's
/// releases have.
const PARTS: [&str; 11] = [
    "password",
    "secret",
    "fs.azure.account.key",
    "apikey",
    "api-key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas.config",
    "http-headers",
];

/// Whether the value of this key must not be shown.
pub fn is_sensitive(key: &str) -> bool {
    let key = key.to_lowercase();
    PARTS.iter().any(|part| key.contains(part))
}

/// The value of this key as it may be shown. A secret is replaced by stars.
pub fn shown(key: &str, value: String) -> String {
    if is_sensitive(key) { HIDDEN.to_owned() } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_parts_of_their_key() {
        assert!(is_sensitive("security.ssl.rest.key-Password"));
        assert!(is_sensitive("s3.secret-key"));
        assert!(!is_sensitive("rest.port"));
    }
}
