use super::{check_matrix, dot_unchecked};
use crate::{Error, Real};

/// y ← Ax.
///
/// Shapes: A of m×n with m the length of y and n that of x. Guarantee: |y − Ax| ≤ γₙ|A||x| entry by entry, γₙ
/// = nu/(1−nu); yᵢ adds its n products in natural order. Cost: 2mn flops, no lent memory. Source: N. J.
/// Higham, Accuracy and Stability of Numerical Algorithms, section 3.5.
///
/// # Errors
/// [`Error::Dimension`] if A has not mn entries; y is then untouched.
///
/// ```
/// let a = [1.0, 2.0, 3.0, 4.0]; // the columns (1, 2) and (3, 4)
/// let mut y = [0.0; 2];
/// quern_kernels::blas::matvec(&a, &[1.0, 10.0], &mut y)?;
/// assert_eq!(y, [31.0, 42.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn matvec<T: Real>(a: &[T], x: &[T], y: &mut [T]) -> Result<(), Error> {
    check_matrix("a", a.len(), y.len(), x.len())?;
    rows(a, x.iter().copied(), y, |y, sum| *y = sum);
    Ok(())
}

/// y ← αAx + βy.
///
/// Shapes: A of m×n with m the length of y and n that of x. Guarantee: yᵢ is fl(α·s + β·yᵢ), every operation
/// rounded, with s the sum [`matvec`] gives; with β = 0, y is only written, so that it may hold anything
/// before. Cost: 2mn + 3m flops, no lent memory. Source: J. J. Dongarra et al., An Extended Set of Fortran
/// Basic Linear Algebra Subprograms, 1988; here α multiplies the sum, not the entries of x.
///
/// # Errors
/// [`Error::Dimension`] if A has not mn entries; y is then untouched.
///
/// ```
/// let a = [1.0, 2.0, 3.0, 4.0];
/// let mut y = [100.0, 200.0];
/// quern_kernels::blas::gemv(2.0, &a, &[1.0, 10.0], 1.0, &mut y)?;
/// assert_eq!(y, [162.0, 284.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn gemv<T: Real>(alpha: T, a: &[T], x: &[T], beta: T, y: &mut [T]) -> Result<(), Error> {
    check_matrix("a", a.len(), y.len(), x.len())?;
    rows(a, x.iter().copied(), y, combination(alpha, beta));
    Ok(())
}

/// x ← αAᵀy + βx.
///
/// Shapes: A of m×n with m the length of y and n that of x. Guarantee: xⱼ is fl(α·s + β·xⱼ), every operation
/// rounded, with s the [`dot`](super::dot) of column j and y; with β = 0, x is only written. Cost: 2mn + 3n
/// flops, no lent memory. Source: as [`gemv`].
///
/// # Errors
/// [`Error::Dimension`] if A has not mn entries; x is then untouched.
///
/// ```
/// let a = [1.0, 2.0, 3.0, 4.0];
/// let mut x = [0.0; 2];
/// quern_kernels::blas::gemv_transposed(1.0, &a, &[1.0, 10.0], 0.0, &mut x)?;
/// assert_eq!(x, [21.0, 43.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn gemv_transposed<T: Real>(alpha: T, a: &[T], y: &[T], beta: T, x: &mut [T]) -> Result<(), Error> {
    check_matrix("a", a.len(), y.len(), x.len())?;
    columns(a, y, x, combination(alpha, beta));
    Ok(())
}

/// y ← Ax, the shape taken from the types; the bits are those of [`matvec`].
///
/// Shapes: A as its N columns of M entries. Guarantee, cost and source: as [`matvec`].
///
/// ```
/// let a = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// let mut y = [0.0; 2];
/// quern_kernels::blas::matvec_fixed(&a, &[1.0, 10.0, 100.0], &mut y);
/// assert_eq!(y, [531.0, 642.0]);
/// ```
#[inline(always)]
pub fn matvec_fixed<T: Real, const M: usize, const N: usize>(a: &[[T; M]; N], x: &[T; N], y: &mut [T; M]) {
    rows(a.as_flattened(), x.iter().copied(), y, |y, sum| *y = sum);
}

/// y ← αAx + βy, the shape taken from the types; the bits are those of [`gemv`].
///
/// Shapes: A as its N columns of M entries. Guarantee, cost and source: as [`gemv`].
///
/// ```
/// let a = [[1.0, 2.0], [3.0, 4.0]];
/// let mut y = [100.0, 200.0];
/// quern_kernels::blas::gemv_fixed(2.0, &a, &[1.0, 10.0], 1.0, &mut y);
/// assert_eq!(y, [162.0, 284.0]);
/// ```
#[inline(always)]
pub fn gemv_fixed<T: Real, const M: usize, const N: usize>(
    alpha: T,
    a: &[[T; M]; N],
    x: &[T; N],
    beta: T,
    y: &mut [T; M],
) {
    rows(a.as_flattened(), x.iter().copied(), y, combination(alpha, beta));
}

/// x ← αAᵀy + βx, the shape taken from the types; the bits are those of [`gemv_transposed`].
///
/// Shapes: A as its N columns of M entries. Guarantee, cost and source: as [`gemv_transposed`].
///
/// ```
/// let a = [[1.0, 2.0], [3.0, 4.0]];
/// let mut x = [0.0; 2];
/// quern_kernels::blas::gemv_transposed_fixed(1.0, &a, &[1.0, 10.0], 0.0, &mut x);
/// assert_eq!(x, [21.0, 43.0]);
/// ```
#[inline(always)]
pub fn gemv_transposed_fixed<T: Real, const M: usize, const N: usize>(
    alpha: T,
    a: &[[T; M]; N],
    y: &[T; M],
    beta: T,
    x: &mut [T; N],
) {
    columns(a.as_flattened(), y, x, combination(alpha, beta));
}

/// y ← α·sum + βy, which does not read y where β = 0.
#[inline(always)]
pub(super) fn combination<T: Real>(alpha: T, beta: T) -> impl Fn(&mut T, T) + Copy {
    move |y, sum| {
        *y = if beta == T::ZERO { alpha * sum } else { alpha * sum + beta * *y };
    }
}

/// Calls `update(yᵢ, Σⱼ aᵢⱼxⱼ)` for every row i.
///
/// Rows are taken in tiles, whose sums stay in registers while the columns go by. The width of a tile does
/// not show in the result: each row adds in natural order.
#[inline(always)]
pub(super) fn rows<T: Real>(
    a: &[T],
    x: impl Iterator<Item = T> + Clone,
    y: &mut [T],
    update: impl Fn(&mut T, T),
) {
    let m = y.len();
    let mut first = 0;
    macro_rules! tiles {
        ($rows:literal, $y:expr) => {{
            let (tiles, rest) = $y.as_chunks_mut::<$rows>();
            for tile in tiles {
                let sums: [T; $rows] = tile_sums(m, first, a, x.clone());
                for (y, sum) in tile.iter_mut().zip(sums) {
                    update(y, sum);
                }
                first += $rows;
            }
            rest
        }};
    }
    let rest = tiles!(16, y);
    let rest = tiles!(8, rest);
    let rest = tiles!(4, rest);
    let rest = tiles!(2, rest);
    tiles!(1, rest);
}

/// Σⱼ aᵢⱼxⱼ for the R rows i from `first` on.
#[inline(always)]
fn tile_sums<T: Real, const R: usize>(m: usize, first: usize, a: &[T], x: impl Iterator<Item = T>) -> [T; R] {
    let mut sums = [T::NEGATIVE_ZERO; R];
    if m == 0 {
        return sums;
    }
    for (column, x) in a.chunks_exact(m).zip(x) {
        // Always there, and the compiler sees that it depends on nothing in the loop.
        let Some(rows) = column.get(first..).and_then(|column| column.first_chunk::<R>()) else { break };
        for (sum, &a) in sums.iter_mut().zip(rows) {
            *sum += a * x;
        }
    }
    sums
}

/// Calls `update(xⱼ, aⱼᵀy)` for every column j.
#[inline(always)]
pub(super) fn columns<T: Real>(a: &[T], y: &[T], x: &mut [T], update: impl Fn(&mut T, T)) {
    if y.is_empty() {
        for x in x {
            update(x, T::NEGATIVE_ZERO);
        }
        return;
    }
    for (x, column) in x.iter_mut().zip(a.chunks_exact(y.len())) {
        update(x, dot_unchecked(column, y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn entries(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + 13) % 101) as f32 / 7.0 - 6.0).collect()
    }

    #[test]
    fn rows_add_in_natural_order_whatever_the_tile() {
        for m in 0..20 {
            for n in 0..5 {
                let (a, x) = (entries(m * n), entries(n));
                let mut y = std::vec![f32::NAN; m];
                matvec(&a, &x, &mut y).unwrap();
                for (i, y) in y.iter().enumerate() {
                    let sum = (0..n).fold(-0.0_f32, |sum, j| sum + a[i + j * m] * x[j]);
                    assert_eq!(y.to_bits(), sum.to_bits());
                }
            }
        }
    }

    #[test]
    fn fixed_shapes_give_the_same_bits() {
        let flat = entries(13 * 5);
        let a: [[f32; 13]; 5] = core::array::from_fn(|j| core::array::from_fn(|i| flat[i + 13 * j]));
        let x: [f32; 5] = core::array::from_fn(|j| entries(5)[j]);
        let y: [f32; 13] = core::array::from_fn(|i| entries(13)[i]);
        let (mut fixed, mut slice) = (y, y);
        gemv_fixed(0.3, &a, &x, -1.7, &mut fixed);
        gemv(0.3, &flat, &x, -1.7, &mut slice).unwrap();
        assert_eq!(fixed.map(f32::to_bits), slice.map(f32::to_bits));
        let (mut fixed, mut slice) = (x, x);
        gemv_transposed_fixed(0.3, &a, &y, -1.7, &mut fixed);
        gemv_transposed(0.3, &flat, &y, -1.7, &mut slice).unwrap();
        assert_eq!(fixed.map(f32::to_bits), slice.map(f32::to_bits));
    }

    #[test]
    fn beta_zero_does_not_read() {
        let mut y = [f32::NAN];
        gemv(2.0, &[3.0], &[5.0], 0.0, &mut y).unwrap();
        assert_eq!(y, [30.0]);
        gemv_transposed(2.0, &[3.0], &[7.0], 0.0, &mut y).unwrap();
        assert_eq!(y, [42.0]);
    }

    #[test]
    fn empty_shapes() {
        let mut y = [1.0, 2.0];
        gemv(1.0, &[], &[], 3.0, &mut y).unwrap();
        assert_eq!(y, [3.0, 6.0]);
        gemv_transposed(1.0, &[], &[], 3.0, &mut y).unwrap();
        assert_eq!(y, [9.0, 18.0]);
        matvec::<f32>(&[], &[1.0], &mut []).unwrap();
    }

    #[test]
    fn other_shapes_are_refused() {
        let refused = Err(Error::Dimension { what: "a", expected: 2, found: 3 });
        let mut y = [1.0, 2.0];
        assert_eq!(matvec(&[0.0; 3], &[1.0], &mut y), refused);
        assert_eq!(gemv(1.0, &[0.0; 3], &[1.0], 1.0, &mut y), refused);
        assert_eq!(gemv_transposed(1.0, &[0.0; 3], &[1.0], 1.0, &mut y), refused);
        assert_eq!(y, [1.0, 2.0]);
    }
}
