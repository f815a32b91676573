use crate::blas::{
    Diagonal, axpy_unchecked, check_matrix, check_right_hand_sides, each, lower, lower_transposed,
};
use crate::{Error, Real, check_finite};
use core::borrow::{Borrow, BorrowMut};
use core::marker::PhantomData;

/// A = LLᵀ of a symmetric positive definite matrix, with L lower triangular.
///
/// Shapes: A of n×n, column-major, in any buffer of n² entries; only the lower triangle is read, and L replaces it. What
/// stands above the diagonal is neither read nor written.
///
/// Guarantee: LLᵀ = A + ΔA with |ΔA| ≤ γₙ₊₁|L||Lᵀ|, γₖ = ku/(1−ku), and the solution x of [`solve`](Self::solve)
/// fulfils (A + ΔA)x = b with |ΔA| ≤ γ₃ₙ₊₁|L||Lᵀ|. Every entry subtracts its products in natural order. Cost: n³/3
/// flops and n roots; lent are the n² entries of the matrix itself. Source: N. J. Higham, Accuracy and Stability of
/// Numerical Algorithms, algorithm 10.2 and theorems 10.3 and 10.4.
///
/// ```
/// use quern_kernels::factor::Cholesky;
/// let mut a = [4.0, 2.0, f64::NAN, 5.0]; // (4, 2; 2, 5), upper triangle not stored
/// let factors = Cholesky::factor(2, &mut a[..])?;
/// let mut x = [10.0, 13.0];
/// factors.solve(&mut x)?;
/// assert_eq!(x, [1.5, 2.0]);
/// assert_eq!(factors.determinant(), 16.0);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cholesky<T, B> {
    n: usize,
    factors: B,
    scalar: PhantomData<T>,
}

impl<T: Real, B: BorrowMut<[T]>> Cholesky<T, B> {
    /// Factors the matrix in place. Cost: n³/3 flops and n roots.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the buffer has not n² entries; [`Error::NotPositiveDefinite`] with the index of the
    /// first pivot that is not positive and finite, which also refuses every matrix with a NaN or an infinity in its
    /// lower triangle. The lower triangle is then partly overwritten.
    #[inline]
    pub fn factor(n: usize, mut matrix: B) -> Result<Self, Error> {
        let a = matrix.borrow_mut();
        check_matrix("matrix", a.len(), n, n)?;
        factor_in_place(n, a)?;
        Ok(Self { n, factors: matrix, scalar: PhantomData })
    }
}

impl<T: Real, B: Borrow<[T]>> Cholesky<T, B> {
    /// B ← A⁻¹B, for n×k right-hand sides. Cost: 2n²k flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if B has not a multiple of n entries, [`Error::NonFinite`] if one is not finite; B is then
    /// untouched.
    #[inline]
    pub fn solve(&self, b: &mut [T]) -> Result<(), Error> {
        check_right_hand_sides(self.n, b.len())?;
        check_finite("b", b)?;
        self.solve_unchecked(b);
        Ok(())
    }

    #[inline(always)]
    fn solve_unchecked(&self, b: &mut [T]) {
        let l = self.factors.borrow();
        each(self.n, b, |x| {
            lower(self.n, Diagonal::Stored, l, x);
            lower_transposed(self.n, Diagonal::Stored, l, x);
        });
    }

    /// Writes A⁻¹, both triangles. Cost: 2n³ flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if `inverse` has not n² entries; it is then untouched.
    #[inline]
    pub fn inverse(&self, inverse: &mut [T]) -> Result<(), Error> {
        check_matrix("inverse", inverse.len(), self.n, self.n)?;
        identity(self.n, inverse);
        self.solve_unchecked(inverse);
        Ok(())
    }

    /// det A = Πᵢ lᵢᵢ². May over- or underflow; see [`log_determinant`](Self::log_determinant). Cost: 2n flops.
    #[inline]
    pub fn determinant(&self) -> T {
        diagonal(self.n, self.factors.borrow()).fold(T::ONE, |product, pivot| product * pivot * pivot)
    }

    /// ln det A = 2 Σᵢ ln lᵢᵢ. Cost: n logarithms.
    #[inline]
    pub fn log_determinant(&self) -> T {
        let sum = diagonal(self.n, self.factors.borrow()).fold(T::ZERO, |sum, pivot| sum + pivot.ln());
        sum + sum
    }

    /// n.
    #[inline]
    pub fn dimension(&self) -> usize {
        self.n
    }

    /// L in its lower triangle; the rest is whatever was there.
    #[inline]
    pub fn lower(&self) -> &[T] {
        self.factors.borrow()
    }

    /// Gives the buffer back.
    #[inline]
    pub fn into_inner(self) -> B {
        self.factors
    }
}

/// Overwrites the lower triangle of A with L.
#[inline]
fn factor_in_place<T: Real>(n: usize, a: &mut [T]) -> Result<(), Error> {
    let mut index = 0;
    let mut rest = a;
    while let Some((column, next)) = rest.split_at_mut_checked(n) {
        let Some((pivot, below)) = column.get_mut(index..).and_then(<[T]>::split_first_mut) else { break };
        // Written so that NaN fails.
        if !(*pivot > T::ZERO && *pivot <= T::MAX) {
            return Err(Error::NotPositiveDefinite { index });
        }
        *pivot = pivot.sqrt();
        let inverse = T::ONE / *pivot;
        for entry in below.iter_mut() {
            *entry *= inverse;
        }
        let mut factors = &*below;
        let mut row = index + 1;
        for column in next.chunks_exact_mut(n.max(1)) {
            let (Some(&factor), Some(column)) = (factors.first(), column.get_mut(row..)) else { break };
            axpy_unchecked(-factor, factors, column);
            factors = factors.get(1..).unwrap_or_default();
            row += 1;
        }
        index += 1;
        rest = next;
        if index == n {
            break;
        }
    }
    Ok(())
}

/// The diagonal of an n×n matrix.
#[inline(always)]
pub(super) fn diagonal<T: Real>(n: usize, a: &[T]) -> impl Iterator<Item = T> {
    a.iter().step_by(n.saturating_add(1)).copied()
}

/// Overwrites an n×n matrix with the identity.
#[inline(always)]
pub(super) fn identity<T: Real>(n: usize, a: &mut [T]) {
    for entry in a.iter_mut() {
        *entry = T::ZERO;
    }
    for entry in a.iter_mut().step_by(n.saturating_add(1)) {
        *entry = T::ONE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing() {
        let factors = Cholesky::<f32, _>::factor(0, [0.0; 0]).unwrap();
        assert_eq!(factors.solve(&mut []), Ok(()));
        assert_eq!(factors.determinant(), 1.0);
        assert_eq!(factors.log_determinant(), 0.0);
    }

    #[test]
    fn a_bad_pivot_is_named() {
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let a = [1.0, 0.0, 0.0, bad];
            assert_eq!(Cholesky::factor(2, a).err(), Some(Error::NotPositiveDefinite { index: 1 }), "{bad}");
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let a = [1.0, bad, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
            assert_eq!(Cholesky::factor(3, a).err(), Some(Error::NotPositiveDefinite { index: 1 }), "{bad}");
        }
    }

    #[test]
    fn shapes() {
        assert!(Cholesky::factor(2, [1.0; 3]).is_err());
        let factors = Cholesky::factor(1, [4.0]).unwrap();
        assert!(factors.inverse(&mut [0.0; 2]).is_err());
        assert_eq!(factors.solve(&mut [f64::NAN]), Err(Error::NonFinite { what: "b", index: 0 }));
        let mut several = [4.0, 8.0];
        factors.solve(&mut several).unwrap();
        assert_eq!(several, [1.0, 2.0]);
        assert_eq!(factors.into_inner(), [2.0]);
    }
}
