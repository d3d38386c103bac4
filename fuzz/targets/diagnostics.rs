//! What is made of YARN's diagnostics, of log files and of a JVM's output, and how secrets in them are
//! hidden.
#![no_main]

use flink_model::config::{masked, masked_lines};
use libfuzzer_sys::fuzz_target;
use taskrunner::log_findings::{Scan, is_chatter, is_frame, shortened, telling, thrown};
use taskrunner::tail::last_lines;
use yarn_client::diagnostics::{failure_extract, kind_of_reason, moving_part, waiting_reason};

fuzz_target!(|bytes: &[u8]| {
    let lines = last_lines(bytes, bytes.len() % 2 == 1);
    let mut scan = Scan::default();
    for line in &lines {
        scan.line(line);
        let _ = (is_frame(line), is_chatter(line), shortened(line));
    }
    let _ = (scan.finish(), telling(&lines).count(), thrown(&lines));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = (masked(text), masked_lines(text));
    let _ = (failure_extract(text), waiting_reason(text), kind_of_reason(text), moving_part(text));
});
