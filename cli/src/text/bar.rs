//! Draws a picture of a container's memory: a line of blocks, above it the letters of the parts, and below it
//! braces that say what neighbouring parts are together. It only makes text, and does no I/O.

use anstyle::{AnsiColor, Style};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// The number of columns.
    pub(crate) columns: usize,
    /// Whether it has block and line characters.
    pub(crate) unicode: bool,
    /// Whether it has colours.
    pub(crate) colour: bool,
}

/// How a part is painted: a letter, a pattern that differs from its neighbours', a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    /// The letter that names the part.
    pub(crate) letter: char,
    /// The character of the blocks if there are no colours.
    pub(crate) pattern: char,
    /// The colour of the blocks, if there are colours.
    pub(crate) colour: AnsiColor,
}

/// A part of the bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// How large it is; nothing is drawn of an empty one.
    pub(crate) size: u64,
    /// How it is painted.
    pub(crate) paint: Paint,
}

/// A brace, which says what some neighbouring parts are together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Brace {
    /// The index of its first part, and that of the part behind its last one.
    pub(crate) parts: (usize, usize),
    /// The possible texts, the longest first. The first one that fits is drawn.
    pub(crate) labels: Vec<String>,
}

/// The paint of the memory that is lost because YARN rounds a container's size up.
pub(crate) const LOST: Paint = Paint { letter: '.', pattern: '·', colour: AnsiColor::BrightBlack };

impl Look {
    /// Text in a style, if there are colours.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The sign that stands for a part in the table beside the picture.
    pub(crate) fn swatch(self, paint: Paint) -> String {
        if !self.unicode {
            return paint.letter.to_string();
        }
        let block = if self.colour { '█' } else { paint.pattern };
        let style = paint.colour.on_default();
        format!(
            "{} {}",
            self.paint(style, &block.to_string()),
            self.paint(style.bold(), &paint.letter.to_string())
        )
    }
}

/// The widths of the parts, in columns. Together they are `columns`, and they are in proportion to the sizes,
/// but a part that is not empty has at least one column.
pub(crate) fn widths(sizes: &[u64], columns: usize) -> Vec<usize> {
    let total: u128 = sizes.iter().map(|size| u128::from(*size)).sum();
    if total == 0 {
        return vec![0; sizes.len()];
    }
    let visible = sizes.iter().filter(|size| **size > 0).count();
    // Each part that is not empty gets one column. The others are divided in proportion to the sizes, and
    // those that rounding leaves over go to the parts that have lost most by it.
    let free = columns.saturating_sub(visible) as u128;
    let ideal = |size: u64| (u128::from(size) * columns as u128, u128::from(size > 0) * total);
    let mut wanting: Vec<(usize, u128)> = Vec::new();
    let surplus: u128 = sizes.iter().map(|size| ideal(*size)).map(|(i, one)| i.saturating_sub(one)).sum();
    let mut widths: Vec<usize> = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let (ideal, one) = ideal(*size);
        let share = ideal.saturating_sub(one) * free;
        let whole = share.checked_div(surplus).unwrap_or(0);
        wanting.push((index, share.checked_rem(surplus).unwrap_or(0)));
        widths.push(usize::from(*size > 0) + whole as usize);
    }
    let left = columns.saturating_sub(widths.iter().sum());
    wanting.retain(|(_, rest)| *rest > 0);
    wanting.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    for (index, _) in wanting.into_iter().take(left) {
        widths[index] += 1;
    }
    widths
}

/// The lines of the picture, without indentation. `columns` is the width of the line of blocks.
pub(crate) fn draw(parts: &[Part], rows: &[Vec<Brace>], columns: usize, look: Look) -> Vec<String> {
    let sizes: Vec<u64> = parts.iter().map(|part| part.size).collect();
    let widths = widths(&sizes, columns);
    let mut lines = Vec::new();
    let mut names = String::new();
    let mut blocks = String::new();
    for (part, width) in parts.iter().zip(&widths).filter(|(_, width)| **width > 0) {
        let style = part.paint.colour.on_default();
        let before = (width - 1) / 2;
        names.push_str(&" ".repeat(before));
        let letter = if part.paint == LOST { ' ' } else { part.paint.letter };
        names.push_str(&look.paint(style.bold(), &letter.to_string()));
        names.push_str(&" ".repeat(width - 1 - before));
        let block = match (look.unicode, look.colour && part.paint != LOST) {
            (false, _) => part.paint.letter,
            (true, true) => '█',
            (true, false) => part.paint.pattern,
        };
        blocks.push_str(&look.paint(style, &block.to_string().repeat(*width)));
    }
    if look.unicode {
        lines.push(names.trim_end().to_owned());
    }
    lines.push(blocks);
    lines.extend(rows.iter().map(|row| braces(row, &widths, look)).filter(|line| !line.is_empty()));
    lines
}

/// One line of braces.
fn braces(row: &[Brace], widths: &[usize], look: Look) -> String {
    let mut line = String::new();
    let mut at = 0;
    for brace in row {
        let (first, end) = brace.parts;
        let start: usize = widths.iter().take(first).sum();
        let width: usize = widths.iter().take(end).skip(first).sum();
        if width == 0 || start < at {
            continue;
        }
        line.push_str(&" ".repeat(start - at));
        line.push_str(&look.paint(Style::new().dimmed(), &one_brace(&brace.labels, width, look.unicode)));
        at = start + width;
    }
    line
}

fn one_brace(labels: &[String], width: usize, unicode: bool) -> String {
    let (left, dash, right, single) =
        if unicode { ('╰', '─', '╯', '╵') } else { ('|', '-', '|', '|') };
    if width == 1 {
        return single.to_string();
    }
    let room = width - 2;
    let fitting = labels.iter().find(|label| label.chars().count() + 2 <= room);
    let inside = match fitting {
        Some(label) => {
            let dashes = room - label.chars().count() - 2;
            let dash = |count: usize| dash.to_string().repeat(count);
            format!("{} {label} {}", dash(dashes / 2), dash(dashes - dashes / 2))
        }
        None => dash.to_string().repeat(room),
    };
    format!("{left}{inside}{right}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Paint = Paint { letter: 'A', pattern: '█', colour: AnsiColor::Blue };
    const B: Paint = Paint { letter: 'B', pattern: '▒', colour: AnsiColor::Green };

    fn picture(sizes: [u64; 3], columns: usize, look: Look) -> String {
        let paints = [A, B, LOST];
        let parts: Vec<Part> =
            sizes.iter().zip(paints).map(|(size, paint)| Part { size: *size, paint }).collect();
        let rows = [
            vec![Brace { parts: (0, 1), labels: vec!["a long label".into(), "short".into()] }],
            vec![
                Brace { parts: (0, 2), labels: vec!["both".into()] },
                Brace { parts: (2, 3), labels: vec!["lost".into()] },
            ],
        ];
        draw(&parts, &rows, columns, look).join("\n")
    }

    #[test]
    fn with_and_without_unicode() {
        let look = Look { columns: 40, unicode: true, colour: false };
        insta::assert_snapshot!(picture([600, 200, 200], 40, look), @r"
                   A               B
        ████████████████████████▒▒▒▒▒▒▒▒········
        ╰──── a long label ────╯
        ╰──────────── both ────────────╯╰ lost ╯
        ");
        insta::assert_snapshot!(picture([600, 200, 200], 20, Look { unicode: false, ..look }), @r"
        AAAAAAAAAAAABBBB....
        |- short --|
        |---- both ----||--|
        ");
        insta::assert_snapshot!(picture([1_000_000, 1, 0], 12, look), @r"
             A     B
        ███████████▒
        ╰─ short ─╯
        ╰── both ──╯
        ");
    }

    #[test]
    fn colours_are_put_around_blocks() {
        let text = picture([1, 1, 0], 2, Look { columns: 4, unicode: true, colour: true });
        assert!(text.contains("\u{1b}[34m█\u{1b}[0m\u{1b}[32m█\u{1b}[0m"), "{text:?}");
    }

    proptest! {
        #[test]
        fn widths_add_up(sizes in prop::collection::vec(prop_oneof![Just(0u64), 1u64..1000, any::<u64>()], 1..10), columns in 10usize..300) {
            let widths = widths(&sizes, columns);
            prop_assert_eq!(widths.len(), sizes.len());
            let all: usize = widths.iter().sum();
            prop_assert_eq!(all, if sizes.iter().all(|s| *s == 0) { 0 } else { columns });
            for (i, a) in sizes.iter().enumerate() {
                prop_assert_eq!(*a > 0, widths[i] > 0);
                for (j, b) in sizes.iter().enumerate() {
                    // A larger part is not drawn smaller, except for one column of rounding.
                    prop_assert!(a <= b || widths[i] + 1 >= widths[j]);
                }
            }
        }
    }
}
