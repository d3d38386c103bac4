//! Plain tables, and sizes and times as people read them. Pure.

use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// A table without borders; the columns of numbers in `right` are aligned to the right. Control characters, which may come from
/// names that others have chosen, do not reach the terminal.
pub(crate) fn render(
    header: &[&str],
    right: &[usize],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.into_iter().map(|cell| printable(&cell)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// The text on one line, without control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A length of time in its two largest units: `45s`, `12m 3s`, `2d 4h`.
pub(crate) fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (large, small) = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3_600 => ((seconds / 60, 'm'), (seconds % 60, 's')),
        3_600..86_400 => ((seconds / 3_600, 'h'), (seconds % 3_600 / 60, 'm')),
        _ => ((seconds / 86_400, 'd'), (seconds % 86_400 / 3_600, 'h')),
    };
    match small.0 {
        0 => format!("{}{}", large.0, large.1),
        _ => format!("{}{} {}{}", large.0, large.1, small.0, small.1),
    }
}

/// A number of bytes in a unit of 1024s, as all sizes of this client are told: Flink and YARN count in such units.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut name = "B";
    for unit in UNITS {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        name = unit;
    }
    if name == "B" { format!("{count} B") } else { format!("{value:.1} {name}") }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: impl TryInto<u64> + std::fmt::Display + Copy, thing: &str) -> String {
    let plural = if number.try_into().is_ok_and(|number| number == 1) { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Milliseconds since 1970 as ISO 8601, in UTC.
pub(crate) fn iso(millis: u64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let rows = [
            vec!["a".into(), "1".into(), "x y".into()],
            vec!["b\u{1b}[2J".into(), "100".into(), String::new()],
        ];
        insta::assert_snapshot!(render(&["NAME", "N", "WHAT"], &[1], rows), @r"
        NAME     N  WHAT
        a        1  x y
        b [2J  100
        ");
    }

    #[test]
    fn for_people() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m 59s"), (3_660, "1h 1m"), (200_000, "2d 7h")]
        {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        for (count, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (6_200, "6.1 KiB"),
            (1_048_575, "1.0 MiB"),
            (132_645_683, "126.5 MiB"),
            (5_497_558_138_880_000, "5000.0 TiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!((count(1, "file"), count(0_usize, "file")), ("1 file".into(), "0 files".into()));
        assert_eq!(iso(1_700_000_000_123).as_deref(), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(iso(u64::MAX), None);
    }
}
