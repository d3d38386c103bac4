//! Finds the control server of a cluster's ApplicationMaster. The JobManager's REST interface has its address
//! in the configuration. Anybody may have answered there, so the address counts only if it is on the host
//! that the ResourceManager names; who answers at the address has to prove that it is the ApplicationMaster.

use flink_rest::{ConfigEntry, RestAddress, RestClient, RestTimeouts};
use taskrunner::submission::ADDRESS_KEY;

use crate::error::{CauseClass, Failure, RestFailure};

/// The address of the control server that belongs to the JobManager at `address`, which is from the
/// ResourceManager's report. It is a failure if the JobManager does not answer or does not tell the address,
/// or if the address is on another host.
pub(crate) async fn control_address(address: &RestAddress) -> Result<String, Failure> {
    let client = RestClient::new(address, RestTimeouts::default());
    let config = match client {
        Ok(client) => client.job_manager_config().await,
        Err(e) => Err(e),
    };
    let config = config
        .map_err(|e| e.failure(format!("cannot ask the JobManager at {address} for its configuration")))?;
    address_in(&config, address)
}

/// The same from the configuration that the JobManager at `job_manager` has told.
pub(crate) fn address_in(config: &[ConfigEntry], job_manager: &RestAddress) -> Result<String, Failure> {
    let found = config.iter().find(|entry| entry.key == ADDRESS_KEY).ok_or_else(|| {
        Failure::new(format!(
            "the JobManager at {job_manager} does not tell the address of its ApplicationMaster"
        ))
        .of_class(CauseClass::Cluster)
    })?;
    on_host(found.value.clone(), job_manager)
}

/// The address of the control server, if it is on the host of the JobManager, which is in the same container.
fn on_host(control: String, job_manager: &RestAddress) -> Result<String, Failure> {
    let host = control.rsplit_once(':').map_or("", |(host, _)| host);
    if same_host(host, &job_manager.host) {
        return Ok(control);
    }
    Err(Failure::new(format!(
        "who answers at {job_manager} says that the ApplicationMaster is at {control}, on another host than the \
         one that the ResourceManager names: nothing was sent there"
    ))
    .of_class(CauseClass::Cluster)
    .hint("another program may have taken the JobManager's port; `heddle ps` shows whether the application runs")
    .retry_if(true))
}

/// Whether two texts name the same host.
pub(crate) fn same_host(one: &str, other: &str) -> bool {
    plain(one).eq_ignore_ascii_case(plain(other))
}

/// A host without the brackets of an IPv6 address.
fn plain(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_on_the_host_that_the_resourcemanager_names_counts() {
        let at = |host: &str| RestAddress::plain(host, 8081);
        assert_eq!(on_host("node1:4711".into(), &at("node1")).ok().as_deref(), Some("node1:4711"));
        assert!(on_host("Node1:4711".into(), &at("node1")).is_ok());
        assert!(on_host("fd00::1:4711".into(), &at("[fd00::1]")).is_ok());
        for elsewhere in ["evil:4711", "node1.evil:4711", ":4711", "4711", ""] {
            let failure = on_host(elsewhere.into(), &at("node1")).unwrap_err();
            assert!(failure.to_string().contains("another host"), "{failure}");
        }
    }
}
