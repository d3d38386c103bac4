//! Why a witness says nothing.

use std::time::Duration;

use diagnosis::facts::{Absent, Seen, Source};
use tokio::time::timeout;

/// It does not answer, for this reason.
pub(super) fn unreachable(why: impl std::fmt::Display) -> Absent {
    Absent::Unreachable(why.to_string())
}

/// The witness that does not answer within this time.
pub(super) fn no_answer(within: Duration) -> Absent {
    unreachable(format_args!("no answer within {} s", within.as_secs_f32()))
}

/// Awaits an answer, but not for longer than `within`.
pub(super) async fn in_time<T>(
    within: Duration,
    answer: impl Future<Output = Result<T, Absent>>,
) -> Result<T, Absent> {
    match timeout(within, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer(within)),
    }
}

/// The fact that the witness is silent, since it was asked at this time.
pub(super) fn silent(source: Source, at: u64, fact: Absent) -> Seen<Absent> {
    Seen { source, at: Some(at), fact }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_answer_in_time() {
        let short = Duration::from_millis(50);
        let mute = in_time::<()>(short, std::future::pending()).await;
        assert_eq!(mute.unwrap_err().text(), "cannot be reached: no answer within 0.05 s");
        assert_eq!(in_time(short, async { Ok(1) }).await, Ok(1));
    }
}
