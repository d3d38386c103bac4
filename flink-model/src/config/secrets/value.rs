//! Where a value in a text ends: in the options of a shell, in JSON and YAML, in properties.

use std::ops::Range;

/// The value behind the separator at this place. It may be empty.
pub(super) fn behind(text: &str, separator: usize) -> Range<usize> {
    let outer = open_quote(&text[..separator]);
    let blank_before = text[..separator].ends_with(char::is_whitespace);
    let behind = text[separator + 1..].trim_start();
    let start = text.len() - behind.len();
    let blank_behind = start > separator + 1;
    // In `-Dpassword= -Dc=d` the value is empty.
    let option =
        behind.strip_prefix('-').is_some_and(|b| b.starts_with(|c: char| c == '-' || c.is_alphabetic()));
    if text[separator..].starts_with('=') && !blank_before && blank_behind && option {
        return start..start;
    }
    // As in `:=` and `=>`.
    let more = behind.trim_start_matches(['=', ':', '>']);
    let value = more.trim_start();
    let blanks = blank_before || blank_behind || (more.len() < behind.len() && value.len() < more.len());
    // Where the two ways of writing quotes within quotes have different ends, the later one counts.
    let length = [true, false].map(|backslashes| length(value, outer, blanks, backslashes));
    start..text.len() - value.len() + length.into_iter().max().unwrap_or_default()
}

/// The quotation mark that is open at the end of a text.
pub(super) fn open_quote(text: &str) -> Option<char> {
    let mut open = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '"' | '\'' if open.is_none() => open = Some(c),
            c if open == Some(c) => open = None,
            _ => {}
        }
    }
    open
}

/// The length of the value at the beginning of a text that is within the quotes `outer`. With `blanks` around
/// the separator, as people write it in files, a value without quotes has the rest of the line. `backslashes`
/// says how a quotation mark stands within such marks: behind a backslash, or twice.
fn length(text: &str, outer: Option<char>, blanks: bool, backslashes: bool) -> usize {
    let Some((quoted, quote)) = quoted(text, backslashes) else {
        return if blanks { line(text, outer) } else { word(text, outer, backslashes) };
    };
    let rest = &text[quoted..];
    let closes = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '}' | ']' | ')' | '&');
    if rest.is_empty() || rest.starts_with(closes) {
        quoted
    } else {
        // As in `'it'\''s'`. Within its own kind of quotes the value could not begin with them.
        quoted + word(rest, outer.filter(|outer| *outer != quote), backslashes)
    }
}

/// The length of the quoted text at the beginning of a text, and its quotation mark. The mark may have
/// backslashes before it, in JSON that is itself in quotes; then the closing one has as many, and those
/// within have more. Without a closing mark all is quoted.
fn quoted(text: &str, backslashes: bool) -> Option<(usize, char)> {
    let before = text.len() - text.trim_start_matches('\\').len();
    let quote = text[before..].chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut run = 0;
    let mut chars = text.char_indices().skip(before + 1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            let closes = if backslashes || before > 0 {
                run % (2 * (before + 1)) == before
            } else {
                chars.next_if(|(_, next)| *next == quote).is_none()
            };
            if closes {
                return Some((at + 1, quote));
            }
        }
        run = if c == '\\' { run + 1 } else { 0 };
    }
    Some((text.len(), quote))
}

/// The length of the word at the beginning of a text, in which a shell's quotes and backslashes may be.
fn word(text: &str, outer: Option<char>, backslashes: bool) -> usize {
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() || Some(c) == outer {
            return at;
        }
        at += match c {
            '\\' => 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8),
            _ => quoted(&text[at..], backslashes).map_or(c.len_utf8(), |(length, _)| length),
        };
    }
    at
}

/// The length of the line at the beginning of a text, or up to the quotes that close before.
fn line(text: &str, outer: Option<char>) -> usize {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if matches!(c, '\n' | '\r') || Some(c) == outer {
            return at;
        }
        if c == '\\' {
            chars.next();
        }
    }
    text.len()
}
