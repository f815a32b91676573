use super::memory::{Kept, shortage};
use super::report::{State, run};
use super::{Report, Residuals, Step, Stop};
use crate::blas::{self, dot_unchecked, norm2};
use crate::factor::Cholesky;
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// How [`LevenbergMarquardt`] damps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevenbergMarquardtSettings<T> {
    /// λ of the first trial, relative to the diagonal of JᵀJ.
    pub initial_damping: T,
    /// λ is no less.
    pub smallest_damping: T,
    /// Trials a step may take.
    pub max_trials: usize,
}

impl<T: Real> Default for LevenbergMarquardtSettings<T> {
    /// λ₀ = 1e-3, at least u² (u the distance from 1 to the next number), 40 trials.
    fn default() -> Self {
        Self { initial_damping: T::from_f64(1e-3), smallest_damping: T::EPSILON * T::EPSILON, max_trials: 40 }
    }
}

impl<T: Real> LevenbergMarquardtSettings<T> {
    /// Refuses settings outside of their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] with the name.
    pub fn validate(&self) -> Result<(), Error> {
        for (name, value) in
            [("initial_damping", self.initial_damping), ("smallest_damping", self.smallest_damping)]
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

/// Nonlinear least squares, min ½‖u(x)‖²: steps δ with (JᵀJ + λD)δ = −Jᵀu.
///
/// D is the largest diagonal of JᵀJ met so far (1 where that is 0), so that the units of the variables do not matter. A
/// trial passes if ‖u‖ falls; with ρ the fall over what the linear model promised, λ is then multiplied by
/// max(⅓, 1 − (2ρ − 1)³), and after a trial that fails by 2, 4, 8, ....
///
/// Shapes: u of m components and n variables, in any relation. Guarantees: ‖u‖ never rises; residuals that overflow and
/// a JᵀJ + λD that is not positive definite to working precision count as failed trials. Reports have the value
/// ½‖u‖² and the gradient norm ‖Jᵀu‖₂. By the normal equations a step has the relative error u·κ(J)², u the distance
/// from 1 to the next number, which slows the convergence of an ill-conditioned problem but moves no limit. Cost: a
/// trial is an evaluation of u and n³/3 + 2n² flops, an accepted one JᵀJ as well;
/// [`scalars`](LevenbergMarquardt::scalars) lent.
///
/// Source: K. Levenberg, A Method for the Solution of Certain Non-Linear Problems in Least Squares, 1944; J. J. Moré,
/// The Levenberg-Marquardt Algorithm: Implementation and Theory, 1978, section 6 (the scaling D); K. Madsen, H. B. Nielsen,
/// O. Tingleff, Methods for Non-Linear Least Squares Problems, 2004, equation (2.21) (the rule of λ).
///
/// ```
/// use quern_kernels::loss::Rosenbrock;
/// use quern_kernels::optim::descent::{LevenbergMarquardt, LevenbergMarquardtSettings, Status, Stop};
/// let memory = [0.0_f64; LevenbergMarquardt::scalars(2, 2)];
/// let mut solver = LevenbergMarquardt::new(LevenbergMarquardtSettings::default(), memory)?;
/// let report = solver.solve(&mut Rosenbrock, &[-1.2, 1.0], &Stop::default())?;
/// assert_eq!(report.status, Status::Converged);
/// assert!(solver.solution().iter().all(|x| (x - 1.0).abs() < 1e-8));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LevenbergMarquardt<T, B> {
    settings: LevenbergMarquardtSettings<T>,
    /// x, x⁺, g, δ, D, JᵀJ, its diagonal, u, u⁺.
    memory: B,
    rows: usize,
    size: usize,
    state: State<T>,
    damping: T,
    /// What a failed trial multiplies λ by.
    increase: T,
}

impl LevenbergMarquardt<(), ()> {
    /// Scalars to lend for m residuals of n variables: n² + 6n + 2m.
    pub const fn scalars(m: usize, n: usize) -> usize {
        n.saturating_mul(n).saturating_add(n.saturating_mul(6)).saturating_add(m.saturating_mul(2))
    }
}

/// The lent memory, cut.
struct Parts<'a, T> {
    x: &'a mut [T],
    trial: &'a mut [T],
    gradient: &'a mut [T],
    direction: &'a mut [T],
    scaling: &'a mut [T],
    kept: Kept<'a, T>,
    residuals: &'a mut [T],
    trial_residuals: &'a mut [T],
}

impl<'a, T: Real> Parts<'a, T> {
    fn split(memory: &'a mut [T], m: usize, n: usize) -> Result<Self, Error> {
        let lacking = shortage(LevenbergMarquardt::scalars(m, n), memory.len());
        Self::cut(memory, m, n).ok_or(lacking)
    }

    fn cut(memory: &'a mut [T], m: usize, n: usize) -> Option<Self> {
        let (x, memory) = memory.split_at_mut_checked(n)?;
        let (trial, memory) = memory.split_at_mut_checked(n)?;
        let (gradient, memory) = memory.split_at_mut_checked(n)?;
        let (direction, memory) = memory.split_at_mut_checked(n)?;
        let (scaling, memory) = memory.split_at_mut_checked(n)?;
        let (kept, memory) = Kept::split(memory, n)?;
        let (residuals, memory) = memory.split_at_mut_checked(m)?;
        let (trial_residuals, _) = memory.split_at_mut_checked(m)?;
        Some(Self { x, trial, gradient, direction, scaling, kept, residuals, trial_residuals })
    }

    /// Jᵀu, JᵀJ and D at x; ‖Jᵀu‖.
    fn linearize(&mut self, problem: &mut (impl Residuals<T> + ?Sized)) -> Result<T, Error> {
        problem.normal_equations(self.x, self.residuals, self.gradient, self.kept.matrix)?;
        self.kept.keep();
        check_finite("diagonal of JᵀJ", self.kept.diagonal())?;
        for (scale, &entry) in self.scaling.iter_mut().zip(self.kept.diagonal()) {
            *scale = scale.maximum(entry);
        }
        let norm = norm2(self.gradient);
        check_finite("gradient", &[norm])?;
        Ok(norm)
    }
}

/// ½‖u‖².
fn half_square<T: Real>(residuals: &[T]) -> T {
    dot_unchecked(residuals, residuals) * T::from_f64(0.5)
}

impl<T: Real, B: BorrowMut<[T]>> LevenbergMarquardt<T, B> {
    /// A workspace over lent memory.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: LevenbergMarquardtSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        let (state, damping) = (State::new(T::ZERO, T::ZERO), settings.initial_damping);
        Ok(Self { settings, memory, rows: 0, size: 0, state, damping, increase: T::from_u32(2) })
    }

    /// Sets x₀ and λ₀. Cost: an evaluation of u and JᵀJ.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if x₀, ½‖u‖² or the normal equations are not finite;
    /// [`Error::Capacity`].
    pub fn start(&mut self, problem: &mut (impl Residuals<T> + ?Sized), initial: &[T]) -> Result<(), Error> {
        let (m, n) = (problem.rows(), problem.columns());
        check_length("initial point", initial.len(), n)?;
        check_finite("initial point", initial)?;
        let mut parts = Parts::split(self.memory.borrow_mut(), m, n)?;
        blas::copy(initial, parts.x)?;
        parts.scaling.fill(T::ZERO);
        problem.residuals(parts.x, parts.residuals)?;
        let value = half_square(parts.residuals);
        check_finite("value", &[value])?;
        let norm = parts.linearize(problem)?;
        (self.rows, self.size, self.state) = (m, n, State::new(value, norm));
        (self.damping, self.increase) = (self.settings.initial_damping, T::from_u32(2));
        Ok(())
    }

    /// One trial, bounded in cost; call it after a start, with the same problem.
    ///
    /// # Errors
    /// Those of the problem other than a trial point that overflows; [`Error::Dimension`] before a start.
    pub fn step(&mut self, problem: &mut (impl Residuals<T> + ?Sized)) -> Result<Step, Error> {
        check_length("residuals", problem.rows(), self.rows)?;
        check_length("variables", problem.columns(), self.size)?;
        if self.state.gradient_norm <= T::ZERO {
            return Ok(Step::Stationary);
        }
        if self.state.rejected >= self.settings.max_trials {
            return Ok(Step::Stalled);
        }
        self.state.trials = self.state.trials.saturating_add(1);
        let mut parts = Parts::split(self.memory.borrow_mut(), self.rows, self.size)?;
        let Some(value) = try_step(problem, &mut parts, self.damping, &mut self.state)? else {
            return Ok(self.reject());
        };
        // ½δᵀ(λDδ − g), what the linear model promised.
        let mut promised = T::NEGATIVE_ZERO;
        for ((&step, &scale), &gradient) in
            parts.direction.iter().zip(parts.scaling.iter()).zip(parts.gradient.iter())
        {
            promised += step * (self.damping * damped(scale) * step - gradient);
        }
        let promised = promised * T::from_f64(0.5);
        let fall = self.state.value - value;
        if fall <= T::ZERO {
            return Ok(self.reject());
        }
        // Of equal lengths; back again if the new point has no normal equations.
        let _ = blas::swap(parts.x, parts.trial);
        let _ = blas::swap(parts.residuals, parts.trial_residuals);
        let norm = match parts.linearize(problem) {
            Ok(norm) => norm,
            Err(Error::NonFinite { .. }) => {
                let _ = blas::swap(parts.x, parts.trial);
                let _ = blas::swap(parts.residuals, parts.trial_residuals);
                parts.linearize(problem)?;
                return Ok(self.reject());
            }
            Err(error) => return Err(error),
        };
        let ratio = if promised > T::ZERO { (fall / promised).minimum(T::ONE) } else { T::ONE };
        let slack = ratio + ratio - T::ONE;
        let factor = (T::ONE - slack * slack * slack).maximum(T::from_f64(1.0 / 3.0));
        self.damping = (self.damping * factor).maximum(self.settings.smallest_damping);
        self.increase = T::from_u32(2);
        Ok(self.state.accept(value, norm))
    }

    fn reject(&mut self) -> Step {
        // 2^40·40!/2 … overflows f32: there the step is long below rounding.
        self.damping = (self.damping * self.increase).minimum(T::MAX * T::EPSILON);
        self.increase = self.increase + self.increase;
        self.state.reject(self.settings.max_trials)
    }

    /// Starts at x₀ and steps until `stop` is met or nothing shorter is left to try.
    ///
    /// # Errors
    /// As [`start`](Self::start) and [`step`](Self::step); [`Error::Setting`].
    pub fn solve(
        &mut self,
        problem: &mut (impl Residuals<T> + ?Sized),
        initial: &[T],
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        self.start(problem, initial)?;
        self.resume(problem, stop)
    }

    /// Goes on from where a start, steps or a solve left off. The budget counts anew.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn resume(
        &mut self,
        problem: &mut (impl Residuals<T> + ?Sized),
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        let report = run(self, |solver| solver.state, |solver| solver.step(problem), stop)?;
        check_finite("iterate", self.solution())?;
        Ok(report)
    }

    /// The iterate: usable after a start and every step.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.size).unwrap_or_default()
    }

    /// λ of the next trial.
    pub fn damping(&self) -> T {
        self.damping
    }
}

/// An entry of D: 1 for a variable that no residual has depended on so far.
fn damped<T: Real>(scale: T) -> T {
    if scale > T::ZERO { scale } else { T::ONE }
}

/// δ, x⁺ and u⁺; ½‖u⁺‖², or `None` where the trial fails.
fn try_step<T: Real>(
    problem: &mut (impl Residuals<T> + ?Sized),
    parts: &mut Parts<'_, T>,
    damping: T,
    state: &mut State<T>,
) -> Result<Option<T>, Error> {
    let n = parts.x.len();
    parts.kept.restore();
    let diagonal = parts.kept.matrix.iter_mut().step_by(n.saturating_add(1));
    for (entry, &scale) in diagonal.zip(parts.scaling.iter()) {
        *entry += damping * damped(scale);
    }
    state.factorizations = state.factorizations.saturating_add(1);
    let Ok(factors) = Cholesky::factor(n, &mut *parts.kept.matrix) else { return Ok(None) };
    for (step, &gradient) in parts.direction.iter_mut().zip(parts.gradient.iter()) {
        *step = -gradient;
    }
    factors.solve(parts.direction)?;
    for ((trial, &x), &step) in parts.trial.iter_mut().zip(parts.x.iter()).zip(parts.direction.iter()) {
        *trial = x + step;
    }
    if check_finite("trial", parts.trial).is_err() {
        return Ok(None);
    }
    match problem.residuals(parts.trial, parts.trial_residuals) {
        Ok(()) => Ok(Some(half_square(parts.trial_residuals)).filter(|value| value.is_finite())),
        Err(Error::NonFinite { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::LinearResiduals;
    use crate::optim::descent::Status;

    fn solver() -> LevenbergMarquardt<f64, [f64; LevenbergMarquardt::scalars(3, 2)]> {
        LevenbergMarquardt::new(LevenbergMarquardtSettings::default(), [0.0; 22]).unwrap()
    }

    #[test]
    fn a_linear_problem_ends_at_the_normal_equations() {
        // Columns (1, 1, 1) and (0, 1, 2), b = (1, 2, 4): the line 5/6 + 3/2 t.
        let mut problem = LinearResiduals::new(&[1.0, 1.0, 1.0, 0.0, 1.0, 2.0], &[1.0, 2.0, 4.0]).unwrap();
        let mut solver = solver();
        let stop = Stop { gradient_tolerance: 1e-13, ..Stop::default() };
        let report = solver.solve(&mut problem, &[0.0, 0.0], &stop).unwrap();
        assert_eq!(report.status, Status::Converged);
        // The residuals are (1, -2, 1)/6.
        assert!((report.value - 1.0 / 12.0).abs() < 1e-15, "{report:?}");
        let [a, b] = [solver.solution()[0], solver.solution()[1]];
        assert!((a - 5.0 / 6.0).abs() < 1e-13 && (b - 1.5).abs() < 1e-13);
    }

    #[test]
    fn a_variable_nothing_depends_on_stays() {
        let mut problem = LinearResiduals::new(&[1.0, 2.0, 3.0, 0.0, 0.0, 0.0], &[2.0, 4.0, 6.0]).unwrap();
        let mut solver = solver();
        let report = solver.solve(&mut problem, &[0.0, 7.0], &Stop::default()).unwrap();
        assert_eq!(report.status, Status::Converged);
        assert!((solver.solution()[0] - 2.0).abs() < 1e-8);
        assert_eq!(solver.solution()[1], 7.0);
    }

    #[test]
    fn misuse_is_refused() {
        let mut problem = LinearResiduals::new(&[1.0, 2.0], &[1.0, 1.0]).unwrap();
        let mut solver = solver();
        assert!(matches!(solver.step(&mut problem), Err(Error::Dimension { .. })));
        assert!(solver.start(&mut problem, &[1.0, 1.0]).is_err());
        let infinite = solver.start(&mut problem, &[f64::NAN]);
        assert_eq!(infinite, Err(Error::NonFinite { what: "initial point", index: 0 }));
        let settings = LevenbergMarquardtSettings { initial_damping: 0.0, ..Default::default() };
        assert!(LevenbergMarquardt::new(settings, [0.0; 22]).is_err());
        let mut small = LevenbergMarquardt::new(LevenbergMarquardtSettings::default(), [0.0; 5]).unwrap();
        assert!(matches!(small.start(&mut problem, &[1.0]), Err(Error::Capacity { .. })));
    }
}
