//! Java's keystores: any bytes are read or refused. A JKS file ends with a hash over the password and all of
//! it, so the target appends the right one; otherwise nothing behind the check would be reached.
#![no_main]

use flink_rest::keystore::KeyStore;
use libfuzzer_sys::fuzz_target;
use sha1::{Digest, Sha1};

const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

fuzz_target!(|bytes: &[u8]| {
    let _ = KeyStore::read(bytes, "p", Some("p"));
    let mut file = [&JKS[..], bytes].concat();
    let hash =
        Sha1::new().chain_update(b"\0p").chain_update(b"Mighty Aphrodite").chain_update(&file).finalize();
    file.extend(hash);
    let _ = KeyStore::read(&file, "p", Some("p")).map(|store| store.trust_anchors());
});
