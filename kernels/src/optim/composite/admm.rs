use super::report::{Iteration, run};
use super::{Report, Residuals, Stop};
use crate::blas::norm2;
use crate::linop::Adjoint;
use crate::optim::qp::memory::{copy, shortage, take};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// Two convex functions and an operator: min f(x) + g(z) subject to Ax = z. The problem is the operator A, m×n, and
/// knows its penalty ρ, which the factor of its first minimization may hold.
pub trait SplitProblem<T>: Adjoint<T> {
    /// ρ > 0.
    fn penalty(&self) -> T;

    /// x ← argmin f(x) + (ρ/2)‖Ax − w‖², for the given target w; x comes in as the one before, where an iteration can
    /// start.
    ///
    /// # Errors
    /// Those of the problem; x is then no longer usable.
    fn minimize_first(&mut self, target: &[T], x: &mut [T]) -> Result<(), Error>;

    /// z ← argmin g(v) + (ρ/2)‖v − z‖², the proximal map of g/ρ.
    ///
    /// # Errors
    /// Those of the problem; z is then no longer usable.
    fn minimize_second(&mut self, z: &mut [T]) -> Result<(), Error>;
}

/// How an [`Admm`] iterates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdmmSettings<T> {
    /// α in (0, 2): 1 is the plain method, and 1.5 to 1.8 often saves steps.
    pub relaxation: T,
}

impl<T: Real> Default for AdmmSettings<T> {
    /// α = 1.6.
    fn default() -> Self {
        Self { relaxation: T::from_f64(1.6) }
    }
}

impl<T: Real> AdmmSettings<T> {
    /// Checks the range.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        check_relaxation(self.relaxation)
    }
}

/// Refuses what is not in (0, 2).
pub(super) fn check_relaxation<T: Real>(relaxation: T) -> Result<(), Error> {
    if relaxation > T::ZERO && relaxation < T::ONE + T::ONE {
        return Ok(());
    }
    Err(Error::Setting { name: "relaxation", expected: "a number between 0 and 2" })
}

/// The alternating direction method of multipliers, in scaled form and over-relaxed.
///
/// With u the multiplier over ρ, each step is x ← argmin f(x) + (ρ/2)‖Ax − (z − u)‖², p ← αAx + (1 − α)z + u,
/// z ← argmin g(z) + (ρ/2)‖z − p‖², u ← p − z.
///
/// | residual | formula | scale |
/// |---|---|---|
/// | primal | ‖Ax − z‖ | ‖z‖ |
/// | dual | ρ‖Aᵀ((z₋ − z) + (α − 1)(Ax − z₋))‖, z₋ the z before | ρ‖Aᵀu‖ |
///
/// Shapes: x of length n, z and u of length m. Guarantees: of the iterate, the dual residual is the distance of −ρAᵀu
/// from the gradient of f at x, and ρu is a subgradient of g at z, both up to rounding: the two residuals vanish
/// exactly at the solutions. Converges for every ρ and α in (0, 2) if a solution and a multiplier exist. z is what
/// satisfies the constraints of g at all times, x those of f. Cost: a step is both minimizations, a product with A and
/// 9m flops; residuals are two products with Aᵀ. 2n + 4m scalars lent.
///
/// Source: S. Boyd, N. Parikh, E. Chu, B. Peleato, J. Eckstein, Distributed Optimization and Statistical Learning via
/// the Alternating Direction Method of Multipliers, 2011, equations (3.5) to (3.7), (3.19) and section 3.3.
/// Departure: the dual residual includes the relaxation, without which it is not one of the iterate.
///
/// ```
/// use quern_kernels::Error;
/// use quern_kernels::linop::{Adjoint, LinearOperator};
/// use quern_kernels::optim::composite::{Admm, AdmmSettings, SplitProblem, Stop};
/// use quern_kernels::prox::soft_threshold;
/// /// ½(x − 3)² + |x|
/// struct Denoising;
/// impl LinearOperator<f64> for Denoising {
///     fn rows(&self) -> usize { 1 }
///     fn columns(&self) -> usize { 1 }
///     fn apply(&self, x: &[f64], y: &mut [f64]) { y.copy_from_slice(x) }
/// }
/// impl Adjoint<f64> for Denoising {
///     fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) { x.copy_from_slice(y) }
/// }
/// impl SplitProblem<f64> for Denoising {
///     fn penalty(&self) -> f64 { 1.0 }
///     fn minimize_first(&mut self, target: &[f64], x: &mut [f64]) -> Result<(), Error> {
///         Ok(x[0] = (3.0 + target[0]) / 2.0)
///     }
///     fn minimize_second(&mut self, z: &mut [f64]) -> Result<(), Error> { soft_threshold(z, 1.0) }
/// }
/// let mut admm = Admm::new(AdmmSettings::default(), [0.0; Admm::scalars(1, 1)])?;
/// admm.solve(&mut Denoising, &Stop::default())?;
/// assert!((admm.second()[0] - 2.0).abs() < 1e-7);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Admm<T, B> {
    settings: AdmmSettings<T>,
    memory: B,
    variables: usize,
    constraints: usize,
    iterations: usize,
    scalar: PhantomData<T>,
}

/// The vectors of the workspace.
struct Vectors<'m, T> {
    x: &'m mut [T],
    z: &'m mut [T],
    u: &'m mut [T],
    /// Ax − z of the last step.
    residual: &'m mut [T],
    /// The target, then what Aᵀ makes the dual residual.
    change: &'m mut [T],
    adjoint: &'m mut [T],
}

impl<'m, T> Vectors<'m, T> {
    fn of(memory: &'m mut [T], n: usize, m: usize) -> Option<Self> {
        let mut rest = memory;
        let mut lend = |length| take(&mut rest, length);
        let (x, z, u, residual, change, adjoint) =
            (lend(n)?, lend(m)?, lend(m)?, lend(m)?, lend(m)?, lend(n)?);
        Some(Self { x, z, u, residual, change, adjoint })
    }
}

impl Admm<(), ()> {
    /// Scalars to lend for x of length n and z of length m: 2n + 4m.
    pub const fn scalars(n: usize, m: usize) -> usize {
        n.saturating_mul(2).saturating_add(m.saturating_mul(4))
    }
}

impl<T: Real, B: BorrowMut<[T]>> Admm<T, B> {
    /// A workspace over lent memory, of [`scalars`](Admm::scalars) entries at least.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: AdmmSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self { settings, memory, variables: 0, constraints: 0, iterations: 0, scalar: PhantomData })
    }

    fn vectors(&mut self) -> Result<Vectors<'_, T>, Error> {
        let (n, m) = (self.variables, self.constraints);
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        Vectors::of(memory, n, m).ok_or(shortage(Admm::scalars(n, m), available))
    }

    /// Sets x, z and u to zero.
    ///
    /// # Errors
    /// [`Error::Capacity`]; [`Error::Setting`] unless ρ > 0.
    pub fn start<P: SplitProblem<T>>(&mut self, problem: &P) -> Result<(), Error> {
        let rho = problem.penalty();
        if !(rho > T::ZERO && rho.is_finite()) {
            return Err(Error::Setting { name: "penalty", expected: "a positive finite number" });
        }
        (self.variables, self.constraints, self.iterations) = (problem.columns(), problem.rows(), 0);
        let Vectors { x, z, u, residual, change, adjoint } = self.vectors()?;
        for vector in [x, z, u, residual, change, adjoint] {
            vector.fill(T::ZERO);
        }
        Ok(())
    }

    /// Starts at a z and u, such as those of a like problem; x, where an iteration of the first minimization starts,
    /// is zero. u is the multiplier over ρ.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Dimension`]; [`Error::NonFinite`].
    pub fn start_from<P: SplitProblem<T>>(&mut self, problem: &P, z: &[T], u: &[T]) -> Result<(), Error> {
        for (what, vector) in [("z", z), ("u", u)] {
            check_length(what, vector.len(), problem.rows())?;
            check_finite(what, vector)?;
        }
        self.start(problem)?;
        let vectors = self.vectors()?;
        copy(z, vectors.z);
        copy(u, vectors.u);
        Ok(())
    }

    /// One step, as bounded in cost as the problem's minimizations; call it after a start, with the same problem.
    ///
    /// # Errors
    /// Those of the problem; [`Error::Breakdown`] if the iterate overflows. It is then no longer usable.
    pub fn step<P: SplitProblem<T>>(&mut self, problem: &mut P) -> Result<(), Error> {
        let (relaxation, index) = (self.settings.relaxation, self.iterations);
        let Vectors { x, z, u, residual, change, .. } = self.vectors()?;
        for (target, (&z, &u)) in change.iter_mut().zip(z.iter().zip(u.iter())) {
            *target = z - u;
        }
        problem.minimize_first(change, x)?;
        problem.apply(x, residual);
        let products = change.iter_mut().zip(residual.iter());
        for ((z, u), (change, &ax)) in z.iter_mut().zip(u.iter_mut()).zip(products) {
            let step = ax - *z;
            let point = (*z + relaxation * step) + *u;
            *change = *z + (relaxation - T::ONE) * step;
            *u = point;
            *z = point;
        }
        problem.minimize_second(z)?;
        for ((u, residual), (change, &z)) in u.iter_mut().zip(residual).zip(change.iter_mut().zip(z.iter())) {
            *u -= z;
            *residual -= z;
            *change -= z;
        }
        // What is not finite in x has gone through A into u, but for a column of zeros.
        let finite = check_finite("u", u).and(check_finite("x", x));
        finite.map_err(|_| Error::Breakdown { what: "a finite iterate", index })?;
        self.iterations = index.saturating_add(1);
        Ok(())
    }

    /// The residuals of the iterate, after a step.
    ///
    /// # Errors
    /// [`Error::Capacity`].
    pub fn residuals<P: SplitProblem<T>>(&mut self, problem: &P) -> Result<Residuals<T>, Error> {
        let Vectors { z, u, residual, change, adjoint, .. } = self.vectors()?;
        let rho = problem.penalty();
        problem.apply_adjoint(u, adjoint);
        let dual_scale = rho * norm2(adjoint);
        problem.apply_adjoint(change, adjoint);
        let dual = rho * norm2(adjoint);
        let (primal, primal_scale) = (norm2(residual), norm2(z));
        Ok(Residuals { primal, dual, primal_scale, dual_scale })
    }

    /// Starts at zero and steps until `stop` is met.
    ///
    /// # Errors
    /// As [`start`](Self::start), [`step`](Self::step) and [`Stop::validate`].
    pub fn solve<P: SplitProblem<T>>(&mut self, problem: &mut P, stop: &Stop<T>) -> Result<Report<T>, Error> {
        self.start(problem)?;
        self.resume(problem, stop)
    }

    /// Goes on from where a start, steps or a solve left off. The budget counts anew.
    ///
    /// # Errors
    /// As [`step`](Self::step) and [`Stop::validate`].
    pub fn resume<P: SplitProblem<T>>(
        &mut self,
        problem: &mut P,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        run(self, problem, stop)
    }

    fn part(&self, from: usize, length: usize) -> &[T] {
        let whole = self.memory.borrow().get(from..).unwrap_or_default();
        whole.get(..length).unwrap_or_default()
    }

    /// x.
    pub fn first(&self) -> &[T] {
        self.part(0, self.variables)
    }

    /// z.
    pub fn second(&self) -> &[T] {
        self.part(self.variables, self.constraints)
    }

    /// u, the multiplier of Ax = z over ρ.
    pub fn scaled_multiplier(&self) -> &[T] {
        self.part(self.variables.saturating_add(self.constraints), self.constraints)
    }
}

impl<T: Real, B: BorrowMut<[T]>, P: SplitProblem<T>> Iteration<T, P> for Admm<T, B> {
    fn step(&mut self, problem: &mut P) -> Result<(), Error> {
        Admm::step(self, problem)
    }
    fn residuals(&mut self, problem: &mut P) -> Result<Residuals<T>, Error> {
        Admm::residuals(self, problem)
    }
}
