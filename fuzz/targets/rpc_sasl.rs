//! SASL: whatever messages, challenges and wrapped pieces a server sends, they are answered or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| hadoop_rpc::fuzzing::dialogue(bytes));
