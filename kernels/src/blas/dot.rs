use crate::{Error, Real, check_length};

/// Number of interleaved partial sums of a reduction.
pub(crate) const LANES: usize = 8;

/// Combines the partial sums in the fixed tree ((s₀+s₄)+(s₂+s₆)) + ((s₁+s₅)+(s₃+s₇)).
#[inline(always)]
pub(crate) fn combine<T: Real>(sums: [T; LANES]) -> T {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = sums;
    ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
}

/// Inner product xᵀy = Σᵢ xᵢyᵢ.
///
/// Shapes: x and y of the same length n. Guarantee: |fl(xᵀy) − xᵀy| ≤ γ Σ|xᵢyᵢ| with γ =
/// (⌈n/8⌉+3)u/(1−(⌈n/8⌉+3)u). Cost: 2n flops, no lent memory. Source: N. J. Higham, Accuracy and Stability of
/// Numerical Algorithms, section 3.1.
///
/// # Errors
/// [`Error::Dimension`] if the lengths differ.
///
/// ```
/// assert_eq!(quern_kernels::blas::dot(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), Ok(32.0));
/// ```
#[inline]
pub fn dot<T: Real>(x: &[T], y: &[T]) -> Result<T, Error> {
    check_length("y", y.len(), x.len())?;
    Ok(dot_unchecked(x, y))
}

/// [`dot`] over the common prefix of two slices.
#[inline(always)]
pub(crate) fn dot_unchecked<T: Real>(x: &[T], y: &[T]) -> T {
    // Cut to one length first: otherwise one slice's tail would meet the other's chunks.
    let length = x.len().min(y.len());
    let (x, y) = (x.get(..length).unwrap_or_default(), y.get(..length).unwrap_or_default());
    let mut sums = [T::NEGATIVE_ZERO; LANES];
    let (x_chunks, x_tail) = x.as_chunks::<LANES>();
    let (y_chunks, y_tail) = y.as_chunks::<LANES>();
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for ((sum, &x), &y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    for ((sum, &x), &y) in sums.iter_mut().zip(x_tail).zip(y_tail) {
        *sum += x * y;
    }
    combine(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_prefix_counts() {
        let ones = [1.0_f32; 20];
        for x in 0..20 {
            for y in 0..20 {
                assert_eq!(dot_unchecked(&ones[..x], &ones[..y]), x.min(y) as f32);
                assert_eq!(dot(&ones[..x], &ones[..y]).is_ok(), x == y);
            }
        }
    }
}
