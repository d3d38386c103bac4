//! Compiles `proto/rpc.proto` without an installed protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["rpc.proto"], ["proto"])?;
    prost_build::Config::new().bytes([".hadoop.rpc.RpcSasl"]).compile_fds(descriptors)?;
    Ok(())
}
