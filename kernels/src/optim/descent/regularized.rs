use super::memory::{Kept, VECTORS, Vectors, shortage};
use super::report::{State, run};
use super::step::shifted_step;
use super::{Curvature, Metric, Objective, Report, Step, Stop, cancels, rank_one_step};
use crate::blas::dot_unchecked;
use crate::{Error, Real, check_finite};
use core::borrow::BorrowMut;

/// What a trial of [`RegularizedNewton`] must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressTest {
    /// f − f⁺ ≥ ‖g⁺‖*²/(8λ).
    Functional,
    /// ⟨g⁺, −δ⟩ ≥ ‖g⁺‖*²/(4λ): free of cancellation; for a convex f it implies the other.
    Gradient,
    /// The gradient's where |f − f⁺| ≤ 16u|f|, else the functional one.
    Hybrid,
}

/// How [`RegularizedNewton`] regularizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegularizedNewtonSettings<T> {
    /// γ of the first trial.
    pub initial_radius: T,
    /// Times γ after an accepted trial, up to [`largest_radius`](Self::largest_radius).
    pub growth: T,
    /// Times γ after a rejected one.
    pub shrink: T,
    /// γ after an accepted trial is no less.
    pub smallest_radius: T,
    /// γ is no more, so that λ stays a normal number.
    pub largest_radius: T,
    /// ε of λ = ‖g‖*^α/(γ + ε).
    pub radius_floor: T,
    /// α: 1 normalizes by the gradient, so that γ is a length.
    pub exponent: T,
    /// What a trial must show.
    pub test: ProgressTest,
    /// Trials a step may take.
    pub max_trials: usize,
}

impl<T: Real> Default for RegularizedNewtonSettings<T> {
    /// γ₀ = 1, growth 2, shrink ½, γ between 1e-9 and 1e12, ε = 1e-8, α = 1, the hybrid test, 40 trials.
    fn default() -> Self {
        Self {
            initial_radius: T::ONE,
            growth: T::from_u32(2),
            shrink: T::from_f64(0.5),
            smallest_radius: T::from_f64(1e-9),
            largest_radius: T::from_f64(1e12),
            radius_floor: T::from_f64(1e-8),
            exponent: T::ONE,
            test: ProgressTest::Hybrid,
            max_trials: 40,
        }
    }
}

impl<T: Real> RegularizedNewtonSettings<T> {
    /// The super-universal Newton method: λ = M‖g‖*^α with M = 1/γ four times as large after a rejected trial and a
    /// quarter after an accepted one, and the gradient test. α = ½ suits a Lipschitz Hessian, larger ones
    /// smoother functions. Source: N. Doikov, K. Mishchenko, Yu. Nesterov, Super-Universal Regularized Newton
    /// Method, 2022, algorithm 2.
    pub fn super_universal(exponent: T) -> Self {
        Self {
            growth: T::from_u32(4),
            shrink: T::from_f64(0.25),
            exponent,
            test: ProgressTest::Gradient,
            ..Self::default()
        }
    }

    /// Refuses settings outside of their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] with the name.
    pub fn validate(&self) -> Result<(), Error> {
        let positive = |value: T| value > T::ZERO && value.is_finite();
        for (name, value) in [
            ("initial_radius", self.initial_radius),
            ("smallest_radius", self.smallest_radius),
            ("largest_radius", self.largest_radius),
            ("radius_floor", self.radius_floor),
            ("exponent", self.exponent),
        ] {
            if !positive(value) {
                return Err(Error::Setting { name, expected: "finite and above 0" });
            }
        }
        if !(self.growth >= T::ONE && self.growth.is_finite()) {
            return Err(Error::Setting { name: "growth", expected: "finite and at least 1" });
        }
        if !(self.shrink > T::ZERO && self.shrink < T::ONE) {
            return Err(Error::Setting { name: "shrink", expected: "between 0 and 1" });
        }
        if self.smallest_radius > self.largest_radius {
            return Err(Error::Setting { name: "largest_radius", expected: "at least smallest_radius" });
        }
        if self.max_trials == 0 {
            return Err(Error::Setting { name: "max_trials", expected: "at least 1" });
        }
        Ok(())
    }
}

/// Newton's method with an approximate Hessian H, regularized by the gradient: x⁺ = x − (H + λB)⁻¹g with
/// λ = ‖g‖*^α/(γ + ε), where γ grows with every step that passes its test and shrinks with every trial that fails.
///
/// With α = 1, γ adapts to the largest length over which g + Hh predicts the gradient to within ‖g‖*‖h‖/γ, whatever
/// the class of smoothness; no constant of the function is asked for. Where H is exact the method ends like Newton's.
///
/// Shapes: n variables; H dense, factored by Cholesky, or of rank one, solved in O(n). Guarantees: f never rises by
/// the functional test; an indefinite H + λB, a step that overflows and a function that overflows count as failed
/// trials; after [`max_trials`](RegularizedNewtonSettings::max_trials) of them in a row the iterate stays where it
/// is. H is asked for once an iterate. Cost: a trial is an evaluation of f and g and n³/3 + 2n² flops (16n for a
/// Hessian of rank one in a diagonal metric); [`scalars`](RegularizedNewton::scalars) lent.
///
/// Source: A. Semenov, M. Jaggi, N. Doikov, Gradient-Normalized Smoothness for Optimization with Approximate
/// Hessians, 2025, algorithm 1 and its adaptive search; the hybrid test and the largest γ are this crate's, for
/// numbers of few digits.
///
/// ```
/// use quern_kernels::loss::{PowerHessian, PowerResidual, Rosenbrock};
/// use quern_kernels::optim::descent::{Metric, RegularizedNewton, RegularizedNewtonSettings, Status, Stop};
/// let mut problem = PowerResidual::new(Rosenbrock, 2.0, PowerHessian::Exact, [0.0; 4])?;
/// let memory = [0.0; RegularizedNewton::scalars(2)];
/// let mut solver = RegularizedNewton::new(RegularizedNewtonSettings::default(), memory)?;
/// let report = solver.solve(&mut problem, &Metric::identity(), &[-2.0, 2.0], &Stop::default())?;
/// assert_eq!(report.status, Status::Converged);
/// assert!(solver.solution().iter().all(|x: &f64| (x - 1.0).abs() < 1e-6));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RegularizedNewton<T, B> {
    settings: RegularizedNewtonSettings<T>,
    /// x, g, x⁺, g⁺, δ; then H and its diagonal, or q, B⁻¹q and B⁻¹g.
    memory: B,
    size: usize,
    state: State<T>,
    radius: T,
    shift: T,
    /// Whether H is that of the iterate.
    current: bool,
}

impl RegularizedNewton<(), ()> {
    /// Scalars to lend for n variables and a dense H: n² + 6n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(n).saturating_add(n.saturating_mul(VECTORS + 1))
    }

    /// Scalars to lend for n variables and an H of rank one: 8n.
    pub const fn rank_one_scalars(n: usize) -> usize {
        n.saturating_mul(VECTORS + 3)
    }
}

impl<T: Real, B: BorrowMut<[T]>> RegularizedNewton<T, B> {
    /// A workspace over lent memory.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: RegularizedNewtonSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        let state = State::new(T::ZERO, T::ZERO);
        let radius = settings.initial_radius.minimum(settings.largest_radius);
        Ok(Self { settings, memory, size: 0, state, radius, shift: T::ZERO, current: false })
    }

    /// Sets x₀ and γ₀. Cost: an evaluation of f and g.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if x₀, f or g is not finite; [`Error::Capacity`].
    pub fn start(
        &mut self,
        problem: &mut (impl Objective<T> + ?Sized),
        metric: &Metric<'_, T>,
        initial: &[T],
    ) -> Result<(), Error> {
        let n = problem.variables();
        metric.check(n)?;
        let required = match problem.curvature() {
            Curvature::Dense => RegularizedNewton::scalars(n),
            Curvature::RankOne => RegularizedNewton::rank_one_scalars(n),
        };
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let vectors = Vectors::split(memory, n).filter(|_| available >= required);
        let mut vectors = vectors.ok_or(shortage(required, available))?;
        let (value, norm) = vectors.start(problem, metric, initial)?;
        (self.size, self.state, self.current) = (n, State::new(value, norm), false);
        self.radius = self.settings.initial_radius.minimum(self.settings.largest_radius);
        Ok(())
    }

    /// One trial, bounded in cost; call it after a start, with the same problem and metric.
    ///
    /// # Errors
    /// Those of the problem other than a trial point that overflows; [`Error::Dimension`] before a start.
    pub fn step(
        &mut self,
        problem: &mut (impl Objective<T> + ?Sized),
        metric: &Metric<'_, T>,
    ) -> Result<Step, Error> {
        let n = problem.variables();
        crate::check_length("variables", n, self.size)?;
        metric.check(n)?;
        if self.state.gradient_norm <= T::ZERO {
            return Ok(Step::Stationary);
        }
        if self.state.rejected >= self.settings.max_trials {
            return Ok(Step::Stalled);
        }
        let available = self.memory.borrow_mut().len();
        let lacking = shortage(RegularizedNewton::scalars(n), available);
        let mut vectors = Vectors::split(self.memory.borrow_mut(), n).ok_or(lacking)?;
        let norm = self.state.gradient_norm;
        let power = if self.settings.exponent == T::ONE { norm } else { norm.powf(self.settings.exponent) };
        let shift = power / (self.radius + self.settings.radius_floor);
        self.shift = shift;
        self.state.trials = self.state.trials.saturating_add(1);
        let found = match problem.curvature() {
            Curvature::Dense => {
                let (mut kept, _) = Kept::split(core::mem::take(&mut vectors.rest), n).ok_or(lacking)?;
                if !self.current {
                    problem.hessian(vectors.x, kept.matrix)?;
                    kept.keep();
                }
                kept.restore();
                self.state.factorizations = self.state.factorizations.saturating_add(1);
                shifted_step(kept.matrix, metric, shift, vectors.gradient, vectors.direction).map(drop)
            }
            Curvature::RankOne => {
                let (q, rest) = core::mem::take(&mut vectors.rest).split_at_mut_checked(n).ok_or(lacking)?;
                let (w, rest) = rest.split_at_mut_checked(n).ok_or(lacking)?;
                let (v, _) = rest.split_at_mut_checked(n).ok_or(lacking)?;
                if !self.current {
                    problem.hessian(vectors.x, q)?;
                    metric.raise(q, w);
                    metric.raise(vectors.gradient, v);
                }
                rank_one_step(q, w, v, T::ONE, shift, vectors.direction)
            }
        };
        self.current = true;
        if found.is_err() {
            return Ok(self.reject());
        }
        let Some(value) = vectors.evaluate(problem)? else { return Ok(self.reject()) };
        let progress = -dot_unchecked(vectors.trial_gradient, vectors.direction);
        let Ok(norm) = metric.dual_norm(vectors.trial_gradient, vectors.direction) else {
            return Ok(self.reject());
        };
        let before = self.state.value;
        // ‖g⁺‖*²/(4λ), without the square of a large or small norm.
        let quarter = norm * (norm / shift) / T::from_u32(4);
        let by_gradient = match self.settings.test {
            ProgressTest::Functional => false,
            ProgressTest::Gradient => true,
            ProgressTest::Hybrid => cancels(before, value),
        };
        let passes =
            if by_gradient { progress >= quarter } else { before - value >= quarter / T::from_u32(2) };
        if !passes {
            return Ok(self.reject());
        }
        vectors.advance();
        self.current = false;
        let RegularizedNewtonSettings { growth, smallest_radius, largest_radius, .. } = self.settings;
        self.radius = (self.radius * growth).maximum(smallest_radius).minimum(largest_radius);
        Ok(self.state.accept(value, norm))
    }

    fn reject(&mut self) -> Step {
        self.radius *= self.settings.shrink;
        self.state.reject(self.settings.max_trials)
    }

    /// Starts at x₀ and steps until `stop` is met or the search stalls.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`step`](Self::step); [`Error::Setting`].
    pub fn solve(
        &mut self,
        problem: &mut (impl Objective<T> + ?Sized),
        metric: &Metric<'_, T>,
        initial: &[T],
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        self.start(problem, metric, initial)?;
        self.resume(problem, metric, stop)
    }

    /// Goes on from where a start, steps or a solve left off. The budget counts anew.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn resume(
        &mut self,
        problem: &mut (impl Objective<T> + ?Sized),
        metric: &Metric<'_, T>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        let report = run(self, |solver| solver.state, |solver| solver.step(problem, metric), stop)?;
        check_finite("iterate", self.solution())?;
        Ok(report)
    }

    /// The iterate: usable after a start and every step.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.size).unwrap_or_default()
    }

    /// γ of the next trial.
    pub fn radius(&self) -> T {
        self.radius
    }

    /// λ of the last trial; 0 before the first.
    pub fn shift(&self) -> T {
        self.shift
    }

    /// f at the iterate.
    pub fn value(&self) -> T {
        self.state.value
    }

    /// ‖∇f‖* at the iterate.
    pub fn gradient_norm(&self) -> T {
        self.state.gradient_norm
    }
}
