//! Makes plain tables, and durations in a form for people.

use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::clean;

/// A table without borders. The columns whose indexes are in `right` are aligned to the right. Control
/// characters are replaced, because names that others have chosen may contain some that would disturb the
/// terminal.
pub(crate) fn render(
    header: &[&str],
    right: &[usize],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.into_iter().map(|cell| clean::line(&cell)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
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
    }
}
