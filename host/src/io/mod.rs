//! Files: arrays, matrices, tables. An error names the file, what was expected and what came.

pub mod matrix_market;
