use super::memory::{Kept, VECTORS, Vectors, shortage};
use super::report::{State, run};
use super::step::shifted_step;
use super::{Curvature, Metric, Objective, Report, Step, Stop, cancels};
use crate::blas::dot_unchecked;
use crate::{Error, Real, check_finite};
use core::borrow::BorrowMut;

/// Matrices a trial may factor.
const MAX_FACTORIZATIONS: usize = 60;

/// How [`CubicNewton`] adapts M.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CubicNewtonSettings<T> {
    /// M of the first trial.
    pub initial_constant: T,
    /// M is no less.
    pub smallest_constant: T,
    /// Trials a step may take.
    pub max_trials: usize,
}

impl<T: Real> Default for CubicNewtonSettings<T> {
    /// M₀ = 1, at least 1e-9, 40 trials.
    fn default() -> Self {
        Self { initial_constant: T::ONE, smallest_constant: T::from_f64(1e-9), max_trials: 40 }
    }
}

impl<T: Real> CubicNewtonSettings<T> {
    /// Refuses settings outside of their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] with the name.
    pub fn validate(&self) -> Result<(), Error> {
        for (name, value) in
            [("initial_constant", self.initial_constant), ("smallest_constant", self.smallest_constant)]
        {
            if !(value > T::ZERO && value.is_finite()) {
                return Err(Error::Setting { name, expected: "finite and above 0" });
            }
        }
        if self.max_trials == 0 {
            return Err(Error::Setting { name: "max_trials", expected: "at least 1" });
        }
        Ok(())
    }
}

/// Newton's method with cubic regularization: δ minimizes gᵀδ + ½δᵀHδ + (M/6)‖δ‖³, where M halves after a step that
/// does no worse than this model promises and doubles after a trial that does.
///
/// The minimizer is −(H + λB)⁻¹g with λ = (M/2)‖δ‖; λ is found by Newton's method on λ − (M/2)‖δ(λ)‖, which is concave
/// and rising where H + λB is positive definite, safeguarded by bisection, to a relative √u (u the distance from 1 to
/// the next number). The hard case, in which g has no part along the lowest eigenvector, is taken by the nearest λ that
/// is not singular.
///
/// Shapes: n variables, H dense. Guarantees: f falls with every step, but for rounding: where |f − f⁺| ≤ 16u|f|, a
/// trial passes if ‖g⁺‖* ≤ M‖δ‖². A function that overflows counts as a failed trial. Cost: a trial is an evaluation of f and g and
/// at most 60 factorizations of n³/3 flops, 3 to 6 usual; [`scalars`](CubicNewton::scalars) lent.
///
/// Source: Yu. Nesterov, B. T. Polyak, Cubic Regularization of Newton Method and its Global Performance, 2006,
/// equations (2.4), (3.3) and section 5.2; the search in λ: A. R. Conn, N. I. M. Gould, Ph. L. Toint, Trust-Region
/// Methods, 2000, section 7.3.
///
/// ```
/// use quern_kernels::loss::{PowerHessian, PowerResidual, Rosenbrock};
/// use quern_kernels::optim::descent::{CubicNewton, CubicNewtonSettings, Metric, Status, Stop};
/// let mut problem = PowerResidual::new(Rosenbrock, 2.0, PowerHessian::Exact, [0.0; 4])?;
/// let mut solver = CubicNewton::new(CubicNewtonSettings::default(), [0.0_f64; CubicNewton::scalars(2)])?;
/// let report = solver.solve(&mut problem, &Metric::identity(), &[-2.0, 2.0], &Stop::default())?;
/// assert_eq!(report.status, Status::Converged);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CubicNewton<T, B> {
    settings: CubicNewtonSettings<T>,
    /// x, g, x⁺, g⁺, δ, H, its diagonal, Bδ.
    memory: B,
    size: usize,
    state: State<T>,
    constant: T,
    current: bool,
}

impl CubicNewton<(), ()> {
    /// Scalars to lend for n variables: n² + 7n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(n).saturating_add(n.saturating_mul(VECTORS + 2))
    }
}

impl<T: Real, B: BorrowMut<[T]>> CubicNewton<T, B> {
    /// A workspace over lent memory.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: CubicNewtonSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        let state = State::new(T::ZERO, T::ZERO);
        Ok(Self { settings, memory, size: 0, state, constant: settings.initial_constant, current: false })
    }

    /// Sets x₀ and M₀. Cost: an evaluation of f and g.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if x₀, f or g is not finite; [`Error::Capacity`]; [`Error::Setting`]
    /// for a problem whose H is not dense.
    pub fn start(
        &mut self,
        problem: &mut (impl Objective<T> + ?Sized),
        metric: &Metric<'_, T>,
        initial: &[T],
    ) -> Result<(), Error> {
        let n = problem.variables();
        metric.check(n)?;
        if problem.curvature() != Curvature::Dense {
            return Err(Error::Setting { name: "curvature", expected: "dense" });
        }
        let required = CubicNewton::scalars(n);
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let vectors = Vectors::split(memory, n).filter(|_| available >= required);
        let mut vectors = vectors.ok_or(shortage(required, available))?;
        let (value, norm) = vectors.start(problem, metric, initial)?;
        (self.size, self.state, self.current) = (n, State::new(value, norm), false);
        self.constant = self.settings.initial_constant;
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
        let memory = self.memory.borrow_mut();
        let lacking = shortage(CubicNewton::scalars(n), memory.len());
        let mut vectors = Vectors::split(memory, n).ok_or(lacking)?;
        let (mut kept, rest) = Kept::split(core::mem::take(&mut vectors.rest), n).ok_or(lacking)?;
        let (lowered, _) = rest.split_at_mut_checked(n).ok_or(lacking)?;
        if !self.current {
            problem.hessian(vectors.x, kept.matrix)?;
            kept.keep();
            self.current = true;
        }
        self.state.trials = self.state.trials.saturating_add(1);
        let search = Search { metric, gradient: vectors.gradient, constant: self.constant };
        let (found, factorizations) =
            search.run(self.state.gradient_norm, &mut kept, vectors.direction, lowered);
        self.state.factorizations = self.state.factorizations.saturating_add(factorizations);
        let Some((shift, length)) = found else { return Ok(self.reject()) };
        // δᵀHδ = −gᵀδ − λ‖δ‖², and λ = (M/2)‖δ‖: gᵀδ + ½δᵀHδ + (M/6)‖δ‖³.
        let slope = dot_unchecked(vectors.gradient, vectors.direction);
        let cube = self.constant * length * length * length / T::from_u32(6);
        let half = T::from_f64(0.5);
        let model = slope - half * (slope + shift * length * length) + cube;
        let Some(value) = vectors.evaluate(problem)? else { return Ok(self.reject()) };
        let Ok(norm) = metric.dual_norm(vectors.trial_gradient, vectors.direction) else {
            return Ok(self.reject());
        };
        let passes = if cancels(self.state.value, value) {
            norm <= self.constant * length * length
        } else {
            model < T::ZERO && value - self.state.value <= model
        };
        if !passes {
            return Ok(self.reject());
        }
        vectors.advance();
        self.current = false;
        self.constant = (self.constant * half).maximum(self.settings.smallest_constant);
        Ok(self.state.accept(value, norm))
    }

    fn reject(&mut self) -> Step {
        self.constant = (self.constant + self.constant).minimum(T::MAX * T::EPSILON);
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

    /// M of the next trial.
    pub fn constant(&self) -> T {
        self.constant
    }
}

/// The search for λ = (M/2)‖δ(λ)‖.
struct Search<'a, 'm, T> {
    metric: &'a Metric<'m, T>,
    gradient: &'a [T],
    constant: T,
}

impl<T: Real> Search<'_, '_, T> {
    /// λ and ‖δ‖ with δ in `direction`, if found; and how many matrices were factored.
    fn run(
        &self,
        gradient_norm: T,
        kept: &mut Kept<'_, T>,
        direction: &mut [T],
        lowered: &mut [T],
    ) -> (Option<(T, T)>, usize) {
        let half = T::from_f64(0.5) * self.constant;
        let tolerance = T::EPSILON.sqrt();
        // Where H ⪰ 0, ‖δ‖ ≤ ‖g‖*/λ, so that λ² ≤ (M/2)‖g‖*.
        let mut shift = half.sqrt() * gradient_norm.sqrt();
        let (mut below, mut above) = (T::ZERO, None);
        for factorization in 1..=MAX_FACTORIZATIONS {
            kept.restore();
            let solved = shifted_step(kept.matrix, self.metric, shift, self.gradient, direction);
            let next = match solved {
                Ok(factors) => {
                    self.metric.lower(direction, lowered);
                    let length = dot_unchecked(direction, lowered).sqrt();
                    let excess = shift - half * length;
                    let narrow = above.is_some_and(|above: T| above - below <= tolerance * above);
                    if excess.abs() <= tolerance * shift || (narrow && excess >= T::ZERO) {
                        return (length.is_finite().then_some((shift, length)), factorization);
                    }
                    if excess > T::ZERO {
                        above = Some(shift);
                    } else {
                        below = shift;
                    }
                    // −‖δ‖·d‖δ‖/dλ = (Bδ)ᵀ(H + λB)⁻¹Bδ = ‖L⁻¹Bδ‖².
                    let _ = crate::blas::solve_lower(
                        self.gradient.len(),
                        crate::blas::Diagonal::Stored,
                        factors.lower(),
                        lowered,
                    );
                    let slope = T::ONE + half * dot_unchecked(lowered, lowered) / length;
                    shift - excess / slope
                }
                Err(Error::NotPositiveDefinite { .. }) => {
                    below = shift;
                    T::ZERO
                }
                Err(_) => return (None, factorization),
            };
            shift = match above {
                Some(above) if next > below && next < above => next,
                Some(above) => below + (above - below) * T::from_f64(0.5),
                None if next > below && next.is_finite() => next,
                None => below + below + T::MIN_POSITIVE,
            };
        }
        (None, MAX_FACTORIZATIONS)
    }
}
