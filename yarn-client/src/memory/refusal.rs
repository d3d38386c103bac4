//! Makes the failures for sizes that Flink or YARN does not accept. Deployments and `heddle memory` use the
//! same ones.

use std::path::Path;

use flink_model::cluster_spec::{LimitError, SpecError};
use flink_model::config::Configuration;
use flink_model::memory::{Explained, Role, remedies};
use flink_model::memory_advice::without_effect;
use flink_model::release::Release;

use crate::error::Failure;

/// Makes the failure for a configuration that Flink does not accept, with hints at settings that would work.
pub(crate) fn refusal(
    configuration: &Configuration,
    release: Release,
    directory: &Path,
    error: SpecError,
) -> Failure {
    let hints: Vec<String> = if matches!(error, SpecError::Memory(_)) {
        [Role::JobManager, Role::TaskManager]
            .into_iter()
            .flat_map(|role| remedies(configuration, release, role))
            .map(|remedy| remedy.to_string())
            .collect()
    } else {
        Vec::new()
    };
    let failure = Failure::because("Flink cannot run with this configuration", error);
    hints
        .into_iter()
        .fold(failure, Failure::hint)
        .hint(format!("the configuration is in {}; -jm, -tm and -s set the sizes", directory.display()))
}

/// Returns warnings about sizes that are set but have no effect. There are none for a configuration that
/// Flink does not accept.
pub(crate) fn set_in_vain(configuration: &Configuration, release: Release) -> Vec<String> {
    let processes =
        (Explained::job_manager(configuration, release), Explained::task_manager(configuration, release));
    let (Ok(jm), Ok(tm)) = processes else { return Vec::new() };
    without_effect(configuration, release, [&jm, &tm]).into_iter().map(|advice| advice.text).collect()
}

/// Makes the failure for containers that are larger than YARN's limits.
pub(crate) fn limits_exceeded(errors: &[LimitError]) -> Failure {
    let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Failure::configuration(list.join("\nerror: ")).hint("ask for less, or have the cluster's limits raised")
}
