//! The texts of `yarn-session.sh -q`: the nodes and queues of the cluster, in the form in which Flink prints
//! them, and as JSON.

use serde_json::{Value, json};
use yarn_api::records::{NodeReport, QueueInfo};

/// The description of a cluster with `node_managers` NodeManagers, of which `nodes` run, and all `queues`,
/// the root first. For each queue it has the number of applications that run or wait, which Flink always
/// shows as 0.
pub(crate) fn describe(node_managers: u32, nodes: &[NodeReport], queues: &[QueueInfo]) -> String {
    const LINE: &str = "+---------------------------------------+\n";
    // Flink prints the number and the table's head on one line.
    let mut text = format!("NodeManagers in the ClusterClient {node_managers}");
    text.push_str("|Property         |Value          \n");
    text.push_str(LINE);
    let mut memory_mb: u64 = 0;
    let mut cores: u64 = 0;
    for node in nodes {
        memory_mb = memory_mb.saturating_add(node.capability.memory_mb);
        cores = cores.saturating_add(node.capability.vcores.into());
        text.push_str(&row("NodeID", &node.id.to_string()));
        text.push_str(&row("Memory", &human_memory(node.capability.memory_mb)));
        text.push_str(&row("vCores", &node.capability.vcores.to_string()));
        text.push_str(&row("HealthReport", node.health_report.as_deref().unwrap_or_default()));
        text.push_str(&row("Containers", &node.containers.to_string()));
        text.push_str(LINE);
    }
    text.push_str(&format!("Summary: totalMemory {} totalCores {cores}\n", human_memory(memory_mb)));
    for queue in queues.iter().skip(1) {
        let applications = queue.statistics.as_ref().map_or(0, |s| s.apps_running + s.apps_pending);
        text.push_str(&format!(
            "Queue: {}, Current Capacity: {} Max Capacity: {} Applications: {applications}\n",
            queue.name,
            java_float(queue.used_capacity),
            java_float(queue.max_capacity.unwrap_or(1.0)),
        ));
    }
    text
}

/// The same as JSON, for programs.
pub(crate) fn json(node_managers: u32, nodes: &[NodeReport], queues: &[QueueInfo]) -> Value {
    let node = |node: &NodeReport| {
        json!({
            "node": node.id.to_string(),
            "memoryMb": node.capability.memory_mb,
            "vcores": node.capability.vcores,
            "usedMemoryMb": node.used.memory_mb,
            "usedVcores": node.used.vcores,
            "containers": node.containers,
            "healthReport": node.health_report,
        })
    };
    let queue = |queue: &QueueInfo| {
        json!({
            "queue": queue.name,
            "capacity": queue.capacity,
            "usedCapacity": queue.used_capacity,
            "maxCapacity": queue.max_capacity,
            "applications": queue.statistics.as_ref().map(|s| s.apps_running + s.apps_pending),
        })
    };
    json!({
        "nodeManagers": node_managers,
        "nodes": nodes.iter().map(node).collect::<Vec<_>>(),
        "queues": queues.iter().skip(1).map(queue).collect::<Vec<_>>(),
    })
}

fn row(name: &str, value: &str) -> String {
    format!("|{name:<16} |{value:<16} \n")
}

/// `4.000gb (4294967296 bytes)`, as Flink's `MemorySize` shows itself.
pub(crate) fn human_memory(megabytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("tb", 40), ("gb", 30), ("mb", 20), ("kb", 10)];
    let bytes = u128::from(megabytes) << 20;
    match UNITS.iter().find(|(_, shift)| bytes > 1 << shift) {
        Some((unit, shift)) => format!("{:.3}{unit} ({bytes} bytes)", bytes as f64 / (1u64 << shift) as f64),
        None => format!("{bytes} bytes"),
    }
}

/// The text that Java's `Float.toString` makes of a number.
fn java_float(value: f32) -> String {
    let size = value.abs();
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity".into() } else { "-Infinity".into() }
    } else if size == 0.0 || (1e-3..1e7).contains(&size) {
        format!("{value:?}")
    } else {
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let point = if mantissa.contains('.') { "" } else { ".0" };
        format!("{mantissa}{point}E{exponent}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yarn_api::records::{NodeState, QueueState, Resource};

    #[test]
    fn memory() {
        for (mb, text) in [
            (0, "0 bytes"),
            (1, "1024.000kb (1048576 bytes)"),
            (1024, "1024.000mb (1073741824 bytes)"),
            (4096, "4.000gb (4294967296 bytes)"),
            (8191, "7.999gb (8588886016 bytes)"),
        ] {
            assert_eq!(human_memory(mb), text);
        }
    }

    #[test]
    fn floats() {
        for (value, text) in
            [(0.0, "0.0"), (0.25, "0.25"), (1.0, "1.0"), (0.0001, "1.0E-4"), (f32::NAN, "NaN")]
        {
            assert_eq!(java_float(value), text);
        }
    }

    #[test]
    fn as_flink_prints_it() {
        let node = NodeReport {
            id: "worker-1:45454".parse().unwrap(),
            state: NodeState::Running,
            http_address: String::new(),
            rack: String::new(),
            capability: Resource::new(8192, 8),
            used: Resource::default(),
            containers: 2,
            health_report: None,
            last_health_report: None,
            labels: Default::default(),
        };
        let queue = |name: &str| QueueInfo {
            name: name.into(),
            path: name.into(),
            state: QueueState::Running,
            capacity: 1.0,
            max_capacity: None,
            used_capacity: 0.125,
            max_am_share: None,
            max_resource: None,
            node_labels: Default::default(),
            default_node_label: None,
            statistics: None,
            children: vec![],
        };
        let queues = [queue("root"), queue("default"), queue("etl"), queue("night")];
        insta::assert_snapshot!(describe(2, &[node], &queues).replace(" \n", "~\n"), @r"
        NodeManagers in the ClusterClient 2|Property         |Value         ~
        +---------------------------------------+
        |NodeID           |worker-1:45454  ~
        |Memory           |8.000gb (8589934592 bytes)~
        |vCores           |8               ~
        |HealthReport     |                ~
        |Containers       |2               ~
        +---------------------------------------+
        Summary: totalMemory 8.000gb (8589934592 bytes) totalCores 8
        Queue: default, Current Capacity: 0.125 Max Capacity: 1.0 Applications: 0
        Queue: etl, Current Capacity: 0.125 Max Capacity: 1.0 Applications: 0
        Queue: night, Current Capacity: 0.125 Max Capacity: 1.0 Applications: 0
        ");
    }
}
