//! Reads the command lines of `sql-client.sh` and `sql-gateway.sh`.

use std::ffi::OsString;
use std::fmt;

use flink_model::config::{masked_words, shown_all};
use yarn_client::error::Failure;

/// The user's words by their meaning.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The first word, if it is not an option: `embedded` or `gateway`; `start` or `stop`.
    pub(super) verb: Option<OsString>,
    /// All other words that are not properties, in order.
    pub(super) rest: Vec<OsString>,
    /// `-D`, `-t` and `-yid` as properties, in order.
    pub(super) properties: Vec<(String, String)>,
    /// `-f`: the script.
    pub(super) script: Option<OsString>,
    /// `-i`: the script that is run first.
    pub(super) init: Option<OsString>,
    /// `-j`: the jars, in order.
    pub(super) jars: Vec<String>,
    /// `-l`: the directory with jars.
    pub(super) library: Option<OsString>,
    /// `-h`: whether help is wanted.
    pub(super) help: bool,
}

impl fmt::Debug for Line {
    /// Leaves out the values of properties and options with names of secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest: Vec<_> = self.rest.iter().map(|word| word.to_string_lossy()).collect();
        f.debug_struct("Line")
            .field("verb", &self.verb)
            .field("rest", &masked_words(&rest))
            .field("properties", &shown_all(self.properties.iter().map(|(key, value)| (key, value))))
            .field("script", &self.script)
            .field("init", &self.init)
            .field("jars", &self.jars)
            .field("library", &self.library)
            .field("help", &self.help)
            .finish()
    }
}

/// Takes `--output` out of the words, which is heddle's own option. Returns whether the answer is to be JSON,
/// and all other words, in order. Fails if there is no such form.
pub(super) fn without_form(words: &[OsString]) -> Result<(bool, Vec<OsString>), Failure> {
    const NAME: &str = "--output";
    let mut json = false;
    let mut others = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        if text == "--" {
            others.push(word.clone());
            others.extend(words.by_ref().cloned());
            continue;
        }
        let form = match text.strip_prefix(NAME) {
            Some("") => words.next().map(|form| form.to_string_lossy().into_owned()).unwrap_or_default(),
            Some(rest) if rest.starts_with('=') => rest.trim_start_matches('=').to_owned(),
            _ => {
                others.push(word.clone());
                continue;
            }
        };
        json = match form.as_str() {
            "json" => true,
            "text" => false,
            other => return Err(Failure::usage(format!("{NAME} {other}: it is either text or json"))),
        };
    }
    Ok((json, others))
}

impl Line {
    /// Reads the words. Words that it does not know are passed on to Flink's program. Fails if one of
    /// heddle's own options has no value or no key.
    pub(super) fn read(words: &[OsString]) -> Result<Self, Failure> {
        let mut line = Self::default();
        let mut words = words.iter().peekable();
        line.verb = words.next_if(|w| !w.to_string_lossy().starts_with('-')).cloned();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            let (name, glued) = match text.split_once('=') {
                Some((name, value)) if !text.starts_with("-D") => (name, Some(value)),
                _ => (&*text, None),
            };
            let key = match name {
                "-t" | "--target" => "execution.target",
                "-yid" | "--yarnapplicationId" => "yarn.application.id",
                "-D" => "",
                _ => {
                    if let Some(property) = text.strip_prefix("-D") {
                        line.property(property)?;
                        continue;
                    }
                    line.help |= matches!(name, "-h" | "--help");
                    line.rest.push(word.clone());
                    let value = glued.map(OsString::from).or_else(|| words.peek().map(|w| (*w).clone()));
                    let file = match name {
                        "-f" | "--file" => &mut line.script,
                        "-i" | "--init" => &mut line.init,
                        "-l" | "--library" => &mut line.library,
                        "-j" | "--jar" => {
                            line.jars.extend(value.map(|jar| jar.to_string_lossy().into_owned()));
                            continue;
                        }
                        _ => continue,
                    };
                    *file = value.or(file.take());
                    continue;
                }
            };
            let value = match glued {
                Some(value) => value.to_owned(),
                None => words.next().map(|w| w.to_string_lossy().into_owned()).ok_or_else(|| {
                    Failure::usage(format!("Missing argument for option: {}", name.trim_start_matches('-')))
                })?,
            };
            if key.is_empty() {
                line.property(&value)?;
            } else {
                line.properties.push((key.to_owned(), value));
            }
        }
        Ok(line)
    }

    fn property(&mut self, text: &str) -> Result<(), Failure> {
        let (key, value) = text.split_once('=').unwrap_or((text, "true"));
        if key.trim().is_empty() {
            return Err(Failure::usage(format!("-D{text} has no key")).hint("write -Dkey=value"));
        }
        self.properties.push((key.trim().to_owned(), value.trim().to_owned()));
        Ok(())
    }
}
