//! Sizes and durations, in the way in which Flink reads and writes them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::java;

/// Why a text is not a size or not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// The text is empty or only white space.
    #[error("it is empty")]
    Empty,
    /// The text does not begin with digits.
    #[error("it does not start with a whole number")]
    NoNumber,
    /// The value does not fit into 64 bits.
    #[error("it is too large")]
    Overflow,
    /// The unit does not exist.
    #[error("the unit '{unit}' is not one of {known}")]
    Unit {
        /// The unit as it was written, but in lower case.
        unit: String,
        /// The units that exist.
        known: &'static str,
    },
}

const SIZE_UNITS: &str =
    "b, k, kb, m, mb, g, gb, t, tb (or bytes, kibibytes, mebibytes, gibibytes, tebibytes)";
const TIME_UNITS: &str = "d, h, min, m, s, ms, µs, ns (or their long names)";

/// Splits a text such as `12 mb` into the number and the unit, in lower case.
fn split(text: &str) -> Result<(u64, String), UnitError> {
    let text = java::trim(text);
    if text.is_empty() {
        return Err(UnitError::Empty);
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return Err(UnitError::NoNumber);
    }
    let number = number.parse::<i64>().map_err(|_| UnitError::Overflow)?;
    Ok((number.unsigned_abs(), java::trim(unit).to_lowercase()))
}

/// A number of bytes from 0 to `i64::MAX`, as in Flink's class `MemorySize`. Units are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemorySize(u64);

impl MemorySize {
    /// No bytes.
    pub const ZERO: Self = Self(0);
    /// The largest size.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// Makes a size from a number of bytes; `None` above `i64::MAX`.
    pub const fn from_bytes(bytes: u64) -> Option<Self> {
        if bytes <= i64::MAX as u64 { Some(Self(bytes)) } else { None }
    }

    /// Makes a size from a number of MiB.
    pub const fn from_mebibytes(mebibytes: u32) -> Self {
        Self((mebibytes as u64) << 20)
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size in whole MiB, rounded down.
    pub const fn mebibytes(self) -> u64 {
        self.0 >> 20
    }

    /// Reads a number with an optional unit. A number without a unit is in bytes.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let (number, unit) = split(text)?;
        let factor: u64 = match unit.as_str() {
            "" | "b" | "bytes" => 1,
            "k" | "kb" | "kibibytes" => 1 << 10,
            "m" | "mb" | "mebibytes" => 1 << 20,
            "g" | "gb" | "gibibytes" => 1 << 30,
            "t" | "tb" | "tebibytes" => 1 << 40,
            _ => return Err(UnitError::Unit { unit, known: SIZE_UNITS }),
        };
        number.checked_mul(factor).and_then(Self::from_bytes).ok_or(UnitError::Overflow)
    }

    /// Reads a number with an optional unit. A number without a unit is in MiB, as for the options `-jm` and
    /// `-tm`.
    pub fn parse_or_mebibytes(text: &str) -> Result<Self, UnitError> {
        let (_, unit) = split(text)?;
        if unit.is_empty() { Self::parse(&format!("{text}m")) } else { Self::parse(text) }
    }

    /// The sum; `None` above [`MemorySize::MAX`].
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::from_bytes)
    }

    /// The difference; `None` if `other` is larger.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The exact decimal product, cut to whole bytes. It is `None` above [`MemorySize::MAX`], or if the
    /// factor is negative or not finite.
    pub fn times(self, factor: f64) -> Option<Self> {
        if !factor.is_finite() || factor < 0.0 {
            return None;
        }
        java::multiply_exact(self.0, factor).map(Self)
    }
}

impl fmt::Display for MemorySize {
    /// Writes the size with a unit for which the number is whole, or else as a rounded number and the exact
    /// number of bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u32, &str); 4] = [(40, "tb"), (30, "gb"), (20, "mb"), (10, "kb")];
        let bytes = self.0;
        for (shift, unit) in UNITS {
            if bytes >= 1 << shift {
                // 1536 mb is easier to read than 1.5 gb. So the next smaller unit is used if the number in it
                // has at most five digits.
                if bytes.is_multiple_of(1 << shift) {
                    return write!(f, "{} {unit}", bytes >> shift);
                }
                let below = shift - 10;
                if below > 0 && bytes.is_multiple_of(1 << below) && bytes >> below < 100_000 {
                    let name = UNITS.iter().find(|(s, _)| *s == below).map_or("bytes", |(_, name)| name);
                    return write!(f, "{} {name}", bytes >> below);
                }
                return write!(f, "{:.3} {unit} ({bytes} bytes)", bytes as f64 / (1u64 << shift) as f64);
            }
        }
        write!(f, "{bytes} bytes")
    }
}

/// A length of time with a resolution of nanoseconds, as in Flink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    nanos: u128,
}

impl Duration {
    /// Makes a duration from a number of milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self { nanos: millis as u128 * 1_000_000 }
    }

    /// The duration in whole milliseconds, at most `u64::MAX`.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.nanos / 1_000_000).unwrap_or(u64::MAX)
    }

    /// The duration in nanoseconds.
    pub const fn as_nanos(self) -> u128 {
        self.nanos
    }

    /// Reads a number with an optional unit. A number without a unit is in milliseconds.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let (number, unit) = split(text)?;
        let factor: u128 = match unit.as_str() {
            "d" | "day" | "days" => 86_400_000_000_000,
            "h" | "hour" | "hours" => 3_600_000_000_000,
            "min" | "m" | "minute" | "minutes" => 60_000_000_000,
            "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
            "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => 1_000_000,
            "µs" | "micro" | "micros" | "microsecond" | "microseconds" => 1_000,
            "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => 1,
            _ => return Err(UnitError::Unit { unit, known: TIME_UNITS }),
        };
        // Java's `Duration` keeps the seconds in a `long`, so longer durations are refused.
        let nanos = u128::from(number) * factor;
        if nanos / 1_000_000_000 > i64::MAX as u128 {
            return Err(UnitError::Overflow);
        }
        Ok(Self { nanos })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_in_all_units() {
        for (text, bytes) in [
            ("1024", 1024),
            (" 12 mb ", 12 << 20),
            ("1G", 1 << 30),
            ("3 tebibytes", 3 << 40),
            ("7b", 7),
            ("2KB", 2048),
        ] {
            assert_eq!(MemorySize::parse(text).map(MemorySize::bytes), Ok(bytes), "{text}");
        }
        assert_eq!(MemorySize::parse_or_mebibytes("1600").map(MemorySize::bytes), Ok(1600 << 20));
        assert_eq!(MemorySize::parse_or_mebibytes("1600k").map(MemorySize::bytes), Ok(1600 << 10));
    }

    #[test]
    fn refused_sizes_say_why() {
        assert_eq!(MemorySize::parse(" "), Err(UnitError::Empty));
        assert_eq!(MemorySize::parse("-1m"), Err(UnitError::NoNumber));
        assert_eq!(MemorySize::parse("1.5g").map_err(|e| e.to_string().contains("'.5g'")), Err(true));
        assert_eq!(MemorySize::parse("9223372036854775807k"), Err(UnitError::Overflow));
        assert_eq!(MemorySize::parse("99999999999999999999"), Err(UnitError::Overflow));
    }

    #[test]
    fn sizes_print_short() {
        let shown = |bytes| MemorySize::from_bytes(bytes).unwrap().to_string();
        assert_eq!(shown(0), "0 bytes");
        assert_eq!(shown(1 << 30), "1 gb");
        assert_eq!(shown(1600 << 20), "1600 mb");
        assert_eq!(shown(107_374_184), "102.400 mb (107374184 bytes)");
    }

    #[test]
    fn durations() {
        assert_eq!(Duration::parse("5 s").map(Duration::as_millis), Ok(5000));
        assert_eq!(Duration::parse("500").map(Duration::as_millis), Ok(500));
        assert_eq!(Duration::parse("2 h").map(Duration::as_millis), Ok(7_200_000));
        assert_eq!(Duration::parse("10 µs").map(Duration::as_nanos), Ok(10_000));
        assert!(Duration::parse("1 fortnight").is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = MemorySize::parse(&text);
            let _ = MemorySize::parse_or_mebibytes(&text);
            let _ = Duration::parse(&text);
        }

        #[test]
        fn bytes_round_trip(bytes in 0u64..=i64::MAX as u64) {
            prop_assert_eq!(MemorySize::parse(&format!("{bytes} b")).map(MemorySize::bytes), Ok(bytes));
        }
    }
}
