use super::dot::{LANES, combine};
use crate::Real;

/// Σᵢ xᵢ.
///
/// Shapes: x of any length n; nothing sums to zero. Guarantee: the error is at most γ Σ|xᵢ| with γ =
/// (⌈n/8⌉+2)u/(1−(⌈n/8⌉+2)u). Cost: n flops, no lent memory. Source: N. J. Higham, Accuracy and Stability of
/// Numerical Algorithms, section 4.2; eight interleaved partial sums, combined in a fixed tree.
///
/// ```
/// assert_eq!(quern_kernels::blas::sum(&[1.0, 2.0, 4.0]), 7.0);
/// ```
#[inline]
pub fn sum<T: Real>(x: &[T]) -> T {
    sum_of(x, |x| x)
}

/// Σᵢ term(xᵢ), in the order of every reduction of this module.
#[inline(always)]
pub(super) fn sum_of<T: Real>(x: &[T], term: impl Fn(T) -> T) -> T {
    let mut sums = [T::NEGATIVE_ZERO; LANES];
    let (chunks, tail) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += term(x);
        }
    }
    for (sum, &x) in sums.iter_mut().zip(tail) {
        *sum += term(x);
    }
    combine(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_length() {
        for n in 0..40_u16 {
            let x: std::vec::Vec<f32> = (1..=n).map(f32::from).collect();
            assert_eq!(sum(&x), f32::from(n * (n + 1) / 2));
        }
    }
}
