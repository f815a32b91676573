use super::Activation;
use super::products::{Strided, columns, dots};
use crate::{Error, Real, check_finite, check_length};

/// A dense layer: A = φ(W X + b 1ᵀ).
///
/// Shapes: W is outputs×inputs in row-major order, so the weights of one unit are contiguous (the same memory
/// is Wᵀ in column-major order); b has one entry a unit; X is inputs×samples and A outputs×samples,
/// column-major: a sample is a contiguous column. The number of samples is that of X.
///
/// Source: D. E. Rumelhart, G. E. Hinton, R. J. Williams, Learning representations by back-propagating
/// errors, 1986.
///
/// ```
/// use quern_kernels::nn::{Activation, Dense};
/// let layer = Dense { inputs: 2, outputs: 1, activation: Activation::Relu };
/// let mut a = [0.0; 2];
/// layer.forward(&[1.0, -1.0], &[0.5], &[3.0, 1.0, 1.0, 3.0], &mut a)?;
/// assert_eq!(a, [2.5, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Dense {
    /// Length of a sample.
    pub inputs: usize,
    /// Number of units.
    pub outputs: usize,
    /// φ.
    pub activation: Activation,
}

impl Dense {
    /// A ← φ(W X + b 1ᵀ).
    ///
    /// Guarantees: W x is summed as by [`blas::dot`](crate::blas::dot), then b is added. Cost:
    /// 2·inputs·outputs flops a sample, no lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if an argument is not finite, or A overflows.
    pub fn forward<T: Real>(
        &self,
        weights: &[T],
        bias: &[T],
        inputs: &[T],
        outputs: &mut [T],
    ) -> Result<(), Error> {
        let samples = self.check(weights.len(), bias.len(), inputs.len())?;
        check_length("outputs", outputs.len(), product(self.outputs, samples)?)?;
        check_finite("weights", weights)?;
        check_finite("bias", bias)?;
        check_finite("inputs", inputs)?;
        self.forward_unchecked(weights, bias, inputs, outputs);
        check_finite("outputs", outputs)
    }

    /// The gradient with respect to W and b, from that with respect to the weighted sums:
    /// ∂W ← Δ Xᵀ (row-major, as W), ∂b ← Δ 1.
    ///
    /// Shapes: Δ = ∂loss/∂(W X + b 1ᵀ) is outputs×samples. Guarantees: sums run over the samples in order.
    /// Cost: 2·inputs·outputs flops a sample, no lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if an argument is not finite, or a gradient overflows.
    pub fn backward_parameters<T: Real>(
        &self,
        inputs: &[T],
        delta: &[T],
        weight_gradient: &mut [T],
        bias_gradient: &mut [T],
    ) -> Result<(), Error> {
        let samples = self.check(weight_gradient.len(), bias_gradient.len(), inputs.len())?;
        check_length("delta", delta.len(), product(self.outputs, samples)?)?;
        check_finite("inputs", inputs)?;
        check_finite("delta", delta)?;
        self.backward_parameters_unchecked(inputs, delta, weight_gradient, bias_gradient);
        check_finite("weight gradient", weight_gradient)?;
        check_finite("bias gradient", bias_gradient)
    }

    /// Replaces the inputs X = ψ(Z) by the gradient with respect to Z: X ← (Wᵀ Δ) ∘ ψ′(Z), where ψ is the
    /// activation of the layer before.
    ///
    /// Shapes: X is inputs×samples, Δ outputs×samples. Guarantees: sums run over the units in order. With
    /// [`Activation::Linear`] this is the gradient with respect to X itself, whatever X holds. Cost:
    /// 2·inputs·outputs flops a sample, no lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if an argument is not finite, or the result overflows.
    pub fn backward_inputs<T: Real>(
        &self,
        weights: &[T],
        delta: &[T],
        before: Activation,
        inputs: &mut [T],
    ) -> Result<(), Error> {
        let samples = self.check(weights.len(), self.outputs, inputs.len())?;
        check_length("delta", delta.len(), product(self.outputs, samples)?)?;
        check_finite("weights", weights)?;
        check_finite("delta", delta)?;
        if before != Activation::Linear {
            check_finite("inputs", inputs)?;
        }
        self.backward_inputs_unchecked(weights, delta, before, inputs);
        check_finite("inputs", inputs)
    }

    /// Compares lengths with the shape; the number of samples.
    fn check(&self, weights: usize, bias: usize, inputs: usize) -> Result<usize, Error> {
        if self.inputs == 0 {
            return Err(Error::Setting { name: "inputs", expected: "at least 1" });
        }
        check_length("weights", weights, product(self.inputs, self.outputs)?)?;
        check_length("bias", bias, self.outputs)?;
        let samples = inputs / self.inputs;
        check_length("inputs", inputs, samples * self.inputs)?;
        Ok(samples)
    }

    pub(super) fn forward_unchecked<T: Real>(
        &self,
        weights: &[T],
        bias: &[T],
        inputs: &[T],
        outputs: &mut [T],
    ) {
        let biased = |unit: usize, sum: T| sum + bias.get(unit).copied().unwrap_or(T::ZERO);
        let Self { inputs: depth, outputs: units, activation } = *self;
        match activation {
            Activation::Linear => dots(depth, units, weights, inputs, outputs, biased),
            _ => {
                dots(depth, units, weights, inputs, outputs, |unit, sum| activation.value(biased(unit, sum)))
            }
        }
    }

    pub(super) fn backward_parameters_unchecked<T: Real>(
        &self,
        inputs: &[T],
        delta: &[T],
        weight_gradient: &mut [T],
        bias_gradient: &mut [T],
    ) {
        // ∂Wᵀ = X Δᵀ, inputs×outputs: entry (sample, unit) of Δᵀ stands at sample·outputs + unit.
        let transposed = Strided { entries: delta, along: self.outputs, across: 1 };
        columns(self.inputs, inputs, transposed, weight_gradient, |_, sum| sum);
        bias_gradient.fill(T::NEGATIVE_ZERO);
        if self.outputs != 0 {
            for delta in delta.chunks_exact(self.outputs) {
                for (sum, &delta) in bias_gradient.iter_mut().zip(delta) {
                    *sum += delta;
                }
            }
        }
    }

    pub(super) fn backward_inputs_unchecked<T: Real>(
        &self,
        weights: &[T],
        delta: &[T],
        before: Activation,
        inputs: &mut [T],
    ) {
        let delta = Strided { entries: delta, along: 1, across: self.outputs };
        match before {
            Activation::Linear => columns(self.inputs, weights, delta, inputs, |_, sum| sum),
            _ => columns(self.inputs, weights, delta, inputs, |input, sum| sum * before.derivative(input)),
        }
    }
}

/// A product of sizes that must fit.
pub(super) fn product(rows: usize, columns: usize) -> Result<usize, Error> {
    rows.checked_mul(columns)
        .ok_or(Error::Setting { name: "shape", expected: "a size that fits the address space" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: Dense = Dense { inputs: 2, outputs: 3, activation: Activation::Linear };
    /// Rows are units: (1, 2), (3, 4), (5, 6).
    const WEIGHTS: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

    #[test]
    fn forward_and_backward_by_hand() {
        let mut outputs = [0.0; 3];
        LAYER.forward(&WEIGHTS, &[0.5, 0.0, -0.5], &[10.0, 1.0], &mut outputs).unwrap();
        assert_eq!(outputs, [12.5, 34.0, 55.5]);
        let (mut weight_gradient, mut bias_gradient) = ([0.0; 6], [0.0; 3]);
        LAYER
            .backward_parameters(&[10.0, 1.0], &[1.0, 0.0, -2.0], &mut weight_gradient, &mut bias_gradient)
            .unwrap();
        assert_eq!(weight_gradient, [10.0, 1.0, 0.0, 0.0, -20.0, -2.0]);
        assert_eq!(bias_gradient, [1.0, 0.0, -2.0]);
        let mut inputs = [f64::NAN; 2];
        LAYER.backward_inputs(&WEIGHTS, &[1.0, 0.0, -2.0], Activation::Linear, &mut inputs).unwrap();
        assert_eq!(inputs, [-9.0, -10.0]);
        let mut inputs = [0.0, 4.0];
        LAYER.backward_inputs(&WEIGHTS, &[1.0, 0.0, -2.0], Activation::Relu, &mut inputs).unwrap();
        assert_eq!(inputs, [0.0, -10.0]);
    }

    #[test]
    fn misuse_is_refused() {
        let mut outputs = [0.0; 3];
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(LAYER.forward(&WEIGHTS, &[0.0; 2], &[0.0; 2], &mut outputs), dimension("bias", 3, 2));
        assert_eq!(LAYER.forward(&WEIGHTS, &[0.0; 3], &[0.0; 3], &mut outputs), dimension("inputs", 2, 3));
        assert_eq!(LAYER.forward(&WEIGHTS, &[0.0; 3], &[0.0; 4], &mut outputs), dimension("outputs", 6, 3));
        assert_eq!(
            LAYER.backward_inputs(&WEIGHTS, &[0.0; 3], Activation::Relu, &mut [f64::NAN, 0.0]),
            Err(Error::NonFinite { what: "inputs", index: 0 })
        );
        let empty = Dense { inputs: 0, ..LAYER };
        assert!(matches!(empty.forward(&[0.0; 0], &[0.0; 3], &[], &mut outputs), Err(Error::Setting { .. })));
    }
}
