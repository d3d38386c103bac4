//! `heddle.control.port` and `heddle.metrics.port`: one port, a range, or a list of both, as Flink writes
//! ranges ("50100-50200,50300"; "0" = any).

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use tokio::net::TcpListener;

/// Ports to try, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(Vec<RangeInclusive<u16>>);

/// A text that is no list of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no port, range or list of them: '{part}' {why} (example: 50100-50200,50300; 0 = any)")]
pub struct ParsePortsError {
    text: String,
    part: String,
    why: &'static str,
}

/// None of the ports could be taken.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on any port of {ports} on {host}: {source}")]
pub struct BindError {
    host: String,
    ports: String,
    source: std::io::Error,
}

impl std::str::FromStr for Ports {
    type Err = ParsePortsError;

    fn from_str(text: &str) -> Result<Self, ParsePortsError> {
        let fail =
            |part: &str, why| ParsePortsError { text: text.to_owned(), part: part.trim().to_owned(), why };
        let number =
            |part: &str, text: &str| text.trim().parse::<u16>().map_err(|_| fail(part, "is no port"));
        let range = |part: &str| {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (number(part, first)?, number(part, last)?),
                None => (number(part, part)?, number(part, part)?),
            };
            if first > last {
                return Err(fail(part, "ends before it begins"));
            }
            if first == 0 && last > 0 {
                return Err(fail(part, "begins with 0, which means any port"));
            }
            Ok(first..=last)
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Ports)
    }
}

impl std::fmt::Display for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match (range.start(), range.end()) {
                (first, last) if first == last => write!(f, "{comma}{first}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl Ports {
    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// Whether it is left to the system.
    pub fn any(&self) -> bool {
        self.iter().any(|port| port == 0)
    }

    /// Listens on the first port that is free, on all interfaces.
    pub async fn bind(&self) -> Result<TcpListener, BindError> {
        let host = Ipv4Addr::UNSPECIFIED;
        let mut last = None;
        for port in self.iter() {
            match TcpListener::bind(SocketAddr::from((host, port))).await {
                Ok(listener) => return Ok(listener),
                Err(error) => last = Some(error),
            }
        }
        let source = last.unwrap_or_else(|| std::io::Error::other("the list is empty"));
        Err(BindError { host: host.to_string(), ports: self.to_string(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ports_ranges_and_lists() {
        let parse = |text: &str| text.parse::<Ports>();
        assert_eq!(parse("0"), Ok(Ports(vec![0..=0])));
        assert_eq!(parse(" 50100 - 50200, 50300"), Ok(Ports(vec![50100..=50200, 50300..=50300])));
        assert_eq!(parse("1-65535").unwrap().to_string(), "1-65535");
        for bad in ["", ",", "x", "-1", "1-", "70000", "5-4", "0-3", "1,,2", "1-2-3"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("1,5-4").unwrap_err().to_string().contains("'5-4' ends before it begins"));
    }

    #[tokio::test]
    async fn takes_the_next_port_when_one_is_in_use() {
        let taken = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let only = format!("{port}").parse::<Ports>().unwrap();
        let error = only.bind().await.unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        let both = format!("{port},0").parse::<Ports>().unwrap();
        assert_ne!(both.bind().await.unwrap().local_addr().unwrap().port(), port);
    }
}
