//! Makes lines of the text of a log, and takes those that are wanted.

use std::collections::VecDeque;

use chrono::{DateTime, Local, Utc};
use regex::bytes::{Regex, RegexBuilder};

use crate::error::Failure;

/// The longest line, in bytes. A longer one becomes several.
const LONGEST: usize = 256 << 10;
/// The most that is kept for the last lines of a log, in bytes. If they are longer, there are fewer of them.
const MOST_KEPT: usize = 64 << 20;
/// The time at which years get a fifth digit, in ms since 1970.
const YEAR_10000: i64 = 253_402_300_800_000;

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this many last lines of each log.
    pub tail: Option<usize>,
    grep: Option<Regex>,
    since: Option<Since>,
}

impl Filter {
    /// Only this many last lines of each log; `None` for all.
    pub fn with_tail(self, tail: Option<usize>) -> Self {
        Self { tail, ..self }
    }

    /// Only lines that `pattern` fits somewhere. It is a usage failure if that is no regular expression.
    pub fn with_grep(self, pattern: &str) -> Result<Self, Failure> {
        // Logs may hold bytes that are not UTF-8, so the expression is about bytes.
        let grep = RegexBuilder::new(pattern).unicode(false).build().map_err(|e| {
            let why = e.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Failure::usage(format!("--grep {pattern:?} is not a regular expression: {why}")).hint(
                "a character with a meaning of its own, such as ( or [, is written with \\ in front of it",
            )
        })?;
        Ok(Self { grep: Some(grep), ..self })
    }

    /// Only lines from this time on, in ms since 1970. A line without a time belongs to the line before it.
    /// Lines in front of the first one with a time are wanted.
    ///
    /// Logs of Flink and of Hadoop have times without a time zone. They are taken to be in that of this
    /// machine.
    pub fn with_since(self, millis: u64) -> Self {
        let millis = i64::try_from(millis).ok().filter(|millis| *millis < YEAR_10000);
        Self { since: millis.and_then(DateTime::from_timestamp_millis).map(Since::new), ..self }
    }

    /// Whether each line is wanted.
    pub(super) fn takes_all(&self) -> bool {
        self.grep.is_none() && self.since.is_none()
    }
}

/// A time in the two forms in which logs have it, to the second.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Since {
    local: String,
    utc: String,
}

impl Since {
    fn new(time: DateTime<Utc>) -> Self {
        const FORM: &str = "%Y-%m-%d %H:%M:%S";
        Self {
            local: time.with_timezone(&Local).format(FORM).to_string(),
            utc: time.format(FORM).to_string(),
        }
    }
}

/// The time at the beginning of a line as `2026-01-31 23:59:59`, and whether it is in UTC: `…T…Z` is, and
/// times without a time zone are not.
fn time_of(line: &[u8]) -> Option<(String, bool)> {
    let time = line.get(..19)?;
    let is_there = time.iter().enumerate().all(|(index, byte)| match index {
        4 | 7 => *byte == b'-',
        10 => matches!(byte, b' ' | b'T'),
        13 | 16 => *byte == b':',
        _ => byte.is_ascii_digit(),
    });
    if !is_there {
        return None;
    }
    let behind = line.iter().skip(19).find(|byte| !matches!(byte, b'.' | b',' | b'0'..=b'9'));
    let is_utc = time.get(10) == Some(&b'T') && behind == Some(&b'Z');
    Some((String::from_utf8_lossy(time).replace('T', " "), is_utc))
}

/// The lines of one log, as its text comes in pieces, and which of them are wanted.
#[derive(Debug, Clone)]
pub struct Lines {
    filter: Filter,
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    /// Whether the last line was recent enough.
    is_recent: bool,
}

impl Lines {
    /// The lines of a log of which nothing was read yet.
    pub fn new(filter: &Filter) -> Self {
        Self { filter: filter.clone(), partial: Vec::new(), is_recent: true }
    }

    /// Takes the next piece of the text, and hands each line that has ended and is wanted to `take`, without
    /// its end. If that gives `false`, no more lines are wanted, and so does this.
    pub fn push(&mut self, text: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(at);
            rest = behind.get(1..).unwrap_or_default();
            let goes_on = if self.partial.is_empty() {
                self.line(line, take)
            } else {
                self.partial.extend_from_slice(line);
                let line = std::mem::take(&mut self.partial);
                self.line(&line, take)
            };
            if !goes_on {
                return false;
            }
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() < LONGEST {
            return true;
        }
        let line = std::mem::take(&mut self.partial);
        self.line(&line, take)
    }

    /// Takes the next piece of the text, all of whose lines are wanted, and hands those that have ended to
    /// `take`, several together and with their ends. If that gives `false`, no more lines are wanted, and so
    /// does this. Of long logs, it costs much less than one line after the other.
    pub(super) fn push_all(&mut self, text: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut rest = text;
        if !self.partial.is_empty()
            && let Some(at) = memchr::memchr(b'\n', rest)
        {
            let (line, behind) = rest.split_at(at + 1);
            rest = behind;
            self.partial.extend_from_slice(line);
            let goes_on = take(&self.partial);
            self.partial.clear();
            if !goes_on {
                return false;
            }
        }
        let (ended, begun) = rest.split_at(memchr::memrchr(b'\n', rest).map_or(0, |at| at + 1));
        if !ended.is_empty() && !take(ended) {
            return false;
        }
        self.partial.extend_from_slice(begun);
        self.partial.len() < LONGEST || self.finish_all(take)
    }

    /// Hands on what is left without the end of a line, with one.
    pub(super) fn finish_all(&mut self, take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        if self.partial.is_empty() {
            return true;
        }
        let mut line = std::mem::take(&mut self.partial);
        line.push(b'\n');
        take(&line)
    }

    /// Hands on what is left without the end of a line.
    pub fn finish(&mut self, take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        if self.partial.is_empty() {
            return true;
        }
        let line = std::mem::take(&mut self.partial);
        self.line(&line, take)
    }

    /// How many bytes have no end of a line yet.
    pub(super) fn pending(&self) -> u64 {
        self.partial.len() as u64
    }

    fn line(&mut self, line: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(since) = &self.filter.since
            && let Some((time, is_utc)) = time_of(line)
        {
            let since = if is_utc { &since.utc } else { &since.local };
            self.is_recent = time.as_str() >= since.as_str();
        }
        let is_wanted = self.is_recent && self.filter.grep.as_ref().is_none_or(|grep| grep.is_match(line));
        !is_wanted || take(line)
    }
}

/// The last lines of a log.
#[derive(Debug)]
pub(super) struct Last {
    most: usize,
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Last {
    pub(super) fn new(most: usize) -> Self {
        Self { most, lines: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn push(&mut self, line: &[u8]) {
        self.lines.push_back(line.to_owned());
        self.bytes += line.len();
        while self.lines.len() > self.most || self.bytes > MOST_KEPT {
            let Some(first) = self.lines.pop_front() else { break };
            self.bytes -= first.len();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn drop_first(&mut self) {
        if let Some(first) = self.lines.pop_front() {
            self.bytes -= first.len();
        }
    }

    pub(super) fn into_lines(self) -> impl Iterator<Item = Vec<u8>> {
        self.lines.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(filter: &Filter, pieces: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::new(filter);
        let mut take = |line: &[u8]| {
            found.push(String::from_utf8_lossy(line).into_owned());
            true
        };
        for piece in pieces {
            assert!(lines.push(piece, &mut take));
        }
        assert!(lines.finish(&mut take));
        found
    }

    #[test]
    fn lines_cross_pieces() {
        let all = Filter::default();
        assert_eq!(taken(&all, &[b"a\nb", b"c\r\n\n", b"", b"d"]), ["a", "bc", "", "d"]);
        assert_eq!(taken(&all, &[b""]), Vec::<String>::new());
        let long = vec![b'x'; 2 * LONGEST + 5];
        let lengths: Vec<usize> =
            taken(&all, &[&long[..LONGEST - 1], &long[..LONGEST]]).iter().map(String::len).collect();
        assert_eq!(lengths, [2 * LONGEST - 1]);
        let mut lines = Lines::new(&all);
        assert!(!lines.push(b"a\nb\n", &mut |_| false));
    }

    fn taken_together(pieces: &[&[u8]]) -> String {
        let mut found = Vec::new();
        let mut lines = Lines::new(&Filter::default());
        let mut take = |text: &[u8]| {
            assert_eq!(text.last(), Some(&b'\n'));
            found.extend_from_slice(text);
            true
        };
        for piece in pieces {
            assert!(lines.push_all(piece, &mut take));
        }
        assert!(lines.finish_all(&mut take));
        String::from_utf8_lossy(&found).into_owned()
    }

    #[test]
    fn all_lines_together() {
        assert_eq!(taken_together(&[b"a\nb", b"c\n\nd", b"", b"e\n", b"f"]), "a\nbc\n\nde\nf\n");
        assert_eq!(taken_together(&[b""]), "");
        let long = vec![b'x'; 2 * LONGEST + 5];
        let ends = taken_together(&[&long[..LONGEST - 1], &long[..LONGEST]]);
        assert_eq!(ends.len(), 2 * LONGEST);
        let mut lines = Lines::new(&Filter::default());
        assert!(!lines.push_all(b"a\nb\n", &mut |_| false));
    }

    #[test]
    fn those_that_fit() {
        let grep = |pattern: &str| Filter::default().with_grep(pattern);
        let text: &[&[u8]] = &[b"INFO one\nWARN two\n\xff gr\xc3\xb6\xc3\x9fe\n"];
        assert_eq!(taken(&grep("WARN|ERROR").unwrap(), text), ["WARN two"]);
        assert_eq!(taken(&grep("(?i)info \\w+$").unwrap(), text), ["INFO one"]);
        assert_eq!(taken(&grep("größe").unwrap(), text).len(), 1);
        let failure = grep("a(b").unwrap_err();
        assert!(failure.is_usage() && failure.to_string().contains("unclosed group"), "{failure}");
    }

    #[test]
    fn those_that_are_recent() {
        let time = DateTime::from_timestamp_millis(1_700_000_000_000).unwrap();
        let local = |seconds: i64| {
            let time = time + chrono::TimeDelta::seconds(seconds);
            time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S,123").to_string()
        };
        let filter = Filter::default().with_since(1_700_000_000_000);
        let text = format!(
            "begin\n{} old\n\tat old\n{} new\n\tat new\n2023-11-14T22:13:19.9Z old\n2023-11-14T22:13:20Z new\n",
            local(-1),
            local(0),
        );
        let found = taken(&filter, &[text.as_bytes()]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert!(found[0] == "begin" && found[1].ends_with(" new") && found[2] == "\tat new", "{found:?}");
        assert!(filter.with_grep("new").unwrap().since.is_some());
        assert_eq!(time_of(b"2023-11-14 22:13:20"), Some(("2023-11-14 22:13:20".into(), false)));
        assert!(time_of(b"2023-11-14T22:13:20+01:00 x").is_some_and(|(_, is_utc)| !is_utc));
        assert_eq!(time_of(b"2023-11-14_22:13:20"), None);
    }

    #[test]
    fn the_last_ones() {
        let mut last = Last::new(2);
        for line in [b"a", b"b", b"c"] {
            last.push(line);
        }
        assert_eq!(last.len(), 2);
        last.drop_first();
        assert_eq!(last.into_lines().collect::<Vec<_>>(), [b"c".to_vec()]);
        let mut none = Last::new(0);
        none.push(b"a");
        assert_eq!(none.len(), 0);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text: Vec<u8>, cut in any::<prop::sample::Index>(), millis: u64) {
            let (begin, end) = text.split_at(cut.index(text.len() + 1));
            let filter = Filter::default();
            prop_assert_eq!(taken(&filter, &[begin, end]), taken(&filter, &[&text]));
            let lines = taken(&filter, &[&text]).into_iter();
            let one_by_one: String = lines.map(|line| line + "\n").collect();
            prop_assert_eq!(taken_together(&[begin, end]).replace("\r\n", "\n"), one_by_one);
            let _ = taken(&filter.with_since(millis), &[&text]);
        }
    }
}
