use super::Real;
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use micromath::F32Ext;

/// An `f32` whose elementary functions are the short approximations of `micromath`.
///
/// Arithmetic is that of `f32`, to the bit. Shape: four bytes.
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

    #[inline]
    fn from_f64(value: f64) -> Self {
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
    #[inline]
    fn sqrt(self) -> Self {
        Self(F32Ext::sqrt(self.0))
    }
    #[inline]
    fn exp(self) -> Self {
        Self(F32Ext::exp(self.0))
    }
    #[inline]
    fn ln(self) -> Self {
        Self(F32Ext::ln(self.0))
    }
    #[inline]
    fn sin(self) -> Self {
        Self(F32Ext::sin(self.0))
    }
    #[inline]
    fn cos(self) -> Self {
        Self(F32Ext::cos(self.0))
    }
    #[inline]
    fn tanh(self) -> Self {
        Self(libm::tanhf(self.0))
    }
    #[inline]
    fn powf(self, exponent: Self) -> Self {
        Self(F32Ext::powf(self.0, exponent.0))
    }
}
