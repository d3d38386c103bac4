//! The text that Prometheus reads: OpenMetrics, and the older text format 0.0.4 for readers that do not
//! accept OpenMetrics.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::snapshot::{Family, Value};
use super::table::{self, Kind};

/// The type of OpenMetrics, and that of the text format 0.0.4.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub(super) const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// No labels.
type NoLabels = [(&'static str, &'static str); 0];

/// The values of one moment, as the library takes them.
#[derive(Debug)]
struct Moment(Vec<Family>);

impl Collector for Moment {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for Family { metric, samples } in &self.0 {
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            for sample in samples {
                if sample.labels.is_empty() {
                    write(&mut family, &sample.value, metric.kind)?;
                } else {
                    write(&mut family.encode_family(&sample.labels)?, &sample.value, metric.kind)?;
                }
            }
        }
        Ok(())
    }
}

fn write(encoder: &mut MetricEncoder<'_>, value: &Value, kind: Kind) -> Result<(), fmt::Error> {
    match value {
        Value::Count(count) if kind == Kind::Counter => {
            encoder.encode_counter::<NoLabels, u64, f64>(count, None)
        }
        Value::Count(count) => encoder.encode_gauge(&(*count as f64)),
        Value::Number(number) => encoder.encode_gauge(number),
        Value::Durations(times) => {
            encoder.encode_histogram::<NoLabels>(times.sum, times.count(), &times.buckets(), None)
        }
    }
}

/// The values as OpenMetrics. Fails only if the library does.
pub(super) fn open_metrics(families: Vec<Family>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Moment(families)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// OpenMetrics as the text format 0.0.4. There a counter has its whole name in the lines about it, and there
/// is neither a unit nor an end.
pub(super) fn plain(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => continue,
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name), Some(rest)) => {
                let is_counter = table::find(name).is_some_and(|metric| metric.kind == Kind::Counter);
                let total = if is_counter { "_total" } else { "" };
                text.push_str(&format!("# {what} {name}{total} {rest}"));
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// Whether whoever sends this header `Accept` wants OpenMetrics. Prometheus names it first.
pub(super) fn wants_open_metrics(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_it =
            parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
        // A version that is newer than the one that is written here may be asked for as well.
        is_it && parts.all(|part| part.strip_prefix("version=").is_none_or(|version| version == "1.0.0"))
    })
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
