//! The user who calls Hadoop's services, and the credentials that prove it, as one value that every client
//! takes. Clients share the credentials, so a token has to be replaced only once.

use crate::credentials::{Credentials, TokenSource};
use crate::user::UserIdentity;

/// A user with the user's credentials. Clones share the credentials: if a token is replaced, every client
/// that was given the login uses the new one.
#[derive(Debug, Clone)]
pub struct Login {
    user: UserIdentity,
    tokens: TokenSource,
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
        Self { user, tokens }
    }

    /// The user whom Hadoop's own clients would find by these environment variables (see
    /// [`UserIdentity::find`]), without credentials. `None` if the user of this process has no name.
    pub fn find(env: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        UserIdentity::find(env).map(Self::simple)
    }

    /// The same user with these credentials.
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self::new(self.user, credentials)
    }

    /// The user.
    pub fn user(&self) -> &UserIdentity {
        &self.user
    }

    /// The user's tokens and secrets.
    pub fn tokens(&self) -> &TokenSource {
        &self.tokens
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
        // A login with other credentials does not share them.
        let apart = login.clone().with_credentials(Credentials::default());
        assert_eq!((apart.user(), apart.tokens().get().tokens.len()), (login.user(), 0));
    }
}
