use crate::{Error, Real};
use core::fmt;

/// When to stop: ρ ≤ `gradient_tolerance`, ρ = ‖∇f‖_∞ or with bounds that of
/// [`stationarity`](crate::optim::stationarity); or a step that lowered f by less than
/// `value_tolerance`·max(|f|, |f₊|, 1); or an exhausted budget.
///
/// ```
/// use quern_kernels::optim::quasi_newton::Stop;
/// let stop = Stop { gradient_tolerance: 1e-3, ..Stop::default() };
/// assert_eq!(stop.value_tolerance, 0.0);
/// assert!(Stop { gradient_tolerance: f64::NAN, ..stop }.validate().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop<T> {
    /// In the unit of the gradient.
    pub gradient_tolerance: T,
    /// Dimensionless; 0 for never.
    pub value_tolerance: T,
    /// Steps to another iterate.
    pub max_iterations: usize,
    /// Evaluations of f and its gradient.
    pub max_evaluations: usize,
}

impl<T: Real> Default for Stop<T> {
    /// A gradient of √ε, whatever the values do, within 500 steps and 2000 evaluations.
    fn default() -> Self {
        Self {
            gradient_tolerance: T::EPSILON.sqrt(),
            value_tolerance: T::ZERO,
            max_iterations: 500,
            max_evaluations: 2000,
        }
    }
}

impl<T: Real> Stop<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] for a tolerance that is negative or not finite.
    pub fn validate(&self) -> Result<(), Error> {
        for (name, tolerance) in
            [("gradient_tolerance", self.gradient_tolerance), ("value_tolerance", self.value_tolerance)]
        {
            if !(tolerance >= T::ZERO && tolerance.is_finite()) {
                return Err(Error::Setting { name, expected: "finite and not negative" });
            }
        }
        Ok(())
    }

    /// Whether a step lowered f by too little to go on.
    pub(super) fn is_small(&self, before: T, value: T) -> bool {
        let size = before.abs().maximum(value.abs()).maximum(T::ONE);
        self.value_tolerance > T::ZERO && before - value <= self.value_tolerance * size
    }
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// The search along the line goes on: evaluate at the new trial.
    Evaluate,
    /// There is another iterate, and a trial to evaluate.
    Advanced,
    /// No lower point was found, along the gradient neither: the iterate is stationary up to rounding, or f
    /// is not smooth there.
    Stagnated,
}

/// How a minimization ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status {
    /// The gradient of the returned iterate meets the tolerance.
    Converged,
    /// The last step lowered f by too little.
    SmallDecrease,
    /// The budget is exhausted.
    MaxIterations,
    /// No lower point was found: see [`Step::Stagnated`].
    Stagnated,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged",
            Self::SmallDecrease => "small-decrease",
            Self::MaxIterations => "max-iterations",
            Self::Stagnated => "stagnated",
        })
    }
}

/// The outcome of a minimization.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report<T> {
    /// How it ended.
    pub status: Status,
    /// Steps to another iterate.
    pub iterations: usize,
    /// Evaluations of f and its gradient.
    pub evaluations: usize,
    /// f of the returned iterate.
    pub value: T,
    /// ρ of the returned iterate.
    pub stationarity: T,
}

/// A started method.
pub(super) trait Iteration<T> {
    /// f and ∇f at the trial, judged; where the objective says [`Error::NonFinite`], f is infinite.
    fn evaluate<F: FnMut(&[T], &mut [T]) -> Result<T, Error>>(
        &mut self,
        objective: &mut F,
    ) -> Result<Step, Error>;
    /// f and ρ of the iterate, and the steps so far.
    fn state(&self) -> Result<(T, T, usize), Error>;
}
