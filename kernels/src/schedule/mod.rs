//! Learning rates over time: a [`Schedule`] is a warm-up and a [`Decay`].

use crate::{Error, Real};

/// How a learning rate falls from its peak, t being the steps since the warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Decay<T> {
    /// d(t) = 1.
    Constant,
    /// d(t) = γ^⌊t/k⌋.
    Step {
        /// k ≥ 1.
        every: u32,
        /// γ in (0, 1].
        factor: T,
    },
    /// d(t) = f + (1 − f)(1 + cos(πt/T))/2 before T, f from there on.
    Cosine {
        /// T ≥ 1.
        steps: u32,
        /// f in [0, 1].
        last: T,
    },
    /// d(t) = f + (1 − f)(1 − t/T) before T, f from there on.
    Linear {
        /// T ≥ 1.
        steps: u32,
        /// f in [0, 1].
        last: T,
    },
}

/// A learning rate over time: η(t) = η·(t + 1)/W in the W steps of the warm-up, then η·d(t − W).
///
/// Shapes: none; η has the unit of the optimizer's learning rate. Guarantees: 0 ≤ η(t) ≤ η(1 + 4u), and
/// after the warm-up it never rises by more than rounding. With f = 0 it ends at 0, which no optimizer takes:
/// let T be the number of steps to come. Cost: at most one `cos` or `powf`, one division and 6 flops; no
/// lent memory. Source: I. Loshchilov, F. Hutter, SGDR: Stochastic Gradient Descent with Warm Restarts, 2017,
/// equation (5), without restarts; P. Goyal et al., Accurate, Large Minibatch SGD, 2017, section 2.2.
///
/// ```
/// use quern_kernels::schedule::{Decay, Schedule};
/// let schedule = Schedule { peak: 0.5, warm_up: 2, decay: Decay::Linear { steps: 4, last: 0.0 } };
/// schedule.validate()?;
/// let rates = [0, 1, 2, 3, 4, 5].map(|step| schedule.learning_rate(step));
/// assert_eq!(rates, [0.25, 0.5, 0.5, 0.375, 0.25, 0.125]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Schedule<T> {
    /// η > 0.
    pub peak: T,
    /// W; 0 for none.
    pub warm_up: u32,
    /// d.
    pub decay: Decay<T>,
}

impl<T: Real> Schedule<T> {
    /// # Errors
    /// [`Error::Setting`] naming a setting outside of its range.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |name, expected| Err(Error::Setting { name, expected });
        if !(self.peak > T::ZERO && self.peak.is_finite()) {
            return refuse("peak", "above 0");
        }
        match self.decay {
            Decay::Step { every: 0, .. } => refuse("every", "at least 1"),
            Decay::Step { factor, .. } if !(factor > T::ZERO && factor <= T::ONE) => {
                refuse("factor", "in (0, 1]")
            }
            Decay::Cosine { steps: 0, .. } | Decay::Linear { steps: 0, .. } => refuse("steps", "at least 1"),
            Decay::Cosine { last, .. } | Decay::Linear { last, .. }
                if !(last >= T::ZERO && last <= T::ONE) =>
            {
                refuse("last", "in [0, 1]")
            }
            _ => Ok(()),
        }
    }

    /// η(t), the steps being counted from 0.
    pub fn learning_rate(&self, step: u32) -> T {
        match step.checked_sub(self.warm_up) {
            None => self.peak * ratio::<T>(step.saturating_add(1), self.warm_up),
            Some(step) => self.peak * self.decay.at(step),
        }
    }
}

impl<T: Real> Decay<T> {
    fn at(self, step: u32) -> T {
        let half = T::from_f64(0.5);
        match self {
            Self::Constant => T::ONE,
            Self::Step { every, factor } => match step.checked_div(every) {
                None | Some(0) => T::ONE,
                Some(times) => factor.powf(T::from_u32(times)),
            },
            Self::Cosine { steps, last } | Self::Linear { steps, last } if step >= steps => last,
            Self::Cosine { steps, last } => {
                let angle = T::from_f64(core::f64::consts::PI) * ratio::<T>(step, steps);
                last + (T::ONE - last) * (half + half * angle.cos())
            }
            Self::Linear { steps, last } => last + (T::ONE - last) * ratio::<T>(steps - step, steps),
        }
    }
}

/// p/q.
fn ratio<T: Real>(part: u32, whole: u32) -> T {
    T::from_u32(part) / T::from_u32(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEAK: f64 = 0.3;

    fn schedule(warm_up: u32, decay: Decay<f64>) -> Schedule<f64> {
        let schedule = Schedule { peak: PEAK, warm_up, decay };
        schedule.validate().unwrap();
        schedule
    }

    #[test]
    fn closed_forms() {
        // A handful of roundings each.
        let close = |found: f64, expected: f64| (found - expected).abs() <= 8.0 * f64::EPSILON * PEAK;
        let step = schedule(0, Decay::Step { every: 10, factor: 0.5 });
        let cosine = schedule(0, Decay::Cosine { steps: 60, last: 0.1 });
        let linear = schedule(5, Decay::Linear { steps: 60, last: 0.25 });
        for t in 0..60_u32 {
            assert!(close(step.learning_rate(t), PEAK * 0.5_f64.powi((t / 10) as i32)), "step {t}");
            let expected = PEAK * (0.1 + 0.45 * (1.0 + (std::f64::consts::PI * f64::from(t) / 60.0).cos()));
            assert!(close(cosine.learning_rate(t), expected), "cosine {t}");
            let expected = PEAK * (0.25 + 0.75 * (1.0 - f64::from(t) / 60.0));
            assert!(close(linear.learning_rate(t + 5), expected), "linear {t}");
        }
        for t in 0..5 {
            assert!(close(linear.learning_rate(t), PEAK * f64::from(t + 1) / 5.0), "warm-up {t}");
        }
        assert_eq!(schedule(0, Decay::Constant).learning_rate(u32::MAX), PEAK);
        assert_eq!(cosine.learning_rate(30), PEAK * 0.55);
        for end in [65, 66, u32::MAX] {
            assert_eq!((cosine.learning_rate(end), linear.learning_rate(end)), (PEAK * 0.1, PEAK * 0.25));
        }
    }

    #[test]
    fn never_rises_after_the_warm_up() {
        for decay in [
            Decay::Constant,
            Decay::Step { every: 7, factor: 0.3 },
            Decay::Cosine { steps: 1000, last: 0.0 },
            Decay::Linear { steps: 1000, last: 0.01 },
        ] {
            let schedule = schedule(10, decay);
            for t in 10..1100 {
                let (now, next) = (schedule.learning_rate(t), schedule.learning_rate(t + 1));
                assert!(0.0 <= next && next <= now * (1.0 + 4.0 * f64::EPSILON), "{decay:?} {t}");
            }
        }
    }

    #[test]
    fn misuse_is_refused() {
        let refused = |peak: f64, decay, setting| {
            let result = Schedule { peak, warm_up: 3, decay }.validate();
            assert!(matches!(result, Err(Error::Setting { name, .. }) if name == setting), "{setting}");
        };
        for peak in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            refused(peak, Decay::Constant, "peak");
        }
        refused(1.0, Decay::Step { every: 0, factor: 0.5 }, "every");
        refused(1.0, Decay::Step { every: 1, factor: 0.0 }, "factor");
        refused(1.0, Decay::Step { every: 1, factor: f64::NAN }, "factor");
        refused(1.0, Decay::Cosine { steps: 0, last: 0.5 }, "steps");
        refused(1.0, Decay::Linear { steps: 0, last: 0.5 }, "steps");
        refused(1.0, Decay::Cosine { steps: 1, last: 1.5 }, "last");
        refused(1.0, Decay::Linear { steps: 1, last: f64::NAN }, "last");
    }
}
