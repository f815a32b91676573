use super::check_nonnegative;
use crate::spectrum::jacobi_svd;
use crate::{Error, Real, blas, check_length};

/// W ← U·max(Σ − λ, 0)·Vᵀ with W = UΣVᵀ: the proximal map of λ‖W‖_*, the sum of the singular values.
///
/// Shapes: W m×n with m ≥ n, column-major; `values` of n entries becomes the shrunken singular values, descending; n² + mn
/// scalars lent. Guarantees: errors of the order of mu‖W‖_F, u the unit roundoff, those of the singular values; deterministic. Cost: about 5mn²
/// flops a sweep of the Jacobi rotations, at most 40 sweeps, 6 to 8 usual, and 2mn² flops. Source: J.-F. Cai, E. J. Candès, Z. Shen, A Singular Value
/// Thresholding Algorithm for Matrix Completion, 2010, theorem 2.1.
///
/// # Errors
/// [`Error::Setting`] if λ is negative or not finite; [`Error::Dimension`]; and those of [`jacobi_svd`]. W is then
/// untouched.
///
/// ```
/// let (mut w, mut values, mut memory) = ([3.0_f64, 0.0, 0.0, -0.5], [0.0; 2], [0.0; 8]);
/// quern_kernels::prox::singular_soft_threshold(&mut w, 2, 1.0, &mut values, &mut memory)?;
/// assert_eq!((w, values), ([2.0, 0.0, 0.0, 0.0], [2.0, 0.0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn singular_soft_threshold<T: Real>(
    w: &mut [T],
    rows: usize,
    weight: T,
    values: &mut [T],
    memory: &mut [T],
) -> Result<(), Error> {
    check_nonnegative("weight", weight)?;
    let n = values.len();
    check_length("w", w.len(), rows.saturating_mul(n))?;
    check_length("memory", memory.len(), w.len().saturating_add(n.saturating_mul(n)))?;
    let (u, v) = memory.split_at_mut_checked(w.len()).unwrap_or_default();
    blas::copy(w, u)?;
    jacobi_svd(u, rows, values, v)?;
    for (value, column) in values.iter_mut().zip(u.chunks_exact_mut(rows.max(1))) {
        *value = (*value - weight).maximum(T::ZERO);
        blas::scale(*value, column);
    }
    blas::gemm_transposed_right(rows, n, n, T::ONE, u, v, T::ZERO, w)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_one_matrix_shrinks_along_itself() {
        // (1, 2, 2)ᵀ(3, 4) has the singular value 15.
        let w = [3.0, 6.0, 6.0, 4.0, 8.0, 8.0_f64];
        let (mut found, mut values, mut memory) = (w, [0.0; 2], [0.0; 10]);
        singular_soft_threshold(&mut found, 3, 5.0, &mut values, &mut memory).unwrap();
        assert!((values[0] - 10.0).abs() < 1e-13 && values[1] == 0.0);
        assert!(found.iter().zip(w).all(|(found, w)| (found - w * (10.0 / 15.0)).abs() < 1e-13));
        singular_soft_threshold(&mut found, 3, 20.0, &mut values, &mut memory).unwrap();
        assert_eq!(found, [0.0; 6]);
    }

    #[test]
    fn misuse_is_refused() {
        let mut w = [1.0_f32; 4];
        for weight in [-1.0, f32::NAN, f32::INFINITY] {
            assert!(singular_soft_threshold(&mut w, 2, weight, &mut [0.0; 2], &mut [0.0; 8]).is_err());
        }
        assert!(singular_soft_threshold(&mut w, 2, 1.0, &mut [0.0; 2], &mut [0.0; 7]).is_err());
        assert!(singular_soft_threshold(&mut w, 3, 1.0, &mut [0.0; 2], &mut [0.0; 8]).is_err());
        w[0] = f32::NAN;
        assert!(singular_soft_threshold(&mut w, 2, 1.0, &mut [0.0; 2], &mut [0.0; 8]).is_err());
        assert_eq!(w[1..], [1.0; 3]);
    }
}
