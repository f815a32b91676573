//! Convex quadratic programs on the host: the data, the order of elimination, and the solve.

pub mod optimality;
mod order;
mod pattern;
mod program;
mod solve;

pub use order::minimum_degree;
pub use pattern::Pattern;
pub use program::{Program, Sparse};
pub use solve::{Method, Outcome, Prepared, solve};
