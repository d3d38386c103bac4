//! The service that a delegation token names: the server that it is for. A client that fetches a token writes
//! it into the token; servers do not. It must be what Java's clients would write, because they look for it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::timeout;

use crate::conf::{ConfError, HadoopConf};
use crate::endpoint::Endpoint;

/// How long a name is looked up.
const LOOKUP: Duration = Duration::from_secs(5);

/// How services are written (`hadoop.security.token.service.use_ip`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenService {
    use_ip: bool,
}

impl TokenService {
    /// Reads the configuration.
    pub fn read(conf: &HadoopConf) -> Result<Self, ConfError> {
        Ok(Self { use_ip: conf.get_bool("hadoop.security.token.service.use_ip", true)? })
    }

    /// The service of the server at this address: `ip:port`, or `host:port` if the configuration does not
    /// want IP addresses. Of a name that has no address, it is `host:port`, too.
    pub async fn of(self, endpoint: &Endpoint) -> String {
        if !self.use_ip {
            return self.text(endpoint, &[]);
        }
        #[expect(clippy::disallowed_methods, reason = "its deadline is in the next line")]
        let lookup = tokio::net::lookup_host((endpoint.host(), endpoint.port()));
        let found = timeout(LOOKUP, lookup).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        match found {
            Ok(found) => self.text(endpoint, &found.map(|address| address.ip()).collect::<Vec<_>>()),
            Err(error) => {
                tracing::debug!(%endpoint, %error, "the service of a token is written with a name");
                self.text(endpoint, &[])
            }
        }
    }

    /// As in Java, an IPv4 address is preferred.
    fn text(self, endpoint: &Endpoint, addresses: &[IpAddr]) -> String {
        let first = addresses.iter().find(|ip| ip.is_ipv4()).or(addresses.first());
        match first.filter(|_| self.use_ip) {
            Some(ip) => SocketAddr::new(*ip, endpoint.port()).to_string(),
            None => endpoint.to_string().to_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::{Credentials, Token};

    fn service(use_ip: &str) -> TokenService {
        let key = "hadoop.security.token.service.use_ip";
        TokenService::read(&HadoopConf::from_map([(key, use_ip)])).unwrap()
    }

    #[test]
    fn an_address_or_a_name() {
        assert_eq!(TokenService::read(&HadoopConf::default()), Ok(service("true")));
        let endpoint = Endpoint::new("NN.example.com", 8020);
        let addresses: [IpAddr; 2] = ["::1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        assert_eq!(service("true").text(&endpoint, &addresses), "10.0.0.1:8020");
        assert_eq!(service("true").text(&endpoint, &addresses[..1]), "[::1]:8020");
        assert_eq!(service("true").text(&endpoint, &[]), "nn.example.com:8020");
        assert_eq!(service("false").text(&endpoint, &addresses), "nn.example.com:8020");
    }

    #[tokio::test]
    async fn an_address_needs_no_server_of_names() {
        let endpoint = Endpoint::new("127.0.0.1", 1);
        assert_eq!(service("true").of(&endpoint).await, "127.0.0.1:1");
        assert_eq!(service("false").of(&Endpoint::new("Host", 1)).await, "host:1");
    }

    /// Whoever connects to one of the servers finds the token of all of them, whichever way it was written.
    #[test]
    fn a_token_of_several_servers_is_found_at_each() {
        let servers = [("rm1", "10.0.0.1"), ("rm2", "10.0.0.2")];
        for use_ip in ["true", "false"] {
            let of = |(host, ip): (&str, &str)| {
                service(use_ip).text(&Endpoint::new(host, 8032), &[ip.parse().unwrap()])
            };
            let mut credentials = Credentials::default();
            let list = servers.map(of).join(",");
            credentials.add_token(Token { kind: "K".into(), service: list.clone(), ..Default::default() });
            for (host, ip) in servers {
                let at = [format!("{ip}:8032"), format!("{host}:8032")];
                assert_eq!(credentials.find_token("K", &at).map(|t| &t.service), Some(&list), "{use_ip}");
            }
            assert_eq!(credentials.find_token("K", &["10.0.0.3:8032", "rm3:8032"]), None);
        }
    }
}
