//! Synthetic data and models that boards and their experiments share.

mod attention_sequences;
mod equality_programs;
mod gaussian_clusters;
mod obstacles;
/// TinyMPC's example of a hovering quadrotor, linear, at 20 Hz (MIT licence): what its figures are measured on.
#[rustfmt::skip]
pub mod quadrotor_20hz;
mod relu_teacher;
mod sign_patterns;
mod smooth_maximum;
mod sparse_linear;

pub use attention_sequences::unit_vectors;
pub use equality_programs::{TEST_PROGRAMS, TestProgram};
pub use gaussian_clusters::GaussianClusters;
pub use obstacles::Obstacles;
pub use relu_teacher::ReluTeacher;
pub use sign_patterns::SignPatterns;
pub use smooth_maximum::{centred_uniform, smooth_maximum};
pub use sparse_linear::{SparseLinear, normal_parameters};
