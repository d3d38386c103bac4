//! Conversions between Java's signed numbers and ours.

/// A response lacks what it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer holds no {0}")]
pub struct MissingField(pub &'static str);

pub(crate) fn required<T>(value: Option<T>, what: &'static str) -> Result<T, MissingField> {
    value.ok_or(MissingField(what))
}

/// A count; YARN sends negative numbers where something is overdrawn (headroom), which is none for us.
pub(crate) fn to_u64(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(crate) fn to_u32(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

pub(crate) fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn to_i32(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// A text where YARN writes `N/A`, the empty text or nothing for "there is none".
pub(crate) fn text(value: Option<String>) -> Option<String> {
    value.filter(|v| !v.is_empty() && v != "N/A")
}

/// Milliseconds since 1970, with 0 or below for "not yet".
pub(crate) fn millis(value: Option<i64>) -> Option<u64> {
    value.filter(|v| *v > 0).map(to_u64)
}
