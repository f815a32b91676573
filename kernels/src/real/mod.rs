//! Scalars: what a kernel may ask of a number.
//!
//! `f32` and `f64` take their elementary functions from `libm` on every target, so that the bits agree;
//! [`Fast`] is an `f32` whose elementary functions are short approximations with tested error bounds. What
//! needs the bits of a number (order keys, neighbours, rounding to even) is in [`Float`].

mod fast;
mod float;
mod order;
mod sqrt;

pub use fast::Fast;
pub use order::Float;

use core::fmt::Debug;
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// A real number, to the precision of its type.
///
/// Implemented by `f32`, `f64`, [`Fast`] and [`Dual`](crate::ad::Dual). Comparison is that of the value; nothing is fused and nothing is
/// reassociated.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// −0, the neutral element of rounded addition: −0 + x is x for every x, bit for bit.
    const NEGATIVE_ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Distance from 1 to the next larger number: 2⁻²³ or 2⁻⁵².
    const EPSILON: Self;
    /// Smallest positive normal number.
    const MIN_POSITIVE: Self;
    /// Largest finite number.
    const MAX: Self;
    /// ∞.
    const INFINITY: Self;

    /// The nearest number of this type.
    fn from_f64(value: f64) -> Self;
    /// The value as `f64`, exact for every type of this crate; that of a dual number is without its tangent.
    fn to_f64(self) -> f64;
    /// Whether the value is neither NaN nor infinite.
    fn is_finite(self) -> bool;
    /// |x|.
    fn abs(self) -> Self;
    /// |x| with the sign of `sign`.
    fn copysign(self, sign: Self) -> Self;
    /// Largest integer not above x.
    fn floor(self) -> Self;
    /// √x, correctly rounded for `f32` and `f64`.
    fn sqrt(self) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// sin x, x in radians.
    fn sin(self) -> Self;
    /// cos x, x in radians.
    fn cos(self) -> Self;
    /// tanh x.
    fn tanh(self) -> Self;
    /// xʸ.
    fn powf(self, exponent: Self) -> Self;

    /// The larger of two numbers; `self` if `other` is NaN.
    #[inline]
    fn maximum(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
    /// The smaller of two numbers; `self` if `other` is NaN.
    #[inline]
    fn minimum(self, other: Self) -> Self {
        if other < self { other } else { self }
    }
    /// The nearest number of this type to an integer.
    #[inline]
    fn from_u32(value: u32) -> Self {
        Self::from_f64(f64::from(value))
    }
    /// The nearest number of this type to an integer count.
    #[inline]
    fn from_usize(value: usize) -> Self {
        Self::from_f64(value as f64)
    }
}
