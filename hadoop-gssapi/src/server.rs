//! Whom the client expects behind an address. The server says which principal it has; a client that believed
//! that would talk to anybody who has some key. So the principal comes from the configuration, as it does in
//! Hadoop, and what the server says is only compared with it.

use std::net::IpAddr;

use hadoop_rpc::{ConfError, HadoopConf, KerberosProblem};

use crate::error::GssError;
use crate::glob;

/// Stands for the host's name in the principals of a configuration.
const HOST: &str = "_HOST";

/// What the configuration says about the principal of a kind of server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerRule {
    key: String,
    principal: Option<String>,
    pattern: Option<String>,
}

/// What is known about one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer<'a> {
    /// The service and the host of the principal that the server says it has: `protocol` and `serverId` of
    /// its offer.
    pub offered: (&'a str, &'a str),
    /// The names of the host, the one of the configuration first.
    pub names: &'a [String],
    /// The realm of a principal for which the configuration has none: the client's.
    pub realm: &'a str,
}

impl ServerRule {
    /// Reads the principal of a key such as `dfs.namenode.kerberos.principal`, and its `.pattern`.
    pub fn read(conf: &HadoopConf, key: &str) -> Result<Self, ConfError> {
        let value = |key: &str| {
            let value = conf.get(key)?.map(|v| v.trim().to_owned());
            Ok(value.filter(|v| !v.is_empty()))
        };
        Ok(Self { key: key.to_owned(), principal: value(key)?, pattern: value(&format!("{key}.pattern"))? })
    }

    /// Whether the names of the host matter.
    pub fn needs_names(&self) -> bool {
        self.pattern.is_none() && self.principal.as_deref().is_some_and(|p| parts(p).1 == Some(HOST))
    }

    /// The principal of the server in full, if the server says that it has one that the configuration allows.
    pub fn principal(&self, peer: Peer<'_>) -> Result<String, GssError> {
        let (service, host) = peer.offered;
        let doing = "checking the server's principal";
        let fail = |why: String| Err(GssError::new(KerberosProblem::WrongServer, doing, why));
        // A part that contains what divides parts could be read as another principal.
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-:".contains(c))
        };
        if !plain(service) || !plain(host) {
            return fail(format!("the server names none that can be one: {service:?} and {host:?}"));
        }
        let offered = format!("{service}/{host}");
        if let Some(pattern) = &self.pattern {
            let realm = realm_of_pattern(pattern)
                .or_else(|| self.principal.as_deref().and_then(|p| parts(p).2))
                .unwrap_or(peer.realm);
            let offered = format!("{offered}@{realm}");
            return match glob::matches(pattern, &offered) {
                Ok(true) => Ok(offered),
                Ok(false) => fail(format!(
                    "the server says that it is {offered}, which does not match {}.pattern = {pattern}",
                    self.key
                )),
                Err(why) => fail(format!("{}.pattern = {pattern}: {why}", self.key)),
            };
        }
        let Some(configured) = &self.principal else {
            return fail(format!(
                "the configuration has no {}, so it is not known who the server must be (it says {offered})",
                self.key
            ));
        };
        let (wanted_service, Some(wanted_host), realm) = parts(configured) else {
            return fail(format!("{} = {configured} has no host", self.key));
        };
        let realm = realm.unwrap_or(peer.realm);
        let names: Vec<String> = match wanted_host {
            HOST => peer.names.iter().map(|name| name.to_lowercase()).collect(),
            literal => vec![literal.to_owned()],
        };
        if wanted_service == service && names.iter().any(|name| name == host) {
            return Ok(format!("{offered}@{realm}"));
        }
        let wanted: Vec<String> =
            names.iter().map(|name| format!("{wanted_service}/{name}@{realm}")).collect();
        fail(format!(
            "the server says that it is {offered}, but {} = {configured} wants {}",
            self.key,
            wanted.join(" or ")
        ))
    }
}

/// Service, host and realm of a principal.
fn parts(principal: &str) -> (&str, Option<&str>, Option<&str>) {
    let (name, realm) = match principal.split_once('@') {
        Some((name, realm)) => (name, Some(realm)),
        None => (principal, None),
    };
    match name.split_once('/') {
        Some((service, host)) => (service, Some(host), realm),
        None => (name, None, realm),
    }
}

/// The realm of a pattern, if it is written out.
fn realm_of_pattern(pattern: &str) -> Option<&str> {
    let (_, realm) = pattern.rsplit_once('@')?;
    let plain = !realm.is_empty() && !realm.contains(['*', '?', '[', ']', '{', '}', ',', '\\', '/']);
    plain.then_some(realm)
}

/// Whether a host's name may be only a part of its full name, which has to be looked up, or is none at all.
pub(crate) fn is_short(host: &str) -> bool {
    !host.contains('.') || host.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dfs.namenode.kerberos.principal";

    fn decide(conf: &[(&str, &str)], offered: (&str, &str), names: &[&str]) -> Result<String, String> {
        let conf = HadoopConf::from_map(conf.iter().copied());
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let rule = ServerRule::read(&conf, KEY).unwrap();
        rule.principal(Peer { offered, names: &names, realm: "R" }).map_err(|error| {
            assert_eq!(error.problem(), KerberosProblem::WrongServer);
            error.to_string()
        })
    }

    #[test]
    fn the_principal_must_be_the_one_of_the_configuration() {
        let literal = [(KEY, "nn/host.example.com@R")];
        let host = ("nn", "host.example.com");
        assert_eq!(decide(&literal, host, &[]), Ok("nn/host.example.com@R".into()));
        // Without a realm it is the client's; with another one it is that.
        assert_eq!(decide(&[(KEY, "nn/host.example.com")], host, &[]), Ok("nn/host.example.com@R".into()));
        assert_eq!(decide(&[(KEY, "nn/host.example.com@S")], host, &[]), Ok("nn/host.example.com@S".into()));
        for (offered, why) in [
            (("nn", "evil"), "the server says that it is nn/evil, but dfs.namenode.kerberos.principal = "),
            (("rm", "host.example.com"), "wants nn/host.example.com@R"),
            (("nn", "HOST.example.com"), "wants nn/host.example.com@R"),
            (("", "host.example.com"), "names none that can be one"),
            (("nn", ""), "names none that can be one"),
        ] {
            let error = decide(&literal, offered, &["host.example.com", "evil"]).unwrap_err();
            assert!(error.starts_with("checking the server's principal: ") && error.contains(why), "{error}");
        }
        assert!(decide(&[], host, &[]).unwrap_err().contains("the configuration has no dfs.namenode"));
        assert!(decide(&[(KEY, "nn@R")], host, &[]).unwrap_err().contains("nn@R has no host"));
        assert!(
            decide(&[(KEY, " ")], host, &[]).unwrap_err().contains("the configuration has no dfs.namenode")
        );
    }

    #[test]
    fn a_host_stands_for_the_names_of_the_peer() {
        let conf = [(KEY, "nn/_HOST@R")];
        assert_eq!(decide(&conf, ("nn", "a.b"), &["A.B"]), Ok("nn/a.b@R".into()));
        assert_eq!(decide(&conf, ("nn", "a.b"), &["a", "a.b"]), Ok("nn/a.b@R".into()));
        let error = decide(&conf, ("nn", "c.b"), &["a", "a.b"]).unwrap_err();
        assert!(error.ends_with("the server says that it is nn/c.b, but dfs.namenode.kerberos.principal = nn/_HOST@R wants nn/a@R or nn/a.b@R"), "{error}");
        assert!(decide(&conf, ("nn", "_HOST"), &["a"]).is_err());
        // Only as the whole host.
        assert!(decide(&[(KEY, "nn/x_HOST@R")], ("nn", "xa"), &["a"]).is_err());
        let needs = |conf: &[(&str, &str)]| {
            ServerRule::read(&HadoopConf::from_map(conf.iter().copied()), KEY).unwrap().needs_names()
        };
        let pattern = format!("{KEY}.pattern");
        assert!(needs(&conf));
        assert!(!needs(&[(KEY, "nn/a@R")]) && !needs(&[]) && !needs(&[conf[0], (&pattern, "*")]));
    }

    #[test]
    fn a_pattern_takes_the_place_of_the_principal() {
        let pattern = format!("{KEY}.pattern");
        let with = |value| [(KEY, "nn/_HOST@S"), (pattern.as_str(), value)];
        let offered = ("nn", "b.example.com");
        assert_eq!(decide(&with("nn/*@T"), offered, &[]), Ok("nn/b.example.com@T".into()));
        assert_eq!(decide(&with("*"), offered, &[]), Ok("nn/b.example.com@S".into()));
        assert_eq!(decide(&[(&pattern, "nn/*@*")], offered, &[]), Ok("nn/b.example.com@R".into()));
        assert_eq!(decide(&with("nn/*"), offered, &[]), Ok("nn/b.example.com@S".into()));
        let error = decide(&with("nn/*.org@S"), offered, &["b.example.com"]).unwrap_err();
        assert!(error.ends_with("the server says that it is nn/b.example.com@S, which does not match dfs.namenode.kerberos.principal.pattern = nn/*.org@S"), "{error}");
        assert!(decide(&with("nn/{a"), offered, &[]).unwrap_err().contains("`{` without `}`"));
        // Nothing that the server says can add a realm or a part.
        for host in ["evil@T", "a/b", "a\\", "a\0", "a b", "ä"] {
            assert!(decide(&with("*"), ("nn", host), &[]).unwrap_err().contains("can be one"), "{host}");
        }
    }

    #[test]
    fn names_that_have_to_be_looked_up() {
        assert!(is_short("rm") && is_short("10.0.0.1") && is_short("::1"));
        assert!(!is_short("rm.example.com"));
    }
}
