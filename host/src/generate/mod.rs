//! Small crates with the constants of one problem and a typed `solve`, for boards.

pub mod mpc;
pub mod qp;
pub mod source;

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::place::toolchain::project_root;

/// A file of a generated crate: its path in it, and its text.
pub type File = (&'static str, String);

/// Writes a crate that depends on the kernels alone; its name is that of the folder.
///
/// # Errors
/// If the folder exists and is not empty, its name is no crate's, or it cannot be written.
pub fn write(folder: &Path, description: &str, kernels: Option<&str>, files: &[File]) -> Result<()> {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    ensure!(plain, "{}: a crate's name is lower-case letters, digits, - and _", folder.display());
    let cannot = || format!("cannot write {}", folder.display());
    let taken = folder.exists() && std::fs::read_dir(folder).with_context(cannot)?.next().is_some();
    ensure!(!taken, "{} exists and is not empty", folder.display());
    std::fs::create_dir_all(folder.join("src")).with_context(cannot)?;
    let kernels = match kernels {
        Some(version) => format!("\"{version}\""),
        None => format!("{{ path = {:?} }}", project_root().canonicalize()?.join("kernels")),
    };
    let manifest = format!(
        "[package]\nname = \"{name}\"\ndescription = {description:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         publish = false\n\n[dependencies]\nquern-kernels = {kernels}\n\n[workspace]\n\n[profile.release]\n\
         opt-level = 3\ncodegen-units = 1\npanic = \"abort\"\n"
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).with_context(cannot)?;
    for (path, text) in files {
        std::fs::write(folder.join(path), text).with_context(cannot)?;
    }
    Ok(())
}
