use std::collections::BTreeMap;
use std::ffi::OsString;

use flink_model::config::{Configuration, FileFormat};
use proptest::prelude::*;
use yarn_client::run::ClientWords;

use crate::options::{RunOptions, Verb};
use crate::parse::{Persona, Request, definition, parse_verb};
use crate::program;
use crate::settings::Settings;

/// Options with a value: their names, and the key that they set.
const VALUED: [(&str, &str); 12] = [
    ("-yjm", "jobmanager.memory.process.size"),
    ("-ytm", "taskmanager.memory.process.size"),
    ("-ys", "taskmanager.numberOfTaskSlots"),
    ("-ynm", "yarn.application.name"),
    ("-yqu", "yarn.application.queue"),
    ("-z", "high-availability.cluster-id"),
    ("-yz", "high-availability.cluster-id"),
    ("-p", "parallelism.default"),
    ("-s", "execution.state-recovery.path"),
    ("-yid", "yarn.application.id"),
    ("-C", "pipeline.classpaths"),
    ("-yt", "yarn.ship-files"),
];
/// Options without a value, with the key and the value that they stand for.
const FLAGS: [(&str, &str, &str); 4] = [
    ("-d", "execution.attached", "false"),
    ("-yd", "execution.attached", "false"),
    ("-sae", "execution.shutdown-on-attached-exit", "true"),
    ("-n", "execution.state-recovery.ignore-unclaimed-state", "true"),
];

/// One option of a command line: its words, its identity, the key and the value.
#[derive(Debug, Clone)]
struct Given {
    words: Vec<String>,
    id: String,
    key: &'static str,
    value: String,
}

/// The value that an option or a property with this number could have.
fn value(key: &str, number: usize) -> String {
    match key {
        "jobmanager.memory.process.size" | "taskmanager.memory.process.size" => {
            format!("{} mb", 1025 + number)
        }
        "taskmanager.numberOfTaskSlots" | "parallelism.default" => (number + 1).to_string(),
        "pipeline.classpaths" => format!("file:///c{number}.jar"),
        _ if FLAGS.iter().any(|flag| flag.1 == key) => number.is_multiple_of(2).to_string(),
        _ => format!("v{number}"),
    }
}

fn given() -> impl Strategy<Value = Given> {
    let property = |spelling: &'static str| {
        let keys: Vec<&str> = VALUED.iter().map(|v| v.1).chain(FLAGS.iter().map(|f| f.1)).collect();
        (proptest::sample::select(keys), 0..8usize).prop_map(move |(key, number)| {
            let value = value(key, number);
            Given { words: vec![format!("{spelling}{key}={value}")], id: format!("D {key}"), key, value }
        })
    };
    let valued = (proptest::sample::select(VALUED.to_vec()), 0..8usize).prop_map(|((name, key), number)| {
        let value = value(key, number);
        Given { words: vec![name.to_owned(), value.clone()], id: name.to_owned(), key, value }
    });
    let flag = proptest::sample::select(FLAGS.to_vec()).prop_map(|(name, key, value)| Given {
        words: vec![name.to_owned()],
        id: name.to_owned(),
        key,
        value: value.to_owned(),
    });
    prop_oneof![property("-D"), property("-yD"), valued, flag]
}

/// What a user expects: the last option counts; of the same option given twice, the first; and the values of
/// an option that may be repeated are joined.
fn expected(line: &[Given]) -> BTreeMap<&'static str, String> {
    let mut wanted: BTreeMap<&str, String> = BTreeMap::from([("execution.attached", "true".to_owned())]);
    let repeated = |id: &str| matches!(id, "-C" | "-yt");
    let counts: Vec<&Given> = line
        .iter()
        .enumerate()
        .filter(|(at, one)| {
            let again = line[..*at].iter().any(|before| before.id == one.id);
            !again || repeated(&one.id) || one.id.starts_with("D ")
        })
        .map(|(_, one)| one)
        .collect();
    for one in &counts {
        let all: Vec<&str> =
            counts.iter().filter(|other| other.id == one.id).map(|other| other.value.as_str()).collect();
        let value = if repeated(&one.id) { all.join(";") } else { one.value.clone() };
        wanted.insert(one.key, value);
    }
    wanted
}

fn parsed(line: &[Given]) -> (Box<RunOptions>, ClientWords) {
    let words = line
        .iter()
        .flat_map(|one| one.words.iter())
        .chain([&"j.jar".to_owned()])
        .map(OsString::from)
        .collect::<Vec<_>>();
    match parse_verb(Persona::Flink, &mut definition(), "run", &words) {
        Ok(Request::Run(invocation)) => match invocation.verb {
            Verb::Run(options) => (Box::new(options), invocation.client_words),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// What the plan and the containers get.
fn planned(options: &RunOptions) -> Configuration {
    let mut configuration = Configuration::new(FileFormat::Standard);
    Settings::of_verb(&options.cluster, Some(&options.yarn)).unwrap().apply(&mut configuration);
    program::execution(options, "1.20.1".parse().unwrap(), &mut configuration).unwrap();
    configuration
}

/// The configuration that `main()` sees. Flink's client makes it from the last `-D` of each key, and then
/// from its own options and their defaults.
fn seen_by_main(words: &ClientWords) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    let words: Vec<&str> = words.options.iter().map(|word| word.to_str().unwrap()).collect();
    for (key, value) in words.iter().filter_map(|word| word.strip_prefix("-D")?.split_once('=')) {
        seen.insert(key.to_owned(), value.to_owned());
    }
    let all = |name: &str| -> Vec<&str> {
        words.iter().filter_map(|word| word.strip_prefix(name)?.strip_prefix('=')).collect()
    };
    let mut set = |key: &str, value: String| seen.insert(key.to_owned(), value);
    set("execution.attached", (!words.contains(&"--detached")).to_string());
    set("execution.shutdown-on-attached-exit", words.contains(&"--shutdownOnAttachedExit").to_string());
    set("pipeline.classpaths", all("--classpath").join(";"));
    let unclaimed = words.contains(&"--allowNonRestoredState").to_string();
    set("execution.state-recovery.ignore-unclaimed-state", unclaimed);
    for (option, key) in
        [("--parallelism", "parallelism.default"), ("--fromSavepoint", "execution.state-recovery.path")]
    {
        // Flink's client would ignore a second one.
        assert!(all(option).len() < 2, "{words:?}");
        if let Some(value) = all(option).first() {
            set(key, (*value).to_owned());
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn one_order_for_all(line in proptest::collection::vec(given(), 0..7)) {
        let (options, words) = parsed(&line);
        let (plan, main) = (planned(&options), seen_by_main(&words));
        for (key, value) in expected(&line) {
            prop_assert_eq!(plan.text(key), Some(value.clone()), "{} in the plan", key);
            prop_assert_eq!(main.get(key), Some(&value), "{} in main()", key);
        }
    }
}
