use super::iterate::{Iterate, check_positive, check_shapes, cut, scalars};
use super::report::{Counts, run};
use super::{EqualityProgram, Report, Status, Step};
use crate::blas::{axpy, copy, dot, gemm_transposed_left, gemv_transposed, norm2};
use crate::factor::Cholesky;
use crate::optim::line_search::ArmijoSettings;
use crate::{Error, Real, check_finite};
use core::borrow::BorrowMut;

/// Shifts of a Hessian that is not positive definite, tenfold each.
const MAX_SHIFTS: usize = 20;

/// What an [`AugmentedLagrangian`] goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AugmentedLagrangianSettings<T> {
    /// μ at the start.
    pub penalty: T,
    /// What μ is multiplied by at each update of the multipliers, at least 1.
    pub penalty_growth: T,
    /// The size of the gradient of the augmented Lagrangian at which the multipliers are updated, at the start.
    pub inner_tolerance: T,
    /// What the inner tolerance is multiplied by at each update, in (0, 1]; it stays above a tenth of the tolerance.
    pub inner_decay: T,
    /// ‖(∇ₓL; c)‖₂ asked for.
    pub tolerance: T,
    /// Newton steps and updates together.
    pub max_iterations: usize,
}

impl<T: Real> Default for AugmentedLagrangianSettings<T> {
    /// μ = 1, times 1.5; inner tolerance 0.1, times 0.1; tolerance 10⁻⁴; 10⁴ steps.
    fn default() -> Self {
        let tenth = T::from_f64(0.1);
        Self {
            penalty: T::ONE,
            penalty_growth: T::from_f64(1.5),
            inner_tolerance: tenth,
            inner_decay: tenth,
            tolerance: T::from_f64(1e-4),
            max_iterations: 10_000,
        }
    }
}

impl<T: Real> AugmentedLagrangianSettings<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        check_positive("penalty", self.penalty)?;
        check_positive("inner_tolerance", self.inner_tolerance)?;
        check_positive("inner_decay", self.inner_decay)?;
        check_positive("tolerance", self.tolerance)?;
        if !(self.penalty_growth >= T::ONE && self.penalty_growth <= T::from_f64(1e3)) {
            return Err(Error::Setting { name: "penalty_growth", expected: "from 1 to 1000" });
        }
        if self.inner_decay > T::ONE {
            return Err(Error::Setting { name: "inner_decay", expected: "at most 1" });
        }
        Ok(())
    }
}

/// The method of multipliers: Newton's method on A(x) = f + λᵀc + (μ/2)‖c‖², then λ ← λ + μc.
///
/// A step is one Newton step, −(W(x, λ + μc) + μGᵀG + τI)⁻¹∇A with the smallest τ of 0, ‖·‖_F·10⁻³, ‖·‖_F·10⁻², … for
/// which Cholesky's factorization exists, its length by [`Armijo`](crate::optim::line_search::Armijo) on A; or, where ‖∇A‖₂ is at most the inner tolerance,
/// an update of λ and μ.
///
/// Shapes: those of the [`EqualityProgram`]. Guarantees: as [`SketchedSqp`](super::SketchedSqp); the Jacobian may have
/// any rank, and no KKT system is solved; the rate of the updates is linear with the factor of order 1/μ. Cost of a step:
/// an evaluation of everything and one of f, c, ∇f and G for each trial, of 50 at most; n³/3 + mn² flops for each of at
/// most 21 factorizations. [`scalars`](AugmentedLagrangian::scalars) lent. Source: M. R. Hestenes, Multiplier and
/// Gradient Methods, JOTA 4 (1969); J. Nocedal, S. J. Wright, Numerical Optimization, framework 17.3.
#[derive(Clone, Debug)]
pub struct AugmentedLagrangian<T, B> {
    memory: B,
    settings: AugmentedLagrangianSettings<T>,
    variables: usize,
    constraints: usize,
    penalty: T,
    inner_tolerance: T,
    counts: Counts,
    step_length: T,
    objective: T,
}

/// The lent memory by purpose.
struct Parts<'a, T> {
    iterate: Iterate<'a, T>,
    /// n², the factors.
    factors: &'a mut [T],
    /// λ + μc.
    estimate: &'a mut [T],
    /// (Δx; 0).
    direction: &'a mut [T],
    /// The point a line search starts from.
    origin: &'a mut [T],
}

fn parts<T: Real>(memory: &mut [T], n: usize, m: usize) -> Option<Parts<'_, T>> {
    let size = n.checked_add(m)?;
    let mut rest = memory;
    Some(Parts {
        iterate: Iterate::cut(&mut rest, n, m)?,
        factors: cut(&mut rest, n.checked_mul(n)?)?,
        estimate: cut(&mut rest, m)?,
        direction: cut(&mut rest, size)?,
        origin: cut(&mut rest, size)?,
    })
}

impl AugmentedLagrangian<(), ()> {
    /// Scalars to lend: 2n² + nm + 5n + 5m.
    pub const fn scalars(n: usize, m: usize) -> usize {
        scalars(n, m)
            .saturating_add(n.saturating_mul(n))
            .saturating_add(n.saturating_mul(2))
            .saturating_add(m.saturating_mul(3))
    }
}

impl<T: Real, B: BorrowMut<[T]>> AugmentedLagrangian<T, B> {
    /// A workspace over lent memory, of [`scalars`](AugmentedLagrangian::scalars) entries at least.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(memory: B, settings: AugmentedLagrangianSettings<T>) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self {
            memory,
            settings,
            variables: 0,
            constraints: 0,
            penalty: settings.penalty,
            inner_tolerance: settings.inner_tolerance,
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
        (self.penalty, self.inner_tolerance) = (self.settings.penalty, self.settings.inner_tolerance);
        (self.counts, self.step_length) = (Counts::default(), T::ZERO);
        let memory = self.memory.borrow_mut();
        let (required, available) = (AugmentedLagrangian::scalars(n, m), memory.len());
        let missing = Error::Capacity { what: "workspace", required, available };
        let mut parts = parts(memory, n, m).ok_or(missing)?;
        self.objective = parts.iterate.start(problem, x, multipliers, &mut self.counts)?;
        Ok(())
    }

    /// One Newton step or one update, bounded in cost; call it after a start, with the same problem.
    pub fn step(&mut self, problem: &(impl EqualityProgram<T> + ?Sized)) -> Step {
        match self.advance(problem) {
            Ok(step) => step,
            Err(_) => Step::Stopped(Status::Breakdown),
        }
    }

    fn advance(&mut self, problem: &(impl EqualityProgram<T> + ?Sized)) -> Result<Step, Error> {
        let (n, m) = (self.variables, self.constraints);
        let Some(Parts { mut iterate, factors, estimate, direction, origin }) =
            parts(self.memory.borrow_mut(), n, m)
        else {
            return Ok(Step::Stopped(Status::Breakdown));
        };
        if norm2(iterate.optimality) <= self.settings.tolerance {
            return Ok(Step::Stopped(Status::Solved));
        }
        copy(iterate.halves().1, estimate)?;
        axpy(self.penalty, iterate.conditions().1, estimate)?;
        direction.fill(T::ZERO);
        let step = direction.get_mut(..n).unwrap_or_default();
        copy(iterate.conditions().0, step)?;
        gemv_transposed(self.penalty, iterate.jacobian, iterate.conditions().1, T::ONE, step)?;
        check_finite("gradient of the augmented Lagrangian", step)?;
        check_finite("multipliers", estimate)?;
        self.counts.iterations = self.counts.iterations.saturating_add(1);
        if norm2(step) <= self.inner_tolerance {
            copy(iterate.point, origin)?;
            copy(estimate, iterate.point.get_mut(n..).unwrap_or_default())?;
            iterate.evaluate_lagrangian_gradient()?;
            if iterate.check().is_err() {
                copy(origin, iterate.point)?;
                iterate.evaluate_lagrangian_gradient()?;
                return Ok(Step::Stopped(Status::Breakdown));
            }
            self.penalty *= self.settings.penalty_growth;
            let least = T::from_f64(0.1) * self.settings.tolerance;
            self.inner_tolerance = (self.inner_tolerance * self.settings.inner_decay).maximum(least);
            return Ok(Step::Advanced);
        }
        iterate.evaluate_hessian(problem, Some(estimate))?;
        gemm_transposed_left(
            n,
            m,
            n,
            self.penalty,
            iterate.jacobian,
            iterate.jacobian,
            T::ONE,
            iterate.hessian,
        )?;
        let (gradient, hessian) = (step, &*iterate.hessian);
        let mut shift = T::ZERO;
        let mut tries = 0;
        let found = loop {
            copy(hessian, factors)?;
            for diagonal in factors.iter_mut().step_by(n.saturating_add(1)) {
                *diagonal += shift;
            }
            self.counts.inner = self.counts.inner.saturating_add(1);
            if let Ok(found) = Cholesky::factor(n, &mut *factors) {
                break found;
            }
            shift = if tries == 0 { T::from_f64(1e-3) * norm2(hessian) } else { T::from_f64(10.0) * shift };
            tries += 1;
            let usable = shift > T::ZERO && shift.is_finite();
            if tries > MAX_SHIFTS || !usable {
                return Ok(Step::Stopped(Status::Breakdown));
            }
        };
        copy(gradient, origin.get_mut(..n).unwrap_or_default())?;
        found.solve(gradient)?;
        for entry in gradient.iter_mut() {
            *entry = -*entry;
        }
        check_finite("direction", gradient)?;
        let slope = dot(gradient, origin.get(..n).unwrap_or_default())?;

        let half = T::from_f64(0.5);
        let merit = |objective: T, iterate: &Iterate<'_, T>| {
            let (multipliers, c) = (iterate.halves().1, iterate.conditions().1);
            Ok::<T, Error>(objective + dot(multipliers, c)? + half * self.penalty * dot(c, c)?)
        };
        let settings = ArmijoSettings { max_evaluations: 50, ..ArmijoSettings::default() };
        let (start, along) = ((self.objective, slope), (&*direction, origin));
        let Some(found) = iterate.search(problem, &mut self.counts, settings, start, along, merit)? else {
            return Ok(Step::Stopped(Status::LineSearch));
        };
        (self.objective, self.step_length) = found;
        Ok(Step::Advanced)
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
