use crate::{Error, Real};
use core::fmt;

/// When to end a descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop<T> {
    /// ‖∇f‖* at or below which an iterate is stationary.
    pub gradient_tolerance: T,
    /// f at or below which an iterate is good enough.
    pub target_value: Option<T>,
    /// Accepted steps allowed.
    pub max_iterations: usize,
}

impl<T: Real> Default for Stop<T> {
    /// ‖∇f‖* ≤ √u with u the distance from 1 to the next number, no target, 100 steps.
    fn default() -> Self {
        Self { gradient_tolerance: T::EPSILON.sqrt(), target_value: None, max_iterations: 100 }
    }
}

impl<T: Real> Stop<T> {
    /// Refuses a tolerance that is negative or not finite, and a target that is not finite.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        if !(self.gradient_tolerance >= T::ZERO && self.gradient_tolerance.is_finite()) {
            return Err(Error::Setting { name: "gradient_tolerance", expected: "finite and not negative" });
        }
        if self.target_value.is_some_and(|value| !value.is_finite()) {
            return Err(Error::Setting { name: "target_value", expected: "finite" });
        }
        Ok(())
    }
}

/// What one trial did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// The trial passed its test: the iterate moved.
    Accepted,
    /// The trial failed: the iterate stays, the next trial is shorter.
    Rejected,
    /// As many trials as allowed failed in a row: nothing shorter is tried.
    Stalled,
    /// The gradient vanishes: there is no direction to go.
    Stationary,
}

/// How a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status {
    /// The gradient meets its tolerance, or the value its target.
    Converged,
    /// The budget is exhausted.
    MaxIterations,
    /// No trial passes: rounding, or a Hessian and gradient that are not those of the function.
    Stalled,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged",
            Self::MaxIterations => "max-iterations",
            Self::Stalled => "stalled",
        })
    }
}

/// The outcome of a descent; all figures belong to the iterate it ended at, the last accepted one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Report<T> {
    /// How it ended.
    pub status: Status,
    /// Accepted steps since the start.
    pub iterations: usize,
    /// Trials since the start, accepted or not: the evaluations of the function.
    pub trials: usize,
    /// Matrices factored since the start.
    pub factorizations: usize,
    /// f.
    pub value: T,
    /// ‖∇f‖*.
    pub gradient_norm: T,
}

/// Where a descent is.
#[derive(Clone, Copy, Debug)]
pub(super) struct State<T> {
    pub(super) value: T,
    pub(super) gradient_norm: T,
    pub(super) iterations: usize,
    pub(super) trials: usize,
    pub(super) factorizations: usize,
    /// Trials rejected since the last accepted one.
    pub(super) rejected: usize,
}

impl<T: Real> State<T> {
    pub(super) fn new(value: T, gradient_norm: T) -> Self {
        Self { value, gradient_norm, iterations: 0, trials: 0, factorizations: 0, rejected: 0 }
    }

    pub(super) fn accept(&mut self, value: T, gradient_norm: T) -> Step {
        (self.value, self.gradient_norm, self.rejected) = (value, gradient_norm, 0);
        self.iterations = self.iterations.saturating_add(1);
        Step::Accepted
    }

    pub(super) fn reject(&mut self, max_trials: usize) -> Step {
        self.rejected = self.rejected.saturating_add(1);
        if self.rejected >= max_trials { Step::Stalled } else { Step::Rejected }
    }

    fn report(&self, status: Status) -> Report<T> {
        let Self { value, gradient_norm, iterations, trials, factorizations, .. } = *self;
        Report { status, iterations, trials, factorizations, value, gradient_norm }
    }
}

/// Steps until `stop` is met or nothing is left to try. Every iteration has a bounded number of trials.
pub(super) fn run<T: Real, M>(
    method: &mut M,
    state: impl Fn(&M) -> State<T>,
    mut step: impl FnMut(&mut M) -> Result<Step, Error>,
    stop: &Stop<T>,
) -> Result<Report<T>, Error> {
    stop.validate()?;
    let first = state(method).iterations;
    loop {
        let now = state(method);
        let met = stop.target_value.is_some_and(|target| now.value <= target);
        if met || now.gradient_norm <= stop.gradient_tolerance {
            return Ok(now.report(Status::Converged));
        }
        if now.iterations.saturating_sub(first) >= stop.max_iterations {
            return Ok(now.report(Status::MaxIterations));
        }
        match step(method)? {
            Step::Accepted | Step::Rejected => {}
            Step::Stalled => return Ok(state(method).report(Status::Stalled)),
            Step::Stationary => return Ok(state(method).report(Status::Converged)),
        }
    }
}
