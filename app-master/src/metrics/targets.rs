//! The addresses at which Prometheus finds the metrics of an application: those of heddle-am, and those of
//! Flink's own reporters in the JobManager and in the TaskManagers. Pure.

use flink_rest::bracketed;
use prometheus_http::{Labels, TargetGroup};

use super::state::About;

/// A process that serves metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Serving {
    pub(super) container: String,
    pub(super) host: String,
    /// The ports; a process without any is no target.
    pub(super) ports: Vec<u16>,
}

/// The groups of targets. `own` is the address of heddle-am's metrics, and `job_manager` has the ports of the
/// JobManager's reporters.
pub(super) fn targets(
    about: &About,
    own: &str,
    job_manager: &[u16],
    task_managers: Vec<Serving>,
) -> Vec<TargetGroup> {
    let group = |component: &str, container: &str, host: &str, targets: Vec<String>| {
        let labels = [
            ("application", about.application.as_str()),
            ("application_name", about.name.as_str()),
            ("component", component),
            ("container", container),
            ("node", host),
        ];
        let labels: Labels =
            labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        TargetGroup { targets, labels }
    };
    let at = |host: &str, ports: &[u16]| {
        let host = bracketed(host);
        ports.iter().map(|port| format!("{host}:{port}")).collect::<Vec<String>>()
    };
    let mut groups = vec![group("heddle", &about.container, &about.host, vec![own.to_owned()])];
    if !job_manager.is_empty() {
        let addresses = at(&about.host, job_manager);
        groups.push(group("jobmanager", &about.container, &about.host, addresses));
    }
    for Serving { container, host, ports } in task_managers {
        if !ports.is_empty() {
            groups.push(group("taskmanager", &container, &host, at(&host, &ports)));
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use prometheus_http::write_targets;

    use super::*;

    #[test]
    fn the_targets_of_an_application() {
        let about = About {
            application: "application_1_0001".into(),
            name: "etl".into(),
            container: "container_1_0001_01_000001".into(),
            host: "n1".into(),
            ..About::default()
        };
        let serving = |container: &str, ports: &[u16]| Serving {
            container: container.into(),
            host: "n2".into(),
            ports: ports.into(),
        };
        let task_managers = vec![serving("c2", &[9250]), serving("c3", &[])];
        let written = write_targets(&targets(&about, "n1:7", &[9249], task_managers));
        let of = |target: &str, component: &str, container: &str, node: &str| {
            format!(
                r#"{{"targets":["{target}"],"labels":{{"application":"application_1_0001","application_name":"etl","component":"{component}","container":"{container}","node":"{node}"}}}}"#
            )
        };
        let expected = [
            of("n1:7", "heddle", "container_1_0001_01_000001", "n1"),
            of("n1:9249", "jobmanager", "container_1_0001_01_000001", "n1"),
            of("n2:9250", "taskmanager", "c2", "n2"),
        ];
        assert_eq!(written, format!("[{}]", expected.join(",")));
    }
}
