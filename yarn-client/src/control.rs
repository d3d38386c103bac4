//! Finds the control server of a cluster's ApplicationMaster. The JobManager's REST interface has its address
//! in the configuration.

use flink_rest::{RestAddress, RestClient, RestTimeouts};
use taskrunner::submission::ADDRESS_KEY;

use crate::error::{Failure, RestFailure};

/// The address of the control server that belongs to the JobManager at `address`. It is a failure if the
/// JobManager does not answer or does not tell the address.
pub(crate) async fn control_address(address: &RestAddress) -> Result<String, Failure> {
    let client = RestClient::new(address, RestTimeouts::default());
    let config = match client {
        Ok(client) => client.job_manager_config().await,
        Err(e) => Err(e),
    };
    let config = config
        .map_err(|e| e.failure(format!("cannot ask the JobManager at {address} for its configuration")))?;
    let found = config.into_iter().find(|entry| entry.key == ADDRESS_KEY);
    found.map(|entry| entry.value).ok_or_else(|| {
        Failure::new(format!(
            "the JobManager at {address} does not tell the address of its ApplicationMaster"
        ))
    })
}
