use crate::{Error, Real};
use core::fmt;

/// When to stop: ‖b − Ax‖ ≤ max(`relative_tolerance`·‖b‖, `absolute_tolerance`), or after `max_iterations`
/// steps.
///
/// It is SciPy's rule. Zero tolerances ask for all the accuracy there is; zero iterations ask for the
/// residual of the initial iterate.
///
/// ```
/// use quern_kernels::krylov::Stop;
/// let stop = Stop { relative_tolerance: 1e-8, ..Stop::default() };
/// assert_eq!(stop.max_iterations, 1000);
/// assert!(Stop { relative_tolerance: -1.0, ..stop }.validate().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop<T> {
    /// rtol, dimensionless.
    pub relative_tolerance: T,
    /// atol, in the unit of b.
    pub absolute_tolerance: T,
    /// Largest number of steps.
    pub max_iterations: usize,
}

impl<T: Real> Default for Stop<T> {
    /// rtol = 16·ε (2·10⁻⁶ for `f32`, 4·10⁻¹⁵ for `f64`), atol = 0, 1000 iterations.
    fn default() -> Self {
        Self {
            relative_tolerance: T::from_f64(16.0) * T::EPSILON,
            absolute_tolerance: T::ZERO,
            max_iterations: 1000,
        }
    }
}

impl<T: Real> Stop<T> {
    /// Refuses tolerances that are negative, NaN or infinite.
    ///
    /// # Errors
    /// [`Error::Setting`] with the name of the tolerance.
    pub fn validate(&self) -> Result<(), Error> {
        let valid = |tolerance: T| tolerance >= T::ZERO && tolerance.is_finite();
        if !valid(self.relative_tolerance) {
            return Err(Error::Setting { name: "relative_tolerance", expected: "finite and not negative" });
        }
        if !valid(self.absolute_tolerance) {
            return Err(Error::Setting { name: "absolute_tolerance", expected: "finite and not negative" });
        }
        Ok(())
    }

    /// max(rtol·‖b‖, atol).
    pub(super) fn target(&self, right_hand_side_norm: T) -> T {
        (self.relative_tolerance * right_hand_side_norm).maximum(self.absolute_tolerance)
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// The iterate moved on.
    Advanced,
    /// The recurrence has nothing left to reduce: the iterate solves the problem up to rounding, and did not
    /// move.
    Finished,
    /// A quantity that must be positive, or finite, was not: the matrix is not of the kind the method is for,
    /// or produced NaN. The iterate did not move.
    Breakdown,
}

/// How a solve ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status {
    /// The residual of the returned iterate, computed afresh, meets the tolerance.
    Converged,
    /// The budget is exhausted.
    MaxIterations,
    /// Rounding allows no smaller residual: the reported one is the attainable accuracy.
    Stagnated,
    /// The method cannot go on: see [`Step::Breakdown`].
    Breakdown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged",
            Self::MaxIterations => "max-iterations",
            Self::Stagnated => "stagnated",
            Self::Breakdown => "breakdown",
        })
    }
}

/// The outcome of a solve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report<T> {
    /// How it ended.
    pub status: Status,
    /// Steps taken, those after a replaced residual included.
    pub iterations: usize,
    /// Steps taken when the recurrence first met the tolerance, which is where a method that trusts its
    /// recurrence stops; `iterations` if it never did.
    pub recurrence_iterations: usize,
    /// ‖b − Ax‖₂ of the returned x, computed afresh.
    pub residual_norm: T,
    /// ‖b‖₂.
    pub right_hand_side_norm: T,
}

impl<T: Real> Report<T> {
    /// ‖b − Ax‖/‖b‖; ‖b − Ax‖ where b = 0.
    pub fn relative_residual(&self) -> T {
        if self.right_hand_side_norm > T::ZERO {
            self.residual_norm / self.right_hand_side_norm
        } else {
            self.residual_norm
        }
    }
}
