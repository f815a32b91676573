//! Synthetic data that an instance and its experiment share.

mod sign_patterns;

pub use sign_patterns::SignPatterns;
