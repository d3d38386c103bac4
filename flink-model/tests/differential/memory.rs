//! Compares how memory is divided.

use std::collections::BTreeMap;

use flink_model::config::Configuration;
use flink_model::memory::{self, MemoryError};
use flink_model::release::Release;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::oracle::{configuration, each_release, run};

fn size() -> impl Strategy<Value = String> {
    prop_oneof![
        30 => (1u32..6000).prop_map(|n| format!("{n}m")),
        6 => (1u32..40).prop_map(|n| format!("{n} GB")),
        10 => (0u64..1 << 33).prop_map(|n| n.to_string()),
        4 => (0u64..1 << 24).prop_map(|n| format!("{n}kb")),
        2 => (0u64..1 << 24).prop_map(|n| format!(" {n} tebibytes ")),
        2 => any::<u64>().prop_map(|n| n.to_string()),
        1 => Just("0".to_owned()),
        1 => prop::sample::select(vec!["", "1.5g", "-1m", "x", "1 mm", "9223372036854775807", "8388608t", "0x10", "1_0m"])
            .prop_map(str::to_owned),
    ]
}

fn fraction() -> impl Strategy<Value = String> {
    prop_oneof![
        20 => (0u32..100).prop_map(|n| format!("0.{n:02}")),
        10 => (0f32..1.0).prop_map(|f| f.to_string()),
        3 => any::<f32>().prop_map(|f| f.to_string()),
        2 => prop::sample::select(vec![
            "0", "1", "0.999999", "-0.1", "0.1f", "1e-3", "NaN", "Infinity", "inf", "", "x", " 0.5 ", "-0", ".5", "5.", "0,5", "1e", "0.1d"
        ])
        .prop_map(str::to_owned),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        10 => (0u32..20000).prop_map(|n| n.to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => prop::sample::select(vec!["", "x", "+5", " 5", "1.0", "-3", "2147483647", "2147483648"]).prop_map(str::to_owned),
    ]
}

/// A selection of the keys: each is set with the given probability.
fn keys(
    table: &[(&'static str, f64)],
    value: impl Strategy<Value = String> + 'static,
) -> BoxedStrategy<Vec<(String, String)>> {
    let value = value.boxed();
    let each: Vec<_> = table
        .iter()
        .map(|&(key, probability)| {
            prop::option::weighted(probability, value.clone())
                .prop_map(move |v| v.map(|v| (key.to_owned(), v)))
        })
        .collect();
    each.prop_map(|pairs| pairs.into_iter().flatten().collect()).boxed()
}

/// Random values for random keys. Flink refuses most of these configurations, for all kinds of reasons.
fn arbitrary_memory() -> BoxedStrategy<Vec<(String, String)>> {
    let sizes = keys(
        &[
            ("jobmanager.memory.process.size", 0.5),
            ("jobmanager.memory.flink.size", 0.25),
            ("jobmanager.memory.heap.size", 0.25),
            ("jobmanager.memory.off-heap.size", 0.25),
            ("jobmanager.memory.jvm-metaspace.size", 0.2),
            ("jobmanager.memory.jvm-overhead.min", 0.2),
            ("jobmanager.memory.jvm-overhead.max", 0.2),
            ("jobmanager.heap.size", 0.1),
            ("taskmanager.memory.process.size", 0.5),
            ("taskmanager.memory.flink.size", 0.25),
            ("taskmanager.memory.framework.heap.size", 0.15),
            ("taskmanager.memory.framework.off-heap.size", 0.15),
            ("taskmanager.memory.task.heap.size", 0.25),
            ("taskmanager.memory.task.off-heap.size", 0.15),
            ("taskmanager.memory.managed.size", 0.25),
            ("taskmanager.memory.size", 0.05),
            ("taskmanager.memory.network.min", 0.15),
            ("taskmanager.memory.network.max", 0.15),
            ("taskmanager.network.memory.min", 0.05),
            ("taskmanager.network.memory.max", 0.05),
            ("taskmanager.memory.jvm-metaspace.size", 0.2),
            ("taskmanager.memory.jvm-overhead.min", 0.15),
            ("taskmanager.memory.jvm-overhead.max", 0.15),
            ("taskmanager.memory.segment-size", 0.1),
            ("taskmanager.heap.size", 0.1),
        ],
        size(),
    );
    let fractions = keys(
        &[
            ("jobmanager.memory.jvm-overhead.fraction", 0.2),
            ("taskmanager.memory.jvm-overhead.fraction", 0.15),
            ("taskmanager.memory.managed.fraction", 0.2),
            ("taskmanager.memory.network.fraction", 0.15),
            ("taskmanager.network.memory.fraction", 0.05),
            ("taskmanager.cpu.cores", 0.1),
        ],
        fraction(),
    );
    let numbers = keys(
        &[
            ("jobmanager.heap.mb", 0.1),
            ("taskmanager.heap.mb", 0.1),
            ("taskmanager.network.numberOfBuffers", 0.15),
            ("taskmanager.numberOfTaskSlots", 0.2),
        ],
        number(),
    );
    let flags = keys(
        &[("jobmanager.memory.enable-jvm-direct-memory-limit", 0.2)],
        prop::sample::select(vec!["true", "False", "TRUE", "yes", ""]).prop_map(str::to_owned),
    );
    let resources = keys(
        &[("external-resources", 0.3)],
        prop::sample::select(vec!["gpu", "gpu;fpga", "none", "", "gpu;gpu", "fpga; gpu", ";", "none;gpu"])
            .prop_map(str::to_owned),
    );
    // Flink keeps amounts as doubles, which are exact below 2^53.
    let amount = prop_oneof![5 => (0i64..1 << 53).prop_map(|n| n.to_string()), 1 => "[-+]?[0-9]{0,2}[. x]?"];
    let amounts =
        keys(&[("external-resource.gpu.amount", 0.3), ("external-resource.fpga.amount", 0.2)], amount);
    (sizes, fractions, numbers, flags, resources, amounts)
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].concat())
        .boxed()
}

/// Sizes that add up, or whose sums differ by one byte, with a random selection of the keys.
fn consistent_memory() -> BoxedStrategy<Vec<(String, String)>> {
    let pools = prop::collection::vec(64u64..2000, 8);
    (pools, prop::collection::vec(any::<bool>(), 16), -1i64..=1, 0u64..1 << 20, any::<bool>())
        .prop_map(|(mb, chosen, off, odd, exact)| {
            let b = |n: u64| (n << 20) + if exact { 0 } else { odd };
            let (heap, off_heap, meta, over) = (b(mb[0]), b(mb[1]), b(mb[2]), b(mb[3].clamp(192, 1000)));
            let (task_heap, managed, network, task_off) = (b(mb[4]), b(mb[5]), b(mb[6]), b(mb[7]));
            let (jm_flink, framework) = (heap + off_heap, 256 << 20);
            let tm_flink = framework + task_heap + managed + network + task_off;
            let near = |n: u64| n.saturating_add_signed(off);
            let all = [
                ("jobmanager.memory.heap.size", heap),
                ("jobmanager.memory.off-heap.size", off_heap),
                ("jobmanager.memory.flink.size", near(jm_flink)),
                ("jobmanager.memory.jvm-metaspace.size", meta),
                ("jobmanager.memory.process.size", near(jm_flink + meta + over)),
                ("taskmanager.memory.task.heap.size", task_heap),
                ("taskmanager.memory.managed.size", managed),
                ("taskmanager.memory.task.off-heap.size", task_off),
                ("taskmanager.memory.flink.size", near(tm_flink)),
                ("taskmanager.memory.jvm-metaspace.size", meta),
                ("taskmanager.memory.process.size", near(tm_flink + meta + over)),
                ("taskmanager.memory.network.min", network),
                ("taskmanager.memory.network.max", network),
                ("taskmanager.memory.jvm-overhead.min", over),
                ("taskmanager.memory.jvm-overhead.max", over),
            ];
            let picked = all.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
            let mut pairs: Vec<_> = picked.map(|((k, v), _)| ((*k).to_owned(), format!("{v}b"))).collect();
            if chosen[15] {
                pairs.push(("taskmanager.network.numberOfBuffers".to_owned(), (network >> 15).to_string()));
            }
            pairs
        })
        .boxed()
}

/// Reads `-D a=b -D c=d` as a map.
fn properties(text: &str) -> BTreeMap<String, String> {
    text.split("-D ")
        .filter_map(|p| p.trim().split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

struct Ours {
    process: u64,
    flink: u64,
    jvm: String,
    properties: BTreeMap<String, String>,
    /// The cores, slots and external resources of a TaskManager.
    worker: Option<(f64, i32, BTreeMap<String, i64>)>,
}

fn our_job_manager(conf: &Configuration, release: Release) -> Result<Ours, MemoryError> {
    let memory = memory::job_manager(conf, release)?;
    Ok(Ours {
        process: memory.process().bytes(),
        flink: memory.flink().bytes(),
        jvm: memory.jvm_args().join(" "),
        properties: memory.dynamic_properties().into_iter().collect(),
        worker: None,
    })
}

fn our_task_manager(conf: &Configuration, release: Release) -> Result<Ours, MemoryError> {
    let memory = memory::task_manager(conf, release)?;
    // The order decides which error is reported, and it is Flink's.
    let cores = memory::task_manager_cores(conf, release, None)?;
    let slots = conf.require(&flink_model::options::TM_SLOTS)?;
    let resources = memory::external_resources(conf)?;
    Ok(Ours {
        process: memory.process().bytes(),
        flink: memory.flink().bytes(),
        jvm: memory.jvm_args().join(" "),
        properties: memory.dynamic_properties().into_iter().collect(),
        worker: Some((cores, slots, resources)),
    })
}

/// Parts of Flink's message for an error of this kind. The message must have one of them.
fn marks(error: &MemoryError) -> &'static [&'static str] {
    match error {
        MemoryError::Value(_) => {
            &["Could not parse value", "Cannot read memory size", "Cannot convert", "For input string"]
        }
        MemoryError::NotConfigured { .. } => &["Either required fine-grained memory"],
        MemoryError::ProcessTooSmall { .. } => &["Sum of configured JVM Metaspace"],
        MemoryError::FlinkExceedsProcess { .. } => &["is less than the sum of the derived"],
        MemoryError::OverheadOutOfRange { .. } => &["Derived JVM Overhead size"],
        MemoryError::InconsistentRange { .. } => &["Inconsistently configured"],
        MemoryError::HeapMismatch { .. } => &["Sum of the configured JVM Heap Memory"],
        MemoryError::HeapExceedsFlink { .. } => &["The configured JVM Heap Memory"],
        MemoryError::OffHeapExceedsFlink { .. } => &["is less than the configured Off-heap Memory"],
        MemoryError::PoolsExceedFlink { .. } => &["Sum of configured Framework Heap Memory"],
        MemoryError::NetworkOutOfRange { .. } => &["is not in configured Network Memory range"],
        MemoryError::NetworkMismatch { .. } => &["does not match configured Network Memory size"],
        MemoryError::SegmentSize(_) => &["segment size", "Cannot downcast"],
        MemoryError::Negative { .. } => &["must not be less than 0", "bytes must be >= 0"],
        MemoryError::Overflow { .. } => &["overflow"],
        MemoryError::Cores { .. } => &["positive number of CPU cores", "NumberFormatException"],
        MemoryError::ExternalResource { .. } => &["external"],
    }
}

fn compare(ours: &Result<Ours, MemoryError>, flink: &Value) -> Result<(), TestCaseError> {
    match (ours, flink.get("error").and_then(Value::as_str)) {
        (Ok(ours), None) => {
            prop_assert_eq!(&ours.jvm, flink["jvm"].as_str().unwrap());
            prop_assert_eq!(ours.process, flink["process"].as_u64().unwrap());
            prop_assert_eq!(ours.flink, flink["flink"].as_u64().unwrap());
            let theirs = properties(flink["properties"].as_str().unwrap());
            for (key, value) in &ours.properties {
                prop_assert_eq!(Some(value), theirs.get(key), "{}", key);
            }
            let memory_keys = theirs.keys().filter(|key| key.contains(".memory.")).count();
            prop_assert_eq!(memory_keys, ours.properties.len());
            if let Some((cores, slots, resources)) = &ours.worker {
                prop_assert_eq!(Some(*cores), theirs["taskmanager.cpu.cores"].parse().ok());
                prop_assert_eq!(Some(*slots), theirs["taskmanager.numberOfTaskSlots"].parse().ok());
                let their_resources = flink["resources"].as_object().unwrap();
                let their_resources =
                    their_resources.iter().map(|(k, v)| (k.clone(), v.as_i64().unwrap())).collect();
                prop_assert_eq!(resources, &their_resources);
            }
        }
        (Err(ours), Some(theirs)) => {
            prop_assert!(marks(ours).iter().any(|m| theirs.contains(m)), "ours: {ours}\nFlink: {theirs}");
        }
        (Ok(_), Some(theirs)) => prop_assert!(false, "only Flink refuses: {}", theirs),
        (Err(ours), None) => prop_assert!(false, "only we refuse: {}", ours),
    }
    Ok(())
}

#[test]
fn memory_is_divided_as_flink_divides_it() {
    each_release(|oracle| {
        let accepted = std::cell::Cell::new(0u32);
        let pairs = prop_oneof![arbitrary_memory(), consistent_memory()];
        run(&pairs, |pairs| {
            let pairs: BTreeMap<_, _> = pairs.into_iter().collect();
            let flink = oracle.ask(&json!({"ask": "memory", "conf": pairs}));
            let conf = configuration(oracle.format(), &pairs);
            let (jm, tm) = (our_job_manager(&conf, oracle.release), our_task_manager(&conf, oracle.release));
            accepted.set(accepted.get() + u32::from(jm.is_ok()) + u32::from(tm.is_ok()));
            compare(&jm, &flink["jm"])?;
            compare(&tm, &flink["tm"])
        });
        println!("  {} processes were accepted", accepted.get());
        assert!(accepted.get() > 0);
    });
}
