use super::Qr;
use crate::blas::check_matrix;
use crate::{Error, Real, check_length};

/// An orthonormal basis of the null space of G: Z with GZ = 0 and ZᵀZ = I, the last n − m columns of the Q of
/// Gᵀ = QR.
///
/// Shapes: `transposed` Gᵀ, n×m with m ≤ n, which becomes R and the reflectors of [`Qr`]; `scales` of m; Z n×(n − m).
/// Guarantees: the columns are orthonormal and orthogonal to the rows of G to a small multiple of n·u (relative to
/// ‖G‖), for G of any rank; where the rank is below m, the null space has more dimensions than Z. Cost: 2m²(n − m/3)
/// flops for the factorization and (4nm − 2m²)(n − m) for the basis; nothing is lent beyond the arguments. Source: G.
/// H. Golub, C. F. Van Loan, Matrix Computations, section 5.1.6 and algorithm 5.2.1.
///
/// # Errors
/// [`Error::Dimension`]; those of [`Qr::factor`].
///
/// ```
/// // The plane x₁ + x₂ + x₃ = 0.
/// let mut basis = [0.0_f64; 6];
/// quern_kernels::factor::null_basis(3, 1, &mut [1.0, 1.0, 1.0], &mut [0.0], &mut basis)?;
/// let [a, b, c, d, e, f] = basis;
/// assert!((a + b + c).abs() < 1e-15 && (d + e + f).abs() < 1e-15);
/// assert!((a * d + b * e + c * f).abs() < 1e-15 && (a * a + b * b + c * c - 1.0).abs() < 1e-15);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn null_basis<T: Real>(
    n: usize,
    m: usize,
    transposed: &mut [T],
    scales: &mut [T],
    basis: &mut [T],
) -> Result<(), Error> {
    let Some(dimension) = n.checked_sub(m) else {
        return Err(Error::Dimension { what: "columns", expected: n, found: m });
    };
    check_matrix("matrix", transposed.len(), n, m)?;
    check_length("scales", scales.len(), m)?;
    check_matrix("basis", basis.len(), n, dimension)?;
    let factors = Qr::factor(n, m, transposed, scales)?;
    basis.fill(T::ZERO);
    // Column k of the basis starts as the unit vector of number m + k.
    for entry in basis.iter_mut().skip(m).step_by(n.saturating_add(1)) {
        *entry = T::ONE;
    }
    factors.apply_q(basis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blas::{dot_unchecked, norm2};
    use crate::random::{Key, fill_normal};
    use std::vec;

    #[test]
    fn orthonormal_and_annihilated_for_every_shape() {
        for n in 0..9 {
            for m in 0..=n {
                let mut rows = vec![0.0_f64; n * m];
                fill_normal(Key::from_seed(n as u64), 0, &mut rows);
                // Of deficient rank as well.
                if m > 2 {
                    let (first, rest) = rows.split_at_mut(n);
                    rest[..n].copy_from_slice(first);
                }
                let (mut factors, mut scales, mut basis) =
                    (rows.clone(), vec![0.0; m], vec![0.0; n * (n - m)]);
                null_basis(n, m, &mut factors, &mut scales, &mut basis).unwrap();
                // Each of m reflections rounds by a few u.
                let tolerance = 1e-14;
                for (i, z) in basis.chunks(n.max(1)).enumerate() {
                    for row in rows.chunks(n) {
                        assert!(dot_unchecked(row, z).abs() <= tolerance * norm2(row));
                    }
                    for (j, other) in basis.chunks(n).enumerate() {
                        let expected = f64::from(u8::from(i == j));
                        assert!((dot_unchecked(z, other) - expected).abs() <= tolerance, "{n} {m}");
                    }
                }
            }
        }
    }

    #[test]
    fn misuse_is_refused() {
        let refused = |n, m, matrix: &mut [f64], basis: &mut [f64]| {
            null_basis(n, m, matrix, &mut [0.0], basis).unwrap_err()
        };
        assert!(matches!(refused(1, 2, &mut [0.0; 2], &mut []), Error::Dimension { what: "columns", .. }));
        assert!(matches!(
            refused(2, 1, &mut [0.0; 3], &mut [0.0; 2]),
            Error::Dimension { what: "matrix", .. }
        ));
        assert!(matches!(
            refused(2, 1, &mut [0.0; 2], &mut [0.0; 3]),
            Error::Dimension { what: "basis", .. }
        ));
        assert!(matches!(refused(2, 1, &mut [f64::NAN; 2], &mut [0.0; 2]), Error::NonFinite { .. }));
    }
}
