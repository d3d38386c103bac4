//! The addresses of the ResourceManagers, as the configuration names them. It does not say which of them is
//! active. One that is not active refuses a call with a StandbyException, and [`RpcGroup`] then calls the
//! next one.

use hadoop_rpc::{
    ClientOptions, ConfError, Endpoint, HadoopConf, Login, Protocol, ProtocolSecurity, RetryPolicy,
    RpcClient, RpcGroup, TokenService,
};

use crate::error::{Cause, YarnError};

/// One of the ports of a ResourceManager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RmService {
    /// The port for clients.
    Client,
    /// The port for ApplicationMasters.
    Scheduler,
}

impl RmService {
    fn address_key(self) -> &'static str {
        match self {
            Self::Client => "yarn.resourcemanager.address",
            Self::Scheduler => "yarn.resourcemanager.scheduler.address",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Client => 8032,
            Self::Scheduler => 8030,
        }
    }

    fn protocol(self) -> Protocol {
        let name = match self {
            Self::Client => "org.apache.hadoop.yarn.api.ApplicationClientProtocolPB",
            Self::Scheduler => "org.apache.hadoop.yarn.api.ApplicationMasterProtocolPB",
        };
        // An ApplicationMaster has nothing but its token.
        let security = (self == Self::Client).then_some(self.security());
        Protocol { name, version: 1, security }
    }

    /// How a secured ResourceManager lets those prove who they are who call the service.
    /// [`AmRmClient`](crate::AmRmClient) uses nothing but the token.
    pub fn security(self) -> ProtocolSecurity {
        let token_kind = match self {
            Self::Client => RM_DELEGATION_TOKEN,
            Self::Scheduler => AMRM_TOKEN,
        };
        ProtocolSecurity { principal_key: RM_PRINCIPAL, token_kind }
    }
}

/// The key of the configuration with the principal of the ResourceManagers. It is also the renewer of tokens
/// that the ResourceManager is to renew for an application.
pub const RM_PRINCIPAL: &str = "yarn.resourcemanager.principal";
/// The kind of the tokens that ResourceManagers give to clients.
pub const RM_DELEGATION_TOKEN: &str = "RM_DELEGATION_TOKEN";
/// The kind of the token that a ResourceManager gives to an ApplicationMaster.
pub const AMRM_TOKEN: &str = "YARN_AM_RM_TOKEN";

/// How a client of the ResourceManagers connects, with the authentication that the configuration says: a
/// token of the login if it has one for the ResourceManager, or else Kerberos.
pub fn client_options(conf: &HadoopConf, login: Login) -> Result<ClientOptions, ConfError> {
    ClientOptions::of(conf, login, &RmService::Client.security(), None)
}

/// The service of a delegation token: that of each ResourceManager, so that it is found at whichever is
/// active. Java writes it in the same way, and ResourceManagers read it when they renew the token.
pub(crate) async fn token_service(rule: TokenService, endpoints: &[Endpoint]) -> String {
    let mut services = Vec::new();
    for endpoint in endpoints {
        services.push(rule.of(endpoint).await);
    }
    services.join(",")
}

const HOSTNAME: &str = "yarn.resourcemanager.hostname";
const HA_ENABLED: &str = "yarn.resourcemanager.ha.enabled";
const HA_IDS: &str = "yarn.resourcemanager.ha.rm-ids";
/// The host that `yarn-default.xml` names: this machine.
const DEFAULT_HOST: &str = "0.0.0.0";

/// YARN's own defaults for keys that heddle reads, for [`Defaults::and`](hadoop_rpc::Defaults::and).
pub const DEFAULTS: &[(&str, &str)] = &[
    (HOSTNAME, DEFAULT_HOST),
    ("yarn.resourcemanager.address", "${yarn.resourcemanager.hostname}:8032"),
    ("yarn.resourcemanager.scheduler.address", "${yarn.resourcemanager.hostname}:8030"),
    ("yarn.resourcemanager.webapp.address", "${yarn.resourcemanager.hostname}:8088"),
    ("yarn.resourcemanager.am.max-attempts", "2"),
    ("yarn.http.policy", "HTTP_ONLY"),
    (
        "yarn.application.classpath",
        "$HADOOP_CONF_DIR,$HADOOP_COMMON_HOME/share/hadoop/common/*,\
$HADOOP_COMMON_HOME/share/hadoop/common/lib/*,$HADOOP_HDFS_HOME/share/hadoop/hdfs/*,\
$HADOOP_HDFS_HOME/share/hadoop/hdfs/lib/*,$HADOOP_YARN_HOME/share/hadoop/yarn/*,\
$HADOOP_YARN_HOME/share/hadoop/yarn/lib/*",
    ),
];

/// The addresses of a service on all ResourceManagers, in the order of the configuration. There is at least
/// one. The error says which key is missing or wrong.
pub fn resource_managers(conf: &HadoopConf, service: RmService) -> Result<Vec<Endpoint>, YarnError> {
    let fail = |cause: Cause| YarnError::new("find the ResourceManager", cause);
    if !conf.get_bool(HA_ENABLED, false).map_err(|e| fail(e.into()))? {
        let found = address(conf, service, "").map_err(|e| fail(e.into()))?;
        return Ok(vec![found.unwrap_or_else(|| Endpoint::new(DEFAULT_HOST, service.default_port()))]);
    }
    let ids = conf.get_strings(HA_IDS).map_err(|e| fail(e.into()))?;
    if ids.is_empty() {
        return Err(fail(Cause::Address(format!("{HA_ENABLED} is true, but {HA_IDS} names none"))));
    }
    let one = |id: &String| {
        let suffix = format!(".{id}");
        address(conf, service, &suffix).map_err(|e| fail(e.into()))?.ok_or_else(|| {
            let key = service.address_key();
            fail(Cause::Address(format!(
                "{HA_IDS} names '{id}', but neither {key}{suffix} nor {HOSTNAME}{suffix} is set"
            )))
        })
    };
    ids.iter().map(one).collect()
}

/// The address from the service's own key, or else from the host name's key, with the service's default port.
/// `suffix` follows the name of a key; with several ResourceManagers, it is `.` and the id of one.
fn address(conf: &HadoopConf, service: RmService, suffix: &str) -> Result<Option<Endpoint>, ConfError> {
    let port = service.default_port();
    if let Some(endpoint) = conf.get_socket_addr(&format!("{}{suffix}", service.address_key()), port)? {
        return Ok(Some(endpoint));
    }
    conf.get_socket_addr(&format!("{HOSTNAME}{suffix}"), port)
}

/// Clients of a service on all ResourceManagers. Connections are opened when they are needed.
pub(crate) fn group(
    conf: &HadoopConf,
    service: RmService,
    options: &ClientOptions,
    retry: RetryPolicy,
) -> Result<RpcGroup, YarnError> {
    let client = |endpoint| RpcClient::new(endpoint, service.protocol(), options.clone());
    let mut clients = resource_managers(conf, service)?.into_iter().map(client);
    let none = || YarnError::new("find the ResourceManager", Cause::Address("there is none".into()));
    let first = clients.next().ok_or_else(none)?;
    Ok(RpcGroup::new(first, clients.collect(), retry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pairs: &[(&str, &str)], service: RmService) -> Result<Vec<String>, String> {
        let conf = HadoopConf::from_map(pairs.iter().copied());
        let list = resource_managers(&conf, service).map_err(|e| e.to_string())?;
        Ok(list.iter().map(Endpoint::to_string).collect())
    }

    #[test]
    fn one_resource_manager() {
        assert_eq!(found(&[], RmService::Client).unwrap(), ["0.0.0.0:8032"]);
        assert_eq!(found(&[(HOSTNAME, "rm")], RmService::Scheduler).unwrap(), ["rm:8030"]);
        let both = [(HOSTNAME, "rm"), ("yarn.resourcemanager.address", "other:1234")];
        assert_eq!(found(&both, RmService::Client).unwrap(), ["other:1234"]);
        assert_eq!(found(&both, RmService::Scheduler).unwrap(), ["rm:8030"]);
    }

    #[tokio::test]
    async fn the_service_of_a_token_names_all_of_them() {
        let endpoints = [Endpoint::new("127.0.0.1", 8032), Endpoint::new("127.0.0.2", 8033)];
        let service = async |use_ip: &str, endpoints: &[Endpoint]| {
            let conf = HadoopConf::from_map([("hadoop.security.token.service.use_ip", use_ip)]);
            token_service(TokenService::read(&conf).unwrap(), endpoints).await
        };
        assert_eq!(service("true", &endpoints[..1]).await, "127.0.0.1:8032");
        assert_eq!(service("true", &endpoints).await, "127.0.0.1:8032,127.0.0.2:8033");
        let named = [Endpoint::new("RM1", 8032), Endpoint::new("rm2", 8032)];
        assert_eq!(service("false", &named).await, "rm1:8032,rm2:8032");
    }

    #[test]
    fn options_are_those_of_the_configuration() {
        let login = Login::simple(hadoop_rpc::UserIdentity::new("ann"));
        let auth = |value: &str| {
            let conf = HadoopConf::from_map([("hadoop.security.authentication", value)]);
            client_options(&conf, login.clone()).map(|options| format!("{:?}", options.auth))
        };
        assert_eq!(auth("simple"), Ok("Simple".into()));
        assert!(auth("kerberos").unwrap().contains(RM_DELEGATION_TOKEN));
        assert!(auth("other").is_err());
        assert_eq!(RmService::Client.protocol().security, Some(RmService::Client.security()));
        assert_eq!(RmService::Scheduler.protocol().security, None);
    }

    #[test]
    fn several_resource_managers() {
        let mut pairs = vec![
            (HA_ENABLED, "true"),
            (HA_IDS, "a, b"),
            ("yarn.resourcemanager.hostname.a", "h1"),
            ("yarn.resourcemanager.address.b", "h2:99"),
            (HOSTNAME, "ignored"),
        ];
        assert_eq!(found(&pairs, RmService::Client).unwrap(), ["h1:8032", "h2:99"]);
        let error = found(&pairs, RmService::Scheduler).unwrap_err();
        assert!(error.contains("yarn.resourcemanager.hostname.b"), "{error}");
        pairs[0].1 = "false";
        assert_eq!(found(&pairs, RmService::Client).unwrap(), ["ignored:8032"]);
        let error = found(&[(HA_ENABLED, "true")], RmService::Client).unwrap_err();
        assert!(error.contains(HA_IDS), "{error}");
    }
}
