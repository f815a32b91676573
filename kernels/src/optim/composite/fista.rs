use super::report::{Iteration, run};
use super::{Report, Residuals, Stop};
use crate::blas::norm2;
use crate::optim::is_size;
use crate::optim::qp::memory::{copy, shortage, take};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// A sum of two convex functions: min f(x) + g(x), f smooth.
pub trait CompositeProblem<T> {
    /// n, the length of x.
    fn variables(&self) -> usize;

    /// f(x). Only a step length that is sought asks for it.
    ///
    /// # Errors
    /// Those of the problem.
    fn value(&mut self, x: &[T]) -> Result<T, Error>;

    /// g ← ∇f(x).
    ///
    /// # Errors
    /// Those of the problem.
    fn gradient(&mut self, x: &[T], gradient: &mut [T]) -> Result<(), Error>;

    /// x ← argmin g(p) + ‖p − x‖²/(2s), the proximal map of sg for a step length s.
    ///
    /// # Errors
    /// Those of the problem.
    fn proximal(&mut self, step_length: T, x: &mut [T]) -> Result<(), Error>;
}

/// The length of a step of [`Fista`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepLength<T> {
    /// s ≤ 1/L, for a gradient of Lipschitz constant L.
    Fixed(T),
    /// Starts at s, and halves where f is above its quadratic bound.
    Backtracking(T),
}

/// How a [`Fista`] iterates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FistaSettings<T> {
    /// s.
    pub step_length: StepLength<T>,
    /// Forgets the momentum where it points uphill: linear convergence where the objective grows quadratically about
    /// its minimum, and next to no cost elsewhere.
    pub restart: bool,
}

impl<T: Real> FistaSettings<T> {
    /// Checks the range.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let (StepLength::Fixed(length) | StepLength::Backtracking(length)) = self.step_length;
        if is_size(length, false) {
            return Ok(());
        }
        Err(Error::Setting { name: "step_length", expected: "a positive finite number" })
    }
}

/// Halvings in one step: from the largest f32 to the smallest.
const MOST_HALVINGS: usize = 256;

/// The fast iterative shrinkage-thresholding algorithm, a proximal gradient method with momentum.
///
/// Each step is x ← prox of sg at y − s∇f(y), t ← (1 + √(1 + 4t²))/2, y ← x + ((t₋ − 1)/t)(x − x₋). A step length
/// that is sought halves until f(x) ≤ f(y) + ∇f(y)ᵀ(x − y) + ‖x − y‖²/(2s). A restart sets t to 1 and y to x where
/// (y − x)ᵀ(x − x₋) > 0.
///
/// The dual residual is ‖x − prox(x − s∇f(x))‖/s, which vanishes exactly at the minima; its scale is ‖∇f(x)‖. There is
/// no primal one: it is 0.
///
/// Shapes: x of length n. Guarantees: f + g falls below its least value and 2‖x₀ − x*‖²/(s(k + 1)²) after k steps, for
/// s ≤ 1/L, without restarts; not in every step. Near a minimum the values that decide on a halving are equal up to
/// rounding: what is within 8ε|f| of the bound counts as below. Cost: a step is a gradient, a proximal map and 7n
/// flops, and a value for each length that is tried and one for y, if one is sought; a residual is a gradient and a
/// proximal map. 4n scalars lent.
///
/// Source: A. Beck, M. Teboulle, A Fast Iterative Shrinkage-Thresholding Algorithm for Linear Inverse Problems, 2009,
/// equations (4.1) to (4.3) and theorem 4.4; B. O'Donoghue, E. Candès, Adaptive Restart for Accelerated Gradient
/// Schemes, 2015, section 3.2.
///
/// ```
/// use quern_kernels::linop::Dense;
/// use quern_kernels::optim::composite::{Fista, FistaSettings, Lasso, StepLength, Stop};
/// // ½((x₁ − 3)² + (x₂ − ½)²) + |x₁| + |x₂|
/// let mut lasso = Lasso::new(Dense::new(2, 2, &[1.0, 0.0, 0.0, 1.0])?, &[3.0, 0.5], 1.0, [0.0; 2])?;
/// let settings = FistaSettings { step_length: StepLength::Fixed(1.0), restart: true };
/// let mut fista = Fista::new(settings, [0.0; Fista::scalars(2)])?;
/// fista.solve(&mut lasso, &Stop::default())?;
/// assert_eq!(fista.solution(), [2.0, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fista<T, B> {
    settings: FistaSettings<T>,
    memory: B,
    variables: usize,
    step_length: T,
    /// t.
    momentum: T,
    iterations: usize,
    scalar: PhantomData<T>,
}

/// The vectors of the workspace.
struct Vectors<'m, T> {
    x: &'m mut [T],
    y: &'m mut [T],
    gradient: &'m mut [T],
    next: &'m mut [T],
}

impl Fista<(), ()> {
    /// Scalars to lend for n variables: 4n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(4)
    }
}

impl<T: Real, B: BorrowMut<[T]>> Fista<T, B> {
    /// A workspace over lent memory, of [`scalars`](Fista::scalars) entries at least.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: FistaSettings<T>, memory: B) -> Result<Self, Error> {
        settings.validate()?;
        let (StepLength::Fixed(step_length) | StepLength::Backtracking(step_length)) = settings.step_length;
        Ok(Self {
            settings,
            memory,
            variables: 0,
            step_length,
            momentum: T::ONE,
            iterations: 0,
            scalar: PhantomData,
        })
    }

    fn vectors(&mut self) -> Result<Vectors<'_, T>, Error> {
        let n = self.variables;
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let mut rest = memory;
        let mut lend = || take(&mut rest, n);
        let vectors = (|| Some(Vectors { x: lend()?, y: lend()?, gradient: lend()?, next: lend()? }))();
        vectors.ok_or(shortage(Fista::scalars(n), available))
    }

    /// Sets x to zero.
    ///
    /// # Errors
    /// [`Error::Capacity`].
    pub fn start<P: CompositeProblem<T>>(&mut self, problem: &P) -> Result<(), Error> {
        let (StepLength::Fixed(step_length) | StepLength::Backtracking(step_length)) =
            self.settings.step_length;
        (self.step_length, self.momentum) = (step_length, T::ONE);
        (self.variables, self.iterations) = (problem.variables(), 0);
        let Vectors { x, y, gradient, next } = self.vectors()?;
        for vector in [x, y, gradient, next] {
            vector.fill(T::ZERO);
        }
        Ok(())
    }

    /// Starts at a given x.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Dimension`]; [`Error::NonFinite`].
    pub fn start_from<P: CompositeProblem<T>>(&mut self, problem: &P, x: &[T]) -> Result<(), Error> {
        check_length("x", x.len(), problem.variables())?;
        check_finite("x", x)?;
        self.start(problem)?;
        let vectors = self.vectors()?;
        copy(x, vectors.x);
        copy(x, vectors.y);
        Ok(())
    }

    /// One step, bounded in cost; call it after a start, with the same problem.
    ///
    /// # Errors
    /// Those of the problem; [`Error::Breakdown`] if the iterate overflows, or no step length keeps f below its bound.
    /// It is then no longer usable.
    pub fn step<P: CompositeProblem<T>>(&mut self, problem: &mut P) -> Result<(), Error> {
        let (index, settings, mut momentum) = (self.iterations, self.settings, self.momentum);
        let mut step_length = self.step_length;
        let Vectors { x, y, gradient, next } = self.vectors()?;
        problem.gradient(y, gradient)?;
        match settings.step_length {
            StepLength::Fixed(_) => proximal_gradient(problem, step_length, y, gradient, next)?,
            StepLength::Backtracking(_) => {
                let value = problem.value(y)?;
                let mut halvings = 0;
                loop {
                    proximal_gradient(problem, step_length, y, gradient, next)?;
                    if below_bound(problem.value(next)?, value, step_length, y, gradient, next) {
                        break;
                    }
                    if halvings >= MOST_HALVINGS {
                        return Err(Error::Breakdown { what: "the step length", index });
                    }
                    halvings += 1;
                    step_length *= T::from_f64(0.5);
                }
            }
        }
        check_finite("x", next).map_err(|_| Error::Breakdown { what: "a finite iterate", index })?;
        if settings.restart {
            let mut uphill = T::ZERO;
            for ((&y, &next), &x) in y.iter().zip(next.iter()).zip(x.iter()) {
                uphill += (y - next) * (next - x);
            }
            if uphill > T::ZERO {
                momentum = T::ONE;
            }
        }
        let half = T::from_f64(0.5);
        let four = T::from_f64(4.0);
        let following = half + half * (T::ONE + four * momentum * momentum).sqrt();
        let factor = (momentum - T::ONE) / following;
        for ((x, y), &next) in x.iter_mut().zip(y.iter_mut()).zip(next.iter()) {
            *y = next + factor * (next - *x);
            *x = next;
        }
        (self.step_length, self.momentum) = (step_length, following);
        self.iterations = index.saturating_add(1);
        Ok(())
    }

    /// The residuals of the iterate, computed afresh.
    ///
    /// # Errors
    /// [`Error::Capacity`]; those of the problem.
    pub fn residuals<P: CompositeProblem<T>>(&mut self, problem: &mut P) -> Result<Residuals<T>, Error> {
        let step_length = self.step_length;
        let Vectors { x, gradient, next, .. } = self.vectors()?;
        problem.gradient(x, gradient)?;
        proximal_gradient(problem, step_length, x, gradient, next)?;
        for (next, &x) in next.iter_mut().zip(x.iter()) {
            *next = x - *next;
        }
        let (dual, dual_scale) = (norm2(next) / step_length, norm2(gradient));
        Ok(Residuals { primal: T::ZERO, dual, primal_scale: T::ZERO, dual_scale })
    }

    /// Starts at zero and steps until `stop` is met.
    ///
    /// # Errors
    /// As [`start`](Self::start), [`step`](Self::step) and [`Stop::validate`].
    pub fn solve<P: CompositeProblem<T>>(
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
    pub fn resume<P: CompositeProblem<T>>(
        &mut self,
        problem: &mut P,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        run(self, problem, stop)
    }

    /// x.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.variables).unwrap_or_default()
    }

    /// s, as halvings have left it.
    pub fn step_length(&self) -> T {
        self.step_length
    }
}

/// p ← prox of sg at y − s∇f(y).
fn proximal_gradient<T: Real, P: CompositeProblem<T>>(
    problem: &mut P,
    step_length: T,
    y: &[T],
    gradient: &[T],
    next: &mut [T],
) -> Result<(), Error> {
    for (next, (&y, &gradient)) in next.iter_mut().zip(y.iter().zip(gradient)) {
        *next = y - step_length * gradient;
    }
    problem.proximal(step_length, next)
}

/// Whether f(x) ≤ f(y) + ∇f(y)ᵀ(x − y) + ‖x − y‖²/(2s), up to rounding of the values.
fn below_bound<T: Real>(found: T, value: T, step_length: T, y: &[T], gradient: &[T], next: &[T]) -> bool {
    let (mut slope, mut square) = (T::ZERO, T::ZERO);
    for ((&y, &next), &gradient) in y.iter().zip(next).zip(gradient) {
        let step = next - y;
        slope += gradient * step;
        square += step * step;
    }
    let rounding = T::from_f64(8.0) * T::EPSILON * value.abs();
    found <= value + slope + square / (step_length + step_length) + rounding
}

impl<T: Real, B: BorrowMut<[T]>, P: CompositeProblem<T>> Iteration<T, P> for Fista<T, B> {
    fn step(&mut self, problem: &mut P) -> Result<(), Error> {
        Fista::step(self, problem)
    }
    fn residuals(&mut self, problem: &mut P) -> Result<Residuals<T>, Error> {
        Fista::residuals(self, problem)
    }
}
