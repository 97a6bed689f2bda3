//! Generates the code from the .proto files in `proto/`, with a compiler written in Rust: nobody needs `protoc`.

use std::{env, error::Error};

const FILES: [&str; 2] = ["etcd/api/etcdserverpb/rpc.proto", "grpc/health/v1/health.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let feature = |name: &str| env::var_os(name).is_some();
    tonic_prost_build::configure()
        // Keys and values stay in the buffer that they came in.
        .bytes(".")
        .build_server(feature("CARGO_FEATURE_SERVER"))
        // A server implements what it serves; the rest answers Unimplemented.
        .generate_default_stubs(true)
        .build_client(feature("CARGO_FEATURE_CLIENT"))
        .compile_fds(protox::compile(FILES, ["proto"])?)?;
    Ok(())
}
