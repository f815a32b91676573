use super::{diagonal, identity, is_divisor};
use crate::blas::{
    Diagonal, axpy_unchecked, check_matrix, check_right_hand_sides, each, lower, lower_transposed,
};
use crate::{Error, Real, check_finite};
use core::borrow::{Borrow, BorrowMut};
use core::marker::PhantomData;

/// A = LDLᵀ of a symmetric matrix, without pivoting, with L unit lower triangular and D diagonal.
///
/// Shapes: A of n×n, column-major, in any buffer of n² entries; only the lower triangle is read, and D (on
/// the diagonal) and L (below it) replace it. What stands above the diagonal is neither read nor written.
///
/// Guarantee: the factorization exists for every positive or negative definite and every quasi-definite
/// matrix, that is, (H, Bᵀ; B, −G) with H and G positive definite, under any symmetric permutation. The
/// computed factors fulfil LDLᵀ = A + ΔA with |ΔA| ≤ γₙ₊₁|L||D||Lᵀ|, γₖ = ku/(1−ku). Without pivoting
/// |L||D||Lᵀ| may be much larger than |A|, when H or G is nearly singular: regularize, or use
/// [`Qr`](super::Qr). Other indefinite matrices may fail, or be solved with large errors: this is no
/// factorization for them. Cost: n³/3 flops and n²/2 divisions; lent are the n² entries of the matrix itself.
/// Source: R. J. Vanderbei, Symmetric Quasidefinite Matrices, SIAM J. Optim. 5 (1995), theorem 2.1; N. J.
/// Higham, Accuracy and Stability of Numerical Algorithms, section 11.
///
/// ```
/// use quern_kernels::factor::Ldl;
/// let mut a = [2.0, 4.0, f64::NAN, -1.0]; // (2, 4; 4, −1), upper triangle not stored
/// let factors = Ldl::factor(2, &mut a[..])?;
/// assert_eq!(factors.determinant(), -18.0);
/// assert_eq!(factors.inertia(), (1, 1));
/// let mut x = [10.0, 2.0];
/// factors.solve(&mut x)?;
/// assert_eq!(x, [1.0, 2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ldl<T, B> {
    n: usize,
    factors: B,
    scalar: PhantomData<T>,
}

impl<T: Real, B: BorrowMut<[T]>> Ldl<T, B> {
    /// Factors the matrix in place. Cost: n³/3 flops and n²/2 divisions.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the buffer has not n² entries; [`Error::Breakdown`] with the index of the
    /// first pivot that is zero or not finite, which also refuses every matrix with a NaN or an infinity in
    /// its lower triangle. The lower triangle is then partly overwritten.
    #[inline]
    pub fn factor(n: usize, mut matrix: B) -> Result<Self, Error> {
        let a = matrix.borrow_mut();
        check_matrix("matrix", a.len(), n, n)?;
        factor_in_place(n, a)?;
        Ok(Self { n, factors: matrix, scalar: PhantomData })
    }
}

impl<T: Real, B: Borrow<[T]>> Ldl<T, B> {
    /// B ← A⁻¹B, for n×k right-hand sides. Cost: 2n²k flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if B has not a multiple of n entries, [`Error::NonFinite`] if one is not finite;
    /// B is then untouched.
    #[inline]
    pub fn solve(&self, b: &mut [T]) -> Result<(), Error> {
        check_right_hand_sides(self.n, b.len())?;
        check_finite("b", b)?;
        self.solve_unchecked(b);
        Ok(())
    }

    #[inline]
    fn solve_unchecked(&self, b: &mut [T]) {
        let factors = self.factors.borrow();
        each(self.n, b, |x| {
            lower(self.n, Diagonal::Unit, factors, x);
            for (x, pivot) in x.iter_mut().zip(diagonal(self.n, factors)) {
                *x /= pivot;
            }
            lower_transposed(self.n, Diagonal::Unit, factors, x);
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

    /// det A = Πᵢ dᵢ. May over- or underflow. Cost: n flops.
    #[inline]
    pub fn determinant(&self) -> T {
        diagonal(self.n, self.factors.borrow()).fold(T::ONE, |product, pivot| product * pivot)
    }

    /// ln |det A| = Σᵢ ln |dᵢ|; the sign is that of (−1)ᵏ for k negative pivots. Cost: n logarithms.
    #[inline]
    pub fn log_determinant(&self) -> T {
        diagonal(self.n, self.factors.borrow()).fold(T::ZERO, |sum, pivot| sum + pivot.abs().ln())
    }

    /// The number of positive and of negative eigenvalues: those of D, by Sylvester's law of inertia.
    #[inline]
    pub fn inertia(&self) -> (usize, usize) {
        let positive = diagonal(self.n, self.factors.borrow()).filter(|&pivot| pivot > T::ZERO).count();
        (positive, self.n.saturating_sub(positive))
    }

    /// n.
    #[inline]
    pub fn dimension(&self) -> usize {
        self.n
    }

    /// D on the diagonal and L below it; the rest is whatever was there.
    #[inline]
    pub fn factors(&self) -> &[T] {
        self.factors.borrow()
    }

    /// Gives the buffer back.
    #[inline]
    pub fn into_inner(self) -> B {
        self.factors
    }
}

/// Overwrites the lower triangle of A with D and L; every entry subtracts its products in natural order.
#[inline]
fn factor_in_place<T: Real>(n: usize, a: &mut [T]) -> Result<(), Error> {
    let mut rest = a;
    for index in 0..n {
        let Some((column, right)) = rest.split_at_mut_checked(n) else { break };
        let Some((&mut pivot, mut below)) = column.get_mut(index..).and_then(<[T]>::split_first_mut) else {
            break;
        };
        if !is_divisor(pivot) {
            return Err(Error::Breakdown { what: "pivot", index });
        }
        // Column j needs the entries from row j on, before they are divided by the pivot.
        for (column, row) in right.chunks_exact_mut(n).zip(index + 1..) {
            let (Some(&mut first), Some(column)) = (below.first_mut(), column.get_mut(row..)) else { break };
            let factor = first / pivot;
            axpy_unchecked(-factor, below, column);
            let Some((first, next)) = below.split_first_mut() else { break };
            *first = factor;
            below = next;
        }
        rest = right;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing() {
        let factors = Ldl::<f32, _>::factor(0, [0.0; 0]).unwrap();
        assert_eq!(factors.solve(&mut []), Ok(()));
        assert_eq!(factors.determinant(), 1.0);
        assert_eq!(factors.inertia(), (0, 0));
    }

    #[test]
    fn a_bad_pivot_is_named() {
        for bad in [0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let refused = Some(Error::Breakdown { what: "pivot", index: 1 });
            assert_eq!(Ldl::factor(2, [1.0, 0.0, 0.0, bad]).err(), refused, "{bad}");
            if bad != 0.0 {
                let a = [1.0, bad, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
                assert_eq!(Ldl::factor(3, a).err(), refused, "{bad}");
            }
        }
    }

    #[test]
    fn small_pivots_do_not_spoil_a_diagonal_matrix() {
        let factors = Ldl::factor(2, [1e-40_f32, 0.0, 0.0, -2.0]).unwrap();
        let mut x = [1e-40, 4.0];
        factors.solve(&mut x).unwrap();
        assert_eq!(x, [1.0, -2.0]);
    }

    #[test]
    fn shapes() {
        assert!(Ldl::factor(2, [1.0; 3]).is_err());
        let factors = Ldl::factor(1, [-4.0]).unwrap();
        assert!(factors.inverse(&mut [0.0; 2]).is_err());
        assert_eq!(factors.solve(&mut [f64::NAN]), Err(Error::NonFinite { what: "b", index: 0 }));
        assert_eq!(factors.log_determinant(), 4.0_f64.ln());
        assert_eq!(factors.into_inner(), [-4.0]);
    }
}
