use super::Residuals;
use crate::{Error, Real};
use core::fmt;

/// When to stop: every residual rₖ ≤ `absolute_tolerance` + `relative_tolerance`·sₖ, for the
/// [`Residuals`] and their scales, or after `max_iterations` steps.
///
/// A problem is called infeasible on a certificate that excludes every solution of ‖x‖₁ or ‖y‖₁ below
/// 1/`infeasibility_tolerance`, in the problem's units.
///
/// ```
/// use quern_kernels::optim::qp::Stop;
/// let stop = Stop { absolute_tolerance: 1e-3_f32, ..Stop::default() };
/// assert_eq!(stop.max_iterations, 4000);
/// assert!(Stop { relative_tolerance: f32::NAN, ..stop }.validate().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop<T> {
    /// In the units of each residual.
    pub absolute_tolerance: T,
    /// Dimensionless.
    pub relative_tolerance: T,
    /// Dimensionless.
    pub infeasibility_tolerance: T,
    /// Steps.
    pub max_iterations: usize,
}

impl<T: Real> Default for Stop<T> {
    /// Half of the digits of the type, and 4000 steps.
    fn default() -> Self {
        let tolerance = T::EPSILON.sqrt();
        Self {
            absolute_tolerance: tolerance,
            relative_tolerance: tolerance,
            infeasibility_tolerance: tolerance,
            max_iterations: 4000,
        }
    }
}

impl<T: Real> Stop<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] for a tolerance that is negative or not finite.
    pub fn validate(&self) -> Result<(), Error> {
        let tolerances = [
            ("absolute_tolerance", self.absolute_tolerance),
            ("relative_tolerance", self.relative_tolerance),
            ("infeasibility_tolerance", self.infeasibility_tolerance),
        ];
        for (name, tolerance) in tolerances {
            if !(tolerance >= T::ZERO && tolerance.is_finite()) {
                return Err(Error::Setting { name, expected: "a finite number of at least 0" });
            }
        }
        Ok(())
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// The iterate moved on.
    Advanced,
    /// Rounding allows no better iterate, or none was found; the iterate did not move.
    Stagnated,
}

/// How a solve ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status {
    /// The residuals of the returned x and y, computed afresh, meet the tolerances.
    Solved,
    /// No x satisfies the constraints: the certificate is a y with Aᵀy = 0 and Σ uᵢyᵢ⁺ + lᵢyᵢ⁻ < 0.
    PrimalInfeasible,
    /// The objective has no lower bound where the constraints hold, or none hold: the certificate is an x
    /// along which it falls, with Px = 0, qᵀx < 0, and Ax in the recession cone of the bounds.
    DualInfeasible,
    /// The budget is exhausted.
    MaxIterations,
    /// No better iterate was found in this precision.
    Stagnated,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Solved => "solved",
            Self::PrimalInfeasible => "primal-infeasible",
            Self::DualInfeasible => "dual-infeasible",
            Self::MaxIterations => "max-iterations",
            Self::Stagnated => "stagnated",
        })
    }
}

/// The outcome of a solve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report<T> {
    /// How it ended.
    pub status: Status,
    /// Steps taken.
    pub iterations: usize,
    /// Of the returned x and y, computed afresh.
    pub residuals: Residuals<T>,
}
