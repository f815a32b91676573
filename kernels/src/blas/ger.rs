use super::axpy::axpy_unchecked;
use super::check_matrix;
use crate::{Error, Real};

/// A ← A + αxyᵀ.
///
/// Shapes: A of m×n with m the length of x and n that of y. Guarantee: every entry is fl(aᵢⱼ + fl(αyⱼ)·xᵢ),
/// every operation rounded. Cost: 2mn + n flops, no lent memory. Source: J. J. Dongarra et al., An Extended
/// Set of Fortran Basic Linear Algebra Subprograms, 1988.
///
/// # Errors
/// [`Error::Dimension`] if A has not mn entries; A is then untouched.
///
/// ```
/// let mut a = [1.0, 2.0, 3.0, 4.0];
/// quern_kernels::blas::ger(2.0, &[1.0, 10.0], &[100.0, 1000.0], &mut a)?;
/// assert_eq!(a, [201.0, 2002.0, 2003.0, 20004.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn ger<T: Real>(alpha: T, x: &[T], y: &[T], a: &mut [T]) -> Result<(), Error> {
    check_matrix("a", a.len(), x.len(), y.len())?;
    if x.is_empty() {
        return Ok(());
    }
    for (column, &y) in a.chunks_exact_mut(x.len()).zip(y) {
        axpy_unchecked(alpha * y, x, column);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let mut a = [1.0];
        assert_eq!(
            ger(1.0, &[1.0, 2.0], &[1.0], &mut a),
            Err(Error::Dimension { what: "a", expected: 2, found: 1 })
        );
        assert_eq!(a, [1.0]);
        assert_eq!(ger(1.0, &[], &[1.0], &mut [0.0; 0]), Ok(()));
    }
}
