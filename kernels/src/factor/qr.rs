use super::is_divisor;
use crate::blas::{axpy_unchecked, check_matrix, dot_unchecked, each, norm2};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::{Borrow, BorrowMut};
use core::marker::PhantomData;

/// A = QR by Householder reflectors, with Q orthogonal and R upper triangular.
///
/// Shapes: A of m×n with m ≥ n, column-major, in any buffer of mn entries, and n scales. R replaces the upper
/// triangle. Below it, column k holds the vector vₖ, whose first entry 1 is not stored, of the reflector Hₖ =
/// I − τₖvₖvₖᵀ; τₖ is scale k; Q = H₀H₁⋯Hₙ₋₁.
///
/// Guarantee: there is an exactly orthogonal Q with A + ΔA = QR and ‖Δaⱼ‖₂ ≤ cmnu‖aⱼ‖₂ for every column, with
/// a small constant c, and [`apply_q`](Self::apply_q) applies that Q with the same error; hence the
/// least-squares solution is that of a problem as near. No column is exchanged: for a matrix of deficient
/// rank the diagonal of R need not show it. Cost: 2n²(m − n/3) flops and n norms; lent are the mn entries
/// themselves and n scales. Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms, section
/// 19.1 and theorems 19.4 and 20.3; signs as there (no cancellation), vₖ scaled as in LAPACK's `dlarfg`.
///
/// ```
/// use quern_kernels::factor::Qr;
/// // The line 1 + 2t through (0, 1), (1, 3), (2, 5).
/// let (mut a, mut scales) = ([1.0, 1.0, 1.0, 0.0, 1.0, 2.0], [0.0; 2]);
/// let factors = Qr::factor(3, 2, &mut a[..], &mut scales[..])?;
/// let mut b = [1.0, 3.0, 5.0];
/// factors.solve(&mut b)?;
/// assert!((b[0] - 1.0_f64).abs() < 1e-14 && (b[1] - 2.0).abs() < 1e-14);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Qr<T, B, S> {
    m: usize,
    n: usize,
    factors: B,
    scales: S,
    scalar: PhantomData<T>,
}

impl<T: Real, B: BorrowMut<[T]>, S: BorrowMut<[T]>> Qr<T, B, S> {
    /// Factors the matrix in place. Cost: 2n²(m − n/3) flops and n norms.
    ///
    /// # Errors
    /// [`Error::Dimension`] if m < n, or a buffer has another number of entries than mn and n;
    /// [`Error::NonFinite`] if an entry is not finite: all of these change nothing. [`Error::Breakdown`] with
    /// its index if the norm of a column overflows; the buffers are then partly overwritten.
    #[inline]
    pub fn factor(m: usize, n: usize, mut matrix: B, mut scales: S) -> Result<Self, Error> {
        if m < n {
            return Err(Error::Dimension { what: "rows", expected: n, found: m });
        }
        check_matrix("matrix", matrix.borrow().len(), m, n)?;
        check_length("scales", scales.borrow().len(), n)?;
        check_finite("matrix", matrix.borrow())?;
        let mut rest = matrix.borrow_mut();
        for (index, scale) in scales.borrow_mut().iter_mut().enumerate() {
            let Some((column, right)) = rest.split_at_mut_checked(m) else { break };
            let Some(column) = column.get_mut(index..) else { break };
            *scale = reflector(column);
            let Some((diagonal, vector)) = column.split_first() else { break };
            if !(diagonal.is_finite() && scale.is_finite()) {
                return Err(Error::Breakdown { what: "norm of a column", index });
            }
            each(m, right, |column| reflect(*scale, index, vector, column));
            rest = right;
        }
        Ok(Self { m, n, factors: matrix, scales, scalar: PhantomData })
    }
}

impl<T: Real, B: Borrow<[T]>, S: Borrow<[T]>> Qr<T, B, S> {
    /// Least squares: the first n entries of every column b of B, m×k, become the x that makes ‖Ax − b‖₂
    /// smallest; the others become entries whose norm is that of the residual. With m = n that is A⁻¹B. Cost:
    /// (4mn − n²)k flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if B has not a multiple of m entries, [`Error::NonFinite`] if one is not finite,
    /// [`Error::Breakdown`] with its index if an entry of R's diagonal is zero; B is then untouched.
    #[inline]
    pub fn solve(&self, b: &mut [T]) -> Result<(), Error> {
        self.check(b)?;
        if let Some(index) = self.diagonal().position(|pivot| !is_divisor(pivot)) {
            return Err(Error::Breakdown { what: "diagonal of R", index });
        }
        each(self.m, b, |b| {
            self.reflect_forwards(b);
            let mut x = b.get_mut(..self.n).unwrap_or_default();
            for column in self.columns().rev() {
                let Some((last, above)) = x.split_last_mut() else { break };
                let Some(&pivot) = column.get(above.len()) else { break };
                *last /= pivot;
                axpy_unchecked(-*last, column, above);
                x = above;
            }
        });
        Ok(())
    }

    /// B ← QB, for B of m×k. Cost: (4mn − 2n²)k flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if B has not a multiple of m entries, [`Error::NonFinite`] if one is not finite;
    /// B is then untouched.
    #[inline]
    pub fn apply_q(&self, b: &mut [T]) -> Result<(), Error> {
        self.check(b)?;
        each(self.m, b, |b| {
            for (index, (column, &scale)) in self.columns().zip(self.scales.borrow()).enumerate().rev() {
                let vector = column.get(index..).and_then(<[T]>::split_first);
                let Some((_, vector)) = vector else { break };
                reflect(scale, index, vector, b);
            }
        });
        Ok(())
    }

    /// B ← QᵀB, for B of m×k. Cost: (4mn − 2n²)k flops.
    ///
    /// # Errors
    /// As [`apply_q`](Self::apply_q).
    #[inline]
    pub fn apply_q_transposed(&self, b: &mut [T]) -> Result<(), Error> {
        self.check(b)?;
        each(self.m, b, |b| self.reflect_forwards(b));
        Ok(())
    }

    /// det A of a square A: the product of R's diagonal, with a sign for every reflector that is not the
    /// identity. May over- or underflow. Cost: n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`] if A is not square.
    #[inline]
    pub fn determinant(&self) -> Result<T, Error> {
        check_length("rows", self.m, self.n)?;
        let scales = self.scales.borrow();
        Ok(self.diagonal().zip(scales).fold(T::ONE, |product, (pivot, &scale)| {
            if scale == T::ZERO { product * pivot } else { product * -pivot }
        }))
    }

    /// (m, n).
    #[inline]
    pub fn shape(&self) -> (usize, usize) {
        (self.m, self.n)
    }

    /// R in the upper triangle, the reflectors' vectors below.
    #[inline]
    pub fn factors(&self) -> &[T] {
        self.factors.borrow()
    }

    /// Gives the buffers back.
    #[inline]
    pub fn into_inner(self) -> (B, S) {
        (self.factors, self.scales)
    }

    #[inline]
    fn check(&self, b: &[T]) -> Result<(), Error> {
        crate::blas::check_right_hand_sides(self.m, b.len())?;
        check_finite("b", b)
    }

    #[inline(always)]
    fn columns(&self) -> core::slice::ChunksExact<'_, T> {
        self.factors.borrow().chunks_exact(self.m.max(1))
    }

    #[inline(always)]
    fn diagonal(&self) -> impl Iterator<Item = T> {
        self.factors.borrow().iter().step_by(self.m.saturating_add(1)).take(self.n).copied()
    }

    #[inline(always)]
    fn reflect_forwards(&self, b: &mut [T]) {
        for (index, (column, &scale)) in self.columns().zip(self.scales.borrow()).enumerate() {
            let vector = column.get(index..).and_then(<[T]>::split_first);
            let Some((_, vector)) = vector else { break };
            reflect(scale, index, vector, b);
        }
    }
}

/// Overwrites x with (β, v) such that (I − τ(1, v)(1, v)ᵀ)x = (β, 0), and returns τ; τ = 0 where x is that
/// already.
#[inline]
fn reflector<T: Real>(x: &mut [T]) -> T {
    let norm = norm2(x);
    let Some((first, below)) = x.split_first_mut() else { return T::ZERO };
    if below.iter().all(|&entry| entry == T::ZERO) {
        return T::ZERO;
    }
    // Of the sign that makes the two terms of 1 − x₀/β add their sizes. No quotient exceeds one, so nothing
    // overflows.
    let beta = -norm.copysign(*first);
    let scale = T::ONE - *first / beta;
    let inverse = -T::ONE / scale;
    for entry in below {
        *entry = *entry / beta * inverse;
    }
    *first = beta;
    scale
}

/// x ← x − τ(1, v)(1, v)ᵀx, on the entries from `index` on.
#[inline(always)]
fn reflect<T: Real>(scale: T, index: usize, vector: &[T], x: &mut [T]) {
    let Some((first, below)) = x.get_mut(index..).and_then(<[T]>::split_first_mut) else { return };
    let product = scale * (*first + dot_unchecked(vector, below));
    *first -= product;
    axpy_unchecked(-product, vector, below);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing() {
        let factors = Qr::<f32, _, _>::factor(0, 0, [0.0; 0], [0.0; 0]).unwrap();
        assert_eq!(factors.solve(&mut []), Ok(()));
        assert_eq!(factors.determinant(), Ok(1.0));
        let no_columns = Qr::factor(2, 0, [0.0; 0], [0.0; 0]).unwrap();
        let mut b = [1.0_f32, 2.0];
        no_columns.solve(&mut b).unwrap();
        assert_eq!(b, [1.0, 2.0]);
    }

    #[test]
    fn a_triangular_matrix_is_its_own_r() {
        let a = [2.0, 0.0, 1.0, 4.0];
        let factors = Qr::factor(2, 2, a, [9.0; 2]).unwrap();
        assert_eq!(factors.determinant(), Ok(8.0));
        assert_eq!(factors.into_inner(), (a, [0.0; 2]));
    }

    #[test]
    fn a_reflection_has_negative_determinant() {
        let factors = Qr::factor(2, 2, [0.0, 1.0, 1.0, 0.0], [0.0; 2]).unwrap();
        assert!((factors.determinant().unwrap() + 1.0_f64).abs() < 1e-15);
    }

    #[test]
    fn extreme_entries_do_not_overflow() {
        let factors = Qr::factor(2, 1, [3e38_f32, 1e38], [0.0]).unwrap();
        let mut b = [1.5e38, 0.5e38];
        factors.solve(&mut b).unwrap();
        assert!((b[0] - 0.5).abs() < 1e-6);
        assert_eq!(
            Qr::factor(2, 1, [f32::MAX, f32::MAX], [0.0]).err(),
            Some(Error::Breakdown { what: "norm of a column", index: 0 })
        );
    }

    #[test]
    fn misuse() {
        assert!(Qr::factor(1, 2, [1.0; 2], [0.0; 2]).is_err());
        assert!(Qr::factor(2, 1, [1.0; 3], [0.0; 1]).is_err());
        assert!(Qr::factor(2, 1, [1.0; 2], [0.0; 2]).is_err());
        assert_eq!(
            Qr::factor(2, 1, [1.0, f32::NAN], [0.0]).err(),
            Some(Error::NonFinite { what: "matrix", index: 1 })
        );
        let singular = Qr::factor(2, 2, [1.0, 0.0, 0.0, 0.0], [0.0; 2]).unwrap();
        let refused = Err(Error::Breakdown { what: "diagonal of R", index: 1 });
        assert_eq!(singular.solve(&mut [1.0, 1.0]), refused);
        assert!(singular.solve(&mut [1.0, f64::NAN]).is_err());
        assert!(Qr::factor(2, 1, [1.0, 1.0], [0.0]).unwrap().determinant().is_err());
    }
}
