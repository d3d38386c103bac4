//! Patterns for paths, with the syntax of Hadoop's `FileSystem.globStatus`: `*`, `?`, `[a-c]`, `[^a]`,
//! `{a,b}`, and `\` before a character that stands for itself.
//!
//! A pattern is compared with each name between two slashes separately, so `*` never matches a slash. Braces
//! may contain slashes (`/{a/b,c}/*.jar`). This module only reads and compares patterns;
//! [`Storage`](crate::Storage) lists the directories.

use std::str::Chars;

/// The most paths that the braces of one pattern may stand for. A short pattern with many braces can stand
/// for millions of paths, for which the memory would not suffice.
const MOST_ALTERNATIVES: usize = 1024;

/// Whether a path contains a character that has a meaning in patterns, so that the path is not simply that of
/// one file.
pub fn is_glob(path: &str) -> bool {
    path.contains(['*', '?', '[', '{', '\\'])
}

/// One name of a path with patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Matches this name only.
    Name(String),
    /// Matches each name that fits the pattern.
    Pattern(Vec<Token>),
}

/// A piece of a pattern for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// `*`: any characters, or none.
    Any,
    /// `?`: any one character.
    One,
    /// `[a-c]` or `[^a-c]`: ranges of characters, both ends included, and whether the characters outside of
    /// the ranges are meant.
    Class(Vec<(char, char)>, bool),
    /// This character.
    Char(char),
}

impl Token {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Class(ranges, not) => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *not
            }
            Self::Char(own) => *own == c,
        }
    }
}

/// Whether a name fits a pattern. The number of steps is at most the product of both lengths, so that no
/// pattern takes long.
pub(crate) fn fits(pattern: &[Token], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut token) = (0, 0);
    // The last `*` so far: the index of the token after it, and the index of the first character after those
    // that it matches.
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(at) {
        match pattern.get(token) {
            Some(Token::Any) => {
                token += 1;
                star = Some((token, at));
            }
            Some(one) if one.fits(*c) => (token, at) = (token + 1, at + 1),
            _ => {
                let Some((behind, reached)) = star else { return false };
                star = Some((behind, reached + 1));
                (token, at) = (behind, reached + 1);
            }
        }
    }
    pattern.iter().skip(token).all(|token| *token == Token::Any)
}

/// Reads an absolute path with patterns. Braces can make several paths of it, so the result is a list of
/// paths, each of them a list of names. The error says in words why the pattern is not valid.
pub(crate) fn parse(path: &str) -> Result<Vec<Vec<Part>>, String> {
    // A slash separates names also within brackets and after a backslash, because no name can contain a
    // slash.
    let one = |path: String| path.split('/').filter(|name| !name.is_empty()).map(part).collect();
    let nameless = |name: &str| !name.is_empty() && name.chars().all(|c| c == EMPTY);
    alternatives(path)?.into_iter().filter(|path| !path.split('/').any(nameless)).map(one).collect()
}

/// What stands for an empty alternative of braces without a slash. They are a part of one name, as for
/// Hadoop, so that `/a/{b,}` does not stand for `/a`: no name is empty. Those with a slash can stand for
/// nothing. No other `{` without a backslash is left when the braces have been written out.
const EMPTY: char = '{';

fn part(name: &str) -> Result<Part, String> {
    let mut tokens = Vec::new();
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            '[' => class(&mut chars)?,
            EMPTY => continue,
            c => Token::Char(itself(c, &mut chars)?),
        });
    }
    let plain = tokens.iter().map(|token| if let Token::Char(c) = token { Some(*c) } else { None });
    Ok(plain.collect::<Option<String>>().map_or(Part::Pattern(tokens), Part::Name))
}

/// The character `c` itself or, if it is a backslash, the character after it.
fn itself(c: char, chars: &mut Chars) -> Result<char, String> {
    if c != '\\' {
        Ok(c)
    } else {
        chars.next().ok_or_else(|| "nothing stands behind its last backslash".to_owned())
    }
}

/// Reads a class of characters from the character after `[` on. A `]` as its first character, and a `-` as
/// its first or last one, stand for themselves.
fn class(chars: &mut Chars) -> Result<Token, String> {
    let unclosed = || "a '[' is not closed".to_owned();
    let not = chars.as_str().starts_with(['^', '!']);
    if not {
        chars.next();
    }
    let mut ranges = Vec::new();
    loop {
        let c = chars.next().ok_or_else(unclosed)?;
        if c == ']' && !ranges.is_empty() {
            return Ok(Token::Class(ranges, not));
        }
        let first = itself(c, chars)?;
        let mut ahead = chars.clone();
        let last = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) if last != ']' => {
                let last = itself(last, &mut ahead)?;
                *chars = ahead;
                last
            }
            _ => first,
        };
        if first > last {
            return Err(format!("in [{first}-{last}] the end stands before the beginning"));
        }
        ranges.push((first, last));
    }
}

/// The paths that a path with braces stands for, one for each choice of alternatives. What is behind a
/// backslash stays so. A `}` without an opening brace stands for itself.
fn alternatives(path: &str) -> Result<Vec<String>, String> {
    let Some((before, choices, after)) = first_group(path)? else { return Ok(vec![path.to_owned()]) };
    let rest = alternatives(after)?;
    let in_name = !choices.iter().any(|choice| choice.contains('/'));
    let mut all = Vec::new();
    for choice in choices {
        for mut middle in alternatives(choice)? {
            if in_name && middle.is_empty() {
                middle.push(EMPTY);
            }
            all.extend(rest.iter().map(|end| format!("{before}{middle}{end}")));
            if all.len() > MOST_ALTERNATIVES {
                return Err(format!("its braces stand for more than {MOST_ALTERNATIVES} paths"));
            }
        }
    }
    Ok(all)
}

/// What is before a group of braces, the alternatives in the group, and what is after it.
type Group<'a> = (&'a str, Vec<&'a str>, &'a str);

/// The first group of braces, if there is one.
fn first_group(path: &str) -> Result<Option<Group<'_>>, String> {
    let (mut open, mut start, mut depth) = (0, 0, 0usize);
    let mut choices = Vec::new();
    let mut chars = path.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '{' => {
                depth += 1;
                if depth == 1 {
                    (open, start) = (at, at + 1);
                }
            }
            ',' if depth == 1 => {
                choices.push(path.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    choices.push(path.get(start..at).unwrap_or_default());
                    let around = (path.get(..open), path.get(at + 1..));
                    return Ok(Some((around.0.unwrap_or_default(), choices, around.1.unwrap_or_default())));
                }
            }
            _ => {}
        }
    }
    if depth > 0 { Err("a '{' is not closed".to_owned()) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let fit = |parts: &Vec<Part>| {
            parts.len() == names.len()
                && parts.iter().zip(&names).all(|(part, name)| match part {
                    Part::Name(own) => own == name,
                    Part::Pattern(pattern) => fits(pattern, name),
                })
        };
        parse(pattern).unwrap().iter().any(fit)
    }

    #[test]
    fn what_matches() {
        for (pattern, path) in [
            ("/flink-dist/*", "/flink-dist/lib"),
            ("/a/*", "/a/.hidden"),
            ("/a/**", "/a/b"),
            ("/*/lib/*.jar", "/flink/lib/x.jar"),
            ("/a/?.jar", "/a/ä.jar"),
            ("/a/[a-c]x", "/a/bx"),
            ("/a/[^a]x", "/a/bx"),
            ("/a/[!a]x", "/a/bx"),
            ("/a/[]]", "/a/]"),
            ("/a/[a-]", "/a/-"),
            ("/a/[\\]\\-]", "/a/-"),
            ("/a/[ä-ü]", "/a/ö"),
            ("/a/*a*b*", "/a/xaaybz"),
            ("/{a,b}/c", "/b/c"),
            ("/{a/b,c}/*.jar", "/a/b/x.jar"),
            ("/x{,-1.{2,3}}.jar", "/x.jar"),
            ("/x{,-1.{2,3}}.jar", "/x-1.3.jar"),
            ("/a\\*b", "/a*b"),
            ("/\\{a,b\\}", "/{a,b}"),
            ("/a}", "/a}"),
            ("/*}", "/a}"),
            ("/}{a/b}", "/}a/b"),
            ("/{a,b}}", "/b}"),
            ("/[}-~]", "/}"),
            ("/a/{b/c,}", "/a"),
            ("/a/b{,c}", "/a/b"),
            ("/a,b", "/a,b"),
            ("/a.b+(c)|$", "/a.b+(c)|$"),
            ("/*.b+(c)|$^", "/a.b+(c)|$^"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn what_does_not() {
        for (pattern, path) in [
            ("/a/*", "/a"),
            ("/a/*", "/a/b/c"),
            ("/a/**", "/a/b/c"),
            ("/a/?", "/a/bc"),
            ("/a/[^a]x", "/a/ax"),
            ("/{a,b}", "/a,b"),
            ("/a/{b,}", "/a"),
            ("/a/{b/{c,},d}", "/a/b"),
            ("/{}/a", "/a"),
            ("/a\\*b", "/aXb"),
            ("/*.jar", "/xjar"),
            ("/A*", "/ab"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn what_makes_no_sense() {
        for pattern in ["/{a", "/[a", "/[c-a]", "/a\\"] {
            assert!(parse(pattern).is_err(), "{pattern}");
        }
        assert!(parse(&"{a,b}".repeat(20)).unwrap_err().contains("more than"));
    }

    proptest! {
        #[test]
        fn a_name_behind_backslashes_is_itself(name in "[a-c*?\\[\\]{},^!.\\\\-]{1,8}") {
            let escaped: String = name.chars().flat_map(|c| ['\\', c]).collect();
            let parts = parse(&format!("/{escaped}")).unwrap();
            prop_assert!(matches!(&parts[..], [one] if matches!(&one[..], [Part::Name(own)] if *own == name)));
        }

        #[test]
        fn a_star_is_anything_but_a_slash(start in "[a-c.]{0,3}", middle in "[^/]{0,6}", end in "[a-c.]{0,3}") {
            prop_assume!(!format!("{start}{middle}{end}").is_empty());
            let found = matches(&format!("/{start}*{end}"), &format!("/{start}{middle}{end}"));
            prop_assert!(found);
        }

        #[test]
        fn never_panics(pattern in "[a*?\\[\\]{},^!/\\\\-]{0,16}") {
            let _ = parse(&pattern);
        }
    }
}
