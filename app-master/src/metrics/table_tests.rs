use std::collections::BTreeSet;

use super::*;

const PAGE: &str = include_str!("../../../docs/metrics.md");
const DASHBOARD: &str = include_str!("../../../conf/grafana/heddle.json");

/// The table as `docs/metrics.md` has it.
fn written() -> String {
    let mut text = String::from("| Metric | Kind | Labels | |\n|---|---|---|---|\n");
    for metric in ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, labels) = (metric.shown(), labels.join(", "));
        text.push_str(&format!("| `{name}` | {kind} | {labels} | {} |\n", metric.help));
    }
    text
}

#[test]
fn the_page_of_the_manual_has_this_table() {
    let table = written();
    assert!(PAGE.contains(&table), "docs/metrics.md must have this table:\n{table}");
}

#[test]
fn names_and_units_are_those_of_prometheus() {
    let mut names = BTreeSet::new();
    for metric in ALL {
        let name = metric.name;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("heddle_") && !name.ends_with("_total"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert!(metric.help.ends_with('.') && !metric.help.contains('|'), "{name}: {}", metric.help);
        assert_eq!(find(name), Some(*metric));
    }
}

#[test]
fn no_label_has_a_name_that_prometheus_or_the_target_gives_another_meaning() {
    // Prometheus would rename ours: `exported_job`.
    let theirs = ["job", "instance", "application", "application_name", "component", "container", "node"];
    for metric in ALL {
        for label in metric.labels {
            assert!(!theirs.contains(label), "{}: {label}", metric.name);
        }
    }
}

/// The names of metrics of heddle's in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text.split(word).filter(|word| word.starts_with("heddle_")).collect()
}

#[test]
fn the_dashboard_uses_no_other_names_and_shows_every_metric() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut left: BTreeSet<String> = ALL.iter().map(|metric| metric.shown()).collect();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            for name in named(target["expr"].as_str().unwrap()) {
                let of_histogram = name.strip_suffix("_bucket").or_else(|| name.strip_suffix("_count"));
                let shown = of_histogram.filter(|base| find(base).is_some()).unwrap_or(name);
                assert!(ALL.iter().any(|metric| metric.shown() == shown), "the dashboard names {name}");
                left.remove(shown);
            }
        }
    }
    assert_eq!(left, BTreeSet::new(), "no panel shows these");
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(
        variables.iter().any(|variable| variable["type"] == "datasource"),
        "no data source can be chosen"
    );
}
