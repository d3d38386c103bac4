//! How strongly messages are protected after the authentication: what the configuration allows, and what is
//! chosen of it.

use crate::conf::{ConfError, HadoopConf};

/// The key of Hadoop's configuration.
const KEY: &str = "hadoop.rpc.protection";

/// The protection of messages, with Hadoop's names in `hadoop.rpc.protection`. SASL calls it quality of
/// protection. A stronger one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// `authentication` (SASL `auth`): messages are plain.
    Authentication,
    /// `integrity` (`auth-int`): messages are signed.
    Integrity,
    /// `privacy` (`auth-conf`): messages are signed and encrypted.
    Privacy,
}

impl Protection {
    /// All kinds of protection, the weakest first.
    pub const ALL: [Self; 3] = [Self::Authentication, Self::Integrity, Self::Privacy];

    /// Hadoop's name of the protection.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Integrity => "integrity",
            Self::Privacy => "privacy",
        }
    }

    /// The protection of this name in Hadoop, in upper or lower case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name().eq_ignore_ascii_case(name.trim()))
    }

    /// The protections that `hadoop.rpc.protection` of the configuration allows: `authentication` if the key
    /// is not set. A name that Hadoop does not have is an error, as it is in Hadoop.
    pub fn allowed(conf: &HadoopConf) -> Result<Vec<Self>, ConfError> {
        conf.parsed(KEY, vec![Self::Authentication], |list| {
            let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
            let found: Result<Vec<Self>, String> = names
                .map(|name| {
                    Self::from_name(name).ok_or_else(|| {
                        format!("`{name}` is none of {}", Self::ALL.map(Self::name).join(", "))
                    })
                })
                .collect();
            found.map(|found| if found.is_empty() { vec![Self::Authentication] } else { found })
        })
    }

    /// The strongest protection that is allowed here and that the server offers, by SASL's names. Names that
    /// SASL does not have are passed over.
    pub fn choose(allowed: &[Self], offered: &[String]) -> Option<Self> {
        allowed.iter().copied().filter(|p| offered.iter().any(|name| name == p.qop())).max()
    }

    /// What the server offers, in Hadoop's names where there is one.
    pub fn named(offered: &[String]) -> String {
        let name = |qop: &String| match Self::ALL.into_iter().find(|p| p.qop() == qop) {
            Some(protection) => protection.name().to_owned(),
            None => qop.clone(),
        };
        offered.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// SASL's name of the protection.
    pub fn qop(self) -> &'static str {
        match self {
            Self::Authentication => "auth",
            Self::Integrity => "auth-int",
            Self::Privacy => "auth-conf",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(value: &str) -> Result<Vec<Protection>, String> {
        Protection::allowed(&HadoopConf::from_map([(KEY, value)])).map_err(|e| e.to_string())
    }

    #[test]
    fn the_configuration_lists_what_is_allowed() {
        use Protection::{Authentication, Integrity, Privacy};
        assert_eq!(Protection::allowed(&HadoopConf::default()), Ok(vec![Authentication]));
        for (value, expected) in [
            ("", vec![Authentication]),
            (" , ", vec![Authentication]),
            ("privacy", vec![Privacy]),
            ("PRIVACY , Integrity", vec![Privacy, Integrity]),
            ("authentication,integrity,privacy", vec![Authentication, Integrity, Privacy]),
        ] {
            assert_eq!(allowed(value), Ok(expected), "{value:?}");
        }
        let error = allowed("privacy,secrecy").unwrap_err();
        assert!(error.contains("hadoop.rpc.protection = 'privacy,secrecy'"), "{error}");
        assert!(error.contains("`secrecy` is none of authentication, integrity, privacy"), "{error}");
    }

    /// Whatever the order of either list, the strongest of what both have is chosen, and nothing else.
    #[test]
    fn the_strongest_is_chosen() {
        for (ours, theirs, expected) in [
            ("authentication", "auth", Some("authentication")),
            ("authentication", "auth,auth-int,auth-conf", Some("authentication")),
            ("authentication,privacy", "auth,auth-int,auth-conf", Some("privacy")),
            ("privacy,authentication", "auth-conf,auth", Some("privacy")),
            ("integrity,privacy,authentication", "auth-int,auth", Some("integrity")),
            ("authentication,integrity,privacy", "auth", Some("authentication")),
            ("privacy", "auth,auth-int", None),
            ("integrity,privacy", "auth", None),
            ("authentication", "auth-conf", None),
            ("authentication,integrity,privacy", "", None),
            ("privacy", "auth-conf,auth-new", Some("privacy")),
        ] {
            let offered: Vec<String> = theirs.split(',').map(str::to_owned).collect();
            let chosen = Protection::choose(&allowed(ours).unwrap(), &offered);
            assert_eq!(chosen.map(Protection::name), expected, "{ours} with {theirs}");
        }
        assert_eq!(Protection::named(&["auth".into(), "auth-new".into()]), "authentication, auth-new");
    }
}
