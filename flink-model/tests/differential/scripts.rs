//! Compares the JVM options with those that Flink's own start scripts compute (`BashJavaUtils`), for selected
//! configurations.
//!
//! The keys of before 1.10 are left out: for a standalone cluster they set the heap or Flink's memory, but on
//! YARN the process size.

use flink_model::config::{ConfigFiles, FileFormat, SourceFile, load_files};
use flink_model::memory;
use serde_json::json;

use crate::oracle::{Oracle, each_release};

/// A configuration as a user would write it. The lines `key: value` are valid in both file formats.
struct Case {
    name: &'static str,
    file: &'static [&'static str],
    dynamic: &'static [(&'static str, &'static str)],
}

const PROCESS: &[&str] = &["jobmanager.memory.process.size: 1600m", "taskmanager.memory.process.size: 1728m"];

const CASES: [Case; 12] = [
    Case { name: "as it comes", file: PROCESS, dynamic: &[] },
    Case {
        name: "Flink's size",
        file: &["jobmanager.memory.flink.size: 1g", "taskmanager.memory.flink.size: 1280m"],
        dynamic: &[],
    },
    Case {
        name: "each pool",
        file: &[
            "jobmanager.memory.heap.size: 900m",
            "jobmanager.memory.off-heap.size: 200m",
            "taskmanager.memory.task.heap.size: 1g",
            "taskmanager.memory.managed.size: 512m",
            "taskmanager.memory.task.off-heap.size: 100m",
        ],
        dynamic: &[],
    },
    Case {
        name: "large, with limits that bite",
        file: &["jobmanager.memory.process.size: 16g", "taskmanager.memory.process.size: 64g"],
        dynamic: &[],
    },
    Case {
        name: "no managed memory, much metaspace",
        file: PROCESS,
        dynamic: &[
            ("taskmanager.memory.managed.size", "0"),
            ("taskmanager.memory.jvm-metaspace.size", "512m"),
            ("taskmanager.memory.process.size", "4096 mb"),
        ],
    },
    Case {
        name: "fractions",
        file: PROCESS,
        dynamic: &[
            ("taskmanager.memory.managed.fraction", "0.1"),
            ("taskmanager.memory.network.fraction", "0.25"),
            ("taskmanager.memory.jvm-overhead.fraction", "0.2"),
            ("jobmanager.memory.jvm-overhead.fraction", "0.3"),
        ],
    },
    Case {
        name: "direct memory of the JobManager is limited",
        file: PROCESS,
        dynamic: &[("jobmanager.memory.enable-jvm-direct-memory-limit", "true")],
    },
    Case {
        name: "odd bytes",
        file: &[
            "jobmanager.memory.process.size: 1677721601b",
            "taskmanager.memory.process.size: 1811939329 bytes",
        ],
        dynamic: &[],
    },
    Case {
        name: "a number of network buffers",
        file: PROCESS,
        dynamic: &[("taskmanager.network.numberOfBuffers", "4096")],
    },
    Case {
        name: "slots, cores and resources",
        file: PROCESS,
        dynamic: &[
            ("taskmanager.numberOfTaskSlots", "3"),
            ("taskmanager.cpu.cores", "1.5"),
            ("external-resources", "gpu;fpga"),
            ("external-resource.gpu.amount", "2"),
            ("external-resource.fpga.amount", "1"),
        ],
    },
    Case {
        name: "too small",
        file: &["jobmanager.memory.process.size: 300m", "taskmanager.memory.process.size: 400m"],
        dynamic: &[],
    },
    Case { name: "nothing set", file: &["parallelism.default: 1"], dynamic: &[] },
];

/// What Flink's scripts pass to the JVM: its options, and the dynamic properties. It is `None` if Flink
/// refuses the configuration.
fn theirs(oracle: &Oracle, command: &str, case: &Case, text: &str) -> Option<(String, String)> {
    let dir = oracle.write_conf(&[(oracle.format().file_name(), text)]);
    let mut arguments = vec![command.to_owned(), "--configDir".to_owned(), dir.display().to_string()];
    arguments.extend(case.dynamic.iter().map(|(key, value)| format!("-D{key}={value}")));
    let answer = oracle.ask(&json!({"ask": "scripts", "arguments": arguments}));
    let lines: Vec<_> =
        answer.get("lines")?.as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    let [jvm, properties] = lines[..] else { panic!("{}: {answer}", case.name) };
    Some((jvm.to_owned(), properties.to_owned()))
}

#[test]
fn start_scripts_pass_the_same() {
    each_release(|oracle| {
        for case in &CASES {
            let text = case.file.join("\n") + "\n";
            let file = Some(SourceFile { path: oracle.format().file_name(), text: &text });
            let files = match oracle.format() {
                FileFormat::Legacy => ConfigFiles { legacy: file, standard: None },
                FileFormat::Standard => ConfigFiles { legacy: None, standard: file },
            };
            let mut conf = load_files(oracle.release, &files).unwrap().configuration;
            for (key, value) in case.dynamic {
                conf.set_dynamic(*key, *value);
            }
            let jm = memory::job_manager(&conf, oracle.release).ok();
            let tm = memory::task_manager(&conf, oracle.release).ok();
            let ours = [
                ("GET_JM_RESOURCE_PARAMS", jm.map(|m| (m.jvm_args(), m.dynamic_properties()))),
                ("GET_TM_RESOURCE_PARAMS", tm.map(|m| (m.jvm_args(), m.dynamic_properties()))),
            ];
            for (command, ours) in ours {
                let named = format!("Flink {}, {}, {command}", oracle.release, case.name);
                match (ours, theirs(oracle, command, case, &text)) {
                    (None, None) => {}
                    (Some((jvm, properties)), Some((their_jvm, their_properties))) => {
                        assert_eq!(jvm.join(" "), their_jvm, "{named}");
                        for (key, value) in properties {
                            let word = format!("-D {key}={value}");
                            assert!(
                                their_properties.contains(&word),
                                "{named}: {word} in {their_properties}"
                            );
                        }
                    }
                    (ours, theirs) => panic!("{named}: ours {ours:?}, Flink {theirs:?}"),
                }
            }
        }
    });
}
