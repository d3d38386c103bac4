//! Kerberos as a way to authenticate for the connections of hadoop-rpc.

use hadoop_rpc::{KerberosProblem, Mechanism, MechanismFactory, SaslConnection, SaslError, SaslOffer};

use crate::calls::Name;
use crate::context::Context;
use crate::credentials::TicketSource;
use crate::error::GssError;
use crate::sasl::Gssapi;
use crate::server::{Peer, ServerRule, is_short};

/// Authenticates connections to servers of one kind with Kerberos. All of its work blocks, and may ask the
/// KDC: it is for a thread that may block, with a deadline of the caller's.
#[derive(Debug, Clone)]
pub struct Kerberos {
    tickets: TicketSource,
    server: ServerRule,
    principal: Option<String>,
}

impl Kerberos {
    /// Authenticates with these tickets to servers that have the principal of the rule.
    pub fn new(tickets: TicketSource, server: ServerRule) -> Self {
        Self { tickets, server, principal: None }
    }

    /// The same, but tickets of another principal than this one, in full, are not used.
    pub fn only_as(self, principal: &str) -> Self {
        Self { principal: Some(principal.to_owned()), ..self }
    }

    /// The names that `_HOST` may stand for. Java looks up the name of the address, whoever answers that.
    /// Here the name of the configuration counts, and only a short one, or an address, is looked up, in the
    /// way that krb5.conf says.
    fn names(&self, service: &str, host: &str) -> Vec<String> {
        let mut names = vec![host.to_owned()];
        if self.server.needs_names() && is_short(host) {
            names.extend(looked_up(&self.tickets, service, host).ok().flatten());
        }
        names
    }
}

/// The host's name as the library looks it up; it writes `service/host@REALM`.
fn looked_up(tickets: &TicketSource, service: &str, host: &str) -> Result<Option<String>, GssError> {
    let name = Name::looked_up(tickets.library(), &format!("{service}@{host}"))?.text()?;
    let full = name.split_once('/').and_then(|(_, rest)| rest.split_once('@'));
    Ok(full.map(|(full, _)| full.to_owned()).filter(|full| full != host))
}

impl MechanismFactory for Kerberos {
    fn method(&self) -> &str {
        "KERBEROS"
    }

    fn start(
        &self,
        offer: &SaslOffer,
        connection: SaslConnection<'_>,
    ) -> Result<Option<Box<dyn Mechanism>>, SaslError> {
        if offer.mechanism != "GSSAPI" {
            return Ok(None);
        }
        let credentials = self.tickets.acquire()?;
        let found = credentials.principal();
        if let Some(wanted) = self.principal.as_deref().filter(|wanted| *wanted != found) {
            let why = format!("the tickets are {found}'s, but this program has logged in as {wanted}");
            return Err(GssError::new(KerberosProblem::NoCredentials, self.tickets.to_string(), why).into());
        }
        let peer = Peer {
            offered: (&offer.protocol, &offer.server_id),
            names: &self.names(&offer.protocol, connection.endpoint.host()),
            realm: credentials.realm(),
        };
        let server = self.server.principal(peer)?;
        let context = Context::initiate(&credentials, &server)?;
        Ok(Some(Box::new(Gssapi::new(context, connection.protection))))
    }
}
