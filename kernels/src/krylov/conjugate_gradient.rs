use super::iteration::{Iteration, check_square, initialize, residual, run, shortage, split};
use super::{LinearSystem, Report, Step, Stop};
use crate::linop::LinearOperator;
use crate::space::{Serial, Space};
use crate::{Error, Real};
use core::borrow::BorrowMut;

/// Conjugate gradients for Ax = b, A symmetric positive definite.
///
/// With r₀ = p₀ = b − Ax₀, each step is
/// α = rᵀr / pᵀAp, x ← x + αp, r ← r − αAp, β = rᵀr / (rᵀr before), p ← r + βp.
///
/// Shapes: A n×n; b and x of length n. In exact arithmetic the error in the norm of A falls in every step, is
/// zero after n, and is at most 2((√κ−1)/(√κ+1))ᵏ of the first. Guarantees: a curvature pᵀAp that is not
/// positive is a breakdown, never an answer; reports as in [the module](super). Lent memory is used only from
/// the first 4n scalars. Cost: a step is one product with A, 10n flops and two divisions, no square root; 4n
/// scalars lent. Source: M. R. Hestenes and E. Stiefel, Methods of Conjugate Gradients for Solving Linear
/// Systems, equations (3:1).
///
/// ```
/// use quern_kernels::krylov::{Cg, LinearSystem, Status, Stop};
/// use quern_kernels::linop::FixedDense;
/// let matrix = FixedDense::new(&[[4.0, 1.0], [1.0, 3.0]]).unwrap();
/// let problem = LinearSystem::new(&matrix, &[1.0, 2.0]);
/// let mut solver = Cg::new([0.0; 4 * 2]);
/// let report = solver.solve(&problem, &Stop::default()).unwrap();
/// assert_eq!((report.status, report.iterations), (Status::Converged, 2));
/// assert!((solver.solution()[0] - 1.0 / 11.0_f64).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
pub struct Cg<T, B, S = Serial> {
    /// x, r, p, Ap.
    memory: B,
    space: S,
    size: usize,
    residual_squared: T,
    right_hand_side_norm: T,
}

impl Cg<(), ()> {
    /// Scalars to lend for n unknowns: 4n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(4)
    }
}

impl<T: Real, B: BorrowMut<[T]>> Cg<T, B> {
    /// A workspace over lent memory, of [`scalars`](Cg::scalars) entries at least.
    pub fn new(memory: B) -> Self {
        Self::in_space(memory, Serial)
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>> Cg<T, B, S> {
    /// A workspace whose vectors live in `space`.
    pub fn in_space(memory: B, space: S) -> Self {
        Self { memory, space, size: 0, residual_squared: T::ZERO, right_hand_side_norm: T::ZERO }
    }

    /// Sets x₀ = 0. Cost: 4n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if rᵀr
    /// overflows.
    pub fn start<A: LinearOperator<T>>(&mut self, problem: &LinearSystem<'_, T, A>) -> Result<(), Error> {
        self.prepare(problem, None)
    }

    /// Sets x₀ to the given iterate. Cost: one product with A, and 6n flops.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_from<A: LinearOperator<T>>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        initial: &[T],
    ) -> Result<(), Error> {
        self.prepare(problem, Some(initial))
    }

    fn prepare<A: LinearOperator<T>>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        initial: Option<&[T]>,
    ) -> Result<(), Error> {
        problem.check_square()?;
        let n = problem.operator.rows();
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let [x, r, p, _] = split(memory, n).ok_or(shortage(n.saturating_mul(4), available))?;
        self.right_hand_side_norm = initialize(&self.space, problem, initial, x, r)?;
        self.space.copy(r, p);
        self.residual_squared = self.space.dot(r, r);
        self.size = n;
        check_square(self.residual_squared)
    }

    /// One step, bounded in cost; call it after a start, with the same problem.
    #[inline(always)]
    pub fn step<A: LinearOperator<T>>(&mut self, problem: &LinearSystem<'_, T, A>) -> Step {
        let Some([x, r, p, q]) = vectors(self.memory.borrow_mut(), problem.operator.rows()) else {
            return Step::Breakdown;
        };
        let curvature = problem.operator.apply_dot(&self.space, p, q);
        let before = self.residual_squared;
        // Also false of NaN, which every non-finite number met so far ends in.
        if curvature > T::ZERO {
            let step_length = before / curvature;
            let residual_squared = self.space.axpy_dot(-step_length, q, r);
            self.space.axpy_xpby(step_length, r, residual_squared / before, p, x);
            self.residual_squared = residual_squared;
            Step::Advanced
        } else if before == T::ZERO {
            Step::Finished
        } else {
            Step::Breakdown
        }
    }

    /// Starts at zero and steps until `stop` is met, or cannot be.
    ///
    /// # Errors
    /// As [`start`](Self::start); [`Error::Setting`]; [`Error::Breakdown`] if the iterate ends non-finite.
    pub fn solve<A: LinearOperator<T>>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
        stop: &Stop<T>,
    ) -> Result<Report<T>, Error> {
        self.start(problem)?;
        self.resume(problem, stop)
    }

    /// Goes on from where a start, steps or a solve left off. The budget counts anew.
    ///
    /// # Errors
    /// As [`solve`](Self::solve).
    pub fn resume<A: LinearOperator<T>>(
        &mut self,
        problem: &LinearSystem<'_, T, A>,
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

/// [`split`] in four without a loop: the lengths are known before anything is unrolled, and a step on an
/// array reads each number once.
#[inline(always)]
fn vectors<T>(memory: &mut [T], n: usize) -> Option<[&mut [T]; 4]> {
    let (x, rest) = memory.split_at_mut_checked(n)?;
    let (r, rest) = rest.split_at_mut_checked(n)?;
    let (p, rest) = rest.split_at_mut_checked(n)?;
    Some([x, r, p, rest.get_mut(..n)?])
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>, A: LinearOperator<T>> Iteration<T, LinearSystem<'_, T, A>>
    for Cg<T, B, S>
{
    #[inline]
    fn step(&mut self, problem: &LinearSystem<'_, T, A>) -> Step {
        Cg::step(self, problem)
    }

    #[inline]
    fn at_most(&self, bound: T) -> bool {
        self.residual_squared <= bound * bound
    }

    fn iterate(&self) -> &[T] {
        self.solution()
    }

    fn compute_residual(&mut self, problem: &LinearSystem<'_, T, A>) -> T {
        let Some([x, _, _, q]) = split(self.memory.borrow_mut(), problem.operator.rows()) else {
            return T::MAX;
        };
        residual(&self.space, problem, x, q)
    }

    fn restart(&mut self, problem: &LinearSystem<'_, T, A>) -> Result<(), Error> {
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let n = problem.operator.rows();
        let [_, r, p, q] = split(memory, n).ok_or(shortage(n.saturating_mul(4), available))?;
        self.space.copy(q, r);
        self.space.copy(q, p);
        self.residual_squared = self.space.dot(r, r);
        check_square(self.residual_squared)
    }
}
