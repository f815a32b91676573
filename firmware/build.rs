//! Hands the linker the memory map of the board the image is built for.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/board");
    let boards = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("src/board");
    let output = PathBuf::from(env::var("OUT_DIR")?);
    let mut chosen = Vec::new();
    for entry in fs::read_dir(&boards)? {
        let path = entry?.path();
        let Some(name) =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".memory.x"))
        else {
            continue;
        };
        if env::var(format!("CARGO_FEATURE_{}", name.to_uppercase())).is_ok() {
            fs::copy(&path, output.join("memory.x"))?;
            chosen.push(name.to_owned());
        }
    }
    match chosen.as_slice() {
        [] => {}
        [_] => {
            println!("cargo:rustc-link-search={}", output.display());
            // cortex-m-rt's script includes the memory map, riscv-rt's expects it beforehand.
            let memory = (env::var("CARGO_CFG_TARGET_ARCH")? == "riscv32").then_some("-Tmemory.x");
            for argument in memory.into_iter().chain(["-Tlink.x", "-Tdefmt.x", "--nmagic"]) {
                println!("cargo:rustc-link-arg-bins={argument}");
                println!("cargo:rustc-link-arg-examples={argument}");
            }
        }
        _ => {
            return Err(
                format!("an image is for one board, but these are chosen: {}", chosen.join(", ")).into()
            );
        }
    }
    Ok(())
}
