//! Computes how many TaskManagers a cluster will certainly need, so that heddle can request them from YARN
//! while the JobManager starts. This module does no I/O.

use std::time::Duration;

use flink_model::cluster_spec::ClusterSpec;
use flink_model::config::Configuration;
use flink_model::options;
use flink_model::spec::{ClusterMode, Prewarm};

use crate::configuration::bad_value;
use crate::error::Failure;

/// The longest time for which a TaskManager's container is kept if Flink does not request it.
const LONGEST: Duration = Duration::from_secs(30);

/// Returns the containers that are requested ahead of Flink; `None` if none is certainly needed, or if this
/// is switched off.
pub(super) fn prewarm(
    conf: &Configuration,
    mode: ClusterMode,
    cluster: &ClusterSpec,
) -> Result<Option<Prewarm>, Failure> {
    let wanted = conf.get(&options::PREWARM).map_err(bad_value)?;
    let asked = u32::try_from(wanted.unwrap_or_default()).map_err(|_| {
        let value = wanted.unwrap_or_default();
        Failure::configuration(format!("{} must be a number from 0 on, and is {value}", options::PREWARM.key))
    })?;
    let flag = |option| conf.get(option).map_err(bad_value).map(Option::unwrap_or_default);
    // If containers are requested ahead, heddle itself tells YARN the address of the REST interface, before
    // the JobManager is ready. With fine-grained resources, the sizes of TaskManagers are not known before
    // the job is submitted.
    if !conf.require(&options::FAST_START).map_err(bad_value)? || flag(&options::FINE_GRAINED)? {
        return Ok(None);
    }
    let slots = u32::try_from(cluster.slots).unwrap_or(1).max(1);
    let number = |option| -> Result<u32, Failure> {
        let value = conf.get(option).map_err(bad_value)?;
        Ok(value.and_then(|n: i32| u32::try_from(n).ok()).unwrap_or_default())
    };
    let for_slots = |n: u32| n.div_ceil(slots);
    let mut workers = asked.max(for_slots(number(&options::MIN_SLOTS)?));
    let switched_off = wanted == Some(0);
    if mode != ClusterMode::Session && !switched_off {
        workers = workers.max(for_slots(number(&options::PARALLELISM)?)).max(1);
    }
    if conf.contains(&options::MAX_SLOTS) {
        workers = workers.min(number(&options::MAX_SLOTS)? / slots);
    }
    if workers == 0 {
        return Ok(None);
    }
    let idle = conf.get(&options::TM_IDLE_TIMEOUT).map_err(bad_value)?;
    let idle = idle.map_or(LONGEST, |idle| Duration::from_millis(idle.as_millis()));
    Ok(Some(Prewarm {
        count: workers,
        memory_mb: cluster.tm_memory_mb(),
        vcores: cluster.tm_vcores.unsigned_abs(),
        resources: cluster.tm_resources.iter().map(|(name, n)| (name.clone(), n.unsigned_abs())).collect(),
        idle_ms: u64::try_from(idle.min(LONGEST).as_millis()).unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink_model::config::{Origin, Value};
    use flink_model::release::Release;

    fn workers(mode: ClusterMode, pairs: &[(&str, &str)]) -> Option<u32> {
        let mut conf = Configuration::default();
        let base = [("taskmanager.memory.process.size", "1g"), ("jobmanager.memory.process.size", "1g")];
        for (key, value) in base.iter().chain(pairs) {
            conf.set(*key, Value::Str((*value).into()), Origin::Default);
        }
        let release: Release = "1.20.1".parse().unwrap();
        let cluster = ClusterSpec::from(&conf, release).unwrap();
        prewarm(&conf, mode, &cluster).unwrap().map(|prewarm| prewarm.count)
    }

    #[test]
    fn a_program_needs_what_its_parallelism_says() {
        let application = |pairs: &[_]| workers(ClusterMode::Application, pairs);
        let slots = ("taskmanager.numberOfTaskSlots", "4");
        assert_eq!(application(&[]), Some(1));
        assert_eq!(application(&[("parallelism.default", "9"), slots]), Some(3));
        assert_eq!(
            application(&[("parallelism.default", "9"), slots, ("slotmanager.number-of-slots.max", "8")]),
            Some(2)
        );
        assert_eq!(application(&[("heddle.prewarm", "5"), slots]), Some(5));
        for off in [("heddle.prewarm", "0"), ("heddle.fast-start", "false")] {
            assert_eq!(application(&[("parallelism.default", "9"), off]), None, "{off:?}");
        }
    }

    #[test]
    fn a_session_needs_what_it_is_told() {
        let session = |pairs: &[_]| workers(ClusterMode::Session, pairs);
        assert_eq!(session(&[("parallelism.default", "9")]), None);
        assert_eq!(session(&[("heddle.prewarm", "2")]), Some(2));
        let slots = ("taskmanager.numberOfTaskSlots", "4");
        assert_eq!(session(&[("slotmanager.number-of-slots.min", "5"), slots]), Some(2));
    }
}
