use super::Real;
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use micromath::F32Ext;

/// An `f32` whose elementary functions are short approximations, most of them those of `micromath`.
///
/// Arithmetic, `abs`, `copysign` and `floor` are those of `f32`, to the bit. Each elementary function states
/// its error bound; the tests assert it over its whole domain. The bits agree on every target all the same:
/// there is nothing but rounded arithmetic and integer operations in these functions. Shape: four bytes.
///
/// ```
/// use quern_kernels::{Real, real::Fast};
/// assert!((Fast(2.0).sqrt().0 - 2.0f32.sqrt()).abs() < 3e-6);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Fast(pub f32);

macro_rules! operator {
    ($trait:ident, $method:ident, $assign:ident, $assign_method:ident, $operator:tt) => {
        impl $trait for Fast {
            type Output = Self;
            #[inline]
            fn $method(self, other: Self) -> Self {
                Self(self.0 $operator other.0)
            }
        }
        impl $assign for Fast {
            #[inline]
            fn $assign_method(&mut self, other: Self) {
                self.0 = self.0 $operator other.0;
            }
        }
    };
}

operator!(Add, add, AddAssign, add_assign, +);
operator!(Sub, sub, SubAssign, sub_assign, -);
operator!(Mul, mul, MulAssign, mul_assign, *);
operator!(Div, div, DivAssign, div_assign, /);

impl Neg for Fast {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Real for Fast {
    const ZERO: Self = Self(0.0);
    const NEGATIVE_ZERO: Self = Self(-0.0);
    const ONE: Self = Self(1.0);
    const EPSILON: Self = Self(f32::EPSILON);
    const MIN_POSITIVE: Self = Self(f32::MIN_POSITIVE);
    const MAX: Self = Self(f32::MAX);
    const INFINITY: Self = Self(f32::INFINITY);

    #[inline]
    fn from_f64(value: f64) -> Self {
        Self(value as f32)
    }
    #[inline]
    fn from_u32(value: u32) -> Self {
        Self(value as f32)
    }
    #[inline]
    fn to_f64(self) -> f64 {
        f64::from(self.0)
    }
    #[inline]
    fn is_finite(self) -> bool {
        self.0.is_finite()
    }
    #[inline]
    fn abs(self) -> Self {
        Self(f32::abs(self.0))
    }
    #[inline]
    fn copysign(self, sign: Self) -> Self {
        Self(libm::copysignf(self.0, sign.0))
    }
    #[inline]
    fn floor(self) -> Self {
        Self(libm::floorf(self.0))
    }
    /// √x: relative error at most 2·10⁻⁶ for 0 ≤ x < ∞, exact at 0; NaN below 0.
    ///
    /// Two steps of Heron's rule on micromath's first guess (6 % off, and 8·10⁻²⁰ at 0). Cost: two divisions.
    #[inline]
    fn sqrt(self) -> Self {
        let x = self.0;
        if x == 0.0 || x == f32::INFINITY {
            return self;
        }
        // The guess halves the exponent field, which a subnormal number lacks.
        let (x, factor) = if x < f32::MIN_POSITIVE { (x * TWO_24, TWO_MINUS_12) } else { (x, 1.0) };
        let guess = F32Ext::sqrt(x);
        let root = 0.5 * (guess + x / guess);
        Self(0.5 * (root + x / root) * factor)
    }
    /// eˣ: relative error at most 2.5·10⁻³ for −87.3 ≤ x ≤ 88.7; 0 below (no subnormal results), ∞ above.
    ///
    /// micromath alone gives NaN in (88.7, 89.4) and unspecified values for huge arguments.
    #[inline]
    fn exp(self) -> Self {
        let x = self.0;
        if x > EXP_LARGEST {
            Self(f32::INFINITY)
        } else if x < EXP_SMALLEST {
            Self(0.0)
        } else if x.is_nan() {
            self
        } else {
            Self(F32Ext::exp(x))
        }
    }
    /// Natural logarithm: absolute error at most 7·10⁻⁵·(1 + 10⁻³ |ln x|) for every positive x, subnormal
    /// ones included; −∞ at 0, NaN below.
    ///
    /// micromath's polynomial on the significand in [1, 2), with the exponent taken apart here: micromath
    /// alone is off by up to 0.12 below 1.
    #[inline]
    fn ln(self) -> Self {
        let x = self.0;
        if x > 0.0 && x < f32::INFINITY {
            let (x, shift) = if x < f32::MIN_POSITIVE { (x * TWO_24, 24) } else { (x, 0) };
            let bits = x.to_bits();
            // The exponent field of a positive normal number is 1 to 254.
            let exponent = (bits >> 23) as i32 - 127 - shift;
            let significand = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
            Self(exponent as f32 * core::f32::consts::LN_2 + F32Ext::ln(significand))
        } else if x == 0.0 {
            Self(f32::NEG_INFINITY)
        } else if x == f32::INFINITY {
            self
        } else {
            Self(f32::NAN)
        }
    }
    /// sin x: absolute error at most 1.1·10⁻³ + 2⁻²² |x| for |x| ≤ 2²⁴, values within ±1.001; beyond, the
    /// phase counts as 0. NaN if x is not finite.
    #[inline]
    fn sin(self) -> Self {
        Self(F32Ext::sin(phase(self.0)))
    }
    /// cos x: absolute error at most 1.1·10⁻³ + 2⁻²² |x| for |x| ≤ 2²⁴, values within ±1.001; beyond, the
    /// phase counts as 0. NaN if x is not finite.
    #[inline]
    fn cos(self) -> Self {
        Self(F32Ext::cos(phase(self.0)))
    }
    /// tanh x: absolute error at most 10⁻⁴ everywhere; odd; exact at 0, values within ±1.
    ///
    /// micromath has none. Lambert's continued fraction x/(1 + x²/(3 + x²/(5 + … /13))) as a quotient of
    /// polynomials, cut at ±1. Cost: 14 flops, one division.
    #[inline]
    fn tanh(self) -> Self {
        let x = self.0;
        if x.is_nan() {
            return self;
        }
        if x.abs() >= TANH_CUT {
            return Self(if x > 0.0 { 1.0 } else { -1.0 });
        }
        let square = x * x;
        let numerator = x * (135_135.0 + square * (17_325.0 + square * (378.0 + square)));
        let denominator = 135_135.0 + square * (62_370.0 + square * (3_150.0 + square * 28.0));
        Self((numerator / denominator).clamp(-1.0, 1.0))
    }
    /// xʸ for finite x and y: relative error at most 2.6·10⁻³ + 7.5·10⁻⁵ |y| (1 + 10⁻³ |ln x|) where x > 0
    /// and the result lies between 10⁻³⁷ and 10³⁸. x⁰ = 1, 0ʸ = 0 for y > 0 and ∞ for y < 0; negative x take
    /// their sign from an integer y, and are NaN for any other.
    #[inline]
    fn powf(self, exponent: Self) -> Self {
        let (x, y) = (self.0, exponent.0);
        if y == 0.0 {
            return Self(1.0);
        }
        if x == 0.0 {
            return Self(if y > 0.0 {
                0.0
            } else if y < 0.0 {
                f32::INFINITY
            } else {
                f32::NAN
            });
        }
        let magnitude = (Self(y) * Self(x.abs()).ln()).exp();
        let is_integer = |y: f32| libm::floorf(y) == y;
        if x > 0.0 || is_integer(0.5 * y) {
            magnitude
        } else if is_integer(y) {
            -magnitude
        } else {
            Self(f32::NAN)
        }
    }
}

const TWO_24: f32 = 16_777_216.0;
const TWO_MINUS_12: f32 = 1.0 / 4096.0;
/// ln of the largest and smallest normal numbers, rounded towards 0.
const EXP_LARGEST: f32 = 88.722_83;
const EXP_SMALLEST: f32 = -87.336_54;
/// From here on tanh differs from 1 by less than the bound.
const TANH_CUT: f32 = 4.971_787;

/// x, or 0 where an f32 no longer tells the phase; NaN for what is not finite.
#[inline]
fn phase(x: f32) -> f32 {
    if x.abs() <= TWO_24 {
        x
    } else if x.is_finite() {
        0.0
    } else {
        f32::NAN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real::Float;

    /// Numbers of [low, high] spread evenly over order keys, and the ends.
    fn samples(low: f32, high: f32) -> impl Iterator<Item = f32> {
        let keys = low.order_key()..=high.order_key();
        keys.step_by(1_999).map(f32::from_order_key).chain([low, high])
    }

    /// The largest ratio of error to bound over the samples, with the sample it is attained at.
    fn worst(
        low: f32,
        high: f32,
        fast: impl Fn(Fast) -> Fast,
        exact: impl Fn(f64) -> f64,
        bound: impl Fn(f64, f64) -> f64,
    ) -> (f64, f32) {
        samples(low, high)
            .map(|x| {
                let value = exact(f64::from(x));
                let error = (fast(Fast(x)).to_f64() - value).abs();
                (error / bound(f64::from(x), value), x)
            })
            .fold((0.0, 0.0), |worst, next| if next.0 > worst.0 || next.0.is_nan() { next } else { worst })
    }

    macro_rules! assert_bound {
        ($worst:expr) => {
            let (ratio, at) = $worst;
            assert!(ratio <= 1.0, "{ratio} of the bound at {at:e}");
        };
    }

    #[test]
    fn sqrt_keeps_its_bound() {
        assert_bound!(worst(f32::from_bits(1), f32::MAX, Real::sqrt, libm::sqrt, |_, root| 2e-6 * root));
        assert_eq!(Fast(0.0).sqrt(), Fast(0.0));
        assert_eq!(Fast(f32::INFINITY).sqrt().0, f32::INFINITY);
        assert!(Fast(-1.0).sqrt().0.is_nan() && Fast(f32::NAN).sqrt().0.is_nan());
        assert!(Fast(-1e-40).sqrt().0.is_nan());
    }

    #[test]
    fn exp_keeps_its_bound() {
        assert_bound!(worst(-87.3, 88.7, Real::exp, libm::exp, |_, value| 2.5e-3 * value));
        assert_bound!(worst(EXP_SMALLEST, EXP_LARGEST, Real::exp, libm::exp, |_, value| 2.5e-3 * value));
        for x in [EXP_LARGEST.next_above(), 88.9, 89.0, 89.5, 100.0, 1e10, f32::MAX, f32::INFINITY] {
            assert_eq!(Fast(x).exp().0, f32::INFINITY, "{x}");
        }
        for x in [EXP_SMALLEST.next_below(), -88.0, -100.0, -1e10, f32::MIN, f32::NEG_INFINITY] {
            assert_eq!(Fast(x).exp().0, 0.0, "{x}");
        }
        assert_eq!(Fast(0.0).exp().0, 1.0);
        assert!(Fast(f32::NAN).exp().0.is_nan());
    }

    #[test]
    fn ln_keeps_its_bound() {
        let bound = |_, ln: f64| 7e-5 * (1.0 + 1e-3 * ln.abs());
        assert_bound!(worst(f32::from_bits(1), f32::MAX, Real::ln, libm::log, bound));
        assert_eq!(Fast(1.0).ln().0, 0.0);
        assert_eq!(Fast(0.0).ln().0, f32::NEG_INFINITY);
        assert_eq!(Fast(-0.0).ln().0, f32::NEG_INFINITY);
        assert_eq!(Fast(f32::INFINITY).ln().0, f32::INFINITY);
        for x in [-1.0, -1e-40, f32::NEG_INFINITY, f32::NAN] {
            assert!(Fast(x).ln().0.is_nan(), "{x}");
        }
    }

    #[test]
    fn sin_and_cos_keep_their_bounds() {
        let bound = |x: f64, _| 1.1e-3 + x.abs() * 2.0f64.powi(-22);
        assert_bound!(worst(-TWO_24, TWO_24, Real::sin, libm::sin, bound));
        assert_bound!(worst(-TWO_24, TWO_24, Real::cos, libm::cos, bound));
        for x in samples(f32::MIN, f32::MAX) {
            assert!(Fast(x).sin().0.abs() <= 1.001 && Fast(x).cos().0.abs() <= 1.001, "{x:e}");
        }
        for x in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert!(Fast(x).sin().0.is_nan() && Fast(x).cos().0.is_nan());
        }
    }

    #[test]
    fn tanh_keeps_its_bound() {
        assert_bound!(worst(f32::MIN, f32::MAX, Real::tanh, libm::tanh, |_, _| 1e-4));
        for x in samples(0.0, f32::INFINITY) {
            let value = Fast(x).tanh().0;
            assert!(value <= 1.0 && Fast(-x).tanh().0 == -value);
        }
        assert!(Fast(f32::NAN).tanh().0.is_nan());
    }

    #[test]
    fn powf_keeps_its_bound() {
        for y in [-9.5f32, -2.0, -1.0, -0.5, 0.1, 0.5, 1.0, 2.0, 3.7, 12.0] {
            let bound = |x: f64, value: f64| {
                value * (2.6e-3 + 7.5e-5 * f64::from(y).abs() * (1.0 + 1e-3 * libm::log(x).abs()))
            };
            // The x for which the result lies between 10⁻³⁷ and 10³⁸.
            let ends = [1e-37, 1e38].map(|value| libm::pow(value, 1.0 / f64::from(y)));
            let low = ends[0].min(ends[1]).max(1e-45) as f32;
            let high = ends[0].max(ends[1]).min(3.4e38) as f32;
            let exact = |x| libm::pow(x, f64::from(y));
            assert_bound!(worst(low, high, |x| x.powf(Fast(y)), exact, bound));
        }
        let powf = |x: f32, y: f32| Fast(x).powf(Fast(y)).0;
        assert_eq!(powf(0.0, 0.0), 1.0);
        assert_eq!(powf(0.0, 2.0), 0.0);
        assert_eq!(powf(0.0, -2.0), f32::INFINITY);
        assert_eq!(powf(-1.0, 3.0), -1.0);
        assert_eq!(powf(-1.0, 4.0), 1.0);
        assert_eq!(powf(-3.0, 1e9), f32::INFINITY);
        for (x, y) in [(-2.0, 0.5), (f32::NAN, 1.0), (2.0, f32::NAN), (0.0, f32::NAN)] {
            assert!(powf(x, y).is_nan(), "{x} {y}");
        }
    }
}
