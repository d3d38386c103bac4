//! The committed code is what the protobuf compiler makes of the `.proto` files.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

type Outcome = Result<(), Box<dyn Error>>;

/// The directory of a crate of the workspace.
fn home(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn files(directory: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        found.insert(entry.file_name().to_string_lossy().into_owned(), fs::read_to_string(entry.path())?);
    }
    Ok(found)
}

/// Lets `generate` fill an empty directory, and compares it with the crate's `src/generated`, or writes that
/// anew.
fn check(name: &str, generate: impl FnOnce(&Path, &Path) -> Outcome) -> Outcome {
    let (out, committed) = (tempfile::tempdir()?, home(name).join("src/generated"));
    generate(&home(name).join("proto"), out.path())?;
    let made = files(out.path())?;
    if std::env::var_os("HEDDLE_WRITE_GENERATED").is_some() {
        fs::create_dir_all(&committed)?;
        for (file, text) in &made {
            fs::write(committed.join(file), text)?;
        }
    }
    assert!(
        files(&committed)? == made,
        "{name}/src/generated is not what its .proto files say; to write it anew: \
         HEDDLE_WRITE_GENERATED=yes cargo test -p generated-code"
    );
    Ok(())
}

#[test]
fn hadoop_rpc() -> Outcome {
    check("hadoop-rpc", |proto, out| {
        let descriptors = protox::compile(["rpc.proto"], [proto])?;
        prost_build::Config::new().out_dir(out).bytes([".hadoop.rpc.RpcSasl"]).compile_fds(descriptors)?;
        Ok(())
    })
}

#[test]
fn yarn_api() -> Outcome {
    check("yarn-api", |proto, out| {
        let descriptors = protox::compile(["service.proto"], [proto])?;
        // Tokens hold secrets: `src/proto.rs` gives them a `Debug` that shows none.
        let hidden = ["hadoop.common.Token"];
        prost_build::Config::new().out_dir(out).skip_debug(hidden).compile_fds(descriptors)?;
        Ok(())
    })
}

#[test]
fn taskrunner() -> Outcome {
    check("taskrunner", |proto, out| {
        let descriptors = protox::compile(["control.proto"], [proto])?;
        // It holds a proof, which no log needs.
        let hidden = ["heddle.control.v1.Hello"];
        tonic_prost_build::configure().out_dir(out).skip_debug(hidden).compile_fds(descriptors)?;
        Ok(())
    })
}
