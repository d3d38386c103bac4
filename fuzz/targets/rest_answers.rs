//! Answers of the JobManager's REST interface: any JSON is read as each kind of answer or refused.
#![no_main]

use flink_rest::{
    Accumulators, CheckpointStatistics, ClusterOverview, ConfigEntry, DashboardConfig, JobDetails,
    JobExceptions, JobId, JobResult, JobsOverview, TaskManagers, TasksTimes, WrittenAddress, telling_line,
};
use libfuzzer_sys::fuzz_target;
use serde_json::from_slice;

fuzz_target!(|bytes: &[u8]| {
    let _ = (from_slice::<ClusterOverview>(bytes), from_slice::<DashboardConfig>(bytes));
    let _ =
        (from_slice::<JobsOverview>(bytes), from_slice::<JobDetails>(bytes), from_slice::<JobResult>(bytes));
    let _ = (from_slice::<TasksTimes>(bytes), from_slice::<TaskManagers>(bytes));
    let _ = (from_slice::<Vec<ConfigEntry>>(bytes), from_slice::<JobExceptions>(bytes));
    let _ = (from_slice::<Accumulators>(bytes), from_slice::<CheckpointStatistics>(bytes));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = (JobId::parse(text), text.parse::<WrittenAddress>(), telling_line(&[text.to_owned()]));
});
