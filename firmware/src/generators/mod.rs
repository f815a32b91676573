//! Synthetic data that an instance and its experiment share.

mod gaussian_clusters;
mod obstacles;
mod sign_patterns;
mod sparse_linear;

pub use gaussian_clusters::GaussianClusters;
pub use obstacles::Obstacles;
pub use sign_patterns::SignPatterns;
pub use sparse_linear::{SparseLinear, normal_parameters};
