//! `flink-conf.yaml`: any text is read or refused; what was read is written such that it reads back the same,
//! and the memory model takes it or refuses it.
#![no_main]

#[path = "shared/round_trip.rs"]
mod round_trip;

use flink_model::config::{ConfigFiles, SourceFile};
use libfuzzer_sys::fuzz_target;

fn files(text: &str) -> ConfigFiles<'_> {
    ConfigFiles { legacy: Some(SourceFile { path: "flink-conf.yaml", text }), standard: None }
}

fuzz_target!(|text: &str| round_trip::check("1.18.1", text, files));
