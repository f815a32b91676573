use super::iteration::{Iteration, check_norm, guarded_norm, residual, run, set_iterate, shortage};
use super::{PreconditionedSystem, Report, Step, Stop};
use crate::linop::LinearOperator;
use crate::space::{Serial, Space};
use crate::{Error, Real};
use core::borrow::BorrowMut;

/// GMRES(m): minimizes ‖b − Ax‖₂ over x₀ + M⁻¹Kₖ, restarted after m steps, A square.
///
/// The Arnoldi process with modified Gram–Schmidt, hₖ₊₁ₖvₖ₊₁ = AM⁻¹vₖ − Σ hᵢₖvᵢ, and one rotation a step turn
/// the least-squares problem with the Hessenberg matrix into a triangular one, whose right-hand side ends in
/// the residual norm; after m steps, x ← x + M⁻¹Vy.
///
/// Shapes: A and M⁻¹ n×n; b and x of length n; m, the restart length, at least 1. The preconditioner works
/// from the right: the residual is that of Ax = b. Guarantees: ‖r‖ does not grow from restart to restart but
/// for rounding; reports as in [the module](super). A breakdown means that A is singular on the Krylov space.
/// Cost: step k of a cycle is one product with A, one application of M⁻¹, 4nk + 5n flops, three square roots
/// and O(k) divisions; the last also forms x, 2nm + m² flops and a product. (m + 3)n + m(m + 1)/2 + 3m + 1
/// scalars lent. Source: Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd edition, algorithm 9.5 and
/// section 6.5.3.
///
/// ```
/// use quern_kernels::krylov::{Gmres, PreconditionedSystem, Status, Stop};
/// use quern_kernels::linop::{FixedDense, Identity};
/// let rotation = FixedDense::new(&[[0.0, 1.0], [-1.0, 0.0]]).unwrap();
/// let identity = Identity::new(2);
/// let problem = PreconditionedSystem::new(&rotation, &identity, &[1.0, 2.0]);
/// let mut solver = Gmres::new([0.0; Gmres::scalars(2, 2)], 2).unwrap();
/// let report = solver.solve(&problem, &Stop::default()).unwrap();
/// assert_eq!((report.status, report.iterations), (Status::Converged, 2));
/// assert!((solver.solution()[0] - 2.0_f64).abs() < 1e-15);
/// ```
#[derive(Clone, Debug)]
pub struct Gmres<T, B, S = Serial> {
    /// See [`Parts`].
    memory: B,
    space: S,
    restart_length: usize,
    size: usize,
    right_hand_side_norm: T,
    /// Steps of the current cycle.
    steps: usize,
    residual_norm: T,
}

/// The lent memory by purpose.
struct Parts<'a, T> {
    /// x.
    solution: &'a mut [T],
    /// A vector for M⁻¹.
    scratch: &'a mut [T],
    /// v₁ … vₘ₊₁, one after the other.
    basis: &'a mut [T],
    /// The triangular factor, column by column, column k with k entries.
    triangle: &'a mut [T],
    cosines: &'a mut [T],
    sines: &'a mut [T],
    /// The rotated right-hand side, m + 1 entries; then y.
    rotated: &'a mut [T],
}

fn parts<T>(memory: &mut [T], n: usize, restart: usize) -> Option<Parts<'_, T>> {
    let triangle_length = restart.checked_mul(restart.checked_add(1)?)? / 2;
    let basis_length = restart.checked_add(1)?.checked_mul(n)?;
    let (solution, rest) = memory.split_at_mut_checked(n)?;
    let (scratch, rest) = rest.split_at_mut_checked(n)?;
    let (basis, rest) = rest.split_at_mut_checked(basis_length)?;
    let (triangle, rest) = rest.split_at_mut_checked(triangle_length)?;
    let (cosines, rest) = rest.split_at_mut_checked(restart)?;
    let (sines, rest) = rest.split_at_mut_checked(restart)?;
    let rotated = rest.get_mut(..restart.checked_add(1)?)?;
    Some(Parts { solution, scratch, basis, triangle, cosines, sines, rotated })
}

impl Gmres<(), ()> {
    /// Scalars to lend for n unknowns and restart length m: (m + 3)n + m(m + 1)/2 + 3m + 1.
    pub const fn scalars(n: usize, m: usize) -> usize {
        m.saturating_add(3)
            .saturating_mul(n)
            .saturating_add(m.saturating_mul(m.saturating_add(1)) / 2)
            .saturating_add(m.saturating_mul(3))
            .saturating_add(1)
    }
}

impl<T: Real, B: BorrowMut<[T]>> Gmres<T, B> {
    /// A workspace over lent memory, of [`scalars`](Gmres::scalars) entries at least, restarted after
    /// `restart_length` steps.
    ///
    /// # Errors
    /// [`Error::Setting`] for a restart length of zero.
    pub fn new(memory: B, restart_length: usize) -> Result<Self, Error> {
        Self::in_space(memory, restart_length, Serial)
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>> Gmres<T, B, S> {
    /// A workspace whose vectors live in `space`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn in_space(memory: B, restart_length: usize, space: S) -> Result<Self, Error> {
        if restart_length == 0 {
            return Err(Error::Setting { name: "restart_length", expected: "at least 1" });
        }
        let zero = T::ZERO;
        let (size, steps) = (0, 0);
        Ok(Self {
            memory,
            space,
            restart_length,
            size,
            right_hand_side_norm: zero,
            steps,
            residual_norm: zero,
        })
    }

    /// Sets x₀ = 0. Cost: 5n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if ‖r‖
    /// overflows.
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
        let required = Gmres::scalars(n, self.restart_length);
        let missing = shortage(required, memory.len());
        let Parts { solution, scratch, .. } = parts(memory, n, self.restart_length).ok_or(missing)?;
        set_iterate(&self.space, initial, solution)?;
        self.space.copy(problem.right_hand_side, scratch);
        self.right_hand_side_norm = guarded_norm(&self.space, scratch);
        self.size = n;
        self.steps = 0;
        self.begin(problem, initial.is_none())
    }

    /// v₁ ← r/‖r‖ for r = b − Ax.
    fn begin<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
        zero: bool,
    ) -> Result<(), Error> {
        let n = problem.operator.rows();
        let memory = self.memory.borrow_mut();
        let missing = shortage(Gmres::scalars(n, self.restart_length), memory.len());
        let parts = parts(memory, n, self.restart_length).ok_or(missing)?;
        let first = parts.basis.get_mut(..n).ok_or(missing)?;
        self.residual_norm = if zero {
            self.space.copy(problem.right_hand_side, first);
            guarded_norm(&self.space, first)
        } else {
            residual(&self.space, &problem.system(), parts.solution, first)
        };
        self.steps = 0;
        if self.residual_norm > T::ZERO {
            self.space.scale(T::ONE / self.residual_norm, first);
        }
        if let Some(entry) = parts.rotated.first_mut() {
            *entry = self.residual_norm;
        }
        check_norm(self.residual_norm)
    }

    /// One step, bounded in cost; call it after a start, with the same problem. Every m-th forms x and starts
    /// the next cycle.
    pub fn step<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Step {
        if self.residual_norm == T::ZERO {
            return Step::Finished;
        }
        if self.steps >= self.restart_length {
            return Step::Breakdown;
        }
        let step = self.extend(problem).unwrap_or(Step::Breakdown);
        if step == Step::Advanced && self.steps >= self.restart_length {
            self.update(problem);
            if self.begin(problem, false).is_err() {
                return Step::Breakdown;
            }
        }
        step
    }

    /// Adds a vector to the basis and a column to the triangle.
    fn extend<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Option<Step> {
        let n = problem.operator.rows();
        let k = self.steps;
        let parts = parts(self.memory.borrow_mut(), n, self.restart_length)?;
        let (known, open) = parts.basis.split_at_mut_checked(k.checked_add(1)?.checked_mul(n)?)?;
        let last = known.get(k.checked_mul(n)?..)?;
        let next = open.get_mut(..n)?;
        problem.preconditioner.apply(last, parts.scratch);
        problem.operator.apply(parts.scratch, next);
        let norm = self.space.norm2(next);
        if !norm.is_finite() {
            return Some(Step::Breakdown);
        }
        let (_, columns) = parts.triangle.split_at_mut_checked(k.checked_mul(k + 1)? / 2)?;
        let column = columns.get_mut(..k + 1)?;
        for (v, entry) in known.chunks_exact(n.max(1)).zip(column.iter_mut()) {
            *entry = self.space.dot(v, next);
            self.space.axpy(-*entry, v, next);
        }
        let mut below = self.space.norm2(next);
        // What is left of the vector is rounding: the Krylov space is invariant.
        if below <= T::EPSILON * norm {
            below = T::ZERO;
        } else {
            self.space.scale(T::ONE / below, next);
        }
        let (last_entry, before) = column.split_last_mut()?;
        let mut carried = before.first().copied().unwrap_or(*last_entry);
        let rotations = parts.cosines.iter().zip(parts.sines.iter());
        for (index, (&cosine, &sine)) in rotations.enumerate().take(k) {
            let under = before.get(index + 1).copied().unwrap_or(*last_entry);
            if let Some(entry) = before.get_mut(index) {
                *entry = cosine * carried + sine * under;
            }
            carried = cosine * under - sine * carried;
        }
        let length = (carried * carried + below * below).sqrt();
        // Also false of NaN, which every non-finite number met so far ends in.
        if !(length > T::ZERO && length.is_finite()) {
            return Some(Step::Breakdown);
        }
        *last_entry = length;
        let (cosine, sine) = (carried / length, below / length);
        *parts.cosines.get_mut(k)? = cosine;
        *parts.sines.get_mut(k)? = sine;
        let rotated = *parts.rotated.get(k)?;
        *parts.rotated.get_mut(k)? = cosine * rotated;
        *parts.rotated.get_mut(k + 1)? = -(sine * rotated);
        self.residual_norm = (sine * rotated).abs();
        self.steps = k + 1;
        Some(Step::Advanced)
    }

    /// x ← x + M⁻¹Vy; ends the cycle, if it has a step.
    fn update<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) {
        let n = problem.operator.rows();
        let k = core::mem::take(&mut self.steps);
        let Some(parts) = parts(self.memory.borrow_mut(), n, self.restart_length) else { return };
        if k == 0 {
            return;
        }
        // Ry = g, by columns from the last.
        for index in (0..k).rev() {
            let start = index.saturating_mul(index.saturating_add(1)) / 2;
            let column = parts.triangle.get(start..).and_then(|rest| rest.get(..=index)).unwrap_or_default();
            let Some((&pivot, above)) = column.split_last() else { return };
            let Some(entry) = parts.rotated.get_mut(index) else { return };
            *entry /= pivot;
            let entry = *entry;
            for (rotated, &coefficient) in parts.rotated.iter_mut().zip(above) {
                *rotated -= coefficient * entry;
            }
        }
        // The last basis vector is not needed any more: it takes Vy.
        let (known, open) = match parts.basis.split_at_mut_checked(k.saturating_mul(n)) {
            Some(split) => split,
            None => return,
        };
        let Some(sum) = open.get_mut(..n) else { return };
        sum.fill(T::ZERO);
        for (v, &coefficient) in known.chunks_exact(n.max(1)).zip(parts.rotated.iter()) {
            self.space.axpy(coefficient, v, sum);
        }
        problem.preconditioner.apply(sum, parts.scratch);
        self.space.axpy(T::ONE, parts.scratch, parts.solution);
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

    /// Forms the iterate of the steps taken so far and starts the next cycle, for a caller that steps by
    /// itself. Cost: as a cycle's last step.
    ///
    /// # Errors
    /// [`Error::Breakdown`] if its residual is not finite.
    pub fn finish_cycle<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Result<(), Error> {
        self.update(problem);
        self.begin(problem, false)
    }

    /// The iterate of the last completed cycle.
    pub fn solution(&self) -> &[T] {
        self.memory.borrow().get(..self.size).unwrap_or_default()
    }

    /// ‖r‖ of the recurrence, after the steps taken so far.
    pub fn residual_norm(&self) -> T {
        self.residual_norm
    }
}

impl<T: Real, B: BorrowMut<[T]>, S: Space<T>, A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>
    Iteration<T, PreconditionedSystem<'_, T, A, M>> for Gmres<T, B, S>
{
    fn step(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> Step {
        Gmres::step(self, problem)
    }

    fn at_most(&self, bound: T) -> bool {
        self.residual_norm <= bound
    }

    fn iterate(&self) -> &[T] {
        self.solution()
    }

    fn compute_residual(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> T {
        // A residual that is not finite reaches the caller as such.
        let _ = self.finish_cycle(problem);
        self.residual_norm
    }

    fn restart(&mut self, _problem: &PreconditionedSystem<'_, T, A, M>) -> Result<(), Error> {
        Ok(())
    }
}
