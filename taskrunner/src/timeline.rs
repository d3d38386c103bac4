//! Asks the ApplicationMaster of a cluster for the timed steps of its start, which the client shows with
//! `--timing`.

use std::time::Duration;

use tokio::time::Instant;

use crate::calls;
use crate::control::cluster_client::ClusterClient;
use crate::control::{TimelineReply, TimelineRequest};
use crate::keys::Access;

/// The time limit of the connection and the answer together.
const DEADLINE: Duration = Duration::from_secs(3);

/// The ApplicationMaster's answer, and the time of the answer by this machine's clock.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The answer: the steps, by the ApplicationMaster's clock.
    pub reply: TimelineReply,
    /// The middle of the round trip. It is assumed to be the moment that the ApplicationMaster's clock calls
    /// [`TimelineReply::now_unix_ms`].
    pub at: std::time::Instant,
}

/// There is no answer; an ApplicationMaster of an older release cannot give one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ApplicationMaster at {address} does not tell how its start went: {why}")]
pub struct TimelineError {
    /// The address of the control server.
    pub address: String,
    /// Why there is no answer.
    pub why: String,
}

/// Asks the control server at `address` (`host:port`) as the client of the application. It tries once, and
/// for three seconds at most.
pub async fn ask(address: &str, access: &Access) -> Result<Timeline, TimelineError> {
    let answer = calls::ask(address, access, DEADLINE, |calls| async move {
        let request = calls.request(TimelineRequest {}).map_err(|status| status.message().to_owned())?;
        let asked = Instant::now();
        let answer = ClusterClient::new(calls.channel).timeline(request).await;
        let answer = answer.map_err(|status| format!("{:?}: {}", status.code(), status.message()))?;
        let at = (asked + asked.elapsed() / 2).into_std();
        Ok(Timeline { reply: answer.into_inner(), at })
    });
    answer.await.map_err(|why| TimelineError { address: address.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{ControlKeys, LENGTH, Role};

    #[tokio::test]
    async fn who_does_not_answer_is_named() {
        let access = ControlKeys::generate([1; LENGTH]).unwrap().access(Role::Client).unwrap();
        let error = ask("nonsense host", &access).await.unwrap_err();
        assert!(error.to_string().contains("nonsense host"), "{error}");
        let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = mute.local_addr().unwrap().to_string();
        let error = ask(&address, &access).await.unwrap_err();
        assert_eq!(error.why, "no answer within 3 s");
        drop(mute);
        let error = ask(&address, &access).await.unwrap_err();
        assert!(error.to_string().contains(&address) && error.why.contains("refused"), "{error}");
    }
}
