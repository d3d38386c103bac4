//! Formats numbers, sizes and times for people. This module does no I/O.

/// Formats a number of bytes in KiB, MiB, GiB or TiB. All sizes are shown in powers of 1024, because Flink
/// and YARN use them, too.
pub fn bytes(count: u64) -> String {
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

/// A number with its noun, such as `1 file` or `2 files`.
pub fn count(number: impl TryInto<u64> + std::fmt::Display + Copy, thing: &str) -> String {
    let plural = if number.try_into().is_ok_and(|number| number == 1) { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A time in milliseconds since 1970 as ISO 8601 in UTC; `None` if it is too large.
pub fn iso(millis: u64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_millis(i64::try_from(millis).ok()?)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_people() {
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
