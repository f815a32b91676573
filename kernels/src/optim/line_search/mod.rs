//! Step lengths along a direction of descent: φ(t) = f(x(t)), x(0) = x, φ′(0) < 0.
//!
//! A search is a small state machine. The caller evaluates f at
//! [`step_length`](StrongWolfe::step_length), hands the figures to `step`, and goes on while the answer is
//! [`Step::Evaluate`]; so an evaluation may take a control tick, or come from anywhere.
//!
//! - [`StrongWolfe`]: wants φ and φ′; the step leaves a positive curvature sᵀy, as quasi-Newton methods need.
//! - [`Armijo`]: wants φ only; backtracks from the first trial. For Newton steps, whose first trial is mostly
//!   taken, for paths that bend (projections), and where derivatives are dear.
//!
//! Both treat NaN and infinity as a step too long. Near a minimum φ(t) − φ(0) drowns in the rounding of φ
//! (√u of the scale of x from it, 3·10⁻⁴ for `f32`) long before φ′ does: both then judge by φ′. Source of
//! that: W. W. Hager, H. Zhang, A New Conjugate Gradient Method with Guaranteed Descent and an Efficient Line
//! Search, SIAM J. Optim. 16 (2005), section 4, the approximate Wolfe conditions, equation (4.1).

mod armijo;
mod strong_wolfe;

pub use armijo::{Armijo, ArmijoSettings};
pub use strong_wolfe::{StrongWolfe, StrongWolfeSettings};

use crate::{Error, Real, check_finite};

/// What a search wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// An evaluation at the step length it names now.
    Evaluate,
    /// Nothing: the step length just evaluated is taken.
    Accepted,
    /// Nothing: no step length was found within the budget, or before rounding closed the interval.
    Failed,
}

/// Refuses a start from which a search has nowhere to go.
fn check_start<T: Real>(value: T, slope: T, step_length: T) -> Result<(), Error> {
    check_finite("value", &[value])?;
    check_finite("slope", &[slope])?;
    if slope >= T::ZERO {
        return Err(Error::Breakdown { what: "the descent along the direction", index: 0 });
    }
    if !(step_length > T::ZERO && step_length.is_finite()) {
        return Err(Error::Setting { name: "step_length", expected: "a positive finite number" });
    }
    Ok(())
}

/// Refuses what lies outside of (0, ½), where both kinds of acceptance agree on a parabola, and a rounding
/// that hides everything.
fn check_settings<T: Real>(
    sufficient_decrease: T,
    relative_rounding: T,
    max_evaluations: usize,
) -> Result<(), Error> {
    if !(sufficient_decrease > T::ZERO && sufficient_decrease + sufficient_decrease < T::ONE) {
        return Err(Error::Setting { name: "sufficient_decrease", expected: "a number between 0 and 1/2" });
    }
    if !(relative_rounding >= T::ZERO && relative_rounding < T::ONE) {
        return Err(Error::Setting { name: "relative_rounding", expected: "at least 0 and below 1" });
    }
    if max_evaluations == 0 {
        return Err(Error::Setting { name: "max_evaluations", expected: "at least 1" });
    }
    Ok(())
}

/// Largest rise of φ that may be rounding alone.
fn rounding<T: Real>(relative_rounding: T, start: T, value: T) -> T {
    relative_rounding * start.abs().maximum(value.abs())
}
