//! Reads the names that the process sizes had before Flink 1.10 and 1.11. Releases up to 1.20 still accept
//! them.

use crate::config::{Configuration, Origin};
use crate::options;
use crate::release::Release;
use crate::units::MemorySize;

use super::MemoryError;
use super::process::ProcessOptions;

/// Sets the process sizes from the values of `FLINK_JM_HEAP` and `FLINK_TM_HEAP`, if the release reads these
/// variables. They win over the old keys, but not over a process size that is set.
pub fn apply_heap_environment(
    conf: &mut Configuration,
    release: Release,
    jm_heap: Option<&str>,
    tm_heap: Option<&str>,
) {
    let variables = [
        (jm_heap, "FLINK_JM_HEAP", &options::JM_PROCESS_SIZE),
        (tm_heap, "FLINK_TM_HEAP", &options::TM_PROCESS_SIZE),
    ];
    for (value, name, option) in variables {
        if let Some(value) = value
            && release.traits().legacy_memory_keys
            && !conf.contains(option)
        {
            conf.set(option.key, value, Origin::Environment(name.to_owned()));
        }
    }
}

/// The configuration in which the process size has the value of an old key, if only an old key sets it.
pub(super) fn with_process_size(
    conf: &Configuration,
    release: Release,
    options: &ProcessOptions,
) -> Result<Configuration, MemoryError> {
    let mut mapped = conf.clone();
    let process = options.process;
    if !release.traits().legacy_memory_keys || conf.contains(process) {
        return Ok(mapped);
    }
    let (heap, heap_mb) = options.legacy;
    let (size, key) = if let Some(size) = conf.get(heap)? {
        (size, heap.key)
    } else if let Some(mebibytes) = conf.get(heap_mb)? {
        let size = u32::try_from(mebibytes).map(MemorySize::from_mebibytes);
        let negative = |_| MemoryError::Negative { key: heap_mb.key, value: mebibytes.into() };
        (size.map_err(negative)?, heap_mb.key)
    } else {
        return Ok(mapped);
    };
    mapped.set(process.key, format!("{}b", size.bytes()), Origin::Derived(format!("from {key}")));
    Ok(mapped)
}
