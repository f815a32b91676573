use super::iterate::{Iterate, check_positive, check_shapes, cut, scalars};
use super::report::{Counts, run};
use super::{EqualityProgram, KktOperator, Report, Status, Step};
use crate::blas::{copy, dot, norm1, norm2};
use crate::krylov::{self, Gmres, PreconditionedSystem};
use crate::linop::{Identity, LinearOperator};
use crate::optim::line_search::{self, Armijo, ArmijoSettings};
use crate::{Error, Real, check_finite};
use core::borrow::BorrowMut;

/// Steps between two restarts of GMRES.
const RESTART: usize = 2;
/// Raises of μ in one step.
const MAX_ROUNDS: usize = 60;

/// What an [`ExactPenaltySqp`] goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExactPenaltySettings<T> {
    /// μ at the start.
    pub penalty: T,
    /// κ at the start: ‖r‖₁ ≤ κ‖b‖₁ is asked of Newton's system.
    pub accuracy: T,
    /// ν > 1: at each direction whose model does not decrease enough, μ ← νμ and κ ← κ/ν².
    pub penalty_growth: T,
    /// σ: the share of the constraints' decrease that the model must show.
    pub model_decrease: T,
    /// c₁ of the line search.
    pub sufficient_decrease: T,
    /// ξ_B, as in [`SketchedSqpSettings`](super::SketchedSqpSettings).
    pub curvature_margin: T,
    /// As there.
    pub curvature_threshold: T,
    /// The Jacobian counts as singular where λ_min(GGᵀ) is below this.
    pub rank_threshold: T,
    /// ‖(∇ₓL; c)‖₂ asked for.
    pub tolerance: T,
    /// Steps.
    pub max_iterations: usize,
    /// Cycles of GMRES in one step.
    pub max_cycles: usize,
}

impl<T: Real> Default for ExactPenaltySettings<T> {
    /// μ = 1, κ = 0.1, ν = 1.5, σ = 0.09, c₁ = 10⁻⁸, ξ_B = 0.1, thresholds 10⁻⁶, tolerance 10⁻⁴, 10⁴ steps of at most 10⁴
    /// cycles.
    fn default() -> Self {
        Self {
            penalty: T::ONE,
            accuracy: T::from_f64(0.1),
            penalty_growth: T::from_f64(1.5),
            model_decrease: T::from_f64(0.09),
            sufficient_decrease: T::from_f64(1e-8),
            curvature_margin: T::from_f64(0.1),
            curvature_threshold: T::from_f64(1e-6),
            rank_threshold: T::from_f64(1e-6),
            tolerance: T::from_f64(1e-4),
            max_iterations: 10_000,
            max_cycles: 10_000,
        }
    }
}

impl<T: Real> ExactPenaltySettings<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        check_positive("penalty", self.penalty)?;
        check_positive("accuracy", self.accuracy)?;
        check_positive("model_decrease", self.model_decrease)?;
        check_positive("sufficient_decrease", self.sufficient_decrease)?;
        check_positive("curvature_margin", self.curvature_margin)?;
        check_positive("curvature_threshold", self.curvature_threshold)?;
        check_positive("rank_threshold", self.rank_threshold)?;
        check_positive("tolerance", self.tolerance)?;
        if !(self.penalty_growth > T::ONE && self.penalty_growth <= T::from_f64(1e3)) {
            return Err(Error::Setting { name: "penalty_growth", expected: "above 1 and at most 1000" });
        }
        if self.sufficient_decrease >= T::from_f64(0.5) {
            return Err(Error::Setting {
                name: "sufficient_decrease",
                expected: "a number between 0 and 1/2",
            });
        }
        Ok(())
    }
}

/// Inexact sequential quadratic programming on the exact penalty function φ = f + μ‖c‖₁, directions by restarted GMRES.
///
/// A step solves Γz = b (see [`SketchedSqp`](super::SketchedSqp)) by cycles of GMRES(2) until ‖r‖₁ ≤ κ‖b‖₁ and the model
/// reduction −∇fᵀΔx − max(½ΔxᵀBΔx, 0) + μ(‖c‖₁ − ‖GΔx + c‖₁) is at least σμ·max(‖c‖₁, ‖GΔx + c‖₁ − ‖c‖₁), raising μ and
/// sharpening κ while it is not; then x and λ move by one step length, found by [`Armijo`] on φ with the slope
/// ∇fᵀΔx − μ(‖c‖₁ − ‖GΔx + c‖₁).
///
/// Shapes: those of the [`EqualityProgram`]; N = n + m. Guarantees: as [`SketchedSqp`](super::SketchedSqp); without random
/// numbers. Cost of a step: an evaluation of ∇f, G and W, one of f and c for each trial, of 50 at most; at most
/// `max_cycles` cycles of three products with Γ, 3(2n² + 4nm) flops, a cycle that gains nothing being the last; O(n³) for
/// the tests of rank and curvature. [`scalars`](ExactPenaltySqp::scalars) lent. Source: R. H. Byrd, F. E. Curtis, J.
/// Nocedal, An Inexact SQP Method for Equality Constrained Optimization, SIAM J. Optim. 19 (2008), equations (2.10) and
/// (2.12), with the adaptive accuracy and the constants of I. Hong et al., Constrained Optimization via Exact Augmented
/// Lagrangian and Randomized Iterative Sketching (2023), section 4.
#[derive(Clone, Debug)]
pub struct ExactPenaltySqp<T, B> {
    memory: B,
    settings: ExactPenaltySettings<T>,
    variables: usize,
    constraints: usize,
    penalty: T,
    accuracy: T,
    counts: Counts,
    step_length: T,
    objective: T,
}

/// The lent memory by purpose; N = n + m.
struct Parts<'a, T> {
    iterate: Iterate<'a, T>,
    /// n², at least m² + m: Gᵀ and Z.
    null: &'a mut [T],
    /// The rest of the tests, and GMRES.
    scratch: &'a mut [T],
    /// b.
    right_hand_side: &'a mut [T],
    /// z.
    direction: &'a mut [T],
    /// Γz − b.
    residual: &'a mut [T],
    /// The point a line search starts from.
    origin: &'a mut [T],
}

/// Scalars of the scratch.
const fn scratch_scalars(n: usize, m: usize) -> usize {
    let size = n.saturating_add(m);
    let dimension = n.saturating_sub(m);
    let reduced = dimension.saturating_mul(dimension).saturating_add(size);
    let gmres = Gmres::scalars(size, RESTART);
    if reduced > gmres { reduced } else { gmres }
}

/// Scalars for Gᵀ and Z, or GGᵀ and its eigenvalues.
const fn null_scalars(n: usize, m: usize) -> usize {
    let (basis, rank) = (n.saturating_mul(n), m.saturating_mul(m).saturating_add(m));
    if basis > rank { basis } else { rank }
}

fn parts<T: Real>(memory: &mut [T], n: usize, m: usize) -> Option<Parts<'_, T>> {
    let size = n.checked_add(m)?;
    let mut rest = memory;
    Some(Parts {
        iterate: Iterate::cut(&mut rest, n, m)?,
        null: cut(&mut rest, null_scalars(n, m))?,
        scratch: cut(&mut rest, scratch_scalars(n, m))?,
        right_hand_side: cut(&mut rest, size)?,
        direction: cut(&mut rest, size)?,
        residual: cut(&mut rest, size)?,
        origin: cut(&mut rest, size)?,
    })
}

impl ExactPenaltySqp<(), ()> {
    /// Scalars to lend: n² + nm + 3n + 2m + 4N, max(n², m² + m), and max((n − m)² + N, 5N + 10), N = n + m.
    pub const fn scalars(n: usize, m: usize) -> usize {
        scalars(n, m)
            .saturating_add(null_scalars(n, m))
            .saturating_add(scratch_scalars(n, m))
            .saturating_add(n.saturating_add(m).saturating_mul(4))
    }
}

impl<T: Real, B: BorrowMut<[T]>> ExactPenaltySqp<T, B> {
    /// A workspace over lent memory, of [`scalars`](ExactPenaltySqp::scalars) entries at least.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(memory: B, settings: ExactPenaltySettings<T>) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self {
            memory,
            settings,
            variables: 0,
            constraints: 0,
            penalty: settings.penalty,
            accuracy: settings.accuracy,
            counts: Counts::default(),
            step_length: T::ZERO,
            objective: T::ZERO,
        })
    }

    /// Takes x₀ and λ₀ and evaluates the problem there.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`], also of what the problem gives at x₀; [`Error::Capacity`].
    pub fn start(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        x: &[T],
        multipliers: &[T],
    ) -> Result<(), Error> {
        let (n, m) = check_shapes(problem, x, multipliers)?;
        (self.variables, self.constraints) = (n, m);
        (self.penalty, self.accuracy) = (self.settings.penalty, self.settings.accuracy);
        (self.counts, self.step_length) = (Counts::default(), T::ZERO);
        let memory = self.memory.borrow_mut();
        let (required, available) = (ExactPenaltySqp::scalars(n, m), memory.len());
        let missing = Error::Capacity { what: "workspace", required, available };
        let mut parts = parts(memory, n, m).ok_or(missing)?;
        self.objective = parts.iterate.start(problem, x, multipliers, &mut self.counts)?;
        Ok(())
    }

    /// One iteration, bounded in cost; call it after a start, with the same problem.
    pub fn step(&mut self, problem: &(impl EqualityProgram<T> + ?Sized)) -> Step {
        match self.advance(problem) {
            Ok(step) => step,
            Err(_) => Step::Stopped(Status::Breakdown),
        }
    }

    fn advance(&mut self, problem: &(impl EqualityProgram<T> + ?Sized)) -> Result<Step, Error> {
        let settings = self.settings;
        let (n, m) = (self.variables, self.constraints);
        let Some(mut parts) = parts(self.memory.borrow_mut(), n, m) else {
            return Ok(Step::Stopped(Status::Breakdown));
        };
        let iterate = &mut parts.iterate;
        if norm2(iterate.optimality) <= settings.tolerance {
            return Ok(Step::Stopped(Status::Solved));
        }
        iterate.evaluate_hessian(problem, None)?;
        let rank = iterate.jacobian_rank(parts.null)?;
        let independent = rank >= settings.rank_threshold;
        if !independent {
            return Ok(Step::Stopped(Status::SingularJacobian));
        }
        let (threshold, margin) = (settings.curvature_threshold, settings.curvature_margin);
        let shift = iterate.hessian_shift(threshold, margin, parts.null, parts.scratch)?;
        for (b, &value) in parts.right_hand_side.iter_mut().zip(iterate.optimality.iter()) {
            *b = -value;
        }
        let operator = KktOperator::new(n, m, iterate.hessian, shift, iterate.jacobian)?;
        let identity = Identity::new(n.saturating_add(m));
        let system = PreconditionedSystem::new(&operator, &identity, parts.right_hand_side);
        let mut gmres = Gmres::new(&mut *parts.scratch, RESTART)?;
        gmres.start(&system)?;
        let size = norm1(parts.right_hand_side);
        let violation = norm1(iterate.conditions().1);
        let (mut budget, mut stuck) = (settings.max_cycles, false);
        let residual = |z: &[T], residual: &mut [T]| {
            operator.apply(z, residual);
            for (r, &b) in residual.iter_mut().zip(system.right_hand_side) {
                *r -= b;
            }
            norm1(residual)
        };
        let mut rounds = 0;
        let slope = loop {
            let mut norm = residual(gmres.solution(), parts.residual);
            while budget > 0 && !stuck {
                if norm <= self.accuracy * size {
                    break;
                }
                let before = gmres.residual_norm();
                for _ in 0..RESTART {
                    self.counts.inner = self.counts.inner.saturating_add(1);
                    stuck |= gmres.step(&system) != krylov::Step::Advanced;
                }
                budget -= 1;
                // A cycle that gains nothing is followed by others that do not.
                let gained = gmres.residual_norm() < before;
                stuck |= !gained;
                norm = residual(gmres.solution(), parts.residual);
            }
            if stuck {
                // The cycle may have ended before its last step.
                gmres.finish_cycle(&system)?;
                residual(gmres.solution(), parts.residual);
            }
            copy(gmres.solution(), parts.direction)?;
            check_finite("direction", parts.direction)?;
            let step = parts.direction.get(..n).unwrap_or_default();
            let linearized = norm1(parts.residual.get(n..).unwrap_or_default());
            let descent = dot(iterate.gradient, step)?;
            let slope = descent - self.penalty * (violation - linearized);
            let curvature = curvature(&operator, parts.direction, parts.origin, n)?;
            let reduction = -slope - (T::from_f64(0.5) * curvature).maximum(T::ZERO);
            let least = settings.model_decrease * self.penalty * violation.maximum(linearized - violation);
            if reduction >= least || rounds >= MAX_ROUNDS {
                break slope;
            }
            rounds += 1;
            self.penalty *= settings.penalty_growth;
            self.accuracy /= settings.penalty_growth * settings.penalty_growth;
        };
        self.search(problem, slope)
    }

    /// Moves along z by the line search.
    fn search(&mut self, problem: &(impl EqualityProgram<T> + ?Sized), slope: T) -> Result<Step, Error> {
        let Some(Parts { mut iterate, direction, origin, .. }) =
            parts(self.memory.borrow_mut(), self.variables, self.constraints)
        else {
            return Ok(Step::Stopped(Status::Breakdown));
        };
        let merit =
            |objective: T, iterate: &Iterate<'_, T>| objective + self.penalty * norm1(iterate.conditions().1);
        let settings = ArmijoSettings {
            sufficient_decrease: self.settings.sufficient_decrease,
            least_contraction: T::from_f64(0.5),
            max_evaluations: 50,
            ..ArmijoSettings::default()
        };
        let Ok(mut search) = Armijo::start(settings, merit(self.objective, &iterate), slope, T::ONE) else {
            return Ok(Step::Stopped(Status::LineSearch));
        };
        copy(iterate.point, origin)?;
        loop {
            iterate.move_along(origin, search.step_length(), direction);
            let objective = iterate.evaluate_values(problem, &mut self.counts);
            let next = search.step(merit(objective, &iterate));
            if next == line_search::Step::Evaluate {
                continue;
            }
            if next == line_search::Step::Accepted {
                iterate.evaluate_derivatives(problem, &mut self.counts)?;
                if iterate.check().is_ok() {
                    self.objective = objective;
                    self.step_length = search.step_length();
                    self.counts.iterations = self.counts.iterations.saturating_add(1);
                    return Ok(Step::Advanced);
                }
            }
            copy(origin, iterate.point)?;
            self.objective = iterate.evaluate(problem, &mut self.counts)?;
            let failed = next == line_search::Step::Failed;
            return Ok(Step::Stopped(if failed { Status::LineSearch } else { Status::Breakdown }));
        }
    }

    /// Starts and steps until solved, or as long as there is a step and the budget lasts.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn solve(
        &mut self,
        problem: &(impl EqualityProgram<T> + ?Sized),
        x: &[T],
        multipliers: &[T],
    ) -> Result<Report<T>, Error> {
        self.start(problem, x, multipliers)?;
        let stop = (self.settings.tolerance, self.settings.max_iterations);
        Ok(run(self, stop, Self::report, |method| method.step(problem)))
    }

    /// The figures of the iterate at hand, under this status.
    pub fn report(&self, status: Status) -> Report<T> {
        let optimality = super::iterate::optimality(self.memory.borrow(), self.variables, self.constraints);
        self.counts.report(status, self.variables, optimality, self.objective, self.step_length)
    }

    /// x.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.variables).unwrap_or_default()
    }

    /// λ.
    pub fn multipliers(&self) -> &[T] {
        let rest = self.memory.borrow().get(self.variables..);
        rest.and_then(|rest| rest.get(..self.constraints)).unwrap_or_default()
    }

    /// μ as it stands.
    pub fn penalty(&self) -> T {
        self.penalty
    }
}

/// ΔxᵀBΔx, from the upper half of Γ(Δx; 0). Scratch: N.
fn curvature<T: Real>(
    operator: &KktOperator<'_, T>,
    direction: &mut [T],
    scratch: &mut [T],
    n: usize,
) -> Result<T, Error> {
    operator
        .hessian_product(direction.get(..n).unwrap_or_default(), scratch.get_mut(..n).unwrap_or_default())?;
    dot(direction.get(..n).unwrap_or_default(), scratch.get(..n).unwrap_or_default())
}
