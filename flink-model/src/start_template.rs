//! `yarn.container-start-command-template`: how the user wants the JVMs of the containers started.
//!
//! Flink fills the template in and hands it to a shell. heddle starts Java itself, without a shell, so the
//! template is taken apart: words before `%java%` become the program that starts Java, words before `%class%`
//! JVM options, words behind it program arguments. `%jvmmem%`, `%jvmopts%`, `%logging%`, `%class%` and
//! `%args%` always apply; `%redirects%` never does, because the supervisor writes the log files.

/// What Flink uses when nobody sets a template.
pub const DEFAULT: &str = "%java% %jvmmem% %jvmopts% %logging% %class% %args% %redirects%";

/// The words that a template adds to the start of a JVM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartTemplate {
    /// In front of Java.
    pub launcher: Vec<String>,
    /// JVM options in front of those of the configuration.
    pub first_options: Vec<String>,
    /// JVM options behind all others.
    pub last_options: Vec<String>,
    /// Program arguments in front of Flink's.
    pub first_args: Vec<String>,
    /// Program arguments behind Flink's.
    pub last_args: Vec<String>,
    /// Fields that the template leaves out and that apply all the same.
    pub applied_anyway: Vec<&'static str>,
}

/// Why a template cannot be used. Trying again does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `%java%` is not in it, or `%class%` stands in front of it.
    #[error("%java% and, behind it, %class% are needed")]
    NoJava,
    /// A field that nobody knows.
    #[error(
        "{0} is no field; there are %java%, %jvmmem%, %jvmopts%, %logging%, %class%, %args% and %redirects%"
    )]
    Field(String),
    /// It holds something that only a shell could carry out.
    #[error("{0:?} is meant for a shell, and heddle starts Java without one")]
    Shell(String),
}

const FIELDS: [&str; 7] =
    ["%java%", "%jvmmem%", "%jvmopts%", "%logging%", "%class%", "%args%", "%redirects%"];
/// Characters that only a shell understands. A `$` is among them because nobody would replace it.
const SHELL: [char; 12] = ['|', '&', ';', '<', '>', '`', '$', '(', ')', '"', '\'', '\\'];

impl StartTemplate {
    /// Takes a template apart.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        for word in &words {
            let is_field = word.len() > 1 && word.starts_with('%') && word.ends_with('%');
            if is_field && !FIELDS.contains(word) {
                return Err(TemplateError::Field((*word).to_owned()));
            }
            if !is_field && word.contains(SHELL) {
                return Err(TemplateError::Shell((*word).to_owned()));
            }
        }
        let at = |field: &str| words.iter().position(|word| *word == field);
        let (Some(java), Some(class)) = (at("%java%"), at("%class%")) else {
            return Err(TemplateError::NoJava);
        };
        if class < java {
            return Err(TemplateError::NoJava);
        }
        let literals = |range: std::ops::Range<usize>| {
            let words = words.get(range).unwrap_or_default().iter();
            words.filter(|word| !FIELDS.contains(word)).map(|word| (*word).to_owned()).collect::<Vec<_>>()
        };
        // Words up to the first of the fields for options stand in front of them.
        let first =
            ["%jvmmem%", "%jvmopts%", "%logging%"].into_iter().filter_map(at).filter(|i| *i < class).min();
        let options = first.unwrap_or(java + 1);
        let args = at("%args%").filter(|i| *i > class).unwrap_or(words.len());
        let missing = |field: &&&str| !words.contains(*field) && **field != "%redirects%";
        Ok(Self {
            launcher: literals(0..java),
            first_options: literals(java + 1..options),
            last_options: literals(options..class),
            first_args: literals(class + 1..args),
            last_args: literals(args..words.len()),
            applied_anyway: FIELDS.iter().filter(missing).copied().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_default_adds_nothing() {
        assert_eq!(StartTemplate::parse(DEFAULT), Ok(StartTemplate::default()));
    }

    #[test]
    fn words_go_where_they_stand() {
        let template = StartTemplate::parse(
            "numactl -N 0 %java% -XX:+A %jvmmem% -XX:+B %jvmopts% %logging% -XX:+C %class% one %args% two %redirects%",
        );
        let template = template.unwrap();
        assert_eq!(template.launcher, words("numactl -N 0"));
        assert_eq!(template.first_options, words("-XX:+A"));
        assert_eq!(template.last_options, words("-XX:+B -XX:+C"));
        assert_eq!(template.first_args, words("one"));
        assert_eq!(template.last_args, words("two"));
        let short = StartTemplate::parse("%java% -server %class%").unwrap();
        assert_eq!(short.last_options, words("-server"));
        assert_eq!(short.applied_anyway, ["%jvmmem%", "%jvmopts%", "%logging%", "%args%"]);
    }

    #[test]
    fn what_cannot_be() {
        for (text, wanted) in [
            ("%jvmmem% %class%", "%java% and"),
            ("%class% %java%", "%java% and"),
            ("%java% %jvmem% %class%", "%jvmem% is no field"),
            ("ulimit -n 9999; %java% %class%", "\"9999;\" is meant for a shell"),
            ("%java% -Dx=$HOME %class%", "meant for a shell"),
        ] {
            let error = StartTemplate::parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
