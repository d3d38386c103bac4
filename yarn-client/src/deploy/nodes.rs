//! Checks whether the cluster has nodes with the labels, and the resource types, that are wanted. This module
//! does no I/O.

use std::collections::BTreeMap;

use yarn_api::records::{NodeLabel, NodeReport, QueueInfo, Resource, ResourceType};

use crate::error::Failure;

/// Refuses a node label that the cluster does not have or that the queue may not use. `key` is the
/// configuration key that names the label. Returns a warning if no running node has the label.
pub(crate) fn check_label(
    key: &str,
    label: &str,
    labels: &[NodeLabel],
    queue: Option<&QueueInfo>,
    nodes: &[NodeReport],
) -> Result<Option<String>, Failure> {
    // YARN's own tools use the empty label for nodes without a label.
    if label.is_empty() {
        return Ok(None);
    }
    if !labels.iter().any(|l| l.name == label) {
        let failure = Failure::configuration(format!("the cluster has no node label '{label}' ({key})"));
        let names: Vec<&str> = labels.iter().map(|l| l.name.as_str()).filter(|n| !n.is_empty()).collect();
        return Err(match &names[..] {
            [] => failure.hint("it has no node labels at all: leave the key out"),
            names => failure.hint(format!("its labels: {}", names.join(", "))),
        });
    }
    if let Some(queue) = queue.filter(|q| !q.node_labels.contains("*") && !q.node_labels.contains(label)) {
        let name = &queue.name;
        let failure = Failure::configuration(format!(
            "the queue '{name}' may not use nodes of the label '{label}' ({key})"
        ));
        let own: Vec<&str> = queue.node_labels.iter().map(String::as_str).filter(|l| !l.is_empty()).collect();
        return Err(match &own[..] {
            [] => failure.hint("it may use nodes without a label only: choose another queue with -qu"),
            own => failure.hint(format!("labels of the queue: {}", own.join(", "))),
        });
    }
    let has = nodes.iter().any(|node| node.labels.contains(label));
    Ok((!has).then(|| {
        format!("no running node has the label '{label}' ({key}): containers for it wait until one has")
    }))
}

/// Refuses resource types that the cluster does not have, and amounts that are larger than the largest
/// container allows.
pub(crate) fn check_resources(
    wanted: &BTreeMap<String, i64>,
    types: &[ResourceType],
    largest: &Resource,
) -> Result<(), Failure> {
    for (name, amount) in wanted {
        let asks = format!(
            "a TaskManager's container asks for {amount} of '{name}' (external-resource.*.yarn.config-key)"
        );
        if !types.iter().any(|kind| kind.name == *name) {
            let names: Vec<&str> = types.iter().map(|kind| kind.name.as_str()).collect();
            return Err(Failure::configuration(format!("{asks}, and the cluster has no such resource"))
                .hint(format!("its resources: {}", names.join(", "))));
        }
        let most = largest.others.get(name).copied();
        if let Some(most) = most.filter(|most| u64::try_from(*amount).is_ok_and(|amount| amount > *most)) {
            return Err(Failure::configuration(format!("{asks}, and the cluster allows at most {most}"))
                .hint("ask for less with external-resource.*.amount"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use yarn_api::records::QueueState;

    use super::*;
    use crate::deploy::queue::tests::queue;

    #[test]
    fn labels() {
        let labels = ["gpu", "ssd"].map(|name| NodeLabel { name: name.into(), exclusive: true });
        let small = QueueInfo {
            node_labels: ["gpu".to_owned()].into(),
            ..queue("small", "root.small", QueueState::Running, vec![])
        };
        let said = |label, labels: &[NodeLabel], queue| match check_label("k", label, labels, queue, &[]) {
            Ok(warning) => warning.unwrap_or_default(),
            Err(failure) => failure.render(false),
        };
        assert_eq!(said("", &[], None), "");
        assert!(said("x", &[], None).contains("no node label 'x' (k)"));
        assert!(said("x", &[], None).contains("no node labels at all"));
        assert!(said("x", &labels, None).contains("its labels: gpu, ssd"));
        assert!(said("ssd", &labels, Some(&small)).contains("'small' may not use nodes of the label 'ssd'"));
        assert!(said("ssd", &labels, Some(&small)).contains("labels of the queue: gpu"));
        assert!(said("gpu", &labels, Some(&small)).contains("no running node"));
        let all = QueueInfo { node_labels: ["*".to_owned()].into(), ..small.clone() };
        assert!(said("ssd", &labels, Some(&all)).contains("no running node"));
    }

    #[test]
    fn resources() {
        let types = ["memory-mb", "vcores", "yarn.io/gpu"]
            .map(|name| ResourceType { name: name.into(), units: String::new() });
        let mut largest = Resource::new(1, 1);
        largest.others.insert("yarn.io/gpu".into(), 2);
        let check = |name: &str, amount| {
            check_resources(&[(name.to_owned(), amount)].into(), &types, &largest)
                .map_err(|e| e.render(false))
        };
        assert_eq!(check("yarn.io/gpu", 2), Ok(()));
        assert!(check("yarn.io/gpu", 3).unwrap_err().contains("at most 2"));
        assert!(check("gpu", 1).unwrap_err().contains("memory-mb, vcores, yarn.io/gpu"));
    }
}
