use super::memory::{VECTORS, Vectors, shortage};
use super::report::{State, run};
use super::{Metric, Objective, Report, Step, Stop};
use crate::blas::dot_unchecked;
use crate::optim::line_search::{self, Armijo, ArmijoSettings};
use crate::{Error, Real, check_finite};
use core::borrow::BorrowMut;

/// How [`GradientDescent`] searches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientDescentSettings<T> {
    /// η of the first trial.
    pub initial_step_length: T,
    /// Times η after an accepted trial.
    pub growth: T,
    /// How a step backtracks.
    pub search: ArmijoSettings<T>,
}

impl<T: Real> Default for GradientDescentSettings<T> {
    /// η₀ = 1, growth 2, a search with c₁ = ¼ and 60 trials.
    fn default() -> Self {
        let search = ArmijoSettings {
            sufficient_decrease: T::from_f64(0.25),
            max_evaluations: 60,
            ..ArmijoSettings::default()
        };
        Self { initial_step_length: T::ONE, growth: T::from_u32(2), search }
    }
}

impl<T: Real> GradientDescentSettings<T> {
    /// Refuses settings outside of their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] with the name.
    pub fn validate(&self) -> Result<(), Error> {
        if !(self.initial_step_length > T::ZERO && self.initial_step_length.is_finite()) {
            return Err(Error::Setting { name: "initial_step_length", expected: "finite and above 0" });
        }
        if !(self.growth >= T::ONE && self.growth.is_finite()) {
            return Err(Error::Setting { name: "growth", expected: "finite and at least 1" });
        }
        self.search.validate()
    }
}

/// Gradient descent with backtracking: x⁺ = x − ηB⁻¹g with f(x⁺) ≤ f(x) − c₁η‖g‖*², where η is searched for by
/// [`Armijo`] and grows after every step.
///
/// Shapes: n variables. Guarantees: f falls with every step, but for rounding, where the slopes decide as the search
/// documents; with an L-Lipschitz gradient, η is never below min(η₀, (1 − c₁)/(5L)). A function that overflows counts as a
/// failed trial. Cost: a trial is an evaluation of f and g and 8n flops; 5n scalars lent. Source: as [`Armijo`].
///
/// ```
/// use quern_kernels::loss::{LinearResiduals, PowerHessian, PowerResidual};
/// use quern_kernels::optim::descent::{GradientDescent, GradientDescentSettings, Metric, Status, Stop};
/// let residuals = LinearResiduals::new(&[2.0, 0.0, 0.0, 1.0], &[2.0, 3.0])?;
/// let mut problem = PowerResidual::new(residuals, 2.0, PowerHessian::Exact, [0.0; 4])?;
/// let mut solver = GradientDescent::new(GradientDescentSettings::default(), [0.0_f64; 10])?;
/// let report = solver.solve(&mut problem, &Metric::identity(), &[0.0, 0.0], &Stop::default())?;
/// assert_eq!(report.status, Status::Converged);
/// assert!((solver.solution()[1] - 3.0).abs() < 1e-7);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradientDescent<T, B> {
    settings: GradientDescentSettings<T>,
    /// x, g, x⁺, g⁺, δ.
    memory: B,
    size: usize,
    state: State<T>,
    step_length: T,
    /// The search of the step that is under way.
    search: Option<Armijo<T>>,
}

impl GradientDescent<(), ()> {
    /// Scalars to lend for n variables: 5n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(VECTORS)
    }
}

impl<T: Real, B: BorrowMut<[T]>> GradientDescent<T, B> {
    /// A workspace over lent memory.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: GradientDescentSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        let state = State::new(T::ZERO, T::ZERO);
        Ok(Self { settings, memory, size: 0, state, step_length: settings.initial_step_length, search: None })
    }

    /// Sets x₀ and η₀. Cost: an evaluation of f and g.
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
        let memory = self.memory.borrow_mut();
        let lacking = shortage(GradientDescent::scalars(n), memory.len());
        let mut vectors = Vectors::split(memory, n).ok_or(lacking)?;
        let (value, norm) = vectors.start(problem, metric, initial)?;
        (self.size, self.state) = (n, State::new(value, norm));
        (self.step_length, self.search) = (self.settings.initial_step_length, None);
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
        let norm = self.state.gradient_norm;
        let mut search = match self.search {
            Some(search) => search,
            // Where the square of the norm over- or underflows, no decrease can be asked for.
            None => {
                match Armijo::start(self.settings.search, self.state.value, -norm * norm, self.step_length) {
                    Ok(search) => search,
                    Err(_) => return Ok(Step::Stalled),
                }
            }
        };
        let memory = self.memory.borrow_mut();
        let lacking = shortage(GradientDescent::scalars(n), memory.len());
        let mut vectors = Vectors::split(memory, n).ok_or(lacking)?;
        self.state.trials = self.state.trials.saturating_add(1);
        metric.raise(vectors.gradient, vectors.direction);
        for entry in vectors.direction.iter_mut() {
            *entry = -(search.step_length() * *entry);
        }
        let found = vectors.evaluate(problem)?;
        // −η‖g‖*² and −η⟨g⁺, B⁻¹g⟩.
        let slope = dot_unchecked(vectors.gradient, vectors.direction);
        let trial_slope = dot_unchecked(vectors.trial_gradient, vectors.direction);
        let norm = metric.dual_norm(vectors.trial_gradient, vectors.direction);
        // The search takes infinity for a step too long.
        let value = match (found, &norm) {
            (Some(value), Ok(_)) => value,
            _ => T::INFINITY,
        };
        match (search.step_on_path(value, slope, trial_slope), norm) {
            (line_search::Step::Accepted, Ok(norm)) => {
                vectors.advance();
                let longer = search.step_length() * self.settings.growth;
                (self.step_length, self.search) = (longer.minimum(T::MAX * T::EPSILON), None);
                Ok(self.state.accept(value, norm))
            }
            (line_search::Step::Failed, _) => Ok(Step::Stalled),
            _ => {
                (self.step_length, self.search) = (search.step_length(), Some(search));
                Ok(self.state.reject(usize::MAX))
            }
        }
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

    /// η of the next trial.
    pub fn step_length(&self) -> T {
        self.step_length
    }
}
