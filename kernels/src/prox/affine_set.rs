use crate::blas::{gemm_transposed_right, gemv_transposed, matvec};
use crate::factor::Cholesky;
use crate::{Error, Real, check_finite, check_length};
use core::borrow::{Borrow, BorrowMut};

/// The set of all x with Ax = b, for a wide matrix A of full rank, ready to project onto: x − Aᵀ(AAᵀ)⁻¹(Ax −
/// b).
///
/// Shapes: A of m×n column-major, b of length m ≤ n; lent are m² numbers for the factors of AAᵀ, and m for
/// each projection. Guarantee: the error of the result is of the order of u·cond(A)²·d, d the distance moved,
/// plus u·cond(A)·‖x‖: projecting twice takes what is left away. Cost: m²n + m³/3 flops to factor; 4mn + 2m²
/// a projection. Source: N. Parikh, S. Boyd, Proximal Algorithms, section 6.2.1.
///
/// ```
/// use quern_kernels::prox::AffineSet;
/// // 2x₀ = 4 and x₁ = 1.
/// let a = [2.0, 0.0, 0.0, 1.0, 0.0, 0.0];
/// let set = AffineSet::factor(&a, &[4.0, 1.0], [0.0; 4])?;
/// let mut x = [3.0, 4.0, 1.0];
/// set.project(&mut x, &mut [0.0; 2])?;
/// assert_eq!(x, [2.0, 1.0, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AffineSet<'a, T, B> {
    matrix: &'a [T],
    offset: &'a [T],
    gram: Cholesky<T, B>,
}

impl<'a, T: Real, B: BorrowMut<[T]>> AffineSet<'a, T, B> {
    /// Factors AAᵀ into the lent m² numbers.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if A or b is not finite; [`Error::NotPositiveDefinite`] if
    /// the rows of A are dependent to working precision.
    pub fn factor(matrix: &'a [T], offset: &'a [T], mut memory: B) -> Result<Self, Error> {
        let rows = offset.len();
        check_length("memory", memory.borrow_mut().len(), rows.saturating_mul(rows))?;
        let columns = matrix.len().checked_div(rows).unwrap_or(0);
        check_length("matrix", matrix.len(), rows.saturating_mul(columns))?;
        check_finite("matrix", matrix)?;
        check_finite("offset", offset)?;
        gemm_transposed_right(rows, columns, rows, T::ONE, matrix, matrix, T::ZERO, memory.borrow_mut())?;
        let gram = Cholesky::factor(rows, memory)?;
        check_rank(rows, columns, gram.lower())?;
        Ok(Self { matrix, offset, gram })
    }
}

impl<T: Real, B: Borrow<[T]>> AffineSet<'_, T, B> {
    /// Projects x. Shapes: x of length n, work of length m.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if x or Ax − b is not finite, or the result is not. x is
    /// then untouched.
    pub fn project(&self, x: &mut [T], work: &mut [T]) -> Result<(), Error> {
        let rows = self.offset.len();
        check_length("work", work.len(), rows)?;
        if rows == 0 {
            return check_finite("x", x);
        }
        check_length("x", x.len(), self.matrix.len().checked_div(rows).unwrap_or(0))?;
        check_finite("x", x)?;
        matvec(self.matrix, x, work)?;
        for (residual, &offset) in work.iter_mut().zip(self.offset) {
            *residual -= offset;
        }
        self.gram.solve(work)?;
        check_finite("multiplier", work)?;
        gemv_transposed(-T::ONE, self.matrix, work, T::ONE, x)
    }
}

/// Refuses pivots that are nothing but rounding: AAᵀ and its factors are known to (n + m + 2)u of a row's
/// square, which is the sum of the squares of that row of L.
fn check_rank<T: Real>(rows: usize, columns: usize, lower: &[T]) -> Result<(), Error> {
    let rounding = T::from_usize(rows.saturating_add(columns).saturating_add(2)) * T::EPSILON;
    for index in 0..rows {
        let mut square = T::ZERO;
        let mut pivot = T::ZERO;
        for &entry in lower.iter().skip(index).step_by(rows.max(1)).take(index.saturating_add(1)) {
            pivot = entry * entry;
            square += pivot;
        }
        if pivot <= rounding * square {
            return Err(Error::NotPositiveDefinite { index });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_row_is_a_hyperplane() {
        let set = AffineSet::factor(&[3.0f32, 4.0], &[5.0], [0.0; 1]).unwrap();
        let mut x = [3.0, 4.0];
        set.project(&mut x, &mut [0.0]).unwrap();
        for (x, expected) in x.iter().zip([0.6, 0.8]) {
            assert!((x - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn no_rows_leave_everything_and_dependent_rows_are_refused() {
        let set = AffineSet::factor(&[], &[], [0.0f64; 0]).unwrap();
        let mut x = [1.0, 2.0];
        set.project(&mut x, &mut []).unwrap();
        assert_eq!(x, [1.0, 2.0]);
        let dependent = AffineSet::factor(&[1.0, 2.0, 1.0, 2.0], &[1.0, 2.0], [0.0; 4]);
        assert!(matches!(dependent, Err(Error::NotPositiveDefinite { index: 1 })));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(
            AffineSet::factor(&[1.0, 2.0, 3.0], &[1.0, 2.0], [0.0; 4]),
            Err(Error::Dimension { what: "matrix", .. })
        ));
        assert!(matches!(
            AffineSet::factor(&[1.0, 2.0], &[1.0], [0.0; 2]),
            Err(Error::Dimension { what: "memory", .. })
        ));
        assert!(matches!(
            AffineSet::factor(&[1.0, f64::NAN], &[1.0], [0.0; 1]),
            Err(Error::NonFinite { what: "matrix", index: 1 })
        ));
        let set = AffineSet::factor(&[1.0, 2.0], &[1.0], [0.0; 1]).unwrap();
        assert!(matches!(set.project(&mut [1.0], &mut [0.0]), Err(Error::Dimension { what: "x", .. })));
        assert!(matches!(set.project(&mut [1.0; 2], &mut []), Err(Error::Dimension { what: "work", .. })));
        assert!(matches!(set.project(&mut [1.0, f64::NAN], &mut [0.0]), Err(Error::NonFinite { .. })));
    }
}
