//! What tests that cross a crate share; the tests stand in `tests/`.

pub mod command_line;

/// Whether a kernel's answers are longer than the smallest board can hold: the quadrotor answers with its memory.
pub fn outgrows_the_smallest_board(kernel: &str) -> bool {
    kernel == "mpc/quadrotor"
}

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
