use crate::Error;
use rand_core::Rng;

/// Words drawn before a biased one is accepted.
const MAX_DRAWS: u32 = 64;

/// The high and the low word of a·b, from products of 16-bit halves: cores without a long multiplication have
/// these.
#[inline]
const fn widening_multiply(a: u32, b: u32) -> (u32, u32) {
    let (a_high, a_low) = (a >> 16, a & 0xffff);
    let (b_high, b_low) = (b >> 16, b & 0xffff);
    // (2¹⁶−1)² + 2·(2¹⁶−1) is 2³²−1: neither of the two sums can overflow.
    let middle = ((a_low * b_low) >> 16) + ((a_high * b_low) & 0xffff) + ((a_low * b_high) & 0xffff);
    let high = a_high * b_high + ((a_high * b_low) >> 16) + ((a_low * b_high) >> 16) + (middle >> 16);
    (high, a.wrapping_mul(b))
}

/// A uniform integer in [0, bound).
///
/// Shapes: scalar. Guarantee: without bias, but for this fallback that keeps the loop bounded: after 64
/// rejected words (probability below 2⁻⁶⁴, a word being rejected with probability below ½) the 64th counts,
/// whose bias is below bound·2⁻³². Cost: one word on average for a small bound, at most two; one remainder
/// when the first word is suspicious (probability bound·2⁻³²). Source: D. Lemire, Fast Random Integer
/// Generation in an Interval, ACM TOMACS 29 (2019), algorithm 5.
///
/// # Errors
/// [`Error::Setting`] if the bound is 0.
///
/// ```
/// use quern_kernels::random::{Script, below};
/// assert_eq!(below(&mut Script::new(&[0xffff_ffff]), 6), Ok(5));
/// ```
#[inline]
pub fn below(generator: &mut impl Rng, bound: u32) -> Result<u32, Error> {
    let (mut high, mut low) = widening_multiply(generator.next_u32(), bound);
    if low < bound {
        // 2³² mod bound words give their integer once too often.
        let threshold = bound.wrapping_neg().checked_rem(bound).unwrap_or_default();
        let mut draws = 1;
        while low < threshold && draws < MAX_DRAWS {
            (high, low) = widening_multiply(generator.next_u32(), bound);
            draws += 1;
        }
    }
    if bound == 0 { Err(Error::Setting { name: "bound", expected: "at least 1" }) } else { Ok(high) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Script;

    #[test]
    fn halves_multiply_like_whole_words() {
        let edges = [0, 1, 2, 0xffff, 0x1_0000, 0x1_0001, 0x7fff_ffff, 0x8000_0000, 0xffff_0000, u32::MAX];
        let spread = (0..200u32).map(|i| i.wrapping_mul(0x9e37_79b9));
        let words: std::vec::Vec<u32> = edges.into_iter().chain(spread).collect();
        for &a in &words {
            for &b in &words {
                let product = u64::from(a) * u64::from(b);
                assert_eq!(widening_multiply(a, b), ((product >> 32) as u32, product as u32));
            }
        }
    }

    #[test]
    fn rejects_exactly_the_words_that_would_bias() {
        // 2³² mod 3 = 1: of all words, only 0 is rejected.
        let mut script = Script::new(&[0, 0, 1 << 31]);
        assert_eq!(below(&mut script, 3), Ok(1));
        assert_eq!(script.drawn(), 3);
        let mut script = Script::new(&[0x5555_5556]);
        assert_eq!(below(&mut script, 3), Ok(1));
        assert_eq!(script.drawn(), 1);
        // A power of two rejects nothing.
        let mut script = Script::new(&[0]);
        assert_eq!(below(&mut script, 1 << 31), Ok(0));
        assert_eq!(script.drawn(), 1);
    }

    #[test]
    fn a_stuck_generator_ends_in_the_fallback() {
        let mut script = Script::new(&[0]);
        assert_eq!(below(&mut script, 3), Ok(0));
        assert_eq!(script.drawn(), MAX_DRAWS as usize);
    }

    #[test]
    fn no_bound_is_an_error() {
        assert!(matches!(below(&mut Script::new(&[7]), 0), Err(Error::Setting { name: "bound", .. })));
        assert_eq!(below(&mut Script::new(&[u32::MAX]), 1), Ok(0));
    }
}
