use crate::Real;
use core::cmp::Ordering;
use core::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// A dual number x + εẋ with ε² = 0: f(x + εẋ) = f(x) + ε f′(x)ẋ.
///
/// Shapes: two scalars. Guarantees: the value of every operation has the bits that `T` gives; the tangent follows
/// from the rules of differentiation, rounded operation by operation. Comparisons, also `==`, look at the value
/// alone, so that a branch is taken as without tangents; the derivative is that of the branch. A number is finite
/// only if both parts are. |x| has derivative 0 at 0, ⌊x⌋ everywhere; where a derivative does not exist, as that of
/// √x at 0, the tangent is infinite or NaN; xʸ with x ≤ 0 counts y as a constant. Cost: two to four operations of
/// `T` for one. Source: W. K. Clifford, Preliminary sketch of biquaternions, 1873; A. Griewank, A. Walther,
/// Evaluating Derivatives, 2008, section 3.1 (forward mode).
///
/// ```
/// use quern_kernels::{Real, ad::Dual};
/// // d/dx of x·eˣ at 1 is 2e.
/// let x = Dual::variable(1.0_f64);
/// assert!(((x * x.exp()).tangent - 2.0 * 1.0_f64.exp()).abs() < 1e-15);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dual<T> {
    /// x.
    pub value: T,
    /// ẋ, the derivative along the direction.
    pub tangent: T,
}

impl<T: Real> Dual<T> {
    /// x + εẋ.
    #[inline]
    pub const fn new(value: T, tangent: T) -> Self {
        Self { value, tangent }
    }
    /// x, whose derivative is 0.
    #[inline]
    pub const fn constant(value: T) -> Self {
        Self { value, tangent: T::ZERO }
    }
    /// x + ε: what the derivative is taken with respect to.
    #[inline]
    pub const fn variable(value: T) -> Self {
        Self { value, tangent: T::ONE }
    }
    /// f(x) + ε f′(x)ẋ, from f(x) and f′(x).
    #[inline(always)]
    fn chain(self, value: T, derivative: T) -> Self {
        Self { value, tangent: derivative * self.tangent }
    }
}

impl<T: PartialEq> PartialEq for Dual<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: PartialOrd> PartialOrd for Dual<T> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&other.value)
    }
}

impl<T: Real> Add for Dual<T> {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, tangent: self.tangent + other.tangent }
    }
}

impl<T: Real> Sub for Dual<T> {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, tangent: self.tangent - other.tangent }
    }
}

impl<T: Real> Mul for Dual<T> {
    type Output = Self;
    #[inline]
    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            tangent: self.tangent * other.value + self.value * other.tangent,
        }
    }
}

impl<T: Real> Div for Dual<T> {
    type Output = Self;
    #[inline]
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self { value, tangent: (self.tangent - value * other.tangent) / other.value }
    }
}

impl<T: Real> Neg for Dual<T> {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self { value: -self.value, tangent: -self.tangent }
    }
}

macro_rules! assign {
    ($trait:ident, $method:ident, $operator:tt) => {
        impl<T: Real> $trait for Dual<T> {
            #[inline]
            fn $method(&mut self, other: Self) {
                *self = *self $operator other;
            }
        }
    };
}

assign!(AddAssign, add_assign, +);
assign!(SubAssign, sub_assign, -);
assign!(MulAssign, mul_assign, *);
assign!(DivAssign, div_assign, /);

impl<T: Real> Real for Dual<T> {
    const ZERO: Self = Self::constant(T::ZERO);
    const NEGATIVE_ZERO: Self = Self::new(T::NEGATIVE_ZERO, T::NEGATIVE_ZERO);
    const ONE: Self = Self::constant(T::ONE);
    const EPSILON: Self = Self::constant(T::EPSILON);
    const MIN_POSITIVE: Self = Self::constant(T::MIN_POSITIVE);
    const MAX: Self = Self::constant(T::MAX);
    const INFINITY: Self = Self::constant(T::INFINITY);

    #[inline]
    fn from_f64(value: f64) -> Self {
        Self::constant(T::from_f64(value))
    }
    #[inline]
    fn from_u32(value: u32) -> Self {
        Self::constant(T::from_u32(value))
    }
    #[inline]
    fn from_usize(value: usize) -> Self {
        Self::constant(T::from_usize(value))
    }
    /// The value, without the tangent.
    #[inline]
    fn to_f64(self) -> f64 {
        self.value.to_f64()
    }
    #[inline]
    fn is_finite(self) -> bool {
        self.value.is_finite() && self.tangent.is_finite()
    }
    #[inline]
    fn abs(self) -> Self {
        if self.value < T::ZERO {
            -self
        } else if self.value > T::ZERO {
            self
        } else {
            Self::constant(self.value.abs())
        }
    }
    #[inline]
    fn copysign(self, sign: Self) -> Self {
        let flip = T::ONE.copysign(self.value) * T::ONE.copysign(sign.value);
        self.chain(self.value.copysign(sign.value), flip)
    }
    #[inline]
    fn floor(self) -> Self {
        Self::constant(self.value.floor())
    }
    #[inline]
    fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        Self { value: root, tangent: self.tangent / (root + root) }
    }
    #[inline]
    fn exp(self) -> Self {
        let value = self.value.exp();
        self.chain(value, value)
    }
    #[inline]
    fn ln(self) -> Self {
        Self { value: self.value.ln(), tangent: self.tangent / self.value }
    }
    #[inline]
    fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }
    #[inline]
    fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }
    #[inline]
    fn tanh(self) -> Self {
        let value = self.value.tanh();
        self.chain(value, T::ONE - value * value)
    }
    #[inline]
    fn powf(self, exponent: Self) -> Self {
        let value = self.value.powf(exponent.value);
        let by_base = exponent.value * self.value.powf(exponent.value - T::ONE);
        let power = self.chain(value, by_base);
        if self.value > T::ZERO {
            Self { value, tangent: power.tangent + value * self.value.ln() * exponent.tangent }
        } else {
            power
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// f, f′ at points where both are known in closed form.
    #[test]
    fn elementary_functions_have_their_derivatives() {
        type Case = (fn(Dual<f64>) -> Dual<f64>, fn(f64) -> f64, fn(f64) -> f64);
        let cases: [Case; 11] = [
            (|x| x * x * x, |x| x * x * x, |x| 3.0 * x * x),
            (|x| Dual::ONE / x, |x| 1.0 / x, |x| -1.0 / (x * x)),
            (Real::sqrt, |x| Real::sqrt(x), |x| 0.5 / Real::sqrt(x)),
            (Real::exp, |x| Real::exp(x), |x| Real::exp(x)),
            (Real::ln, |x| Real::ln(x), |x| 1.0 / x),
            (Real::sin, |x| Real::sin(x), |x| Real::cos(x)),
            (Real::cos, |x| Real::cos(x), |x| -Real::sin(x)),
            (Real::tanh, |x| Real::tanh(x), |x| 1.0 - Real::tanh(x) * Real::tanh(x)),
            (|x| x.powf(Dual::from_f64(2.5)), |x| Real::powf(x, 2.5), |x| 2.5 * Real::powf(x, 1.5)),
            (
                |x| Dual::from_f64(2.0).powf(x),
                |x| Real::powf(2.0, x),
                |x| Real::powf(2.0, x) * core::f64::consts::LN_2,
            ),
            (|x| x.powf(x), |x| Real::powf(x, x), |x| Real::powf(x, x) * (Real::ln(x) + 1.0)),
        ];
        for (index, (dual, value, derivative)) in cases.into_iter().enumerate() {
            for x in [0.25, 1.0, 1.75, 3.5] {
                let result = dual(Dual::variable(x));
                assert_eq!(result.value, value(x), "case {index} at {x}");
                // A few operations, each rounded, none of which cancels more than a digit.
                let allowed = 16.0 * f64::EPSILON * (1.0 + derivative(x).abs());
                assert!((result.tangent - derivative(x)).abs() <= allowed, "case {index} at {x}: {result:?}");
            }
        }
    }

    #[test]
    fn kinks_signs_and_branches() {
        let x = Dual::new(-2.0_f64, 3.0);
        assert_eq!((x.abs().value, x.abs().tangent), (2.0, -3.0));
        let at_kink = Dual::new(-0.0_f64, 3.0).abs();
        assert_eq!((at_kink.value.to_bits(), at_kink.tangent), (0, 0.0));
        assert_eq!(x.copysign(Dual::ONE).tangent, -3.0);
        assert_eq!(x.copysign(-Dual::ONE).tangent, 3.0);
        assert_eq!((x.floor().value, x.floor().tangent), (-2.0, 0.0));
        assert_eq!(x.powf(Dual::constant(3.0)).tangent, 36.0);
        assert_eq!(Dual::variable(0.0).powf(Dual::constant(2.0)).tangent, 0.0);
        // Equal values compare as equal whatever the tangents; the first is kept, as without tangents.
        assert_eq!(Dual::new(1.0, 5.0), Dual::new(1.0, 7.0));
        assert_eq!(Dual::new(1.0, 5.0).maximum(Dual::new(1.0, 7.0)).tangent, 5.0);
        assert_eq!(Dual::new(1.0, 5.0).minimum(Dual::new(0.0, 7.0)).tangent, 7.0);
    }

    #[test]
    fn finite_means_both_parts() {
        assert!(Dual::new(1.0, 2.0).is_finite());
        assert!(!Dual::new(1.0, f64::NAN).is_finite());
        assert!(!Dual::new(f64::INFINITY, 0.0).is_finite());
        assert!(!Dual::variable(0.0).sqrt().is_finite());
        let zero = Dual::<f32>::NEGATIVE_ZERO + Dual::new(-0.0, -0.0);
        assert_eq!((zero.value.to_bits(), zero.tangent.to_bits()), (1 << 31, 1 << 31));
    }

    #[test]
    fn nested_numbers_give_second_derivatives() {
        // (x³)″ = 6x, (eˣ sin x)″ = 2eˣ cos x.
        let x = Dual::new(Dual::variable(1.5_f64), Dual::constant(1.0));
        assert_eq!((x * x * x).tangent.tangent, 9.0);
        let second = (x.exp() * x.sin()).tangent.tangent;
        assert!((second - 2.0 * Real::exp(1.5) * Real::cos(1.5)).abs() < 1e-14);
        let second = x.powf(Dual::constant(Dual::constant(4.0))).tangent.tangent;
        assert!((second - 27.0).abs() < 1e-13);
    }
}
