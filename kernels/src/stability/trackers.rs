use crate::{Error, Real};

/// What a training step shows of the curvature, for free: means over the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Observation<T> {
    /// q = ‖g‖², g the gradient of the model's output (an output seed of 1, not r).
    pub squared_norm: T,
    /// q².
    pub fourth_power: T,
    /// r²q, r the derivative of the loss by the output.
    pub noise: T,
    /// r²q².
    pub curved_noise: T,
    /// ℓ.
    pub loss: T,
    /// q²r, which overflows before the step does.
    overflow: T,
}

impl<T: Real> Observation<T> {
    /// One sample, from q, r and ℓ.
    ///
    /// For a loss other than the squared one, g is to be scaled by √ℓ″ and r divided by it; for several outputs, g is
    /// the gradient for a random seed of signs.
    #[inline]
    pub fn sample(squared_norm: T, residual: T, loss: T) -> Self {
        let fourth_power = squared_norm * squared_norm;
        let residual_squared = residual * residual;
        Self {
            squared_norm,
            fourth_power,
            noise: residual_squared * squared_norm,
            curved_noise: residual_squared * fourth_power,
            loss,
            overflow: fourth_power * residual,
        }
    }

    /// The mean over a batch; zeros for an empty one.
    pub fn batch(members: impl Iterator<Item = Self>) -> Self {
        let (mut sum, mut count) = (Self::default(), 0_u32);
        for member in members {
            sum.squared_norm += member.squared_norm;
            sum.fourth_power += member.fourth_power;
            sum.noise += member.noise;
            sum.curved_noise += member.curved_noise;
            sum.loss += member.loss;
            sum.overflow += member.overflow.abs();
            count = count.saturating_add(1);
        }
        let mean = T::ONE / T::from_u32(count.max(1));
        Self {
            squared_norm: sum.squared_norm * mean,
            fourth_power: sum.fourth_power * mean,
            noise: sum.noise * mean,
            curved_noise: sum.curved_noise * mean,
            loss: sum.loss * mean,
            overflow: sum.overflow * mean,
        }
    }

    /// Whether all that is tracked, and q²r, is finite. Cost: 4 flops.
    #[inline]
    pub fn is_finite(&self) -> bool {
        // One infinite or NaN summand makes the sum so, and q is finite where q² is. All but the last are not negative,
        // and infinities of both signs add to NaN.
        let sum = self.fourth_power + self.noise + self.curved_noise + self.loss;
        (sum + self.overflow).is_finite()
    }
}

/// Exponential moving averages of what training steps show, with decay ρ = 1 − 1/W: e ← ρe + (1 − ρ)x, read as e/w
/// with the weight w ← ρw + (1 − ρ), so that the first steps count in full.
///
/// Shapes: nine scalars. Guarantees: averages of finite numbers; an observation that is not finite is refused and
/// changes nothing. Cost of an observation: 23 flops. Source: the estimators of the trace and of the batch sharpness
/// from unit-seed gradients; the Frobenius norm as E(gₜᵀgₜ₋₁)² = ‖G‖_F² for independent samples.
///
/// ```
/// use quern_kernels::stability::{Observation, Trackers};
/// let mut trackers = Trackers::new(10)?;
/// trackers.observe(&Observation::sample(4.0, 0.5, 0.125), None)?;
/// assert_eq!((trackers.trace(), trackers.fourth_moment()), (Some(4.0), Some(16.0)));
/// assert_eq!(trackers.frobenius_squared(), None);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Trackers<T> {
    decay: T,
    increment: T,
    weight: T,
    squared_norm: T,
    fourth_power: T,
    noise: T,
    curved_noise: T,
    loss: T,
    pair_weight: T,
    pairs: T,
}

impl<T: Real> Trackers<T> {
    /// Averages over a window of W observations.
    ///
    /// # Errors
    /// [`Error::Setting`] unless 1 ≤ W ≤ 1/(8u): beyond that, updates would be lost to rounding.
    pub fn new(window: usize) -> Result<Self, Error> {
        let increment = T::ONE / T::from_usize(window);
        if !(increment <= T::ONE && increment >= T::from_f64(8.0) * T::EPSILON) {
            return Err(Error::Setting { name: "window", expected: "from 1 to an eighth of 1/u" });
        }
        let zero = T::ZERO;
        Ok(Self {
            decay: T::ONE - increment,
            increment,
            weight: zero,
            squared_norm: zero,
            fourth_power: zero,
            noise: zero,
            curved_noise: zero,
            loss: zero,
            pair_weight: zero,
            pairs: zero,
        })
    }

    /// Forgets all observations.
    pub fn clear(&mut self) {
        let Self { decay, increment, .. } = *self;
        let zero = T::ZERO;
        *self = Self {
            decay,
            increment,
            weight: zero,
            squared_norm: zero,
            fourth_power: zero,
            noise: zero,
            curved_noise: zero,
            loss: zero,
            pair_weight: zero,
            pairs: zero,
        };
    }

    /// Takes an observation in, and gₜᵀgₜ₋₁ where it is known; the samples must be drawn independently for that.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; then nothing is taken in.
    #[inline(always)]
    pub fn observe(&mut self, observation: &Observation<T>, inner_product: Option<T>) -> Result<(), Error> {
        const REFUSED: Error = Error::NonFinite { what: "observation", index: 0 };
        if !observation.is_finite() {
            return Err(REFUSED);
        }
        let Self { decay, increment, .. } = *self;
        if let Some(product) = inner_product {
            let square = product * product;
            if !square.is_finite() {
                return Err(REFUSED);
            }
            self.pairs = decay * self.pairs + increment * square;
            self.pair_weight = decay * self.pair_weight + increment;
        }
        self.weight = decay * self.weight + increment;
        self.squared_norm = decay * self.squared_norm + increment * observation.squared_norm;
        self.fourth_power = decay * self.fourth_power + increment * observation.fourth_power;
        self.noise = decay * self.noise + increment * observation.noise;
        self.curved_noise = decay * self.curved_noise + increment * observation.curved_noise;
        self.loss = decay * self.loss + increment * observation.loss;
        Ok(())
    }

    /// m₂, the average of q: an estimate of Tr G. `None` before the first observation, as all averages.
    pub fn trace(&self) -> Option<T> {
        average(self.squared_norm, self.weight)
    }

    /// m₄, the average of q².
    pub fn fourth_moment(&self) -> Option<T> {
        average(self.fourth_power, self.weight)
    }

    /// The average loss.
    pub fn loss(&self) -> Option<T> {
        average(self.loss, self.weight)
    }

    /// An estimate of ‖G‖_F², the average of (gₜᵀgₜ₋₁)².
    pub fn frobenius_squared(&self) -> Option<T> {
        average(self.pairs, self.pair_weight)
    }

    /// b = Σr²q²/Σr²q, the sharpness along the steps of batches of one, which is seen to settle at 2/η. Advisory.
    pub fn batch_sharpness(&self) -> Option<T> {
        average(self.curved_noise, self.noise)
    }
}

fn average<T: Real>(sum: T, weight: T) -> Option<T> {
    (weight > T::ZERO).then(|| sum / weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_weighted_means() {
        let mut trackers = Trackers::new(4).unwrap();
        assert_eq!((trackers.trace(), trackers.batch_sharpness()), (None, None));
        let steps: [(f64, f64); 5] = [(1.0, 2.0), (3.0, -1.0), (0.5, 0.0), (2.0, 4.0), (7.0, 1.0)];
        for (q, r) in steps {
            trackers.observe(&Observation::sample(q, r, r * r / 2.0), Some(q + r)).unwrap();
        }
        let mean = |value: fn(f64, f64) -> f64| {
            let weights = (0..5).rev().map(|age| 0.75_f64.powi(age));
            let sum: f64 = weights.clone().zip(steps).map(|(w, (q, r))| w * value(q, r)).sum();
            sum / weights.sum::<f64>()
        };
        let close = |found: Option<f64>, expected: f64| {
            assert!((found.unwrap() - expected).abs() < 1e-14 * expected, "{found:?} {expected}");
        };
        close(trackers.trace(), mean(|q, _| q));
        close(trackers.fourth_moment(), mean(|q, _| q * q));
        close(trackers.loss(), mean(|_, r| r * r / 2.0));
        close(trackers.frobenius_squared(), mean(|q, r| (q + r) * (q + r)));
        close(trackers.batch_sharpness(), mean(|q, r| r * r * q * q) / mean(|q, r| r * r * q));
        trackers.clear();
        assert_eq!((trackers.loss(), trackers.frobenius_squared()), (None, None));
    }

    #[test]
    fn a_batch_is_the_mean_of_its_members() {
        let members = [(1.0, 2.0, 3.0), (5.0, -4.0, 1.0)].map(|(q, r, loss)| Observation::sample(q, r, loss));
        let batch = Observation::batch(members.into_iter());
        assert_eq!((batch.squared_norm, batch.fourth_power, batch.loss), (3.0, 13.0, 2.0));
        assert_eq!((batch.noise, batch.curved_noise), ((4.0 + 80.0) / 2.0, (4.0 + 400.0) / 2.0));
        assert_eq!(Observation::<f32>::batch([].into_iter()), Observation::default());
    }

    #[test]
    fn whatever_overflows_is_refused_and_changes_nothing() {
        let mut trackers = Trackers::new(2).unwrap();
        trackers.observe(&Observation::sample(1.0_f32, 1.0, 1.0), Some(1.0)).unwrap();
        for (q, r, loss, product) in [
            (1e20, 0.0, 0.0, None),
            (1e15, 1e10, 0.0, None),
            (1.0, 1e20, 0.0, None),
            (1.0, 1.0, f32::INFINITY, None),
            (f32::NAN, 1.0, 1.0, None),
            (1.0, f32::NEG_INFINITY, 1.0, None),
            (1.0, 1.0, 1.0, Some(1e20)),
        ] {
            assert!(trackers.observe(&Observation::sample(q, r, loss), product).is_err(), "{q} {r} {loss}");
        }
        assert_eq!((trackers.trace(), trackers.frobenius_squared()), (Some(1.0), Some(1.0)));
        let overflowed = Observation::batch([Observation::sample(1e20_f32, 1.0, 1.0)].into_iter());
        assert!(!overflowed.is_finite());
    }

    #[test]
    fn windows_that_lose_updates_are_refused() {
        assert!(Trackers::<f32>::new(0).is_err() && Trackers::<f32>::new(2_000_000).is_err());
        assert!(Trackers::<f32>::new(1).is_ok() && Trackers::<f32>::new(1_000_000).is_ok());
        assert!(Trackers::<f64>::new(2_000_000).is_ok());
    }
}
