//! The lines of the bridge in the JobManager's JVM: any line is read or refused.
#![no_main]

use app_master::bridge::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for line in text.lines() {
        match decode(line) {
            Ok(message) => drop(format!("{message:?}")),
            Err(error) => drop(error.to_string()),
        }
    }
});
