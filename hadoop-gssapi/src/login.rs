//! The tickets of one principal as a login of hadoop-rpc has them.

use std::sync::Arc;

use hadoop_rpc::{ConfError, HadoopConf, KerberosLogin, KerberosProblem, MechanismFactory};

use crate::calls::Name;
use crate::credentials::TicketSource;
use crate::error::GssError;
use crate::factory::Kerberos;
use crate::library::Library;
use crate::server::ServerRule;

/// The tickets of a principal. Clones share them.
#[derive(Debug, Clone)]
pub struct TicketLogin {
    source: TicketSource,
    principal: String,
}

impl TicketLogin {
    /// The tickets of this source, as long as they are those of this principal in full (see
    /// [`Credentials::principal`](crate::Credentials::principal)). If somebody else has run `kinit` since, no
    /// connection is opened with the tickets.
    pub fn new(source: TicketSource, principal: String) -> Self {
        Self { source, principal }
    }

    /// Where the tickets come from.
    pub fn source(&self) -> &TicketSource {
        &self.source
    }
}

impl KerberosLogin for TicketLogin {
    fn mechanism(
        &self,
        conf: &HadoopConf,
        principal_key: &str,
    ) -> Result<Arc<dyn MechanismFactory>, ConfError> {
        let server = ServerRule::read(conf, principal_key)?;
        Ok(Arc::new(Kerberos::new(self.source.clone(), server).only_as(&self.principal)))
    }

    fn principal(&self) -> &str {
        &self.principal
    }
}

impl Library {
    /// The realm of principals that are written without one: `default_realm` of krb5.conf. Blocks if
    /// krb5.conf has the realm looked up.
    pub fn default_realm(self) -> Result<String, GssError> {
        let doing = "finding the default realm";
        // The library adds the realm to a name that has none.
        let name = Name::principal(self, "heddle").and_then(|name| name.of_kerberos(doing)?.text());
        let name = name.map_err(|error| GssError::new(error.problem(), doing, error.to_string()))?;
        match name.rsplit_once('@') {
            Some((_, realm)) if !realm.is_empty() => Ok(realm.to_owned()),
            _ => Err(GssError::new(KerberosProblem::Other, doing, "krb5.conf names none")),
        }
    }
}
