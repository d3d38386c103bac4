//! The properties file, which any program may have written: it is read or refused.
#![no_main]

#[path = "shared/directory.rs"]
mod directory;

use libfuzzer_sys::fuzz_target;
use yarn_client::properties;

fuzz_target!(|bytes: &[u8]| {
    directory::with_file("properties", bytes, |_, path| {
        let _ = properties::read(path);
    });
});
