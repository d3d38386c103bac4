//! Credentials files of both formats: any bytes are read or refused, and what was read is written such that
//! it reads back the same.
#![no_main]

use hadoop_rpc::{Credentials, TokenFormat};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(credentials) = Credentials::from_bytes(bytes) else { return };
    for format in [TokenFormat::Writable, TokenFormat::Protobuf] {
        let again = Credentials::from_bytes(&credentials.to_bytes(format)).expect("what was written is read");
        assert!(again == credentials, "{format:?}");
    }
});
