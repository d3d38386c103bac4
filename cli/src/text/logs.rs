//! The texts of `heddle logs` besides the logs themselves.

use yarn_client::logs::{Catalog, ContainerLogs, Log, Source};
use yarn_client::units::bytes;

use super::{clean, table};

/// The line in front of the lines of a log: what it is, and where it comes from.
pub(crate) fn heading(container: &ContainerLogs, log: &Log) -> String {
    let node = container.node.as_deref().map(|node| format!(" on {node}")).unwrap_or_default();
    let from = match log.source {
        Source::NodeManager => format!("from the NodeManager {}", log.place),
        Source::Aggregated => format!("collected in {}", log.place),
    };
    let (title, id) = (container.title(), &container.container);
    clean::line(&format!("==> {} of {title} ({id}{node}), {from} <==", log.file))
}

/// The containers and their log files: a table with a line for each file.
pub(crate) fn list(catalog: &Catalog) -> String {
    let rows = catalog.containers.iter().flat_map(|container| {
        container.logs.iter().map(move |log| {
            let source = match log.source {
                Source::NodeManager => "NodeManager",
                Source::Aggregated => "collected",
            };
            vec![
                container.container.clone(),
                container.title(),
                container.node.clone().unwrap_or_else(|| "-".into()),
                log.file.clone(),
                bytes(log.bytes),
                source.to_owned(),
                log.modified.clone().unwrap_or_else(|| "-".into()),
            ]
        })
    });
    table::render(&["CONTAINER", "OF", "NODE", "FILE", "SIZE", "FROM", "MODIFIED"], &[4], rows)
}
