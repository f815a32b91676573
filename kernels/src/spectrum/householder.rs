use super::{entry, set};
use crate::blas::{axpy_unchecked, dot_unchecked, norm2};
use crate::{Error, Real, check_finite, check_length};

/// A dense symmetric matrix to a tridiagonal one with the same eigenvalues, T = QᵀAQ by n − 2 reflections.
///
/// With [`tridiagonal_eigen`](super::tridiagonal_eigen) it gives all eigenvalues of a matrix too large for
/// [`jacobi_eigen`](super::jacobi_eigen): a fifth of its flops, and contiguous ones.
///
/// Shapes: A n×n, symmetric, of which the lower triangle and its mirror image must agree; overwritten.
/// `diagonal` and `off_diagonal` of n entries each, entry i of the latter couples i and i + 1, the last is 0.
/// Guarantees: T is exact for A + E with ‖E‖_F of the order of nu‖A‖_F; deterministic. Cost: 2n³ flops; nothing
/// is lent beyond the arguments.
///
/// Source: A. S. Householder, 1958; G. H. Golub, C. F. Van Loan, Matrix Computations, 4th edition, algorithm
/// 8.3.1. Departure: the vectors of the reflections are scaled to length between 1 and 2, so that their squares
/// neither over- nor underflow.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] if A or T is not finite. A is then partly overwritten.
///
/// ```
/// use quern_kernels::spectrum::{householder_tridiagonal, tridiagonal_eigen};
/// // (1, 1, 1; 1, 1, 1; 1, 1, 1)
/// let (mut values, mut couplings) = ([0.0_f64; 3], [0.0; 3]);
/// householder_tridiagonal(&mut [1.0; 9], &mut values, &mut couplings)?;
/// tridiagonal_eigen(&mut values, &mut couplings, 0, &mut [])?;
/// assert!((values[2] - 3.0).abs() < 1e-14 && values[0].abs() < 1e-14);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn householder_tridiagonal<T: Real>(
    a: &mut [T],
    diagonal: &mut [T],
    off_diagonal: &mut [T],
) -> Result<(), Error> {
    let n = diagonal.len();
    check_length("a", a.len(), n.saturating_mul(n))?;
    check_length("off-diagonal", off_diagonal.len(), n)?;
    check_finite("a", a)?;
    let mut rest = a;
    for k in 0..n {
        let Some((column, below)) = rest.split_at_mut_checked(n) else { break };
        set(diagonal, k, entry(column, k));
        let next = k.wrapping_add(1);
        let v = column.get_mut(next..).unwrap_or_default();
        // The couplings not yet found are as many as the rows left.
        let (couplings, w) = off_diagonal.split_at_mut_checked(next).unwrap_or_default();
        set(couplings, k, reflect(v, w, below, n, next));
        rest = below;
    }
    check_finite("diagonal", diagonal)?;
    check_finite("off-diagonal", off_diagonal)
}

/// The reflection that turns the column v into (β, 0, ..., 0), applied to the columns right of it from both
/// sides; β.
fn reflect<T: Real>(v: &mut [T], w: &mut [T], columns: &mut [T], n: usize, next: usize) -> T {
    let first = entry(v, 0);
    let norm = norm2(v);
    let inverse = T::ONE / norm;
    if norm2(v.get(1..).unwrap_or_default()) == T::ZERO || !inverse.is_finite() {
        return first;
    }
    let sign = T::ONE.copysign(first);
    for v in v.iter_mut() {
        *v *= inverse;
    }
    set(v, 0, entry(v, 0) + sign);
    // 2/vᵀv.
    let factor = T::ONE / (T::ONE + (first * inverse).abs());
    for (w, column) in w.iter_mut().zip(columns.chunks_exact(n)) {
        *w = factor * dot_unchecked(column.get(next..).unwrap_or_default(), v);
    }
    let half = T::from_f64(0.5);
    axpy_unchecked(-(half * factor * dot_unchecked(w, v)), v, w);
    for ((column, &along), &across) in columns.chunks_exact_mut(n).zip(v.iter()).zip(w.iter()) {
        let column = column.get_mut(next..).unwrap_or_default();
        for ((entry, &v), &w) in column.iter_mut().zip(v.iter()).zip(w.iter()) {
            *entry -= v * across + w * along;
        }
    }
    -(sign * norm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::{jacobi_eigen, tridiagonal_eigen};
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn eigenvalues_are_those_of_the_matrix() {
        for n in [0, 1, 2, 3, 8, 31] {
            for scale in [1e-200, 1.0, 1e150] {
                let entry = |i: usize, j: usize| ((i * j + 3 * (i + j)) % 17) as f64 - 8.0;
                let a: Vec<f64> = (0..n * n).map(|at| scale * entry(at % n, at / n)).collect();
                let (mut values, mut off, mut expected) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
                householder_tridiagonal(&mut a.clone(), &mut values, &mut off).unwrap();
                tridiagonal_eigen(&mut values, &mut off, 0, &mut []).unwrap();
                jacobi_eigen(&mut a.clone(), &mut expected, &mut []).unwrap();
                for (value, expected) in values.iter().zip(&expected) {
                    // nu‖A‖_F, ‖A‖_F at most 8n.
                    let bound = (n * n) as f64 * 8.0 * f64::EPSILON * scale;
                    assert!((value - expected).abs() <= bound, "{n} {scale} {value} {expected}");
                }
            }
        }
    }

    #[test]
    fn misuse_is_refused() {
        let (mut d, mut e) = ([0.0_f32; 2], [0.0; 2]);
        let wrong = householder_tridiagonal(&mut [0.0; 3], &mut d, &mut e);
        assert_eq!(wrong, Err(Error::Dimension { what: "a", expected: 4, found: 3 }));
        let infinite = householder_tridiagonal(&mut [0.0, f32::NAN, 0.0, 0.0], &mut d, &mut e);
        assert_eq!(infinite, Err(Error::NonFinite { what: "a", index: 1 }));
        let overflowing = householder_tridiagonal(&mut [f32::MAX; 9], &mut [0.0; 3], &mut [0.0; 3]);
        assert!(matches!(overflowing, Err(Error::NonFinite { .. })));
    }
}
