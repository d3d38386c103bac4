//! Translates options from the forms that Flink accepts to the form that clap reads.
//!
//! Flink parses with Apache Commons CLI, which accepts `-nm x`, `--name x`, `--name=x`, `-name x`, `-nm=x`,
//! `-p4`, `-Dkey=value`, `-D key=value` and unambiguous beginnings of long options. clap does not know short
//! options of several letters, so an argument list is rewritten here before clap reads it. clap's definition
//! is the only table of the options: an argument's hidden aliases are its short names of several letters, and
//! the value name `key=value` marks a property.

use std::ffi::{OsStr, OsString};
use std::fmt;

use clap::{Arg, ArgAction, Command};
use flink_model::config::{HIDDEN, masked_words};

/// The value name that marks an option as a property, which can be written as `-Dkey=value`, `-D key=value`
/// and `-Dkey`.
pub(crate) const PROPERTY: &str = "key=value";

/// What is wrong with an argument list, in words for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct UsageError {
    /// What is wrong.
    pub(crate) message: String,
    /// What the user has probably meant.
    pub(crate) hint: Option<String>,
}

/// One option as it was recognised.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// clap's id of the option.
    pub(crate) id: String,
    /// Its value, if one was given.
    pub(crate) value: Option<OsString>,
}

impl fmt::Debug for Item {
    /// Leaves out what may be secret: an argument of the user's program, and the value of a property with the
    /// name of a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value: Vec<_> = self.value.iter().map(|value| value.to_string_lossy()).collect();
        let shown = if self.id == "arguments" { vec![HIDDEN.to_owned()] } else { masked_words(&value) };
        write!(f, "{}{shown:?}", self.id)
    }
}

/// A recognised argument list.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Translated {
    /// Options in order.
    pub(crate) items: Vec<Item>,
    /// Everything that is not an option, untouched.
    pub(crate) rest: Vec<OsString>,
}

impl fmt::Debug for Translated {
    /// Leaves out the other words, because the arguments of the user's program can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Translated")
            .field("items", &self.items)
            .field("rest", &format_args!("{} words", self.rest.len()))
            .finish()
    }
}

impl Translated {
    /// The list in the form that clap reads.
    pub(crate) fn canonical(&self, command: &Command) -> Vec<OsString> {
        let mut words = self.options(command);
        words.push("--".into());
        words.extend(self.rest.iter().cloned());
        words
    }

    /// The options alone, by their long names if they have any. Flink's own client reads this form, too. If
    /// an option that may be given once is given several times, the first one counts, as in Commons CLI.
    pub(crate) fn options(&self, command: &Command) -> Vec<OsString> {
        let mut words = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for item in &self.items {
            let Some(arg) = command.get_arguments().find(|a| a.get_id() == item.id.as_str()) else {
                continue;
            };
            if seen.contains(&item.id.as_str()) && !matches!(arg.get_action(), ArgAction::Append) {
                continue;
            }
            seen.push(&item.id);
            let mut word = OsString::new();
            match (arg.get_long(), arg.get_short()) {
                (Some(long), _) => word.push(format!("--{long}")),
                (None, Some(short)) => word.push(format!("-{short}")),
                (None, None) => continue,
            }
            if let Some(value) = &item.value {
                if arg.get_long().is_some() {
                    word.push("=");
                }
                word.push(value);
            }
            words.push(word);
        }
        words
    }
}

/// Recognises the options of `command` in `args`. With `stop_at_rest`, the first word that is not an option
/// and all words behind it belong to the user's program. `program_options` are the ids of options that name
/// the program; behind one of them, an unknown option belongs to the program, too.
///
/// Fails if an option is unknown or ambiguous, or lacks its value.
pub(crate) fn translate(
    command: &Command,
    args: &[OsString],
    stop_at_rest: bool,
    program_options: &[&str],
) -> Result<Translated, UsageError> {
    let table = Table::new(command);
    // A command whose words may be negative numbers has no options that look like one.
    let numbers = command.get_positionals().any(Arg::is_allow_negative_numbers_set);
    let mut out = Translated::default();
    let mut words = args.iter().peekable();
    while let Some(word) = words.next() {
        let Some(text) = word.to_str().filter(|t| t.starts_with('-') && t.len() > 1) else {
            out.rest.push(word.clone());
            if stop_at_rest {
                out.rest.extend(words.by_ref().cloned());
            }
            continue;
        };
        if text == "--" {
            out.rest.extend(words.by_ref().cloned());
            continue;
        }
        if numbers && text.parse::<i64>().is_ok() {
            out.rest.push(word.clone());
            continue;
        }
        let Some((arg, glued)) = table.recognise(text)? else {
            if let Some(flags) = table.letters(text) {
                out.items.extend(flags.iter().map(|a| Item { id: a.get_id().to_string(), value: None }));
                continue;
            }
            let has_program = out.items.iter().any(|i| program_options.contains(&i.id.as_str()));
            if stop_at_rest && has_program {
                out.rest.push(word.clone());
                out.rest.extend(words.by_ref().cloned());
                continue;
            }
            return Err(table.unknown(text));
        };
        let value = match (takes_value(arg), glued) {
            (Takes::Nothing, None) => None,
            (Takes::Nothing, Some(_)) => return Err(table.unknown(text)),
            (_, Some(value)) => Some(OsString::from(value)),
            (takes, None) => match words.peek().filter(|w| table.is_value(w)) {
                Some(next) => {
                    let next = unquoted(next);
                    words.next();
                    Some(next)
                }
                None if takes == Takes::Optional => None,
                None => {
                    let name = text.trim_start_matches('-');
                    return Err(UsageError {
                        message: format!("Missing argument for option: {name}"),
                        hint: None,
                    });
                }
            },
        };
        out.items.push(Item { id: arg.get_id().to_string(), value });
        while takes_value(arg) == Takes::Many
            && let Some(next) = words.next_if(|w| table.is_value(w))
        {
            out.items.push(Item { id: arg.get_id().to_string(), value: Some(unquoted(next)) });
        }
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Optional,
    One,
    Many,
}

fn takes_value(arg: &Arg) -> Takes {
    if !arg.get_action().takes_values() {
        Takes::Nothing
    } else if arg.get_num_args().is_some_and(|n| n.min_values() == 0) {
        Takes::Optional
    } else if arg.get_num_args().is_some_and(|n| n.max_values() > 1) {
        Takes::Many
    } else {
        Takes::One
    }
}

/// A value that is wholly in double quotes loses them, as in Commons CLI.
fn unquoted(value: &OsStr) -> OsString {
    let inner = value.to_str().and_then(|v| v.strip_prefix('"')?.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('"') => inner.into(),
        _ => value.to_owned(),
    }
}

struct Table<'a> {
    args: Vec<&'a Arg>,
}

impl<'a> Table<'a> {
    fn new(command: &'a Command) -> Self {
        Self { args: command.get_arguments().filter(|a| !a.is_positional()).collect() }
    }

    fn short_names(arg: &Arg) -> Vec<String> {
        let letter = arg.get_short().map(String::from);
        letter
            .into_iter()
            .chain(arg.get_all_aliases().unwrap_or_default().into_iter().map(String::from))
            .collect()
    }

    fn by_short(&self, name: &str) -> Option<&'a Arg> {
        self.args.iter().copied().find(|a| Self::short_names(a).iter().any(|n| n == name))
    }

    /// The option whose long name is `name`, or the only one whose long name begins with it.
    fn by_long(&self, name: &str) -> Result<Option<&'a Arg>, UsageError> {
        if name.is_empty() {
            return Ok(None);
        }
        if let Some(exact) = self.args.iter().copied().find(|a| a.get_long() == Some(name)) {
            return Ok(Some(exact));
        }
        let found: Vec<&Arg> =
            self.args.iter().copied().filter(|a| a.get_long().is_some_and(|l| l.starts_with(name))).collect();
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            many => {
                let names: Vec<String> =
                    many.iter().filter_map(|a| a.get_long()).map(|l| format!("'{l}'")).collect();
                let message = format!("Ambiguous option: '{name}' (could be: {})", names.join(", "));
                Err(UsageError { message, hint: None })
            }
        }
    }

    /// The option that `text` names, and its value, if the same word contains one.
    fn recognise<'t>(&self, text: &'t str) -> Result<Option<(&'a Arg, Option<&'t str>)>, UsageError> {
        let double = text.starts_with("--");
        let body = text.trim_start_matches('-');
        if !double {
            if let Some(arg) = self.by_short(body) {
                return Ok(Some((arg, None)));
            }
            // -Dkey=value, -Dkey, -yDkey=value
            let property = self.args.iter().copied().filter(|a| is_property(a)).find_map(|a| {
                let name = Self::short_names(a).into_iter().find(|n| body.starts_with(n.as_str()))?;
                Some((a, &body[name.len()..]))
            });
            if let Some((arg, value)) = property {
                return Ok(Some((arg, Some(value))));
            }
        }
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        if !double && let Some(arg) = self.by_short(name) {
            return Ok(Some((arg, value)));
        }
        if let Some(arg) = self.by_long(name)? {
            return Ok(Some((arg, value)));
        }
        // A letter with its value, such as -p4.
        let first = body.chars().next().map(String::from).filter(|_| !double);
        let letter = first.and_then(|c| self.by_short(&c)).filter(|a| takes_value(a) != Takes::Nothing);
        Ok(letter.filter(|_| looks_like_value(&body[1..])).map(|arg| (arg, Some(&body[1..]))))
    }

    /// The flags of a word with several letters, such as `-ra`.
    fn letters(&self, text: &str) -> Option<Vec<&'a Arg>> {
        let letters = text.strip_prefix('-').filter(|t| t.len() > 1 && !t.starts_with('-'))?;
        let flag = |c: char| self.by_short(&c.to_string()).filter(|a| takes_value(a) == Takes::Nothing);
        letters.chars().map(flag).collect()
    }

    /// Whether the word that follows an option is its value rather than the next option.
    fn is_value(&self, word: &OsStr) -> bool {
        let Some(text) = word.to_str() else { return true };
        if !text.starts_with('-') || text.len() == 1 || text.parse::<f64>().is_ok() {
            return true;
        }
        text != "--" && matches!(self.recognise(text), Ok(None))
    }

    fn unknown(&self, text: &str) -> UsageError {
        let name = text.trim_start_matches('-').split('=').next().unwrap_or_default();
        let mut best: Option<(f64, String)> = None;
        for arg in self.args.iter().filter(|a| !a.is_hide_set()) {
            let long = arg.get_long().map(|l| (l.to_owned(), format!("--{l}")));
            let shorts = Self::short_names(arg).into_iter().map(|s| (s.clone(), format!("-{s}")));
            for (candidate, shown) in long.into_iter().chain(shorts) {
                let score = strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
                if score > 0.8 && best.as_ref().is_none_or(|(b, _)| score > *b) {
                    best = Some((score, shown));
                }
            }
        }
        UsageError {
            message: format!("Unrecognized option: {text}"),
            hint: best.map(|(_, shown)| format!("did you mean {shown}?")),
        }
    }
}

pub(super) fn is_property(arg: &Arg) -> bool {
    arg.get_value_names().is_some_and(|names| names.iter().any(|n| n == PROPERTY))
}

/// Whether the text behind an option's letter is its value, as in `-p4` and `-c/path`. A text that begins
/// with a letter is not, because the word is then more likely a misspelt name, such as `-nmae`.
fn looks_like_value(tail: &str) -> bool {
    tail.starts_with(|c: char| !c.is_alphabetic())
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
