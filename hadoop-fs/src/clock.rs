//! The time of day, in milliseconds since 1970 as HDFS counts it. Code that decides something by the time
//! takes the time as an argument, so that its tests can choose it.

use std::time::SystemTime;

/// Milliseconds since 1970 by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "this is where the time of day is read")]
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
