//! The time of day, which file systems count in milliseconds. Code that decides by it takes it as an
//! argument.

use std::time::SystemTime;

/// Milliseconds since 1970 by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "this is where the time of day is read")]
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
