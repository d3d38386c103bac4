//! `config.yaml`: as `flink_conf`, for YAML.
#![no_main]

#[path = "shared/round_trip.rs"]
mod round_trip;

use flink_model::config::{ConfigFiles, SourceFile};
use libfuzzer_sys::fuzz_target;

fn files(text: &str) -> ConfigFiles<'_> {
    ConfigFiles { legacy: None, standard: Some(SourceFile { path: "config.yaml", text }) }
}

fuzz_target!(|text: &str| round_trip::check("2.3.0", text, files));
