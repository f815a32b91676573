//! Gradient methods: one step at a time, on lent state.
//!
//! An [`Optimizer`] turns a gradient into a step: [`Sgd`] with or without momentum, [`Adam`] with or without
//! decoupled weight decay. [`projected_step`] confines any of them to a box; [`stationarity`] certifies how
//! far a point of the box is from a minimum over it. [`mpc`] plans for a linear plant under constraints; [`qp`]
//! solves convex quadratic programs.

mod adam;
pub mod mpc;
mod projected;
pub mod qp;
mod sgd;

pub use adam::{Adam, AdamSettings};
pub use projected::{projected_step, stationarity};
pub use sgd::{Sgd, SgdSettings};

use crate::{Error, Real, check_finite, check_length};

/// A rule that turns gradients into steps, with the state it needs.
pub trait Optimizer<T> {
    /// Moves the parameters one step, given the gradient at them.
    ///
    /// # Errors
    /// [`Error::Dimension`] if a length differs from that of the state; [`Error::NonFinite`] if an argument
    /// is not finite (then nothing has moved), or the state or the moved parameters overflow.
    fn step(&mut self, parameters: &mut [T], gradient: &[T]) -> Result<(), Error>;
}

/// Refuses a gradient of another length, and what is not finite.
fn check_step<T: Real>(parameters: &[T], gradient: &[T]) -> Result<(), Error> {
    check_length("gradient", gradient.len(), parameters.len())?;
    check_finite("parameters", parameters)?;
    check_finite("gradient", gradient)
}

/// Whether a value lies in [0, 1).
fn is_decay<T: Real>(value: T) -> bool {
    value >= T::ZERO && value < T::ONE
}

/// Whether a value is a finite number above zero, or zero where that is allowed.
fn is_size<T: Real>(value: T, zero: bool) -> bool {
    value.is_finite() && (value > T::ZERO || (zero && value == T::ZERO))
}
