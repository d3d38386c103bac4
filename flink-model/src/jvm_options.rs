//! Reads the options for the JVMs of JobManager and TaskManager from `env.java.*`, in Flink's order, and
//! splits them into words, because heddle starts JVMs without a shell.

use crate::config::{Configuration, Origin, ValueError};
use crate::memory::Role;
use crate::options::{self, Opt};
use crate::release::Release;

/// Options of a JVM that cannot be read. Another try does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JvmOptionsError {
    /// A quote is not closed, or a backslash is the last character.
    #[error("{key} ({origin}): {reason}")]
    Quoting {
        /// The key of the options.
        key: String,
        /// Where the key is set.
        origin: Origin,
        /// What is wrong.
        reason: &'static str,
    },
    /// The value is not a text.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// The file in the working directory that configures log4j.
pub const LOG4J_FILE: &str = "log4j.properties";
/// The file in the working directory that configures logback.
pub const LOGBACK_FILE: &str = "logback.xml";

/// With which library Flink's JVMs log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Logging {
    /// With log4j; `log4j.properties` is in the working directory.
    Log4j,
    /// With logback; `logback.xml` is in the working directory.
    Logback,
    /// There is neither file, so the JVM gets no options for logging.
    #[default]
    Unconfigured,
}

impl Logging {
    /// Chooses by the names of the files in the configuration directory. If both files are there, log4j is
    /// used, as in Flink.
    pub fn discover<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().fold(Self::Unconfigured, |found, name| match name {
            LOG4J_FILE => Self::Log4j,
            LOGBACK_FILE if found == Self::Unconfigured => Self::Logback,
            _ => found,
        })
    }

    /// The name of the file that has to be shipped.
    pub fn file_name(self) -> Option<&'static str> {
        match self {
            Self::Log4j => Some(LOG4J_FILE),
            Self::Logback => Some(LOGBACK_FILE),
            Self::Unconfigured => None,
        }
    }

    /// The options of the JVM. `<LOG_DIR>` is filled in on the node.
    pub fn jvm_args(self, role: Role) -> Vec<String> {
        let log_file = match role {
            Role::JobManager => "-Dlog.file=<LOG_DIR>/jobmanager.log",
            Role::TaskManager => "-Dlog.file=<LOG_DIR>/taskmanager.log",
        };
        let more: &[&str] = match self {
            Self::Log4j => &[
                "-Dlog4j.configuration=file:log4j.properties",
                "-Dlog4j.configurationFile=file:log4j.properties",
            ],
            Self::Logback => &["-Dlogback.configurationFile=file:logback.xml"],
            Self::Unconfigured => return Vec::new(),
        };
        std::iter::once(log_file).chain(more.iter().copied()).map(str::to_owned).collect()
    }
}

/// `env.java.opts`, the name that `env.java.opts.all` had before 1.17.
const JAVA_OPTS: Opt<String> = Opt::new("env.java.opts", &[], None);

/// The user's JVM options for a role, in Flink's order: defaults for all roles, options for all roles,
/// defaults for this role, options for this role. Later options win.
pub fn user_options(
    conf: &Configuration,
    release: Release,
    role: Role,
) -> Result<Vec<String>, JvmOptionsError> {
    let traits = release.traits();
    let (default, own) = match role {
        Role::JobManager => (&options::JAVA_DEFAULT_OPTS_JM, &options::JAVA_OPTS_JM),
        Role::TaskManager => (&options::JAVA_DEFAULT_OPTS_TM, &options::JAVA_OPTS_TM),
    };
    let all = if traits.java_opts_all { &options::JAVA_OPTS_ALL } else { &JAVA_OPTS };
    let mut order = vec![all, own];
    if traits.java_default_opts {
        order = vec![&options::JAVA_DEFAULT_OPTS_ALL, all, default, own];
    }
    let mut words = Vec::new();
    for option in order {
        let Some(text) = conf.get(option)? else { continue };
        let quoting = |reason| JvmOptionsError::Quoting {
            key: conf.find(option).map_or(option.key, |(key, _)| key).to_owned(),
            origin: conf.origin(option),
            reason,
        };
        words.extend(split(&text).map_err(quoting)?);
    }
    // Without this option, a JVM does not start if it does not know one of its options. Flink adds it, too.
    words.push("-XX:+IgnoreUnrecognizedVMOptions".to_owned());
    Ok(words)
}

/// Splits a text into words as a shell does: white space separates words; single quotes, double quotes and
/// backslashes protect characters. `$VAR` and `${VAR}` become `{{VAR}}`, which is filled in on the node. They
/// do so even inside single quotes, because YARN's launch script expands them there, too.
pub fn split(text: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('\\', None) => {
                let next = chars.next().ok_or("a backslash stands at the end")?;
                word.get_or_insert_default().push(next);
            }
            ('\\', Some('"')) if matches!(chars.peek(), Some('"' | '\\' | '$' | '`')) => {
                word.get_or_insert_default().extend(chars.next());
            }
            ('$', _) => {
                let text = variable(&mut chars).map_or("$".to_owned(), |name| format!("{{{{{name}}}}}"));
                word.get_or_insert_default().push_str(&text);
            }
            (c, None) if c.is_ascii_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word);
    Ok(words)
}

/// Reads the name of a variable after a `$`. If there is no name, the result is `None` and `chars` stays as
/// it is.
fn variable(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut ahead = chars.clone();
    let braced = ahead.next_if_eq(&'{').is_some();
    let mut name = String::new();
    while let Some(c) = ahead.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
        name.push(c);
    }
    let complete = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && (!braced || ahead.next_if_eq(&'}').is_some());
    if complete {
        *chars = ahead;
        Some(name)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::FileFormat;

    fn words(text: &str) -> Vec<String> {
        split(text).unwrap()
    }

    #[test]
    fn words_and_quotes() {
        assert_eq!(words(" -a  -b\t-c "), ["-a", "-b", "-c"]);
        assert_eq!(words("-Da='x y' -Db=\"p \\\" q\" -Dc=1\\ 2"), ["-Da=x y", "-Db=p \" q", "-Dc=1 2"]);
        assert_eq!(
            words("-Dhome=$HOME -Dx=${PWD}/y -Dz=$ -Dq='$Q'"),
            ["-Dhome={{HOME}}", "-Dx={{PWD}}/y", "-Dz=$", "-Dq={{Q}}"]
        );
        assert_eq!(words("''"), [""]);
        assert_eq!(words("\\$A"), ["$A"]);
        assert!(split("-Da='x").is_err());
        assert!(split("x\\").is_err());
    }

    #[test]
    fn order_by_release() {
        let mut conf = Configuration::new(FileFormat::Legacy);
        for (key, value) in [
            ("env.java.opts", "-all"),
            ("env.java.opts.jobmanager", "-jm"),
            ("env.java.opts.taskmanager", "-tm"),
            ("env.java.default-opts.all", "-default-all"),
            ("env.java.default-opts.jobmanager", "-default-jm"),
        ] {
            conf.set_dynamic(key, value);
        }
        let of = |release: &str, role| user_options(&conf, release.parse().unwrap(), role).unwrap();
        let ignore = "-XX:+IgnoreUnrecognizedVMOptions";
        assert_eq!(of("1.20.1", Role::JobManager), ["-default-all", "-all", "-default-jm", "-jm", ignore]);
        assert_eq!(of("1.13.6", Role::TaskManager), ["-all", "-tm", ignore]);
        conf.set_dynamic("env.java.opts.all", "-Dx='");
        let error = user_options(&conf, "1.20.1".parse().unwrap(), Role::JobManager).unwrap_err();
        assert_eq!(error.to_string(), "env.java.opts.all (-D): a quote is not closed");
    }

    #[test]
    fn logging_flags() {
        assert_eq!(Logging::discover(["logback.xml", "log4j.properties"]), Logging::Log4j);
        assert_eq!(
            Logging::discover(["logback.xml", "x"]).jvm_args(Role::TaskManager),
            ["-Dlog.file=<LOG_DIR>/taskmanager.log", "-Dlogback.configurationFile=file:logback.xml"]
        );
        assert!(Logging::default().jvm_args(Role::JobManager).is_empty());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = split(&text);
        }

        #[test]
        fn single_quotes_keep_everything_but_variables(text in "[^'$]*") {
            prop_assert_eq!(words(&format!("'{text}'")), [text]);
        }
    }
}
