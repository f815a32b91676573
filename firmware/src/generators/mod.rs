//! Synthetic data and models that boards and their experiments share.

#[rustfmt::skip]
pub mod quadrotor_20hz;
mod sign_patterns;

pub use sign_patterns::SignPatterns;
