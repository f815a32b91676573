use super::{Real, sqrt};

macro_rules! float {
    ($float:ident, $copysign:ident, $floor:ident, $sqrt:ident, $exp:ident, $ln:ident, $sin:ident, $cos:ident, $tanh:ident,
     $powf:ident) => {
        impl Real for $float {
            const ZERO: Self = 0.0;
            const NEGATIVE_ZERO: Self = -0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = $float::EPSILON;
            const MIN_POSITIVE: Self = $float::MIN_POSITIVE;
            const MAX: Self = $float::MAX;
            const INFINITY: Self = $float::INFINITY;

            #[inline]
            fn from_f64(value: f64) -> Self {
                value as $float
            }
            #[inline]
            fn from_u32(value: u32) -> Self {
                // A cast, not `From`: it rounds where the type is narrower.
                value as $float
            }
            #[inline]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline]
            fn is_finite(self) -> bool {
                $float::is_finite(self)
            }
            #[inline]
            fn abs(self) -> Self {
                $float::abs(self)
            }
            #[inline]
            fn copysign(self, sign: Self) -> Self {
                libm::$copysign(self, sign)
            }
            #[inline]
            fn floor(self) -> Self {
                libm::$floor(self)
            }
            #[inline]
            fn sqrt(self) -> Self {
                sqrt::$sqrt(self)
            }
            #[inline]
            fn exp(self) -> Self {
                libm::$exp(self)
            }
            #[inline]
            fn ln(self) -> Self {
                libm::$ln(self)
            }
            #[inline]
            fn sin(self) -> Self {
                libm::$sin(self)
            }
            #[inline]
            fn cos(self) -> Self {
                libm::$cos(self)
            }
            #[inline]
            fn tanh(self) -> Self {
                libm::$tanh(self)
            }
            #[inline]
            fn powf(self, exponent: Self) -> Self {
                libm::$powf(self, exponent)
            }
        }
    };
}

float!(f32, copysignf, floorf, sqrtf, expf, logf, sinf, cosf, tanhf, powf);
float!(f64, copysign, floor, sqrt, exp, log, sin, cos, tanh, pow);
