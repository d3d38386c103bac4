use crate::{HdfsError, Result};

/// How messages are protected after the authentication, with the names of Hadoop's settings
/// `hadoop.rpc.protection` and `dfs.data.transfer.protection`. A stronger protection is greater.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Protection {
    /// Messages are plain (SASL's `auth`).
    Authentication,
    /// Messages are signed (`auth-int`).
    Integrity,
    /// Messages are signed and encrypted (`auth-conf`).
    Privacy,
}

impl Protection {
    /// All protections, the weakest first.
    pub const ALL: [Self; 3] = [Self::Authentication, Self::Integrity, Self::Privacy];

    /// Hadoop's name of the protection.
    pub fn name(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Integrity => "integrity",
            Self::Privacy => "privacy",
        }
    }

    /// SASL's name of the protection.
    pub(crate) fn qop(self) -> &'static str {
        match self {
            Self::Authentication => "auth",
            Self::Integrity => "auth-int",
            Self::Privacy => "auth-conf",
        }
    }

    /// Parse the value of the setting `key`, which is a list of names. An unknown name is an error.
    pub(crate) fn parse_list(key: &str, value: &str) -> Result<Vec<Self>> {
        value
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| {
                Self::ALL
                    .into_iter()
                    .find(|p| p.name().eq_ignore_ascii_case(name))
                    .ok_or_else(|| {
                        HdfsError::InvalidArgument(format!(
                            "{key} = {value}: `{name}` is none of authentication, integrity, privacy"
                        ))
                    })
            })
            .collect()
    }

    /// The strongest protection that is allowed here and that the server offers, by SASL's names.
    /// Names that SASL does not have are passed over. `setting` is where the allowed ones are set.
    pub(crate) fn choose(allowed: &[Self], offered: &[String], setting: &str) -> Result<Self> {
        allowed
            .iter()
            .copied()
            .filter(|p| offered.iter().any(|name| name == p.qop()))
            .max()
            .ok_or_else(|| {
                let theirs: Vec<&str> = offered
                    .iter()
                    .map(|name| {
                        Self::ALL
                            .into_iter()
                            .find(|p| p.qop() == name)
                            .map_or(name.as_str(), |p| p.name())
                    })
                    .collect();
                let ours: Vec<&str> = allowed.iter().copied().map(Self::name).collect();
                HdfsError::SASLError(format!(
                    "the server offers {} for the protection of messages, but {setting} here allows only {}",
                    theirs.join(", "),
                    ours.join(", ")
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::Protection::{self, Authentication, Integrity, Privacy};

    #[test]
    fn lists_are_parsed() {
        let parse = |value| Protection::parse_list("hadoop.rpc.protection", value);
        assert_eq!(
            parse("PRIVACY , integrity").unwrap(),
            vec![Privacy, Integrity]
        );
        assert_eq!(parse(" , ").unwrap(), vec![]);
        let error = parse("privacy,secrecy").unwrap_err().to_string();
        assert!(error.contains("`secrecy`"), "{error}");
    }

    #[test]
    fn the_strongest_is_chosen() {
        let choose = |allowed: &[Protection], offered: &str| {
            let offered: Vec<String> = offered.split(',').map(str::to_string).collect();
            Protection::choose(allowed, &offered, "hadoop.rpc.protection").ok()
        };
        let all = Protection::ALL;
        assert_eq!(choose(&all, "auth,auth-int,auth-conf"), Some(Privacy));
        assert_eq!(choose(&all, "auth-new,auth"), Some(Authentication));
        assert_eq!(
            choose(&[Authentication], "auth,auth-conf"),
            Some(Authentication)
        );
        assert_eq!(choose(&[Integrity, Privacy], "auth"), None);
        assert_eq!(choose(&[Privacy], "auth,auth-int"), None);
    }
}
