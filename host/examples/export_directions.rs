//! Trains the network of the board's instance of `deep-conjugate-directions` and writes its parameters where the
//! firmware includes them from.

use anyhow::{Context, Result};
use quern::experiments::{Progress, deep_conjugate_directions};
use quern::place::toolchain;

fn main() -> Result<()> {
    let progress = Progress::new(|update| eprint!("\r{} of {} epochs", update.done, update.expected));
    let parameters = deep_conjugate_directions::instance_parameters(&progress)?;
    eprintln!();
    let bytes: Vec<u8> = parameters.iter().flat_map(|parameter| parameter.to_le_bytes()).collect();
    let path = toolchain::project_root().join("firmware/src/instances/deep_conjugate_directions.f32");
    std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{} parameters in {}", parameters.len(), path.display());
    Ok(())
}
