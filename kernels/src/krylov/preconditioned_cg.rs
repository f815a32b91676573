use super::iteration::{Iteration, check_square, initialize, residual, run, shortage, split};
use super::{PreconditionedSystem, Report, Step, Stop};
use crate::linop::LinearOperator;
use crate::space::{Serial, Space};
use crate::{Error, Real};
use core::borrow::BorrowMut;

/// Preconditioned conjugate gradients for Ax = b, A and M symmetric positive definite.
///
/// With r₀ = b − Ax₀, each step is
/// z = M⁻¹r, β = rᵀz / (rᵀz before), p ← z + βp, α = rᵀz / pᵀAp, x ← x + αp, r ← r − αAp.
///
/// Shapes: A and M⁻¹ n×n; b and x of length n. Converges as conjugate gradients do on M⁻¹A. Guarantees:
/// rᵀM⁻¹r or pᵀAp that is not positive is a breakdown; reports as in [the module](super). Cost: a step is one
/// product with A, one application of M⁻¹, 12n flops and two divisions; 4n scalars lent. Source: Y. Saad,
/// Iterative Methods for Sparse Linear Systems, 2nd edition, algorithm 9.1; the direction is updated at the
/// head of a step, so that z and Ap share memory.
///
/// ```
/// use quern_kernels::krylov::{PreconditionedCg, PreconditionedSystem, Status, Stop};
/// use quern_kernels::linop::{Diagonal, FixedDense};
/// let matrix = FixedDense::new(&[[4.0, 1.0], [1.0, 3.0]]).unwrap();
/// let mut inverse = [0.0; 2];
/// let jacobi = Diagonal::jacobi(&[4.0, 3.0], &mut inverse).unwrap();
/// let problem = PreconditionedSystem::new(&matrix, &jacobi, &[1.0, 2.0]);
/// let mut solver = PreconditionedCg::new([0.0; 4 * 2]);
/// let report = solver.solve(&problem, &Stop::default()).unwrap();
/// assert_eq!((report.status, report.iterations), (Status::Converged, 2));
/// assert!((solver.solution()[1] - 7.0 / 11.0_f64).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
pub struct PreconditionedCg<T, B, S = Serial> {
    /// x, r, p, then z and Ap by turns.
    memory: B,
    space: S,
    size: usize,
    residual_squared: T,
    /// rᵀz of the step before; 0 before the first.
    product: T,
    right_hand_side_norm: T,
}

impl PreconditionedCg<(), ()> {
    /// Scalars to lend for n unknowns: 4n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(4)
    }
}

impl<T: Real, B: BorrowMut<[T]>> PreconditionedCg<T, B> {
    /// A workspace over lent memory, of [`scalars`](PreconditionedCg::scalars) entries at least.
    pub fn new(memory: B) -> Self {
        Self::in_space(memory, Serial)
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>> PreconditionedCg<T, B, S> {
    /// A workspace whose vectors live in `space`.
    pub fn in_space(memory: B, space: S) -> Self {
        let zero = T::ZERO;
        Self { memory, space, size: 0, residual_squared: zero, product: zero, right_hand_side_norm: zero }
    }

    /// Sets x₀ = 0. Cost: 4n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if rᵀr
    /// overflows.
    pub fn start<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Result<(), Error> {
        self.prepare(problem, None)
    }

    /// Sets x₀ to the given iterate. Cost: one product with A, and 6n flops.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_from<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
        initial: &[T],
    ) -> Result<(), Error> {
        self.prepare(problem, Some(initial))
    }

    fn prepare<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
        initial: Option<&[T]>,
    ) -> Result<(), Error> {
        problem.check_square()?;
        let n = problem.operator.rows();
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let [x, r, p, _] = split(memory, n).ok_or(shortage(n.saturating_mul(4), available))?;
        self.right_hand_side_norm = initialize(&self.space, &problem.system(), initial, x, r)?;
        p.fill(T::ZERO);
        self.residual_squared = self.space.dot(r, r);
        self.product = T::ZERO;
        self.size = n;
        check_square(self.residual_squared)
    }

    /// One step, bounded in cost; call it after a start, with the same problem.
    #[inline]
    pub fn step<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Step {
        let Some([x, r, p, q]) = split(self.memory.borrow_mut(), problem.operator.rows()) else {
            return Step::Breakdown;
        };
        problem.preconditioner.apply(r, q);
        let product = self.space.dot(r, q);
        // Both tests are also false of NaN, which every non-finite number met so far ends in.
        if product > T::ZERO {
            let ratio = if self.product > T::ZERO { product / self.product } else { T::ZERO };
            self.space.xpby(q, ratio, p);
            problem.operator.apply(p, q);
            let curvature = self.space.dot(p, q);
            if curvature > T::ZERO {
                let step_length = product / curvature;
                self.space.axpy(step_length, p, x);
                self.residual_squared = self.space.axpy_dot(-step_length, q, r);
                self.product = product;
                return Step::Advanced;
            }
        } else if self.residual_squared == T::ZERO {
            return Step::Finished;
        }
        Step::Breakdown
    }

    /// Starts at zero and steps until `stop` is met, or cannot be.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Setting`]; [`Error::Breakdown`] if the iterate ends non-finite.
    pub fn solve<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        self.start(problem)?;
        self.resume(problem, stop)
    }

    /// Goes on from where a start, steps or a solve left off. The budget counts anew.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn resume<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        let norm = self.right_hand_side_norm;
        run(self, problem, norm, stop)
    }

    /// The iterate: usable after a start and every step.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.size).unwrap_or_default()
    }

    /// rᵀr of the recurrence, the square of the residual norm up to rounding.
    #[inline]
    pub fn residual_squared(&self) -> T {
        self.residual_squared
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>, A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>
    Iteration<T, PreconditionedSystem<'_, T, A, M>> for PreconditionedCg<T, B, S>
{
    #[inline]
    fn step(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> Step {
        PreconditionedCg::step(self, problem)
    }

    #[inline]
    fn at_most(&self, bound: T) -> bool {
        self.residual_squared <= bound * bound
    }

    fn iterate(&self) -> &[T] {
        self.solution()
    }

    fn compute_residual(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> T {
        let Some([x, _, _, q]) = split(self.memory.borrow_mut(), problem.operator.rows()) else {
            return T::MAX;
        };
        residual(&self.space, &problem.system(), x, q)
    }

    fn restart(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> Result<(), Error> {
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let n = problem.operator.rows();
        let [_, r, p, q] = split(memory, n).ok_or(shortage(n.saturating_mul(4), available))?;
        self.space.copy(q, r);
        p.fill(T::ZERO);
        self.residual_squared = self.space.dot(r, r);
        self.product = T::ZERO;
        check_square(self.residual_squared)
    }
}
