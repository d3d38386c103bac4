//! Values of every type, and the memory model over any of them.
#![no_main]

use std::collections::BTreeMap;

use flink_model::cluster_spec::ClusterSpec;
use flink_model::config::{Configuration, FileFormat};
use flink_model::options::{self, Opt};
use flink_model::units::{Duration, MemorySize};
use libfuzzer_sys::fuzz_target;

/// Keys of the memory model, chosen by the first byte of a line.
const KEYS: [&str; 28] = [
    "jobmanager.memory.process.size",
    "jobmanager.memory.flink.size",
    "jobmanager.memory.heap.size",
    "jobmanager.memory.off-heap.size",
    "jobmanager.memory.jvm-metaspace.size",
    "jobmanager.memory.jvm-overhead.min",
    "jobmanager.memory.jvm-overhead.max",
    "jobmanager.memory.jvm-overhead.fraction",
    "jobmanager.heap.size",
    "jobmanager.heap.mb",
    "taskmanager.memory.process.size",
    "taskmanager.memory.flink.size",
    "taskmanager.memory.framework.heap.size",
    "taskmanager.memory.framework.off-heap.size",
    "taskmanager.memory.task.heap.size",
    "taskmanager.memory.task.off-heap.size",
    "taskmanager.memory.managed.size",
    "taskmanager.memory.managed.fraction",
    "taskmanager.memory.network.min",
    "taskmanager.memory.network.max",
    "taskmanager.memory.network.fraction",
    "taskmanager.memory.jvm-metaspace.size",
    "taskmanager.memory.jvm-overhead.fraction",
    "taskmanager.memory.segment-size",
    "taskmanager.network.numberOfBuffers",
    "taskmanager.numberOfTaskSlots",
    "taskmanager.cpu.cores",
    "yarn.containers.vcores",
];

fn read_as_everything(text: &str, format: FileFormat) {
    let mut conf = Configuration::new(format);
    conf.set_dynamic("k", text);
    let _ = conf.get(&Opt::<bool>::new("k", &[], None));
    let _ = conf.get(&Opt::<i32>::new("k", &[], None));
    let _ = conf.get(&Opt::<i64>::new("k", &[], None));
    let _ = conf.get(&Opt::<f32>::new("k", &[], None));
    let _ = conf.get(&Opt::<f64>::new("k", &[], None));
    let _ = conf.get(&Opt::<Vec<String>>::new("k", &[], None));
    let _ = conf.get(&Opt::<BTreeMap<String, String>>::new("k", &[], None));
    if let Ok(Some(duration)) = conf.get(&Opt::<Duration>::new("k", &[], None)) {
        let _ = duration.as_millis();
    }
    if let Ok(Some(size)) = conf.get(&Opt::<MemorySize>::new("k", &[], None)) {
        // What we print reads back.
        assert_eq!(MemorySize::parse(&format!("{}b", size.bytes())).ok(), Some(size));
    }
}

fuzz_target!(|text: &str| {
    let mut conf = Configuration::new(FileFormat::Standard);
    for line in text.lines() {
        read_as_everything(line, FileFormat::Legacy);
        read_as_everything(line, FileFormat::Standard);
        let mut chars = line.chars();
        if let Some(key) = chars.next().and_then(|c| KEYS.get(c as usize % 32)) {
            conf.set_dynamic(*key, chars.as_str());
        }
    }
    let _ = options::check_keys(&conf);
    for release in ["1.13.6", "1.20.5", "2.3.0"] {
        let Ok(release) = release.parse() else { continue };
        let _ = ClusterSpec::from(&conf, release);
    }
});
