//! Where a value in a text ends: in the options of a shell, in JSON and YAML, in properties.

use std::ops::Range;

const LINE_BREAKS: [char; 2] = ['\n', '\r'];
/// What the first and the last line of a PEM text end with.
const DASHES: &str = "-----";
const PEM: &str = "-----BEGIN";
const PEM_END: &str = "-----END";

/// The value behind the separator at this place. It may be empty.
pub(super) fn behind(text: &str, separator: usize) -> Range<usize> {
    let outer = open_quote(&text[..separator]);
    let blank_before = text[..separator].ends_with(char::is_whitespace);
    let behind = text[separator + 1..].trim_start();
    let start = text.len() - behind.len();
    let blank_behind = start > separator + 1;
    // In `-Dpassword= -Dc=d` the value is empty.
    let option = !behind.starts_with(PEM)
        && behind.strip_prefix('-').is_some_and(|b| b.starts_with(|c: char| c == '-' || c.is_alphabetic()));
    if text[separator..].starts_with('=') && !blank_before && blank_behind && option {
        return start..start;
    }
    // As in `:=` and `=>`.
    let more = behind.trim_start_matches(['=', ':', '>']);
    let value = more.trim_start();
    let blanks = blank_before || blank_behind || (more.len() < behind.len() && value.len() < more.len());
    // Where the two ways of writing quotes within quotes have different ends, the later one counts.
    let length = [true, false].map(|backslashes| length(value, outer, blanks, backslashes));
    let first = text.len() - value.len();
    let mut end = first + length.into_iter().max().unwrap_or_default();
    let enclosed = value.trim_start_matches('\\').starts_with(['"', '\'', '[', '{']);
    if blanks && (!enclosed || text[separator..first].contains(LINE_BREAKS)) {
        end = end.max(block(text, separator));
    }
    start..behind_pem(text, start..end, outer)
}

/// The end of the word of a command line that begins at this place.
pub(super) fn end_of_word(text: &str, start: usize) -> usize {
    let outer = open_quote(&text[..start]);
    let length = [true, false].map(|backslashes| word(&text[start..], outer, backslashes));
    start + length.into_iter().max().unwrap_or_default()
}

/// The quotation mark that is open at the end of a text. An apostrophe in one line says nothing about the
/// next one.
pub(super) fn open_quote(text: &str) -> Option<char> {
    let mut open = None;
    let mut chars = text[text.rfind(LINE_BREAKS).map_or(0, |at| at + 1)..].chars();
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

/// Whether a text begins with the mark that closes the quotes `outer`, and not with one inside a word.
pub(super) fn ends_quotes(text: &str, outer: Option<char>) -> bool {
    outer.and_then(|outer| text.strip_prefix(outer)).is_some_and(closes)
}

/// Whether a value may end before this text.
fn closes(text: &str) -> bool {
    let closes = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '}' | ']' | ')' | '&');
    text.is_empty() || text.starts_with(closes)
}

/// The end of the lines that belong to the key before the separator, as in YAML: they follow its line, and
/// are indented more or are items of a list.
fn block(text: &str, separator: usize) -> usize {
    let (before, behind) = text.split_at(separator);
    let key = indentation(&before[before.rfind(LINE_BREAKS).map_or(0, |at| at + 1)..]);
    let (mut end, mut at) = (separator, separator);
    for (number, line) in behind.split(LINE_BREAKS).enumerate() {
        let content = line.trim_start();
        let indented = line.len() - content.len();
        let is_item = content.starts_with("- ") || content.trim_end() == "-";
        if number > 0 && !content.is_empty() {
            if indented < key || (indented == key && !is_item) {
                break;
            }
            end = at + line.len();
        }
        at += line.len() + 1;
    }
    end
}

/// Where a key in a line of YAML begins: behind the blanks, and the dashes of lists.
fn indentation(line: &str) -> usize {
    let mut content = line.trim_start();
    while let Some(item) = content.strip_prefix("- ") {
        content = item.trim_start();
    }
    line.len() - content.len()
}

/// The end of a value that has this range, or begins so, when PEM texts in it and directly behind it are part
/// of it.
fn behind_pem(text: &str, value: Range<usize>, outer: Option<char>) -> usize {
    let Range { start: mut from, mut end } = value;
    while let Some(found) = text[from..].find(PEM) {
        let begin = from + found;
        if begin > text.len() - text[end..].trim_start().len() {
            break;
        }
        let name = text[begin..].find(PEM_END).map(|at| begin + at + PEM_END.len());
        let close = name.and_then(|name| Some(name + text[name..].find(DASHES)? + DASHES.len()));
        from = close.unwrap_or(text.len());
        if from > end {
            // Line breaks may be written as `\n`.
            end = from + word(&text[from..], outer, true);
        }
    }
    end
}

/// The length of the value at the beginning of a text that is within the quotes `outer`. With `blanks` around
/// the separator, as people write it in files, a value without quotes has the rest of the line. `backslashes`
/// says how a quotation mark stands within such marks: behind a backslash, or twice.
fn length(text: &str, outer: Option<char>, blanks: bool, backslashes: bool) -> usize {
    let bare = |text: &str| if blanks { line(text, outer) } else { word(text, outer, backslashes) };
    if text.starts_with(['[', '{']) {
        // Marks in it may be apostrophes.
        let end = bracketed(text, None).max(bracketed(text, Some(backslashes)));
        return end + bare(&text[end..]);
    }
    let Some((quoted, quote)) = quoted(text, backslashes) else { return bare(text) };
    let rest = &text[quoted..];
    if closes(rest) {
        quoted
    } else {
        // As in `'it'\''s'`. Within its own kind of quotes the value could not begin with them.
        quoted + word(rest, outer.filter(|outer| *outer != quote), backslashes)
    }
}

/// The length of what the brackets at the beginning of a text enclose. With `quotes`, brackets within
/// quotation marks do not count, and the value says how such marks stand within each other. Without a closing
/// bracket all is enclosed.
fn bracketed(text: &str, quotes: Option<bool>) -> usize {
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if let Some((length, _)) = quotes.and_then(|backslashes| quoted(&text[at..], backslashes)) {
            at += length;
            continue;
        }
        at += c.len_utf8();
        match c {
            '[' => open.push(']'),
            '{' => open.push('}'),
            _ if open.last() == Some(&c) => {
                open.pop();
                if open.is_empty() {
                    return at;
                }
            }
            _ => {}
        }
    }
    text.len()
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
        if c.is_whitespace() || ends_quotes(&text[at..], outer) {
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
        if LINE_BREAKS.contains(&c) || ends_quotes(&text[at..], outer) {
            return at;
        }
        if c == '\\' {
            chars.next();
        }
    }
    text.len()
}
