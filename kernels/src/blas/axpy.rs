use crate::{Error, Real, check_length};

/// y ← y + a·x.
///
/// Shapes: x and y of the same length n. Guarantee: every entry is the rounded sum of yᵢ and the rounded
/// a·xᵢ. Cost: 2n flops, no lent memory. Source: C. L. Lawson et al., Basic Linear Algebra Subprograms for
/// Fortran Usage, 1979.
///
/// # Errors
/// [`Error::Dimension`] if the lengths differ; y is then untouched.
///
/// ```
/// let mut y = [1.0, 2.0];
/// quern_kernels::blas::axpy(2.0, &[10.0, 20.0], &mut y)?;
/// assert_eq!(y, [21.0, 42.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn axpy<T: Real>(a: T, x: &[T], y: &mut [T]) -> Result<(), Error> {
    check_length("y", y.len(), x.len())?;
    axpy_unchecked(a, x, y);
    Ok(())
}

/// y ← x + b·y.
///
/// Shapes: x and y of the same length n. Guarantee: every entry is the rounded sum of xᵢ and the rounded
/// b·yᵢ. Cost: 2n flops, no lent memory. Source: the update of the search direction in M. R. Hestenes and E.
/// Stiefel, Methods of Conjugate Gradients for Solving Linear Systems, 1952, equation (3:1f).
///
/// # Errors
/// [`Error::Dimension`] if the lengths differ; y is then untouched.
///
/// ```
/// let mut y = [1.0, 2.0];
/// quern_kernels::blas::xpby(&[10.0, 20.0], 3.0, &mut y)?;
/// assert_eq!(y, [13.0, 26.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn xpby<T: Real>(x: &[T], b: T, y: &mut [T]) -> Result<(), Error> {
    check_length("y", y.len(), x.len())?;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x + b * *y;
    }
    Ok(())
}

/// [`axpy`] over the common prefix of two slices.
#[inline(always)]
pub(crate) fn axpy_unchecked<T: Real>(a: T, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_lengths_are_refused_and_change_nothing() {
        let mut y = [1.0_f32, 2.0];
        let refused = Err(Error::Dimension { what: "y", expected: 1, found: 2 });
        assert_eq!(axpy(1.0, &[3.0], &mut y), refused);
        assert_eq!(xpby(&[3.0], 1.0, &mut y), refused);
        assert_eq!(y, [1.0, 2.0]);
    }

    #[test]
    fn nothing_is_fused() {
        // (1 + ε)² − (1 + 2ε) is ε² if fused and 0 if the product is rounded first.
        let a = 1.0 + f32::EPSILON;
        let mut y = [-(1.0 + 2.0 * f32::EPSILON)];
        axpy(a, &[a], &mut y).unwrap();
        assert_eq!(y, [0.0]);
    }
}
