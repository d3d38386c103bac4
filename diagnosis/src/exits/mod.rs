//! The one table of the numbers with which processes and containers end: what each means, whose doing it is,
//! whether a repetition helps, and what to do.
//!
//! Diagnostics and logs take their words from it, `heddle explain-exit` looks numbers up in it, and a page of
//! the manual is made from it.

mod page;
mod row;
mod table;

use serde::Serialize;

pub use page::page;
pub use row::{Fault, Retry, Row, Scale};
pub use table::ROWS;

/// A process that signal `n` has ended has this number plus `n` as its exit code, as shells show it.
pub const OF_SIGNAL: i32 = 128;

/// The row of a number on a scale.
pub fn find(scale: Scale, number: i32) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.scale == scale && row.number == number)
}

/// Who or what has caused the end of a container, by YARN's exit status. A status that is not YARN's own is
/// an exit code of the process.
pub fn fault(status: i32) -> Fault {
    match find(Scale::Yarn, status) {
        Some(row) => row.fault,
        None if status == 0 => Fault::Nobody,
        None => Fault::Process,
    }
}

/// What the end of a container means, by YARN's exit status; `None` for a code of the process that has no
/// meaning of its own.
pub fn container_words(status: i32) -> Option<&'static str> {
    // That the process was killed is what counts of these; a JVM's own codes have other words.
    match status {
        0 => Some("the container ended normally"),
        137 => Some("killed (SIGKILL)"),
        143 => Some("terminated (SIGTERM)"),
        status => find(Scale::Yarn, status).map(|row| row.words),
    }
}

/// What an exit code of one of Flink's JVMs means; `None` for a code that has no known meaning.
pub fn jvm_words(code: i32) -> Option<&'static str> {
    find(Scale::Process, code).map(|row| row.words)
}

/// One meaning of a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meaning {
    /// The row of the table.
    #[serde(flatten)]
    pub row: Row,
    /// How the number that was asked for becomes that of the row; `None` if it is the same number.
    pub derived: Option<String>,
}

/// All meanings of a number or name that a person has seen: `137`, `-104`, `1443`, `SIGKILL`,
/// `KILLED_EXCEEDED_PMEM`. The likeliest meaning comes first. There is none if the number has no known
/// meaning. The error, for a text that is neither a number nor a known name, says what is accepted.
pub fn explain(asked: &str) -> Result<Vec<Meaning>, String> {
    let asked = asked.trim();
    if let Ok(number) = asked.parse::<i32>() {
        return Ok(of_number(number));
    }
    let wanted = asked.to_uppercase();
    let named = |row: &Row| {
        let short = row.name.strip_prefix("SIG").filter(|_| row.scale == Scale::Signal);
        !wanted.is_empty() && (row.name == wanted || short == Some(wanted.as_str()))
    };
    let rows = ROWS.iter().filter(|row| named(row));
    let found: Vec<Meaning> = rows.map(|row| Meaning { row: *row, derived: None }).collect();
    if found.is_empty() {
        return Err(format!(
            "'{asked}' is neither a number such as 137 or -104 nor the name of a signal or of one of YARN's exit statuses"
        ));
    }
    Ok(found)
}

fn of_number(number: i32) -> Vec<Meaning> {
    let plain = |scale| find(scale, number).map(|row| Meaning { row: *row, derived: None });
    let mut found: Vec<Meaning> = [Scale::Yarn, Scale::Process].into_iter().filter_map(plain).collect();
    // The system keeps the lowest eight bits of what a program exits with.
    let kept = number & 0xff;
    if found.is_empty() && kept != number {
        let derived = format!("the system keeps {kept}, the lowest eight bits of {number}");
        let row = find(Scale::Process, kept);
        found.extend(row.map(|row| Meaning { row: *row, derived: Some(derived) }));
    }
    let signal = number.saturating_sub(OF_SIGNAL);
    if found.is_empty()
        && (1..=64).contains(&signal)
        && let Some(row) = find(Scale::Signal, signal)
    {
        let derived = format!("{number} is {OF_SIGNAL} + {signal}, which stands for a signal");
        found.push(Meaning { row: *row, derived: Some(derived) });
    }
    found.extend([Scale::Signal, Scale::Executor].into_iter().filter_map(plain));
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scales(asked: &str) -> Vec<(Scale, i32)> {
        explain(asked).unwrap().iter().map(|m| (m.row.scale, m.row.number)).collect()
    }

    #[test]
    fn numbers_and_names_are_found() {
        assert_eq!(scales("-104"), [(Scale::Yarn, -104)]);
        assert_eq!(scales(" killed_exceeded_pmem "), [(Scale::Yarn, -104)]);
        assert_eq!(scales("137"), [(Scale::Process, 137)]);
        assert_eq!(scales("SIGKILL"), [(Scale::Signal, 9)]);
        assert_eq!(scales("kill"), [(Scale::Signal, 9)]);
        assert_eq!(scales("-17"), [(Scale::Process, 239)]);
        assert_eq!(scales("1443"), [(Scale::Process, 163)]);
        assert_eq!(scales("135"), [(Scale::Signal, 7)]);
        // A small number may be an exit code, a signal or a code of container-executor.
        assert_eq!(scales("2"), [(Scale::Process, 2), (Scale::Signal, 2), (Scale::Executor, 2)]);
        assert!(scales("77").is_empty());
        assert!(explain("SIGFOO").unwrap_err().contains("'SIGFOO' is neither"));
        assert!(explain("").is_err());
    }

    #[test]
    fn derived_numbers_say_how() {
        let of = |asked: &str| explain(asked).unwrap().remove(0).derived.unwrap();
        assert_eq!(of("1443"), "the system keeps 163, the lowest eight bits of 1443");
        assert_eq!(of("135"), "135 is 128 + 7, which stands for a signal");
    }

    #[test]
    fn each_number_stands_once_on_its_scale() {
        for (at, row) in ROWS.iter().enumerate() {
            let again = ROWS[at + 1..].iter().any(|r| r.scale == row.scale && r.number == row.number);
            assert!(!again, "{:?} {}", row.scale, row.number);
            assert!(row.meaning.ends_with('.') && !row.words.is_empty(), "{}", row.number);
            assert!(row.remedy.is_empty() || row.remedy.ends_with('.'), "{}", row.number);
            // What needs a change says which.
            assert!(row.retry != Retry::AfterChange || !row.remedy.is_empty(), "{}", row.number);
        }
    }

    #[test]
    fn yarns_statuses_are_complete() {
        for status in (-109..=-100).chain([-1000]) {
            assert!(container_words(status).is_some(), "{status}");
            assert_eq!(fault(status) == Fault::Ours, status == -105, "{status}");
        }
        assert_eq!((fault(0), fault(1), fault(137)), (Fault::Nobody, Fault::Process, Fault::Process));
        assert_eq!(container_words(7), None);
        assert_eq!(jvm_words(240), None);
    }

    #[test]
    fn the_page_has_every_row() {
        let page = page();
        for row in ROWS {
            let line = page.lines().any(|line| line.starts_with(&format!("| {}", row.number)));
            assert!(line, "{}", row.number);
        }
        assert_eq!(page.matches("\n## ").count(), Scale::ALL.len());
    }

    #[test]
    fn answers_for_programs() {
        let json = serde_json::to_value(explain("1443").unwrap()).unwrap();
        assert_eq!(json[0]["scale"], "process");
        assert_eq!(json[0]["number"], 163);
        assert_eq!(json[0]["retry"], "after-change");
        assert!(json[0]["derived"].as_str().unwrap().contains("eight bits"));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,12}", number in any::<i32>()) {
            let _ = explain(&text);
            prop_assert!(explain(&number.to_string()).is_ok());
        }
    }
}
