//! Reads `yarn.container-start-command-template`, which says how the user wants the JVMs of the containers to
//! be started.
//!
//! Flink fills in the template and gives it to a shell. heddle starts Java without a shell, so it takes the
//! template apart. Words before `%java%` become the program that starts Java, words before `%class%` become
//! options of the JVM, and words after `%class%` become arguments of the program. `%jvmmem%`, `%jvmopts%`,
//! `%logging%` and `%args%` always apply, even if the template lacks them. `%redirects%` never applies,
//! because heddle itself writes the output of the JVM to files.

use std::fmt;

use crate::config::masked_words;

/// Flink's default of the template.
pub const DEFAULT: &str = "%java% %jvmmem% %jvmopts% %logging% %class% %args% %redirects%";

/// The words that a template adds to the start of a JVM.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct StartTemplate {
    /// The words before Java.
    pub launcher: Vec<String>,
    /// Options of the JVM that stand before those of the configuration.
    pub first_options: Vec<String>,
    /// Options of the JVM that stand after all others.
    pub last_options: Vec<String>,
    /// Arguments of the program that stand before Flink's.
    pub first_args: Vec<String>,
    /// Arguments of the program that stand after Flink's.
    pub last_args: Vec<String>,
    /// Fields that apply although the template does not have them.
    pub applied_anyway: Vec<&'static str>,
}

impl fmt::Debug for StartTemplate {
    /// Leaves out what may be secret: the values of options with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartTemplate")
            .field("launcher", &masked_words(&self.launcher))
            .field("first_options", &masked_words(&self.first_options))
            .field("last_options", &masked_words(&self.last_options))
            .field("first_args", &masked_words(&self.first_args))
            .field("last_args", &masked_words(&self.last_args))
            .field("applied_anyway", &self.applied_anyway)
            .finish()
    }
}

/// Why a template cannot be used. Another try does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template lacks `%java%` or `%class%`, or `%class%` stands before `%java%`.
    #[error("%java% and, behind it, %class% are needed")]
    NoJava,
    /// The template has a field that does not exist.
    #[error(
        "{0} is no field; there are %java%, %jvmmem%, %jvmopts%, %logging%, %class%, %args% and %redirects%"
    )]
    Field(String),
    /// The template has something that only a shell could carry out.
    #[error("{0:?} is meant for a shell, and heddle starts Java without one")]
    Shell(String),
}

const FIELDS: [&str; 7] =
    ["%java%", "%jvmmem%", "%jvmopts%", "%logging%", "%class%", "%args%", "%redirects%"];
/// Characters that have a meaning only for a shell. A `$` is one of them, because without a shell nothing
/// would replace the variable.
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
        // Words before the first of these fields stand before the options for which the fields stand.
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
