use crate::{Error, Real, check_length};

/// Inner product xᵀy, as accurate as if computed in twice the working precision and then rounded.
///
/// Shapes: x and y of the same length n. Guarantee, with u = ε/2 and γₙ = nu/(1 − nu): |result − xᵀy| ≤
/// u|xᵀy| + γₙ² Σ|xᵢyᵢ|, as long as no product of two entries underflows and no entry exceeds 2⁻¹³ (`f32`) or
/// 2⁻²⁸ (`f64`) of the largest number; beyond that the splitting overflows and the result is NaN, never a
/// plausible wrong number. Cost: 25n flops, no lent memory. Source: T. Ogita, S. M. Rump, S. Oishi, Accurate
/// Sum and Dot Product, SIAM J. Sci. Comput. 26 (2005), algorithm 5.3 (Dot2); products are split after
/// Veltkamp and Dekker, since nothing is fused here. Entries are taken in natural order.
///
/// # Errors
/// [`Error::Dimension`] if the lengths differ.
///
/// ```
/// use quern_kernels::blas::{dot, dot_compensated};
/// let (x, y) = ([1e8_f32, -1e8, 1.0], [1e8, 1e8, 1.0]);
/// assert_eq!(dot(&x, &y), Ok(0.0));
/// assert_eq!(dot_compensated(&x, &y), Ok(1.0));
/// ```
#[inline]
pub fn dot_compensated<T: Real>(x: &[T], y: &[T]) -> Result<T, Error> {
    check_length("y", y.len(), x.len())?;
    let mut sum = T::NEGATIVE_ZERO;
    let mut correction = T::NEGATIVE_ZERO;
    for (&x, &y) in x.iter().zip(y) {
        let (product, product_error) = two_product(x, y);
        let (next, sum_error) = two_sum(sum, product);
        sum = next;
        correction += sum_error + product_error;
    }
    Ok(sum + correction)
}

/// The rounded sum and its error: a + b = sum + error exactly (Knuth, without a comparison of sizes).
#[inline(always)]
fn two_sum<T: Real>(a: T, b: T) -> (T, T) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// The rounded product and its error: ab = product + error exactly (Dekker).
#[inline(always)]
fn two_product<T: Real>(a: T, b: T) -> (T, T) {
    let product = a * b;
    let (a_high, a_low) = split(a);
    let (b_high, b_low) = split(b);
    (product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low))
}

/// Two halves of at most ⌈p/2⌉ bits whose sum is exact (Veltkamp).
#[inline(always)]
fn split<T: Real>(a: T) -> (T, T) {
    // 2^⌈p/2⌉ + 1 for p = 24 and for p = 53 bits; the comparison is of constants.
    let factor = T::from_f64(if T::EPSILON.to_f64() > 1e-10 { 4_097.0 } else { 134_217_729.0 });
    let scaled = factor * a;
    let high = scaled - (scaled - a);
    (high, a - high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_f32_are_exact_in_f64_and_so_are_their_two_parts() {
        let mut state = 1_u32;
        for _ in 0..10_000 {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from_bits(0x3000_0000 + (state >> 4)) * if state & 1 == 0 { 1.0 } else { -1.0 }
            };
            let (a, b) = (next(), next());
            let (product, error) = two_product(a, b);
            assert_eq!(f64::from(product) + f64::from(error), f64::from(a) * f64::from(b), "{a} {b}");
        }
    }

    #[test]
    fn empty_and_unequal_lengths() {
        assert_eq!(dot_compensated::<f64>(&[], &[]), Ok(0.0));
        assert!(dot_compensated(&[1.0], &[]).is_err());
    }

    #[test]
    fn beyond_its_range_the_result_is_not_a_number() {
        assert!(dot_compensated(&[f32::MAX], &[1.0]).unwrap().is_nan());
    }
}
