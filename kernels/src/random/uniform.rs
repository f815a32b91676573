use super::Key;
use crate::{Error, Real};
use rand_core::Rng;

/// 2⁻²⁴ and 2⁻⁵³.
const TWO_MINUS_24: f64 = 1.0 / 16_777_216.0;
const TWO_MINUS_53: f64 = 1.0 / 9_007_199_254_740_992.0;

/// Whether the type holds 53 bits; else it holds 24.
#[inline(always)]
pub(super) fn is_double<T: Real>() -> bool {
    T::EPSILON < T::from_f64(1e-10)
}

/// The number in [0, 1) that the bits spell after the binary point, cut off after 24 or 53 bits: exact in the
/// type.
#[inline(always)]
fn unit<T: Real>(high: u32, low: impl FnOnce() -> u32) -> T {
    let head = T::from_u32(high >> 8) * T::from_f64(TWO_MINUS_24);
    if is_double::<T>() {
        let tail = (high & 0xff) << 21 | low() >> 11;
        head + T::from_u32(tail) * T::from_f64(TWO_MINUS_53)
    } else {
        head
    }
}

/// A uniform number u in [0, 1): k·2⁻²⁴ (k·2⁻⁵³ for `f64`) with k uniform below 2²⁴ (2⁵³).
///
/// Shapes: scalar. Guarantee: exact, 0 is possible and 1 is not; the `f32` is the `f64` cut off. Cost: one
/// word of the generator, two for `f64`; 1 flop, 3 for `f64`. Source: the standard construction, as in M.
/// Matsumoto's `genrand_res53` with the high word first.
///
/// ```
/// use quern_kernels::random::{Key, uniform};
/// let u: f32 = uniform(&mut Key::from_seed(3).stream());
/// assert!((0.0..1.0).contains(&u));
/// ```
#[inline]
pub fn uniform<T: Real>(generator: &mut impl Rng) -> T {
    let high = generator.next_u32();
    unit(high, || generator.next_u32())
}

/// Entry `index` of the key's table as a uniform number in [0, 1).
///
/// Shapes: scalar. Guarantee: as [`uniform`]. Cost: one block of Threefry, 1 flop, 3 for `f64`. Source: as
/// [`uniform`].
///
/// ```
/// use quern_kernels::random::{Key, uniform_at};
/// let key = Key::from_seed(3);
/// assert!(uniform_at::<f64>(key, 9) - f64::from(uniform_at::<f32>(key, 9)) < 6e-8);
/// ```
#[inline]
pub fn uniform_at<T: Real>(key: Key, index: u64) -> T {
    let [high, low] = key.bits_at(index);
    unit(high, || low)
}

/// x_i ← [`uniform_at`]`(key, first + i)`.
///
/// Shapes: x of any length n. Guarantee: as [`uniform`]. Cost: n times that of [`uniform_at`]. Source: as
/// [`uniform`].
///
/// ```
/// use quern_kernels::random::{Key, fill_uniform, uniform_at};
/// let (key, mut x) = (Key::from_seed(3), [0.0f32; 4]);
/// fill_uniform(key, 10, &mut x);
/// assert_eq!(x[2], uniform_at::<f32>(key, 12));
/// ```
pub fn fill_uniform<T: Real>(key: Key, first: u64, x: &mut [T]) {
    let mut index = first;
    for x in x {
        *x = uniform_at(key, index);
        index = index.wrapping_add(1);
    }
}

/// low + (high − low)·u, u uniform in [0, 1).
///
/// Shapes: scalar. Guarantee: low ≤ result ≤ high (rounding may reach `high`); `low` if both are equal. Cost:
/// that of [`uniform`] and 3 flops. Source: none needed.
///
/// # Errors
/// [`Error::NonFinite`] if a bound or their difference is not finite; [`Error::Infeasible`] if `low > high`.
///
/// ```
/// use quern_kernels::random::{Key, uniform_between};
/// let x = uniform_between(&mut Key::from_seed(3).stream(), -2.0f32, 2.0);
/// assert!(x.is_ok_and(|x| (-2.0..=2.0).contains(&x)));
/// ```
pub fn uniform_between<T: Real>(generator: &mut impl Rng, low: T, high: T) -> Result<T, Error> {
    let width = high - low;
    if !(low.is_finite() && high.is_finite() && width.is_finite()) {
        return Err(Error::NonFinite { what: "bounds", index: usize::from(low.is_finite()) });
    }
    if low > high {
        return Err(Error::Infeasible { what: "low <= high" });
    }
    Ok((low + width * uniform::<T>(generator)).minimum(high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Script;

    #[test]
    fn the_bits_after_the_binary_point() {
        let draw = |words: &[u32]| {
            let mut script = Script::new(words);
            (uniform::<f32>(&mut script), uniform::<f64>(&mut Script::new(words)))
        };
        assert_eq!(draw(&[0, 0]), (0.0, 0.0));
        assert_eq!(draw(&[u32::MAX, u32::MAX]), (1.0 - f32::EPSILON / 2.0, 1.0 - f64::EPSILON / 2.0));
        assert_eq!(draw(&[0xff, 0]), (0.0, 255.0 / 4_294_967_296.0));
        assert_eq!(draw(&[0, 1 << 11]), (0.0, TWO_MINUS_53));
        assert_eq!(draw(&[0xc000_0000, 0x7ff]), (0.75, 0.75));
    }

    #[test]
    fn between_stays_between_and_refuses_nonsense() {
        let largest = || Script::new(&[u32::MAX]);
        assert_eq!(uniform_between(&mut largest(), 1.0, 1.0), Ok(1.0));
        // 1 + (1 − 2⁻²⁴)·2⁻²³ rounds to the upper bound.
        assert_eq!(uniform_between(&mut largest(), 1.0, 1.0 + f32::EPSILON), Ok(1.0 + f32::EPSILON));
        assert_eq!(uniform_between(&mut largest(), 2.0, 1.0), Err(Error::Infeasible { what: "low <= high" }));
        let refused = |low: f32, high: f32| uniform_between(&mut largest(), low, high).is_err();
        assert!(refused(f32::NAN, 1.0) && refused(0.0, f32::INFINITY) && refused(f32::MIN, f32::MAX));
    }
}
