use super::iteration::{Iteration, check_square, initialize, residual, run, shortage, split};
use super::{PreconditionedSystem, Report, Step, Stop};
use crate::linop::LinearOperator;
use crate::space::{Serial, Space};
use crate::{Error, Real};
use core::borrow::BorrowMut;

/// Number of vectors of the workspace.
const VECTORS: usize = 8;

/// MINRES: minimizes ‖b − Ax‖ in the norm of M⁻¹ over the Krylov space, A symmetric, M symmetric positive
/// definite.
///
/// The Lanczos process βₖ₊₁vₖ₊₁ = Avₖ − αₖvₖ − βₖvₖ₋₁ (vectors preconditioned by M⁻¹) and one reflection a
/// step turn the least-squares problem with the tridiagonal matrix into x ← x + φₖwₖ, γₖwₖ = vₖ − δₖwₖ₋₁ −
/// εₖwₖ₋₂; the residual follows from rₖ = sₖ²rₖ₋₁ − φ̄ₖcₖvₖ₊₁.
///
/// Shapes: A and M⁻¹ n×n; b and x of length n. Without a preconditioner, ‖r‖ never grows. A may be
/// indefinite, or singular if b is in its range. Guarantees: a preconditioner that is not positive definite,
/// or a Lanczos coefficient that is not finite, is a breakdown; reports as in [the module](super). Cost: a
/// step is one product with A, one application of M⁻¹, 23n flops and two square roots; 8n scalars lent.
/// Source: C. C. Paige and M. A. Saunders, Solution of Sparse Indefinite Systems of Linear Equations, section
/// 4; the preconditioned form of S.-C. T. Choi, Iterative Methods for Singular Linear Equations and
/// Least-Squares Problems, table 3.4. The residual is updated as a vector, so that its 2-norm is known with a
/// preconditioner too.
///
/// ```
/// use quern_kernels::krylov::{Minres, PreconditionedSystem, Status, Stop};
/// use quern_kernels::linop::{FixedDense, Identity};
/// let matrix = FixedDense::new(&[[0.0, 1.0], [1.0, 0.0]]).unwrap();
/// let identity = Identity::new(2);
/// let problem = PreconditionedSystem::new(&matrix, &identity, &[1.0, 2.0]);
/// let mut solver = Minres::new([0.0; 8 * 2]);
/// let report = solver.solve(&problem, &Stop::default()).unwrap();
/// assert_eq!(report.status, Status::Converged);
/// assert!((solver.solution()[0] - 2.0_f64).abs() < 1e-14);
/// ```
#[derive(Clone, Debug)]
pub struct Minres<T, B, S = Serial> {
    /// x, r, four Lanczos vectors that change roles, two directions that change roles.
    memory: B,
    space: S,
    size: usize,
    right_hand_side_norm: T,
    residual_squared: T,
    /// Steps since the start, for the roles.
    steps: usize,
    /// βₖ and βₖ₊₁.
    beta_before: T,
    beta: T,
    /// The last reflection, and what it left.
    cosine: T,
    sine: T,
    delta_bar: T,
    epsilon: T,
    phi_bar: T,
}

impl Minres<(), ()> {
    /// Scalars to lend for n unknowns: 8n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(VECTORS)
    }
}

impl<T: Real, B: BorrowMut<[T]>> Minres<T, B> {
    /// A workspace over lent memory, of [`scalars`](Minres::scalars) entries at least.
    pub fn new(memory: B) -> Self {
        Self::in_space(memory, Serial)
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>> Minres<T, B, S> {
    /// A workspace whose vectors live in `space`.
    pub fn in_space(memory: B, space: S) -> Self {
        let zero = T::ZERO;
        Self {
            memory,
            space,
            size: 0,
            right_hand_side_norm: zero,
            residual_squared: zero,
            steps: 0,
            beta_before: zero,
            beta: zero,
            cosine: zero,
            sine: zero,
            delta_bar: zero,
            epsilon: zero,
            phi_bar: zero,
        }
    }

    /// Sets x₀ = 0. Cost: one application of M⁻¹, and 6n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if rᵀr
    /// overflows; [`Error::NotPositiveDefinite`] if rᵀM⁻¹r is negative or not finite.
    pub fn start<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Result<(), Error> {
        self.prepare(problem, None)
    }

    /// Sets x₀ to the given iterate. Cost: a product with A more.
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
        let [x, r, ..] =
            split::<VECTORS, T>(memory, n).ok_or(shortage(n.saturating_mul(VECTORS), available))?;
        self.right_hand_side_norm = initialize(&self.space, &problem.system(), initial, x, r)?;
        self.size = n;
        self.begin(problem)
    }

    /// The Lanczos process starts at the residual.
    fn begin<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Result<(), Error> {
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let n = problem.operator.rows();
        let [_, r, v, _, u, _, w1, w2] =
            split::<VECTORS, T>(memory, n).ok_or(shortage(n.saturating_mul(VECTORS), available))?;
        self.space.copy(r, u);
        problem.preconditioner.apply(u, v);
        w1.fill(T::ZERO);
        w2.fill(T::ZERO);
        self.residual_squared = self.space.dot(r, r);
        check_square(self.residual_squared)?;
        let squared = self.space.dot(u, v);
        if !(squared >= T::ZERO && squared.is_finite()) {
            return Err(Error::NotPositiveDefinite { index: 0 });
        }
        self.steps = 0;
        self.beta_before = T::ZERO;
        self.beta = squared.sqrt();
        self.cosine = -T::ONE;
        self.sine = T::ZERO;
        self.delta_bar = T::ZERO;
        self.epsilon = T::ZERO;
        self.phi_bar = self.beta;
        Ok(())
    }

    /// One step, bounded in cost; call it after a start, with the same problem.
    pub fn step<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Step {
        let n = problem.operator.rows();
        let Some([x, r, l0, l1, l2, l3, w0, w1]) = split::<VECTORS, T>(self.memory.borrow_mut(), n) else {
            return Step::Breakdown;
        };
        if self.beta == T::ZERO {
            return Step::Finished;
        }
        // v = M⁻¹u to be scaled; the Lanczos vectors u before and now; room for the next.
        let (v, u_before, u, u_next) = match self.steps % 4 {
            0 => (l0, l1, l2, l3),
            1 => (l1, l2, l3, l0),
            2 => (l2, l3, l0, l1),
            _ => (l3, l0, l1, l2),
        };
        let (w_before, w) = if self.steps.is_multiple_of(2) { (w0, w1) } else { (w1, w0) };
        self.space.scale(T::ONE / self.beta, v);
        problem.operator.apply(v, u_next);
        if self.steps > 0 {
            self.space.axpy(-(self.beta / self.beta_before), u_before, u_next);
        }
        let alpha = self.space.dot(v, u_next);
        self.space.axpy(-(alpha / self.beta), u, u_next);
        let v_next = u_before;
        problem.preconditioner.apply(u_next, v_next);
        let squared = self.space.dot(u_next, v_next);
        // Also false of NaN, which every non-finite number met so far ends in.
        if !(squared >= T::ZERO && squared.is_finite() && alpha.is_finite()) {
            return Step::Breakdown;
        }
        let beta = squared.sqrt();
        // The reflection before, applied to the new column; then the one that removes βₖ₊₁.
        let epsilon_before = self.epsilon;
        let delta = self.cosine * self.delta_bar + self.sine * alpha;
        let gamma_bar = self.sine * self.delta_bar - self.cosine * alpha;
        let gamma = (gamma_bar * gamma_bar + squared).sqrt();
        if gamma == T::ZERO {
            // A is singular on the Krylov space: no step lessens the residual.
            return Step::Breakdown;
        }
        self.epsilon = self.sine * beta;
        self.delta_bar = -(self.cosine * beta);
        self.cosine = gamma_bar / gamma;
        self.sine = beta / gamma;
        let phi = self.cosine * self.phi_bar;
        self.phi_bar = self.sine * self.phi_bar;
        // The direction two steps back gives its memory to the new one.
        self.space.xpby(v, -epsilon_before, w_before);
        self.space.axpy(-delta, w, w_before);
        self.space.scale(T::ONE / gamma, w_before);
        self.space.axpy(phi, w_before, x);
        self.space.scale(self.sine * self.sine, r);
        let factor = if beta > T::ZERO { -(self.cosine * self.phi_bar / beta) } else { T::ZERO };
        self.residual_squared = self.space.axpy_dot(factor, u_next, r);
        self.beta_before = self.beta;
        self.beta = beta;
        self.steps = self.steps.wrapping_add(1);
        Step::Advanced
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
    pub fn residual_squared(&self) -> T {
        self.residual_squared
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>, A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>
    Iteration<T, PreconditionedSystem<'_, T, A, M>> for Minres<T, B, S>
{
    fn step(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> Step {
        Minres::step(self, problem)
    }

    fn at_most(&self, bound: T) -> bool {
        self.residual_squared <= bound * bound
    }

    fn iterate(&self) -> &[T] {
        self.solution()
    }

    fn compute_residual(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> T {
        let n = problem.operator.rows();
        // The recurrence ends here: its residual gives its memory to the computed one.
        let Some([x, r, ..]) = split::<2, T>(self.memory.borrow_mut(), n) else {
            return T::MAX;
        };
        residual(&self.space, &problem.system(), x, r)
    }

    fn restart(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> Result<(), Error> {
        self.begin(problem)
    }
}
