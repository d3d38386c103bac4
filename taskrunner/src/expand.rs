//! Replaces `<LOG_DIR>`, `{{VAR}}`, `$VAR` and `${VAR}` in class paths, JVM arguments and environment values.
//!
//! Usually YARN and the shell of its launch script do this. heddle starts the JVM without a shell, so it does
//! it itself. A value that was put in is not expanded again. Program arguments are never expanded.

/// Looks up a variable of the container's environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// An expanded text, and the variables that it names but the environment does not have. Nothing is put in for
/// these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expanded {
    /// The text after expansion.
    pub text: String,
    /// Names without a value, in order of appearance.
    pub missing: Vec<String>,
}

/// Which notations are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// `<LOG_DIR>` and `{{VAR}}`, for JVM arguments, where `$` may be part of a user's value.
    Yarn,
    /// Also `$VAR`, `${VAR}` and YARN's path separator `<CPS>`, for class path entries and environment
    /// values.
    Shell,
}

/// Expands one text.
pub fn expand(text: &str, notation: Notation, log_dir: &str, env: Lookup) -> Expanded {
    let mut out = Expanded::default();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '{', '$']) {
        out.text.push_str(&rest[..at]);
        rest = &rest[at..];
        let shell = notation == Notation::Shell;
        if let Some(after) = rest.strip_prefix("<LOG_DIR>") {
            out.text.push_str(log_dir);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("<CPS>").filter(|_| shell) {
            out.text.push(':');
            rest = after;
        } else if let Some((name, after)) = reference(rest, shell) {
            match env(name) {
                Some(value) => out.text.push_str(&value),
                None => out.missing.push(name.to_owned()),
            }
            rest = after;
        } else {
            // All three marks are ASCII, so one byte is one character.
            out.text.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    out.text.push_str(rest);
    out
}

/// The variable that `text` begins with, and the text behind it.
fn reference(text: &str, shell: bool) -> Option<(&str, &str)> {
    let closed = |open: &str, close: &str| {
        let (name, after) = text.strip_prefix(open)?.split_once(close)?;
        (name_length(name) == name.len() && !name.is_empty()).then_some((name, after))
    };
    if let Some(found) = closed("{{", "}}") {
        return Some(found);
    }
    if !shell {
        return None;
    }
    if let Some(found) = closed("${", "}") {
        return Some(found);
    }
    let after = text.strip_prefix('$')?;
    match name_length(after) {
        0 => None,
        n => Some(after.split_at(n)),
    }
}

/// Length of the variable name that `text` begins with.
fn name_length(text: &str) -> usize {
    let is_name =
        |(i, c): (usize, char)| c == '_' || c.is_ascii_alphabetic() || (i > 0 && c.is_ascii_digit());
    text.char_indices().take_while(|&x| is_name(x)).count()
}

/// A class path entry that was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("class path entry `{entry}` is left out: {} not set in the container's environment", missing.join(", "))]
pub struct Dropped {
    /// The entry as given.
    pub entry: String,
    /// The variables that are not set.
    pub missing: Vec<String>,
}

/// Expands and joins class path entries with `:`.
///
/// An entry with an unset variable is left out, because the rest of it would name another place. Empty
/// entries are left out, too, because for the JVM they mean the working directory.
pub fn class_path(entries: &[String], log_dir: &str, env: Lookup) -> (String, Vec<Dropped>) {
    let mut kept = Vec::new();
    let mut dropped = Vec::new();
    for entry in entries {
        let Expanded { text, missing } = expand(entry, Notation::Shell, log_dir, env);
        if !missing.is_empty() {
            dropped.push(Dropped { entry: entry.clone(), missing });
        } else if !text.is_empty() {
            kept.push(text);
        }
    }
    (kept.join(":"), dropped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/h".into()),
            "PWD" => Some("/w $HOME".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn shell(text: &str) -> String {
        expand(text, Notation::Shell, "/logs", &env).text
    }

    #[test]
    fn fills_in_every_notation() {
        assert_eq!(shell("-Dlog.file=<LOG_DIR>/taskmanager.log"), "-Dlog.file=/logs/taskmanager.log");
        assert_eq!(shell("{{HOME}}/x:$HOME/y<CPS>${HOME}z"), "/h/x:/h/y:/hz");
        assert_eq!(shell("$EMPTY|$NOT_SET|"), "||");
        // The value of a variable is not expanded again.
        assert_eq!(shell("$PWD"), "/w $HOME");
    }

    #[test]
    fn leaves_alone_what_is_no_reference() {
        for text in [
            "$", "a$", "$$", "$1", "${", "${HOME", "{{HOME}", "{{a b}}", "${a-b}", "<LOG>", "ä$ö", "{}",
            "${}",
        ] {
            assert_eq!(shell(text), text, "{text}");
        }
        assert_eq!(expand("$HOME ${HOME} <CPS>", Notation::Yarn, "/l", &env).text, "$HOME ${HOME} <CPS>");
        assert_eq!(expand("{{HOME}} <LOG_DIR>", Notation::Yarn, "/l", &env).text, "/h /l");
    }

    #[test]
    fn class_path_leaves_out_unset_and_empty_entries() {
        let entries = ["lib/*", "$HADOOP_CONF_DIR", "", "$HOME/conf", "$EMPTY", "$A/$B"].map(String::from);
        let (path, dropped) = class_path(&entries, "/logs", &env);
        assert_eq!(path, "lib/*:/h/conf");
        assert_eq!(dropped.len(), 2);
        assert_eq!(
            dropped[1].to_string(),
            "class path entry `$A/$B` is left out: A, B not set in the container's environment"
        );
    }

    proptest! {
        #[test]
        fn text_without_marks_is_unchanged(text in "[^<{$]*") {
            prop_assert_eq!(shell(&text), text);
        }

        #[test]
        fn never_panics(text in "([<{$}>]|[a-zA-Z_ä]|LOG_DIR|HOME){0,20}") {
            expand(&text, Notation::Yarn, "/l", &env);
            expand(&text, Notation::Shell, "/l", &env);
        }
    }
}
