//! What tests that cross a crate share; the tests stand in `tests/`.

pub mod command_line;
