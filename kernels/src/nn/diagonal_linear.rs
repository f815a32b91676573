use crate::blas::{LANES, combine};
use crate::{Error, Real, check_finite, check_length};

/// A diagonal linear network: f(x) = Σⱼ aⱼbⱼxⱼ, a linear model whose parameters enter in pairs.
///
/// Shapes: d inputs; the parameters are a, then b, 2d in all. Source: B. Woodworth et al., Kernel and Rich Regimes in
/// Overparametrized Models, COLT 2020, section 3, with one pair an input.
///
/// ```
/// use quern_kernels::nn::DiagonalLinear;
/// let net = DiagonalLinear { inputs: 2 };
/// let mut gradient = [0.0; 4];
/// let (f, q) = net.grad_unit(&[1.0, 2.0, 3.0, 4.0], &[1.0, -1.0], &mut gradient)?;
/// assert_eq!((f, q), (1.0 * 3.0 - 2.0 * 4.0, 9.0 + 16.0 + 1.0 + 4.0));
/// assert_eq!(gradient, [3.0, -4.0, 1.0, -2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DiagonalLinear {
    /// d.
    pub inputs: usize,
}

impl DiagonalLinear {
    /// 2d.
    pub const fn parameters(&self) -> usize {
        self.inputs.saturating_mul(2)
    }

    /// f(x).
    ///
    /// Shapes: 2d parameters, x of length d. Guarantees: eight partial sums, as in
    /// [`blas::dot`](crate::blas::dot), of (bⱼxⱼ)aⱼ. Cost: 3d flops, no lent memory. Source: as the network.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if an argument or the output is not finite.
    pub fn forward<T: Real>(&self, parameters: &[T], x: &[T]) -> Result<T, Error> {
        let (a, b) = self.check(parameters, x)?;
        let mut sums = [T::NEGATIVE_ZERO; LANES];
        let (a, b, x) = (a.chunks(LANES), b.chunks(LANES), x.chunks(LANES));
        for ((a, b), x) in a.zip(b).zip(x) {
            for (((sum, &a), &b), &x) in sums.iter_mut().zip(a).zip(b).zip(x) {
                *sum += (b * x) * a;
            }
        }
        finite(combine(sums))
    }

    /// f(x), and its gradient g = (b ∘ x, a ∘ x).
    ///
    /// Shapes: 2d parameters, x of length d, the gradient lies as the parameters do. Guarantees: the output has the
    /// bits of [`forward`](Self::forward). Cost: 4d flops, no lent memory. Source: as the network.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[inline]
    pub fn gradient<T: Real>(&self, parameters: &[T], x: &[T], gradient: &mut [T]) -> Result<T, Error> {
        self.pass(parameters, x, gradient).map(|(output, _)| output)
    }

    /// f(x), its gradient g for an output seed of 1, and q = ‖g‖₂² = Σⱼ xⱼ²(aⱼ² + bⱼ²).
    ///
    /// Shapes, guarantees and errors: as [`gradient`](Self::gradient); q in eight partial sums, to which (bⱼxⱼ)² and
    /// (aⱼxⱼ)² are added one after the other. It may be infinite where f is not: that is for the guard to judge. Cost:
    /// 8d flops, no lent memory. Source: as the network.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    #[inline]
    pub fn grad_unit<T: Real>(&self, parameters: &[T], x: &[T], gradient: &mut [T]) -> Result<(T, T), Error> {
        self.pass(parameters, x, gradient)
    }

    /// All in one pass; what is not wanted of it costs nothing.
    #[inline(always)]
    fn pass<T: Real>(&self, parameters: &[T], x: &[T], gradient: &mut [T]) -> Result<(T, T), Error> {
        let (a, b) = self.check(parameters, x)?;
        check_length("gradient", gradient.len(), self.parameters())?;
        let (by_a, by_b) = gradient.split_at_mut_checked(self.inputs).unwrap_or_default();
        let (mut outputs, mut norms) = ([T::NEGATIVE_ZERO; LANES], [T::NEGATIVE_ZERO; LANES]);
        let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        let (x, x_tail) = x.as_chunks::<LANES>();
        let (by_a, by_a_tail) = by_a.as_chunks_mut::<LANES>();
        let (by_b, by_b_tail) = by_b.as_chunks_mut::<LANES>();
        for (((a, b), x), (by_a, by_b)) in a.iter().zip(b).zip(x).zip(by_a.iter_mut().zip(by_b)) {
            lanes(&mut outputs, &mut norms, (a, b, x), (by_a, by_b));
        }
        lanes(&mut outputs, &mut norms, (a_tail, b_tail, x_tail), (by_a_tail, by_b_tail));
        Ok((finite(combine(outputs))?, combine(norms)))
    }

    /// a and b.
    fn check<'a, T: Real>(&self, parameters: &'a [T], x: &[T]) -> Result<(&'a [T], &'a [T]), Error> {
        check_length("parameters", parameters.len(), self.parameters())?;
        check_length("x", x.len(), self.inputs)?;
        check_finite("parameters", parameters)?;
        check_finite("x", x)?;
        Ok(parameters.split_at_checked(self.inputs).unwrap_or_default())
    }
}

/// Up to eight inputs: their entries of the gradient, and what they add to the partial sums of f and of q.
#[inline(always)]
fn lanes<T: Real>(
    outputs: &mut [T; LANES],
    norms: &mut [T; LANES],
    (a, b, x): (&[T], &[T], &[T]),
    (by_a, by_b): (&mut [T], &mut [T]),
) {
    let entries = a.iter().zip(b).zip(x).zip(by_a.iter_mut().zip(by_b));
    for ((output, norm), (((&a, &b), &x), (by_a, by_b))) in outputs.iter_mut().zip(norms).zip(entries) {
        let (slope_a, slope_b) = (b * x, a * x);
        (*by_a, *by_b) = (slope_a, slope_b);
        *output += slope_a * a;
        *norm += slope_a * slope_a;
        *norm += slope_b * slope_b;
    }
}

/// Refuses an output that overflowed.
pub(super) fn finite<T: Real>(output: T) -> Result<T, Error> {
    if output.is_finite() { Ok(output) } else { Err(Error::NonFinite { what: "output", index: 0 }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ad::check_gradient;

    #[test]
    fn the_gradient_is_that_of_the_output() {
        for d in [1, 7, 8, 19] {
            let net = DiagonalLinear { inputs: d };
            let ramp = |length: usize, step: usize| -> std::vec::Vec<f64> {
                (0..length).map(|i| ((i * step + 11) % 64) as f64 / 40.0 - 0.79).collect()
            };
            let (parameters, x) = (ramp(2 * d, 37), ramp(d, 29));
            let mut gradient = std::vec![0.0; 2 * d];
            let (output, q) = net.grad_unit(&parameters, &x, &mut gradient).unwrap();
            assert_eq!(net.forward(&parameters, &x), Ok(output));
            let expected: f64 = (0..d)
                .map(|j| {
                    x[j] * x[j] * (parameters[j] * parameters[j] + parameters[d + j] * parameters[d + j])
                })
                .sum();
            // Two dozen terms, each rounded a few times.
            assert!((q - expected).abs() < 32.0 * f64::EPSILON * expected);
            let mut scratch = std::vec![0.0; 2 * d];
            let off = check_gradient(|at| net.forward(at, &x), &parameters, &gradient, &mut scratch).unwrap();
            // A quadratic form: no truncation along one coordinate; rounding 2u·Σ|terms|/(2h) < 1e-10.
            assert!(off < 1e-9, "{d}: {off}");
        }
    }

    #[test]
    fn misuse_is_refused() {
        let net = DiagonalLinear { inputs: 1 };
        let mut gradient = [0.0; 2];
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(net.forward(&[0.0; 3], &[0.0]), dimension("parameters", 2, 3));
        assert_eq!(net.forward(&[0.0; 2], &[0.0; 2]), dimension("x", 1, 2));
        assert_eq!(net.gradient(&[0.0; 2], &[0.0], &mut gradient[..1]), dimension("gradient", 2, 1));
        assert!(matches!(
            net.forward(&[f64::NAN, 0.0], &[0.0]),
            Err(Error::NonFinite { what: "parameters", .. })
        ));
        assert!(matches!(net.forward(&[1e200, 1e200], &[1.0]), Err(Error::NonFinite { what: "output", .. })));
        assert_eq!(DiagonalLinear { inputs: 0 }.gradient::<f32>(&[], &[], &mut []).map(f32::abs), Ok(0.0));
    }
}
