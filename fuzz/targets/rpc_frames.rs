//! Hadoop RPC: whatever a server sends behind the handshake, plain or wrapped, is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else { return };
    RUNTIME.with(|runtime| runtime.block_on(hadoop_rpc::fuzzing::answers(rest, kind % 2 == 1)));
});
