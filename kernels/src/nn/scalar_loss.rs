use crate::Real;

/// A loss ℓ(f, y) of one output f.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ScalarLoss {
    /// ½(f − y)².
    Squared,
    /// ln(1 + e^{−yf}), y = ±1.
    Logistic,
}

impl ScalarLoss {
    /// ℓ(f, y). Guarantee: no overflow where the loss has none. Cost: 3 flops, or one exponential and one logarithm.
    ///
    /// ```
    /// use quern_kernels::nn::ScalarLoss;
    /// assert_eq!(ScalarLoss::Squared.value(3.0, 1.0), 2.0);
    /// assert_eq!(ScalarLoss::Logistic.value(1000.0, -1.0), 1000.0);
    /// ```
    pub fn value<T: Real>(self, output: T, target: T) -> T {
        match self {
            Self::Squared => T::from_f64(0.5) * (output - target) * (output - target),
            Self::Logistic => {
                let exponent = -target * output;
                let sum = T::ONE + (-exponent.abs()).exp();
                sum.ln() + exponent.maximum(T::ZERO)
            }
        }
    }

    /// ∂ℓ/∂f: f − y, or −yσ(−yf). Cost: 1 flop, or one exponential and 4.
    ///
    /// ```
    /// use quern_kernels::nn::ScalarLoss;
    /// assert_eq!(ScalarLoss::Logistic.derivative(0.0, 1.0), -0.5);
    /// ```
    pub fn derivative<T: Real>(self, output: T, target: T) -> T {
        match self {
            Self::Squared => output - target,
            Self::Logistic => -target * sigmoid(-target * output),
        }
    }

    /// ∂²ℓ/∂f²: 1, or σ(yf)σ(−yf). Cost: at most two exponentials and 5 flops.
    ///
    /// ```
    /// use quern_kernels::nn::ScalarLoss;
    /// assert_eq!(ScalarLoss::Logistic.curvature(0.0, 1.0), 0.25);
    /// ```
    pub fn curvature<T: Real>(self, output: T, target: T) -> T {
        match self {
            Self::Squared => T::ONE,
            Self::Logistic => sigmoid(target * output) * sigmoid(-target * output),
        }
    }
}

/// σ(t) = 1/(1 + e^{−t}), from the exponential of what is not positive.
fn sigmoid<T: Real>(t: T) -> T {
    let e = (-t.abs()).exp();
    if t >= T::ZERO { T::ONE / (T::ONE + e) } else { e / (T::ONE + e) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With h = 10⁻⁵: truncation h²/6 of a third derivative below 1/8; rounding of the loss 3uℓ/h < 5·10⁻¹⁰ and of its
    /// argument u|f||ℓ′|/h < 3·10⁻¹⁰, for |f| ≤ 4 and ℓ ≤ 12.5.
    #[test]
    fn derivatives_are_those_of_finite_differences() {
        for loss in [ScalarLoss::Squared, ScalarLoss::Logistic] {
            for i in -40..=40 {
                let (f, y, h) = (f64::from(i) / 10.0, if i % 2 == 0 { 1.0 } else { -1.0 }, 1e-5);
                let first = (loss.value(f + h, y) - loss.value(f - h, y)) / (2.0 * h);
                let second = (loss.derivative(f + h, y) - loss.derivative(f - h, y)) / (2.0 * h);
                assert!((first - loss.derivative(f, y)).abs() < 1e-9, "{loss:?} {f}");
                assert!((second - loss.curvature(f, y)).abs() < 1e-9, "{loss:?} {f}");
            }
        }
    }

    #[test]
    fn large_margins_neither_overflow_nor_lose_sign() {
        let loss = ScalarLoss::Logistic;
        assert_eq!(loss.value(1e30_f32, 1.0), 0.0);
        assert_eq!(loss.derivative(1e30_f32, -1.0), 1.0);
        assert_eq!(loss.curvature(1e30_f32, 1.0), 0.0);
    }
}
