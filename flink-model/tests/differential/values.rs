//! Compares how a text is read as a value of a type.

use std::collections::BTreeMap;

use flink_model::config::{FileFormat, FromValue};
use flink_model::options::Opt;
use flink_model::units::{Duration, MemorySize};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::oracle::{configuration, each_release, run};

fn typed<T: FromValue>(format: FileFormat, value: &str, show: impl Fn(T) -> Value) -> Option<Value> {
    let pairs = BTreeMap::from([("k".to_owned(), value.to_owned())]);
    configuration(format, &pairs).get(&Opt::<T>::new("k", &[], None)).ok().flatten().map(show)
}

#[test]
fn values_are_read_as_flink_reads_them() {
    let texts = prop_oneof![
        4 => "[0-9]{1,4} ?[a-zA-Zµ]{0,3}",
        1 => "[-+]?[0-9]{0,20}",
        2 => "[-+]?[0-9]{0,5}[.]?[0-9]{0,5}([eE][-+]?[0-9]{1,2})?[fdFD]?",
        4 => "[ab;:,'\" ]{0,12}",
        3 => "[\\[{]?([ab0-9'\"] ?[,:;] ?){0,4}[ab0-9]?[\\]}]?",
        1 => "(true|FALSE|True|yes|on|1)",
        1 => "[^\u{0}-\u{1f}\u{7f}-\u{9f}]{0,8}",
    ];
    let types = prop::sample::select(vec![
        "memory", "duration", "int", "long", "boolean", "float", "double", "list", "map",
    ]);
    each_release(|oracle| {
        run(&(types.clone(), texts.clone()), |(kind, text)| {
            let flink = oracle.ask(&json!({"ask": "typed", "type": kind, "value": text}));
            let format = oracle.format();
            let ours = match kind {
                "memory" => typed(format, &text, |v: MemorySize| json!(v.bytes())),
                "duration" => typed(format, &text, |v: Duration| json!(v.as_millis())),
                "int" => typed(format, &text, |v: i32| json!(v)),
                "long" => typed(format, &text, |v: i64| json!(v)),
                "boolean" => typed(format, &text, |v: bool| json!(v)),
                "float" => typed(format, &text, |v: f32| json!(v.to_string())),
                "double" => typed(format, &text, |v: f64| json!(v.to_string())),
                "list" => typed(format, &text, |v: Vec<String>| json!(v)),
                _ => typed(format, &text, |v: BTreeMap<String, String>| json!(v)),
            };
            let theirs = flink.get("value").cloned().map(|value| match (kind, value.as_str()) {
                ("float", Some(text)) => json!(text.parse::<f32>().unwrap().to_string()),
                ("double", Some(text)) => json!(text.parse::<f64>().unwrap().to_string()),
                ("map", _) => json!(serde_json::from_value::<BTreeMap<String, String>>(value).unwrap()),
                _ => value,
            });
            // Flink reads a lone `m` as minutes since 1.15.
            let minutes = kind == "duration" && text.to_lowercase().trim_end().ends_with('m');
            prop_assume!(!(minutes && (oracle.release.major, oracle.release.minor) < (1, 15)));
            prop_assert_eq!(ours, theirs, "{} {:?}: {}", kind, text, flink);
            Ok(())
        });
    });
}
