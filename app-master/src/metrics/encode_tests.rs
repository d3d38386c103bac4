use std::time::Duration;

use super::super::histogram::Histogram;
use super::super::snapshot::Sample;
use super::*;

fn families() -> Vec<Family> {
    let mut times = Histogram::default();
    times.add(Duration::from_millis(200));
    times.add(Duration::from_secs(1000));
    let labelled =
        |value: &str, count| Sample { labels: vec![("cause", value.to_owned())], value: Value::Count(count) };
    let plain = |value| vec![Sample { labels: Vec::new(), value }];
    vec![
        Family { metric: &table::ATTEMPT, samples: plain(Value::Number(2.0)) },
        Family { metric: &table::ENDED, samples: vec![labelled("node", 0), labelled("signal", 3)] },
        Family { metric: &table::SCRAPES, samples: plain(Value::Count(7)) },
        Family { metric: &table::GRANT_TIME, samples: plain(Value::Durations(times)) },
    ]
}

const EXPECTED: &str = include_str!("expected.txt");

#[test]
fn the_text_of_open_metrics() {
    assert_eq!(open_metrics(families()).unwrap(), EXPECTED);
}

#[test]
fn the_older_format_names_counters_as_a_whole() {
    let text = plain(EXPECTED);
    assert!(text.contains("# HELP heddle_scrapes_total How often these metrics were read.\n"), "{text}");
    assert!(text.contains("# TYPE heddle_taskmanagers_ended_total counter\n"), "{text}");
    assert!(text.contains("# TYPE heddle_taskmanager_grant_seconds histogram\n"), "{text}");
    assert!(
        text.contains("# TYPE heddle_application_attempt gauge\nheddle_application_attempt 2.0\n"),
        "{text}"
    );
    assert!(!text.contains("EOF") && text.ends_with("{le=\"+Inf\"} 2\n"), "{text}");
    assert_eq!(text.lines().count() + 1, EXPECTED.lines().count());
}

#[test]
fn the_format_is_the_one_that_is_accepted() {
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    assert!(wants_open_metrics(prometheus));
    assert!(wants_open_metrics("Application/OpenMetrics-Text; charset=utf-8"));
    assert!(!wants_open_metrics("application/openmetrics-text;version=2.0.0, text/plain"));
    for other in ["", "*/*", "text/plain;version=0.0.4", "text/html"] {
        assert!(!wants_open_metrics(other), "{other}");
    }
}
