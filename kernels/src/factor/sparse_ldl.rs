mod pattern;

pub use pattern::LdlPattern;

use pattern::entries;

use super::is_divisor;
use crate::{Error, Real, check_finite, check_length};
use core::borrow::{Borrow, BorrowMut};
use core::marker::PhantomData;

/// PAPᵀ = LDLᵀ of a sparse symmetric quasi-definite matrix, without pivoting, on a constant pattern.
///
/// Column k of L is dₖ⁻¹ times the entries below the diagonal of column k of PAPᵀ − Σⱼ lₖⱼdⱼLⱼ, over the
/// columns j < k with lₖⱼ ≠ 0.
///
/// Shapes: A of n×n; the factor takes [`scalars`](SparseLdl::scalars) = z + n numbers, for z entries of L:
/// L by columns, then the inverse of D. To factor, 2n numbers and 3n indices more are lent; to solve, n numbers.
///
/// Guarantee: as for [`Ldl`](super::Ldl), every quasi-definite matrix has this factorization in every order.
/// The sign and the least size of each pivot are asked for: a pivot of the wrong sign, or of a smaller size,
/// is replaced by the least one and counted; the caller corrects by iterative refinement. Cost: Σ cₖ² flops
/// to factor, for cₖ entries in column k of L; 4z + n to solve. Source: T. A. Davis, Direct Methods for Sparse
/// Linear Systems, section 4.8 (left-looking); Vanderbei, Symmetric Quasidefinite Matrices, theorem 2.1.
///
/// ```
/// use quern_kernels::factor::{LdlPattern, SparseLdl};
/// // ⎡2  4⎤
/// // ⎣4 −1⎦
/// let (columns, rows) = ([0, 1, 1], [1]);
/// let pattern = LdlPattern::new(&[0, 1], &columns, &rows, &[0], &columns, &rows)?;
/// let mut factor = [0.0; 3];
/// let (mut work, mut indices) = ([0.0; 4], [0; 6]);
/// let ldl = SparseLdl::factor(
///     pattern, &[2.0, -1.0], |_| 4.0, |i| [1e-12, -1e-12][i], &mut factor[..], &mut work, &mut indices)?;
/// let mut x = [10.0, 2.0];
/// ldl.solve(&mut x, &mut work)?;
/// assert_eq!(x, [1.0, 2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SparseLdl<'a, T, B> {
    pattern: LdlPattern<'a>,
    factor: B,
    replaced: usize,
    scalar: PhantomData<T>,
}

impl SparseLdl<'_, (), ()> {
    /// Numbers of a factor with `stored` entries of L of n×n: z + n.
    pub const fn scalars(stored: usize, n: usize) -> usize {
        stored.saturating_add(n)
    }
}

impl<'a, T: Real, B: BorrowMut<[T]>> SparseLdl<'a, T, B> {
    /// Factors A, given by its diagonal (in A's own order) and the value of each number in the pattern;
    /// `least(i)` is the smallest pivot i, in A's own order, of the sign that it must have.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::Capacity`] if `factor`, `work` (2n) or `indices` (3n) are too
    /// short; [`Error::Index`] if the order is no permutation; [`Error::Breakdown`] with the position in the order of a pivot that is not finite.
    #[allow(clippy::too_many_arguments, reason = "matrix, rule for pivots, and three kinds of lent memory")]
    pub fn factor(
        pattern: LdlPattern<'a>,
        diagonal: &[T],
        value: impl Fn(usize) -> T,
        least: impl Fn(usize) -> T,
        mut factor: B,
        work: &mut [T],
        indices: &mut [u32],
    ) -> Result<Self, Error> {
        let n = pattern.dimension();
        check_length("diagonal", diagonal.len(), n)?;
        let (work, indices) =
            (lent("work", work, n.saturating_mul(2))?, lent("indices", indices, n.saturating_mul(3))?);
        let memory = lent("factor", factor.borrow_mut(), SparseLdl::scalars(pattern.stored(), n))?;
        check_permutation(pattern.order, indices)?;
        let Some((lower, inverse)) = memory.split_at_mut_checked(pattern.stored()) else {
            return Err(Error::Capacity { what: "factor", required: n, available: 0 });
        };
        let rule = |index: usize, pivot: T| {
            let least = least(index);
            let kept = if least > T::ZERO { pivot >= least } else { pivot <= least };
            if kept { (pivot, 0) } else { (least, 1) }
        };
        let replaced = left_looking(&pattern, diagonal, value, rule, lower, inverse, work, indices)?;
        Ok(Self { pattern, factor, replaced, scalar: PhantomData })
    }
}

impl<'a, T: Real, B: Borrow<[T]>> SparseLdl<'a, T, B> {
    /// A factor computed before: L by columns, then 1/D.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`].
    pub fn from_factor(pattern: LdlPattern<'a>, factor: B) -> Result<Self, Error> {
        let values = factor.borrow();
        check_length("factor", values.len(), SparseLdl::scalars(pattern.stored(), pattern.dimension()))?;
        check_finite("factor", values)?;
        Ok(Self { pattern, factor, replaced: 0, scalar: PhantomData })
    }

    /// A factor that was checked before.
    pub(crate) fn of(pattern: LdlPattern<'a>, factor: B) -> Self {
        Self { pattern, factor, replaced: 0, scalar: PhantomData }
    }

    /// The pattern.
    pub fn pattern(&self) -> LdlPattern<'a> {
        self.pattern
    }

    /// b ← A⁻¹b. Cost: 4z + n flops; `work` of n numbers.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::Capacity`].
    pub fn solve(&self, b: &mut [T], work: &mut [T]) -> Result<(), Error> {
        let n = self.pattern.dimension();
        check_length("b", b.len(), n)?;
        let work = lent("work", work, n)?;
        let factor = self.factor.borrow();
        let (lower, inverse) = factor.split_at_checked(self.pattern.stored()).unwrap_or_default();
        for (work, &index) in work.iter_mut().zip(self.pattern.order) {
            *work = b.get(index as usize).copied().unwrap_or_default();
        }
        self.forward(lower, work);
        self.backward(lower, inverse, work);
        for (&work, &index) in work.iter().zip(self.pattern.order) {
            if let Some(b) = b.get_mut(index as usize) {
                *b = work;
            }
        }
        Ok(())
    }

    #[inline]
    fn forward(&self, lower: &[T], x: &mut [T]) {
        let (mut rows, mut values) = (self.pattern.factor_rows, lower);
        let mut first = 0;
        for (column, &end) in self.pattern.factor_pointers.iter().skip(1).enumerate() {
            let count = end.wrapping_sub(first) as usize;
            first = end;
            let (Some((here, rest)), Some((entries, more))) =
                (rows.split_at_checked(count), values.split_at_checked(count))
            else {
                return;
            };
            (rows, values) = (rest, more);
            let factor = x.get(column).copied().unwrap_or_default();
            for (&row, &value) in here.iter().zip(entries) {
                if let Some(x) = x.get_mut(row as usize) {
                    *x -= value * factor;
                }
            }
        }
    }

    #[inline]
    fn backward(&self, lower: &[T], inverse: &[T], x: &mut [T]) {
        let pattern = &self.pattern;
        for (column, &inverse) in inverse.iter().enumerate().rev() {
            let mut sum = x.get(column).copied().unwrap_or_default() * inverse;
            let rows = pattern.factor_column(column);
            for (&row, &value) in rows.iter().zip(entries(pattern.factor_pointers, lower, column)) {
                if let Some(&x) = x.get(row as usize) {
                    sum -= value * x;
                }
            }
            if let Some(x) = x.get_mut(column) {
                *x = sum;
            }
        }
    }

    /// How many pivots were replaced.
    pub fn replaced(&self) -> usize {
        self.replaced
    }

    /// L by columns, then 1/D.
    pub fn values(&self) -> &[T] {
        self.factor.borrow()
    }
}

/// The first `required` entries of lent memory.
fn lent<'m, V>(what: &'static str, memory: &'m mut [V], required: usize) -> Result<&'m mut [V], Error> {
    let available = memory.len();
    memory.get_mut(..required).ok_or(Error::Capacity { what, required, available })
}

/// Checks that n indices below n are all different, with n entries of work.
fn check_permutation(order: &[u32], seen: &mut [u32]) -> Result<(), Error> {
    seen.fill(0);
    for (position, &index) in order.iter().enumerate() {
        match seen.get_mut(index as usize) {
            Some(seen) if *seen == 0 => *seen = 1,
            _ => return Err(Error::Index { what: "order", position, bound: order.len() }),
        }
    }
    Ok(())
}

/// Computes L and 1/D; returns the number of replaced pivots.
///
/// A column j waits in the list of the row of its next entry: `first[k]` heads the list of row k, `next[j]`
/// goes on, and `position[j]` is that entry. Lists end in n.
#[allow(clippy::too_many_arguments, reason = "matrix, rule, factor and work stand beside each other")]
fn left_looking<T: Real>(
    pattern: &LdlPattern<'_>,
    diagonal: &[T],
    value: impl Fn(usize) -> T,
    rule: impl Fn(usize, T) -> (T, usize),
    lower: &mut [T],
    inverse: &mut [T],
    work: &mut [T],
    indices: &mut [u32],
) -> Result<usize, Error> {
    let n = pattern.dimension();
    let end = n as u32;
    let breakdown = |index| Error::Breakdown { what: "pivot", index };
    let (first, rest) = indices.split_at_mut_checked(n).ok_or(breakdown(0))?;
    let (next, position) = rest.split_at_mut_checked(n).ok_or(breakdown(0))?;
    let (work, pivots) = work.split_at_mut_checked(n).ok_or(breakdown(0))?;
    first.fill(end);
    work.fill(T::ZERO);
    let mut replaced = 0_usize;
    for (column, &index) in pattern.order.iter().enumerate() {
        let rows = entries(pattern.matrix_pointers, pattern.matrix_rows, column);
        let sources = entries(pattern.matrix_pointers, pattern.matrix_sources, column);
        for (&row, &source) in rows.iter().zip(sources) {
            if let Some(work) = work.get_mut(row as usize) {
                *work = value(source as usize);
            }
        }
        let mut pivot = diagonal.get(index as usize).copied().unwrap_or_default();
        let mut waiting = first.get(column).map_or(end, |&waiting| waiting);
        // A column stands in one list at a time: at most n are met.
        for _ in 0..n {
            let from = waiting as usize;
            if from >= n {
                break;
            }
            let (Some(following), Some(at)) = (next.get(from).copied(), position.get_mut(from)) else {
                break;
            };
            let start = *at as usize;
            let stop = pattern.factor_pointers.get(from.wrapping_add(1)).map_or(start, |&stop| stop as usize);
            let (Some((&entry, values)), Some((_, rows))) = (
                lower.get(start..stop).and_then(<[T]>::split_first),
                pattern.factor_rows.get(start..stop).and_then(<[u32]>::split_first),
            ) else {
                break;
            };
            let factor = entry * pivots.get(from).copied().unwrap_or_default();
            pivot -= factor * entry;
            for (&row, &value) in rows.iter().zip(values) {
                if let Some(work) = work.get_mut(row as usize) {
                    *work -= value * factor;
                }
            }
            *at = at.wrapping_add(1);
            enlist(from, rows.first(), first, next);
            waiting = following;
        }
        if !pivot.is_finite() {
            return Err(breakdown(column));
        }
        let (pivot, count) = rule(index as usize, pivot);
        replaced = replaced.wrapping_add(count);
        let reciprocal = T::ONE / pivot;
        if !is_divisor(reciprocal) {
            return Err(breakdown(column));
        }
        if let (Some(inverse), Some(kept)) = (inverse.get_mut(column), pivots.get_mut(column)) {
            *inverse = reciprocal;
            *kept = pivot;
        }
        let start = pattern.factor_pointers.get(column).map_or(0, |&start| start as usize);
        let rows = pattern.factor_column(column);
        let values = lower.get_mut(start..).unwrap_or_default();
        for (&row, value) in rows.iter().zip(values) {
            if let Some(work) = work.get_mut(row as usize) {
                *value = *work * reciprocal;
                *work = T::ZERO;
            }
        }
        if let Some(position) = position.get_mut(column) {
            *position = start as u32;
        }
        enlist(column, rows.first(), first, next);
    }
    Ok(replaced)
}

/// Puts a column in front of the list of a row.
fn enlist(column: usize, row: Option<&u32>, first: &mut [u32], next: &mut [u32]) {
    if let Some(&row) = row
        && let (Some(first), Some(next)) = (first.get_mut(row as usize), next.get_mut(column))
    {
        *next = *first;
        *first = column as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ⎡ 4  1  0  2⎤
    /// ⎢ 1  3  0  0⎥
    /// ⎢ 0  0  5  1⎥, in its own order: column 0 fills (3, 1).
    /// ⎣ 2  0  1 −2⎦
    const MATRIX: [[f64; 4]; 4] =
        [[4.0, 1.0, 0.0, 2.0], [1.0, 3.0, 0.0, 0.0], [0.0, 0.0, 5.0, 1.0], [2.0, 0.0, 1.0, -2.0]];

    #[test]
    fn a_matrix_with_fill() {
        let pattern = LdlPattern::new(
            &[0, 1, 2, 3],
            &[0, 2, 2, 3, 3],
            &[1, 3, 3],
            &[0, 1, 2],
            &[0, 2, 3, 4, 4],
            &[1, 3, 3, 3],
        )
        .unwrap();
        let values = [1.0, 2.0, 1.0];
        let mut factor = [0.0; 8];
        let (mut work, mut indices) = ([0.0; 8], [0; 12]);
        let ldl = SparseLdl::factor(
            pattern,
            &[4.0, 3.0, 5.0, -2.0],
            |source| values[source],
            |index| if index < 3 { 1e-12 } else { -1e-12 },
            &mut factor[..],
            &mut work,
            &mut indices,
        )
        .unwrap();
        assert_eq!(ldl.replaced(), 0);
        let x = [1.0, -2.0, 3.0, 0.5];
        let mut b = MATRIX.map(|row| row.iter().zip(&x).map(|(a, x)| a * x).sum::<f64>());
        ldl.solve(&mut b, &mut work).unwrap();
        for (found, expected) in b.iter().zip(&x) {
            assert!((found - expected).abs() < 1e-14, "{b:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let pattern = |order: &'static [u32], pointers: &'static [u32], rows: &'static [u32]| {
            LdlPattern::new(order, &[0, 2, 2, 2], &[1, 2], &[0, 1], pointers, rows).map(drop)
        };
        assert!(pattern(&[0, 1, 2], &[0, 2, 3, 3], &[1, 2, 2]).is_ok());
        // The fill (2, 1) is missing.
        assert!(matches!(
            pattern(&[0, 1, 2], &[0, 2, 2, 2], &[1, 2]),
            Err(Error::Index { what: "factor rows: fill", position: 0, .. })
        ));
        assert!(matches!(pattern(&[0, 1, 2], &[0, 1, 2, 2], &[1, 2]), Err(Error::Index { position: 0, .. })));
        let order = |result| matches!(result, Err(Error::Index { what: "order", .. }));
        assert!(order(pattern(&[0, 1, 3], &[0, 2, 3, 3], &[1, 2, 2])));
        let twice = LdlPattern::new(&[1, 1], &[0; 3], &[], &[], &[0; 3], &[]).unwrap();
        let factor =
            SparseLdl::factor(twice, &[1.0; 2], |_| 0.0, |_| 0.0, [0.0; 2], &mut [0.0; 4], &mut [0; 6]);
        assert!(order(factor.map(drop)));
        assert!(pattern(&[0, 1], &[0, 2, 3, 3], &[1, 2, 2]).is_err());
        assert!(pattern(&[0, 1, 2], &[0, 3, 2, 3], &[1, 2, 2]).is_err());
        assert!(pattern(&[0, 1, 2], &[0, 2, 3, 3], &[2, 1, 2]).is_err());
    }

    #[test]
    fn a_pivot_of_the_wrong_sign_is_replaced() {
        let pattern = LdlPattern::new(&[0], &[0, 0], &[], &[], &[0, 0], &[]).unwrap();
        let ldl =
            SparseLdl::factor(pattern, &[-1.0], |_| 0.0, |_| 0.5, [0.0], &mut [0.0; 2], &mut [0; 3]).unwrap();
        assert_eq!((ldl.replaced(), ldl.values()), (1, &[2.0][..]));
        let refused =
            SparseLdl::factor(pattern, &[f64::NAN], |_| 0.0, |_| 0.5, [0.0], &mut [0.0; 2], &mut [0; 3]);
        assert_eq!(refused.err(), Some(Error::Breakdown { what: "pivot", index: 0 }));
    }
}
