//! YARN's answers: any message is turned into records or refused, and so is every name in a text.
#![no_main]

use hadoop_rpc::Endpoint;
use libfuzzer_sys::fuzz_target;
use yarn_api::records::{ApplicationAttemptId, ApplicationId, ContainerId, NodeId, ResourceUrl};

fuzz_target!(|bytes: &[u8]| {
    yarn_api::fuzzing::answers(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // What is read is written such that it reads back the same.
    if let Ok(id) = text.parse::<ApplicationId>() {
        assert_eq!(id.to_string().parse().ok(), Some(id));
    }
    if let Ok(id) = text.parse::<ContainerId>() {
        assert_eq!(id.to_string().parse().ok(), Some(id));
    }
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        assert_eq!(endpoint.to_string().parse().ok(), Some(endpoint));
    }
    let _ = (text.parse::<ApplicationAttemptId>(), text.parse::<NodeId>(), text.parse::<ResourceUrl>());
});
