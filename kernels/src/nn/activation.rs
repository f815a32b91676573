use crate::Real;

/// What a unit does to its weighted sum z.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Activation {
    /// z.
    Linear,
    /// max(z, 0); its derivative at 0 is taken to be 0.
    Relu,
    /// tanh z.
    Tanh,
}

impl Activation {
    /// a = φ(z). NaN stays NaN. Cost: one comparison, or one `tanh`.
    ///
    /// ```
    /// use quern_kernels::nn::Activation;
    /// assert_eq!(Activation::Relu.value(-2.0), 0.0);
    /// ```
    #[inline]
    pub fn value<T: Real>(self, z: T) -> T {
        match self {
            Self::Linear => z,
            Self::Relu => {
                if z <= T::ZERO {
                    T::ZERO
                } else {
                    z
                }
            }
            Self::Tanh => z.tanh(),
        }
    }

    /// φ′(z), from the value a = φ(z) alone: 1, 1 if a > 0 else 0, 1 − a². Cost: at most 2 flops.
    ///
    /// ```
    /// use quern_kernels::nn::Activation;
    /// assert_eq!(Activation::Tanh.derivative(0.5), 0.75);
    /// ```
    #[inline]
    pub fn derivative<T: Real>(self, a: T) -> T {
        match self {
            Self::Linear => T::ONE,
            Self::Relu => {
                if a > T::ZERO {
                    T::ONE
                } else {
                    T::ZERO
                }
            }
            Self::Tanh => T::ONE - a * a,
        }
    }

    /// φ″(z), from the value a = φ(z) alone: 0, 0, −2a(1 − a²). Cost: at most 4 flops.
    ///
    /// ```
    /// use quern_kernels::nn::Activation;
    /// assert_eq!(Activation::Tanh.curvature(0.5), -0.75);
    /// ```
    #[inline]
    pub fn curvature<T: Real>(self, a: T) -> T {
        match self {
            Self::Linear | Self::Relu => T::ZERO,
            Self::Tanh => -(a + a) * (T::ONE - a * a),
        }
    }
}
