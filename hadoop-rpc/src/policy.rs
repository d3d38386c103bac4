//! What the configuration says about the authentication: whether the cluster is a secured one, and with what
//! a login proves to its servers who it is.

use crate::conf::{ConfError, HadoopConf};
use crate::login::Login;
use crate::protocol::ProtocolSecurity;
use crate::sasl::{AuthPolicy, SaslMethod, TokenSelector};

/// The key of Hadoop's configuration.
const KEY: &str = "hadoop.security.authentication";

/// How the cluster authenticates its users (`hadoop.security.authentication`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// Servers believe the name that a client tells them.
    Simple,
    /// Servers want a Kerberos ticket, or a token that was given for one.
    Kerberos,
}

impl Authentication {
    /// What the configuration says; simple if it says nothing. Any other value is an error: a value that
    /// cannot be understood must not make a connection weaker.
    pub fn of(conf: &HadoopConf) -> Result<Self, ConfError> {
        let value = conf.get_or(KEY, "simple")?;
        match value.to_ascii_lowercase().as_str() {
            "simple" => Ok(Self::Simple),
            "kerberos" => Ok(Self::Kerberos),
            _ => Err(conf.bad_value(KEY, &value, "it is neither `simple` nor `kerberos`".to_owned())),
        }
    }
}

impl AuthPolicy {
    /// What the configuration says. With simple authentication there is no SASL. With Kerberos, a token of
    /// the protocol's kind is used if the login has one for the server, or else Kerberos if the login has
    /// tickets, and never SIMPLE. As in Hadoop, a token that the server does not accept is an error, also if
    /// the login has tickets.
    ///
    /// `service` is the logical service, such as `ha-hdfs:ns`, if the server is one of several of a
    /// nameservice. It need not be given if the tokens name the addresses of all servers, as those of
    /// ResourceManagers do.
    pub fn of(
        conf: &HadoopConf,
        login: &Login,
        security: &ProtocolSecurity,
        service: Option<&str>,
    ) -> Result<Self, ConfError> {
        if Authentication::of(conf)? == Authentication::Simple {
            return Ok(Self::Simple);
        }
        let kind = security.token_kind.to_owned();
        let token = SaslMethod::Token(TokenSelector { kind, service: service.map(str::to_owned) });
        let kerberos = kerberos(conf, login, security)?;
        Ok(Self::Sasl([token].into_iter().chain(kerberos).collect()))
    }

    /// The same, but with Kerberos no token is used, even if the login has one: servers give a new token only
    /// to a client with a ticket.
    pub fn without_token(
        conf: &HadoopConf,
        login: &Login,
        security: &ProtocolSecurity,
    ) -> Result<Self, ConfError> {
        match Authentication::of(conf)? {
            Authentication::Simple => Ok(Self::Simple),
            Authentication::Kerberos => {
                Ok(Self::Sasl(kerberos(conf, login, security)?.into_iter().collect()))
            }
        }
    }
}

/// Kerberos as a method, if the login has tickets.
fn kerberos(
    conf: &HadoopConf,
    login: &Login,
    security: &ProtocolSecurity,
) -> Result<Option<SaslMethod>, ConfError> {
    let Some(kerberos) = login.kerberos() else { return Ok(None) };
    Ok(Some(SaslMethod::Other(kerberos.mechanism(conf, security.principal_key)?)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::login::KerberosLogin;
    use crate::sasl::{Mechanism, MechanismFactory, SaslConnection, SaslError, SaslOffer};
    use crate::user::UserIdentity;

    const SECURITY: ProtocolSecurity =
        ProtocolSecurity { principal_key: "nn.principal", token_kind: "HDFS_DELEGATION_TOKEN" };

    #[derive(Debug)]
    struct Tickets;

    impl KerberosLogin for Tickets {
        fn mechanism(&self, conf: &HadoopConf, key: &str) -> Result<Arc<dyn MechanismFactory>, ConfError> {
            assert_eq!(key, "nn.principal");
            conf.get(key).map(|_| Arc::new(Factory) as Arc<dyn MechanismFactory>)
        }
        fn principal(&self) -> &str {
            "alice@R"
        }
    }

    struct Factory;

    impl MechanismFactory for Factory {
        fn method(&self) -> &str {
            "KERBEROS"
        }
        fn start(
            &self,
            _: &SaslOffer,
            _: SaslConnection<'_>,
        ) -> Result<Option<Box<dyn Mechanism>>, SaslError> {
            Ok(None)
        }
    }

    fn conf(value: &str) -> HadoopConf {
        HadoopConf::from_map([(KEY, value)])
    }

    #[test]
    fn a_cluster_is_secured_or_not() {
        assert_eq!(Authentication::of(&HadoopConf::default()), Ok(Authentication::Simple));
        assert_eq!(Authentication::of(&conf("Simple")), Ok(Authentication::Simple));
        assert_eq!(Authentication::of(&conf(" KERBEROS ")), Ok(Authentication::Kerberos));
        for unknown in ["", "token", "kerberos_ssl", "kerberos,simple"] {
            let error = Authentication::of(&conf(unknown)).unwrap_err().to_string();
            let expected = format!("{KEY} = '{unknown}' (set by the program): it is neither");
            assert!(error.contains(&expected), "{error}");
        }
    }

    #[test]
    fn the_configuration_decides_how_a_login_proves_who_it_is() {
        let plain = Login::simple(UserIdentity::new("alice"));
        let with_tickets = plain.clone().with_kerberos(Arc::new(Tickets));
        let of = |value: &str, login: &Login, service| {
            let policy = AuthPolicy::of(&conf(value), login, &SECURITY, service);
            policy.map(|policy| format!("{policy:?}"))
        };
        let token = |service: &str| {
            format!("Token(TokenSelector {{ kind: \"HDFS_DELEGATION_TOKEN\", service: {service} }})")
        };
        for login in [&plain, &with_tickets] {
            assert_eq!(of("simple", login, Some("ha-hdfs:ns")), Ok("Simple".into()));
            assert!(of("none", login, None).is_err());
        }
        assert_eq!(of("kerberos", &plain, None), Ok(format!("Sasl([{}])", token("None"))));
        assert_eq!(
            of("kerberos", &with_tickets, Some("ha-hdfs:ns")),
            Ok(format!("Sasl([{}, Other(KERBEROS)])", token("Some(\"ha-hdfs:ns\")")))
        );
    }

    #[test]
    fn without_a_token_only_a_ticket_counts() {
        let plain = Login::simple(UserIdentity::new("alice"));
        let with_tickets = plain.clone().with_kerberos(Arc::new(Tickets));
        let of = |value: &str, login: &Login| {
            let policy = AuthPolicy::without_token(&conf(value), login, &SECURITY);
            policy.map(|policy| format!("{policy:?}"))
        };
        assert_eq!(of("simple", &with_tickets), Ok("Simple".into()));
        assert_eq!(of("kerberos", &plain), Ok("Sasl([])".into()));
        assert_eq!(of("kerberos", &with_tickets), Ok("Sasl([Other(KERBEROS)])".into()));
    }
}
