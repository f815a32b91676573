use crate::blas::{check_matrix, dot_unchecked};
use crate::{Error, Real, check_finite};

/// How SGD's noise is aligned with the curvature:
/// μ = [(1/n) Σᵢ rᵢ² gᵢᵀGgᵢ]/(2L‖G‖_F²) with G = (1/n) Σᵢ gᵢgᵢᵀ and L = (1/2n) Σᵢ rᵢ².
///
/// Shapes: n residuals; the gradients are P×n, a column a sample. Guarantees: μ ≥ 0, and 1 where residuals and
/// gradients are independent; advisory. With it, ‖G‖_F ≤ √(B/μ)/η is necessary for stability of the loss. Cost: n²P
/// flops, by the Gram matrix of the gradients, no lent memory. Source: L. Wu, M. Wang, W. J. Su, The alignment
/// property of SGD noise, 2022, arXiv 2207.02628; from inner products instead of products with G.
///
/// # Errors
/// [`Error::Dimension`] if the gradients are no whole number a residual; [`Error::NonFinite`] if an argument or the
/// result is not finite; [`Error::Breakdown`] if the loss or G vanishes.
///
/// ```
/// // Equal residuals: as if independent.
/// let aligned = quern_kernels::stability::alignment(&[2.0, 2.0], &[1.0, 0.0, 0.0, 3.0]);
/// assert_eq!(aligned, Ok(1.0));
/// ```
pub fn alignment<T: Real>(residuals: &[T], gradients: &[T]) -> Result<T, Error> {
    let parameters = gradients.len().checked_div(residuals.len()).unwrap_or(0);
    check_matrix("gradients", gradients.len(), parameters, residuals.len())?;
    check_finite("residuals", residuals)?;
    check_finite("gradients", gradients)?;
    let columns = || gradients.chunks_exact(parameters.max(1));
    let (mut aligned, mut squares, mut losses) = (T::ZERO, T::ZERO, T::ZERO);
    for (&residual, g) in residuals.iter().zip(columns()) {
        // n·gᵢᵀGgᵢ
        let mut form = T::ZERO;
        for other in columns() {
            let product = dot_unchecked(g, other);
            form += product * product;
        }
        aligned += residual * residual * form;
        squares += form;
        losses += residual * residual;
    }
    // Numerator aligned/n², denominator (losses/n)·(squares/n²).
    for (what, value) in [("loss", losses), ("squared gradients", squares)] {
        if value == T::ZERO {
            return Err(Error::Breakdown { what, index: 0 });
        }
    }
    let result = aligned / squares * (T::from_usize(residuals.len()) / losses);
    if result.is_finite() { Ok(result) } else { Err(Error::NonFinite { what: "alignment", index: 0 }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_along_the_curvature_is_aligned() {
        // G = diag(1, 9)/2; gᵀGg is 1/2 and 81/2. All loss at the second sample: μ = (r²/2)(81/2)/(2L·82/4), L = r²/4.
        let gradients = [1.0, 0.0, 0.0, 3.0];
        let found = alignment(&[0.0, 5.0], &gradients).unwrap();
        assert!((found - 2.0 * 81.0 / 82.0_f64).abs() < 1e-15);
        assert!((alignment(&[5.0, 0.0], &gradients).unwrap() - 2.0 / 82.0_f64).abs() < 1e-15);
    }

    #[test]
    fn misuse_is_refused() {
        assert!(matches!(alignment(&[1.0, 1.0], &[1.0; 3]), Err(Error::Dimension { .. })));
        assert!(matches!(alignment::<f32>(&[], &[1.0]), Err(Error::Dimension { .. })));
        assert!(matches!(alignment::<f32>(&[], &[]), Err(Error::Breakdown { what: "loss", .. })));
        assert!(matches!(alignment(&[0.0], &[1.0]), Err(Error::Breakdown { what: "loss", .. })));
        assert!(matches!(alignment(&[1.0], &[0.0]), Err(Error::Breakdown { .. })));
        assert!(matches!(alignment(&[1.0], &[f32::NAN]), Err(Error::NonFinite { what: "gradients", .. })));
        assert!(matches!(alignment(&[1.0], &[f32::MAX]), Err(Error::NonFinite { what: "alignment", .. })));
    }
}
