//! Draws the timed parts of a command (its steps) as a picture: a line for each step, with a bar from its
//! beginning to its end. It only makes text, and does no I/O.

use std::time::Duration;

use yarn_client::timing::{Step, Summary};
use yarn_client::units::count;

use crate::text::bar::Look;
use crate::text::clean;

/// The least width of a bar, in columns, however narrow the terminal is.
const NARROWEST: usize = 16;
/// The least number of characters to which names are cut if the terminal is narrow.
const NAME: usize = 40;
/// The most steps of single containers that are shown. More of them would make the other steps hard to find.
const SUBJECTS: usize = 24;
/// What stands between the columns.
const GAP: &str = "  ";
/// Characters that are filled from the left by as many eighths as their index says.
const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// The picture. Its last line names the slowest step.
pub(crate) fn draw(summary: &Summary, look: Look) -> String {
    let (shown, hidden) = choose(&summary.steps);
    let label = |step: &Step| {
        let subject = short(&step.subject);
        if subject.is_empty() {
            clean::line(&step.name)
        } else {
            format!("{} ({subject})", clean::line(&step.name))
        }
    };
    let rows: Vec<(String, String, &Step)> =
        shown.iter().map(|step| (label(step), length(step.length()), *step)).collect();
    let names = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    let lengths = rows.iter().map(|(_, length, _)| length.chars().count()).max().unwrap_or(0);
    let around = lengths + 2 * GAP.len();
    let names = names.min(look.columns.saturating_sub(around + NARROWEST).max(NAME));
    let bar = look.columns.saturating_sub(names + around + 1).max(NARROWEST);
    let mut lines = vec![format!("Timing: {} in all", length(summary.total))];
    for (name, length, step) in &rows {
        let name = cut(name, names);
        let pad = " ".repeat(names - name.chars().count());
        let bar = place(step, summary.total, bar, look.unicode);
        lines.push(format!("{name}{pad}{GAP}{bar}{GAP}{length:>lengths$}"));
    }
    if hidden > 0 {
        lines.push(format!("and {} of other containers", count(hidden, "step")));
    }
    if let Some(step) = &summary.slowest {
        let whole = length(summary.total);
        lines.push(format!("Slowest: {}, {} of {whole}", label(step), length(step.length())));
    }
    lines.join("\n")
}

/// The steps to show, and how many are left out. Only steps of single containers are left out, because their
/// number grows with the cluster.
fn choose(steps: &[Step]) -> (Vec<&Step>, usize) {
    let mut containers = 0;
    let mut shown = Vec::new();
    for step in steps {
        if step.subject.starts_with("container_") {
            containers += 1;
            if containers > SUBJECTS {
                continue;
            }
        }
        shown.push(step);
    }
    let hidden = steps.len() - shown.len();
    (shown, hidden)
}

/// The subject of a step in short: of a container's id only the end, because the containers of an application
/// differ in nothing else.
fn short(subject: &str) -> String {
    match subject.strip_prefix("container_").and_then(|rest| rest.rsplit_once('_')) {
        Some((_, number)) => format!("container {}", clean::line(number)),
        None => clean::line(subject),
    }
}

fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns.saturating_sub(2)).chain("..".chars()).collect()
}

/// A line of `columns` characters with the step's bar in it. Even a very short step has a visible bar.
fn place(step: &Step, total: Duration, columns: usize, unicode: bool) -> String {
    let cells = columns as u128 * 8;
    let scale = |time: Duration| {
        let eighths = (time.as_micros() * cells).checked_div(total.as_micros()).unwrap_or(0);
        usize::try_from(eighths.min(cells)).unwrap_or(0)
    };
    // A block character is filled from its left edge, so a bar can begin only there.
    let begin = (scale(step.begin) / 8).min(columns.saturating_sub(1));
    let eighths = scale(step.end).saturating_sub(begin * 8).max(1);
    let (whole, rest) = (eighths / 8, eighths % 8);
    let mut bar = " ".repeat(begin);
    if unicode {
        bar.extend(std::iter::repeat_n('█', whole));
        bar.extend(EIGHTHS.get(rest).filter(|_| rest > 0));
    } else {
        bar.extend(std::iter::repeat_n('#', whole.max(1)));
    }
    let drawn = bar.chars().count();
    bar.push_str(&" ".repeat(columns.saturating_sub(drawn)));
    bar
}

/// A time with the unit that fits its length.
fn length(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    match millis {
        _ if millis < 9.95 => format!("{millis:.1} ms"),
        _ if millis < 999.5 => format!("{millis:.0} ms"),
        _ => format!("{:.2} s", millis / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, begin: u64, end: u64) -> Step {
        Step::new(name, Duration::from_millis(begin), Duration::from_millis(end))
    }

    fn summary(steps: Vec<Step>) -> Summary {
        let total = steps.iter().map(|step| step.end).max().unwrap_or_default();
        Summary { total, slowest: yarn_client::timing::slowest(&steps).cloned(), steps }
    }

    fn drawn(steps: Vec<Step>, columns: usize, unicode: bool) -> String {
        draw(&summary(steps), Look { columns, unicode, colour: false })
    }

    fn way() -> Vec<Step> {
        vec![
            step("configuration", 0, 12),
            step("ResourceManager asked", 12, 31),
            step("files hashed", 12, 140),
            step("upload", 140, 1000).of("27 files"),
            step("JobManager JVM", 1400, 3700),
            step("REST", 3690, 4000),
        ]
    }

    #[test]
    fn pictures() {
        insta::assert_snapshot!(drawn(way(), 80, true), @r"
        Timing: 4.00 s in all
        configuration          ▏                                                  12 ms
        ResourceManager asked  ▎                                                  19 ms
        files hashed           █▋                                                128 ms
        upload (27 files)       ███████████                                      860 ms
        JobManager JVM                         ████████████████████████████▍     2.30 s
        REST                                                               ████  310 ms
        Slowest: JobManager JVM, 2.30 s of 4.00 s
        ");
        insta::assert_snapshot!(drawn(way(), 60, false), @r"
        Timing: 4.00 s in all
        configuration          #                              12 ms
        ResourceManager asked  #                              19 ms
        files hashed           #                             128 ms
        upload (27 files)      #######                       860 ms
        JobManager JVM                  ################     2.30 s
        REST                                            ###  310 ms
        Slowest: JobManager JVM, 2.30 s of 4.00 s
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_long_lines_rather_than_no_bars() {
        let text = drawn(vec![step(&"long ".repeat(20), 0, 10)], 20, true);
        assert!(text.lines().nth(1).unwrap().contains("█████"), "{text}");
    }

    #[test]
    fn many_containers_do_not_hide_the_rest() {
        let mut steps = way();
        steps.extend(
            (0..100).map(|n| step("container starts", 3700, 3800).of(format!("container_1_1_01_{n:06}"))),
        );
        let text = drawn(steps, 80, false);
        assert_eq!(text.lines().count(), 1 + 6 + SUBJECTS + 2);
        assert!(text.contains("and 76 steps of other containers"), "{text}");
        assert!(text.contains("container starts (container 000023)"), "{text}");
    }

    #[test]
    fn nothing() {
        assert_eq!(drawn(Vec::new(), 80, true), "Timing: 0.0 ms in all");
    }

    #[test]
    fn lengths() {
        for (micros, text) in
            [(40, "0.0 ms"), (9_900, "9.9 ms"), (10_000, "10 ms"), (999_400, "999 ms"), (1_234_000, "1.23 s")]
        {
            assert_eq!(length(Duration::from_micros(micros)), text);
        }
    }
}
