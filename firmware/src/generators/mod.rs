//! Synthetic data that an instance and its experiment share.

mod sign_patterns;
mod sparse_linear;

pub use sign_patterns::SignPatterns;
pub use sparse_linear::{SparseLinear, normal_parameters};
