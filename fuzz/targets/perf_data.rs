//! The file in which a JVM keeps its counters, which another program writes while it is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taskrunner::perf_data::parts;

fuzz_target!(|bytes: &[u8]| {
    let _ = parts(bytes);
});
