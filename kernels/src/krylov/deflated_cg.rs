use super::iteration::{
    Iteration, check_square, compute_residual, initialize, residual, run, shortage, split,
};
use super::{PreconditionedSystem, Report, Step, Stop};
use crate::linop::LinearOperator;
use crate::space::{Serial, Space};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// Approximate eigenpairs that [`DeflatedCg`] takes out of the problem: Πv = Z·diag(1/θ)·Zᵀv.
///
/// Shapes: Z n×m, column-major, its columns orthonormal and A-conjugate to rounding, as Ritz vectors are; θ,
/// the Ritz values, of m.
#[derive(Clone, Copy, Debug)]
pub struct Deflation<'a, T> {
    vectors: &'a [T],
    values: &'a [T],
}

impl<'a, T: Real> Deflation<'a, T> {
    /// The pairs with these vectors and values.
    ///
    /// # Errors
    /// [`Error::Dimension`] unless the vectors have the same length; [`Error::NonFinite`];
    /// [`Error::NotPositiveDefinite`] with the index of a value that is not positive, or so small that its
    /// reciprocal overflows.
    pub fn new(vectors: &'a [T], values: &'a [T]) -> Result<Self, Error> {
        let length = vectors.len() / values.len().max(1);
        check_length("vectors", vectors.len(), length.saturating_mul(values.len()))?;
        check_finite("vectors", vectors)?;
        check_finite("values", values)?;
        let refused = |&value: &T| !(value > T::ZERO && (T::ONE / value).is_finite());
        match values.iter().position(refused) {
            None => Ok(Self { vectors, values }),
            Some(index) => Err(Error::NotPositiveDefinite { index }),
        }
    }

    /// y ← y + aΠv, vector after vector.
    fn add(&self, space: &impl Space<T>, a: T, v: &[T], y: &mut [T]) {
        for (vector, &value) in self.vectors.chunks_exact(v.len().max(1)).zip(self.values) {
            space.axpy(a * (space.dot(vector, v) / value), vector, y);
        }
    }
}

/// Deflated preconditioned conjugate gradients for Ax = b, A and M symmetric positive definite.
///
/// With approximate eigenpairs in Π, x₀ = Πb, r₀ = b − Ax₀, and each step is
/// z = M⁻¹r, β = rᵀz / (rᵀz before), p ← z + βp − ΠAz, α = rᵀz / pᵀAp, x ← x + αp, r ← r − αAp.
///
/// Shapes: A and M⁻¹ n×n; b and x of length n; m pairs of length n. Guarantees: the part of the error in the
/// span of exact eigenvectors is gone at the start and stays away but for rounding, so that convergence is
/// that of the rest of the spectrum; reports as in [the module](super). Cost: a step is two products with A,
/// one application of M⁻¹ and (4m + 14)n flops; 5n scalars lent. Source: Y. Saad, M. Yeung, J. Erhel, F.
/// Guyomarc'h, A Deflated Version of the Conjugate Gradient Algorithm, 2000, algorithm 3.5, with the Ritz
/// values on the diagonal of ZᵀAZ.
///
/// ```
/// use quern_kernels::krylov::{DeflatedCg, Deflation, LinearSystem, Status, Stop};
/// use quern_kernels::linop::{FixedDense, Identity};
/// let matrix = FixedDense::new(&[[2.0, 0.0], [0.0, 5.0]]).unwrap();
/// let (deflation, identity) = (Deflation::new(&[1.0, 0.0], &[2.0])?, Identity::new(2));
/// let problem = LinearSystem::new(&matrix, &[4.0, 5.0]).preconditioned(&identity);
/// let mut solver = DeflatedCg::new([0.0; 5 * 2], deflation);
/// let report = solver.solve(&problem, &Stop::default())?;
/// // One eigenvector is left to find.
/// assert_eq!((report.status, report.iterations), (Status::Converged, 1));
/// assert_eq!(solver.solution(), &[2.0, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeflatedCg<'a, T, B, S = Serial> {
    /// x, r, p, z, then Az and Ap by turns.
    memory: B,
    space: S,
    deflation: Deflation<'a, T>,
    size: usize,
    residual_squared: T,
    /// rᵀz of the step before; 0 before the first.
    product: T,
    right_hand_side_norm: T,
}

impl DeflatedCg<'_, (), ()> {
    /// Scalars to lend for n unknowns: 5n.
    pub const fn scalars(n: usize) -> usize {
        n.saturating_mul(5)
    }
}

impl<'a, T: Real, B: BorrowMut<[T]>> DeflatedCg<'a, T, B> {
    /// A workspace over lent memory, of [`scalars`](DeflatedCg::scalars) entries at least.
    pub fn new(memory: B, deflation: Deflation<'a, T>) -> Self {
        Self::in_space(memory, deflation, Serial)
    }
}

impl<'a, T: Real, B: BorrowMut<[T]>, S: Space<T>> DeflatedCg<'a, T, B, S> {
    /// A workspace whose vectors live in `space`.
    pub fn in_space(memory: B, deflation: Deflation<'a, T>, space: S) -> Self {
        let zero = T::ZERO;
        Self {
            memory,
            space,
            deflation,
            size: 0,
            residual_squared: zero,
            product: zero,
            right_hand_side_norm: zero,
        }
    }

    /// Sets x₀ = Πb. Cost: one product with A, and (4m + 6)n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if rᵀr
    /// overflows.
    pub fn start<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Result<(), Error> {
        problem.check_square()?;
        let n = problem.operator.rows();
        let pairs = self.deflation.values.len();
        check_length("vectors", self.deflation.vectors.len(), n.saturating_mul(pairs))?;
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let [x, r, p, ..] = split::<5, T>(memory, n).ok_or(shortage(n.saturating_mul(5), available))?;
        let system = problem.system();
        self.right_hand_side_norm = initialize(&self.space, &system, None, x, r)?;
        self.deflation.add(&self.space, T::ONE, problem.right_hand_side, x);
        compute_residual(&self.space, &system, x, r);
        p.fill(T::ZERO);
        self.residual_squared = self.space.dot(r, r);
        self.product = T::ZERO;
        self.size = n;
        check_square(self.residual_squared)
    }

    /// One step, bounded in cost; call it after a start, with the same problem.
    pub fn step<A: LinearOperator<T> + ?Sized, M: LinearOperator<T> + ?Sized>(
        &mut self,
        problem: &PreconditionedSystem<'_, T, A, M>,
    ) -> Step {
        let Some([x, r, p, z, q]) = split(self.memory.borrow_mut(), problem.operator.rows()) else {
            return Step::Breakdown;
        };
        problem.preconditioner.apply(r, z);
        let product = self.space.dot(r, z);
        // Both tests are also false of NaN, which every non-finite number met so far ends in.
        if product > T::ZERO {
            let ratio = if self.product > T::ZERO { product / self.product } else { T::ZERO };
            self.space.xpby(z, ratio, p);
            problem.operator.apply(z, q);
            self.deflation.add(&self.space, -T::ONE, q, p);
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

    /// Starts and steps until `stop` is met, or cannot be.
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
    Iteration<T, PreconditionedSystem<'_, T, A, M>> for DeflatedCg<'_, T, B, S>
{
    fn step(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> Step {
        DeflatedCg::step(self, problem)
    }

    fn at_most(&self, bound: T) -> bool {
        self.residual_squared <= bound * bound
    }

    fn iterate(&self) -> &[T] {
        self.solution()
    }

    fn compute_residual(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> T {
        let Some([x, _, _, _, q]) = split(self.memory.borrow_mut(), problem.operator.rows()) else {
            return T::MAX;
        };
        residual(&self.space, &problem.system(), x, q)
    }

    fn restart(&mut self, problem: &PreconditionedSystem<'_, T, A, M>) -> Result<(), Error> {
        let memory = self.memory.borrow_mut();
        let available = memory.len();
        let n = problem.operator.rows();
        let [_, r, p, _, q] = split(memory, n).ok_or(shortage(n.saturating_mul(5), available))?;
        self.space.copy(q, r);
        p.fill(T::ZERO);
        self.residual_squared = self.space.dot(r, r);
        self.product = T::ZERO;
        check_square(self.residual_squared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::krylov::{LinearSystem, PreconditionedCg, Status};
    use crate::linop::{Identity, Stencil5};
    use std::vec;
    use std::vec::Vec;

    /// Normalized products of sines, the eigenvectors of the Laplacian on a square of n×n points, and their
    /// eigenvalues.
    fn eigenpairs(n: usize, modes: &[(usize, usize)]) -> (Vec<f64>, Vec<f64>) {
        let angle = core::f64::consts::PI / (n + 1) as f64;
        let sine = |mode: usize, at: usize| (angle * (mode * (at + 1)) as f64).sin();
        let norm = 2.0 / (n + 1) as f64;
        let vectors = modes
            .iter()
            .flat_map(|&(k, l)| (0..n * n).map(move |c| norm * sine(k, c % n) * sine(l, c / n)))
            .collect();
        let cosine = |mode: usize| (angle * mode as f64).cos();
        let values = modes.iter().map(|&(k, l)| 4.0 - 2.0 * cosine(k) - 2.0 * cosine(l)).collect();
        (vectors, values)
    }

    #[test]
    fn smallest_eigenvectors_taken_out_save_steps() {
        let n = 12;
        let operator = Stencil5::new([n, n], [1.0; 2]).unwrap();
        let b: Vec<f64> = (0..n * n).map(|i| ((i * 37 + 11) % 64) as f64 / 32.0 - 0.98).collect();
        let identity = Identity::new(n * n);
        let problem = LinearSystem::new(&operator, &b).preconditioned(&identity);
        let stop = Stop { relative_tolerance: 1e-8, ..Stop::default() };
        let mut plain = PreconditionedCg::new(vec![0.0; PreconditionedCg::scalars(n * n)]);
        let without = plain.solve(&problem, &stop).unwrap();
        let (vectors, values) = eigenpairs(n, &[(1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1)]);
        let deflation = Deflation::new(&vectors, &values).unwrap();
        let mut solver = DeflatedCg::new(vec![0.0; DeflatedCg::scalars(n * n)], deflation);
        let with = solver.solve(&problem, &stop).unwrap();
        assert_eq!((without.status, with.status), (Status::Converged, Status::Converged));
        assert!(with.iterations + 5 < without.iterations, "{with:?} {without:?}");
        for (x, y) in solver.solution().iter().zip(plain.solution()) {
            // Both residuals are below 1e-8·‖b‖ ≈ 7e-8, and ‖A⁻¹‖ = 1/λ₁₁ < 9.
            assert!((x - y).abs() <= 2.0 * 7e-8 * 9.0);
        }
    }

    #[test]
    fn nothing_taken_out_is_preconditioned_cg() {
        let operator = Stencil5::new([5, 4], [1.0; 2]).unwrap();
        let b: Vec<f64> = (0..20).map(|i| ((i * 37 + 11) % 64) as f64 / 32.0 - 0.98).collect();
        let identity = Identity::new(20);
        let problem = LinearSystem::new(&operator, &b).preconditioned(&identity);
        let mut plain = PreconditionedCg::new(vec![0.0; 80]);
        let mut solver = DeflatedCg::new(vec![0.0; 100], Deflation::new(&[], &[]).unwrap());
        plain.start(&problem).unwrap();
        solver.start(&problem).unwrap();
        for _ in 0..8 {
            assert_eq!(plain.step(&problem), solver.step(&problem));
            assert_eq!(plain.solution(), solver.solution());
        }
    }

    #[test]
    fn misuse_is_refused() {
        assert!(matches!(Deflation::new(&[1.0; 3], &[1.0; 2]), Err(Error::Dimension { .. })));
        assert!(matches!(Deflation::new(&[f64::NAN], &[1.0]), Err(Error::NonFinite { .. })));
        for value in [0.0, -1.0, 1e-320] {
            let refused = Deflation::new(&[1.0, 1.0], &[1.0, value]).err();
            assert_eq!(refused, Some(Error::NotPositiveDefinite { index: 1 }));
        }
        let identity = Identity::new(2);
        let problem = LinearSystem::new(&identity, &[1.0, 1.0]).preconditioned(&identity);
        let mut solver = DeflatedCg::new([0.0; 10], Deflation::new(&[1.0; 3], &[1.0]).unwrap());
        assert!(matches!(solver.start(&problem), Err(Error::Dimension { what: "vectors", .. })));
        let mut solver = DeflatedCg::new([0.0; 9], Deflation::new(&[1.0, 0.0], &[1.0]).unwrap());
        assert!(matches!(solver.start(&problem), Err(Error::Capacity { required: 10, available: 9, .. })));
    }
}
