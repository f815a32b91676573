//! Gradient methods: one step at a time, on lent state.
//!
//! An [`Optimizer`] turns a gradient into a step: [`Sgd`] with or without momentum, [`Adam`] with or without
//! decoupled weight decay. [`projected_step`] confines any of them to a box; [`stationarity`] certifies how
//! far a point of the box is from a minimum over it. [`proximal_step`] adds λ‖w‖₁ to what is minimized.
//! [`normalized_step`] has a fixed length. [`clip_norm`] and [`clip_values`] shorten a gradient before the step; learning
//! rates over time stand in [`schedule`](crate::schedule). [`line_search`] finds step lengths along a direction of
//! descent; [`descent`] minimizes smooth functions, with Hessians where they have them; [`composite`] a sum of two convex
//! functions, by ADMM, FISTA or PDHG; [`quasi_newton`] finds directions for many smooth variables. [`mpc`] plans for a
//! linear plant under constraints; [`qp`] solves convex quadratic programs, [`sqp`] smooth problems under equality constraints.

mod adam;
mod clip;
pub mod composite;
pub mod descent;
pub mod line_search;
pub mod mpc;
mod normalized;
mod projected;
mod proximal;
pub mod qp;
pub mod quasi_newton;
mod sgd;
pub mod sqp;

pub use adam::{Adam, AdamSettings};
pub use clip::{clip_norm, clip_values};
pub use normalized::normalized_step;
pub use projected::{projected_step, stationarity};
pub use proximal::proximal_step;
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

    /// η of the next step.
    fn learning_rate(&self) -> T;

    /// Goes on with another learning rate.
    ///
    /// # Errors
    /// [`Error::Setting`]; then the old one stays.
    fn set_learning_rate(&mut self, learning_rate: T) -> Result<(), Error>;

    /// Takes a gradient into the metric of the steps: gⱼ ← √dⱼ·gⱼ where a step is −ηD times an average of gradients,
    /// D diagonal. What is known of descent by −ηg in terms of gradients then holds of these steps, as far as D is
    /// constant. Nothing changes where D = I.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the length differs from that of the state.
    fn to_step_metric(&self, _gradient: &mut [T]) -> Result<(), Error> {
        Ok(())
    }
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
