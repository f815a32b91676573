use super::super::Trackers;
use crate::{Error, Real};

/// What a guard does about a ratio above 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Policy {
    /// Lowers the learning rate once the loss grows or the ratio stays above 1.
    Protect,
    /// Reports, and never changes the learning rate: exceeding the bound while the loss stays bounded is how SGD
    /// leaves sharp minima.
    Watch,
}

/// How a [`Guard`](super::Guard) watches.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GuardSettings<T> {
    /// What it does about a ratio above 1.
    pub policy: Policy,
    /// W, the window of the averages; no check before so many steps.
    pub window: usize,
    /// k ≥ 1, steps from check to check.
    pub interval: usize,
    /// κ in [0, 1]; see [`batch_factor`](super::super::batch_factor).
    pub batch_factor: T,
    /// Whether ‖G‖_F is estimated from consecutive gradients, which must be of single samples drawn independently.
    pub pairs: bool,
    /// η_min ≥ 0, below which the guard halts.
    pub least_learning_rate: T,
}

impl<T: Real> GuardSettings<T> {
    /// Protects a loop over n samples in batches of one: W = n, k = 2n, η_min = 10⁻⁶.
    pub fn for_samples(samples: usize) -> Self {
        Self {
            policy: Policy::Protect,
            window: samples,
            interval: samples.saturating_mul(2),
            batch_factor: T::ONE,
            pairs: false,
            least_learning_rate: T::from_f64(1e-6),
        }
    }

    /// # Errors
    /// [`Error::Setting`] naming a setting outside of its range.
    pub fn validate(&self) -> Result<(), Error> {
        if self.interval == 0 {
            return Err(Error::Setting { name: "interval", expected: "at least 1" });
        }
        if !(self.batch_factor >= T::ZERO && self.batch_factor <= T::ONE) {
            return Err(Error::Setting { name: "batch_factor", expected: "in [0, 1]" });
        }
        if !(self.least_learning_rate >= T::ZERO && self.least_learning_rate.is_finite()) {
            return Err(Error::Setting { name: "least_learning_rate", expected: "at least 0" });
        }
        Trackers::<T>::new(self.window).map(drop)
    }
}
