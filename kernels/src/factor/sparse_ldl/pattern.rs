use crate::{Error, check_length};

/// The pattern of a sparse LDLᵀ factorization, constant for all matrices of one pattern.
///
/// Of a symmetric A of n×n and an order p (row i of the permuted matrix is row `order[i]` of A), it holds
/// the strict lower triangle of PAPᵀ by columns, each entry with the number of the value it takes, and the
/// strict lower triangle of L by columns, fill included. A host computes it once; a board keeps it in flash.
///
/// Shapes: n entries of the order; n + 1 pointers, and rows strictly ascending in each column, for A and L.
/// Guarantees: [`new`](Self::new) checks that A's entries are in L's pattern, and that the pattern of L is
/// closed under elimination, so that no fill is lost; [`SparseLdl::factor`](super::SparseLdl::factor) checks that the order is a
/// permutation. Cost: of `new`, a pass over both patterns. Source: A. George, J. W. Liu, Computer Solution of Large Sparse Positive
/// Definite Systems, section 5; closedness by the elimination tree: row indices of a column, but its parent,
/// are in the parent's column.
///
/// ```
/// use quern_kernels::factor::LdlPattern;
/// // An arrow whose tip comes last fills nothing.
/// let columns = [0, 1, 2, 2];
/// let rows = [2, 2];
/// let pattern = LdlPattern::new(&[0, 1, 2], &columns, &rows, &[0, 1], &columns, &rows)?;
/// assert_eq!(pattern.dimension(), 3);
/// assert_eq!(pattern.stored(), 2);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LdlPattern<'a> {
    pub(super) order: &'a [u32],
    pub(super) matrix_pointers: &'a [u32],
    pub(super) matrix_rows: &'a [u32],
    pub(super) matrix_sources: &'a [u32],
    pub(super) factor_pointers: &'a [u32],
    pub(super) factor_rows: &'a [u32],
}

impl<'a> LdlPattern<'a> {
    /// The pattern with these parts.
    ///
    /// # Errors
    /// [`Error::Dimension`] and [`Error::Index`], naming the part and the position.
    pub fn new(
        order: &'a [u32],
        matrix_pointers: &'a [u32],
        matrix_rows: &'a [u32],
        matrix_sources: &'a [u32],
        factor_pointers: &'a [u32],
        factor_rows: &'a [u32],
    ) -> Result<Self, Error> {
        let n = order.len();
        check_columns("matrix rows", n, matrix_pointers, matrix_rows)?;
        check_length("matrix sources", matrix_sources.len(), matrix_rows.len())?;
        check_columns("factor rows", n, factor_pointers, factor_rows)?;
        if let Some(position) = order.iter().position(|&index| index as usize >= n) {
            return Err(Error::Index { what: "order", position, bound: n });
        }
        let pattern =
            Self { order, matrix_pointers, matrix_rows, matrix_sources, factor_pointers, factor_rows };
        for column in 0..n {
            let here = pattern.factor_column(column);
            let entries = entries(matrix_pointers, matrix_rows, column);
            if !contains(here, entries) {
                let what = "factor rows: an entry of the matrix";
                return Err(Error::Index { what, position: column, bound: n });
            }
            if let Some((&parent, rest)) = here.split_first()
                && !contains(pattern.factor_column(parent as usize), rest)
            {
                return Err(Error::Index { what: "factor rows: fill", position: column, bound: n });
            }
        }
        Ok(pattern)
    }

    /// The pattern of a factor alone: enough to solve with a factor computed before.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_factor(
        order: &'a [u32],
        factor_pointers: &'a [u32],
        factor_rows: &'a [u32],
    ) -> Result<Self, Error> {
        Self::new(order, factor_pointers, factor_rows, factor_rows, factor_pointers, factor_rows)
    }

    /// n.
    pub fn dimension(&self) -> usize {
        self.order.len()
    }

    /// Entries of L below its diagonal.
    pub fn stored(&self) -> usize {
        self.factor_rows.len()
    }

    /// One more than the largest number of a value that an entry takes; 0 if there is no entry.
    pub fn sources(&self) -> usize {
        self.matrix_sources.iter().max().map_or(0, |&largest| (largest as usize).saturating_add(1))
    }

    pub(super) fn factor_column(&self, column: usize) -> &'a [u32] {
        entries(self.factor_pointers, self.factor_rows, column)
    }
}

/// The part of `values` that belongs to a column; none where the column does not exist.
#[inline(always)]
pub(super) fn entries<'a, V>(pointers: &[u32], values: &'a [V], column: usize) -> &'a [V] {
    match (pointers.get(column), pointers.get(column.wrapping_add(1))) {
        (Some(&first), Some(&end)) => values.get(first as usize..end as usize).unwrap_or_default(),
        _ => &[],
    }
}

/// Whether ascending indices are all among other ascending indices.
fn contains(all: &[u32], some: &[u32]) -> bool {
    let mut all = all.iter();
    some.iter().all(|index| all.any(|other| other == index))
}

/// Checks n columns of strictly ascending rows below the diagonal.
fn check_columns(what: &'static str, n: usize, pointers: &[u32], rows: &[u32]) -> Result<(), Error> {
    check_length(what, pointers.len(), n.saturating_add(1))?;
    let end = pointers.last().map_or(0, |&end| end as usize);
    check_length(what, rows.len(), end)?;
    let mut before = 0;
    for (column, &pointer) in pointers.iter().enumerate() {
        if pointer < before || (column == 0 && pointer != 0) {
            return Err(Error::Index { what, position: column, bound: rows.len().saturating_add(1) });
        }
        before = pointer;
    }
    for column in 0..n {
        let mut least = column.saturating_add(1);
        for &row in entries(pointers, rows, column) {
            if (row as usize) < least || row as usize >= n {
                return Err(Error::Index { what, position: column, bound: n });
            }
            least = (row as usize).saturating_add(1);
        }
    }
    Ok(())
}
