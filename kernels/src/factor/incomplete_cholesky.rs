use crate::linop::{Adjoint, LinearOperator, SymmetricCsr};
use crate::{Error, Real};

/// The incomplete Cholesky factorization without fill, IC(0): A ≈ LLᵀ, L with the pattern of the lower
/// triangle of A.
///
/// lᵢⱼ = (aᵢⱼ − Σₖ lᵢₖlⱼₖ)/lⱼⱼ for stored j < i, lᵢᵢ = √((1 + σ)aᵢᵢ − Σₖ lᵢₖ²); (LLᵀ)ᵢⱼ = aᵢⱼ at every stored
/// place off the diagonal. As an operator it applies M⁻¹ = L⁻ᵀL⁻¹: a preconditioner.
///
/// Shapes: A n×n with z stored entries, every diagonal entry among them; L has z values and shares the
/// pattern of A. σ is a dimensionless shift, 0 for plain IC(0). Guarantees: every pivot is positive and
/// finite, so M⁻¹ is positive definite. It always exists for M-matrices and, with σ large enough, for any
/// symmetric matrix with a positive diagonal: on [`Error::NotPositiveDefinite`] the caller tries again with a
/// larger σ. Cost: for each stored entry (i, j) a merge of the rows i and j; an application 4z flops; z
/// scalars lent. Source: J. A. Meijerink and H. A. van der Vorst, An Iterative Solution Method for Linear
/// Systems of Which the Coefficient Matrix is a Symmetric M-Matrix, section 2 (here on any pattern); the
/// shift is that of T. A. Manteuffel, An Incomplete Factorization Technique for Positive Definite Linear
/// Systems, section 3, multiplied by 1 + σ.
///
/// ```
/// use quern_kernels::factor::IncompleteCholesky;
/// use quern_kernels::linop::{LinearOperator, SymmetricCsr};
/// // ⎡4 2⎤: without fill to drop, the factorization is complete
/// // ⎣2 5⎦
/// let matrix = SymmetricCsr::new(&[0, 1, 3], &[0, 0, 1], &[4.0, 2.0, 5.0]).unwrap();
/// let mut values = [0.0; 3];
/// let factor = IncompleteCholesky::factor(&matrix, 0.0, &mut values).unwrap();
/// assert_eq!(factor.values(), [2.0, 1.0, 2.0]);
/// let mut z = [0.0; 2];
/// factor.apply(&[8.0, 12.0], &mut z);
/// assert_eq!(z, [1.0, 2.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct IncompleteCholesky<'a, T> {
    row_pointers: &'a [u32],
    column_indices: &'a [u32],
    values: &'a [T],
}

impl<'a, T: Real> IncompleteCholesky<'a, T> {
    /// Factors `matrix`, its diagonal multiplied by 1 + `shift`, into lent memory.
    ///
    /// # Errors
    /// [`Error::Setting`] for a shift that is not finite or below 0; [`Error::Capacity`];
    /// [`Error::NotPositiveDefinite`] with the row whose pivot is missing, not positive, or not finite.
    pub fn factor(matrix: &SymmetricCsr<'a, T>, shift: T, memory: &'a mut [T]) -> Result<Self, Error> {
        if !(shift >= T::ZERO && shift.is_finite()) {
            return Err(Error::Setting { name: "shift", expected: "finite and not negative" });
        }
        let (row_pointers, column_indices) = (matrix.row_pointers(), matrix.column_indices());
        let stored = column_indices.len();
        let available = memory.len();
        let shortage = Error::Capacity { what: "factor", required: stored, available };
        let values = memory.get_mut(..stored).ok_or(shortage)?;
        for (value, &entry) in values.iter_mut().zip(matrix.values()) {
            *value = entry;
        }
        let diagonal_factor = T::ONE + shift;
        let pointers = row_pointers.iter().zip(row_pointers.iter().skip(1));
        for (index, (&first, &end)) in pointers.enumerate() {
            let refused = Error::NotPositiveDefinite { index };
            let columns = column_indices.get(first as usize..end as usize).unwrap_or_default();
            let (done, rest) = values.split_at_mut_checked(first as usize).unwrap_or_default();
            let row = rest.get_mut(..columns.len()).unwrap_or_default();
            let (diagonal, before) = columns.split_last().ok_or(refused)?;
            if *diagonal as usize != index {
                return Err(refused);
            }
            for (position, &column) in before.iter().enumerate() {
                let (known, open) = row.split_at_mut_checked(position).unwrap_or_default();
                let other = row_range(row_pointers, column as usize);
                let other_columns = column_indices.get(other.clone()).unwrap_or_default();
                let other_values = done.get(other).unwrap_or_default();
                if let (Some(value), Some(&pivot)) = (open.first_mut(), other_values.last()) {
                    *value = subtract_common(*value, before, known, other_columns, other_values) / pivot;
                }
            }
            if let Some((pivot, known)) = row.split_last_mut() {
                let mut square = diagonal_factor * *pivot;
                for &value in known.iter() {
                    square -= value * value;
                }
                // False of NaN and, through an infinite entry of the row, of every other failure before.
                if !(square > T::ZERO && square.is_finite()) {
                    return Err(refused);
                }
                *pivot = square.sqrt();
            }
        }
        Ok(Self { row_pointers, column_indices, values })
    }

    /// L, on the pattern of A, row by row.
    pub fn values(&self) -> &'a [T] {
        self.values
    }
}

fn row_range(row_pointers: &[u32], row: usize) -> core::ops::Range<usize> {
    match (row_pointers.get(row), row_pointers.get(row.saturating_add(1))) {
        (Some(&first), Some(&end)) => first as usize..end as usize,
        _ => 0..0,
    }
}

/// start − Σₖ lᵢₖlⱼₖ over the columns that both rows store, ascending. The known values of row i are those
/// before column j, so the merge ends there.
fn subtract_common<T: Real>(start: T, columns: &[u32], values: &[T], others: &[u32], weights: &[T]) -> T {
    let mut result = start;
    let mut left = columns.iter().zip(values).peekable();
    let mut right = others.iter().zip(weights).peekable();
    while let (Some(&(&column, &value)), Some(&(&other, &weight))) = (left.peek(), right.peek()) {
        if column <= other {
            left.next();
        }
        if other <= column {
            right.next();
        }
        if column == other {
            result -= value * weight;
        }
    }
    result
}

impl<T: Real> LinearOperator<T> for IncompleteCholesky<'_, T> {
    fn rows(&self) -> usize {
        self.row_pointers.len().saturating_sub(1)
    }
    fn columns(&self) -> usize {
        self.rows()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        let pointers = || self.row_pointers.iter().zip(self.row_pointers.iter().skip(1));
        let row = |first: u32, end: u32| {
            let range = first as usize..end as usize;
            let columns = self.column_indices.get(range.clone())?.split_last()?.1;
            let (pivot, before) = self.values.get(range)?.split_last()?;
            Some((columns, before, *pivot))
        };
        // Ly = x, by rows.
        for (index, ((&first, &end), &x)) in pointers().zip(x).enumerate() {
            let Some((columns, values, pivot)) = row(first, end) else { continue };
            let mut sum = x;
            for (&column, &value) in columns.iter().zip(values) {
                if let Some(&y) = y.get(column as usize) {
                    sum -= value * y;
                }
            }
            if let Some(y) = y.get_mut(index) {
                *y = sum / pivot;
            }
        }
        // Lᵀy = y, by columns of Lᵀ from the last.
        for (index, (&first, &end)) in pointers().enumerate().rev() {
            let Some((columns, values, pivot)) = row(first, end) else { continue };
            let Some(here) = y.get_mut(index) else { continue };
            *here /= pivot;
            let here = *here;
            for (&column, &value) in columns.iter().zip(values) {
                if let Some(y) = y.get_mut(column as usize) {
                    *y -= value * here;
                }
            }
        }
    }
}

impl<T: Real> Adjoint<T> for IncompleteCholesky<'_, T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.apply(y, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_of_the_factors_agrees_on_the_pattern() {
        // A cycle of four: the entry (3, 1) of the complete factor is fill, and dropped.
        let pointers = [0, 1, 3, 5, 8];
        let indices = [0, 0, 1, 1, 2, 0, 2, 3];
        let entries = [4.0, -1.0, 4.0, -1.0, 4.0, -1.0, -1.0, 4.0_f64];
        let matrix = SymmetricCsr::new(&pointers, &indices, &entries).unwrap();
        let mut values = [0.0; 9];
        let factor = IncompleteCholesky::factor(&matrix, 0.0, &mut values).unwrap();
        let mut dense = [[0.0_f64; 4]; 4];
        for row in 0..4 {
            for entry in pointers[row] as usize..pointers[row + 1] as usize {
                dense[row][indices[entry] as usize] = factor.values()[entry];
            }
        }
        for row in 0..4 {
            for entry in pointers[row] as usize..pointers[row + 1] as usize {
                let column = indices[entry] as usize;
                let product: f64 = (0..4).map(|k| dense[row][k] * dense[column][k]).sum();
                // At most three rounded operations of numbers below 4 on either side.
                assert!((product - entries[entry]).abs() <= 16.0 * f64::EPSILON);
            }
        }
        // M⁻¹(Mz) = z
        let z = [1.0, -2.0, 3.0, 0.5];
        let entry = |i: usize, j: usize| (0..4).map(|k| dense[i][k] * dense[j][k]).sum::<f64>();
        let product: [f64; 4] = core::array::from_fn(|i| (0..4).map(|j| entry(i, j) * z[j]).sum());
        let mut solved = [9.0; 4];
        factor.apply(&product, &mut solved);
        for (solved, z) in solved.iter().zip(z) {
            // κ(M) is below 4; some 20 rounded operations of numbers below 16.
            assert!((solved - z).abs() <= 4.0 * 20.0 * 16.0 * f64::EPSILON);
        }
    }

    #[test]
    fn a_pivot_that_is_not_positive_is_named_and_a_shift_mends_it() {
        let matrix = SymmetricCsr::new(&[0, 1, 3], &[0, 0, 1], &[1.0, 2.0, 3.0]).unwrap();
        let mut values = [0.0; 3];
        let refused = IncompleteCholesky::factor(&matrix, 0.0, &mut values).err();
        assert_eq!(refused, Some(Error::NotPositiveDefinite { index: 1 }));
        // (1+σ)·3 > 4/(1+σ) from σ = 0.155 on.
        let mut values = [0.0; 3];
        assert!(IncompleteCholesky::factor(&matrix, 0.2, &mut values).is_ok());
        for (pointers, indices, entries, index) in [
            (&[0, 1, 1][..], &[0][..], &[1.0][..], 1),
            (&[0, 1, 2], &[0, 0], &[1.0, 1.0], 1),
            (&[0, 1], &[0], &[0.0], 0),
            (&[0, 1], &[0], &[-1.0], 0),
            (&[0, 1, 3], &[0, 0, 1], &[1e-320, 1.0, 1.0], 1),
        ] {
            let matrix = SymmetricCsr::new(pointers, indices, entries).unwrap();
            let mut values = [0.0; 3];
            let refused = IncompleteCholesky::factor(&matrix, 0.0, &mut values).err();
            assert_eq!(refused, Some(Error::NotPositiveDefinite { index }));
        }
    }

    #[test]
    fn misuse_is_refused() {
        let matrix = SymmetricCsr::new(&[0, 1], &[0], &[1.0]).unwrap();
        let mut memory = [0.0];
        assert!(matches!(
            IncompleteCholesky::factor(&matrix, 0.0, &mut memory[..0]),
            Err(Error::Capacity { required: 1, available: 0, .. })
        ));
        for shift in [-0.1, f64::NAN, f64::INFINITY] {
            let mut memory = [0.0];
            assert!(IncompleteCholesky::factor(&matrix, shift, &mut memory).is_err());
        }
        let factor = IncompleteCholesky::factor(&matrix, 0.0, &mut memory).unwrap();
        factor.apply(&[], &mut [0.0; 3]);
        factor.apply(&[1.0; 3], &mut []);
        let empty = SymmetricCsr::new(&[0], &[], &[]).unwrap();
        let mut memory: [f32; 0] = [];
        assert_eq!(IncompleteCholesky::factor(&empty, 0.0, &mut memory).unwrap().rows(), 0);
    }
}
