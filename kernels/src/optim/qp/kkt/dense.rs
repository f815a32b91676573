use super::Kkt;
use crate::blas::{Diagonal, dot_unchecked, lower, lower_transposed};
use crate::factor::Cholesky;
use crate::linop::{Adjoint, Dense, LinearOperator};
use crate::optim::qp::Problem;
use crate::optim::qp::memory::{at, shortage, take};
use crate::{Error, Real, check_length};
use core::borrow::BorrowMut;
use core::marker::PhantomData;

/// K of a dense problem, reduced to M = P + σI + AᵀW⁻¹A and factored as LLᵀ.
///
/// (x, y) of K(x, y) = (r, s) is x = M⁻¹(r + AᵀW⁻¹s), y = W⁻¹(Ax − s).
///
/// Shapes: P n×n and A m×n as [`Dense`]. n² + n + 2m numbers are lent, see [`scalars`](DenseKkt::scalars).
/// Guarantee: a pivot that is not positive is an error, none is replaced. Cost:
/// mn² + n³/3 flops to factor, 2n² + 4mn to solve. Source: B. Stellato et al., OSQP, equation (25), which is
/// solved there by conjugate gradients.
#[derive(Clone, Debug)]
pub struct DenseKkt<T, B> {
    memory: B,
    scalar: PhantomData<T>,
}

impl DenseKkt<(), ()> {
    /// Scalars to lend for n variables and m constraints: n² + n + 2m.
    pub const fn scalars(n: usize, m: usize) -> usize {
        n.saturating_mul(n).saturating_add(n).saturating_add(m.saturating_mul(2))
    }
}

impl<T: Real, B: BorrowMut<[T]>> DenseKkt<T, B> {
    /// A factorization over lent memory.
    pub fn new(memory: B) -> Self {
        Self { memory, scalar: PhantomData }
    }

    /// L or M, n numbers, W⁻¹ and m numbers.
    fn parts(&mut self, n: usize, m: usize) -> Option<[&mut [T]; 4]> {
        let mut rest = self.memory.borrow_mut();
        Some([
            take(&mut rest, n.saturating_mul(n))?,
            take(&mut rest, n)?,
            take(&mut rest, m)?,
            take(&mut rest, m)?,
        ])
    }
}

impl<T: Real, B: BorrowMut<[T]>> Kkt<T, Dense<'_, T>, Dense<'_, T>> for DenseKkt<T, B> {
    fn factor(
        &mut self,
        problem: &Problem<'_, T, Dense<'_, T>, Dense<'_, T>>,
        shift: T,
        weights: &[T],
    ) -> Result<usize, Error> {
        let (n, m) = (problem.variables(), problem.constraints());
        check_length("weights", weights.len(), m)?;
        let available = self.memory.borrow().len();
        let [matrix, _, inverse, column] =
            self.parts(n, m).ok_or(shortage(DenseKkt::scalars(n, m), available))?;
        for (inverse, &weight) in inverse.iter_mut().zip(weights) {
            *inverse = T::ONE / weight;
        }
        for (matrix, &p) in matrix.iter_mut().zip(problem.p.entries()) {
            *matrix = p;
        }
        for (j, target) in matrix.chunks_exact_mut(n.max(1)).enumerate() {
            let from = problem.a.entries().chunks_exact(m.max(1)).nth(j).unwrap_or_default();
            for (column, (&a, &inverse)) in column.iter_mut().zip(from.iter().zip(inverse.iter())) {
                *column = a * inverse;
            }
            let columns = problem.a.entries().chunks_exact(m.max(1));
            for (target, other) in target.iter_mut().zip(columns).skip(j) {
                *target += dot_unchecked(other, column);
            }
            if let Some(target) = target.get_mut(j) {
                *target += shift;
            }
        }
        Cholesky::factor(n, matrix).map(|_| 0)
    }

    fn solve(&mut self, problem: &Problem<'_, T, Dense<'_, T>, Dense<'_, T>>, right_hand_side: &mut [T]) {
        let (n, m) = (problem.variables(), problem.constraints());
        let Some([factor, image, inverse, weighted]) = self.parts(n, m) else { return };
        let Some((x, y)) = right_hand_side.split_at_mut_checked(n) else { return };
        for (weighted, (&y, &inverse)) in weighted.iter_mut().zip(y.iter().zip(inverse.iter())) {
            *weighted = y * inverse;
        }
        problem.a.apply_adjoint(weighted, image);
        for (x, &image) in x.iter_mut().zip(image.iter()) {
            *x += image;
        }
        lower(n, Diagonal::Stored, factor, x);
        lower_transposed(n, Diagonal::Stored, factor, x);
        problem.a.apply(x, weighted);
        for (i, (y, &ax)) in y.iter_mut().zip(weighted.iter()).enumerate() {
            *y = (ax - *y) * at(inverse, i);
        }
    }
}
