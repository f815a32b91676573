//! Files: arrays, matrices, tables. An error names the file, what was expected and what came.

pub mod csv;
pub mod file;
pub mod matrix_market;
pub mod npy;
pub mod npz;
pub mod qps;
pub mod quadratic_program;
