use super::check_labels;
use crate::{Error, Real};

/// Mean cross-entropy of a classifier: the mean over the samples of ln Σᵢ exp(zᵢ) − z_y.
///
/// Shapes: logits classes×samples, column-major; a label a sample, below the number of classes. Guarantees:
/// the largest logit is subtracted first, so no exponential overflows; sums run in order. Cost: 3 flops and
/// one `exp` a logit, one `ln` a sample, no lent memory.
///
/// # Errors
/// [`Error::Dimension`] if the logits are no whole number a sample; [`Error::Setting`] for no samples;
/// [`Error::Index`] for a label that names no class; [`Error::NonFinite`] if a logit or the loss is not
/// finite.
///
/// ```
/// let loss = quern_kernels::loss::cross_entropy(&[0.0, 0.0, 1000.0, 0.0], &[1, 0]);
/// assert_eq!(loss, Ok(2.0_f64.ln() / 2.0));
/// ```
pub fn cross_entropy<T: Real>(logits: &[T], labels: &[u32]) -> Result<T, Error> {
    let classes = check_labels(logits, labels)?;
    let mut sum = T::NEGATIVE_ZERO;
    for (logits, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
        let largest = largest(logits);
        let mut total = T::NEGATIVE_ZERO;
        for &logit in logits {
            total += (logit - largest).exp();
        }
        sum += sample_loss(logits, label, largest, total);
    }
    finish(sum, labels.len())
}

/// [`cross_entropy`], and the logits replaced by its gradient (softmax(z) − e_y)/samples.
///
/// Shapes: as [`cross_entropy`], whose bits the value has. Cost: 6 flops and one `exp` a logit, one `ln` and
/// one division a sample, no lent memory.
///
/// # Errors
/// As [`cross_entropy`]; if the loss is not finite the logits are already replaced.
///
/// ```
/// let mut logits = [0.0, 0.0];
/// quern_kernels::loss::cross_entropy_gradient(&mut logits, &[1])?;
/// assert_eq!(logits, [0.5, -0.5]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn cross_entropy_gradient<T: Real>(logits: &mut [T], labels: &[u32]) -> Result<T, Error> {
    let classes = check_labels(logits, labels)?;
    let mean = T::ONE / T::from_usize(labels.len());
    let mut sum = T::NEGATIVE_ZERO;
    for (logits, &label) in logits.chunks_exact_mut(classes.max(1)).zip(labels) {
        let largest = largest(logits);
        let labelled = logits.get(label as usize).copied().unwrap_or(largest);
        let mut total = T::NEGATIVE_ZERO;
        for logit in logits.iter_mut() {
            *logit = (*logit - largest).exp();
            total += *logit;
        }
        sum += total.ln() - (labelled - largest);
        let inverse = T::ONE / total;
        for (class, logit) in logits.iter_mut().enumerate() {
            let probability = *logit * inverse;
            *logit = if class == label as usize { probability - T::ONE } else { probability } * mean;
        }
    }
    finish(sum, labels.len())
}

fn largest<T: Real>(logits: &[T]) -> T {
    logits.iter().fold(-T::MAX, |largest, &logit| largest.maximum(logit))
}

fn sample_loss<T: Real>(logits: &[T], label: u32, largest: T, total: T) -> T {
    total.ln() - (logits.get(label as usize).copied().unwrap_or(largest) - largest)
}

fn finish<T: Real>(sum: T, samples: usize) -> Result<T, Error> {
    let value = sum * (T::ONE / T::from_usize(samples));
    if value.is_finite() { Ok(value) } else { Err(Error::NonFinite { what: "loss", index: 0 }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_is_that_of_finite_differences_and_sums_to_zero() {
        let logits = [0.3, -1.2, 2.0, 0.0, 0.0, -0.5];
        let labels = [2, 1];
        let mut gradient = logits;
        let value = cross_entropy_gradient(&mut gradient, &labels).unwrap();
        assert_eq!(cross_entropy(&logits, &labels), Ok(value));
        let function = |logits: &[f64]| cross_entropy(logits, &labels);
        let off = crate::ad::check_gradient(function, &logits, &gradient, &mut [0.0; 6]).unwrap();
        // With h = 1.8e-5 and a largest entry above 0.2: truncation h²/6 with |f‴| < 1, rounding εf/h, together
        // below 2e-10.
        assert!(off < 1e-9, "{off}");
        for gradient in gradient.chunks(3) {
            // Three probabilities, each rounded three times.
            assert!(gradient.iter().sum::<f64>().abs() < 9.0 * f64::EPSILON);
        }
    }

    #[test]
    fn large_logits_neither_overflow_nor_vanish() {
        let (most, least) = (f32::MAX / 4.0, -f32::MAX / 4.0);
        assert_eq!(cross_entropy(&[most, least], &[0]), Ok(0.0));
        assert_eq!(cross_entropy(&[most, least], &[1]), Ok(most - least));
        assert_eq!(cross_entropy(&[1e38_f32, 1e38], &[1]), Ok(core::f32::consts::LN_2));
    }

    #[test]
    fn misuse_is_refused() {
        assert!(matches!(cross_entropy::<f32>(&[], &[]), Err(Error::Setting { name: "samples", .. })));
        let dimension = Err(Error::Dimension { what: "outputs", expected: 2, found: 3 });
        assert_eq!(cross_entropy(&[0.0; 3], &[0, 0]), dimension);
        let index = Err(Error::Index { what: "labels", position: 1, bound: 2 });
        assert_eq!(cross_entropy(&[0.0; 4], &[1, 2]), index);
        assert_eq!(
            cross_entropy::<f32>(&[], &[0]),
            Err(Error::Index { what: "labels", position: 0, bound: 0 })
        );
        let non_finite = Err(Error::NonFinite { what: "outputs", index: 1 });
        assert_eq!(cross_entropy_gradient(&mut [0.0, f64::NAN], &[1]), non_finite);
        let overflow = Err(Error::NonFinite { what: "loss", index: 0 });
        assert_eq!(cross_entropy(&[f32::MAX, -f32::MAX], &[1]), overflow);
    }
}
