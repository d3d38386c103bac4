//! Tokens and secrets in memory. Their `Debug` texts contain no secret, so that none can get into a log.

use std::collections::BTreeMap;
use std::fmt;

/// A delegation token. `Debug` hides the password.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Token {
    /// The kind, such as `YARN_AM_RM_TOKEN` or `HDFS_DELEGATION_TOKEN`.
    pub kind: String,
    /// The server that the token is for: `ip:port`, `host:port`, a logical name, or empty for any server.
    pub service: String,
    /// The identifier, which only the server can interpret. It is not secret, but it contains the user's
    /// name.
    pub identifier: Vec<u8>,
    /// The secret.
    pub password: Vec<u8>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} for '{}', {} bytes)", self.kind, self.service, self.identifier.len())
    }
}

/// Tokens and secrets by alias. `Debug` hides all secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// Tokens by alias (nearly always the same text as the token's service).
    pub tokens: BTreeMap<String, Token>,
    /// Other secrets by alias.
    pub secrets: BTreeMap<String, Vec<u8>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("tokens", &self.tokens)
            .field("secrets", &self.secrets.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Token {
    /// Whether both are of the same kind, for the same service.
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.kind, &self.service) == (&other.kind, &other.service)
    }
}

impl Credentials {
    /// Adds a token with its service as alias, in place of an older one.
    pub fn add_token(&mut self, token: Token) {
        self.tokens.insert(token.service.clone(), token);
    }

    /// Removes the tokens in whose place this one would come: those of its kind for the same service,
    /// whatever their aliases are.
    pub fn remove_like(&mut self, token: &Token) {
        self.tokens.retain(|_, old| !old.is_like(token));
    }

    /// The token of this kind for one of `services`, of which earlier ones are preferred, or else one of this
    /// kind without a service. Services are addresses as text, with a host name or an IP address.
    pub fn find_token<S: AsRef<str>>(&self, kind: &str, services: &[S]) -> Option<&Token> {
        // The service of a token for a group of servers is a list of all of them.
        let is_for = |token: &Token, service: &str| {
            token.service.split(',').any(|s| s.trim().eq_ignore_ascii_case(service)) && !service.is_empty()
        };
        let mut candidates = self.tokens.values().filter(|t| t.kind == kind);
        let named = services.iter().find_map(|s| candidates.clone().find(|t| is_for(t, s.as_ref())));
        named.or_else(|| candidates.find(|t| t.service.is_empty()))
    }

    /// All tokens of a kind.
    pub fn tokens_of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Token> {
        self.tokens.values().filter(move |t| t.kind == kind)
    }
}
