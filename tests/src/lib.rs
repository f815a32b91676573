//! Tests that cross a crate; see `tests/`.
