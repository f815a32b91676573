use crate::random::{Key, fill_normal};
use crate::{Error, check_finite, check_length};

/// The noise defence: out ← w + σξ, where ξᵢ is entry i of the key's table of standard normal numbers.
///
/// Quantizing noisy weights undoes what was hidden in weights near the borders of their cells. Shapes:
/// weights and out of n. Scale: σ in units of the weights; about the median half-width of the cells works,
/// see [`median_half_width`](super::audit::median_half_width). Cost: 2n flops and n normal numbers. Source:
/// K. Egashira et al., "Exploiting LLM Quantization", 2024, the defence by Gaussian noise.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] for the weights or a result; [`Error::Setting`] unless σ is
/// finite and at least 0.
///
/// ```
/// use quern_kernels::quant::noise_defend;
/// use quern_kernels::random::{Key, normal_at};
/// let (key, mut out) = (Key::from_seed(1), [0.0; 2]);
/// noise_defend(&[1.0, 2.0], 0.5, key, &mut out)?;
/// assert_eq!(out[1], 2.0 + 0.5 * normal_at::<f32>(key, 1));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn noise_defend(weights: &[f32], sigma: f32, key: Key, out: &mut [f32]) -> Result<(), Error> {
    check_length("out", out.len(), weights.len())?;
    check_finite("weights", weights)?;
    if !(sigma.is_finite() && sigma >= 0.0) {
        return Err(Error::Setting { name: "sigma", expected: "finite and at least 0" });
    }
    fill_normal(key, 0, out);
    for (out, &weight) in out.iter_mut().zip(weights) {
        *out = weight + sigma * *out;
    }
    check_finite("noisy weights", out)
}
