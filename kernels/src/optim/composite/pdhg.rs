use super::admm::check_relaxation;
use super::report::{Iteration, run};
use super::{Report, Residuals, Stop};
use crate::blas::norm2;
use crate::linop::Adjoint;
use crate::optim::is_size;
use crate::optim::qp::memory::{copy, shortage, take};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// Two convex functions and an operator: min g(x) + h(Kx), or the saddle point of g(x) + yᵀKx − h*(y). The problem is
/// the operator K, m×n.
pub trait SaddleProblem<T>: Adjoint<T> {
    /// x ← argmin g(p) + ‖p − x‖²/(2τ).
    ///
    /// # Errors
    /// Those of the problem; x is then no longer usable.
    fn primal_proximal(&mut self, step_length: T, x: &mut [T]) -> Result<(), Error>;

    /// y ← argmin h*(p) + ‖p − y‖²/(2σ), the projection where h* is 0 on a set.
    ///
    /// # Errors
    /// Those of the problem; y is then no longer usable.
    fn dual_proximal(&mut self, step_length: T, y: &mut [T]) -> Result<(), Error>;
}

/// How a [`Pdhg`] iterates: it converges for τσ‖K‖² < 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PdhgSettings<T> {
    /// τ.
    pub primal_step_length: T,
    /// σ.
    pub dual_step_length: T,
    /// ρ in (0, 2): 1 is the plain method.
    pub relaxation: T,
}

impl<T: Real> PdhgSettings<T> {
    /// τ = 0.95ω/‖K‖ and σ = 0.95/(ω‖K‖), without relaxation: ω weighs steps of x against those of y.
    ///
    /// ```
    /// use quern_kernels::optim::composite::PdhgSettings;
    /// let settings = PdhgSettings::balanced(2.0, 10.0);
    /// assert!(settings.validate().is_ok());
    /// assert_eq!(settings.primal_step_length, 4.75);
    /// ```
    pub fn balanced(norm: T, weight: T) -> Self {
        let share = T::from_f64(0.95);
        Self {
            primal_step_length: share * weight / norm,
            dual_step_length: share / (weight * norm),
            relaxation: T::ONE,
        }
    }

    /// Checks the ranges, but not τσ‖K‖² < 1.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let lengths =
            [("primal_step_length", self.primal_step_length), ("dual_step_length", self.dual_step_length)];
        for (name, length) in lengths {
            if !is_size(length, false) {
                return Err(Error::Setting { name, expected: "a positive finite number" });
            }
        }
        check_relaxation(self.relaxation)
    }
}

/// The primal-dual hybrid gradient method.
///
/// Each step is x⁺ ← prox of τg at x − τKᵀy, y⁺ ← prox of σh* at y + σK(2x⁺ − x), (x, y) ← (x, y) + ρ(x⁺ − x, y⁺ − y).
///
/// | residual | formula | scale |
/// |---|---|---|
/// | primal | ‖(y − y⁺)/σ − K(x − x⁺)‖, the distance of Kx⁺ from the subgradients of h* at y⁺ | ‖Kx⁺‖ |
/// | dual | ‖(x − x⁺)/τ − Kᵀ(y − y⁺)‖, the distance of −Kᵀy⁺ from the subgradients of g at x⁺ | ‖Kᵀy⁺‖ |
///
/// Shapes: x of length n, y of length m. Guarantees: the solution is x⁺ and y⁺, which the two maps have just returned:
/// they satisfy the constraints of g and h*, also where relaxation leaves them. Converges to a saddle point for
/// τσ‖K‖² < 1 and ρ in (0, 2), if there is one. Cost: a step is both maps, a product with K, one with Kᵀ, and 6(n + m)
/// flops; residuals are four products. 3(n + m) scalars lent.
///
/// Source: A. Chambolle, T. Pock, A First-Order Primal-Dual Algorithm for Convex Problems with Applications to Imaging,
/// 2011, algorithm 1 with θ = 1; over-relaxation: L. Condat, A Primal-Dual Splitting Method for Convex Optimization
/// Involving Lipschitzian, Proximable and Linear Composite Terms, 2013, algorithm 3.1 without its smooth term.
///
/// ```
/// use quern_kernels::Error;
/// use quern_kernels::linop::{Adjoint, LinearOperator};
/// use quern_kernels::optim::composite::{Pdhg, PdhgSettings, SaddleProblem, Stop};
/// use quern_kernels::prox::clip_interval;
/// /// ½(x − 3)² + |2x|: h* is 0 on [−1, 1].
/// struct Problem;
/// impl LinearOperator<f64> for Problem {
///     fn rows(&self) -> usize { 1 }
///     fn columns(&self) -> usize { 1 }
///     fn apply(&self, x: &[f64], y: &mut [f64]) { y[0] = 2.0 * x[0] }
/// }
/// impl Adjoint<f64> for Problem {
///     fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) { x[0] = 2.0 * y[0] }
/// }
/// impl SaddleProblem<f64> for Problem {
///     fn primal_proximal(&mut self, tau: f64, x: &mut [f64]) -> Result<(), Error> {
///         Ok(x[0] = (x[0] + tau * 3.0) / (1.0 + tau))
///     }
///     fn dual_proximal(&mut self, _: f64, y: &mut [f64]) -> Result<(), Error> { clip_interval(y, -1.0, 1.0) }
/// }
/// let mut pdhg = Pdhg::new(PdhgSettings::balanced(2.0, 1.0), [0.0; Pdhg::scalars(1, 1)])?;
/// pdhg.solve(&mut Problem, &Stop::default())?;
/// assert!((pdhg.primal()[0] - 1.0).abs() < 1e-6);
/// assert_eq!(pdhg.dual(), [1.0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pdhg<T, B> {
    settings: PdhgSettings<T>,
    memory: B,
    variables: usize,
    constraints: usize,
    iterations: usize,
    scalar: PhantomData<T>,
}

/// The vectors of the workspace: x⁺, y⁺, and what each exceeded it by before the step.
struct Vectors<'m, T> {
    x: &'m mut [T],
    y: &'m mut [T],
    dx: &'m mut [T],
    dy: &'m mut [T],
    primal_scratch: &'m mut [T],
    dual_scratch: &'m mut [T],
}

impl<'m, T> Vectors<'m, T> {
    fn of(memory: &'m mut [T], n: usize, m: usize) -> Option<Self> {
        let mut rest = memory;
        let mut lend = |length| take(&mut rest, length);
        let (x, y, dx, dy) = (lend(n)?, lend(m)?, lend(n)?, lend(m)?);
        Some(Self { x, y, dx, dy, primal_scratch: lend(n)?, dual_scratch: lend(m)? })
    }
}

impl Pdhg<(), ()> {
    /// Scalars to lend for x of length n and y of length m: 3(n + m).
    pub const fn scalars(n: usize, m: usize) -> usize {
        n.saturating_add(m).saturating_mul(3)
    }
}

impl<T: Real, B: BorrowMut<[T]>> Pdhg<T, B> {
    /// A workspace over lent memory, of [`scalars`](Pdhg::scalars) entries at least.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: PdhgSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        Ok(Self { settings, memory, variables: 0, constraints: 0, iterations: 0, scalar: PhantomData })
    }

    fn vectors(&mut self) -> Result<Vectors<'_, T>, Error> {
        let (n, m) = (self.variables, self.constraints);
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        Vectors::of(memory, n, m).ok_or(shortage(Pdhg::scalars(n, m), available))
    }

    /// Sets x and y to zero.
    ///
    /// # Errors
    /// [`Error::Capacity`].
    pub fn start<P: SaddleProblem<T>>(&mut self, problem: &P) -> Result<(), Error> {
        (self.variables, self.constraints, self.iterations) = (problem.columns(), problem.rows(), 0);
        let Vectors { x, y, dx, dy, primal_scratch, dual_scratch } = self.vectors()?;
        for vector in [x, y, dx, dy, primal_scratch, dual_scratch] {
            vector.fill(T::ZERO);
        }
        Ok(())
    }

    /// Starts at a given x and y.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Dimension`]; [`Error::NonFinite`].
    pub fn start_from<P: SaddleProblem<T>>(&mut self, problem: &P, x: &[T], y: &[T]) -> Result<(), Error> {
        for (what, vector, length) in [("x", x, problem.columns()), ("y", y, problem.rows())] {
            check_length(what, vector.len(), length)?;
            check_finite(what, vector)?;
        }
        self.start(problem)?;
        let vectors = self.vectors()?;
        copy(x, vectors.x);
        copy(y, vectors.y);
        Ok(())
    }

    /// One step, bounded in cost; call it after a start, with the same problem.
    ///
    /// # Errors
    /// Those of the problem; [`Error::Breakdown`] if the iterate overflows. It is then no longer usable.
    pub fn step<P: SaddleProblem<T>>(&mut self, problem: &mut P) -> Result<(), Error> {
        let PdhgSettings { primal_step_length, dual_step_length, relaxation } = self.settings;
        let index = self.iterations;
        let Vectors { x, y, dx, dy, primal_scratch, dual_scratch } = self.vectors()?;
        // The iterate is x⁺ + (1 − ρ)(x − x⁺); it takes the place of the difference.
        for (dx, &x) in dx.iter_mut().zip(x.iter()) {
            *dx = x + (T::ONE - relaxation) * *dx;
        }
        for (dy, &y) in dy.iter_mut().zip(y.iter()) {
            *dy = y + (T::ONE - relaxation) * *dy;
        }
        problem.apply_adjoint(dy, primal_scratch);
        for (x, (&before, &product)) in x.iter_mut().zip(dx.iter().zip(primal_scratch.iter())) {
            *x = before - primal_step_length * product;
        }
        problem.primal_proximal(primal_step_length, x)?;
        for ((dx, extrapolated), &x) in dx.iter_mut().zip(primal_scratch.iter_mut()).zip(x.iter()) {
            *dx -= x;
            *extrapolated = x - *dx;
        }
        problem.apply(primal_scratch, dual_scratch);
        for (y, (&before, &product)) in y.iter_mut().zip(dy.iter().zip(dual_scratch.iter())) {
            *y = before + dual_step_length * product;
        }
        problem.dual_proximal(dual_step_length, y)?;
        for (dy, &y) in dy.iter_mut().zip(y.iter()) {
            *dy -= y;
        }
        let finite = [&*x, &*y, &*dx, &*dy].iter().try_for_each(|vector| check_finite("iterate", vector));
        finite.map_err(|_| Error::Breakdown { what: "a finite iterate", index })?;
        self.iterations = index.saturating_add(1);
        Ok(())
    }

    /// The residuals of the solution, after a step.
    ///
    /// # Errors
    /// [`Error::Capacity`].
    pub fn residuals<P: SaddleProblem<T>>(&mut self, problem: &P) -> Result<Residuals<T>, Error> {
        let PdhgSettings { primal_step_length, dual_step_length, .. } = self.settings;
        let Vectors { x, y, dx, dy, primal_scratch, dual_scratch } = self.vectors()?;
        problem.apply(x, dual_scratch);
        problem.apply_adjoint(y, primal_scratch);
        let (primal_scale, dual_scale) = (norm2(dual_scratch), norm2(primal_scratch));
        problem.apply(dx, dual_scratch);
        problem.apply_adjoint(dy, primal_scratch);
        for (product, &dy) in dual_scratch.iter_mut().zip(dy.iter()) {
            *product = dy / dual_step_length - *product;
        }
        for (product, &dx) in primal_scratch.iter_mut().zip(dx.iter()) {
            *product = dx / primal_step_length - *product;
        }
        let (primal, dual) = (norm2(dual_scratch), norm2(primal_scratch));
        Ok(Residuals { primal, dual, primal_scale, dual_scale })
    }

    /// Starts at zero and steps until `stop` is met.
    ///
    /// # Errors
    /// As [`start`](Self::start), [`step`](Self::step) and [`Stop::validate`].
    pub fn solve<P: SaddleProblem<T>>(
        &mut self,
        problem: &mut P,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        self.start(problem)?;
        self.resume(problem, stop)
    }

    /// Goes on from where a start, steps or a solve left off. The budget counts anew.
    ///
    /// # Errors
    /// As [`step`](Self::step) and [`Stop::validate`].
    pub fn resume<P: SaddleProblem<T>>(
        &mut self,
        problem: &mut P,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        run(self, problem, stop)
    }

    /// x⁺.
    pub fn primal(&self) -> &[T] {
        self.memory.borrow().get(..self.variables).unwrap_or_default()
    }

    /// y⁺.
    pub fn dual(&self) -> &[T] {
        let whole = self.memory.borrow().get(self.variables..).unwrap_or_default();
        whole.get(..self.constraints).unwrap_or_default()
    }
}

impl<T: Real, B: BorrowMut<[T]>, P: SaddleProblem<T>> Iteration<T, P> for Pdhg<T, B> {
    fn step(&mut self, problem: &mut P) -> Result<(), Error> {
        Pdhg::step(self, problem)
    }
    fn residuals(&mut self, problem: &mut P) -> Result<Residuals<T>, Error> {
        Pdhg::residuals(self, problem)
    }
}
