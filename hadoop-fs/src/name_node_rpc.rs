//! The calls to NameNodes that heddle makes by itself, without hdfs-native: those for delegation tokens,
//! which need Kerberos. Of several NameNodes, the active one is found by asking them.

use std::fmt;
use std::time::Duration;

use hadoop_rpc::{AuthPolicy, CallOptions, ClientOptions, ConfError, Endpoint, EndpointError, HadoopConf};
use hadoop_rpc::{KerberosProblem, Login, Protocol, ProtocolSecurity, RemoteKind, RetryPolicy, RpcClient};
use hadoop_rpc::{RpcError, RpcGroup, Token, TokenService};

use crate::error::{FsError, FsErrorKind};
use crate::location::{Location, bad_conf};

/// The kind of the delegation tokens of HDFS.
pub const HDFS_TOKEN: &str = "HDFS_DELEGATION_TOKEN";

const SECURITY: ProtocolSecurity =
    ProtocolSecurity { principal_key: "dfs.namenode.kerberos.principal", token_kind: HDFS_TOKEN };

pub(crate) const PROTOCOL: Protocol =
    Protocol { name: "org.apache.hadoop.hdfs.protocol.ClientProtocol", version: 1, security: Some(SECURITY) };

/// The deadline of each call for a token. It is longer than that of a connection's handshake, whose error
/// says more, and short enough for somebody who waits for a command.
pub(crate) const WITHIN: Duration = Duration::from_secs(14);

/// How often all NameNodes of a nameservice are asked until one is active.
const UNTIL_ACTIVE: RetryPolicy = RetryPolicy {
    max_attempts: 8,
    min_delay: Duration::from_millis(500),
    max_delay: Duration::from_secs(2),
    max_elapsed: Duration::from_secs(8),
};

/// `TokenProto` of Hadoop's Security.proto. `Debug` hides the password.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct TokenMessage {
    #[prost(bytes = "vec", required, tag = "1")]
    identifier: Vec<u8>,
    #[prost(bytes = "vec", required, tag = "2")]
    password: Vec<u8>,
    #[prost(string, required, tag = "3")]
    kind: String,
    #[prost(string, required, tag = "4")]
    service: String,
}

impl fmt::Debug for TokenMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenMessage({} for '{}')", self.kind, self.service)
    }
}

impl From<&Token> for TokenMessage {
    fn from(token: &Token) -> Self {
        let Token { kind, service, identifier, password } = token.clone();
        Self { identifier, password, kind, service }
    }
}

/// `GetDelegationTokenRequestProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct GetTokenRequest {
    #[prost(string, required, tag = "1")]
    renewer: String,
}

/// `GetDelegationTokenResponseProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct GetTokenResponse {
    #[prost(message, optional, tag = "1")]
    token: Option<TokenMessage>,
}

/// `RenewDelegationTokenRequestProto` and `CancelDelegationTokenRequestProto`, which are the same.
#[derive(Clone, PartialEq, prost::Message)]
struct TokenRequest {
    #[prost(message, required, tag = "1")]
    token: TokenMessage,
}

/// `RenewDelegationTokenResponseProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct RenewTokenResponse {
    #[prost(uint64, required, tag = "1")]
    expiry: u64,
}

/// `CancelDelegationTokenResponseProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct CancelTokenResponse {}

/// The NameNodes of an HDFS: their names in the configuration and their addresses. A NameNode without a
/// nameservice has an empty name.
pub(crate) fn name_nodes(conf: &HadoopConf, location: &Location) -> Result<Vec<(String, Endpoint)>, FsError> {
    let Some(nameservice) = location.nameservice() else {
        return Ok(vec![(String::new(), location.endpoint()?)]);
    };
    let bad = |e: ConfError| bad_conf(&location.root, &e);
    let mut nodes = Vec::new();
    for name in conf.get_strings(&format!("dfs.ha.namenodes.{nameservice}")).map_err(bad)? {
        let key = format!("dfs.namenode.rpc-address.{nameservice}.{name}");
        let Some(address) = conf.get(&key).map_err(bad)? else { continue };
        let endpoint = address.parse().map_err(|e: EndpointError| {
            FsError::new(FsErrorKind::Configuration, "use", &*location.root, "", format!("{key}: {e}"))
        })?;
        nodes.push((name, endpoint));
    }
    Ok(nodes)
}

/// How NameNodes are called, by the authentication that the configuration names.
pub(crate) fn options(
    conf: &HadoopConf,
    login: &Login,
    location: &Location,
) -> Result<ClientOptions, FsError> {
    let service = location.logical_service();
    ClientOptions::of(conf, login.clone(), &SECURITY, service.as_deref())
        .map_err(|e| bad_conf(&location.root, &e))
}

/// The services that delegation tokens of this HDFS can have. The first one is that of Java, under which the
/// token is looked for by others.
pub(crate) async fn services(conf: &HadoopConf, location: &Location) -> Result<Vec<String>, FsError> {
    if let Some(service) = location.logical_service() {
        return Ok(vec![service]);
    }
    let form = TokenService::read(conf).map_err(|e| bad_conf(&location.root, &e))?;
    let endpoint = location.endpoint()?;
    Ok(vec![form.of(&endpoint).await, endpoint.to_string()])
}

/// The calls for delegation tokens.
#[derive(Debug, Clone)]
pub(crate) struct TokenCalls {
    group: RpcGroup,
    location: Location,
    deadline: Duration,
}

impl TokenCalls {
    /// Calls by Kerberos only, even if the login has a token: NameNodes give and renew tokens only then.
    /// Fails if the login has no tickets.
    pub(crate) fn by_ticket(
        conf: &HadoopConf,
        login: &Login,
        location: &Location,
        deadline: Duration,
    ) -> Result<Self, FsError> {
        if login.kerberos().is_none() {
            let why = "there is no Kerberos ticket with which to get or renew a delegation token";
            let error = location.unusable(FsErrorKind::Authentication, why);
            return Err(error.with_kerberos(KerberosProblem::NoCredentials));
        }
        let auth =
            AuthPolicy::without_token(conf, login, &SECURITY).map_err(|e| bad_conf(&location.root, &e))?;
        Self::with(conf, &options(conf, login, location)?.with_auth(auth), location, deadline)
    }

    /// Calls by a token that the login was given, or else by Kerberos.
    pub(crate) fn by_token_or_ticket(
        conf: &HadoopConf,
        login: &Login,
        location: &Location,
        deadline: Duration,
    ) -> Result<Self, FsError> {
        Self::with(conf, &options(conf, login, location)?, location, deadline)
    }

    fn with(
        conf: &HadoopConf,
        options: &ClientOptions,
        location: &Location,
        deadline: Duration,
    ) -> Result<Self, FsError> {
        let client = |(_, endpoint)| RpcClient::new(endpoint, PROTOCOL, options.clone());
        let mut clients = name_nodes(conf, location)?.into_iter().map(client);
        let none = || location.unusable(FsErrorKind::Configuration, "the configuration names no NameNode");
        let first = clients.next().ok_or_else(none)?;
        let others: Vec<RpcClient> = clients.collect();
        let policy = if others.is_empty() { RetryPolicy::NONE } else { UNTIL_ACTIVE };
        let group = RpcGroup::new(first, others, policy);
        Ok(Self { group, location: location.clone(), deadline })
    }

    /// Asks for a new token, whose service is still empty. `None` if the NameNode has no tokens, because it
    /// does not authenticate its clients.
    pub(crate) async fn fetch(&self, renewer: &str) -> Result<Option<Token>, FsError> {
        let request = GetTokenRequest { renewer: renewer.to_owned() };
        let answer: Result<GetTokenResponse, _> = self.call("getDelegationToken", &request).await;
        let answer = answer.map_err(|e| self.failed("get a delegation token of", e))?;
        Ok(answer.token.map(|TokenMessage { identifier, password, kind, .. }| Token {
            kind,
            service: String::new(),
            identifier,
            password,
        }))
    }

    /// Renews a token. Gives the time at which it ends if it is not renewed again, in ms since 1970.
    pub(crate) async fn renew(&self, token: &Token) -> Result<u64, FsError> {
        let request = TokenRequest { token: token.into() };
        let answer: Result<RenewTokenResponse, _> = self.call("renewDelegationToken", &request).await;
        answer.map(|answer| answer.expiry).map_err(|e| self.failed("renew a delegation token of", e))
    }

    /// Cancels a token. A token that is not valid any more needs no cancelling.
    pub(crate) async fn cancel(&self, token: &Token) -> Result<(), FsError> {
        let request = TokenRequest { token: token.into() };
        let answer: Result<CancelTokenResponse, _> = self.call("cancelDelegationToken", &request).await;
        match answer {
            Err(e) if !e.is_remote(RemoteKind::InvalidToken) => {
                Err(self.failed("cancel a delegation token of", e))
            }
            _ => Ok(()),
        }
    }

    async fn call<Req, Resp>(&self, method: &'static str, request: &Req) -> Result<Resp, RpcError>
    where
        Req: prost::Message,
        Resp: prost::Message + Default,
    {
        // A second token does no harm, because nobody has the first one then.
        let options = CallOptions { deadline: Some(self.deadline), idempotent: true };
        self.group.call_with(method, request, options).await
    }

    fn failed(&self, doing: &'static str, error: RpcError) -> FsError {
        FsError::of_rpc(doing, &self.location.root, &self.location.server, error)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn no_message_shows_its_password() {
        let token = Token {
            kind: HDFS_TOKEN.into(),
            service: "h:1".into(),
            identifier: vec![1, 2],
            password: b"hunter2".to_vec(),
        };
        let request = TokenRequest { token: (&token).into() };
        assert_eq!(
            format!("{request:?}"),
            "TokenRequest { token: TokenMessage(HDFS_DELEGATION_TOKEN for 'h:1') }"
        );
        // The bytes are those of Hadoop's message: the fields 1 and 2 are bytes, 3 and 4 are texts.
        let sent = request.encode_to_vec();
        let inner =
            [&[0x0a_u8, 2, 1, 2, 0x12, 7][..], b"hunter2", &[0x1a, 21], HDFS_TOKEN.as_bytes()].concat();
        let inner = [&inner[..], &[0x22, 3], b"h:1"].concat();
        assert_eq!(sent, [&[0x0a, u8::try_from(inner.len()).unwrap()][..], &inner].concat());
        let answer = GetTokenResponse::decode(sent.as_slice()).unwrap();
        assert_eq!(answer.token, Some(request.token));
    }

    async fn services_of(use_ip: &str, url: &str) -> Vec<String> {
        let conf = HadoopConf::from_map([
            ("dfs.ha.namenodes.ns", "a,b"),
            ("dfs.namenode.rpc-address.ns.a", "h1:8020"),
            ("hadoop.security.token.service.use_ip", use_ip),
        ]);
        services(&conf, &Location::find(&conf, Some(url)).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn services_by_the_configuration() {
        for use_ip in ["true", "false"] {
            assert_eq!(services_of(use_ip, "hdfs://ns/x").await, ["ha-hdfs:ns"]);
            assert_eq!(services_of(use_ip, "hdfs://127.0.0.1/x").await[0], "127.0.0.1:8020");
        }
        assert_eq!(services_of("false", "hdfs://NN:1").await, ["nn:1", "NN:1"]);
    }

    #[test]
    fn name_nodes_of_the_configuration() {
        let conf = HadoopConf::from_map([
            ("fs.defaultFS", "hdfs://nn:9000"),
            ("dfs.ha.namenodes.ns", "a,b,c"),
            ("dfs.namenode.rpc-address.ns.a", "h1:1"),
            ("dfs.namenode.rpc-address.ns.c", "h3:3"),
        ]);
        let of = |url| name_nodes(&conf, &Location::find(&conf, url).unwrap()).unwrap();
        assert_eq!(of(None), [(String::new(), Endpoint::new("nn", 9000))]);
        assert_eq!(
            of(Some("hdfs://ns")),
            [("a".to_owned(), Endpoint::new("h1", 1)), ("c".to_owned(), Endpoint::new("h3", 3))]
        );
    }
}
