use super::check_matrix;
use super::gemv::{columns, combination, rows};
use crate::{Error, Real};

/// C ← αAB + βC.
///
/// Shapes: A of m×k, B of k×n, C of m×n. Guarantee: column j of C is [`gemv`](super::gemv) of A and column j
/// of B, bit for bit; with β = 0, C is only written. Cost: 2mkn + 3mn flops, no lent memory. Source: J. J.
/// Dongarra et al., A Set of Level 3 Basic Linear Algebra Subprograms, 1990; here α multiplies the sum.
///
/// # Errors
/// [`Error::Dimension`] if a matrix has another number of entries; C is then untouched.
///
/// ```
/// let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 10.0, 100.0, 1000.0]);
/// let mut c = [0.0; 4];
/// quern_kernels::blas::gemm(2, 2, 2, 1.0, &a, &b, 0.0, &mut c)?;
/// assert_eq!(c, [31.0, 42.0, 3100.0, 4200.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
#[expect(clippy::too_many_arguments, reason = "the argument list every user of BLAS knows")]
pub fn gemm<T: Real>(
    m: usize,
    k: usize,
    n: usize,
    alpha: T,
    a: &[T],
    b: &[T],
    beta: T,
    c: &mut [T],
) -> Result<(), Error> {
    check_matrix("a", a.len(), m, k)?;
    check_matrix("b", b.len(), k, n)?;
    check_matrix("c", c.len(), m, n)?;
    if m == 0 || k == 0 {
        scale_only(alpha, beta, c);
        return Ok(());
    }
    for (c, b) in c.chunks_exact_mut(m).zip(b.chunks_exact(k)) {
        rows(a, b.iter().copied(), c, combination(alpha, beta));
    }
    Ok(())
}

/// C ← αAᵀB + βC.
///
/// Shapes: A of k×m, B of k×n, C of m×n. Guarantee: column j of C is
/// [`gemv_transposed`](super::gemv_transposed) of A and column j of B, bit for bit, so that every entry is a
/// [`dot`](super::dot) of two columns, and AᵀA is symmetric to the bit; with β = 0, C is only written. Cost:
/// 2mkn + 3mn flops, no lent memory. Source: as [`gemm`].
///
/// # Errors
/// [`Error::Dimension`] if a matrix has another number of entries; C is then untouched.
///
/// ```
/// let a = [3.0, 4.0]; // a column
/// let mut c = [0.0];
/// quern_kernels::blas::gemm_transposed_left(1, 2, 1, 1.0, &a, &a, 0.0, &mut c)?;
/// assert_eq!(c, [25.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
#[expect(clippy::too_many_arguments, reason = "the argument list every user of BLAS knows")]
pub fn gemm_transposed_left<T: Real>(
    m: usize,
    k: usize,
    n: usize,
    alpha: T,
    a: &[T],
    b: &[T],
    beta: T,
    c: &mut [T],
) -> Result<(), Error> {
    check_matrix("a", a.len(), k, m)?;
    check_matrix("b", b.len(), k, n)?;
    check_matrix("c", c.len(), m, n)?;
    if m == 0 || k == 0 {
        scale_only(alpha, beta, c);
        return Ok(());
    }
    for (c, b) in c.chunks_exact_mut(m).zip(b.chunks_exact(k)) {
        columns(a, b, c, combination(alpha, beta));
    }
    Ok(())
}

/// C ← αABᵀ + βC.
///
/// Shapes: A of m×k, B of n×k, C of m×n. Guarantee: the bits of [`gemm`] with B transposed beforehand; with β
/// = 0, C is only written. Cost: 2mkn + 3mn flops, no lent memory. Source: as [`gemm`].
///
/// # Errors
/// [`Error::Dimension`] if a matrix has another number of entries; C is then untouched.
///
/// ```
/// let a = [3.0, 4.0]; // a column
/// let mut c = [0.0; 4];
/// quern_kernels::blas::gemm_transposed_right(2, 1, 2, 1.0, &a, &a, 0.0, &mut c)?;
/// assert_eq!(c, [9.0, 12.0, 12.0, 16.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
#[expect(clippy::too_many_arguments, reason = "the argument list every user of BLAS knows")]
pub fn gemm_transposed_right<T: Real>(
    m: usize,
    k: usize,
    n: usize,
    alpha: T,
    a: &[T],
    b: &[T],
    beta: T,
    c: &mut [T],
) -> Result<(), Error> {
    check_matrix("a", a.len(), m, k)?;
    check_matrix("b", b.len(), n, k)?;
    check_matrix("c", c.len(), m, n)?;
    if m == 0 || k == 0 || n == 0 {
        scale_only(alpha, beta, c);
        return Ok(());
    }
    for (j, c) in c.chunks_exact_mut(m).enumerate() {
        // Row j of B.
        let b = b.get(j..).unwrap_or_default().iter().step_by(n);
        rows(a, b.copied(), c, combination(alpha, beta));
    }
    Ok(())
}

/// C ← αs + βC where every sum s is one of no products.
#[inline(always)]
fn scale_only<T: Real>(alpha: T, beta: T, c: &mut [T]) {
    let update = combination(alpha, beta);
    for c in c {
        update(c, T::NEGATIVE_ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_inner_dimension_scales() {
        let mut c = [1.0, 2.0];
        gemm(2, 0, 1, 1.0, &[], &[], 3.0, &mut c).unwrap();
        assert_eq!(c, [3.0, 6.0]);
        gemm_transposed_left(2, 0, 1, 1.0, &[], &[], 3.0, &mut c).unwrap();
        assert_eq!(c, [9.0, 18.0]);
        gemm_transposed_right(2, 0, 1, 1.0, &[], &[], 0.0, &mut c).unwrap();
        assert_eq!(c, [0.0, 0.0]);
    }

    #[test]
    fn other_shapes_are_refused() {
        let mut c = [0.0; 6];
        let refused = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(gemm(2, 2, 3, 1.0, &[0.0; 3], &[0.0; 6], 0.0, &mut c), refused("a", 4, 3));
        assert_eq!(gemm(2, 2, 3, 1.0, &[0.0; 4], &[0.0; 5], 0.0, &mut c), refused("b", 6, 5));
        assert_eq!(gemm(2, 2, 2, 1.0, &[0.0; 4], &[0.0; 4], 0.0, &mut c), refused("c", 4, 6));
        // A product of sizes that does not fit an integer fits no slice either.
        assert!(gemm(usize::MAX, 2, 0, 1.0, &[0.0; 4], &[], 0.0, &mut c).is_err());
    }
}
