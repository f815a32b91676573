//! Synthetic data and models that boards and their experiments share.

mod gaussian_clusters;
mod obstacles;
/// TinyMPC's example of a hovering quadrotor, linear, at 20 Hz (MIT licence): what its figures are measured on.
#[rustfmt::skip]
pub mod quadrotor_20hz;
mod relu_teacher;
mod sign_patterns;
mod sparse_linear;

pub use gaussian_clusters::GaussianClusters;
pub use obstacles::Obstacles;
pub use relu_teacher::ReluTeacher;
pub use sign_patterns::SignPatterns;
pub use sparse_linear::{SparseLinear, normal_parameters};
