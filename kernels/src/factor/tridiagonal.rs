use super::is_divisor;
use crate::blas::{check_right_hand_sides, each};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::{Borrow, BorrowMut};
use core::marker::PhantomData;

/// A = LU of a tridiagonal matrix, without pivoting: the Thomas algorithm.
///
/// Shapes: three buffers of n entries, by rows: `lower[i]` is aᵢ,ᵢ₋₁, `diagonal[i]` is aᵢᵢ, `upper[i]` is
/// aᵢ,ᵢ₊₁; `lower[0]` and `upper[n − 1]` are not read. The multipliers replace `lower`, the pivots replace
/// `diagonal`.
///
/// Guarantee: for matrices that are diagonally dominant by rows or by columns, for symmetric positive
/// definite ones and for M-matrices, the factorization exists and the solution fulfils (A + ΔA)x = b with
/// |ΔA| ≤ cu|A| to first order, where c is 12 for dominant matrices and 4 for the others. Other matrices may
/// fail, or be solved with large errors. Cost: 3n flops to factor, 5n to solve; lent are the 3n entries
/// themselves. Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms, equation 9.20 and
/// theorems 9.12 to 9.14.
///
/// ```
/// use quern_kernels::factor::Tridiagonal;
/// // (2, 1, 0; 1, 2, 1; 0, 1, 2)
/// let (mut lower, mut diagonal, mut upper) = ([0.0, 1.0, 1.0], [2.0; 3], [1.0, 1.0, 0.0]);
/// let factors = Tridiagonal::factor(&mut lower[..], &mut diagonal[..], &mut upper[..])?;
/// let mut x = [4.0, 8.0, 8.0];
/// factors.solve(&mut x)?;
/// assert!(x.iter().zip([1.0, 2.0, 3.0]).all(|(x, exact): (&f64, f64)| (x - exact).abs() < 1e-14));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tridiagonal<T, B> {
    lower: B,
    diagonal: B,
    upper: B,
    scalar: PhantomData<T>,
}

impl<T: Real, B: BorrowMut<[T]>> Tridiagonal<T, B> {
    /// Factors the matrix in place. Cost: 3n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if the buffers have different lengths; [`Error::Breakdown`] with the index of the
    /// first pivot that is zero or not finite, which also refuses every matrix with a NaN or an infinity in
    /// it. The buffers are then partly overwritten.
    #[inline]
    pub fn factor(mut lower: B, mut diagonal: B, upper: B) -> Result<Self, Error> {
        let n = diagonal.borrow().len();
        check_length("lower", lower.borrow().len(), n)?;
        check_length("upper", upper.borrow().len(), n)?;
        // The row above: its pivot and what stands right of it. Before the first row, nothing is.
        let mut above: Option<(T, T)> = None;
        let rows = lower.borrow_mut().iter_mut().zip(diagonal.borrow_mut()).zip(upper.borrow());
        for (index, ((lower, pivot), &upper)) in rows.enumerate() {
            if let Some((above_pivot, above_upper)) = above {
                *lower /= above_pivot;
                *pivot -= *lower * above_upper;
            }
            if !is_divisor(*pivot) {
                return Err(Error::Breakdown { what: "pivot", index });
            }
            above = Some((*pivot, upper));
        }
        Ok(Self { lower, diagonal, upper, scalar: PhantomData })
    }
}

impl<T: Real, B: Borrow<[T]>> Tridiagonal<T, B> {
    /// B ← A⁻¹B, for n×k right-hand sides. Cost: 5nk flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if B has not a multiple of n entries, [`Error::NonFinite`] if one is not finite;
    /// B is then untouched.
    #[inline]
    pub fn solve(&self, b: &mut [T]) -> Result<(), Error> {
        let n = self.dimension();
        check_right_hand_sides(n, b.len())?;
        check_finite("b", b)?;
        let (lower, diagonal, upper) = (self.lower.borrow(), self.diagonal.borrow(), self.upper.borrow());
        each(n, b, |x| {
            let mut above = None;
            for (x, &multiplier) in x.iter_mut().zip(lower) {
                if let Some(above) = above {
                    *x -= multiplier * above;
                }
                above = Some(*x);
            }
            let mut below = None;
            for ((x, &pivot), &upper) in x.iter_mut().zip(diagonal).zip(upper).rev() {
                if let Some(below) = below {
                    *x -= upper * below;
                }
                *x /= pivot;
                below = Some(*x);
            }
        });
        Ok(())
    }

    /// det A = Πᵢ uᵢᵢ. May over- or underflow. Cost: n flops.
    #[inline]
    pub fn determinant(&self) -> T {
        self.diagonal.borrow().iter().fold(T::ONE, |product, &pivot| product * pivot)
    }

    /// n.
    #[inline]
    pub fn dimension(&self) -> usize {
        self.diagonal.borrow().len()
    }

    /// Gives the buffers back: the multipliers, the pivots, and the entries above the diagonal.
    #[inline]
    pub fn into_inner(self) -> (B, B, B) {
        (self.lower, self.diagonal, self.upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_and_of_one() {
        let nothing = Tridiagonal::<f32, _>::factor([0.0; 0], [0.0; 0], [0.0; 0]).unwrap();
        assert_eq!(nothing.solve(&mut []), Ok(()));
        let one = Tridiagonal::factor([f32::NAN], [4.0], [f32::NAN]).unwrap();
        let mut x = [8.0, 2.0];
        one.solve(&mut x).unwrap();
        assert_eq!((x, one.determinant()), ([2.0, 0.5], 4.0));
    }

    #[test]
    fn a_bad_pivot_is_named() {
        for bad in [f32::NAN, f32::INFINITY] {
            let refused = Some(Error::Breakdown { what: "pivot", index: 1 });
            assert_eq!(Tridiagonal::factor([0.0, 1.0], [1.0, bad], [1.0, 0.0]).err(), refused);
            assert_eq!(Tridiagonal::factor([0.0, bad], [1.0, 1.0], [0.0, 0.0]).err(), refused);
            assert_eq!(Tridiagonal::factor([0.0, 0.0], [1.0, 1.0], [bad, 0.0]).err(), refused);
        }
        let refused = Some(Error::Breakdown { what: "pivot", index: 0 });
        assert_eq!(Tridiagonal::factor([0.0], [0.0_f32], [0.0]).err(), refused);
    }

    #[test]
    fn shapes() {
        let (mut two, mut one, mut another) = ([1.0_f32; 2], [1.0], [1.0]);
        assert!(Tridiagonal::factor(&mut two[..], &mut one[..], &mut another[..]).is_err());
        let factors = Tridiagonal::factor([0.0; 2], [1.0; 2], [0.0; 2]).unwrap();
        assert!(factors.solve(&mut [1.0; 3]).is_err());
        assert_eq!(factors.solve(&mut [1.0, f64::INFINITY]), Err(Error::NonFinite { what: "b", index: 1 }));
    }
}
