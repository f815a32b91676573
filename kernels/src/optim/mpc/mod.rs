//! Linear model predictive control: a quadratic program over a horizon, solved between two samples.
//!
//! min Σₖ ½(xₖ−x̄ₖ)ᵀQ(xₖ−x̄ₖ) + Σₖ ½(uₖ−ūₖ)ᵀR(uₖ−ūₖ) + ½(x_H−x̄_H)ᵀP(x_H−x̄_H) subject to xₖ₊₁ = Axₖ + Buₖ from a measured
//! x₀, bounds on x₁ … x_H and u₀ … u_{H−1}, and half-spaces, balls and second-order cones ([`Set`]).
//!
//! [`LinearQuadratic`] is the plant with its weights, [`terminal_cost`] the P of the infinite horizon,
//! [`Gains::factor`] what depends on the plant alone and can be computed ahead of time, [`Problem`] all of it
//! with the constraints, and [`Mpc`] the solver: the alternating direction method of multipliers, whose
//! linear systems are solved by a Riccati recursion along the horizon.

mod gains;
mod pass;
mod problem;
mod report;
mod set;
mod slack;
mod solver;

pub use gains::{Gains, Penalties, terminal_cost};
pub use problem::{Bounds, LinearQuadratic, Problem};
pub use report::{MpcReport, MpcSettings, MpcStatus, MpcStep};
pub use set::{Set, Shape, Target};
pub use solver::{Mpc, Reference, mpc_scalars};

use crate::{Error, Real};

/// [`crate::check_finite`], once for all lengths: unrolled for each of them, the checks of a problem would be
/// larger than the solver.
#[inline(never)]
fn check_finite<T: Real>(what: &'static str, values: &[T]) -> Result<(), Error> {
    crate::check_finite(what, values)
}
