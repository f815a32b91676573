use crate::{Error, Real};
use core::fmt;

/// When to stop: ‖a − T1‖₁ ≤ `tolerance`·Σa, or after `max_iterations` steps.
///
/// ```
/// use quern_kernels::transport::Stop;
/// assert!(Stop { tolerance: -1.0, max_iterations: 5 }.validate().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop<T> {
    /// Share of the mass.
    pub tolerance: T,
    /// Steps.
    pub max_iterations: usize,
}

impl<T: Real> Default for Stop<T> {
    /// √ε of the mass, 2000 steps.
    fn default() -> Self {
        Self { tolerance: T::EPSILON.sqrt(), max_iterations: 2000 }
    }
}

impl<T: Real> Stop<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] for a tolerance that is negative or not finite.
    pub fn validate(&self) -> Result<(), Error> {
        if self.tolerance >= T::ZERO && self.tolerance.is_finite() {
            return Ok(());
        }
        Err(Error::Setting { name: "tolerance", expected: "finite and not negative" })
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// The iterate moved on.
    Advanced,
    /// The method finds nothing better: rounding or a kink is in its way.
    Stagnated,
}

/// How a solve ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status {
    /// The row error of the returned potential meets the tolerance.
    Converged,
    /// The budget is exhausted.
    MaxIterations,
    /// See [`Step::Stagnated`].
    Stagnated,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged",
            Self::MaxIterations => "max-iterations",
            Self::Stagnated => "stagnated",
        })
    }
}

/// The outcome of a solve. Both figures are of the returned potential.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report<T> {
    /// How it ended.
    pub status: Status,
    /// Steps taken.
    pub iterations: usize,
    /// Evaluations of the semi-dual.
    pub evaluations: usize,
    /// D(α).
    pub value: T,
    /// ‖a − T1‖₁.
    pub row_error: T,
}
