//! Hides secrets in what is handed to others. Where a text does not tell where a secret ends, more is hidden
//! rather than less.

use diagnosis::{Evidence, Finding, Verdict, Witness, cut};
use flink_model::config::{HIDDEN, is_sensitive, masked, shown};
use serde_json::Value;

/// Of a longer line so many bytes are left, because the time for a line grows with the square of its length.
const LONGEST: usize = 16 << 10;
/// The key in which Flink's own client keeps the arguments of the program, which may hold passwords.
const ARGUMENTS: &str = "$internal.application.program-args";

/// A text of several lines. Each line counts by itself.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let (kept, left_out) = line.split_at(cut(line, LONGEST).len());
        if let Some((before, _)) = kept.split_once(ARGUMENTS) {
            out.push_str(&format!("{}{ARGUMENTS}: {HIDDEN}", masked(before)));
        } else {
            out.push_str(&masked(kept));
        }
        if !left_out.is_empty() {
            out.push_str(&format!("… ({} bytes of this line are left out)", left_out.len()));
        }
        out.push_str(end);
    }
    out
}

/// A text of bytes, such as a log.
pub(super) fn bytes(bytes: &[u8]) -> String {
    text(&String::from_utf8_lossy(bytes))
}

/// Lines of JSON. One that is none is taken as a text.
pub(super) fn json_lines(bytes: &[u8]) -> String {
    let of_line = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(mut json) => {
            value(&mut json);
            format!("{json}\n")
        }
        Err(_) => text(line),
    };
    String::from_utf8_lossy(bytes).split_inclusive('\n').map(of_line).collect()
}

/// All texts in a value, and all that is behind keys that name secrets.
pub(super) fn value(value: &mut Value) {
    match value {
        Value::String(string) => *string = text(string),
        Value::Array(list) => list.iter_mut().for_each(self::value),
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                if let Value::String(string) = inner {
                    *string = text(&setting(key, std::mem::take(string)));
                } else if is_sensitive(key) && matches!(inner, Value::Array(_) | Value::Object(_)) {
                    *inner = Value::String(HIDDEN.to_owned());
                } else {
                    self::value(inner);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The value of a key of a configuration.
pub(super) fn setting(key: &str, value: String) -> String {
    if key == ARGUMENTS { HIDDEN.to_owned() } else { shown(key, value) }
}

/// A finding as it may be shown: it quotes logs, exceptions and YARN's diagnostics. What to set is in
/// heddle's own words.
pub(super) fn finding(found: Finding) -> Finding {
    let evidence = found.evidence.into_iter();
    let evidence =
        evidence.map(|told| Evidence { about: text(&told.about), text: text(&told.text), ..told }).collect();
    Finding { text: text(&found.text), evidence, ..found }
}

/// A verdict as it may be shown, for the same reason.
pub(super) fn verdict(verdict: Verdict) -> Verdict {
    let witnesses = verdict.witnesses.into_iter();
    let witnesses = witnesses.map(|witness| Witness { says: text(&witness.says), ..witness }).collect();
    Verdict { reason: text(&verdict.reason), witnesses, ..verdict }
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
        let mut answer =
            json!({ "list": ["x.secret: hush"], "my.secret": "hush", "passwords": ["hush"], "number": 1 });
        value(&mut answer);
        let hidden = json!({ "list": ["x.secret: ******"], "my.secret": "******", "passwords": "******", "number": 1 });
        assert_eq!(answer, hidden);
        assert_eq!(bytes(b"a.password=hush \xff"), "a.password=****** \u{fffd}");
    }

    #[test]
    fn arguments_of_programs_are_hidden() {
        assert_eq!(text("java X --password hush --input x"), "java X --password ****** --input x");
        assert_eq!(text("[--user, ann, --api-key,  hush, -v]"), "[--user, ann, --api-key,  ****** -v]");
        assert_eq!(text("--password --token 'hush'"), "--password --token ******");
        assert_eq!(text("- no token at all"), "- no token at all");
        let line =
            "INFO x [] - Loading configuration property: $internal.application.program-args, --pw;hush\nnext";
        assert_eq!(
            text(line),
            "INFO x [] - Loading configuration property: $internal.application.program-args: ******\nnext"
        );
        assert_eq!(setting(ARGUMENTS, "--pw;hush".into()), "******");
        assert_eq!(setting("rest.port", "0".into()), "0");
    }

    #[test]
    fn json_stays_json() {
        let lines = b"{\"a\":{\"said\":[\"-Dmy.password=hush\",\"b\"]}}\n{\"cut\":\"x.secret=hush";
        assert_eq!(
            json_lines(lines),
            "{\"a\":{\"said\":[\"-Dmy.password=******\",\"b\"]}}\n{\"cut\":\"x.secret=******"
        );
        assert_eq!(json_lines(b""), "");
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
