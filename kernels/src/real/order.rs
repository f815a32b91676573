use super::Real;
use core::fmt::Debug;

/// A real number in a binary interchange format: `f32` or `f64`, whose bits are ordered like integers.
///
/// The *order key* of x is k = b if b ≥ 0, else b xor 0x7f…f, with b the bits of x as a signed integer. It
/// rises with the value, neighbouring keys belong to neighbouring numbers, and the map is its own inverse.
/// The two zeros are neighbours: −0 has key −1, +0 has key 0.
///
/// Source: the total order of IEEE 754-2019, section 5.10.
///
/// ```
/// use quern_kernels::real::Float;
/// assert_eq!((-0.0f32).order_key(), -1);
/// assert_eq!(f32::from_order_key(1.5f32.order_key()), 1.5);
/// assert_eq!(1.0f64.next_above(), 1.0 + f64::EPSILON);
/// assert_eq!(2.5f32.round_half_even(), 2.0);
/// ```
pub trait Float: Real {
    /// A signed integer as wide as the number.
    type Key: Copy + Debug + Ord + 'static;

    /// k(x). Guarantee: x < y implies k(x) < k(y), infinities included; NaN lies beyond the infinities.
    /// Cost: two integer operations.
    fn order_key(self) -> Self::Key;
    /// The number with this order key; inverse of [`order_key`](Self::order_key), to the bit. Cost: two
    /// integer operations.
    fn from_order_key(key: Self::Key) -> Self;
    /// The number whose key is k(x) + 1: the smallest number above a finite x, where +0 is above −0. Above
    /// the largest finite number lies +∞. Cost: five integer operations.
    fn next_above(self) -> Self;
    /// The number whose key is k(x) − 1: the largest number below a finite x, where −0 is below +0. Below the
    /// smallest finite number lies −∞. Cost: five integer operations.
    fn next_below(self) -> Self;
    /// The number with key ⌊(k(x) + k(y))/2⌋: it lies between x and y, and differs from both unless they are
    /// equal or neighbours. Bisection by it ends after as many steps as the number has bits. Guarantee: no
    /// overflow. Cost: nine integer operations.
    fn halfway(self, other: Self) -> Self;
    /// x rounded to an integer, ties to even, as fl(fl(x + M) − M) with M = 1.5·2²³ (1.5·2⁵² for `f64`).
    ///
    /// Guarantee: exact for |x| ≤ 2²² (2⁵¹ for `f64`); a zero result is +0. Beyond that range the result is
    /// still monotone in x, but may be rounded to a multiple of a larger power of two. Cost: 2 flops.
    fn round_half_even(self) -> Self;
}

macro_rules! float {
    ($float:ident, $bits:ident, $key:ident, $magic:literal) => {
        impl Float for $float {
            type Key = $key;

            #[inline]
            fn order_key(self) -> $key {
                let bits = self.to_bits().cast_signed();
                if bits >= 0 { bits } else { bits ^ $key::MAX }
            }
            #[inline]
            fn from_order_key(key: $key) -> Self {
                let bits = if key >= 0 { key } else { key ^ $key::MAX };
                Self::from_bits(bits.cast_unsigned())
            }
            #[inline]
            fn next_above(self) -> Self {
                Self::from_order_key(self.order_key().wrapping_add(1))
            }
            #[inline]
            fn next_below(self) -> Self {
                Self::from_order_key(self.order_key().wrapping_sub(1))
            }
            #[inline]
            fn halfway(self, other: Self) -> Self {
                let (x, y) = (self.order_key(), other.order_key());
                // x + y = 2 (x and y) + (x xor y), so the halves cannot overflow.
                Self::from_order_key((x & y) + ((x ^ y) >> 1))
            }
            #[inline]
            fn round_half_even(self) -> Self {
                (self + $magic) - $magic
            }
        }
    };
}

float!(f32, u32, i32, 12_582_912.0);
float!(f64, u64, i64, 6_755_399_441_055_744.0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_known_numbers() {
        assert_eq!(0.0f32.order_key(), 0);
        assert_eq!((-0.0f32).order_key(), -1);
        assert_eq!(f32::from_bits(1).order_key(), 1);
        assert_eq!(1.0f32.order_key(), 0x3f80_0000);
        assert_eq!((-1.0f32).order_key(), -0x3f80_0001);
        assert_eq!(f32::INFINITY.order_key(), 0x7f80_0000);
        assert_eq!((-0.0f64).order_key(), -1);
        assert_eq!(1.0f64.order_key(), 0x3ff0_0000_0000_0000);
    }

    /// Every 61st key from −∞ to +∞: rising values, and back to the same key.
    #[test]
    fn the_key_is_monotone_and_its_own_inverse() {
        let mut previous = f32::NEG_INFINITY;
        let mut key = previous.order_key();
        while key < f32::INFINITY.order_key() {
            let x = f32::from_order_key(key);
            assert_eq!(x.order_key(), key);
            assert!(previous <= x, "{previous:e} {x:e}");
            previous = x;
            key += 61;
        }
    }

    /// Away from the zeros the neighbours are those of the standard library.
    #[test]
    fn neighbours_agree_with_the_standard_library() {
        for key in (f32::MIN.order_key()..f32::MAX.order_key()).step_by(10_007) {
            let x = f32::from_order_key(key);
            assert_eq!(x.next_above().to_bits(), x.next_up().to_bits());
            assert_eq!(x.next_below().to_bits(), x.next_down().to_bits());
            let x = f64::from(x);
            assert_eq!(x.next_above().to_bits(), x.next_up().to_bits());
            assert_eq!(x.next_below().to_bits(), x.next_down().to_bits());
        }
        assert_eq!((-0.0f32).next_above().to_bits(), 0);
        assert_eq!(0.0f64.next_below().to_bits(), (-0.0f64).to_bits());
        assert_eq!(f32::MAX.next_above(), f32::INFINITY);
        assert_eq!(f64::MIN.next_below(), f64::NEG_INFINITY);
    }

    #[test]
    fn bisection_by_keys_finds_every_border_within_the_number_of_bits() {
        for border in [-3.0e38f32, -1.0, -1e-42, -0.0, 0.0, 1e-42, 0.1, 7.5, f32::MAX] {
            let (mut low, mut high) = (f32::NEG_INFINITY, f32::MAX);
            let mut steps = 0;
            while low.next_above().order_key() < high.order_key() {
                let middle = low.halfway(high);
                if middle.order_key() >= border.order_key() {
                    high = middle
                } else {
                    low = middle
                }
                steps += 1;
            }
            assert_eq!(high.to_bits(), border.to_bits());
            assert!(steps <= 32, "{steps}");
        }
        assert_eq!((-1.0f64).halfway(1.0).to_bits(), (-0.0f64).to_bits());
    }

    /// Against the standard library's rounding, in steps that meet every tie up to 4,096 and samples up to
    /// the bound.
    #[test]
    fn rounding_is_exact_up_to_its_bound() {
        let check = |x: f32| {
            assert_eq!(x.round_half_even(), x.round_ties_even(), "{x:e}");
            assert_eq!(f64::from(x).round_half_even(), f64::from(x).round_ties_even(), "{x:e}");
        };
        for i in -65_536..=65_536i32 {
            check(i as f32 / 16.0);
            check((i as f32 / 16.0).next_above());
            check((i as f32 / 16.0).next_below());
        }
        for i in (-8_388_608..=8_388_608i32).step_by(7) {
            check(i as f32 / 2.0);
        }
        check(4_194_304.0);
        let bound = 2_251_799_813_685_248.0f64;
        for i in 0..1000 {
            let x = bound - 0.5 * f64::from(i);
            assert_eq!(x.round_half_even(), x.round_ties_even());
            assert_eq!((-x).round_half_even(), (-x).round_ties_even());
        }
        assert_eq!((-0.25f32).round_half_even().to_bits(), 0);
    }
}
