//! Takes out of texts what could steer a terminal. Names, diagnostics, log lines and answers come from
//! others: an escape sequence in one of them could clear the screen, forge lines, or answer for the user, and
//! a character that changes the direction of writing could make a name look like another one.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character steers the terminal instead of being shown: a control character (C0 with ESC and CR,
/// DEL, C1), or one that overrides or isolates the direction of writing.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line, with a blank instead of each character that steers the terminal; line ends and tabs
/// are such characters.
pub(crate) fn line(text: &str) -> String {
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// How many bytes are looked at together.
const TOGETHER: usize = 64;

/// Whether the text has only characters of ASCII that are shown, line ends and tabs. Most logs are so, and of
/// a hundred megabytes it is seen much faster than by looking at one character after the other.
fn is_plain(text: &str) -> bool {
    let steers = |byte: u8| !matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    // All bytes of a part are looked at, because that can be done with several at a time.
    let part = |bytes: &[u8]| bytes.iter().fold(false, |found, byte| found | steers(*byte));
    !text.as_bytes().chunks(TOGETHER).any(part)
}

/// The text with its lines and tabs, and with a blank instead of each other character that steers the
/// terminal. Line ends of Windows become ordinary ones.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    let kept = |c: char| matches!(c, '\n' | '\t');
    if is_plain(text) || !text.chars().any(|c| steers(c) && !kept(c)) {
        return Cow::Borrowed(text);
    }
    let unix = text.replace("\r\n", "\n");
    Cow::Owned(unix.chars().map(|c| if steers(c) && !kept(c) { ' ' } else { c }).collect())
}

/// JSON text in which each character that steers the terminal is written as `\u` and four digits. What a
/// program reads is the same: serde_json has escaped all characters below U+0020, and the others can only be
/// inside strings.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if steers(c) && !c.is_ascii_whitespace() {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes in, and what is shown of it on one line and on several.
    const TABLE: [(&str, &str, &str); 12] = [
        ("größe 一 é✓", "größe 一 é✓", "größe 一 é✓"),
        ("a\nb\tc", "a b c", "a\nb\tc"),
        ("clear \u{1b}[2J\u{1b}]0;title\u{7}", "clear  [2J ]0;title ", "clear  [2J ]0;title "),
        ("C1 \u{9b}31m \u{9d}0;x\u{9c}", "C1  31m  0;x ", "C1  31m  0;x "),
        ("over\rwritten", "over written", "over written"),
        ("one\r\ntwo\r\n", "one  two  ", "one\ntwo\n"),
        ("back\u{8}\u{8}space\u{7f}", "back  space ", "back  space "),
        ("nul\0", "nul ", "nul "),
        ("bidi \u{202e}gpj.exe\u{202c}", "bidi  gpj.exe ", "bidi  gpj.exe "),
        ("isolates \u{2066}a\u{2067}b\u{2068}c\u{2069}", "isolates  a b c ", "isolates  a b c "),
        ("\u{202a}\u{202b}\u{202d}", "   ", "   "),
        ("marks \u{200e}\u{200f} stay", "marks \u{200e}\u{200f} stay", "marks \u{200e}\u{200f} stay"),
    ];

    #[test]
    fn nothing_steers_the_terminal() {
        for (text, one, several) in TABLE {
            assert_eq!(line(text), one, "{text:?}");
            assert_eq!(lines(text), several, "{text:?}");
        }
    }

    #[test]
    fn what_is_plain_is_seen() {
        let long = format!("{}\n\t{}", "a ~".repeat(50), "0".repeat(TOGETHER));
        assert!(is_plain(&long) && is_plain(""));
        for other in ['\u{1b}', '\r', '\u{7f}', '\0', 'ö'] {
            for at in [0, TOGETHER - 1, TOGETHER, long.len()] {
                let mut text = long.clone();
                text.insert(at, other);
                assert!(!is_plain(&text), "{other:?} {at}");
            }
        }
        for (text, _, several) in TABLE {
            assert!(!is_plain(text) || text == several, "{text:?}");
        }
    }

    #[test]
    fn json_says_the_same_in_other_characters() {
        for (text, ..) in TABLE {
            let value = serde_json::json!({ text: [text] });
            let (plain, pretty) = (value.to_string(), format!("{value:#}"));
            for given in [plain, pretty] {
                let shown = json(&given);
                assert!(!shown.chars().any(|c| steers(c) && c != '\n'), "{shown:?}");
                assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value, "{text:?}");
            }
        }
        assert_eq!(json("\"\u{9b}\u{202e}\u{7f}\""), r#""\u009b\u202e\u007f""#);
    }
}
