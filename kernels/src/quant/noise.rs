use crate::{Error, check_finite, check_length};

/// The noise defence: out ← w + σξ, with ξ drawn from `normal`, one number a weight, in order.
///
/// Quantizing noisy weights breaks weights that sit just inside the borders of their cells on purpose. Shapes: weights and out of
/// n. Scale: σ in units of the weights; half the median width of the cells is the size that works,
/// see [`median_half_width`](super::audit::median_half_width). Cost: 2n flops and n normal numbers. Source: K. Egashira et al., "Exploiting
/// LLM Quantization", 2024, section 5.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] for the weights or a result; [`Error::Setting`] unless σ is finite and at least 0.
///
/// ```
/// let mut out = [0.0; 2];
/// let mut normal = [1.0, -2.0].into_iter();
/// quern_kernels::quant::noise_defend(&[1.0, 1.0], 0.5, || normal.next().unwrap(), &mut out)?;
/// assert_eq!(out, [1.5, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn noise_defend(
    weights: &[f32],
    sigma: f32,
    mut normal: impl FnMut() -> f32,
    out: &mut [f32],
) -> Result<(), Error> {
    check_length("out", out.len(), weights.len())?;
    check_finite("weights", weights)?;
    if !(sigma.is_finite() && sigma >= 0.0) {
        return Err(Error::Setting { name: "sigma", expected: "finite and at least 0" });
    }
    for (out, &weight) in out.iter_mut().zip(weights) {
        *out = weight + sigma * normal();
    }
    check_finite("noisy weights", out)
}
