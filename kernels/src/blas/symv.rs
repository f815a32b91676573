use super::axpy::axpy_unchecked;
use super::{check_matrix, dot_unchecked};
use crate::{Error, Real};

/// y ← αAx + βy for a symmetric matrix, of which only the lower triangle is read.
///
/// Shapes: A of n×n, x and y of length n. Guarantee: |error| ≤ γ|α||A||x| + 2u|βy| entry by entry with γ =
/// (n+3)u/(1−(n+3)u); with β = 0, y is only written; what stands above the diagonal may be anything. Cost:
/// 2n² + 4n flops and half of A's memory traffic, no lent memory. Source: J. J. Dongarra et al., An Extended
/// Set of Fortran Basic Linear Algebra Subprograms, 1988. Order: y ← βy first; then, column by column, the
/// entries below the diagonal serve once as a column and once, in one [`dot`](super::dot), as a row.
///
/// # Errors
/// [`Error::Dimension`] if y has not the length of x, or A not n² entries; y is then untouched.
///
/// ```
/// let a = [1.0, 2.0, f64::NAN, 4.0];
/// let mut y = [0.0; 2];
/// quern_kernels::blas::symv(1.0, &a, &[1.0, 10.0], 0.0, &mut y)?;
/// assert_eq!(y, [21.0, 42.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn symv<T: Real>(alpha: T, a: &[T], x: &[T], beta: T, y: &mut [T]) -> Result<(), Error> {
    let n = x.len();
    crate::check_length("y", y.len(), n)?;
    check_matrix("a", a.len(), n, n)?;
    if n == 0 {
        return Ok(());
    }
    for y in y.iter_mut() {
        *y = if beta == T::ZERO { T::NEGATIVE_ZERO } else { beta * *y };
    }
    for (j, column) in a.chunks_exact(n).enumerate() {
        let below = column.get(j..).and_then(<[T]>::split_first);
        let x_below = x.get(j..).and_then(<[T]>::split_first);
        let y_below = y.get_mut(j..).and_then(<[T]>::split_first_mut);
        let (Some((&a, below)), Some((&x, x_below)), Some((y, y_below))) = (below, x_below, y_below) else {
            break;
        };
        *y += alpha * (a * x + dot_unchecked(below, x_below));
        axpy_unchecked(alpha * x, below, y_below);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        assert_eq!(symv::<f32>(1.0, &[], &[], 0.0, &mut []), Ok(()));
        assert!(symv(1.0, &[1.0], &[1.0], 0.0, &mut [0.0, 0.0]).is_err());
        assert!(symv(1.0, &[1.0, 2.0], &[1.0], 0.0, &mut [0.0]).is_err());
    }
}
