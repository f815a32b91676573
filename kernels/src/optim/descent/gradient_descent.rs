use super::memory::{VECTORS, Vectors, shortage};
use super::report::{State, run};
use super::{Metric, Objective, Report, Step, Stop, cancels};
use crate::blas::dot_unchecked;
use crate::{Error, Real, check_finite};
use core::borrow::BorrowMut;

/// How [`GradientDescent`] searches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientDescentSettings<T> {
    /// η of the first trial.
    pub initial_step_length: T,
    /// c of Armijo's condition.
    pub sufficient_decrease: T,
    /// Times η after an accepted trial.
    pub growth: T,
    /// Times η after a rejected one.
    pub shrink: T,
    /// Trials a step may take.
    pub max_trials: usize,
}

impl<T: Real> Default for GradientDescentSettings<T> {
    /// η₀ = 1, c = ½, growth 2, shrink ½, 60 trials.
    fn default() -> Self {
        let half = T::from_f64(0.5);
        Self {
            initial_step_length: T::ONE,
            sufficient_decrease: half,
            growth: T::from_u32(2),
            shrink: half,
            max_trials: 60,
        }
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
        for (name, value) in [("sufficient_decrease", self.sufficient_decrease), ("shrink", self.shrink)] {
            if !(value > T::ZERO && value < T::ONE) {
                return Err(Error::Setting { name, expected: "between 0 and 1" });
            }
        }
        if !(self.growth >= T::ONE && self.growth.is_finite()) {
            return Err(Error::Setting { name: "growth", expected: "finite and at least 1" });
        }
        if self.max_trials == 0 {
            return Err(Error::Setting { name: "max_trials", expected: "at least 1" });
        }
        Ok(())
    }
}

/// Gradient descent with backtracking: x⁺ = x − ηB⁻¹g, where η shrinks until f(x⁺) ≤ f(x) − cη‖g‖*² and grows after
/// every step.
///
/// Shapes: n variables. Guarantees: f falls with every step, but for rounding: where |f − f⁺| ≤ 16u|f| (u the distance
/// from 1 to the next number), a trial passes if ⟨g⁺, B⁻¹g⟩ ≥ (2c − 1)‖g‖*², which on a quadratic is the same condition.
/// With c = ½ and an L-Lipschitz gradient, η is never below min(η₀, shrink/L). A function that overflows counts as a failed trial. Cost: a trial is an evaluation of f and g
/// and 8n flops; 5n scalars lent. Source: L. Armijo, Minimization of Functions Having Lipschitz Continuous First Partial
/// Derivatives, 1966; the condition without cancellation as the approximate Wolfe condition of W. W. Hager, H. Zhang, A New
/// Conjugate Gradient Method with Guaranteed Descent and an Efficient Line Search, 2005, equation (4.1).
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
        Ok(Self { settings, memory, size: 0, state, step_length: settings.initial_step_length })
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
        self.step_length = self.settings.initial_step_length;
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
        if !(self.state.gradient_norm > T::ZERO) {
            return Ok(Step::Stationary);
        }
        let GradientDescentSettings { sufficient_decrease, growth, shrink, max_trials, .. } = self.settings;
        if self.state.rejected >= max_trials {
            return Ok(Step::Stalled);
        }
        let memory = self.memory.borrow_mut();
        let lacking = shortage(GradientDescent::scalars(n), memory.len());
        let mut vectors = Vectors::split(memory, n).ok_or(lacking)?;
        self.state.trials = self.state.trials.saturating_add(1);
        metric.raise(vectors.gradient, vectors.direction);
        for entry in vectors.direction.iter_mut() {
            *entry = -(self.step_length * *entry);
        }
        let found = vectors.evaluate(problem)?;
        // −η‖g‖*² and −η⟨g⁺, B⁻¹g⟩.
        let slope = dot_unchecked(vectors.gradient, vectors.direction);
        let trial_slope = dot_unchecked(vectors.trial_gradient, vectors.direction);
        let passed = found.filter(|&value| {
            if cancels(self.state.value, value) {
                trial_slope <= (sufficient_decrease + sufficient_decrease - T::ONE) * slope
            } else {
                value <= self.state.value + sufficient_decrease * slope
            }
        });
        let norm = metric.dual_norm(vectors.trial_gradient, vectors.direction);
        let (Some(value), Ok(norm)) = (passed, norm) else {
            self.step_length = self.step_length * shrink;
            return Ok(self.state.reject(max_trials));
        };
        vectors.advance();
        self.step_length = (self.step_length * growth).minimum(T::MAX * T::EPSILON);
        Ok(self.state.accept(value, norm))
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
