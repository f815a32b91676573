use super::csr::{check_pattern, row_entries};
use super::{Adjoint, LinearOperator};
use crate::{Error, Real, check_finite, check_length};

/// A symmetric sparse matrix of which the lower triangle is stored by compressed rows: y = (L + Lᵀ − diag
/// L)x.
///
/// Shapes: n×n with z stored entries: n + 1 row pointers, z column indices, z values; the columns of row i
/// ascend strictly and end at i at the latest. Guarantee: checked once, by [`new`](Self::new); yᵢ starts with
/// the entries of row i in order and takes those of column i after, as their rows come. Cost: 4z flops; half
/// the memory traffic of [`Csr`](super::Csr), but the rows depend on each other: no threads. Source: Y. Saad,
/// Iterative Methods for Sparse Linear Systems, 2nd edition, section 3.4.
///
/// ```
/// use quern_kernels::linop::{LinearOperator, SymmetricCsr};
/// // ⎡2 1⎤
/// // ⎣1 3⎦
/// let matrix = SymmetricCsr::new(&[0, 1, 3], &[0, 0, 1], &[2.0, 1.0, 3.0]).unwrap();
/// let mut y = [0.0; 2];
/// matrix.apply(&[1.0, 1.0], &mut y);
/// assert_eq!(y, [3.0, 4.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SymmetricCsr<'a, T> {
    row_pointers: &'a [u32],
    column_indices: &'a [u32],
    values: &'a [T],
}

impl<'a, T: Real> SymmetricCsr<'a, T> {
    /// The n×n matrix with this lower triangle, n = `row_pointers.len() - 1`.
    ///
    /// Cost: one pass over the pattern and the values.
    ///
    /// # Errors
    /// As [`Csr::new`](super::Csr::new); a column above its row is out of range.
    pub fn new(row_pointers: &'a [u32], column_indices: &'a [u32], values: &'a [T]) -> Result<Self, Error> {
        check_length("row pointers", row_pointers.len(), row_pointers.len().max(1))?;
        check_pattern(row_pointers, column_indices, |row| row.saturating_add(1))?;
        check_length("values", values.len(), column_indices.len())?;
        check_finite("values", values)?;
        Ok(Self { row_pointers, column_indices, values })
    }

    /// The row pointers.
    pub fn row_pointers(&self) -> &'a [u32] {
        self.row_pointers
    }

    /// The column indices.
    pub fn column_indices(&self) -> &'a [u32] {
        self.column_indices
    }

    /// The values.
    pub fn values(&self) -> &'a [T] {
        self.values
    }

    /// d ← the diagonal, 0 where nothing is stored.
    ///
    /// Shapes: d of length n. Cost: n reads.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    ///
    /// ```
    /// use quern_kernels::linop::SymmetricCsr;
    /// let mut diagonal = [0.0; 2];
    /// SymmetricCsr::new(&[0, 1, 2], &[0, 0], &[2.0, 1.0]).unwrap().diagonal(&mut diagonal).unwrap();
    /// assert_eq!(diagonal, [2.0, 0.0]);
    /// ```
    pub fn diagonal(&self, d: &mut [T]) -> Result<(), Error> {
        check_length("diagonal", d.len(), self.rows())?;
        let pointers = self.row_pointers.iter().zip(self.row_pointers.iter().skip(1));
        for (row, ((&first, &end), d)) in pointers.zip(d).enumerate() {
            *d = row_entries(self.column_indices, self.values, first, end)
                .next_back()
                .filter(|&(column, _)| column == row)
                .map_or(T::ZERO, |(_, value)| value);
        }
        Ok(())
    }
}

impl<T: Real> LinearOperator<T> for SymmetricCsr<'_, T> {
    #[inline]
    fn rows(&self) -> usize {
        self.row_pointers.len().saturating_sub(1)
    }
    #[inline]
    fn columns(&self) -> usize {
        self.rows()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        let pointers = self.row_pointers.iter().zip(self.row_pointers.iter().skip(1));
        for (row, ((&first, &end), &here)) in pointers.zip(x).enumerate() {
            let mut sum = T::NEGATIVE_ZERO;
            for (column, value) in row_entries(self.column_indices, self.values, first, end) {
                if let Some(&x) = x.get(column) {
                    sum += value * x;
                }
                if let Some(y) = y.get_mut(column).filter(|_| column < row) {
                    *y += value * here;
                }
            }
            if let Some(y) = y.get_mut(row) {
                *y = sum;
            }
        }
    }
}

impl<T: Real> Adjoint<T> for SymmetricCsr<'_, T> {
    #[inline]
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.apply(y, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::Csr;

    #[test]
    fn the_product_is_that_of_the_full_matrix() {
        // ⎡4 1 0⎤
        // ⎢1 0 2⎥, the zero not stored
        // ⎣0 2 5⎦
        let lower = SymmetricCsr::new(&[0, 1, 2, 4], &[0, 0, 1, 2], &[4.0, 1.0, 2.0, 5.0]).unwrap();
        let full = Csr::new(3, &[0, 2, 4, 6], &[0, 1, 0, 2, 1, 2], &[4.0, 1.0, 1.0, 2.0, 2.0, 5.0]).unwrap();
        let x = [1.0, -2.0, 3.0];
        let (mut y, mut expected) = ([9.0; 3], [0.0; 3]);
        lower.apply(&x, &mut y);
        full.apply(&x, &mut expected);
        assert_eq!(y, expected);
        lower.apply_adjoint(&x, &mut y);
        assert_eq!(y, expected);
    }

    #[test]
    fn an_entry_above_the_diagonal_is_refused() {
        let refused = SymmetricCsr::new(&[0, 2, 3], &[0, 1, 1], &[1.0; 3]).err().unwrap();
        assert_eq!(refused, Error::Index { what: "column indices", position: 1, bound: 1 });
        assert!(SymmetricCsr::<f32>::new(&[], &[], &[]).is_err());
        assert!(SymmetricCsr::new(&[0, 1], &[0], &[f32::NAN]).is_err());
    }

    #[test]
    fn wrong_lengths_do_no_harm() {
        let matrix = SymmetricCsr::new(&[0, 1, 3], &[0, 0, 1], &[2.0, 1.0, 3.0]).unwrap();
        matrix.apply(&[1.0], &mut [0.0; 5]);
        matrix.apply(&[1.0; 5], &mut [0.0; 1]);
        assert!(matrix.diagonal(&mut [0.0; 3]).is_err());
    }
}
