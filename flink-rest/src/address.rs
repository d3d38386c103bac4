//! The address of a JobManager's REST interface, and how one is written.

use std::str::FromStr;

use crate::tls::Tls;

/// The address of a JobManager's REST interface, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestAddress {
    /// The host name or IP address; an IPv6 address is in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// TLS, if the REST interface speaks it; `None` stands for plain HTTP.
    pub tls: Option<Tls>,
}

impl RestAddress {
    /// The address of a REST interface that speaks plain HTTP.
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, tls: None }
    }

    /// The URL of the REST interface, without a path.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{self}")
    }

    /// The host without the brackets of an IPv6 address, as it is looked up and connected to.
    pub fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
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

/// A scheme of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// An address as somebody has written it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenAddress {
    /// The host name or IP address; an IPv6 address is in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The scheme, if there is one.
    pub scheme: Option<Scheme>,
}

/// A text that is not the address of a JobManager.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the address of a JobManager")]
pub struct ParseAddressError(pub String);

impl FromStr for WrittenAddress {
    type Err = ParseAddressError;

    /// Reads `host:port`, which may be part of a URL with the scheme `http` or `https` and without a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseAddressError(text.to_owned());
        let plain = text.trim();
        let with = |scheme: &str| {
            let (begin, rest) = plain.split_at_checked(scheme.len())?;
            begin.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let (scheme, plain) = match (with("http://"), with("https://")) {
            (Some(rest), _) => (Some(Scheme::Http), rest),
            (_, Some(rest)) => (Some(Scheme::Https), rest),
            (None, None) => (None, plain),
        };
        let (host, port) = plain.trim_end_matches('/').rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().map_err(|_| bad())?;
        // Without brackets nobody can tell the last group of an IPv6 address from a port.
        let open = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        if host.is_empty() || open || host.contains(['/', ' ']) {
            return Err(bad());
        }
        Ok(Self { host: bracketed(host), port, scheme })
    }
}
