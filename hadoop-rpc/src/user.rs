//! The user for whom calls are made: the one whom Hadoop finds without Kerberos, or a principal. heddle has
//! to find the same user as Hadoop's own programs, because files and applications belong to that user.

/// The user for whom a request is made, and the user who makes it if that is another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UserIdentity {
    /// The user whose rights count.
    pub effective: String,
    /// The user who makes the request for the effective user (impersonation), if it is another one.
    pub real: Option<String>,
    /// The name of the effective user on servers, if it does not follow from the other one.
    short: Option<String>,
}

impl UserIdentity {
    /// A user without impersonation.
    pub fn new(name: impl Into<String>) -> Self {
        Self { effective: name.into(), real: None, short: None }
    }

    /// The user `effective`, for whom the user `real` makes requests (impersonation).
    pub fn proxied(effective: impl Into<String>, real: impl Into<String>) -> Self {
        Self { effective: effective.into(), real: Some(real.into()), short: None }
    }

    /// The user with this principal, such as `alice@REALM`, whom servers call `short` (see
    /// [`AuthToLocal`](crate::AuthToLocal)).
    pub fn principal(principal: impl Into<String>, short: impl Into<String>) -> Self {
        Self { effective: principal.into(), real: None, short: Some(short.into()) }
    }

    /// The user whom Hadoop finds with simple authentication: the one whom `HADOOP_USER_NAME` names, or else
    /// the user of this process. If `HADOOP_PROXY_USER` names another user, that one is the effective user,
    /// and the first one is the real user. `None` if the user of this process has no name.
    pub fn find(env: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |key: &str| env(key).filter(|v| !v.trim().is_empty());
        let user = set("HADOOP_USER_NAME").or_else(os_user)?;
        Some(match set("HADOOP_PROXY_USER") {
            Some(proxy) if proxy != user => Self::proxied(proxy, user),
            _ => Self::new(user),
        })
    }

    /// The user of this process, as the system names it, whatever variables say. `None` if the user of this
    /// process has no name.
    pub fn of_process() -> Option<Self> {
        os_user().map(Self::new)
    }

    /// The name of the effective user for paths and messages: the owner of the user's files. Of a principal
    /// for which no such name was given, it is the part before the first `/` or `@`.
    pub fn short_name(&self) -> &str {
        let first = || self.effective.split(['/', '@']).next().unwrap_or(&self.effective);
        self.short.as_deref().unwrap_or_else(first)
    }
}

/// The name that the system has for the user of this process. As Java's login module does, it asks the system
/// (`/etc/passwd`, LDAP, or what else `nsswitch.conf` names) and no variable: cron, sudo or a user may have
/// set `USER` to anything. `None` if the user id has no name.
pub fn os_user() -> Option<String> {
    whoami::username().ok().filter(|name| !name.is_empty())
}

/// The name of the user with this id, if the password file of this machine tells it.
pub fn user_name(uid: u32) -> Option<String> {
    let uid = uid.to_string();
    std::fs::read_to_string("/etc/passwd").ok()?.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id == uid && !name.is_empty()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pairs: &[(&str, &str)]) -> Option<UserIdentity> {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        UserIdentity::find(&move |key| pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()))
    }

    #[test]
    fn environment_wins_over_system() {
        assert_eq!(find(&[("HADOOP_USER_NAME", "alice")]), Some(UserIdentity::new("alice")));
        assert_eq!(
            find(&[("HADOOP_USER_NAME", "alice"), ("HADOOP_PROXY_USER", "bob")]),
            Some(UserIdentity::proxied("bob", "alice"))
        );
        let system = find(&[]);
        assert_eq!(find(&[("HADOOP_USER_NAME", "  ")]), system);
    }

    #[test]
    fn variables_do_not_name_the_user_of_this_process() {
        let system = find(&[]);
        assert_eq!(system, UserIdentity::of_process());
        assert_eq!(find(&[("USER", "mallory"), ("LOGNAME", "mallory")]), system);
    }

    #[test]
    fn short_names() {
        assert_eq!(UserIdentity::new("hdfs/host@REALM").short_name(), "hdfs");
        assert_eq!(UserIdentity::new("ann").short_name(), "ann");
        let etl = UserIdentity::principal("etl/host@REALM", "loader");
        assert_eq!((etl.effective.as_str(), etl.short_name()), ("etl/host@REALM", "loader"));
        assert_eq!(etl.real, None);
        assert_eq!(UserIdentity::proxied("bob", "etl/host@REALM").short_name(), "bob");
    }
}
