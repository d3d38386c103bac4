//! The address of a JobManager's REST interface.

use std::str::FromStr;

/// The address of a JobManager's REST interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestAddress {
    /// The host name or IP address; an IPv6 address is in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for RestAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The host as it is written before a colon and a port: an IPv6 address gets brackets.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

/// A text that is not the address of a JobManager.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the address of a JobManager")]
pub struct ParseAddressError(pub String);

impl FromStr for RestAddress {
    type Err = ParseAddressError;

    /// Reads `host:port`, which may be part of a URL with the scheme `http` or `https` and without a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseAddressError(text.to_owned());
        let plain = text.trim();
        let plain = plain.strip_prefix("http://").or_else(|| plain.strip_prefix("https://")).unwrap_or(plain);
        let (host, port) = plain.trim_end_matches('/').rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().map_err(|_| bad())?;
        // Without brackets nobody can tell the last group of an IPv6 address from a port.
        let open = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        if host.is_empty() || open || host.contains(['/', ' ']) {
            return Err(bad());
        }
        Ok(Self { host: bracketed(host), port })
    }
}
