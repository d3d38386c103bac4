//! Numbers with units, as Hadoop reads them. The errors say in words what is expected; the caller adds the
//! key and the origin of the value.

use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

/// The unit of a duration without a suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
}

/// Reads a time such as `30s`, `5 m` or `250`. As in Hadoop, the unit may be in upper or lower case.
pub(super) fn duration(text: &str, default: TimeUnit) -> Result<Duration, String> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let number: u64 = digits.trim().parse().map_err(|_| "it is not a time such as 30s, 5m or 250ms")?;
    let of_seconds = |seconds: u64| number.checked_mul(seconds).map(Duration::from_secs);
    let value = match (unit, default) {
        ("ns", _) => Some(Duration::from_nanos(number)),
        ("us", _) => Some(Duration::from_micros(number)),
        ("ms", _) | ("", TimeUnit::Millis) => Some(Duration::from_millis(number)),
        ("s", _) | ("", TimeUnit::Seconds) => of_seconds(1),
        ("m", _) | ("", TimeUnit::Minutes) => of_seconds(60),
        ("h", _) => of_seconds(60 * 60),
        ("d", _) => of_seconds(DAY),
        _ => return Err(format!("'{unit}' is not a unit of time (ns, us, ms, s, m, h, d)")),
    };
    value.ok_or_else(|| "it is too long".into())
}

/// Reads a size such as `128m`, `1G` or `4096` as bytes; the suffixes are powers of 1024.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let (digits, shift) = match text.char_indices().last() {
        Some((at, c)) if c.is_ascii_alphabetic() => {
            let power = "kmgtpe".find(c.to_ascii_lowercase());
            let power = power.ok_or_else(|| format!("'{c}' is not a unit of size (k, m, g, t, p, e)"))?;
            (&text[..at], 10 * (power as u32 + 1))
        }
        _ => (text, 0),
    };
    let number: u64 = digits.trim().parse().map_err(|_| "it is not a size such as 4096, 128m or 1g")?;
    number.checked_mul(1 << shift).ok_or_else(|| "it is too large".into())
}

/// Reads a decimal number, or a hexadecimal one with `0x`.
pub(super) fn integer(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let parsed = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => i64::from_str_radix(&format!("{sign}{hex}"), 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "it is not a whole number".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        let d = |text| duration(text, TimeUnit::Millis);
        assert_eq!(d("250"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("3", TimeUnit::Seconds), Ok(Duration::from_secs(3)));
        assert_eq!(duration("3", TimeUnit::Minutes), Ok(Duration::from_secs(180)));
        for (text, seconds) in [("30s", 30), (" 5 M ", 300), ("2h", 7200), ("1d", 86400), ("4000ms", 4)] {
            assert_eq!(d(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "-1", "5 weeks", "1.5s", "99999999999999999d", "9é"] {
            assert!(d(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_numbers() {
        assert_eq!(bytes("128m"), Ok(128 << 20));
        assert_eq!(bytes(" 1 G"), Ok(1 << 30));
        assert_eq!(bytes("4096"), Ok(4096));
        for text in ["", "k", "16e", "-1", "1x", "é"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert_eq!(integer(" -7 "), Ok(-7));
        assert_eq!(integer("0x1F"), Ok(31));
        assert_eq!(integer("-0x10"), Ok(-16));
        assert!(integer("0x-1").is_ok_and(|n| n == -1) || integer("0x-1").is_err());
        assert!(integer("1e3").is_err());
    }

    proptest! {
        #[test]
        fn any_text(text in ".{0,12}") {
            drop((duration(&text, TimeUnit::Seconds), bytes(&text), integer(&text)));
        }
    }
}
