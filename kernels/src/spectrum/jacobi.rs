use super::{entry, set, sort, swap_columns, two_columns};
use crate::blas::norm2;
use crate::{Error, Real, check_finite, check_length};

/// Sweeps allowed; eight are usual.
const MAX_SWEEPS: usize = 40;

/// All eigenvalues of a dense symmetric matrix, A = VΛVᵀ; the number of sweeps.
///
/// Rotations of the planes (p, q), row by row, each of which makes entry (p, q) vanish, until all are at most
/// ε‖A‖_F/n (or the smallest normal number): the eigenvalues are then within ε‖A‖_F of the diagonal, by the
/// theorem of Hoffman and Wielandt.
///
/// Shapes: A n×n, of which (A + Aᵀ)/2 is taken; overwritten. `values` of n entries, ascending; `vectors` n×n,
/// column i belongs to value i, or empty where they are not wanted. Guarantees: errors of the order of
/// nu‖A‖_F; VᵀV = I to rounding; deterministic. Cost: about 10n³ flops, 15n³ with vectors; nothing is lent
/// beyond the arguments.
///
/// Source: C. G. J. Jacobi, 1846; H. Rutishauser, The Jacobi Method for Real Symmetric Matrices, Numerische
/// Mathematik 9 (1966).
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Breakdown`] if the norm is within a factor of four of
/// overflow, or the sweeps do not converge. A is then partly overwritten.
///
/// ```
/// let (mut values, mut vectors) = ([0.0_f64; 2], [0.0; 4]);
/// quern_kernels::spectrum::jacobi_eigen(&mut [2.0, 1.0, 1.0, 2.0], &mut values, &mut vectors)?;
/// assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15);
/// assert!((vectors[2] - vectors[3]).abs() < 1e-15);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn jacobi_eigen<T: Real>(a: &mut [T], values: &mut [T], vectors: &mut [T]) -> Result<usize, Error> {
    let n = values.len();
    let entries = n.saturating_mul(n);
    check_length("a", a.len(), entries)?;
    if !vectors.is_empty() {
        check_length("vectors", vectors.len(), entries)?;
    }
    check_finite("a", a)?;
    symmetrize(a, n);
    vectors.fill(T::ZERO);
    for one in vectors.iter_mut().step_by(n.saturating_add(1)) {
        *one = T::ONE;
    }
    let norm = norm2(a);
    if norm > T::MAX / T::from_f64(4.0) {
        return Err(Error::Breakdown { what: "a finite eigenvalue", index: 0 });
    }
    let negligible = (T::EPSILON * norm / T::from_usize(n.max(1))).maximum(T::MIN_POSITIVE);
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
                if entry(a, p.wrapping_add(q.wrapping_mul(n))).abs() > negligible {
                    rotate(a, vectors, n, p, q);
                    rotated = true;
                }
            }
        }
    }
    let diagonal = a.iter().step_by(n.saturating_add(1));
    for (value, &diagonal) in values.iter_mut().zip(diagonal) {
        *value = diagonal;
    }
    sort(values, |i, j| swap_columns(vectors, n, i, j));
    Ok(sweeps)
}

/// A ← (A + Aᵀ)/2.
fn symmetrize<T: Real>(a: &mut [T], n: usize) {
    let half = T::from_f64(0.5);
    for j in 0..n {
        for i in 0..j {
            let (above, below) = (i.wrapping_add(j.wrapping_mul(n)), j.wrapping_add(i.wrapping_mul(n)));
            let mean = half * entry(a, above) + half * entry(a, below);
            set(a, above, mean);
            set(a, below, mean);
        }
    }
}

/// A ← JᵀAJ and V ← VJ with the rotation J of the plane (p, q) for which a_pq vanishes.
fn rotate<T: Real>(a: &mut [T], vectors: &mut [T], n: usize, p: usize, q: usize) {
    let Some((x, y)) = two_columns(a, n, p, q) else { return };
    let (a_pp, a_qq, a_pq) = (entry(x, p), entry(y, q), entry(y, p));
    let (cosine, sine, tangent) = rotation(a_pp, a_qq, a_pq);
    turn(x, y, cosine, sine);
    set(x, p, a_pp - tangent * a_pq);
    set(y, q, a_qq + tangent * a_pq);
    set(x, q, T::ZERO);
    set(y, p, T::ZERO);
    // The rows are the columns.
    let (column_p, column_q) = (p.wrapping_mul(n), q.wrapping_mul(n));
    for r in 0..n {
        let (x, y) = (entry(a, column_p.wrapping_add(r)), entry(a, column_q.wrapping_add(r)));
        let column = r.wrapping_mul(n);
        set(a, column.wrapping_add(p), x);
        set(a, column.wrapping_add(q), y);
    }
    if let Some((x, y)) = two_columns(vectors, n, p, q) {
        turn(x, y, cosine, sine);
    }
}

/// cos φ, sin φ and tan φ, |φ| ≤ π/4, of the rotation that diagonalizes (a, c; c, b), c ≠ 0.
pub(super) fn rotation<T: Real>(a: T, b: T, c: T) -> (T, T, T) {
    let cotangent = (b - a) / (c + c);
    let tangent = (T::ONE / (cotangent.abs() + (T::ONE + cotangent * cotangent).sqrt())).copysign(cotangent);
    let cosine = T::ONE / (T::ONE + tangent * tangent).sqrt();
    (cosine, tangent * cosine, tangent)
}

/// (x, y) ← (cos φ x − sin φ y, sin φ x + cos φ y).
pub(super) fn turn<T: Real>(x: &mut [T], y: &mut [T], cosine: T, sine: T) {
    for (x, y) in x.iter_mut().zip(y) {
        let (left, right) = (*x, *y);
        *x = cosine * left - sine * right;
        *y = sine * left + cosine * right;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// The matrix with entries 1/(i + j + 1), and one with a threefold eigenvalue.
    #[test]
    fn hilberts_matrix_and_a_multiple_eigenvalue() {
        let mut hilbert: Vec<f64> = (0..36).map(|at| 1.0 / (at % 6 + at / 6 + 1) as f64).collect();
        let mut values = [0.0; 6];
        jacobi_eigen(&mut hilbert, &mut values, &mut []).unwrap();
        let expected = [
            1.082_799_484_565_5e-7,
            1.257_075_712_262_52e-5,
            6.157_483_541_826_77e-4,
            1.632_152_131_987_58e-2,
            0.242_360_870_575_209,
            1.618_899_858_924_34,
        ];
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 2e-15, "{value} {expected}");
        }
        let mut ones = [1.0_f32; 16];
        let (mut values, mut vectors) = ([0.0; 4], [0.0; 16]);
        jacobi_eigen(&mut ones, &mut values, &mut vectors).unwrap();
        assert!((values[3] - 4.0).abs() < 2e-6 && values[..3].iter().all(|value| value.abs() < 2e-6));
    }

    #[test]
    fn sizes_and_scales() {
        assert_eq!(jacobi_eigen::<f32>(&mut [], &mut [], &mut []), Ok(1));
        let mut values = [0.0];
        assert_eq!(jacobi_eigen(&mut [3.0], &mut values, &mut [0.0]), Ok(1));
        assert_eq!(values, [3.0]);
        for scale in [1e-36_f32, 1e-20, 1e20, 2e37] {
            let mut values = [0.0; 2];
            jacobi_eigen(&mut [0.0, scale, scale, 0.0], &mut values, &mut []).unwrap();
            assert_eq!(values, [-scale, scale]);
        }
        let huge = jacobi_eigen(&mut [f32::MAX; 4], &mut [0.0; 2], &mut []);
        assert!(matches!(huge, Err(Error::Breakdown { .. })));
    }

    #[test]
    fn misuse_is_refused() {
        let mut values = [0.0_f32; 2];
        assert!(matches!(jacobi_eigen(&mut [0.0; 3], &mut values, &mut []), Err(Error::Dimension { .. })));
        let wrong = jacobi_eigen(&mut [0.0; 4], &mut values, &mut [0.0; 3]);
        assert!(matches!(wrong, Err(Error::Dimension { what: "vectors", .. })));
        let infinite = jacobi_eigen(&mut [0.0, 1.0, f32::INFINITY, 0.0], &mut values, &mut []);
        assert_eq!(infinite, Err(Error::NonFinite { what: "a", index: 2 }));
    }
}
