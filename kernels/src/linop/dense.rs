use super::{Adjoint, LinearOperator};
use crate::blas::{dot_unchecked, matvec, matvec_fixed};
use crate::space::Space;
use crate::{Error, Real, check_finite, check_length};

/// A dense matrix, column-major: y = Ax, yᵢ = Σⱼ aᵢⱼxⱼ in natural order.
///
/// Shapes: m×n, entry (i, j) at `i + j * m`. Guarantee: the adjoint's sums have the order of
/// [`dot`](crate::blas::dot). Cost: 2mn flops, nothing lent beyond the entries.
///
/// ```
/// use quern_kernels::linop::{Dense, LinearOperator};
/// // ⎡1 3⎤
/// // ⎣2 4⎦
/// let mut y = [0.0; 2];
/// Dense::new(2, 2, &[1.0, 2.0, 3.0, 4.0]).unwrap().apply(&[1.0, 1.0], &mut y);
/// assert_eq!(y, [4.0, 6.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a, T> {
    rows: usize,
    columns: usize,
    entries: &'a [T],
}

impl<'a, T: Real> Dense<'a, T> {
    /// The matrix with these entries, column by column.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`].
    pub fn new(rows: usize, columns: usize, entries: &'a [T]) -> Result<Self, Error> {
        let length = rows.saturating_mul(columns);
        check_length("entries", entries.len(), length)?;
        check_finite("entries", entries)?;
        Ok(Self { rows, columns, entries })
    }

    /// The entries, column by column.
    pub fn entries(&self) -> &'a [T] {
        self.entries
    }
}

impl<T: Real> LinearOperator<T> for Dense<'_, T> {
    #[inline]
    fn rows(&self) -> usize {
        self.rows
    }
    #[inline]
    fn columns(&self) -> usize {
        self.columns
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        // Other lengths than those promised are refused, and change nothing.
        let _ = matvec(self.entries, x, y);
    }
}

impl<T: Real> Adjoint<T> for Dense<'_, T> {
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        if self.rows == 0 {
            x.fill(T::ZERO);
        }
        for (x, column) in x.iter_mut().zip(self.entries.chunks_exact(self.rows.max(1))) {
            *x = dot_unchecked(column, y);
        }
    }
}

/// A dense m×n matrix of a size known at compile time, column by column: what [`Dense`] is, to the bit, and
/// faster.
///
/// Shapes: `columns[j][i]` is entry (i, j). Cost: 2mn flops, nothing lent beyond the entries.
///
/// ```
/// use quern_kernels::linop::{FixedDense, LinearOperator};
/// let mut y = [0.0; 2];
/// FixedDense::new(&[[1.0, 2.0], [3.0, 4.0]]).unwrap().apply(&[1.0, 1.0], &mut y);
/// assert_eq!(y, [4.0, 6.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FixedDense<'a, T, const M: usize, const N: usize> {
    columns: &'a [[T; M]; N],
}

impl<'a, T: Real, const M: usize, const N: usize> FixedDense<'a, T, M, N> {
    /// The matrix with these columns.
    ///
    /// # Errors
    /// [`Error::NonFinite`].
    pub fn new(columns: &'a [[T; M]; N]) -> Result<Self, Error> {
        check_finite("entries", columns.as_flattened())?;
        Ok(Self { columns })
    }
}

impl<T: Real, const M: usize, const N: usize> LinearOperator<T> for FixedDense<'_, T, M, N> {
    #[inline]
    fn rows(&self) -> usize {
        M
    }
    #[inline]
    fn columns(&self) -> usize {
        N
    }
    #[inline(always)]
    fn apply(&self, x: &[T], y: &mut [T]) {
        if let (Some(x), Some(y)) = (x.first_chunk(), y.first_chunk_mut()) {
            matvec_fixed(self.columns, x, y);
        }
    }
    #[inline(always)]
    fn apply_dot<S: Space<T>>(&self, space: &S, x: &[T], y: &mut [T]) -> T {
        let (Some(x), Some(y)) = (x.first_chunk::<N>(), y.first_chunk_mut::<M>()) else { return T::ZERO };
        let (direction, mut product) = (*x, [T::ZERO; M]);
        matvec_fixed(self.columns, &direction, &mut product);
        *y = product;
        space.dot(&direction, &product)
    }
}

impl<T: Real, const M: usize, const N: usize> Adjoint<T> for FixedDense<'_, T, M, N> {
    #[inline]
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        for (x, column) in x.iter_mut().zip(self.columns) {
            *x = dot_unchecked(column, y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entry (i, j) of an m×n matrix, small integers: every product below is exact.
    fn entry(i: usize, j: usize) -> f32 {
        ((i * 7 + j * 3) % 11) as f32 - 5.0
    }

    fn check<const M: usize, const N: usize>() {
        let columns: [[f32; M]; N] = core::array::from_fn(|j| core::array::from_fn(|i| entry(i, j)));
        let x: [f32; N] = core::array::from_fn(|j| j as f32 - 2.0);
        let z: [f32; M] = core::array::from_fn(|i| 3.0 - i as f32);
        let fixed = FixedDense::new(&columns).unwrap();
        let dense = Dense::new(M, N, columns.as_flattened()).unwrap();
        let (mut y, mut y_fixed) = ([9.0; M], [9.0; M]);
        dense.apply(&x, &mut y);
        fixed.apply(&x, &mut y_fixed);
        let expected: [f32; M] = core::array::from_fn(|i| (0..N).map(|j| entry(i, j) * x[j]).sum());
        assert_eq!(y, expected);
        assert_eq!(y_fixed, expected);
        let (mut x, mut x_fixed) = ([9.0; N], [9.0; N]);
        dense.apply_adjoint(&z, &mut x);
        fixed.apply_adjoint(&z, &mut x_fixed);
        let expected: [f32; N] = core::array::from_fn(|j| (0..M).map(|i| entry(i, j) * z[i]).sum());
        assert_eq!(x, expected);
        assert_eq!(x_fixed, expected);
    }

    #[test]
    fn products_are_exact_where_every_sum_is() {
        check::<1, 1>();
        check::<8, 8>();
        check::<3, 5>();
        check::<17, 9>();
        check::<9, 17>();
        check::<0, 4>();
        check::<4, 0>();
        check::<0, 0>();
    }

    #[test]
    fn shapes_and_entries_are_checked() {
        assert!(matches!(Dense::new(2, 2, &[0.0; 3]), Err(Error::Dimension { expected: 4, found: 3, .. })));
        assert!(Dense::new(usize::MAX, 2, &[0.0; 3]).is_err());
        assert_eq!(
            Dense::new(1, 2, &[0.0, f64::NAN]).err(),
            Some(Error::NonFinite { what: "entries", index: 1 })
        );
        assert!(FixedDense::new(&[[f32::INFINITY]]).is_err());
    }

    #[test]
    fn wrong_lengths_do_no_harm() {
        let dense = Dense::new(2, 2, &[1.0; 4]).unwrap();
        dense.apply(&[1.0], &mut [0.0; 9]);
        dense.apply(&[1.0; 5], &mut [0.0; 1]);
        dense.apply_adjoint(&[1.0; 5], &mut [0.0; 1]);
        let fixed = FixedDense::new(&[[1.0; 2]; 2]).unwrap();
        fixed.apply(&[1.0], &mut [0.0; 9]);
        fixed.apply_adjoint(&[1.0; 5], &mut [0.0; 1]);
    }
}
