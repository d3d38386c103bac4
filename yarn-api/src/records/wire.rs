//! Conversions of values on the wire. Java has only signed numbers, and YARN has several ways to say that a
//! value is not there; the records have unsigned numbers and `None` instead.

/// An answer lacks a field that it must have, which the text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer holds no {0}")]
pub struct MissingField(pub &'static str);

pub(crate) fn required<T>(value: Option<T>, what: &'static str) -> Result<T, MissingField> {
    value.ok_or(MissingField(what))
}

/// A count. YARN sends a negative number if more is in use than the limit allows, as it can be with a queue;
/// that counts as 0.
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

/// A text, or `None` if YARN has sent `N/A`, the empty text or nothing, which all mean that there is none.
pub(crate) fn text(value: Option<String>) -> Option<String> {
    value.filter(|v| !v.is_empty() && v != "N/A")
}

/// A time in ms since 1970, or `None` if YARN has sent 0 or less because the time has not come yet.
pub(crate) fn millis(value: Option<i64>) -> Option<u64> {
    value.filter(|v| *v > 0).map(to_u64)
}
