//! The rules of `hadoop.security.auth_to_local`.
//!
//! A rule is `DEFAULT`, or `RULE:[components:format](filter)s/from/to/g/L`, of which all behind the brackets
//! may be left out. It is for principals with so many components (`alice@R` has one, `nn/host@R` two). In the
//! format, `$0` is the realm, and `$1` and `$2` are the components. If the whole of the result matches the
//! filter, the rule counts, and the first match of `from` (with `g`: each) is replaced; `L` makes the letters
//! small. The first rule that counts decides.
//!
//! The filters and the substitutions are regular expressions as the crate `regex` has them, without Unicode.
//! It has no look-around and no back-references; a rule with one is an error.

use regex::bytes::{Captures, Regex, RegexBuilder};

#[derive(Debug, Clone)]
pub(super) enum Rule {
    /// The first component of a principal of the default realm.
    Default,
    Made(Made),
}

/// A rule that makes a name of the components.
#[derive(Debug, Clone)]
pub(super) struct Made {
    /// The rule as it is written.
    text: String,
    components: usize,
    format: String,
    filter: Option<Regex>,
    edit: Option<Edit>,
    small: bool,
}

/// `s/from/to/g`.
#[derive(Debug, Clone)]
struct Edit {
    from: Regex,
    to: String,
    each: bool,
}

impl Rule {
    /// The name that the rule makes of a realm and one or two components; `None` if the rule is not for them.
    pub(super) fn apply(&self, components: &[&str], default_realm: &str) -> Result<Option<String>, String> {
        match self {
            Self::Default => {
                let is_default = !default_realm.is_empty() && components[0] == default_realm;
                Ok(is_default.then(|| components[1].to_owned()))
            }
            Self::Made(made) => made.apply(components),
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Default => "DEFAULT",
            Self::Made(made) => &made.text,
        }
    }

    /// Whether the letters of the name become small.
    pub(super) fn is_small(&self) -> bool {
        matches!(self, Self::Made(Made { small: true, .. }))
    }
}

impl Made {
    /// `None` if the rule is not for these components.
    fn apply(&self, components: &[&str]) -> Result<Option<String>, String> {
        if components.len() - 1 != self.components {
            return Ok(None);
        }
        let base = fill(&self.format, components).map_err(|why| format!("{}: {why}", self.text))?;
        if self.filter.as_ref().is_some_and(|filter| !filter.is_match(base.as_bytes())) {
            return Ok(None);
        }
        match &self.edit {
            None => Ok(Some(base)),
            Some(edit) => edit.apply(&base).map(Some).map_err(|why| format!("{}: {why}", self.text)),
        }
    }
}

/// Puts components in place of `$0`, `$1` and `$2`.
fn fill(format: &str, components: &[&str]) -> Result<String, String> {
    let mut parts = format.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        let component = number.parse::<usize>().ok().and_then(|number| components.get(number));
        text.push_str(component.ok_or_else(|| format!("there is no ${number}"))?);
        text.push_str(rest);
    }
    Ok(text)
}

impl Edit {
    fn apply(&self, base: &str) -> Result<String, String> {
        let (bytes, mut text, mut end) = (base.as_bytes(), Vec::new(), 0);
        let most = if self.each { usize::MAX } else { 1 };
        for found in self.from.captures_iter(bytes).take(most) {
            let Some(whole) = found.get(0) else { continue };
            text.extend_from_slice(&bytes[end..whole.start()]);
            self.replace(&found, &mut text)?;
            end = whole.end();
        }
        text.extend_from_slice(&bytes[end..]);
        String::from_utf8(text).map_err(|_| "it cuts a letter in two".to_owned())
    }

    /// Writes what Java's `Matcher` would write: `$1` and `${name}` stand for groups, and a character after a
    /// backslash for itself.
    fn replace(&self, found: &Captures<'_>, text: &mut Vec<u8>) -> Result<(), String> {
        let mut rest = self.to.chars().peekable();
        let no_group = |group: &str| format!("its `s/…/…/` names the group `{group}`, which there is not");
        while let Some(c) = rest.next() {
            let literal = match c {
                '\\' => rest.next().ok_or_else(|| "its `s/…/…/` ends with a backslash".to_owned())?,
                '$' if rest.next_if_eq(&'{').is_some() => {
                    let name: String = rest.by_ref().take_while(|c| *c != '}').collect();
                    if !self.from.capture_names().any(|known| known == Some(name.as_str())) {
                        return Err(no_group(&name));
                    }
                    text.extend_from_slice(found.name(&name).map(|m| m.as_bytes()).unwrap_or_default());
                    continue;
                }
                '$' => {
                    let next = rest.next();
                    let group = next.and_then(number).filter(|group| *group < self.from.captures_len());
                    let named = || next.map(String::from).unwrap_or_default();
                    let mut group = group.ok_or_else(|| no_group(&named()))?;
                    // Further digits belong to the number if there is a group with that number.
                    while let Some(digit) = rest.peek().copied().and_then(number) {
                        let longer = group * 10 + digit;
                        if longer >= self.from.captures_len() {
                            break;
                        }
                        group = longer;
                        rest.next();
                    }
                    text.extend_from_slice(found.get(group).map(|m| m.as_bytes()).unwrap_or_default());
                    continue;
                }
                c => c,
            };
            text.extend_from_slice(literal.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}

fn number(digit: char) -> Option<usize> {
    digit.to_digit(10).map(|digit| digit as usize)
}

/// Reads rules, with or without white space between them.
pub(super) fn parse(rules: &str) -> Result<Vec<Rule>, String> {
    let (mut rest, mut found) = (rules.trim(), Vec::new());
    while !rest.is_empty() {
        let (rule, after) = parse_one(rest.trim_start())?;
        found.push(rule);
        rest = after;
    }
    Ok(found)
}

/// The rule with which the text begins, and what follows it.
fn parse_one(text: &str) -> Result<(Rule, &str), String> {
    // As in Hadoop, what follows `DEFAULT` as if it were the end of a rule is passed over.
    if let Some(rest) = text.strip_prefix("DEFAULT") {
        return Ok((Rule::Default, end(rest).1));
    }
    let invalid = || {
        let begin: String = text.chars().take_while(|c| !c.is_control()).take(100).collect();
        format!("`{begin}` does not begin with a rule")
    };
    let inside = text.strip_prefix("RULE:[").and_then(|rest| rest.split_once(']'));
    let (inside, rest) = inside.ok_or_else(invalid)?;
    let (components, format) = inside.split_once(':').ok_or_else(invalid)?;
    let components = components.parse().map_err(|_| invalid())?;
    let (filter, rest) = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((filter, rest)) => (Some(filter), rest),
        None => (None, rest),
    };
    let (edit, rest) = match edit(rest) {
        Some((edit, rest)) => (Some(edit), rest),
        None => (None, rest),
    };
    let (small, rest) = end(rest);
    let text = &text[..text.len() - rest.len()];
    let regex = |pattern: &str| regex(pattern).map_err(|why| format!("`{text}`: {why}"));
    let made = Made {
        text: text.to_owned(),
        components,
        format: format.to_owned(),
        filter: filter.map(|filter| regex(&format!(r"\A(?:{filter})\z"))).transpose()?,
        edit: match edit {
            Some((from, to, each)) => Some(Edit { from: regex(from)?, to: to.to_owned(), each }),
            None => None,
        },
        small,
    };
    Ok((Rule::Made(made), rest))
}

/// The parts of `s/from/to/g` with which the text may begin, and what follows.
fn edit(text: &str) -> Option<((&str, &str, bool), &str)> {
    let (from, rest) = text.strip_prefix("s/")?.split_once('/')?;
    let (to, rest) = rest.split_once('/')?;
    let each = rest.strip_prefix('g');
    Some(((from, to, each.is_some()), each.unwrap_or(rest)))
}

/// Whether the letters become small (`/L`), and what follows.
fn end(text: &str) -> (bool, &str) {
    let text = text.strip_prefix('/').unwrap_or(text);
    let small = text.strip_prefix('L');
    (small.is_some(), small.unwrap_or(text))
}

fn regex(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).unicode(false).build().map_err(|error| {
        // The library draws the pattern over several lines; its last line says what is wrong.
        let text = error.to_string();
        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}
