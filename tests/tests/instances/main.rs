//! The board-sized instances, run in this process, against the ranges their specifications give.

mod deep_conjugate_directions;
mod hessian_spectrum;
mod quantization_constraints;
mod sgd_dynamical_stability;
mod sparse_ot;

/// What a board lends.
const MEMORY_BYTES: usize = 40_000;
