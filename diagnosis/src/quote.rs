//! Finds in a text the line that says most about a cause, and makes it fit to be read.

use crate::rule::Sign;

/// Most characters of a quoted line.
const LONGEST: usize = 500;

/// The line of a text that shows a sign: the first one that has all the words of the sign, else one that has
/// the first of them, else the innermost exception, else the first line that says anything. Empty if there
/// is none.
pub(crate) fn telling(text: &str, sign: &Sign) -> String {
    let lines: Vec<&str> =
        text.lines().map(without_time).map(str::trim).filter(|line| useful(line)).collect();
    let mut wanted = Vec::new();
    words(sign, text, &mut wanted);
    let all = wanted.iter().find_map(|list| lines.iter().find(|line| list.iter().all(|w| line.contains(w))));
    let first = || {
        wanted
            .iter()
            .find_map(|list| lines.iter().find(|line| list.first().is_some_and(|w| line.contains(w))))
    };
    let innermost = || lines.iter().rfind(|line| line.starts_with(CAUSED_BY));
    let line = all.or_else(first).or_else(innermost).or_else(|| lines.first());
    let line = line.map_or("", |line| line.strip_prefix(CAUSED_BY).unwrap_or(line));
    let short: String = line.chars().take(LONGEST).collect();
    if short.len() < line.len() { format!("{short}…") } else { short }
}

const CAUSED_BY: &str = "Caused by: ";

/// The lists of words of a sign that the text has.
fn words(sign: &Sign, text: &str, found: &mut Vec<&'static [&'static str]>) {
    match *sign {
        Sign::Words(list) if list.iter().all(|word| text.contains(word)) => found.push(list),
        Sign::All(signs) | Sign::Any(signs) => signs.iter().for_each(|sign| words(sign, text, found)),
        _ => {}
    }
}

/// Whether a line is worth being read: no frame of a stack trace, no phrase that YARN always writes, and no
/// command line of a killed container's processes.
fn useful(line: &str) -> bool {
    const FIXED: [&str; 10] = [
        "Failing this attempt.",
        "For more detailed output",
        "Then click on links",
        "Container id:",
        "Exception from container-launch",
        "Last 4096 bytes of",
        "Failing the application",
        "Stack trace:",
        "Dump of the process-tree",
        "|-",
    ];
    let frame = line.starts_with("at ") && line.contains('(') || line.starts_with("... ");
    !(line.is_empty() || line == "." || frame)
        && (!FIXED.iter().any(|fixed| line.starts_with(fixed)) || line.contains("Diagnostics:"))
}

/// The line without the time in square brackets with which YARN begins it.
fn without_time(line: &str) -> &str {
    let time = |text: &str| text.contains(':') && text.bytes().filter(u8::is_ascii_digit).count() >= 8;
    match line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((stamp, rest)) if time(stamp) => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_with_the_words_comes_first() {
        let text = "[2026-11-28 14:25:10.123]java.io.IOException: x\n\tat a.b.C.d(C.java:1)\nCaused by: a.B: disk is full\nCaused by: c.D: end\n";
        assert_eq!(telling(text, &Sign::Words(&["disk"])), "a.B: disk is full");
        assert_eq!(
            telling(text, &Sign::All(&[Sign::Code(&[1]), Sign::Any(&[Sign::Words(&["java.io"])])])),
            "java.io.IOException: x"
        );
        assert_eq!(telling(text, &Sign::Code(&[1])), "c.D: end");
        assert_eq!(telling(text, &Sign::Tells(&["java.io"])), "c.D: end");
        assert_eq!(telling("x\n", &Sign::Code(&[1])), "x");
        assert_eq!(telling("\n\t|- 1 0 java -Dpassword=x\n", &Sign::Code(&[1])), "");
    }

    #[test]
    fn long_lines_are_cut() {
        let line = telling(&"ä".repeat(1000), &Sign::Code(&[1]));
        assert_eq!(line.chars().count(), LONGEST + 1);
    }
}
