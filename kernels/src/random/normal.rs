use super::Key;
use crate::Real;
use rand_core::Rng;

/// 2⁻³².
const TWO_MINUS_32: f64 = 1.0 / 4_294_967_296.0;

/// Two independent standard normal numbers from two words: r cos θ and r sin θ with r = √(−2 ln((w₀ +
/// ½)·2⁻³²)) and θ = 2π·w₁·2⁻³².
#[inline]
fn pair<T: Real>([radius, angle]: [u32; 2]) -> (T, T) {
    let radius = (T::from_u32(radius) + T::from_f64(0.5)) * T::from_f64(TWO_MINUS_32);
    // At most 1, where the logarithm is 0: −2·0 is −0, whose root is −0.
    let radius = (T::from_f64(-2.0) * radius.ln()).sqrt();
    let angle = T::from_u32(angle) * T::from_f64(core::f64::consts::TAU * TWO_MINUS_32);
    (radius * angle.cos(), radius * angle.sin())
}

/// Two independent standard normal numbers, mean 0 and variance 1.
///
/// Shapes: two scalars. Guarantee: the same bits on every target; finite. Tails: the radius is resolved to
/// 2⁻³², so no number exceeds √(66 ln 2) = 6.76 in size (a true normal does once in 7·10¹⁰ draws). The `f32`
/// is the `f64` but for rounding. Cost: two words; a logarithm, a root, a sine and a cosine of `libm`.
/// Source: G. E. P. Box, M. E. Muller, A Note on the Generation of Random Normal Deviates, Annals of
/// Mathematical Statistics 29 (1958), equation (1).
///
/// ```
/// use quern_kernels::random::{Script, normal_pair};
/// // A quarter turn at the median radius.
/// let (x, y): (f64, f64) = normal_pair(&mut Script::new(&[0x8000_0000, 0x4000_0000]));
/// assert!(x.abs() < 1e-15 && (y - (2.0 * 2.0f64.ln()).sqrt()).abs() < 1e-9);
/// ```
#[inline]
pub fn normal_pair<T: Real>(generator: &mut impl Rng) -> (T, T) {
    let radius = generator.next_u32();
    pair([radius, generator.next_u32()])
}

/// Entry `index` of the key's table of standard normal numbers.
///
/// Shapes: scalar. Guarantee: as [`normal_pair`]; numbers 2j and 2j+1 are the pair of block j. Cost: one
/// block of Threefry and one [`normal_pair`] (each of a pair computes both; [`fill_normal`] does not).
/// Source: as [`normal_pair`].
///
/// ```
/// use quern_kernels::random::{Key, normal_at};
/// let z: f32 = normal_at(Key::from_seed(3), 1_000_000);
/// assert!(z.abs() < 6.77);
/// ```
#[inline]
pub fn normal_at<T: Real>(key: Key, index: u64) -> T {
    let (even, odd) = pair(key.bits_at(index >> 1));
    if index & 1 == 0 { even } else { odd }
}

/// x_i ← [`normal_at`]`(key, first + i)`, bit for bit.
///
/// Shapes: x of any length n. Guarantee: as [`normal_pair`]. Cost: ⌈n/2⌉ pairs, one more if `first` is odd.
/// Source: as [`normal_pair`].
///
/// ```
/// use quern_kernels::random::{Key, fill_normal, normal_at};
/// let (key, mut x) = (Key::from_seed(3), [0.0f32; 4]);
/// fill_normal(key, 7, &mut x);
/// assert_eq!(x[2], normal_at::<f32>(key, 9));
/// ```
pub fn fill_normal<T: Real>(key: Key, first: u64, x: &mut [T]) {
    let mut index = first;
    let mut entries = x.iter_mut();
    if first & 1 == 1
        && let Some(x) = entries.next()
    {
        *x = normal_at(key, index);
        index = index.wrapping_add(1);
    }
    while let Some(x) = entries.next() {
        let (even, odd) = pair(key.bits_at(index >> 1));
        *x = even;
        if let Some(x) = entries.next() {
            *x = odd;
        }
        index = index.wrapping_add(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Script;

    #[test]
    fn extremes_are_finite_and_as_large_as_documented() {
        let draw = |words: [u32; 2]| normal_pair::<f32>(&mut Script::new(&words));
        assert!((draw([0, 0]).0 - 6.7638).abs() < 1e-4);
        assert_eq!(draw([u32::MAX, 0]).0, 0.0);
        for radius in [0, 1, 0x7fff_ffff, 0xffff_ff7f, 0xffff_ff80, u32::MAX] {
            for angle in [0, 1, 0x3fff_ffff, 0x4000_0000, 0x8000_0000, u32::MAX] {
                let (x, y) = draw([radius, angle]);
                assert!(x.is_finite() && y.is_finite() && x.abs() < 6.77 && y.abs() < 6.77);
            }
        }
    }

    #[test]
    fn filling_gives_the_same_bits_from_any_start() {
        let key = Key::from_seed(5);
        for (first, length) in [(0, 8), (1, 8), (2, 7), (3, 1), (4, 0), (u64::MAX - 3, 8)] {
            let mut x = std::vec![0.0f32; length];
            fill_normal(key, first, &mut x);
            for (i, x) in x.iter().enumerate() {
                let expected: f32 = normal_at(key, first.wrapping_add(i as u64));
                assert_eq!(x.to_bits(), expected.to_bits());
            }
        }
    }

    /// Of the 32 bits f32 keeps 24: u is off by 2⁻²⁵ at most, hence r² = −2 ln u by 2⁻²⁴ (u near 1) and r by
    /// 2⁻¹² = 2.5·10⁻⁴; the angle is off by 2 ulp of 2π, and an entry thereby by 6.8·2⁻²¹ = 3.3·10⁻⁶.
    #[test]
    fn both_precisions_draw_the_same_event() {
        let key = Key::from_seed(6);
        for index in 0..10_000 {
            let (single, double): (f32, f64) = (normal_at(key, index), normal_at(key, index));
            assert!((f64::from(single) - double).abs() < 2.6e-4, "{single} {double}");
        }
    }
}
