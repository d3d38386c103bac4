//! The delegation tokens that the client has fetched for the application: which of them containers and JVMs
//! get, when they end, and how they are replaced. Only a cluster with Kerberos has such tokens.
//!
//! YARN's ResourceManager renews the tokens of the client until they have reached their greatest age. Those
//! that the JobManager obtains later are unknown to YARN: nobody renews them, they are replaced instead.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flink_model::spec::OWN_ALIAS_PREFIX;
use hadoop_fs::{HDFS_TOKEN, TokenIdentity};
use hadoop_rpc::{Credentials, CredentialsError, Token, TokenFormat};
use yarn_api::{AMRM_TOKEN, NM_TOKEN, RM_DELEGATION_TOKEN};

/// The variable that names the credentials file of a process, for Hadoop's client.
pub(crate) const FILE_VARIABLE: &str = "HADOOP_TOKEN_FILE_LOCATION";
/// Tokens with which whoever has them can act for the whole application, or start and stop applications.
const OF_YARN: [&str; 3] = [AMRM_TOKEN, NM_TOKEN, RM_DELEGATION_TOKEN];
/// The credentials file for the JVMs in the ApplicationMaster's container.
const FILE: &str = ".heddle-tokens";
/// What the service of a token for a nameservice with several NameNodes begins with.
const LOGICAL: &str = "ha-hdfs:";
/// How long a token lives that is not renewed, where nothing tells it: as NameNodes have it without
/// `dfs.namenode.delegation.token.renew-interval`.
const USUAL_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What containers and JVMs of an application get of the ApplicationMaster's credentials: all tokens but
/// those with which they could act for the whole application, and all secrets but heddle's own.
pub(crate) fn for_others(credentials: &Credentials) -> Credentials {
    let mut credentials = credentials.clone();
    credentials.tokens.retain(|_, token| !OF_YARN.contains(&token.kind.as_str()));
    credentials.secrets.retain(|alias, _| !alias.starts_with(OWN_ALIAS_PREFIX));
    credentials
}

/// Writes the credentials file for the JVMs in the ApplicationMaster's container, in place of an older one,
/// and gives its path. Only the owner can read it. A link of its name is replaced, and not followed.
pub(crate) fn write_file(credentials: &Credentials, dir: &Path) -> Result<PathBuf, CredentialsError> {
    let path = dir.join(FILE);
    for_others(credentials).write_file(&path, TokenFormat::Writable)?;
    Ok(path)
}

/// How much of a token's life has passed, and how much is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lifetime {
    pub(crate) passed: Duration,
    pub(crate) left: Duration,
}

impl Lifetime {
    /// Of a token that the client has fetched. `now` is the time of day, since 1970. None if the token does
    /// not tell.
    fn of(token: &Token, now: Duration) -> Option<Self> {
        let identity = TokenIdentity::of(token)?;
        let passed = now.saturating_sub(Duration::from_millis(identity.issued_ms));
        // Of a token that nobody may renew only the NameNode knows when it ends.
        let left = if identity.renewer.is_empty() { Duration::ZERO } else { left(&identity, now) };
        Some(Self { passed, left })
    }

    /// Of tokens that the JobManager has just obtained. `expires` is when the first of them ends, in
    /// milliseconds since 1970, if that is known.
    pub(crate) fn of_new(expires: Option<u64>, now: Duration) -> Self {
        let left = expires.map_or(USUAL_LIFE, |end| Duration::from_millis(end).saturating_sub(now));
        Self { passed: Duration::ZERO, left }
    }

    /// When the token is to be replaced: after three quarters of its life.
    pub(crate) fn replace_in(self) -> Duration {
        let whole = self.passed.saturating_add(self.left);
        (whole - whole / 4).saturating_sub(self.passed)
    }
}

/// When the token reaches its greatest age, if it tells: the time since 1970.
fn latest_end(token: &Token) -> Option<Duration> {
    TokenIdentity::of(token).map(|identity| Duration::from_millis(identity.max_date_ms))
}

/// The same of the tokens of this kind, as far as they tell.
fn latest_ends(credentials: &Credentials, kind: &'static str) -> impl Iterator<Item = Duration> {
    credentials.tokens_of_kind(kind).filter_map(latest_end)
}

/// When the first of the tokens for file systems ends, however often it is renewed: the time since 1970. None
/// if no token tells it.
pub(crate) fn first_end(credentials: &Credentials) -> Option<Duration> {
    latest_ends(credentials, HDFS_TOKEN).min()
}

/// Whether a token for a file system has reached its greatest age, so that the NameNode refuses it. YARN
/// starts each attempt with the tokens of the submission, however old these are.
pub(crate) fn have_ended(credentials: &Credentials, now: Duration) -> bool {
    first_end(credentials).is_some_and(|end| end <= now)
}

/// What the diagnostics of a failed application say of a token for a file system that has reached its
/// greatest age: Flink tells only that a checkpoint or a start has failed. One line; none if there is no such
/// token.
pub(crate) fn told_of_ended(credentials: &Credentials, now: Duration) -> Option<String> {
    let ended = |token: &&Token| latest_end(token).is_some_and(|end| end <= now);
    let Token { kind, service, .. } = credentials.tokens_of_kind(HDFS_TOKEN).find(ended)?;
    Some(format!(
        "The {kind} for {service} has expired: it has reached its greatest age, and no JobManager with a keytab had \
         replaced it, so HDFS refused what came after that"
    ))
}

/// Whether the token for the ResourceManager has reached its greatest age. Nobody replaces it, so whoever
/// would need it does without.
pub(crate) fn resource_manager_token_ended(credentials: &Credentials, now: Duration) -> bool {
    latest_ends(credentials, RM_DELEGATION_TOKEN).max().is_some_and(|end| end <= now)
}

/// Until the token has reached its greatest age.
fn left(identity: &TokenIdentity, now: Duration) -> Duration {
    Duration::from_millis(identity.max_date_ms).saturating_sub(now)
}

/// The tokens for file systems that can be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldTokens {
    /// The URLs of the file systems.
    pub(crate) file_systems: Vec<String>,
    /// Of the token that is to be replaced first.
    pub(crate) lifetime: Lifetime,
}

impl HeldTokens {
    /// Those among the credentials; none if there is no such token. `now` is the time of day, since 1970.
    pub(crate) fn among(credentials: &Credentials, now: Duration) -> Option<Self> {
        let tokens = || credentials.tokens_of_kind(HDFS_TOKEN);
        let file_systems: BTreeSet<String> = tokens().filter_map(file_system).collect();
        let lifetimes = tokens().filter_map(|token| Lifetime::of(token, now));
        let lifetime = lifetimes.min_by_key(|lifetime| lifetime.replace_in());
        (!file_systems.is_empty()).then(|| Self {
            file_systems: file_systems.into_iter().collect(),
            lifetime: lifetime.unwrap_or(Lifetime { passed: Duration::ZERO, left: USUAL_LIFE }),
        })
    }
}

/// The URL of the file system that a token is for. With it Hadoop's client obtains a token with the same
/// service.
fn file_system(token: &Token) -> Option<String> {
    let place = token.service.strip_prefix(LOGICAL).unwrap_or(&token.service);
    (!place.is_empty()).then(|| format!("hdfs://{place}"))
}

/// Puts the tokens of `new` in the place of those for the same services; gives how many these are. Tokens of
/// YARN's are left out, because the JobManager has no say in them, and so are secrets.
pub(crate) fn replace(held: &mut Credentials, new: Credentials) -> usize {
    let mut count = 0;
    for (alias, token) in new.tokens {
        if OF_YARN.contains(&token.kind.as_str()) {
            continue;
        }
        held.remove_like(&token);
        let taken = held.tokens.contains_key(&alias);
        let alias = if taken { format!("{alias} {}", token.kind) } else { alias };
        held.tokens.insert(alias, token);
        count += 1;
    }
    count
}

/// Why new tokens must not take the places of those that are held; none if they may. If the application runs
/// for another user than the one whose tickets its client has (impersonation), the keytab is that of the
/// latter, to whom the application's files do not belong.
pub(crate) fn refusal(held: &Credentials, new: &Credentials) -> Option<String> {
    new.tokens.values().find_map(|token| {
        let old = held.tokens.values().find(|old| old.is_like(token))?;
        let (old, new) = (TokenIdentity::of(old)?, TokenIdentity::of(token)?);
        (old.owner != new.owner).then(|| {
            format!(
                "the JobManager's token for {} is one of {}, and that of the application one of {}",
                token.service, new.owner, old.owner
            )
        })
    })
}

/// Logs which tokens there are, and for how long they can live. `now` is the time of day, since 1970.
pub(crate) fn log(credentials: &Credentials, now: Duration) {
    for token in credentials.tokens.values() {
        let Token { kind, service, .. } = token;
        match TokenIdentity::of(token) {
            Some(identity) => {
                let TokenIdentity { owner, renewer, .. } = &identity;
                let left_s = left(&identity, now).as_secs();
                tracing::info!(kind, service, owner, renewer, left_s, "token");
            }
            // A token of YARN's own says nothing that concerns us.
            None => tracing::info!(kind, service, "token"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const ISSUED: Duration = Duration::from_secs(1_700_000_000);

    /// A number as Java's `WritableUtils.writeVLong` writes it.
    fn number(value: u64) -> Vec<u8> {
        if let Ok(small @ ..=127) = u8::try_from(value) {
            return vec![small];
        }
        let bytes = value.to_be_bytes();
        let bytes = &bytes[value.leading_zeros() as usize / 8..];
        let mut written = vec![u8::try_from(256 - 112 - bytes.len()).unwrap()];
        written.extend_from_slice(bytes);
        written
    }

    fn text(text: &str) -> Vec<u8> {
        [number(text.len() as u64), text.as_bytes().to_vec()].concat()
    }

    /// A token that was issued at [`ISSUED`] and can live for `life`.
    fn token(kind: &str, service: &str, renewer: &str, life: Duration) -> Token {
        token_of("alice@R", kind, service, renewer, life)
    }

    fn token_of(owner: &str, kind: &str, service: &str, renewer: &str, life: Duration) -> Token {
        let ms = |time: Duration| number(u64::try_from(time.as_millis()).unwrap());
        let names = [owner, renewer, ""].map(text).concat();
        let identifier = [vec![0], names, ms(ISSUED), ms(ISSUED + life), number(1), number(2)].concat();
        Token { kind: kind.into(), service: service.into(), identifier, password: b"hush".to_vec() }
    }

    fn credentials(tokens: impl IntoIterator<Item = Token>) -> Credentials {
        let mut credentials = Credentials::default();
        tokens.into_iter().for_each(|token| credentials.add_token(token));
        credentials
    }

    fn other(kind: &str, service: &str) -> Token {
        Token { kind: kind.into(), service: service.into(), ..Token::default() }
    }

    #[test]
    fn a_failure_is_told_of_tokens_that_have_ended() {
        let held = credentials([
            token(HDFS_TOKEN, "a:1", "yarn", HOUR * 2),
            token(HDFS_TOKEN, "b:1", "yarn", HOUR),
            token(RM_DELEGATION_TOKEN, "c:1", "yarn", HOUR / 2),
        ]);
        assert_eq!(told_of_ended(&held, ISSUED + HOUR / 2), None);
        let told = told_of_ended(&held, ISSUED + HOUR).unwrap();
        assert!(told.starts_with("The HDFS_DELEGATION_TOKEN for b:1 has expired: "), "{told}");
        assert_eq!(told.lines().count(), 1);
    }

    #[test]
    fn others_get_no_token_of_yarns_and_no_secret_of_heddles() {
        let mut all = credentials([
            token(HDFS_TOKEN, "ha-hdfs:ns", "yarn", HOUR),
            other(AMRM_TOKEN, ""),
            other(RM_DELEGATION_TOKEN, "10.0.0.1:8032"),
            other("kms-dt", "kms"),
        ]);
        all.secrets.insert(format!("{OWN_ALIAS_PREFIX}control.root"), vec![1]);
        all.secrets.insert("someone.elses".into(), vec![2]);
        let theirs = for_others(&all);
        let kinds: Vec<&str> = theirs.tokens.values().map(|token| token.kind.as_str()).collect();
        assert_eq!(kinds, [HDFS_TOKEN, "kms-dt"]);
        assert_eq!(theirs.secrets.keys().collect::<Vec<_>>(), ["someone.elses"]);
    }

    #[test]
    fn the_file_is_its_owners_and_is_written_over_but_not_what_a_link_leads_to() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let canary = cache.path().join("canary");
        std::fs::write(&canary, "sings").unwrap();
        symlink(&canary, dir.path().join(FILE)).unwrap();
        for service in ["a:1", "b:1"] {
            let written = credentials([token(HDFS_TOKEN, service, "yarn", HOUR), other(AMRM_TOKEN, "")]);
            let path = write_file(&written, dir.path()).unwrap();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            assert!(metadata.is_file() && metadata.permissions().mode() & 0o777 == 0o600);
            assert_eq!(Credentials::read_file(&path).unwrap(), for_others(&written));
        }
        assert_eq!(std::fs::read(&canary).unwrap(), b"sings");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_token_is_replaced_after_three_quarters_of_its_life() {
        let held = credentials([
            token(HDFS_TOKEN, "10.0.0.1:8020", "yarn", 100 * HOUR),
            token(HDFS_TOKEN, "ha-hdfs:ns", "yarn", 40 * HOUR),
            token("kms-dt", "kms", "yarn", HOUR),
        ]);
        let at = |hours: u32| HeldTokens::among(&held, ISSUED + hours * HOUR).unwrap();
        assert_eq!(at(0).file_systems, ["hdfs://10.0.0.1:8020", "hdfs://ns"]);
        assert_eq!(at(0).lifetime.replace_in(), 30 * HOUR);
        assert_eq!(at(10).lifetime.replace_in(), 20 * HOUR);
        assert_eq!(at(50).lifetime.replace_in(), Duration::ZERO);
        let without = credentials([other(AMRM_TOKEN, ""), other("kms-dt", "kms")]);
        assert_eq!(HeldTokens::among(&without, ISSUED), None);
    }

    #[test]
    fn a_token_whose_end_is_not_known_is_replaced_soon() {
        let nobody_renews = credentials([token(HDFS_TOKEN, "ha-hdfs:ns", "", 100 * HOUR)]);
        let replace_in = |held: &Credentials| HeldTokens::among(held, ISSUED).unwrap().lifetime.replace_in();
        assert_eq!(replace_in(&nobody_renews), Duration::ZERO);
        assert_eq!(replace_in(&credentials([other(HDFS_TOKEN, "a:1")])), 18 * HOUR);
        let expires = u64::try_from((ISSUED + 4 * HOUR).as_millis()).unwrap();
        assert_eq!(Lifetime::of_new(Some(expires), ISSUED).replace_in(), 3 * HOUR);
        assert_eq!(Lifetime::of_new(Some(1), ISSUED).replace_in(), Duration::ZERO);
        assert_eq!(Lifetime::of_new(None, ISSUED).replace_in(), 18 * HOUR);
    }

    #[test]
    fn tokens_end_at_their_greatest_age() {
        let held = credentials([
            token(HDFS_TOKEN, "ha-hdfs:ns", "yarn", 40 * HOUR),
            token(HDFS_TOKEN, "10.0.0.1:8020", "yarn", 30 * HOUR),
            // An old ResourceManager writes its tokens as HDFS does.
            token(RM_DELEGATION_TOKEN, "10.0.0.1:8032", "yarn", 20 * HOUR),
            other(AMRM_TOKEN, ""),
        ]);
        assert_eq!(first_end(&held), Some(ISSUED + 30 * HOUR));
        let ended = |hours: u32| {
            let now = ISSUED + hours * HOUR;
            (have_ended(&held, now), resource_manager_token_ended(&held, now))
        };
        assert_eq!([ended(19), ended(20), ended(30)], [(false, false), (false, true), (true, true)]);
        let silent = credentials([other(HDFS_TOKEN, "a:1"), other(RM_DELEGATION_TOKEN, "a:2")]);
        assert_eq!(first_end(&silent), None);
        assert!(!have_ended(&silent, ISSUED) && !resource_manager_token_ended(&silent, ISSUED));
    }

    #[test]
    fn new_tokens_take_the_places_of_those_for_the_same_services() {
        let mut held = credentials([other(AMRM_TOKEN, ""), other("kms-dt", "kms")]);
        held.tokens.insert("the client's alias".into(), token(HDFS_TOKEN, "ha-hdfs:ns", "yarn", HOUR));
        let new = token(HDFS_TOKEN, "ha-hdfs:ns", "alice", HOUR);
        let of_yarn = other(RM_DELEGATION_TOKEN, "rm:1");
        let mut obtained = credentials([new.clone(), of_yarn, other("other", "kms")]);
        obtained.secrets.insert(format!("{OWN_ALIAS_PREFIX}control.root"), vec![1]);
        assert_eq!(replace(&mut held, obtained), 2);
        let found: Vec<&Token> = held.tokens_of_kind(HDFS_TOKEN).collect();
        assert_eq!(found, [&new]);
        assert_eq!(held.tokens.len(), 4, "{held:?}");
        assert!(held.tokens_of_kind(RM_DELEGATION_TOKEN).next().is_none() && held.secrets.is_empty());
        assert_eq!(held.tokens_of_kind("kms-dt").count(), 1);
    }

    #[test]
    fn tokens_of_another_user_are_refused() {
        let held = credentials([token_of("bob", HDFS_TOKEN, "ha-hdfs:ns", "yarn", HOUR)]);
        let theirs = credentials([token(HDFS_TOKEN, "ha-hdfs:ns", "alice", HOUR)]);
        let why = refusal(&held, &theirs).unwrap();
        assert!(why.contains("one of alice@R, and") && why.ends_with("one of bob"), "{why}");
        assert_eq!(refusal(&theirs, &theirs), None);
        let elsewhere = credentials([token(HDFS_TOKEN, "ha-hdfs:other", "alice", HOUR)]);
        assert_eq!(refusal(&held, &elsewhere), None);
    }
}
