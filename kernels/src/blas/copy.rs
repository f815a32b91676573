use crate::{Error, check_length};

/// y ← x.
///
/// Shapes: x and y of the same length n. Guarantee: bit for bit, NaN payloads included, in whatever type the
/// entries have. Cost: no flops, no lent memory. Source: none needed.
///
/// # Errors
/// [`Error::Dimension`] if the lengths differ; y is then untouched.
///
/// ```
/// let mut y = [0.0; 2];
/// quern_kernels::blas::copy(&[1.0, 2.0], &mut y)?;
/// assert_eq!(y, [1.0, 2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn copy<T: Copy>(x: &[T], y: &mut [T]) -> Result<(), Error> {
    check_length("y", y.len(), x.len())?;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x;
    }
    Ok(())
}

/// x ↔ y.
///
/// Shapes: x and y of the same length n. Guarantee: bit for bit. Cost: no flops, no lent memory. Source: none
/// needed.
///
/// # Errors
/// [`Error::Dimension`] if the lengths differ; both are then untouched.
///
/// ```
/// let (mut x, mut y) = ([1.0, 2.0], [3.0, 4.0]);
/// quern_kernels::blas::swap(&mut x, &mut y)?;
/// assert_eq!((x, y), ([3.0, 4.0], [1.0, 2.0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[inline]
pub fn swap<T: Copy>(x: &mut [T], y: &mut [T]) -> Result<(), Error> {
    check_length("y", y.len(), x.len())?;
    for (x, y) in x.iter_mut().zip(y) {
        core::mem::swap(x, y);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_lengths_are_refused_and_change_nothing() {
        let (mut x, mut y) = ([1.0], [2.0, 3.0]);
        let refused = Err(Error::Dimension { what: "y", expected: 1, found: 2 });
        assert_eq!(copy(&x, &mut y), refused);
        assert_eq!(swap(&mut x, &mut y), refused);
        assert_eq!((x, y), ([1.0], [2.0, 3.0]));
    }
}
