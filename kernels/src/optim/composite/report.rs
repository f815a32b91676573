use crate::{Error, Real};
use core::fmt;

/// When to stop: the primal and the dual residual at most `absolute_tolerance` + `relative_tolerance`·scale, or
/// after `max_iterations` steps.
///
/// Zero tolerances ask for all of the budget.
///
/// ```
/// use quern_kernels::optim::composite::Stop;
/// let stop = Stop { absolute_tolerance: 1e-6, ..Stop::default() };
/// assert_eq!(stop.max_iterations, 10_000);
/// assert!(Stop { check_interval: 0, ..stop }.validate().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop<T> {
    /// In the units of each residual.
    pub absolute_tolerance: T,
    /// Dimensionless.
    pub relative_tolerance: T,
    /// Steps.
    pub max_iterations: usize,
    /// A solve looks at the residuals after so many steps.
    pub check_interval: usize,
}

impl<T: Real> Default for Stop<T> {
    /// Half of the digits of the type, 10 000 steps, a look every 10.
    fn default() -> Self {
        let tolerance = T::EPSILON.sqrt();
        Self {
            absolute_tolerance: tolerance,
            relative_tolerance: tolerance,
            max_iterations: 10_000,
            check_interval: 10,
        }
    }
}

impl<T: Real> Stop<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] for a tolerance that is negative or not finite, or a count of zero.
    pub fn validate(&self) -> Result<(), Error> {
        let tolerances = [
            ("absolute_tolerance", self.absolute_tolerance),
            ("relative_tolerance", self.relative_tolerance),
        ];
        for (name, tolerance) in tolerances {
            if !(tolerance >= T::ZERO && tolerance.is_finite()) {
                return Err(Error::Setting { name, expected: "a finite number of at least 0" });
            }
        }
        for (name, count) in
            [("max_iterations", self.max_iterations), ("check_interval", self.check_interval)]
        {
            if count == 0 {
                return Err(Error::Setting { name, expected: "at least 1" });
            }
        }
        Ok(())
    }
}

/// How far an iterate is from the optimality conditions, in Euclidean norms. What they are of, each method says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Residuals<T> {
    /// How far the constraint is from being met.
    pub primal: T,
    /// How far the Lagrangian is from being stationary.
    pub dual: T,
    /// Scale of `primal`.
    pub primal_scale: T,
    /// Scale of `dual`.
    pub dual_scale: T,
}

impl<T: Real> Residuals<T> {
    /// Whether both are within the tolerances.
    pub fn meet(&self, stop: &Stop<T>) -> bool {
        let within = |residual, scale| residual <= stop.absolute_tolerance + stop.relative_tolerance * scale;
        within(self.primal, self.primal_scale) && within(self.dual, self.dual_scale)
    }

    /// Refuses what has overflowed: an iterate with such residuals is no answer.
    pub(super) fn check(self, iterations: usize) -> Result<Self, Error> {
        let Self { primal, dual, primal_scale, dual_scale } = self;
        if [primal, dual, primal_scale, dual_scale].iter().all(|number| number.is_finite()) {
            return Ok(self);
        }
        Err(Error::Breakdown { what: "a finite residual", index: iterations })
    }
}

/// How a solve ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status {
    /// The residuals of the returned iterate meet the tolerances.
    Converged,
    /// The budget is exhausted.
    MaxIterations,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Converged => "converged",
            Self::MaxIterations => "max-iterations",
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
    /// Of the returned iterate.
    pub residuals: Residuals<T>,
}

/// A started method.
pub(super) trait Iteration<T, P> {
    fn step(&mut self, problem: &mut P) -> Result<(), Error>;
    fn residuals(&mut self, problem: &mut P) -> Result<Residuals<T>, Error>;
}

/// Steps until `stop` is met. At least one step is taken: before the first, the residuals of a method that finds them
/// by its steps say nothing.
pub(super) fn run<T: Real, P>(
    method: &mut impl Iteration<T, P>,
    problem: &mut P,
    stop: &Stop<T>,
) -> Result<Report<T>, Error> {
    stop.validate()?;
    let mut iterations = 0;
    loop {
        method.step(problem)?;
        iterations += 1;
        let last = iterations >= stop.max_iterations;
        if last || iterations.is_multiple_of(stop.check_interval) {
            let residuals = method.residuals(problem)?.check(iterations)?;
            let met = residuals.meet(stop);
            if met || last {
                let status = if met { Status::Converged } else { Status::MaxIterations };
                return Ok(Report { status, iterations, residuals });
            }
        }
    }
}
