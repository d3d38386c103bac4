//! Compiles the `.proto` files, without protoc.
#![allow(clippy::print_stdout)] // how a build script talks to cargo

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["service.proto"], ["proto"])?;
    // Tokens hold secrets: `src/proto.rs` gives them a `Debug` that shows none.
    prost_build::Config::new().skip_debug(["hadoop.common.Token"]).compile_fds(descriptors)?;
    Ok(())
}
