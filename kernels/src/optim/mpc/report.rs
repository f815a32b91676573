use crate::optim::is_size;
use crate::{Error, Real};
use core::fmt;

/// How [`Mpc`](super::Mpc) iterates, and when it stops.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MpcSettings<T> {
    /// α in (0, 2): 1 for the plain method, above 1 over-relaxes.
    pub relaxation: T,
    /// Bound on both residuals for `Solved`, in the units of states, inputs and the cost's gradient.
    pub tolerance: T,
    /// Largest number of iterations of a solve.
    pub max_iterations: usize,
}

impl<T: Real> Default for MpcSettings<T> {
    /// α = 1.5, 10⁻³, 100 iterations.
    fn default() -> Self {
        Self { relaxation: T::from_f64(1.5), tolerance: T::from_f64(1e-3), max_iterations: 100 }
    }
}

impl<T: Real> MpcSettings<T> {
    /// # Errors
    /// [`Error::Setting`] naming a setting outside of its range.
    pub fn validate(&self) -> Result<(), Error> {
        if !(self.relaxation > T::ZERO && self.relaxation < T::ONE + T::ONE) {
            return Err(Error::Setting { name: "relaxation", expected: "in (0, 2)" });
        }
        if !is_size(self.tolerance, true) {
            return Err(Error::Setting { name: "tolerance", expected: "finite and not negative" });
        }
        Ok(())
    }
}

/// What one iteration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MpcStep {
    /// The plan moved on; a residual is above the tolerance.
    Advanced,
    /// Both residuals are at or below the tolerance.
    Solved,
    /// A number overflowed: the plan is of no use.
    Breakdown,
}

/// How a solve ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MpcStatus {
    /// Both residuals are at or below the tolerance.
    Solved,
    /// The budget is exhausted: the plan stays within the bounds, and obeys the dynamics up to the primal
    /// residual. An infeasible problem ends so.
    MaxIterations,
}

impl fmt::Display for MpcStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Solved => "solved",
            Self::MaxIterations => "max-iterations",
        })
    }
}

/// The outcome of a solve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MpcReport<T> {
    /// How it ended.
    pub status: MpcStatus,
    /// Iterations taken.
    pub iterations: usize,
    /// The largest difference between the trajectory that obeys the dynamics and the one that obeys the
    /// constraints.
    pub primal_residual: T,
    /// The largest entry of the Lagrangian's gradient at the trajectory that obeys the dynamics, with the
    /// multipliers of the last projection.
    pub dual_residual: T,
}
