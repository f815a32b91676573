//! Synthetic data that an instance and its experiment share.

mod gaussian_clusters;
mod sign_patterns;

pub use gaussian_clusters::GaussianClusters;
pub use sign_patterns::SignPatterns;
