use super::{Adjoint, LinearOperator};
use crate::{Error, Real, check_finite, check_length};

/// A sparse matrix by compressed rows: y = Ax, yᵢ = Σ aᵢⱼxⱼ over the stored entries of row i, in the order
/// stored.
///
/// Shapes: m×n with z stored entries: m + 1 row pointers, z column indices, z values; indices are u32. Row i
/// owns the entries from `row_pointers[i]` to before `row_pointers[i + 1]`, columns strictly ascending within
/// it. Stored zeros belong to the pattern. Guarantees: the pattern is checked once, by [`new`](Self::new);
/// each row's sum is taken in natural order, so the product of a range of rows
/// ([`apply_rows`](Self::apply_rows)) has the same bits whoever computes it. Cost: 2z flops; per stored entry
/// one value and one index are read. Source: Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd
/// edition, section 3.4.
///
/// ```
/// use quern_kernels::linop::{Csr, LinearOperator};
/// // ⎡2 0 1⎤
/// // ⎣0 3 0⎦
/// let matrix = Csr::new(3, &[0, 2, 3], &[0, 2, 1], &[2.0, 1.0, 3.0]).unwrap();
/// let mut y = [0.0; 2];
/// matrix.apply(&[1.0, 1.0, 1.0], &mut y);
/// assert_eq!(y, [3.0, 3.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Csr<'a, T> {
    columns: usize,
    row_pointers: &'a [u32],
    column_indices: &'a [u32],
    values: &'a [T],
}

/// Checks row pointers and column indices: pointers ascend from 0 to the number of entries; columns ascend
/// strictly within a row and stay below `bound(row)`.
pub(crate) fn check_pattern(
    row_pointers: &[u32],
    column_indices: &[u32],
    bound: impl Fn(usize) -> usize,
) -> Result<(), Error> {
    let stored = column_indices.len();
    if row_pointers.first() != Some(&0) {
        return Err(Error::Index { what: "row pointers", position: 0, bound: 1 });
    }
    for (row, (&first, &end)) in row_pointers.iter().zip(row_pointers.iter().skip(1)).enumerate() {
        let entries = column_indices.get(first as usize..end as usize).ok_or(Error::Index {
            what: "row pointers",
            position: row + 1,
            bound: stored.saturating_add(1),
        })?;
        let bound = bound(row);
        let mut least = 0;
        for (offset, &column) in entries.iter().enumerate() {
            let column = column as usize;
            if column < least || column >= bound {
                let position = (first as usize).saturating_add(offset);
                return Err(Error::Index { what: "column indices", position, bound });
            }
            least = column.saturating_add(1);
        }
    }
    let end = row_pointers.last().map_or(0, |&end| end as usize);
    check_length("column indices", stored, end)
}

/// The entries of one row, as (column, value); none where the row does not exist.
#[inline]
pub(crate) fn row_entries<'a, T: Real>(
    column_indices: &'a [u32],
    values: &'a [T],
    first: u32,
    end: u32,
) -> impl DoubleEndedIterator<Item = (usize, T)> + 'a {
    let range = first as usize..end as usize;
    let columns = column_indices.get(range.clone()).unwrap_or_default();
    let values = values.get(range).unwrap_or_default();
    let length = columns.len().min(values.len());
    let columns = columns.get(..length).unwrap_or_default();
    let values = values.get(..length).unwrap_or_default();
    columns.iter().zip(values).map(|(&column, &value)| (column as usize, value))
}

impl<'a, T: Real> Csr<'a, T> {
    /// The m×n matrix with these entries, m = `row_pointers.len() - 1` and n = `columns`.
    ///
    /// Cost: one pass over the pattern and the values.
    ///
    /// # Errors
    /// [`Error::Dimension`] if there are no row pointers, or the numbers of indices and values are not what
    /// they say; [`Error::Index`] with the position of a row pointer that descends or of a column index that
    /// is out of range or not ascending in its row; [`Error::NonFinite`].
    pub fn new(
        columns: usize,
        row_pointers: &'a [u32],
        column_indices: &'a [u32],
        values: &'a [T],
    ) -> Result<Self, Error> {
        check_length("row pointers", row_pointers.len(), row_pointers.len().max(1))?;
        check_pattern(row_pointers, column_indices, |_| columns)?;
        check_length("values", values.len(), column_indices.len())?;
        check_finite("values", values)?;
        Ok(Self { columns, row_pointers, column_indices, values })
    }

    /// Number of stored entries.
    pub fn stored(&self) -> usize {
        self.values.len()
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

    /// y ← the rows of Ax from `first_row` on, as many as y has entries.
    ///
    /// Shapes: x of length n; y of length at most m − `first_row`; entries of y beyond the last row are left
    /// alone. Guarantee: the same bits as [`apply`](LinearOperator::apply). Cost: 2 flops per stored entry.
    ///
    /// ```
    /// use quern_kernels::linop::Csr;
    /// let matrix = Csr::new(2, &[0, 1, 2], &[0, 1], &[2.0, 3.0]).unwrap();
    /// let mut last = [0.0];
    /// matrix.apply_rows(1, &[1.0, 1.0], &mut last);
    /// assert_eq!(last, [3.0]);
    /// ```
    #[inline]
    pub fn apply_rows(&self, first_row: usize, x: &[T], y: &mut [T]) {
        let pointers = self.row_pointers.get(first_row..).unwrap_or_default();
        for ((&first, &end), y) in pointers.iter().zip(pointers.iter().skip(1)).zip(y) {
            let mut sum = T::NEGATIVE_ZERO;
            for (column, value) in row_entries(self.column_indices, self.values, first, end) {
                if let Some(&x) = x.get(column) {
                    sum += value * x;
                }
            }
            *y = sum;
        }
    }

    /// d ← the diagonal of A, 0 where nothing is stored.
    ///
    /// Shapes: d of length min(m, n). Cost: one pass over the pattern.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    ///
    /// ```
    /// use quern_kernels::linop::Csr;
    /// let matrix = Csr::new(2, &[0, 2, 2], &[0, 1], &[2.0, 3.0]).unwrap();
    /// let mut diagonal = [0.0; 2];
    /// matrix.diagonal(&mut diagonal).unwrap();
    /// assert_eq!(diagonal, [2.0, 0.0]);
    /// ```
    pub fn diagonal(&self, d: &mut [T]) -> Result<(), Error> {
        check_length("diagonal", d.len(), self.rows().min(self.columns))?;
        let pointers = self.row_pointers.iter().zip(self.row_pointers.iter().skip(1));
        for (row, ((&first, &end), d)) in pointers.zip(d).enumerate() {
            *d = row_entries(self.column_indices, self.values, first, end)
                .find(|&(column, _)| column == row)
                .map_or(T::ZERO, |(_, value)| value);
        }
        Ok(())
    }
}

impl<T: Real> LinearOperator<T> for Csr<'_, T> {
    #[inline]
    fn rows(&self) -> usize {
        self.row_pointers.len().saturating_sub(1)
    }
    #[inline]
    fn columns(&self) -> usize {
        self.columns
    }
    #[inline]
    fn apply(&self, x: &[T], y: &mut [T]) {
        self.apply_rows(0, x, y);
    }
}

impl<T: Real> Adjoint<T> for Csr<'_, T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        x.fill(T::ZERO);
        let pointers = self.row_pointers.iter().zip(self.row_pointers.iter().skip(1));
        for ((&first, &end), &y) in pointers.zip(y) {
            for (column, value) in row_entries(self.column_indices, self.values, first, end) {
                if let Some(x) = x.get_mut(column) {
                    *x += value * y;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(columns: usize, pointers: &[u32], indices: &[u32], values: &[f64]) -> Error {
        Csr::new(columns, pointers, indices, values).err().unwrap()
    }

    #[test]
    fn every_defect_of_a_pattern_is_named_with_its_position() {
        let index = |what, position, bound| Error::Index { what, position, bound };
        assert!(matches!(refused(2, &[], &[], &[]), Error::Dimension { what: "row pointers", .. }));
        assert_eq!(refused(2, &[1, 1], &[0], &[1.0]), index("row pointers", 0, 1));
        assert_eq!(refused(2, &[0, 2, 1], &[0, 1], &[1.0; 2]), index("row pointers", 2, 3));
        assert_eq!(refused(2, &[0, 3], &[0, 1], &[1.0; 2]), index("row pointers", 1, 3));
        assert_eq!(refused(2, &[0, 2], &[0, 2], &[1.0; 2]), index("column indices", 1, 2));
        assert_eq!(refused(2, &[0, 2], &[0, u32::MAX], &[1.0; 2]), index("column indices", 1, 2));
        assert_eq!(refused(2, &[0, 2], &[1, 0], &[1.0; 2]), index("column indices", 1, 2));
        assert_eq!(refused(2, &[0, 2], &[1, 1], &[1.0; 2]), index("column indices", 1, 2));
        assert!(matches!(refused(2, &[0, 1], &[0, 1], &[1.0; 2]), Error::Dimension { .. }));
        assert!(matches!(refused(2, &[0, 1], &[0], &[1.0; 2]), Error::Dimension { what: "values", .. }));
        assert!(matches!(refused(2, &[0, 1], &[0], &[f64::NAN]), Error::NonFinite { index: 0, .. }));
    }

    #[test]
    fn empty_rows_and_empty_matrices_have_products() {
        let mut y = [7.0; 3];
        Csr::new(2, &[0, 0, 1, 1], &[1], &[3.0]).unwrap().apply(&[1.0, 2.0], &mut y);
        assert_eq!(y, [0.0, 6.0, 0.0]);
        Csr::new(0, &[0], &[], &[] as &[f64]).unwrap().apply(&[], &mut []);
    }

    #[test]
    fn the_adjoint_is_the_transposed_matrix() {
        let matrix = Csr::new(3, &[0, 2, 3], &[0, 2, 1], &[2.0, 1.0, 3.0]).unwrap();
        let mut x = [7.0; 3];
        matrix.apply_adjoint(&[1.0, 2.0], &mut x);
        assert_eq!(x, [2.0, 6.0, 1.0]);
    }

    #[test]
    fn wrong_lengths_do_no_harm() {
        let matrix = Csr::new(3, &[0, 2, 3], &[0, 2, 1], &[2.0, 1.0, 3.0]).unwrap();
        matrix.apply(&[1.0], &mut [0.0; 5]);
        matrix.apply_rows(9, &[1.0; 3], &mut [0.0; 5]);
        matrix.apply_adjoint(&[1.0; 5], &mut [0.0; 1]);
        assert!(matrix.diagonal(&mut [0.0; 3]).is_err());
    }
}
