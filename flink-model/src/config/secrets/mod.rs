//! Knows which keys hold secrets, and hides their values in everything that is printed or logged.

mod value;

use std::borrow::Cow;
use std::ops::Range;

/// What is shown instead of a secret.
pub const HIDDEN: &str = "******";

/// Parts of the names of keys whose values must not be shown: the union of the lists that Flink's releases
/// have (`GlobalConfiguration`). A name is compared in small letters, with `-` for each `.` and `_`, because
/// environment variables and some libraries write the same names so.
const FLINKS: [&str; 11] = [
    "password",
    "secret",
    "fs-azure-account-key",
    "apikey",
    "api-key",
    "auth-params",
    "service-key",
    "token",
    "basic-auth",
    "jaas-config",
    "http-headers",
];

/// Parts of the names of other keys that hold secrets, as connectors, file systems and TLS libraries have
/// them.
const OTHERS: [&str; 9] = [
    "private-key",
    "privatekey",
    "passphrase",
    "credential",
    "access-key",
    "accesskey",
    "account-key",
    "encryption-key",
    "keystore-key",
];

/// What Hadoop tells of a token begins so. It has the token's kind, service and owner, and no password.
const TOLD_TOKEN: &str = ": Kind: ";

/// Whether the value of this key must not be shown. A key that only says what provides credentials, such as
/// the name of a class, holds no secret.
pub fn is_sensitive(key: &str) -> bool {
    let key = key.to_lowercase().replace(['.', '_'], "-");
    let has = |part: &&str| key.contains(*part) && !(*part == "credential" && key.contains("provider"));
    FLINKS.iter().chain(&OTHERS).any(has)
}

/// The value of this key as it may be shown. A secret is replaced by stars, and so are the secrets inside
/// another value.
pub fn shown(key: &str, value: String) -> String {
    if is_sensitive(key) { HIDDEN.to_owned() } else { masked(&value) }
}

/// Keys and values as they may be shown (see [`shown`]), for the `Debug` of types that hold settings.
pub fn shown_all<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<(&'a str, String)> {
    pairs.into_iter().map(|(key, value)| (key.as_str(), shown(key, value.clone()))).collect()
}

/// A text with stars instead of the secrets in it: the value behind a sensitive key, the one behind an option
/// with a sensitive name, and the password in front of the host in a URL. JVM options, command lines and JDBC
/// URLs have such secrets, and so have JSON, YAML and properties.
///
/// Where a text does not tell where a secret ends, more is hidden rather than less.
pub fn masked(text: &str) -> String {
    without_values_of_options(behind_keys(&without_url_passwords(text)))
}

/// The same for a text whose lines have nothing to do with each other, such as a log or a list of exceptions.
/// Each line counts by itself, so that what is indented below a line is not hidden with it.
pub fn masked_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        out.push_str(&masked(line));
        out.push_str(end);
    }
    out
}

/// The text with stars instead of the values behind sensitive keys.
fn behind_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Up to where the text is in `out`, where the next separator is looked for, and where a key before `=`
    // may begin.
    let (mut copied, mut next, mut key) = (0, 0, 0);
    while let Some(found) = text[next..].find(['=', ':']) {
        let separator = next + found;
        next = separator + 1;
        let before = &text[key..separator];
        let sensitive = if text[separator..].starts_with('=') {
            key = next;
            is_sensitive(key_before_equals(before))
        } else {
            is_sensitive(key_before_colon(before)) && !text[separator..].starts_with(TOLD_TOKEN)
        };
        if sensitive {
            let value = value::behind(text, separator);
            if !value.is_empty() {
                out.push_str(&text[copied..value.start]);
                out.push_str(HIDDEN);
                (copied, next, key) = (value.end, value.end, value.end);
            }
        }
    }
    out.push_str(&text[copied..]);
    out
}

/// The text with stars instead of each word that follows an option with a sensitive name, as in
/// `--password x`. In lists of words, brackets, quotation marks and commas stand around both.
fn without_values_of_options(text: String) -> String {
    let mut out = String::new();
    // Up to where the text is in `out`, and where the next word is looked for.
    let (mut copied, mut next) = (0, 0);
    while let Some(word) = word_from(&text, next) {
        next = word.end;
        let option = bare(&text[word]);
        if !option.starts_with('-') || option.contains(['=', ':']) || !is_sensitive(option) {
            continue;
        }
        let Some(value) = word_from(&text, next).filter(|value| !bare(&text[value.clone()]).starts_with('-'))
        else {
            continue;
        };
        let end = value::end_of_word(&text, value.start);
        if end > value.start {
            out.push_str(&text[copied..value.start]);
            out.push_str(HIDDEN);
            (copied, next) = (end, end);
        }
    }
    if copied == 0 {
        return text;
    }
    out.push_str(&text[copied..]);
    out
}

/// Where the next word is that begins at this place or behind it; `None` if there is none.
fn word_from(text: &str, from: usize) -> Option<Range<usize>> {
    let words = text[from..].trim_start();
    let start = text.len() - words.len();
    let length = words.find(char::is_whitespace).unwrap_or(words.len());
    (length > 0).then_some(start..start + length)
}

/// A word without what a list has around it.
fn bare(word: &str) -> &str {
    let word = word.trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '-'));
    // What is hidden already ends with stars.
    word.trim_end_matches(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '=' | ':' | '*')))
}

/// The words of a command line with stars instead of secrets. A word that follows an option with a secret's
/// name is a secret, and so is all of a word behind such a name and `=` or `:`.
pub fn masked_words<T: AsRef<str>>(words: &[T]) -> Vec<String> {
    let mut follows = false;
    let mask = |word: &T| {
        let word = word.as_ref();
        let hidden = std::mem::take(&mut follows) && !word.starts_with('-');
        follows = word.starts_with('-') && !word.contains('=') && is_sensitive(word);
        match (word.split_once(':'), word.split_once('=')) {
            _ if hidden => HIDDEN.to_owned(),
            (Some((key, _)), _) if key.chars().all(is_of_key) && is_sensitive(key) => {
                format!("{key}:{HIDDEN}")
            }
            (_, Some((key, _))) if is_sensitive(key) => format!("{key}={HIDDEN}"),
            _ => masked(word),
        }
    };
    words.iter().map(mask).collect()
}

/// Whether a key may have this character. The key of a value in a list has its place in brackets.
fn is_of_key(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '[' | ']')
}

/// The key at the end of what stands before a `=`. It may be in quotes, and blanks may follow it.
fn key_before_equals(text: &str) -> &str {
    let text = text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'));
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '&' | '?');
    text.rsplit(ends).next().unwrap_or_default()
}

/// The same for a colon. Colons also stand behind the names of hosts and between paths, which are no keys.
fn key_before_colon(text: &str) -> &str {
    let closes = |c: char| matches!(c, '"' | '\'' | '\\' | ')' | ']' | '}' | '>');
    let text = text.trim_end_matches(|c: char| c.is_whitespace() || closes(c));
    let key = text.rsplit(|c| !is_of_key(c)).next().unwrap_or_default();
    let before = &text[..text.len() - key.len()];
    if before.ends_with(['/', '@']) || is_exception(before, key) || is_source(before, key) { "" } else { key }
}

/// Whether this is the name of an exception of Java's, such as `NoCredentialsException`. What stands behind
/// it tells why something has failed. One of Hadoop's exceptions has another name, and is within a class.
fn is_exception(before: &str, name: &str) -> bool {
    name.ends_with("Exception")
        || name.ends_with("Error")
        || (name == "InvalidToken" && before.ends_with("SecretManager$"))
}

/// Whether this is the file of a frame of a stack trace, as in `at a.Token.b(Token.java:12)`. The number of a
/// line is behind it.
fn is_source(before: &str, name: &str) -> bool {
    before.ends_with('(') && [".java", ".scala", ".kt"].iter().any(|end| name.ends_with(end))
}

/// Whether a sensitive key with a separator is in the text.
fn has_sensitive_key(text: &str) -> bool {
    text.char_indices().any(|(at, c)| match c {
        '=' => is_sensitive(key_before_equals(&text[..at])),
        ':' => is_sensitive(key_before_colon(&text[..at])),
        _ => false,
    })
}

/// The text with stars instead of the password in `scheme://user:password@host`. The password may have any
/// characters but blanks and quotes: it ends at the last `@` of the word.
fn without_url_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (scheme, behind) = rest.split_at(at + "://".len());
        out.push_str(scheme);
        let quote = value::open_quote(&text[..text.len() - behind.len()]);
        let ends = |(at, c): &(usize, char)| {
            c.is_whitespace() || *c == '"' || value::ends_quotes(&behind[*at..], quote)
        };
        let (word, next) =
            behind.split_at(behind.char_indices().find(ends).map_or(behind.len(), |(at, _)| at));
        match word.rsplit_once('@').map(|(user, host)| (user.split_once(':'), host)) {
            // The last `@` may be one of a secret behind a key, such as in the options of a JDBC URL.
            Some((Some((user, password)), _)) if has_sensitive_key(password) => {
                out.push_str(&format!("{user}:{HIDDEN}"));
            }
            Some((Some((user, _)), host)) => out.push_str(&format!("{user}:{HIDDEN}@{host}")),
            _ => out.push_str(word),
        }
        rest = next;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            "containerized.taskmanager.env.API_KEY",
            "AZURE_STORAGE_ACCOUNT_KEY",
            "PRIVATE_KEY",
            "ENCRYPTION_KEY",
            "AWS_ACCESS_KEY_ID",
            "BASIC_AUTH",
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
            "SSH_AUTH_SOCK",
            "AWS_REGION",
            "KEYSTORE_TYPE",
            "HADOOP_CREDENTIAL_PROVIDER_PATH",
        ] {
            assert!(!is_sensitive(key), "{key}");
        }
    }

    #[test]
    fn the_secrets_among_settings_are_not_shown() {
        let settings = ["s3.secret-key", "rest.port"].map(|key| (key.to_owned(), "8081".to_owned()));
        let shown = shown_all(settings.iter().map(|(key, value)| (key, value)));
        assert_eq!(shown, [("s3.secret-key", HIDDEN.to_owned()), ("rest.port", "8081".to_owned())]);
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
            ("http://ann:hush@proxy:80/a http://h:1/", "http://ann:******@proxy:80/a http://h:1/"),
            ("http://ann:a/b@c@proxy:80/a http://h/", "http://ann:******@proxy:80/a http://h/"),
            ("redis://:a://b@h 'ftp://ann:x@h' y@z", "redis://:******@h 'ftp://ann:******@h' y@z"),
            (
                "http://token-db:80/ /secret/a:/b ann@secret:x",
                "http://token-db:80/ /secret/a:/b ann@secret:x",
            ),
            ("{user:ann,password:x} y", "{user:ann,password:****** y"),
            ("a.password = b c\nd = e", "a.password = ******\nd = e"),
            ("'a.password: b c' d", "'a.password: ******' d"),
            ("a.password := b -Dc=d", "a.password :******"),
            ("-Da.password= b", "-Da.password= ******"),
            (
                "{\"user\": \"ann\", \"password\": \"a\\\"b c\", \"x\": 1}",
                "{\"user\": \"ann\", \"password\": ******, \"x\": 1}",
            ),
            ("\"{\\\"token\\\":\\\"a\\\\\\\"b c\\\"}\" d", "\"{\\\"token\\\":******}\" d"),
            ("-Dtoken='a'\\''b c' d", "-Dtoken=****** d"),
            ("{'token': 'it''s, c', 'x': 1}", "{'token': ****** 'x': 1}"),
            ("ssh://git@host:22/x", "ssh://git@host:22/x"),
            ("{\"tokens\": [\n \"a]bc\",\n \"def\"\n]}\nx: 1", "{\"tokens\": ******\nx: 1"),
            ("tokens=[a, b] c", "tokens=****** c"),
            ("'tokens={a, [b}]} c' d", "'tokens=****** c' d"),
            ("tokens=[a, (b} c", "tokens=******"),
            ("password: |\n  a\n\n  b\nc: d", "password: ******\nc: d"),
            ("  password: >-\r\n    a\r\n    b\r\n  c: d", "  password: ******\r\n  c: d"),
            ("passwords:\n  - a\n  - b\nc: d", "passwords:\n  ******\nc: d"),
            ("passwords:\n- a\n- b\nc: d", "passwords:\n******\nc: d"),
            ("- password: |\n    a\n  user: b\n- c", "- password: ******\n  user: b\n- c"),
            ("password: a\n  b\nc: d", "password: ******\nc: d"),
            ("password: 'a\n  b'\n  c: d", "password: ******\n  c: d"),
            (
                "private-key=-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- -Da=b",
                "private-key=****** -Da=b",
            ),
            ("private-key= -----BEGIN PRIVATE KEY-----\nMIIE\n", "private-key= ******"),
            (
                "key.password: |\n-----BEGIN A B-----\nMI\n-----END A B-----\n-----BEGIN B-----\nMI",
                "key.password: ******",
            ),
            ("user = o'brien\npassword = pa'ss word\nx", "user = o'brien\npassword = ******\nx"),
            ("o'brien: password = pa'ss word", "o'brien: password = ******"),
            ("o'brien: http://ann:pa'ss@h/", "o'brien: http://ann:******@h/"),
            ("passwords[0]: x", "passwords[0]: ******"),
            ("jdbc:x://ann:a@h/db?password=b@c d", "jdbc:x://ann:****** d"),
            ("://:;my.password=@c d", "://:****** d"),
            ("a.tokens[1][2]:x y", "a.tokens[1][2]:****** y"),
            ("map[token]: x", "map[token]: ******"),
            ("API_KEY=x AWS_ACCESS_KEY_ID: y", "API_KEY=****** AWS_ACCESS_KEY_ID: ******"),
            ("é=1 passwörd=2 password=é", "é=1 passwörd=2 password=******"),
            ("java X --password hush --input x", "java X --password ****** --input x"),
            ("[--user, ann, --api-key,  hush, -v]", "[--user, ann, --api-key,  ****** -v]"),
            ("'--user ann --password hush' x", "'--user ann --password ******' x"),
            ("--password 'a b' --token \"c d\" e", "--password ****** --token ****** e"),
            ("--password --token hush", "--password --token ******"),
            ("\"--password \" x", "\"--password \" x"),
            ("--password\n  a\n  b", "--password\n  ******\n  b"),
            ("- no token at all", "- no token at all"),
            ("x.NoAwsCredentialsException: no keys", "x.NoAwsCredentialsException: no keys"),
            ("x.TokenError: password=a b", "x.TokenError: password=****** b"),
            (
                "RemoteException(a.SecretManager$InvalidToken): token (for ann) can't be found",
                "RemoteException(a.SecretManager$InvalidToken): token (for ann) can't be found",
            ),
            ("Invalid$InvalidToken: hush", "Invalid$InvalidToken: ******"),
            ("at a.Token.b(Token.java:12)", "at a.Token.b(Token.java:12)"),
            (
                "java.lang.NoSuchMethodError: 'void a.Token.b()'",
                "java.lang.NoSuchMethodError: 'void a.Token.b()'",
            ),
            ("Token.java: hush", "Token.java: ******"),
            (
                "Failed to renew token: Kind: A_TOKEN, Service: h:1, Ident: (token for ann)",
                "Failed to renew token: Kind: A_TOKEN, Service: h:1, Ident: (token for ann)",
            ),
            ("token: Kindness", "token: ******"),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
        assert_eq!(shown("a.secret", "x".into()), HIDDEN);
        assert_eq!(shown("env.java.opts.all", "-Dmy.secret=x".into()), "-Dmy.secret=******");
    }

    #[test]
    fn lines_count_by_themselves() {
        let trace = "x.Y: cannot log in, password: a b\n\tat z\nCaused by: x.Z: --token a\n\tat y\n";
        assert_eq!(
            masked_lines(trace),
            "x.Y: cannot log in, password: ******\n\tat z\nCaused by: x.Z: --token ******\n\tat y\n"
        );
        assert_eq!(masked_lines("password=\"a\nb\r\n\nc"), "password=******\nb\r\n\nc");
        assert_eq!(masked_lines(""), "");
    }

    #[test]
    fn secrets_among_words() {
        let words =
            ["--user", "ann", "--password", "hush", "--token=a b", "-Dsecret:x=y z", "--password", "-v"];
        assert_eq!(
            masked_words(&words),
            ["--user", "ann", "--password", HIDDEN, "--token=******", "-Dsecret:******", "--password", "-v"]
        );
        assert_eq!(masked_words(&["tokens[0]:a b", "API_KEY=a b"]), ["tokens[0]:******", "API_KEY=******"]);
    }

    /// A secret of letters that are nowhere else, and of these characters.
    fn secret(others: &str) -> impl Strategy<Value = String> {
        let characters: Vec<char> = CANARY.chars().cycle().take(12).chain(others.chars()).collect();
        prop::collection::vec(prop::sample::select(characters), 1..12)
            .prop_map(|characters| characters.into_iter().collect())
    }

    fn keys() -> impl Strategy<Value = &'static str> {
        let keys =
            ["my.password", "s3.secret-key", "-Da.token", "--api-key", "privateKey", "API_KEY", "tokens[0]"];
        prop::sample::select(keys.to_vec())
    }

    fn secrets(others: &str) -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(secret(others), 1..4)
    }

    const CANARY: &str = "ΑΒΓΔ";
    const SPECIAL: &str = "/@:=,;&?#%!{}()[]$+*~^|<>.-_";
    const QUOTES: &str = " \t\n'\"\\";

    fn json(text: &str) -> String {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }

    proptest! {
        #[test]
        fn no_part_of_a_word_is_shown(
            before in "[a-z =\"':/@]{0,12}", open in "[ ,;{(&'\"]", key in keys(), separator in "[=:]",
            secret in secret(SPECIAL), after in "[ \n\"'][a-z =\"':/@]{0,12}",
        ) {
            hidden(&format!("{before}{open}{key}{separator}{secret}{after}"))?;
        }

        #[test]
        fn no_part_of_the_value_of_an_option_is_shown(
            before in "[a-z =\"':/@]{0,12}", open in "[ ,;{(&'\"\\[]",
            option in prop::sample::select(vec!["--password", "-token", "--api-key,", "\"--s3.secret-key\","]),
            blank in "[ \n]{1,2}", first in "[ΑΒ]", word in secret(SPECIAL),
            quoted in secret(&format!("{SPECIAL}{QUOTES}")), after in "[ \n][a-z =\"':/@]{0,12}",
        ) {
            hidden(&format!("{before} {open}{option}{blank}{first}{word}{after}"))?;
            hidden(&format!("{before}\n{option}{blank}{}{after}", json(&format!("{first}{quoted}"))))?;
        }

        #[test]
        fn no_part_of_a_line_is_shown(
            before in "[a-z =\"':/@]{0,12}", key in keys(), separator in " [=:] ?|: |:\t|= ",
            secret in secret(&format!("{SPECIAL} \t")), after in "\n[a-z =\"':/@]{0,12}",
        ) {
            let option = secret.trim_start().starts_with('-') && separator == "= ";
            prop_assume!(!option);
            hidden(&format!("{before} {key}{separator}{secret}{after}"))?;
        }

        #[test]
        fn no_part_in_quotes_is_shown(
            before in "[a-z =\"':/@]{0,12}", key in keys(), separator in " ?[=:] ?",
            secret in secret(&format!("{SPECIAL}{QUOTES}")), after in "[a-z =\"':/@]{0,12}",
        ) {
            let yaml = format!("'{}'", secret.replace('\'', "''"));
            let shell = format!("'{}'", secret.replace('\'', "'\\''"));
            for quoted in [json(&secret), yaml, shell] {
                hidden(&format!("{before} {key}{separator}{quoted}{after}"))?;
            }
            let mut text = format!("{{{}{separator}{}, \"x\": 1}}", json(key), json(&secret));
            for _ in 0..3 {
                hidden(&format!("{before} {text}{after}"))?;
                text = json(&text);
            }
        }

        #[test]
        fn no_part_of_a_list_is_shown(
            before in "[a-z =\"':/@]{0,12}", key in keys(), separator in " ?[=:] ?", blank in "\n? {0,2}",
            quoted in secrets(&format!("{SPECIAL}{QUOTES}")), bare in secrets("/@:=;&?#%!()$+*~^|<>.-_ "),
            after in "[a-z =\"':/@]{0,12}",
        ) {
            let quoted: Vec<String> = quoted.iter().map(|secret| json(secret)).collect();
            let map: Vec<String> = quoted.iter().map(|secret| format!("\"a\":{blank}{secret}")).collect();
            let between = format!(",{blank}");
            let [quoted, bare, map] = [quoted, bare, map].map(|list| list.join(&between));
            hidden(&format!("{before} {key}{separator}[{blank}{bare}{blank}]{after}"))?;
            for value in [format!("[{blank}{quoted}{blank}]"), format!("{{\"a\": [{{{map}}}, [{quoted}]]}}")] {
                hidden(&format!("{before} {key}{separator}{value}{after}"))?;
                let mut text = format!("{{{}{separator}{value}, \"x\": 1}}", json(key));
                for _ in 0..3 {
                    hidden(&format!("{before} {text}{after}"))?;
                    text = json(&text);
                }
            }
        }

        #[test]
        fn no_part_of_an_indented_block_is_shown(
            before in "([a-z =\"':/@]{0,12}\n)?", margin in " {0,3}", item in "(- )?", deeper in " {1,3}",
            key in keys(), separator in "( ?: (\\||>)[+-]?2?( #x)?| ?: ?| = ?)(\r?\n){1,2}",
            secrets in secrets(&format!("{SPECIAL} '\"")), list in any::<bool>(), end in "\r?\n(  \n)?",
            after in "([a-z][a-z =\"':/@]{0,12})?",
        ) {
            let within = format!("{margin}{}", " ".repeat(item.len()));
            let indentation = if list { format!("{within}- ") } else { format!("{within}{deeper}") };
            let lines: String =
                secrets.iter().map(|secret| format!("{indentation}{deeper}{secret}{end}")).collect();
            hidden(&format!("{before}{margin}{item}{key}{separator}{lines}{margin}{after}"))?;
        }

        #[test]
        fn no_part_of_a_private_key_is_shown(
            before in "[a-z =\"':/@]{0,12}", key in keys(),
            separator in "=|: ?| = |= |[:=]\n|: \\|\n|: >-\n {0,2}", kind in "([A-Z]{2} )?PRIVATE KEY",
            lines in secrets("+/="), end in "\n|\r\n|\\\\n|\n  ", ended in any::<bool>(), twice in any::<bool>(),
            after in "[ \n\"'][a-z =\"':/@]{0,12}",
        ) {
            let mut text = format!("-----BEGIN {kind}-----{end}{}{end}", lines.join(&end));
            if ended {
                let whole = format!("{text}-----END {kind}-----");
                text = if twice { format!("{whole}{end}{whole}{after}") } else { format!("{whole}{after}") };
            }
            hidden(&format!("{before} {key}{separator}{text}"))?;
        }

        #[test]
        fn no_part_with_quotation_marks_is_shown(
            before in "[a-z =\"':/@]{0,12}", key in keys(), first in "[ΑΒ]",
            line in secret(&format!("{SPECIAL} \t'\"")), word in secret(&format!("{SPECIAL}'\"")),
            after in "\n[a-z =\"':/@]{0,12}",
        ) {
            hidden(&format!("{before}\n{key} = {first}{line}{after}"))?;
            hidden(&format!("{before}\n{key}: {first}{line}{after}"))?;
            hidden(&format!("{before}\n{key}={first}{word}{after}"))?;
        }

        #[test]
        fn no_part_of_a_password_in_an_address_is_shown(
            before in "[a-z =\"':/@]{0,12}", user in "[a-z@]{0,4}", secret in secret(SPECIAL),
            path in "[a-z:/?=]{0,8}", after in "[ \n\"][a-z =\"':/@]{0,12}",
        ) {
            hidden(&format!("{before} jdbc:x://{user}:{secret}@host:1/{path}{after}"))?;
        }

        #[test]
        fn other_texts_stay_as_they_are(text in "[a-c \n\"'\\\\=:/@é-]{0,12}(token)?[a \n\"'\\\\=:/@é-]{0,12}") {
            let once = masked(&text);
            prop_assert!(text.contains("token") || text.contains("://") || once == text, "{}", once);
        }
    }

    fn hidden(text: &str) -> Result<(), TestCaseError> {
        let shown = masked(text);
        prop_assert!(!shown.contains(|c| CANARY.contains(c)), "{}\n{}", text, shown);
        Ok(())
    }
}
