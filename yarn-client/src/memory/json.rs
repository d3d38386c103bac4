//! Writes the sizes as JSON, for programs (`heddle memory --output json`). The pools have the names of
//! Flink's REST interface. Sizes are in bytes, and those of containers in MiB. This module does no I/O.

use std::collections::BTreeMap;

use flink_model::memory::{Explained, Rule};
use serde::Serialize;
use serde_json::Value;

use super::compare::{changes, per_slot};
use super::limits::ContainerLimits;
use super::study::{Other, Sizes, Study};
use crate::error::{CauseClass, Failure};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    flink: String,
    configuration_directory: String,
    job_manager: Process,
    task_manager: Process,
    /// YARN's limits; null if they are not known.
    yarn: Option<&'a ContainerLimits>,
    /// Why YARN would refuse the containers.
    refused: Vec<String>,
    advice: Vec<Remark<'a>>,
    /// The differences from the configuration without `--set`.
    set: Option<Comparison>,
    /// The differences from the sizes according to the release of the distribution.
    at_hand: Option<Comparison>,
    warnings: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    /// The sizes in bytes by Flink's names of the pools, with `totalFlinkMemory` and `totalProcessMemory`.
    memory: BTreeMap<&'static str, u64>,
    pools: Vec<Pool>,
    jvm_options: Vec<String>,
    /// The sizes as dynamic properties that Flink passes to the process.
    properties: BTreeMap<String, String>,
    container: Container,
    #[serde(skip_serializing_if = "Option::is_none")]
    slots: Option<Slots>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    name: &'static str,
    bytes: u64,
    rule: String,
    settings: Vec<Setting>,
    jvm_options: &'static [&'static str],
}

#[derive(Serialize)]
struct Setting {
    key: String,
    value: String,
    origin: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    requested_mb: u64,
    requested_vcores: u64,
    granted_mb: Option<u64>,
    granted_vcores: Option<u64>,
    lost_mb: Option<u64>,
    /// How many such containers fit on all running nodes when the nodes are empty; null if the nodes are not
    /// known.
    fit_on_cluster: Option<u64>,
}

#[derive(Serialize)]
struct Slots {
    number: i32,
    each: BTreeMap<&'static str, u64>,
}

#[derive(Serialize)]
struct Remark<'a> {
    kind: &'static str,
    process: Option<String>,
    text: &'a str,
    alternatives: Vec<Proposal<'a>>,
}

#[derive(Serialize)]
struct Proposal<'a> {
    key: &'a str,
    value: &'a str,
    effect: &'a str,
}

#[derive(Serialize)]
struct Comparison {
    with: String,
    /// Why the other configuration has no sizes, if it has none.
    refused: Option<String>,
    changes: Vec<Difference>,
}

#[derive(Serialize)]
struct Difference {
    process: String,
    name: &'static str,
    before: u64,
    after: u64,
}

/// Turns a study into one JSON value.
pub fn render(study: &Study) -> Result<Value, Failure> {
    let [jm, tm] = &study.sizes.processes;
    let limits = study.limits.as_ref().ok();
    let remark = |a: &'_ flink_model::memory_advice::Advice| a.role.map(|role| role.to_string());
    let document = Document {
        flink: study.sizes.release.to_string(),
        configuration_directory: study.directory.display().to_string(),
        job_manager: process(jm, &study.sizes, limits, None),
        task_manager: process(tm, &study.sizes, limits, Some(study.sizes.spec.slots)),
        yarn: limits,
        refused: study.refused.iter().map(ToString::to_string).collect(),
        advice: study
            .advice
            .iter()
            .map(|a| Remark {
                kind: a.kind,
                process: remark(a),
                text: &a.text,
                alternatives: a
                    .changes
                    .iter()
                    .map(|c| Proposal { key: &c.key, value: &c.value, effect: &c.effect })
                    .collect(),
            })
            .collect(),
        set: study.without_trials.as_ref().map(|other| comparison(other, &study.sizes)),
        at_hand: study.at_hand.as_ref().map(|other| comparison(other, &study.sizes)),
        warnings: &study.warnings,
    };
    serde_json::to_value(&document)
        .map_err(|e| Failure::because("cannot write the answer", e).of_class(CauseClass::Internal))
}

fn process(
    explained: &Explained,
    sizes: &Sizes,
    limits: Option<&ContainerLimits>,
    slots: Option<i32>,
) -> Process {
    let pool = |name, bytes, rule: &Rule, jvm_options| Pool {
        name,
        bytes,
        rule: rule.to_string(),
        settings: rule
            .settings()
            .into_iter()
            .map(|s| Setting { key: s.key.clone(), value: s.value.clone(), origin: s.place() })
            .collect(),
        jvm_options,
    };
    let mut pools: Vec<Pool> = explained
        .pools
        .iter()
        .map(|p| pool(p.name.field(), p.size.bytes(), &p.rule, p.limit.options()))
        .collect();
    pools.push(pool("totalFlinkMemory", explained.flink.0.bytes(), &explained.flink.1, &[]));
    pools.push(pool("totalProcessMemory", explained.process.0.bytes(), &explained.process.1, &[]));
    let (requested_mb, requested_vcores) = sizes.request(explained.role);
    let granted = limits
        .map(|l| (l.yarn().charged_memory_mb(requested_mb), l.maximum_mb.value))
        .filter(|(granted, largest)| granted <= largest)
        .map(|(granted, _)| granted);
    let granted_vcores = limits.and_then(|l| l.granted_vcores(requested_vcores));
    let fit = |l: &ContainerLimits| {
        let (mb, vcores) = (granted?, granted_vcores.unwrap_or(requested_vcores));
        let fitting = l.nodes.iter().map(|node| l.fits(node, mb, vcores)).sum();
        (!l.nodes.is_empty()).then_some(fitting)
    };
    Process {
        memory: pools.iter().map(|p| (p.name, p.bytes)).collect(),
        pools,
        jvm_options: explained.jvm_args.clone(),
        properties: explained.properties.iter().cloned().collect(),
        container: Container {
            requested_mb,
            requested_vcores,
            granted_mb: granted,
            granted_vcores,
            lost_mb: granted.map(|g| g.saturating_sub(requested_mb)),
            fit_on_cluster: limits.and_then(fit),
        },
        slots: slots.map(|number| Slots {
            number,
            each: per_slot(explained, number)
                .into_iter()
                .map(|(p, size)| (p.field(), size.bytes()))
                .collect(),
        }),
    }
}

fn comparison(other: &Other, now: &Sizes) -> Comparison {
    Comparison {
        with: other.name.clone(),
        refused: other.sizes.as_ref().err().cloned(),
        changes: other.sizes.as_ref().map_or_else(
            |_| Vec::new(),
            |before| {
                changes(before, now)
                    .into_iter()
                    .map(|c| Difference {
                        process: c.role.to_string(),
                        name: c.name.map_or(c.sum, |name| name.field()),
                        before: c.before.bytes(),
                        after: c.after.bytes(),
                    })
                    .collect()
            },
        ),
    }
}
