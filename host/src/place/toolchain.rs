//! Builds board images with whatever compiler this machine has for the board: rustup's, or a distribution's with the
//! sources of `core`.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use quern_firmware::Part;

use super::boards::Board;

/// A compiler for boards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Toolchain {
    /// rustup's, with the target installed.
    Rustup,
    /// A distribution's, building `core` from its sources.
    Distribution,
}

/// The root of the project's sources.
pub fn project_root() -> PathBuf {
    env::var_os("QUERN_ROOT").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned(),
        PathBuf::from,
    )
}

/// Where everything for boards is built.
fn target_folder() -> PathBuf {
    project_root().join("target").join("boards")
}

/// Builds the image of `board` that holds this part of the kernels if its sources changed, and returns its path.
///
/// # Errors
/// If no compiler for the board is found (the message says what to install) or the build fails.
pub fn build_image(board: &Board, part: usize) -> Result<PathBuf> {
    // Boards that share a target share its output folder: keep each image under a name of its own, and let nobody,
    // in this process or another, build another one before it is there. It appears whole: an emulator may be reading
    // the old one.
    let folder = target_folder();
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let building = File::create(folder.join("building")).context("cannot make a lock file")?;
    building.lock().context("cannot lock the folder of images")?;
    let part = Part { index: part, count: board.parts };
    let arguments = ["build", "--bin", "board", "--features", board.name];
    let built = cargo(board, part, "quern-firmware", &arguments)?.join("board");
    let name = match part.count {
        1 => format!("{}.elf", board.name),
        count => format!("{}-{}-of-{count}.elf", board.name, part.index),
    };
    let (image, unfinished) =
        (built.with_file_name(&name), built.with_file_name(format!("{name}.unfinished")));
    std::fs::copy(&built, &unfinished)
        .and_then(|_| std::fs::rename(&unfinished, &image))
        .with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(image)
}

/// Builds an example of `firmware/examples` for `board`, and returns its path.
///
/// # Errors
/// As [`build_image`].
pub fn build_example(board: &Board, example: &str) -> Result<PathBuf> {
    let folder = cargo(
        board,
        Part::WHOLE,
        "quern-firmware",
        &["build", "--example", example, "--features", board.name],
    )?;
    Ok(folder.join("examples").join(example))
}

/// Builds the library that exports each endpoint as a symbol, for the target of `board`, and returns its folder.
///
/// # Errors
/// As [`build_image`].
pub fn build_static_library(board: &Board) -> Result<PathBuf> {
    let arguments = ["rustc", "--lib", "--features", "symbols", "--crate-type", "staticlib"];
    cargo(board, Part::WHOLE, "quern-firmware", &arguments)
}

/// Builds the kernels alone for the target of `board`.
///
/// # Errors
/// As [`build_image`].
pub fn build_kernels(board: &Board) -> Result<PathBuf> {
    cargo(board, Part::WHOLE, "quern-kernels", &["build"])
}

/// Runs cargo for a package in release for `board`; returns the folder of what it makes.
fn cargo(board: &Board, part: Part, package: &str, arguments: &[&str]) -> Result<PathBuf> {
    let root = project_root();
    if !root.join("Cargo.toml").is_file() {
        bail!("the sources are not at {}: set QUERN_ROOT to the project's folder", root.display());
    }
    let Board { triple, opt_level, .. } = *board;
    let target_folder = target_folder();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    cargo
        .current_dir(&root)
        .args(arguments)
        .args(["--quiet", "--release", "--package", package, "--target", triple])
        .env("CARGO_TARGET_DIR", &target_folder)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", opt_level)
        .env("QUERN_PART", format!("{}/{}", part.index, part.count))
        // Without this, defmt keeps errors only.
        .env("DEFMT_LOG", "info")
        .env_remove("RUSTFLAGS")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    if choose(triple)? == Toolchain::Distribution {
        let variable = triple.to_uppercase().replace(['-', '.'], "_");
        cargo
            .arg("-Zbuild-std=core")
            .env("RUSTC", DISTRIBUTION_RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env(format!("CARGO_TARGET_{variable}_LINKER"), rust_lld()?)
            .env(format!("CARGO_TARGET_{variable}_RUSTFLAGS"), "-Clinker-flavor=ld.lld");
    }
    let status = cargo.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("cargo {} for {triple} failed", arguments.join(" "));
    }
    Ok(target_folder.join(triple).join("release"))
}

const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";

/// The compiler to use: the one `QUERN_TOOLCHAIN` names, else rustup's where it has the target, else the
/// distribution's.
fn choose(triple: &str) -> Result<Toolchain> {
    let rustup = || has_target("rustc", triple);
    let distribution =
        || sysroot(DISTRIBUTION_RUSTC).is_some_and(|root| root.join("lib/rustlib/src/rust/library").is_dir());
    match env::var("QUERN_TOOLCHAIN").as_deref() {
        Ok("rustup") if rustup() => Ok(Toolchain::Rustup),
        Ok("rustup") => {
            bail!("QUERN_TOOLCHAIN=rustup, but its target is missing: rustup target add {triple}")
        }
        Ok("distribution") if distribution() => Ok(Toolchain::Distribution),
        Ok("distribution") => bail!(
            "QUERN_TOOLCHAIN=distribution, but {DISTRIBUTION_RUSTC} or the sources of its library are missing: \
             on Debian, apt-get install rustc-web rust-web-src"
        ),
        Ok(other) => bail!("QUERN_TOOLCHAIN: expected rustup or distribution, found {other}"),
        Err(_) if rustup() => Ok(Toolchain::Rustup),
        Err(_) if distribution() => Ok(Toolchain::Distribution),
        Err(_) => bail!(
            "no compiler for {triple}: rustup target add {triple}, or on Debian \
             apt-get install rustc-web rust-web-src"
        ),
    }
}

fn sysroot(rustc: &str) -> Option<PathBuf> {
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

fn has_target(rustc: &str, triple: &str) -> bool {
    sysroot(rustc).is_some_and(|root| root.join("lib/rustlib").join(triple).join("lib").is_dir())
}

/// The linker inside rustup's toolchain, or one on the path.
pub fn rust_lld() -> Result<PathBuf> {
    let inside = sysroot("rustc").and_then(|root| {
        let hosts = std::fs::read_dir(root.join("lib/rustlib")).ok()?;
        hosts.filter_map(Result::ok).map(|host| host.path().join("bin/rust-lld")).find(|path| path.is_file())
    });
    let on_path = || {
        env::split_paths(&env::var_os("PATH")?)
            .flat_map(|folder| [folder.join("rust-lld"), folder.join("ld.lld")])
            .find(|path| path.is_file())
    };
    inside.or_else(on_path).context("no linker for boards: neither rust-lld in rustup's toolchain nor ld.lld on the path (Debian: apt-get install lld)")
}
