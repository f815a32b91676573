//! The contract of the kernels, as far as sources and compilers can tell.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use quern::place::boards::{BOARDS, Target};
use quern::place::toolchain;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines of a source that are code of the library: no comments, and nothing from the unit tests on.
fn code(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().zip(1..).map(|(line, number)| (number, line));
    lines
        .scan(false, |tests, (number, line)| {
            *tests |= line.trim() == "mod tests {";
            (!*tests).then_some((number, line))
        })
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether a file is its module's tests, compiled for them alone.
fn holds_tests(file: &Path) -> bool {
    let module = fs::read_to_string(file.with_file_name("mod.rs")).unwrap_or_default();
    file.ends_with("tests.rs") && module.contains("#[cfg(test)]\nmod tests;")
}

#[test]
fn kernels_neither_allocate_nor_use_std_nor_unsafe() {
    let root = toolchain::project_root().join("kernels/src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "only {} sources under {}", files.len(), root.display());
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !holds_tests(file)) {
        let source = fs::read_to_string(file).expect("a source");
        for (number, line) in code(&source) {
            let test_only =
                line.contains("extern crate std;") && source.contains("#[cfg(test)]\nextern crate std;");
            let offends = ["std::", "alloc::", "extern crate", "unsafe {", "unsafe fn", "static mut"]
                .iter()
                .any(|word| line.contains(word));
            if offends && !test_only {
                found.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    let library = fs::read_to_string(root.join("lib.rs")).expect("lib.rs");
    assert!(library.contains("#![no_std]"));
    let manifest = fs::read_to_string(root.join("../Cargo.toml")).expect("Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

#[test]
fn kernels_build_for_every_emulated_board() -> Result<()> {
    let mut built = 0;
    for board in BOARDS.iter().filter(|board| matches!(board.target, Target::Qemu { .. })) {
        let library = toolchain::build_kernels(board)?.join("libquern_kernels.rlib");
        assert!(library.is_file(), "no {}", library.display());
        built += 1;
    }
    assert_eq!(built, 5);
    Ok(())
}
