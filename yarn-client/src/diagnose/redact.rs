//! Hides secrets in what is handed to others. Where a text does not tell where a secret ends, more is hidden
//! rather than less.

use std::borrow::Cow;

use flink_model::config::{masked, shown};
use serde_json::Value;

/// Of a longer line so many bytes are left, because the time for a line grows with the square of its length.
const LONGEST: usize = 16 << 10;
/// The name of an exception of Hadoop's that looks like the key of a secret. What stands behind it tells why a
/// token was refused, and holds no secret.
const NO_KEY: &str = "SecretManager$InvalidToken";

/// A text of several lines. Each line counts by itself.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let (kept, left_out) = line.split_at(fitting(line));
        kept.split_inclusive(NO_KEY).for_each(|part| out.push_str(&masked(part)));
        if !left_out.is_empty() {
            out.push_str(&format!("… ({} bytes of this line are left out)", left_out.len()));
        }
        out.push_str(end);
    }
    out
}

/// A text of bytes, such as a log.
pub(super) fn bytes(bytes: &[u8]) -> String {
    let lossy: Cow<'_, str> = String::from_utf8_lossy(bytes);
    text(&lossy)
}

/// All texts in a value, and those behind keys that name secrets.
pub(super) fn value(value: &mut Value) {
    match value {
        Value::String(string) => *string = text(string),
        Value::Array(list) => list.iter_mut().for_each(self::value),
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(string) => *string = text(&shown(key, std::mem::take(string))),
                    other => self::value(other),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How many bytes of a line are kept.
fn fitting(line: &str) -> usize {
    let mut end = line.len().min(LONGEST);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_and_reasons_are_not() {
        assert_eq!(text("a -Dmy.password=hush b\nplain\n"), "a -Dmy.password=****** b\nplain\n");
        assert_eq!(text("no end"), "no end");
        let refused = "SecretManager$InvalidToken): token (for ann) can't be found in cache";
        assert_eq!(text(refused), refused);
        let mut answer = json!({ "list": ["x.secret: hush"], "my.secret": "hush", "number": 1 });
        value(&mut answer);
        assert_eq!(answer, json!({ "list": ["x.secret: ******"], "my.secret": "******", "number": 1 }));
        assert_eq!(bytes(b"a.password=hush \xff"), "a.password=****** \u{fffd}");
    }

    #[test]
    fn long_lines_are_cut() {
        let long = text(&format!("{}\nnext", "ä".repeat(LONGEST)));
        assert!(
            long.ends_with(&format!("ä… ({LONGEST} bytes of this line are left out)\nnext")),
            "{}",
            long.len()
        );
    }
}
