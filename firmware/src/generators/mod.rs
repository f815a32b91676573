//! Synthetic data that an instance and its experiment share.

mod obstacles;
mod sign_patterns;

pub use obstacles::Obstacles;
pub use sign_patterns::SignPatterns;
