//! What tests that cross a crate share; the tests stand in `tests/`.

pub mod command_line;

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
