use super::dense::product;
use crate::blas::{axpy_unchecked, dot_unchecked, sum};
use crate::{Error, Real, check_finite, check_length};

/// A linear map of the channels, the same in every cell (a convolution with windows of one cell):
/// aₒ(x) = bₒ + Σᵢ wₒᵢ sᵢ(x).
///
/// Shapes: with n cells, inputs s are n×inputs and outputs n×outputs, channel after channel; W is
/// outputs×inputs, row-major; b has one entry an output. Guarantees: an output starts from its bias and takes
/// input after input. Source: M. Lin, Q. Chen, S. Yan, Network in Network, 2014, section 3.2.
///
/// ```
/// use quern_kernels::nn::Pointwise;
/// let layer = Pointwise { inputs: 2, outputs: 1, cells: 2 };
/// let mut outputs = [0.0; 2];
/// layer.forward(&[1.0, -1.0], &[0.5], &[3.0, 4.0, 1.0, 2.0], &mut outputs)?;
/// assert_eq!(outputs, [2.5, 2.5]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pointwise {
    /// Channels it reads.
    pub inputs: usize,
    /// Channels it writes.
    pub outputs: usize,
    /// Cells of every channel.
    pub cells: usize,
}

impl Pointwise {
    /// A ← b + W S.
    ///
    /// Cost: 2·inputs·outputs flops a cell, no lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::Setting`] for sizes beyond the address space; [`Error::NonFinite`] if
    /// an argument is not finite, or A overflows.
    pub fn forward<T: Real>(
        &self,
        weights: &[T],
        bias: &[T],
        inputs: &[T],
        outputs: &mut [T],
    ) -> Result<(), Error> {
        self.check(weights.len(), bias.len())?;
        check_length("inputs", inputs.len(), product(self.inputs, self.cells)?)?;
        check_length("outputs", outputs.len(), product(self.outputs, self.cells)?)?;
        check_finite("weights", weights)?;
        check_finite("bias", bias)?;
        check_finite("inputs", inputs)?;
        self.forward_unchecked(weights, bias, inputs, outputs);
        check_finite("outputs", outputs)
    }

    /// The gradient with respect to W and b, from that with respect to the outputs:
    /// ∂wₒᵢ ← Σₓ δₒ(x) sᵢ(x), ∂bₒ ← Σₓ δₒ(x).
    ///
    /// Guarantees: summed as by [`blas::dot`](crate::blas::dot). Cost: 2·inputs·outputs flops a cell, no lent
    /// memory.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn backward_parameters<T: Real>(
        &self,
        inputs: &[T],
        delta: &[T],
        weight_gradient: &mut [T],
        bias_gradient: &mut [T],
    ) -> Result<(), Error> {
        self.check(weight_gradient.len(), bias_gradient.len())?;
        check_length("inputs", inputs.len(), product(self.inputs, self.cells)?)?;
        check_length("delta", delta.len(), product(self.outputs, self.cells)?)?;
        check_finite("inputs", inputs)?;
        check_finite("delta", delta)?;
        self.backward_parameters_unchecked(inputs, delta, weight_gradient, bias_gradient);
        check_finite("weight gradient", weight_gradient)?;
        check_finite("bias gradient", bias_gradient)
    }

    /// The gradient with respect to the inputs: γᵢ(x) ← Σₒ wₒᵢ δₒ(x).
    ///
    /// Guarantees: sums run over the outputs in order. Cost: 2·inputs·outputs flops a cell, no lent memory.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn backward_inputs<T: Real>(
        &self,
        weights: &[T],
        delta: &[T],
        input_gradient: &mut [T],
    ) -> Result<(), Error> {
        self.check(weights.len(), self.outputs)?;
        check_length("input gradient", input_gradient.len(), product(self.inputs, self.cells)?)?;
        check_length("delta", delta.len(), product(self.outputs, self.cells)?)?;
        check_finite("weights", weights)?;
        check_finite("delta", delta)?;
        self.backward_inputs_unchecked(weights, delta, input_gradient);
        check_finite("input gradient", input_gradient)
    }

    fn check(&self, weights: usize, bias: usize) -> Result<(), Error> {
        check_length("weights", weights, product(self.inputs, self.outputs)?)?;
        check_length("bias", bias, self.outputs)
    }

    pub(super) fn forward_unchecked<T: Real>(
        &self,
        weights: &[T],
        bias: &[T],
        inputs: &[T],
        outputs: &mut [T],
    ) {
        let cells = self.cells.max(1);
        for (output, channel) in outputs.chunks_exact_mut(cells).enumerate() {
            channel.fill(bias.get(output).copied().unwrap_or(T::ZERO));
            for (&weight, source) in self.row(weights, output).iter().zip(inputs.chunks_exact(cells)) {
                axpy_unchecked(weight, source, channel);
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
        weight_gradient.fill(T::ZERO);
        bias_gradient.fill(T::ZERO);
        let cells = self.cells.max(1);
        let rows = weight_gradient.chunks_exact_mut(self.inputs.max(1));
        for (delta, gradients) in delta.chunks_exact(cells).zip(rows) {
            for (gradient, source) in gradients.iter_mut().zip(inputs.chunks_exact(cells)) {
                *gradient = dot_unchecked(delta, source);
            }
        }
        for (delta, gradient) in delta.chunks_exact(cells).zip(bias_gradient) {
            *gradient = sum(delta);
        }
    }

    pub(super) fn backward_inputs_unchecked<T: Real>(
        &self,
        weights: &[T],
        delta: &[T],
        input_gradient: &mut [T],
    ) {
        let cells = self.cells.max(1);
        input_gradient.fill(T::NEGATIVE_ZERO);
        for (output, delta) in delta.chunks_exact(cells).enumerate() {
            let targets = input_gradient.chunks_exact_mut(cells);
            for (&weight, target) in self.row(weights, output).iter().zip(targets) {
                axpy_unchecked(weight, delta, target);
            }
        }
    }

    fn row<'a, T>(&self, weights: &'a [T], output: usize) -> &'a [T] {
        let first = output * self.inputs;
        weights.get(first..first + self.inputs).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward_and_backward_by_hand() {
        let layer = Pointwise { inputs: 2, outputs: 2, cells: 2 };
        let (weights, inputs) = ([1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 1.0, 2.0_f64]);
        let mut outputs = [0.0; 4];
        layer.forward(&weights, &[0.5, -0.5], &inputs, &mut outputs).unwrap();
        assert_eq!(outputs, [12.5, 24.5, 33.5, 67.5]);
        let delta = [1.0, 0.0, 0.0, 2.0];
        let (mut weight_gradient, mut bias_gradient, mut input_gradient) = ([0.0; 4], [0.0; 2], [0.0; 4]);
        layer.backward_parameters(&inputs, &delta, &mut weight_gradient, &mut bias_gradient).unwrap();
        assert_eq!((weight_gradient, bias_gradient), ([10.0, 1.0, 40.0, 4.0], [1.0, 2.0]));
        layer.backward_inputs(&weights, &delta, &mut input_gradient).unwrap();
        assert_eq!(input_gradient, [1.0, 6.0, 2.0, 8.0]);
    }

    #[test]
    fn misuse_is_refused() {
        let layer = Pointwise { inputs: 2, outputs: 1, cells: 2 };
        let mut outputs = [0.0; 2];
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(layer.forward(&[0.0; 3], &[0.0], &[0.0; 4], &mut outputs), dimension("weights", 2, 3));
        assert_eq!(layer.forward(&[0.0; 2], &[0.0], &[0.0; 3], &mut outputs), dimension("inputs", 4, 3));
        assert_eq!(
            layer.backward_inputs(&[0.0; 2], &[0.0; 2], &mut [0.0]),
            dimension("input gradient", 4, 1)
        );
        let nan = [0.0, f64::NAN, 0.0, 0.0];
        assert!(matches!(
            layer.forward(&[0.0; 2], &[0.0], &nan, &mut outputs),
            Err(Error::NonFinite { what: "inputs", index: 1 })
        ));
        let endless = Pointwise { inputs: usize::MAX, outputs: 2, cells: 2 };
        assert!(matches!(
            endless.forward(&[0.0], &[0.0; 2], &[0.0], &mut outputs),
            Err(Error::Setting { .. })
        ));
    }
}
