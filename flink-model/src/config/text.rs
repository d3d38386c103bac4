//! Splits a text that holds a list or a map, with quotes around parts, as Flink's `StructuredOptionsSplitter`
//! does.

/// Splits a text at `separator`. Parts may stand in single or double quotes, inside which the quote itself is
/// doubled. White space around parts without quotes is removed. An empty part counts only between two
/// separators. It fails if a quote is not closed, or if there is text after a closing quote.
pub(super) fn split(text: &str, separator: char) -> Result<Vec<String>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    // What has been read last: a quoted part, a separator, or (if both are false) something else or nothing.
    let (mut after_quoted, mut after_separator) = (false, false);
    while let Some(first) = rest.chars().next() {
        if first == separator {
            if after_separator {
                parts.push(String::new());
            }
            (after_quoted, after_separator) = (false, true);
            rest = &rest[first.len_utf8()..];
        } else if !matches!(first, '\'' | '"') && is_java_whitespace(first) {
            rest = &rest[first.len_utf8()..];
        } else {
            if after_quoted {
                let position = text.len() - rest.len();
                return Err(format!("text behind a closing quote at position {position}"));
            }
            let (part, left) = if matches!(first, '\'' | '"') {
                after_quoted = true;
                quoted(rest, first)?
            } else {
                let end = rest.find(separator).unwrap_or(rest.len());
                (crate::java::trim(&rest[..end]).to_owned(), &rest[end..])
            };
            parts.push(part);
            after_separator = false;
            rest = left;
        }
    }
    Ok(parts)
}

/// What Java's `Character.isWhitespace` says: Unicode's white space except for non-breaking spaces, and some
/// control characters.
fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        _ => c.is_whitespace(),
    }
}

/// Reads a part in quotes. Returns it, and the text after the closing quote.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let mut part = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            part.push(c);
        } else if chars.next_if(|&(_, next)| next == quote).is_some() {
            part.push(quote);
        } else {
            return Ok((part, &text[at + 1..]));
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_and_quotes() {
        let list = |text| split(text, ';');
        assert_eq!(list("a;b c ; d"), Ok(vec!["a".into(), "b c".into(), "d".into()]));
        assert_eq!(list("'a;b';\"c'\"\"d\""), Ok(vec!["a;b".into(), "c'\"d".into()]));
        assert_eq!(list("a;;b;"), Ok(vec!["a".into(), String::new(), "b".into()]));
        assert_eq!(list(""), Ok(vec![]));
        assert!(list("'a'b").is_err());
        assert!(list("'a").is_err());
    }

    proptest! {
        #[test]
        fn quoting_round_trips(parts in proptest::collection::vec("[^\u{0}-\u{1f}]{1,8}", 1..5)) {
            let written: Vec<_> = parts.iter().map(|p| format!("'{}'", p.replace('\'', "''"))).collect();
            prop_assert_eq!(split(&written.join(";"), ';'), Ok(parts));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = split(&text, ';');
        }
    }
}
