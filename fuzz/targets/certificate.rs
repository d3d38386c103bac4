//! Certificates that servers show: any bytes are read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| flink_rest::fuzzing::certificate(bytes));
