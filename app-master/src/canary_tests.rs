//! Every file that heddle-am writes in its container, with a link of its name to a canary in the
//! NodeManager's cache.

use std::fs;
use std::os::unix::fs::symlink;

use flink_model::container::WRITTEN;
use flink_model::spec::INLINE_FILE_PREFIX;
use hadoop_rpc::Credentials;

use crate::environment::write_inline_files;

#[test]
fn files_that_come_with_the_credentials() {
    let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let canary = cache.path().join("canary");
    fs::write(&canary, "sings").unwrap();
    for name in WRITTEN {
        symlink(&canary, dir.path().join(name)).unwrap();
        let secrets = [(format!("{INLINE_FILE_PREFIX}{name}"), b"ours".to_vec())].into();
        let credentials = Credentials { secrets, ..Credentials::default() };
        let error = write_inline_files(&credentials, dir.path()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("a link to "), "{error}");
        assert_eq!(fs::read(&canary).unwrap(), b"sings", "{name}");
    }
}
