//! Compiles the contracts under `proto/` without protoc.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from("../../proto");
    let files = [
        "meydan/identity/v1/contact.proto",
        "meydan/identity/v1/passkey.proto",
        "meydan/identity/v1/identity.proto",
        "meydan/identity/v1/oversight.proto",
        "meydan/identity/v1/record.proto",
        "meydan/crm/v1/crm.proto",
        "meydan/bot_hub/v1/bot_hub.proto",
        "meydan/audit/v1/audit.proto",
    ];
    println!("cargo:rerun-if-changed={}", root.display());
    let descriptors = protox::compile(files, [&root])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("meydan.bin"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
