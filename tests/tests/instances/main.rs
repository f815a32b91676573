//! The board-sized instances, run in this process, against the ranges their specifications give.

mod convex_relu;
mod deep_conjugate_directions;
mod gradient_normalized_smoothness;
mod hessian_spectrum;
mod quantization_constraints;
mod sgd_dynamical_stability;
mod sketched_sqp;
mod sparse_ot;
mod transformers_as_svm;

/// What a board lends.
const MEMORY_BYTES: usize = 40_000;
