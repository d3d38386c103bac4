//! Hadoop's patterns (`GlobPattern`): `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, and `\` before a character that
//! stands for itself.

/// How many alternatives braces may stand for.
const ALTERNATIVES: usize = 1000;

/// Whether the whole text matches the pattern. The error says what is wrong with the pattern.
pub(crate) fn matches(pattern: &str, text: &str) -> Result<bool, &'static str> {
    let text: Vec<char> = text.chars().collect();
    let mut alternatives = Vec::new();
    expand(&pattern.chars().collect::<Vec<_>>(), &mut alternatives)?;
    for alternative in alternatives {
        let parts = parse(&alternative)?;
        if matches_parts(&parts, &text) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes out the braces: `a{b,c}` is `ab` and `ac`.
fn expand(pattern: &[char], out: &mut Vec<Vec<char>>) -> Result<(), &'static str> {
    let mut todo = vec![pattern.to_vec()];
    while let Some(pattern) = todo.pop() {
        let Some(Braces { open, commas, close }) = braces(&pattern)? else {
            out.push(pattern);
            continue;
        };
        let mut start = open + 1;
        let mut choices = Vec::new();
        for end in commas.into_iter().chain([close]) {
            choices.push([&pattern[..open], &pattern[start..end], &pattern[close + 1..]].concat());
            start = end + 1;
        }
        todo.extend(choices.into_iter().rev());
        if todo.len() + out.len() > ALTERNATIVES {
            return Err("its braces stand for too many alternatives");
        }
    }
    Ok(())
}

/// Where braces open, where their commas are, and where they close.
struct Braces {
    open: usize,
    commas: Vec<usize>,
    close: usize,
}

/// The first braces.
fn braces(pattern: &[char]) -> Result<Option<Braces>, &'static str> {
    let (mut open, mut commas, mut depth, mut class) = (None, Vec::new(), 0, false);
    let mut i = 0;
    while i < pattern.len() {
        match pattern[i] {
            '\\' => i += 1,
            ']' => class = false,
            _ if class => {}
            '[' => class = true,
            '{' => {
                depth += 1;
                open.get_or_insert(i);
            }
            ',' if depth == 1 => commas.push(i),
            '}' if depth == 1 => return Ok(open.map(|open| Braces { open, commas, close: i })),
            '}' if depth > 1 => depth -= 1,
            _ => {}
        }
        i += 1;
    }
    if depth > 0 { Err("it has `{` without `}`") } else { Ok(None) }
}

enum Part {
    Any,
    One,
    Literal(char),
    Class { not: bool, ranges: Vec<(char, char)> },
}

fn parse(pattern: &[char]) -> Result<Vec<Part>, &'static str> {
    let (mut parts, mut rest) = (Vec::new(), pattern.iter().copied());
    while let Some(c) = rest.next() {
        parts.push(match c {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Literal(rest.next().ok_or("it ends with a backslash")?),
            '[' => {
                let mut members = Vec::new();
                loop {
                    match rest.next().ok_or("it has `[` without `]`")? {
                        ']' => break,
                        '\\' => members.push((rest.next().ok_or("it ends with a backslash")?, false)),
                        c => members.push((c, true)),
                    }
                }
                class(&members)
            }
            c => Part::Literal(c),
        });
    }
    Ok(parts)
}

/// A class of characters; each comes with whether it can have a meaning of its own.
fn class(members: &[(char, bool)]) -> Part {
    let (not, mut members) = match members {
        [('!', true), rest @ ..] => (true, rest),
        all => (false, all),
    };
    let mut ranges = Vec::new();
    while let [(first, _), rest @ ..] = members {
        members = rest;
        let mut last = *first;
        if let [('-', true), (end, _), after @ ..] = rest {
            (last, members) = (*end, after);
        }
        ranges.push((*first, last));
    }
    Part::Class { not, ranges }
}

/// Goes back only to the last `*`, so the time is at most the product of both lengths.
fn matches_parts(parts: &[Part], text: &[char]) -> bool {
    let (mut p, mut t, mut back) = (0, 0, None);
    loop {
        match parts.get(p) {
            Some(Part::Any) => {
                back = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(part) if text.get(t).is_some_and(|c| part.takes(*c)) => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            None if t == text.len() => return true,
            _ => {}
        }
        match back {
            Some((after, from)) if from < text.len() => {
                back = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any | Self::One => true,
            Self::Literal(literal) => *literal == c,
            Self::Class { not, ranges } => ranges.iter().any(|(a, b)| (*a..=*b).contains(&c)) != *not,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_in_hadoop() {
        for (pattern, yes, no) in [
            ("*", "nn/host@R", None),
            ("nn/*@R", "nn/host.example.com@R", Some("nn/host@S")),
            ("nn/*@R", "nn/@R", Some("rm/host@R")),
            ("nn/host?.example.com@R", "nn/host1.example.com@R", Some("nn/host.example.com@R")),
            ("{nn,jn}/*@R", "jn/h@R", Some("dn/h@R")),
            ("{n{n,m},rm}/h", "nm/h", Some("n/h")),
            ("nn/h[0-9a]@R", "nn/ha@R", Some("nn/hb@R")),
            ("nn/h[!0-9]@R", "nn/hb@R", Some("nn/h1@R")),
            ("h[^a]", "h^", Some("hb")),
            ("n.n", "n.n", Some("nxn")),
            ("a\\*b", "a*b", Some("axb")),
            ("a[{,}]b", "a,b", Some("ab")),
            ("a*b*c", "axbxbxc", Some("axbxb")),
            ("a}b,c", "a}b,c", Some("a")),
            ("", "", Some("a")),
        ] {
            assert_eq!(matches(pattern, yes), Ok(true), "{pattern} {yes}");
            if let Some(no) = no {
                assert_eq!(matches(pattern, no), Ok(false), "{pattern} {no}");
            }
        }
        assert!(matches("nn/{a", "nn/a").is_err());
        assert!(matches("nn/[a", "nn/a").is_err());
        assert!(matches("nn\\", "nn").is_err());
        assert!(matches(&"{a,b}".repeat(20), "a").is_err());
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_a_star(text in "[a-zA-Z0-9/@._-]{0,30}", at in 0..30usize) {
            prop_assert_eq!(matches(&text, &text), Ok(true));
            let at = at.min(text.len());
            prop_assert_eq!(matches(&format!("{}*", &text[..at]), &text), Ok(true));
            prop_assert_eq!(matches(&format!("{text}?"), &text), Ok(false));
        }

        #[test]
        fn no_pattern_makes_it_panic(pattern in "[a{},*?\\[\\]!^\\\\-]{0,40}", text in "[ab,-]{0,9}") {
            let _ = matches(&pattern, &text);
        }
    }
}
