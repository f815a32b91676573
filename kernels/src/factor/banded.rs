use crate::blas::{axpy_unchecked, check_matrix, check_right_hand_sides, dot_unchecked, each};
use crate::{Error, Real, check_finite};
use core::borrow::{Borrow, BorrowMut};
use core::marker::PhantomData;

/// A = LLᵀ of a banded symmetric positive definite matrix; L has the same bandwidth.
///
/// Shapes: A of n×n with aᵢⱼ = 0 for |i − j| > k. Its lower band is stored by columns of k + 1 entries, from
/// the diagonal down: entry (i, j) stands at `(i - j) + j * (k + 1)`. What the last columns store below row n
/// − 1 is neither read nor written.
///
/// Guarantee: the numbers of [`Cholesky`](super::Cholesky) of the same matrix stored in full, to the last bit
/// but for the sign of zeros, and its bounds with γₖ₊₂ instead of γₙ₊₁. Cost: n(k² + 3k) flops and n roots to
/// factor, 4nk to solve; lent are the n(k + 1) entries themselves. Source: N. J. Higham, Accuracy and
/// Stability of Numerical Algorithms, algorithm 10.2, restricted to the band.
///
/// ```
/// use quern_kernels::factor::BandedCholesky;
/// // (4, 2, 0; 2, 5, 2; 0, 2, 5)
/// let mut band = [4.0, 2.0, 5.0, 2.0, 5.0, f64::NAN];
/// let factors = BandedCholesky::factor(3, 1, &mut band[..])?;
/// let mut x = [8.0, 18.0, 19.0];
/// factors.solve(&mut x)?;
/// assert_eq!(x, [1.0, 2.0, 3.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BandedCholesky<T, B> {
    n: usize,
    bandwidth: usize,
    band: B,
    scalar: PhantomData<T>,
}

impl<T: Real, B: BorrowMut<[T]>> BandedCholesky<T, B> {
    /// Factors the band in place. Cost: n(k² + 3k) flops and n roots.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the buffer has not n(k + 1) entries; [`Error::NotPositiveDefinite`] with the
    /// index of the first pivot that is not positive and finite, which also refuses every band with a NaN or
    /// an infinity in it. The band is then partly overwritten.
    #[inline]
    pub fn factor(n: usize, bandwidth: usize, mut band: B) -> Result<Self, Error> {
        let entries = band.borrow_mut();
        check_matrix("band", entries.len(), bandwidth.saturating_add(1), n)?;
        let height = bandwidth.saturating_add(1);
        let mut rest = entries;
        for index in 0..n {
            let Some((column, right)) = rest.split_at_mut_checked(height) else { break };
            let inside = bandwidth.min(n - 1 - index);
            let Some((pivot, below)) = column.split_first_mut() else { break };
            // Written so that NaN fails.
            if !(*pivot > T::ZERO && *pivot <= T::MAX) {
                return Err(Error::NotPositiveDefinite { index });
            }
            *pivot = pivot.sqrt();
            let reciprocal = T::ONE / *pivot;
            let Some(mut below) = below.get_mut(..inside) else { break };
            for entry in below.iter_mut() {
                *entry *= reciprocal;
            }
            for column in right.chunks_exact_mut(height) {
                let Some(&factor) = below.first() else { break };
                axpy_unchecked(-factor, below, column);
                let Some((_, next)) = below.split_first_mut() else { break };
                below = next;
            }
            rest = right;
        }
        Ok(Self { n, bandwidth, band, scalar: PhantomData })
    }
}

impl<T: Real, B: Borrow<[T]>> BandedCholesky<T, B> {
    /// B ← A⁻¹B, for n×m right-hand sides. Cost: 4nkm flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if B has not a multiple of n entries, [`Error::NonFinite`] if one is not finite;
    /// B is then untouched.
    #[inline]
    pub fn solve(&self, b: &mut [T]) -> Result<(), Error> {
        check_right_hand_sides(self.n, b.len())?;
        check_finite("b", b)?;
        let height = self.bandwidth.saturating_add(1);
        let columns = self.band.borrow().chunks_exact(height);
        each(self.n, b, |x| {
            let mut rest = &mut *x;
            for column in columns.clone() {
                let (Some((pivot, below)), Some((first, next))) =
                    (column.split_first(), rest.split_first_mut())
                else {
                    break;
                };
                *first /= *pivot;
                axpy_unchecked(-*first, below, next);
                rest = next;
            }
            for (index, column) in columns.clone().enumerate().rev() {
                let next = x.get_mut(index..).and_then(<[T]>::split_first_mut);
                let (Some((pivot, below)), Some((first, next))) = (column.split_first(), next) else { break };
                *first = (*first - dot_unchecked(below, next)) / *pivot;
            }
        });
        Ok(())
    }

    /// det A = Πᵢ lᵢᵢ². May over- or underflow; see [`log_determinant`](Self::log_determinant). Cost: 2n
    /// flops.
    #[inline]
    pub fn determinant(&self) -> T {
        self.diagonal().fold(T::ONE, |product, pivot| product * pivot * pivot)
    }

    /// ln det A = 2 Σᵢ ln lᵢᵢ. Cost: n logarithms.
    #[inline]
    pub fn log_determinant(&self) -> T {
        let sum = self.diagonal().fold(T::ZERO, |sum, pivot| sum + pivot.ln());
        sum + sum
    }

    #[inline(always)]
    fn diagonal(&self) -> impl Iterator<Item = T> {
        self.band.borrow().iter().step_by(self.bandwidth.saturating_add(1)).copied()
    }

    /// n.
    #[inline]
    pub fn dimension(&self) -> usize {
        self.n
    }

    /// L, stored as the band was.
    #[inline]
    pub fn lower(&self) -> &[T] {
        self.band.borrow()
    }

    /// Gives the buffer back.
    #[inline]
    pub fn into_inner(self) -> B {
        self.band
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_and_diagonal() {
        assert_eq!(BandedCholesky::<f32, _>::factor(0, 3, [0.0; 0]).unwrap().solve(&mut []), Ok(()));
        let factors = BandedCholesky::factor(2, 0, [4.0, 16.0]).unwrap();
        let mut x = [8.0, 16.0];
        factors.solve(&mut x).unwrap();
        assert_eq!((x, factors.determinant()), ([2.0, 1.0], 64.0));
    }

    #[test]
    fn a_bad_pivot_is_named() {
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let refused = Some(Error::NotPositiveDefinite { index: 1 });
            assert_eq!(BandedCholesky::factor(2, 1, [1.0, 0.0, bad, 0.0]).err(), refused, "{bad}");
        }
        let refused = Some(Error::NotPositiveDefinite { index: 1 });
        assert_eq!(BandedCholesky::factor(2, 1, [1.0, f64::NAN, 1.0, 0.0]).err(), refused);
    }

    #[test]
    fn a_band_wider_than_the_matrix() {
        let mut band = [4.0, 2.0, f32::NAN, 5.0, f32::NAN, f32::NAN];
        let factors = BandedCholesky::factor(2, 2, &mut band[..]).unwrap();
        // The solve must not touch what lies outside either.
        let mut x = [8.0, 12.0];
        factors.solve(&mut x).unwrap();
        assert_eq!(x, [1.0, 2.0]);
    }

    #[test]
    fn shapes() {
        assert!(BandedCholesky::factor(2, 1, [1.0; 3]).is_err());
        assert!(BandedCholesky::factor(2, usize::MAX, [1.0; 3]).is_err());
        let factors = BandedCholesky::factor(1, 0, [4.0]).unwrap();
        assert!(factors.solve(&mut [f64::NAN]).is_err());
        assert_eq!(factors.into_inner(), [2.0]);
    }
}
