//! Ends an application through YARN, at the wish of its client. YARN may need several requests until it says
//! that the application has ended.

use std::time::{Duration, Instant};

use yarn_api::ApplicationClient;
use yarn_api::records::ApplicationId;

use crate::error::{CauseClass, Failure, yarn_failure};

/// The time that an application has to end after it was told to.
pub const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Kills an application, and waits until YARN says that it has ended. `reason` becomes part of YARN's
/// diagnostics. It is a failure if the application has not ended within [`STOP_WITHIN`].
pub async fn kill(yarn: &ApplicationClient, id: ApplicationId, reason: &str) -> Result<(), Failure> {
    let until = Instant::now() + STOP_WITHIN;
    while !yarn.kill_application(id, Some(reason)).await.map_err(|e| yarn_failure(&e))? {
        if Instant::now() > until {
            return Err(Failure::new(format!(
                "YARN has not ended the application {id} within 30 s of being asked"
            ))
            .of_class(CauseClass::Timeout)
            .hint(format!("`heddle kill {id}` asks again")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
