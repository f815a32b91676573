use super::{Optimizer, check_step, is_decay, is_size};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// How [`Adam`] steps.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AdamSettings<T> {
    /// η > 0.
    pub learning_rate: T,
    /// β₁ in [0, 1): memory of the gradient.
    pub beta1: T,
    /// β₂ in [0, 1): memory of its square.
    pub beta2: T,
    /// ε > 0.
    pub epsilon: T,
    /// λ ≥ 0, decoupled: w is also shrunk by ηλw; 0 for none.
    pub weight_decay: T,
}

impl<T: Real> Default for AdamSettings<T> {
    /// η = 0.001, β₁ = 0.9, β₂ = 0.999, ε = 1e-8, λ = 0.
    fn default() -> Self {
        Self {
            learning_rate: T::from_f64(0.001),
            beta1: T::from_f64(0.9),
            beta2: T::from_f64(0.999),
            epsilon: T::from_f64(1e-8),
            weight_decay: T::ZERO,
        }
    }
}

impl<T: Real> AdamSettings<T> {
    /// # Errors
    /// [`Error::Setting`] naming a setting outside of its range.
    pub fn validate(&self) -> Result<(), Error> {
        let ranges = [
            (is_size(self.learning_rate, false), "learning_rate", "above 0"),
            (is_decay(self.beta1), "beta1", "in [0, 1)"),
            (is_decay(self.beta2), "beta2", "in [0, 1)"),
            (is_size(self.epsilon, false), "epsilon", "above 0"),
            (is_size(self.weight_decay, true), "weight_decay", "at least 0"),
        ];
        match ranges.into_iter().find(|(inside, ..)| !inside) {
            None => Ok(()),
            Some((_, name, expected)) => Err(Error::Setting { name, expected }),
        }
    }
}

/// Adam, with decoupled weight decay where asked for (AdamW):
/// m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← w − ηλw − η m̂/(√v̂ + ε) with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ).
///
/// Shapes: the state lent holds m, then v: 2n scalars. Guarantees: βᵗ is a running product, and 1/(1−βᵗ) one
/// division a step. A gradient whose square overflows is an error. Cost of a step: 12n flops, n of them
/// divisions, and n square roots. Source: D. P. Kingma, J. Ba, Adam, 2015, algorithm 1; I. Loshchilov, F.
/// Hutter, Decoupled weight decay regularization, 2019, algorithm 2.
///
/// ```
/// use quern_kernels::optim::{Adam, AdamSettings, Optimizer};
/// let settings = AdamSettings { learning_rate: 0.5, ..AdamSettings::default() };
/// let mut adam = Adam::new(settings, [0.0; 4])?;
/// let mut w = [1.0_f64, 1.0];
/// // The first step is a step of η against the sign of the gradient, whatever its size.
/// adam.step(&mut w, &[1e3, -1e-3])?;
/// assert!((w[0] - 0.5).abs() < 1e-4 && (w[1] - 1.5).abs() < 1e-4);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Adam<T, B> {
    settings: AdamSettings<T>,
    moments: B,
    /// β₁ᵗ and β₂ᵗ.
    powers: (T, T),
}

impl<T: Real, B: BorrowMut<[T]>> Adam<T, B> {
    /// Starts without memory of a gradient, on lent memory of 2n scalars.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn new(settings: AdamSettings<T>, moments: B) -> Result<Self, Error> {
        settings.validate()?;
        let mut adam = Self { settings, moments, powers: (T::ONE, T::ONE) };
        adam.start();
        Ok(adam)
    }

    /// Forgets all gradients.
    pub fn start(&mut self) {
        self.moments.borrow_mut().fill(T::ZERO);
        self.powers = (T::ONE, T::ONE);
    }
}

impl<T: Real, B: BorrowMut<[T]>> Adam<T, B> {
    /// Forgets what only pushes against a box: mᵢ ← 0 where wᵢ ≤ lᵢ and mᵢ > 0, or wᵢ ≥ uᵢ and mᵢ < 0.
    ///
    /// After a [`projected_step`](super::projected_step) such weights leave their bound as soon as their
    /// gradient turns. Shapes: w, l and u of n. Cost: 3n comparisons.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    pub fn rest_at_bounds(&mut self, parameters: &[T], lower: &[T], upper: &[T]) -> Result<(), Error> {
        let moments = self.moments.borrow_mut();
        check_length("moments", moments.len(), parameters.len().saturating_mul(2))?;
        check_length("lower", lower.len(), parameters.len())?;
        check_length("upper", upper.len(), parameters.len())?;
        for (((m, w), lower), upper) in moments.iter_mut().zip(parameters).zip(lower).zip(upper) {
            if (w <= lower && *m > T::ZERO) || (w >= upper && *m < T::ZERO) {
                *m = T::ZERO;
            }
        }
        Ok(())
    }
}

impl<T: Real, B: BorrowMut<[T]>> Optimizer<T> for Adam<T, B> {
    fn step(&mut self, parameters: &mut [T], gradient: &[T]) -> Result<(), Error> {
        check_step(parameters, gradient)?;
        let moments = self.moments.borrow_mut();
        check_length("moments", moments.len(), parameters.len().saturating_mul(2))?;
        let Some((first, second)) = moments.split_at_mut_checked(parameters.len()) else { return Ok(()) };
        let AdamSettings { learning_rate, beta1, beta2, epsilon, weight_decay } = self.settings;
        self.powers = (self.powers.0 * beta1, self.powers.1 * beta2);
        let (fresh1, fresh2) = (T::ONE - beta1, T::ONE - beta2);
        let rate = learning_rate / (T::ONE - self.powers.0);
        let unbias = T::ONE / (T::ONE - self.powers.1);
        if weight_decay != T::ZERO {
            let kept = T::ONE - learning_rate * weight_decay;
            for w in parameters.iter_mut() {
                *w *= kept;
            }
        }
        for (((w, &g), m), v) in parameters.iter_mut().zip(gradient).zip(first).zip(second) {
            *m = beta1 * *m + fresh1 * g;
            *v = beta2 * *v + fresh2 * (g * g);
            *w -= rate * *m / ((*v * unbias).sqrt() + epsilon);
        }
        check_finite("moments", self.moments.borrow())?;
        check_finite("parameters", parameters)
    }

    fn learning_rate(&self) -> T {
        self.settings.learning_rate
    }

    /// dⱼ = 1/(√v̂ⱼ + ε); before the first step v̂ is taken to be 0.
    fn to_step_metric(&self, gradient: &mut [T]) -> Result<(), Error> {
        let moments = self.moments.borrow();
        check_length("moments", moments.len(), gradient.len().saturating_mul(2))?;
        let started = self.powers.1 < T::ONE;
        let unbias = if started { T::ONE / (T::ONE - self.powers.1) } else { T::ONE };
        for (g, &v) in gradient.iter_mut().zip(moments.iter().skip(moments.len() / 2)) {
            *g /= ((v * unbias).sqrt() + self.settings.epsilon).sqrt();
        }
        Ok(())
    }

    fn set_learning_rate(&mut self, learning_rate: T) -> Result<(), Error> {
        let settings = AdamSettings { learning_rate, ..self.settings };
        settings.validate()?;
        self.settings = settings;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_formulas() {
        let settings =
            AdamSettings { learning_rate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.05 };
        let mut adam = Adam::new(settings, [7.0_f64; 2]).unwrap();
        let mut w = [1.0];
        let (mut m, mut v, mut expected) = (0.0, 0.0, 1.0_f64);
        for t in 1..=20 {
            let g = f64::from(t % 3) - 0.7;
            adam.step(&mut w, &[g]).unwrap();
            m = 0.9 * m + 0.1 * g;
            v = 0.99 * v + 0.01 * g * g;
            let (m_hat, v_hat) = (m / (1.0 - 0.9_f64.powi(t)), v / (1.0 - 0.99_f64.powi(t)));
            expected = expected - 0.1 * 0.05 * expected - 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
            // About ten roundings a step, amplified by 1/(1 − β₂ᵗ) ≤ 100 in the running product.
            assert!((w[0] - expected).abs() <= 1e3 * f64::EPSILON * f64::from(t), "step {t}");
        }
    }

    #[test]
    fn the_metric_is_that_of_the_steps() {
        let settings = AdamSettings { beta1: 0.0, learning_rate: 0.1, ..AdamSettings::default() };
        let mut adam = Adam::new(settings, [0.0_f64; 4]).unwrap();
        let mut w = [0.0, 0.0];
        for gradient in [[1.0, 1e-3], [2.0, -3e-3]] {
            let before = w;
            adam.step(&mut w, &gradient).unwrap();
            let mut scaled = gradient;
            adam.to_step_metric(&mut scaled).unwrap();
            // Without memory of the gradient a step is −ηDg, and ηgᵀDg = −gᵀ(w − w₋).
            let decrease: f64 = (0..2).map(|i| -gradient[i] * (w[i] - before[i])).sum();
            let squares = scaled[0] * scaled[0] + scaled[1] * scaled[1];
            assert!((0.1 * squares - decrease).abs() <= 1e-14);
        }
        assert!(adam.to_step_metric(&mut [0.0]).is_err());
    }

    #[test]
    fn only_pushes_out_of_the_box_are_forgotten() {
        let mut adam = Adam::new(AdamSettings::default(), [0.0_f64; 8]).unwrap();
        let mut w = [-1.0, -1.0, 1.0, 0.0];
        adam.step(&mut w, &[1.0, -1.0, -1.0, 1.0]).unwrap();
        let (lower, upper) = ([-1.0; 4], [1.0; 4]);
        // At the bounds again: the first and the third push outward.
        adam.rest_at_bounds(&[-1.0, -1.0, 1.0, 0.0], &lower, &upper).unwrap();
        let zero = adam.moments.map(|m| m == 0.0);
        assert_eq!(zero[..4], [true, false, true, false]);
        assert!(adam.rest_at_bounds(&w, &lower[..3], &upper).is_err());
    }

    #[test]
    fn a_gradient_of_zero_moves_nothing() {
        let mut adam = Adam::new(AdamSettings::default(), [0.0_f32; 2]).unwrap();
        let mut w = [3.0];
        adam.step(&mut w, &[0.0]).unwrap();
        assert_eq!(w, [3.0]);
    }

    #[test]
    fn misuse_is_refused() {
        let good = AdamSettings::<f64>::default();
        for bad in [
            AdamSettings { learning_rate: 0.0, ..good },
            AdamSettings { beta1: 1.0, ..good },
            AdamSettings { beta2: f64::NAN, ..good },
            AdamSettings { epsilon: 0.0, ..good },
            AdamSettings { weight_decay: -1.0, ..good },
        ] {
            assert!(matches!(Adam::new(bad, [0.0; 2]), Err(Error::Setting { .. })));
        }
        let mut adam = Adam::new(good, [0.0; 3]).unwrap();
        assert!(matches!(adam.step(&mut [0.0; 2], &[0.0; 2]), Err(Error::Dimension { what: "moments", .. })));
        let mut adam = Adam::new(good, [0.0; 2]).unwrap();
        assert!(matches!(
            adam.step(&mut [f64::NAN], &[0.0]),
            Err(Error::NonFinite { what: "parameters", .. })
        ));
        // The square of the gradient overflows: an infinite denominator would stop this weight for good.
        let overflow = Err(Error::NonFinite { what: "moments", index: 1 });
        assert_eq!(adam.step(&mut [1.0], &[1e200]), overflow);
    }
}
