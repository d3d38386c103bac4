//! The properties file, which any program may have written: it is read or refused.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use yarn_client::properties;

thread_local! {
    static DIR: RefCell<tempfile::TempDir> = RefCell::new(
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary directory"),
    );
}

fuzz_target!(|bytes: &[u8]| {
    DIR.with_borrow(|dir| {
        let path = dir.path().join("properties");
        std::fs::write(&path, bytes).expect("a file can be written");
        let _ = properties::read(&path);
    });
});
