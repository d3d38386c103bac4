//! The user who calls Hadoop's services, and the credentials that prove it, as one value that every client
//! takes. Clients share the credentials, so a token has to be replaced only once.

use std::fmt;
use std::sync::Arc;

use crate::conf::{ConfError, HadoopConf};
use crate::credentials::{Credentials, TokenSource};
use crate::fetches::Fetches;
use crate::sasl::MechanismFactory;
use crate::user::UserIdentity;

/// Where the Kerberos tickets of a login come from; the crate `hadoop-gssapi` implements it.
pub trait KerberosLogin: fmt::Debug + Send + Sync {
    /// Authenticates to servers whose principal is that of this key of the configuration, such as
    /// `dfs.namenode.kerberos.principal`. Only the configuration is read here; tickets are found, and the KDC
    /// is asked, when a connection is opened.
    fn mechanism(
        &self,
        conf: &HadoopConf,
        principal_key: &str,
    ) -> Result<Arc<dyn MechanismFactory>, ConfError>;
    /// The full principal, such as `alice@REALM`.
    fn principal(&self) -> &str;
}

/// A user with the user's credentials. Clones share the credentials: if a token is replaced, every client
/// that was given the login uses the new one.
#[derive(Debug, Clone)]
pub struct Login {
    user: UserIdentity,
    tokens: TokenSource,
    own_tokens: TokenSource,
    fetches: Fetches,
    kerberos: Option<Arc<dyn KerberosLogin>>,
}

impl Login {
    /// A user without credentials. Servers with simple authentication believe the user's name.
    pub fn simple(user: UserIdentity) -> Self {
        Self::new(user, Credentials::default())
    }

    /// A user with the credentials that YARN gave to a container, or that a file holds.
    pub fn new(user: UserIdentity, credentials: Credentials) -> Self {
        Self::with_tokens(user, TokenSource::new(credentials))
    }

    /// A user with credentials that other clients may share.
    pub fn with_tokens(user: UserIdentity, tokens: TokenSource) -> Self {
        let (own_tokens, fetches) = (TokenSource::default(), Fetches::default());
        Self { user, tokens, own_tokens, fetches, kerberos: None }
    }

    /// The user whom Hadoop's own clients would find by these environment variables (see
    /// [`UserIdentity::find`]), without credentials. `None` if the user of this process has no name.
    pub fn find(env: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        UserIdentity::find(env).map(Self::simple)
    }

    /// The same user with these credentials, in place of those that the login was made with.
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { tokens: TokenSource::new(credentials), ..self }
    }

    /// The same user with Kerberos tickets.
    pub fn with_kerberos(self, kerberos: Arc<dyn KerberosLogin>) -> Self {
        Self { kerberos: Some(kerberos), ..self }
    }

    /// The user.
    pub fn user(&self) -> &UserIdentity {
        &self.user
    }

    /// The user's tokens and secrets, which were given to the login. Connections authenticate with these
    /// tokens.
    pub fn tokens(&self) -> &TokenSource {
        &self.tokens
    }

    /// The tokens that clients of this process have fetched for themselves, by service. They are given to
    /// nobody else, and whoever ends the process cancels them.
    pub fn own_tokens(&self) -> &TokenSource {
        &self.own_tokens
    }

    /// The fetches of own tokens that are under way. Whoever cancels the own tokens lets them end first.
    pub fn fetches(&self) -> &Fetches {
        &self.fetches
    }

    /// The user's Kerberos tickets, if there are any.
    pub fn kerberos(&self) -> Option<&Arc<dyn KerberosLogin>> {
        self.kerberos.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use crate::credentials::Token;

    use super::*;

    #[test]
    fn a_token_that_is_replaced_is_replaced_for_all_clients() {
        let variables = |name: &str| (name == "HADOOP_USER_NAME").then(|| "ann".to_owned());
        let login = Login::find(&variables).unwrap();
        assert_eq!((login.user(), login.tokens().get().tokens.len()), (&UserIdentity::new("ann"), 0));
        let other = login.clone();
        login.tokens().put("rm", Token::default());
        assert_eq!(other.tokens().get().tokens.len(), 1);
        // A login with other credentials does not share them, but what is there to be cancelled.
        let apart = login.clone().with_credentials(Credentials::default());
        assert_eq!((apart.user(), apart.tokens().get().tokens.len()), (login.user(), 0));
        apart.own_tokens().put("nn", Token::default());
        assert_eq!(other.own_tokens().get().tokens.len(), 1);
        assert!(login.kerberos().is_none());
    }
}
