//! Flink's own reporters for Prometheus, as the configuration declares them: which ports they may use.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::config::Configuration;

const PREFIX: &str = "metrics.reporter.";
/// The list of the reporters that are used; without it, all are.
const USED: &str = "metrics.reporters";
/// The class of the reporter's factory and, up to Flink 1.15, that of the reporter itself.
const FACTORY: &str = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory";
const CLASS: &str = "org.apache.flink.metrics.prometheus.PrometheusReporter";
/// The port that the reporter takes if none is configured.
const DEFAULT_PORT: &str = "9249";

/// The ports of each reporter for Prometheus, as its key `port` has them: one, a range, or a list of both.
/// The order is that of the reporters' names.
pub fn prometheus_ports(configuration: &Configuration) -> Vec<String> {
    let settings = configuration.with_prefix(PREFIX);
    let used: Option<BTreeSet<String>> = configuration.text(USED).map(|list| {
        list.split([',', ';']).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    });
    let is_used = |name: &str| used.as_ref().is_none_or(|used| used.is_empty() || used.contains(name));
    let mut names = BTreeSet::new();
    for (key, value) in &settings {
        let name = match (key.strip_suffix(".factory.class"), key.strip_suffix(".class")) {
            (Some(name), _) if value.trim() == FACTORY => name,
            (None, Some(name)) if value.trim() == CLASS => name,
            _ => continue,
        };
        if is_used(name) {
            names.insert(name.to_owned());
        }
    }
    let port = |name: String| {
        let port = settings.get(&format!("{name}.port")).map(|port| port.trim()).filter(|p| !p.is_empty());
        port.unwrap_or(DEFAULT_PORT).to_owned()
    };
    names.into_iter().map(port).collect()
}

/// The ranges of a list of ports as Flink reads it; a part that is no port is left out, and so is 0. With 0
/// the reporter takes any port, and which of a JVM's ports that is cannot be told.
pub fn ranges(ports: &str) -> Vec<RangeInclusive<u16>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?);
        (first > 0 && first <= last).then_some(first..=last)
    };
    ports.split(',').filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileFormat;

    fn ports(pairs: &[(&str, &str)]) -> Vec<String> {
        let mut configuration = Configuration::new(FileFormat::Standard);
        for (key, value) in pairs {
            configuration.set_dynamic(*key, *value);
        }
        prometheus_ports(&configuration)
    }

    #[test]
    fn reporters_for_prometheus_and_no_others() {
        assert_eq!(ports(&[]), Vec::<String>::new());
        let prom = ("metrics.reporter.prom.factory.class", FACTORY);
        assert_eq!(ports(&[prom]), ["9249"]);
        assert_eq!(ports(&[prom, ("metrics.reporter.prom.port", " 9250-9260 ")]), ["9250-9260"]);
        assert_eq!(
            ports(&[("metrics.reporter.a.class", CLASS), prom, ("metrics.reporter.a.port", "1")]),
            ["1", "9249"]
        );
        let jmx = ("metrics.reporter.jmx.factory.class", "org.apache.flink.metrics.jmx.JMXReporterFactory");
        assert_eq!(ports(&[jmx, ("metrics.reporter.jmx.port", "8789")]), Vec::<String>::new());
        let push = "org.apache.flink.metrics.prometheus.PrometheusPushGatewayReporterFactory";
        assert_eq!(ports(&[("metrics.reporter.push.factory.class", push)]), Vec::<String>::new());
    }

    #[test]
    fn only_reporters_that_are_used() {
        let (one, two) = ("metrics.reporter.one.factory.class", "metrics.reporter.two.factory.class");
        let both = [(one, FACTORY), (two, FACTORY), ("metrics.reporter.two.port", "2")];
        assert_eq!(ports(&both), ["9249", "2"]);
        assert_eq!(ports(&[both[0], both[1], both[2], ("metrics.reporters", "two, jmx")]), ["2"]);
        assert_eq!(ports(&[both[0], both[1], both[2], ("metrics.reporters", "")]), ["9249", "2"]);
    }

    #[test]
    fn ranges_of_ports() {
        assert_eq!(ranges("9249"), [9249..=9249]);
        assert_eq!(ranges("9250-9260, 9300"), [9250..=9260, 9300..=9300]);
        for none in ["", "0", "x", "5-4", "0-3", "70000"] {
            assert_eq!(ranges(none), Vec::new(), "{none}");
        }
    }
}
