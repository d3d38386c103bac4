//! Knows which keys hold secrets, and hides their values in everything that is printed or logged.

use std::borrow::Cow;

/// What is shown instead of a secret.
pub const HIDDEN: &str = "******";

/// Parts of the names of keys whose values must not be shown: the union of the lists that Flink's releases
/// have (`GlobalConfiguration`).
const FLINKS: [&str; 11] = [
    "password",
    "secret",
    "fs.azure.account.key",
    "apikey",
    "api-key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas.config",
    "http-headers",
];

/// Parts of the names of other keys that hold secrets, as connectors, file systems and TLS libraries have
/// them.
const OTHERS: [&str; 12] = [
    "private.key",
    "private-key",
    "privatekey",
    "passphrase",
    "credential",
    "access.key",
    "access-key",
    "accesskey",
    "account.key",
    "encryption.key",
    "encryption-key",
    "keystore.key",
];

/// Whether the value of this key must not be shown. A key that only says what provides credentials, such as
/// the name of a class, holds no secret.
pub fn is_sensitive(key: &str) -> bool {
    let key = key.to_lowercase();
    let has = |part: &&str| key.contains(*part) && !(*part == "credential" && key.contains("provider"));
    FLINKS.iter().chain(&OTHERS).any(has)
}

/// The value of this key as it may be shown. A secret is replaced by stars, and so are the secrets inside
/// another value.
pub fn shown(key: &str, value: String) -> String {
    if is_sensitive(key) { HIDDEN.to_owned() } else { masked(&value) }
}

/// A text with stars instead of the secrets in it: what follows `=` behind a sensitive key, to the end of the
/// word or of the quotes, and the password in front of the host in a URL. JVM options and JDBC URLs have such
/// secrets.
pub fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '&' | '?');
        let key = before.rsplit(ends).next().unwrap_or_default();
        out.push_str(before);
        out.push('=');
        rest = after;
        if is_sensitive(key) {
            let end = end_of_value(after);
            if end > 0 {
                out.push_str(HIDDEN);
            }
            rest = after.get(end..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    without_url_passwords(&out).into_owned()
}

/// The words of a command line with stars instead of secrets. A word that follows an option with a secret's
/// name is a secret, and so is all of a word behind such a name and `=`.
pub fn masked_words<T: AsRef<str>>(words: &[T]) -> Vec<String> {
    let mut follows = false;
    let mask = |word: &T| {
        let word = word.as_ref();
        let hidden = std::mem::take(&mut follows) && !word.starts_with('-');
        follows = word.starts_with('-') && !word.contains('=') && is_sensitive(word);
        match word.split_once('=') {
            _ if hidden => HIDDEN.to_owned(),
            Some((key, _)) if is_sensitive(key) => format!("{key}={HIDDEN}"),
            _ => masked(word),
        }
    };
    words.iter().map(mask).collect()
}

/// Where the value at the beginning of a text ends: behind the closing quote if it has quotes, or else at the
/// end of the word.
fn end_of_value(text: &str) -> usize {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => match text.get(1..).and_then(|inner| inner.find(quote)) {
            Some(at) => at + 2,
            None => text.len(),
        },
        _ => text.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(text.len()),
    }
}

/// The text with stars instead of the password in `scheme://user:password@host`.
fn without_url_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut pieces = text.split("://");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("://");
        let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'');
        let (authority, path) = piece.split_at(piece.find(ends).unwrap_or(piece.len()));
        match authority.rsplit_once('@').map(|(user, host)| (user.split_once(':'), host)) {
            Some((Some((user, _)), host)) => out.push_str(&format!("{user}:{HIDDEN}@{host}")),
            _ => out.push_str(authority),
        }
        out.push_str(path);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_parts_of_their_key() {
        for key in [
            "security.ssl.rest.key-Password",
            "s3.secret-key",
            "s3.access-key",
            "fs.s3a.access.key",
            "fs.oss.accessKeyId",
            "fs.azure.account.key.x.blob.core.windows.net",
            "my.private.key",
            "ssh.private-key",
            "key.passphrase",
            "gs.credentials",
            "kafka.ssl.keystore.key",
            "metrics.reporter.x.apikey",
            "sasl.jaas.config",
        ] {
            assert!(is_sensitive(key), "{key}");
        }
        for key in [
            "rest.port",
            "security.kerberos.login.keytab",
            "fs.s3a.aws.credentials.provider",
            "hadoop.security.credential.provider.path",
            "taskmanager.memory.process.size",
            "security.ssl.rest.keystore",
        ] {
            assert!(!is_sensitive(key), "{key}");
        }
    }

    #[test]
    fn secrets_inside_texts() {
        for (text, expected) in [
            ("-Xmx1g -Da=b", "-Xmx1g -Da=b"),
            ("-Djavax.net.ssl.keyStorePassword=hush -Da=b", "-Djavax.net.ssl.keyStorePassword=****** -Da=b"),
            ("-Dpassword=\"a b\" -Dc=d", "-Dpassword=****** -Dc=d"),
            ("-Dpassword='a b", "-Dpassword=******"),
            ("-Da.token=x=y z", "-Da.token=****** z"),
            ("-Dpassword= -Dc=d", "-Dpassword= -Dc=d"),
            ("\"-Dpassword=x\" y", "\"-Dpassword=******\" y"),
            ("jdbc:x://h:1/db?user=a&password=p&b=c", "jdbc:x://h:1/db?user=a&password=******"),
            ("http://ann:hush@proxy:80/a@b http://h/", "http://ann:******@proxy:80/a@b http://h/"),
            ("ssh://git@host:22/x", "ssh://git@host:22/x"),
            ("é=1 passwörd=2 password=é", "é=1 passwörd=2 password=******"),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
        assert_eq!(shown("a.secret", "x".into()), HIDDEN);
        assert_eq!(shown("env.java.opts.all", "-Dmy.secret=x".into()), "-Dmy.secret=******");
    }

    #[test]
    fn secrets_among_words() {
        let words =
            ["--user", "ann", "--password", "hush", "--token=a b", "-Dsecret=x y", "--password", "-v"];
        assert_eq!(
            masked_words(&words),
            ["--user", "ann", "--password", HIDDEN, "--token=******", "-Dsecret=******", "--password", "-v"]
        );
    }

    proptest::proptest! {
        #[test]
        fn a_secret_word_is_never_shown(before in "[a-z =\"':/@]{0,12}", after in "[a-z =\"':/@]{0,12}") {
            let text = format!("{before} -Dmy.password=CANARY{after}");
            proptest::prop_assert!(!masked(&text).contains("CANARY"), "{}", masked(&text));
        }
    }
}
