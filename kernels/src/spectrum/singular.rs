use super::jacobi::{rotation, turn};
use super::{sort, swap_columns, two_columns};
use crate::blas::{dot_unchecked, norm2};
use crate::{Error, Real, check_finite, check_length};

/// Sweeps allowed; eight are usual.
const MAX_SWEEPS: usize = 40;

/// The singular values of a small dense matrix, A = UΣVᵀ; the number of sweeps.
///
/// Rotations of pairs of columns until all are orthogonal to n·ε: A·V has orthogonal columns, whose lengths are
/// the singular values and whose directions are U.
///
/// Shapes: A m×n with m ≥ n (take the transpose otherwise); overwritten by U, m×n, where the column of a zero
/// singular value is zero. `values` of n entries, descending; V n×n, or empty where it is not wanted.
/// Guarantees: errors of the order of mu‖A‖_F; a singular value of at most mε‖A‖_F counts as zero;
/// deterministic. Cost: about 5mn² flops a sweep; nothing is lent beyond the arguments.
///
/// Source: M. R. Hestenes, Inversion of Matrices by Biorthogonalization and Related Results, 1958.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Breakdown`] if the squares of the entries over- or
/// underflow, or the sweeps do not converge. A is then partly overwritten.
///
/// ```
/// let (mut a, mut values, mut v) = ([3.0_f64, 4.0, 0.0, 0.0], [0.0; 2], [0.0; 4]);
/// quern_kernels::spectrum::jacobi_svd(&mut a, 2, &mut values, &mut v)?;
/// assert!((values[0] - 5.0).abs() < 1e-15 && values[1] == 0.0);
/// assert!((a[0] - 0.6).abs() < 1e-15 && v == [1.0, 0.0, 0.0, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn jacobi_svd<T: Real>(a: &mut [T], m: usize, values: &mut [T], v: &mut [T]) -> Result<usize, Error> {
    let n = values.len();
    check_length("a", a.len(), m.saturating_mul(n))?;
    if m < n {
        return Err(Error::Dimension { what: "rows of a", expected: n, found: m });
    }
    if !v.is_empty() {
        check_length("v", v.len(), n.saturating_mul(n))?;
    }
    check_finite("a", a)?;
    let norm = norm2(a);
    let (least, most) = ((T::MIN_POSITIVE / T::EPSILON).sqrt() / T::EPSILON, T::MAX.sqrt());
    if norm != T::ZERO && !(norm >= least && norm < most) {
        return Err(Error::Breakdown { what: "squares of the entries", index: 0 });
    }
    v.fill(T::ZERO);
    for one in v.iter_mut().step_by(n.saturating_add(1)) {
        *one = T::ONE;
    }
    let tolerance = T::EPSILON * T::from_usize(m.max(1));
    // Below this a column is rounding error of the others.
    let zero = tolerance * norm;
    let mut sweeps = 0;
    let mut rotated = true;
    while rotated {
        if sweeps == MAX_SWEEPS {
            return Err(Error::Breakdown { what: "convergence of the Jacobi sweeps", index: sweeps });
        }
        sweeps += 1;
        rotated = false;
        for p in 0..n {
            for q in p.wrapping_add(1)..n {
                let Some((x, y)) = two_columns(a, m, p, q) else { continue };
                let (xx, yy, xy) = (dot_unchecked(x, x), dot_unchecked(y, y), dot_unchecked(x, y));
                let (shorter, longer) = if xx < yy { (xx.sqrt(), yy.sqrt()) } else { (yy.sqrt(), xx.sqrt()) };
                // A column of rounding error may not become orthogonal: it is held to the absolute bound.
                if xy.abs() <= tolerance * longer * shorter.maximum(zero) {
                    continue;
                }
                let (cosine, sine, _) = rotation(xx, yy, xy);
                turn(x, y, cosine, sine);
                if let Some((x, y)) = two_columns(v, n, p, q) {
                    turn(x, y, cosine, sine);
                }
                rotated = true;
            }
        }
    }
    for (value, column) in values.iter_mut().zip(a.chunks_exact_mut(m.max(1))) {
        let length = norm2(column);
        *value = if length <= zero { T::ZERO } else { length };
        let factor = if *value == T::ZERO { T::ZERO } else { T::ONE / length };
        for x in column {
            *x *= factor;
        }
        // Ascending by −σ is descending by σ.
        *value = -*value;
    }
    sort(values, |i, j| {
        swap_columns(a, m, i, j);
        swap_columns(v, n, i, j);
    });
    for value in values {
        *value = value.abs();
    }
    Ok(sweeps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_one_matrix() {
        // (1, 2, 3)ᵀ(2, 1) has the singular value √14·√5.
        let mut a = [2.0_f64, 4.0, 6.0, 1.0, 2.0, 3.0];
        let (mut values, mut v) = ([0.0; 2], [0.0; 4]);
        jacobi_svd(&mut a, 3, &mut values, &mut v).unwrap();
        assert!((values[0] - 70.0_f64.sqrt()).abs() < 1e-14, "{values:?}");
        assert_eq!((values[1], &a[3..]), (0.0, &[0.0; 3][..]));
        assert!((v[0].abs() - 2.0 / 5.0_f64.sqrt()).abs() < 1e-15);
        let mut zero = [0.0_f32; 6];
        let mut values = [1.0; 2];
        assert_eq!(jacobi_svd(&mut zero, 3, &mut values, &mut []), Ok(1));
        assert_eq!(values, [0.0; 2]);
        assert_eq!(jacobi_svd::<f32>(&mut [], 3, &mut [], &mut []), Ok(1));
    }

    #[test]
    fn misuse_is_refused() {
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(jacobi_svd(&mut [0.0_f32; 2], 1, &mut [0.0; 2], &mut []), dimension("rows of a", 2, 1));
        assert_eq!(jacobi_svd(&mut [0.0_f32; 3], 2, &mut [0.0; 2], &mut []), dimension("a", 4, 3));
        assert_eq!(jacobi_svd(&mut [0.0_f32; 4], 2, &mut [0.0; 2], &mut [0.0]), dimension("v", 4, 1));
        let infinite = jacobi_svd(&mut [f32::NAN], 1, &mut [0.0], &mut []);
        assert_eq!(infinite, Err(Error::NonFinite { what: "a", index: 0 }));
        for size in [1e-30_f32, 1e30] {
            let squares = jacobi_svd(&mut [size], 1, &mut [0.0], &mut []);
            assert!(matches!(squares, Err(Error::Breakdown { .. })));
        }
    }
}
