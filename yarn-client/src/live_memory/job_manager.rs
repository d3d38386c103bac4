//! Asks the JobManager's REST interface what the JVMs of an application use of their memory.

use std::time::Duration;

use diagnosis::facts::{Part, Settings};
use diagnosis::memory_use::{ProcessUse, Share};
use flink_model::config::{Configuration, FileFormat, Origin};
use flink_model::memory::{Explained, PoolName};
use flink_rest::{ConfigEntry, MemoryConfiguration, Metric, RestClient, RestError};
use futures::StreamExt;
use tokio::time::{Instant, sleep};

/// How many TaskManagers are asked at the same time.
const AT_ONCE: usize = 16;
/// The JobManager collects metrics when it is asked, so an empty answer is asked for again after this time,
/// and for this long.
const AGAIN: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(6);

const HEAP: [&str; 3] =
    ["Status.JVM.Memory.Heap.Used", "Status.JVM.Memory.Heap.Committed", "Status.JVM.Memory.Heap.Max"];
const METASPACE: [&str; 3] = [
    "Status.JVM.Memory.Metaspace.Used",
    "Status.JVM.Memory.Metaspace.Committed",
    "Status.JVM.Memory.Metaspace.Max",
];
const DIRECT: &str = "Status.JVM.Memory.Direct.MemoryUsed";
const MANAGED: [&str; 2] = ["Status.Flink.Memory.Managed.Used", "Status.Flink.Memory.Managed.Total"];
const NETWORK: [&str; 2] = ["Status.Shuffle.Netty.UsedMemory", "Status.Shuffle.Netty.TotalMemory"];

fn names() -> Vec<&'static str> {
    HEAP.iter().chain(&METASPACE).chain([&DIRECT]).chain(&MANAGED).chain(&NETWORK).copied().collect()
}

/// What Flink was configured with, as the JobManager tells it; `None` if the release is not known. Secrets
/// are stars, because Flink masks them.
pub(super) fn settings(flink: &str, config: &[ConfigEntry]) -> Option<Settings> {
    let release = flink.parse().ok()?;
    let mut configuration = Configuration::new(FileFormat::Standard);
    for ConfigEntry { key, value } in config {
        configuration.set(key.as_str(), value.clone(), Origin::Derived("the JobManager".to_owned()));
    }
    Some(Settings { configuration, release })
}

/// What the JobManager itself uses.
pub(super) async fn job_manager(
    client: &RestClient,
    container: &str,
    settings: Option<&Settings>,
) -> Result<ProcessUse, RestError> {
    let metrics = metrics(client, None, Instant::now() + PATIENCE).await?;
    let planned =
        settings.and_then(|settings| Explained::job_manager(&settings.configuration, settings.release).ok());
    Ok(of_job_manager(container, &metrics, planned.as_ref()))
}

fn of_job_manager(container: &str, metrics: &[Metric], planned: Option<&Explained>) -> ProcessUse {
    let mut found = of_metrics(Part::JobManager, container, metrics);
    found.process.max = planned.map(|planned| planned.process.0.bytes());
    let size = |name| planned.map(|planned| planned.size(name).bytes());
    found.metaspace.max = found.metaspace.max.or(size(PoolName::Metaspace));
    // The JVM limits it only if Flink is told to.
    found.direct.max = size(PoolName::OffHeap);
    found
}

/// What the TaskManagers with these ids use, and why that is not known of some.
pub(super) async fn task_managers(client: &RestClient, ids: Vec<String>) -> (Vec<ProcessUse>, Vec<String>) {
    // For all of them together: the JobManager collects the metrics of all when it is asked for those of one.
    let until = Instant::now() + PATIENCE;
    let asked = futures::stream::iter(ids).map(|id| async move {
        let found = task_manager(client, &id, until).await;
        found.map_err(|error| format!("TaskManager {id}: {error}"))
    });
    let answers: Vec<Result<ProcessUse, String>> = asked.buffered(AT_ONCE).collect().await;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for answer in answers {
        match answer {
            Ok(one) => found.push(one),
            Err(why) => missing.push(why),
        }
    }
    (found, missing)
}

async fn task_manager(client: &RestClient, id: &str, until: Instant) -> Result<ProcessUse, RestError> {
    let (metrics, details) = tokio::join!(metrics(client, Some(id), until), client.task_manager(id));
    let planned = details.inspect_err(|error| tracing::debug!(%error, id, "no details")).unwrap_or_default();
    Ok(of_task_manager(id, &metrics?, &planned.memory_configuration.unwrap_or_default()))
}

fn of_task_manager(id: &str, metrics: &[Metric], planned: &MemoryConfiguration) -> ProcessUse {
    let mut found = of_metrics(Part::TaskManager, id, metrics);
    found.process.max = planned.total_process_memory;
    found.metaspace.max = found.metaspace.max.or(planned.jvm_metaspace);
    let parts = [planned.framework_off_heap, planned.task_off_heap, planned.network_memory];
    found.direct.max = parts.into_iter().try_fold(0_u64, |sum, part| sum.checked_add(part?));
    found.managed.max = found.managed.max.or(planned.managed_memory);
    found.network.max = found.network.max.or(planned.network_memory);
    found
}

/// The metrics of one process; empty if the JobManager has none until then.
async fn metrics(
    client: &RestClient,
    task_manager: Option<&str>,
    until: Instant,
) -> Result<Vec<Metric>, RestError> {
    let names = names();
    loop {
        let metrics = client.metrics(task_manager, &names).await?;
        if !metrics.is_empty() || Instant::now() > until {
            return Ok(metrics);
        }
        sleep(AGAIN).await;
    }
}

fn of_metrics(part: Part, container: &str, metrics: &[Metric]) -> ProcessUse {
    let value = |name: &str| metrics.iter().find(|metric| metric.id == name).and_then(Metric::number);
    let three = |[used, committed, max]: [&str; 3]| Share {
        used: value(used),
        committed: value(committed),
        max: value(max),
    };
    let two = |[used, max]: [&str; 2]| Share { used: value(used), committed: None, max: value(max) };
    ProcessUse {
        heap: three(HEAP),
        metaspace: three(METASPACE),
        direct: Share { used: value(DIRECT), committed: None, max: None },
        managed: two(MANAGED),
        network: two(NETWORK),
        ..ProcessUse::new(part, container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(id: &str, value: &str) -> Metric {
        Metric { id: id.into(), value: value.into() }
    }

    #[test]
    fn a_taskmanagers_metrics_and_plan_make_one_row() {
        let metrics = [
            metric(HEAP[0], "100"),
            metric(HEAP[1], "400"),
            metric(HEAP[2], "500"),
            metric(METASPACE[0], "60"),
            metric(METASPACE[2], "-1"),
            metric(DIRECT, "70"),
            metric(MANAGED[0], "0"),
            metric(MANAGED[1], "900"),
        ];
        let planned = MemoryConfiguration {
            framework_off_heap: Some(10),
            task_off_heap: Some(0),
            network_memory: Some(80),
            jvm_metaspace: Some(256),
            total_process_memory: Some(4096),
            ..MemoryConfiguration::default()
        };
        let found = of_task_manager("c2", &metrics, &planned);
        assert_eq!(found.heap, Share { used: Some(100), committed: Some(400), max: Some(500) });
        assert_eq!(found.metaspace, Share { used: Some(60), committed: None, max: Some(256) });
        assert_eq!((found.direct.used, found.direct.max), (Some(70), Some(90)));
        assert_eq!((found.managed.used, found.managed.max), (Some(0), Some(900)));
        assert_eq!((found.network.used, found.network.max), (None, Some(80)));
        assert_eq!((found.process.used, found.process.max), (None, Some(4096)));
        let nothing = of_task_manager("c2", &[], &MemoryConfiguration::default());
        assert_eq!(nothing, ProcessUse::new(Part::TaskManager, "c2"));
    }

    #[test]
    fn a_jobmanagers_plan_comes_from_its_configuration() {
        let config = [ConfigEntry { key: "jobmanager.memory.process.size".into(), value: "1600m".into() }];
        let settings = settings("1.20.5", &config).unwrap();
        let planned = Explained::job_manager(&settings.configuration, settings.release).unwrap();
        let found = of_job_manager("c1", &[metric(METASPACE[0], "60")], Some(&planned));
        assert_eq!((found.process.max, found.direct.max), (Some(1600 << 20), Some(128 << 20)));
        assert_eq!(found.metaspace, Share { used: Some(60), committed: None, max: Some(256 << 20) });
    }
}
