//! A directory for the files that a target reads.

use std::cell::RefCell;
use std::path::Path;

thread_local! {
    // In memory where the system has such a place.
    static DIRECTORY: RefCell<tempfile::TempDir> = RefCell::new(
        tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary directory"),
    );
}

/// Writes a file of this name, and hands its directory and its path to `read`.
pub fn with_file(name: &str, bytes: &[u8], read: impl FnOnce(&Path, &Path)) {
    DIRECTORY.with_borrow(|directory| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("a file can be written");
        read(directory.path(), &path);
    });
}
