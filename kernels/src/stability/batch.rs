use crate::{Error, Real};

/// How the members of a batch are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Sampling {
    /// Independently: a sample may occur twice.
    WithReplacement,
    /// As a random subset.
    WithoutReplacement,
}

/// κ, the variance of a batch's mean relative to that of one sample: 1/B with replacement,
/// (n − B)/(B(n − 1)) without.
///
/// Shapes: scalar, in [0, 1]. Guarantees: 0 for the whole set without replacement, also for n = 1; 1 for B = 1 and
/// n > 1. Shuffled epochs are neither way of drawing: κ is then approximate. Cost: 4 flops. Source: L. Wu, M. Wang,
/// W. J. Su, The alignment property of SGD noise, 2022, arXiv 2207.02628.
///
/// # Errors
/// [`Error::Setting`] for an empty set or batch, or a subset larger than the set.
///
/// ```
/// use quern_kernels::stability::{Sampling, batch_factor};
/// assert_eq!(batch_factor(24, 2, Sampling::WithReplacement), Ok(0.5));
/// assert_eq!(batch_factor(24, 2, Sampling::WithoutReplacement), Ok(22.0 / 46.0));
/// assert_eq!(batch_factor(1, 1, Sampling::WithoutReplacement), Ok(0.0_f32));
/// ```
pub fn batch_factor<T: Real>(samples: usize, batch: usize, sampling: Sampling) -> Result<T, Error> {
    if samples == 0 {
        return Err(Error::Setting { name: "samples", expected: "at least 1" });
    }
    if batch == 0 {
        return Err(Error::Setting { name: "batch", expected: "at least 1" });
    }
    let (n, b) = (T::from_usize(samples), T::from_usize(batch));
    match sampling {
        Sampling::WithReplacement => Ok(T::ONE / b),
        Sampling::WithoutReplacement if batch > samples => {
            Err(Error::Setting { name: "batch", expected: "at most the number of samples" })
        }
        Sampling::WithoutReplacement if batch == samples => Ok(T::ZERO),
        Sampling::WithoutReplacement => Ok((n - b) / (b * (n - T::ONE))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_the_range() {
        for n in 1..20 {
            assert_eq!(batch_factor(n, n, Sampling::WithoutReplacement), Ok(0.0));
            assert_eq!(batch_factor(n, 1, Sampling::WithReplacement), Ok(1.0));
            if n > 1 {
                assert_eq!(batch_factor(n, 1, Sampling::WithoutReplacement), Ok(1.0_f32));
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (samples, batch, sampling) in [
            (0, 1, Sampling::WithReplacement),
            (1, 0, Sampling::WithReplacement),
            (3, 4, Sampling::WithoutReplacement),
        ] {
            assert!(matches!(batch_factor::<f32>(samples, batch, sampling), Err(Error::Setting { .. })));
        }
    }
}
