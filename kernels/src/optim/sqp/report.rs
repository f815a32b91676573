use crate::Real;
use crate::blas::norm2;
use core::fmt;

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Step {
    /// The iterate moved on.
    Advanced,
    /// The iterate did not move, for this reason; no further step will.
    Stopped(Status),
}

/// How a solve ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Status {
    /// ‖(∇ₓL; c)‖₂ of the iterate is at most the tolerance.
    Solved,
    /// The budget is exhausted.
    MaxIterations,
    /// The rows of the Jacobian are dependent, or nearly: λ_min(GGᵀ) is below its threshold.
    SingularJacobian,
    /// No step along the direction decreases the merit function: the direction is not one of descent, or rounding hides
    /// the decrease.
    LineSearch,
    /// A derivative or a direction was not finite.
    Breakdown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Solved => "solved",
            Self::MaxIterations => "max-iterations",
            Self::SingularJacobian => "singular-jacobian",
            Self::LineSearch => "line-search",
            Self::Breakdown => "breakdown",
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
    /// Iterations of the linear solvers: projections, or steps of GMRES; factorizations where directions are direct.
    pub inner_iterations: usize,
    /// Evaluations of f and c.
    pub value_evaluations: usize,
    /// Evaluations of ∇f and G.
    pub derivative_evaluations: usize,
    /// Of the last step; 0 before there is one.
    pub step_length: T,
    /// f at the iterate.
    pub objective: T,
    /// ‖c‖₂ at the iterate.
    pub constraint_norm: T,
    /// ‖(∇ₓL; c)‖₂ at the iterate.
    pub optimality_norm: T,
}

/// Steps until ‖(∇ₓL; c)‖₂ is at most the tolerance, or as long as there is a step and the budget lasts.
pub(super) fn run<M, T: Real>(
    method: &mut M,
    (tolerance, max_iterations): (T, usize),
    report: impl Fn(&M, Status) -> Report<T>,
    mut step: impl FnMut(&mut M) -> Step,
) -> Report<T> {
    loop {
        let exhausted = report(method, Status::MaxIterations);
        let solved = exhausted.optimality_norm <= tolerance;
        if exhausted.iterations >= max_iterations && !solved {
            return exhausted;
        }
        if let Step::Stopped(status) = step(method) {
            return report(method, status);
        }
    }
}

/// What a solve has counted so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) iterations: usize,
    pub(super) inner: usize,
    pub(super) values: usize,
    pub(super) derivatives: usize,
}

impl Counts {
    /// With the figures of an iterate, whose (∇ₓL; c) this is.
    pub(super) fn report<T: Real>(
        &self,
        status: Status,
        variables: usize,
        optimality: &[T],
        objective: T,
        step_length: T,
    ) -> Report<T> {
        Report {
            status,
            iterations: self.iterations,
            inner_iterations: self.inner,
            value_evaluations: self.values,
            derivative_evaluations: self.derivatives,
            step_length,
            objective,
            constraint_norm: norm2(optimality.get(variables..).unwrap_or_default()),
            optimality_norm: norm2(optimality),
        }
    }
}
