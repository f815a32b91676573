use super::dense::product;
use super::{Activation, Dense};
use crate::{Error, Real, check_finite, check_length};

/// A multi-layer perceptron: dense layers with one activation between them and a linear last layer.
///
/// With widths d₀, d₁, ..., d_L it maps x = a₀ through a_l = φ(W_l a_{l−1} + b_l), the last without φ.
///
/// Shapes: all parameters lie in one slice, first every weight matrix (W_l is d_l×d_{l−1}, row-major), then
/// every bias, in the order of the layers. Inputs are d₀×samples, column-major: a sample is a contiguous
/// column. The activations are a₁, ..., a_L, one after the other, a_l being d_l×samples.
///
/// Source: D. E. Rumelhart, G. E. Hinton, R. J. Williams, Learning representations by back-propagating
/// errors, 1986. Departure: the backward pass overwrites the activations by the deltas, so it needs no memory
/// of its own.
///
/// ```
/// use quern_kernels::nn::{Activation, Mlp};
/// let net = Mlp::new(&[2, 2, 1], Activation::Relu)?;
/// assert_eq!((net.weights(), net.parameters(), net.activations(1)?), (6, 9, 3));
/// // Two hidden units whose outputs are added: |x₁ − x₂|.
/// let parameters = [1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
/// let mut activations = [0.0; 3];
/// net.forward(&parameters, &[3.0, 5.0], &mut activations)?;
/// assert_eq!(net.outputs(&activations, 1), &[2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Mlp<'a> {
    widths: &'a [usize],
    hidden: Activation,
    weights: usize,
    biases: usize,
}

impl<'a> Mlp<'a> {
    /// A network of these widths, inputs first, with this activation between its layers.
    ///
    /// Cost: O(L).
    ///
    /// # Errors
    /// [`Error::Setting`] unless there are at least two widths, none is zero, and the sizes fit the address
    /// space.
    pub fn new(widths: &'a [usize], hidden: Activation) -> Result<Self, Error> {
        const TOO_LARGE: Error =
            Error::Setting { name: "widths", expected: "sizes that fit the address space" };
        if widths.len() < 2 || widths.contains(&0) {
            return Err(Error::Setting { name: "widths", expected: "at least two, none of them zero" });
        }
        let (mut weights, mut biases) = (0_usize, 0_usize);
        for (&inputs, &outputs) in widths.iter().zip(widths.iter().skip(1)) {
            weights =
                product(inputs, outputs).ok().and_then(|size| weights.checked_add(size)).ok_or(TOO_LARGE)?;
            biases = biases.checked_add(outputs).ok_or(TOO_LARGE)?;
        }
        weights.checked_add(biases).ok_or(TOO_LARGE)?;
        Ok(Self { widths, hidden, weights, biases })
    }

    /// Σ d_l d_{l−1}: the weights, which come first among the parameters.
    pub fn weights(&self) -> usize {
        self.weights
    }

    /// Σ d_l (d_{l−1} + 1): weights and biases.
    pub fn parameters(&self) -> usize {
        self.weights.saturating_add(self.biases)
    }

    /// Scalars that [`forward`](Self::forward) needs for its activations: samples · Σ d_l.
    ///
    /// # Errors
    /// [`Error::Setting`] if they do not fit the address space.
    pub fn activations(&self, samples: usize) -> Result<usize, Error> {
        product(self.biases, samples)
    }

    /// d₀, the length of a sample.
    pub fn inputs(&self) -> usize {
        self.widths.first().copied().unwrap_or(0)
    }

    /// a_L, the last d_L·samples of the activations; empty if there are fewer.
    pub fn outputs<'b, T>(&self, activations: &'b [T], samples: usize) -> &'b [T] {
        let start = self.output_start(activations.len(), samples);
        activations.get(start..).unwrap_or_default()
    }

    /// [`outputs`](Self::outputs), to be replaced by the gradient of a loss.
    pub fn outputs_mut<'b, T>(&self, activations: &'b mut [T], samples: usize) -> &'b mut [T] {
        let start = self.output_start(activations.len(), samples);
        activations.get_mut(start..).unwrap_or_default()
    }

    fn output_start(&self, activations: usize, samples: usize) -> usize {
        let outputs = self.widths.last().copied().unwrap_or(0).saturating_mul(samples);
        activations.checked_sub(outputs).unwrap_or(activations)
    }

    /// Evaluates the network: fills the activations; the last of them are the outputs.
    ///
    /// Shapes: the number of samples is that of the inputs; the activations have
    /// [`activations`](Self::activations)`(samples)` entries. Guarantees: as [`Dense::forward`]. Cost:
    /// 2·[`weights`](Self::weights) flops a sample, no lent memory but the activations.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if an argument is not finite, or the outputs overflow.
    pub fn forward<T: Real>(
        &self,
        parameters: &[T],
        inputs: &[T],
        activations: &mut [T],
    ) -> Result<(), Error> {
        let samples = self.check(parameters.len(), inputs.len(), activations.len())?;
        check_finite("parameters", parameters)?;
        check_finite("inputs", inputs)?;
        let Some((mut weights, mut biases)) = parameters.split_at_checked(self.weights) else {
            return Ok(());
        };
        let (mut source, mut free) = (inputs, &mut *activations);
        for layer in self.layers() {
            let (Some((weight, more_weights)), Some((bias, more_biases)), Some((target, more_free))) = (
                weights.split_at_checked(layer.inputs * layer.outputs),
                biases.split_at_checked(layer.outputs),
                core::mem::take(&mut free).split_at_mut_checked(layer.outputs * samples),
            ) else {
                break;
            };
            layer.forward_unchecked(weight, bias, source, target);
            (weights, biases, free, source) = (more_weights, more_biases, more_free, target);
        }
        check_finite("outputs", self.outputs(activations, samples))
    }

    /// The gradient of a loss with respect to the parameters, from its gradient with respect to the outputs.
    ///
    /// Shapes: the activations are those of [`forward`](Self::forward) for the same parameters and inputs,
    /// but [`outputs_mut`](Self::outputs_mut) holds ∂loss/∂a_L; the gradient lies as the parameters do.
    /// Guarantees: sums run over samples and units in order. The activations are overwritten by the deltas.
    /// Cost: 4·[`weights`](Self::weights) − 2·d₀·d₁ flops a sample, no lent memory.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if an argument is not finite, or the gradient overflows.
    pub fn backward<T: Real>(
        &self,
        parameters: &[T],
        inputs: &[T],
        activations: &mut [T],
        gradient: &mut [T],
    ) -> Result<(), Error> {
        let samples = self.check(parameters.len(), inputs.len(), activations.len())?;
        check_length("gradient", gradient.len(), self.parameters())?;
        check_finite("parameters", parameters)?;
        check_finite("inputs", inputs)?;
        check_finite("activations", activations)?;
        let Some((mut weights, _)) = parameters.split_at_checked(self.weights) else { return Ok(()) };
        let Some((mut weight_gradients, mut bias_gradients)) = gradient.split_at_mut_checked(self.weights)
        else {
            return Ok(());
        };
        let mut open = activations;
        for (index, layer) in self.layers().enumerate().rev() {
            let (Some((fewer_weights, weight)), Some((before, delta))) = (
                split_end(weights, layer.inputs * layer.outputs),
                split_end_mut(core::mem::take(&mut open), layer.outputs * samples),
            ) else {
                break;
            };
            let (
                Some((fewer_weight_gradients, weight_gradient)),
                Some((fewer_bias_gradients, bias_gradient)),
            ) = (
                split_end_mut(core::mem::take(&mut weight_gradients), layer.inputs * layer.outputs),
                split_end_mut(core::mem::take(&mut bias_gradients), layer.outputs),
            )
            else {
                break;
            };
            if index == 0 {
                layer.backward_parameters_unchecked(inputs, delta, weight_gradient, bias_gradient);
            } else if let Some((_, source)) = split_end_mut(before, layer.inputs * samples) {
                layer.backward_parameters_unchecked(source, delta, weight_gradient, bias_gradient);
                layer.backward_inputs_unchecked(weight, delta, self.hidden, source);
            }
            (weights, open) = (fewer_weights, before);
            (weight_gradients, bias_gradients) = (fewer_weight_gradients, fewer_bias_gradients);
        }
        check_finite("gradient", gradient)
    }

    /// The layers, first to last.
    fn layers(&self) -> impl DoubleEndedIterator<Item = Dense> + ExactSizeIterator + use<'a> {
        let Self { widths, hidden, .. } = *self;
        let inputs = widths.split_last().map_or(&[][..], |(_, inputs)| inputs);
        let outputs = widths.split_first().map_or(&[][..], |(_, outputs)| outputs);
        let last = outputs.len().saturating_sub(1);
        inputs.iter().zip(outputs).enumerate().map(move |(index, (&inputs, &outputs))| {
            let activation = if index == last { Activation::Linear } else { hidden };
            Dense { inputs, outputs, activation }
        })
    }

    /// Compares lengths with the shape; the number of samples.
    fn check(&self, parameters: usize, inputs: usize, activations: usize) -> Result<usize, Error> {
        check_length("parameters", parameters, self.parameters())?;
        let samples = inputs / self.inputs().max(1);
        check_length("inputs", inputs, samples.saturating_mul(self.inputs()))?;
        check_length("activations", activations, self.activations(samples)?)?;
        Ok(samples)
    }
}

/// All but the last `length` entries, and those.
fn split_end<T>(entries: &[T], length: usize) -> Option<(&[T], &[T])> {
    entries.split_at_checked(entries.len().checked_sub(length)?)
}

/// [`split_end`] of entries that are to change.
fn split_end_mut<T>(entries: &mut [T], length: usize) -> Option<(&mut [T], &mut [T])> {
    entries.split_at_mut_checked(entries.len().checked_sub(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ad::check_gradient;
    use std::vec;
    use std::vec::Vec;

    /// Fixed numbers of mixed sign.
    fn ramp(length: usize, step: usize) -> Vec<f64> {
        (0..length).map(|i| ((i * step + 11) % 64) as f64 / 40.0 - 0.79).collect()
    }

    /// Half the squared norm of the outputs weighted by a fixed vector: a loss whose output gradient is
    /// known.
    fn loss(net: &Mlp<'_>, parameters: &[f64], inputs: &[f64], samples: usize) -> f64 {
        let mut activations = vec![0.0; net.activations(samples).unwrap()];
        net.forward(parameters, inputs, &mut activations).unwrap();
        net.outputs(&activations, samples).iter().map(|output| output * output / 2.0).sum()
    }

    #[test]
    fn gradient_is_that_of_finite_differences() {
        // Widths on both sides of a tile of eight rows and of a block of four samples.
        for (widths, samples) in [(&[3, 9, 2][..], 5), (&[8, 16, 8, 1], 4), (&[1, 1], 1), (&[17, 5], 9)] {
            for hidden in [Activation::Tanh, Activation::Linear, Activation::Relu] {
                let net = Mlp::new(widths, hidden).unwrap();
                let (parameters, inputs) = (ramp(net.parameters(), 37), ramp(widths[0] * samples, 29));
                let mut activations = vec![0.0; net.activations(samples).unwrap()];
                let mut gradient = vec![0.0; net.parameters()];
                net.forward(&parameters, &inputs, &mut activations).unwrap();
                // The gradient of the loss with respect to the outputs is the outputs.
                net.backward(&parameters, &inputs, &mut activations, &mut gradient).unwrap();
                let function = |parameters: &[f64]| Ok(loss(&net, parameters, &inputs, samples));
                let mut scratch = vec![0.0; net.parameters()];
                let off = check_gradient(function, &parameters, &gradient, &mut scratch).unwrap();
                // With h = 1e-5: truncation h²/6 of a third derivative, rounding ε/h = 2e-11 of the loss, both at
                // most some 1e2 times the gradient.
                assert!(off <= 1e-8, "{widths:?} {hidden:?}: {off}");
            }
        }
    }

    #[test]
    fn batches_give_the_bits_of_single_samples() {
        let net = Mlp::new(&[19, 13, 6], Activation::Relu).unwrap();
        let (parameters, inputs) = (ramp(net.parameters(), 37), ramp(19 * 7, 29));
        let mut together = vec![0.0; net.activations(7).unwrap()];
        net.forward(&parameters, &inputs, &mut together).unwrap();
        for (input, output) in inputs.chunks(19).zip(net.outputs(&together, 7).chunks(6)) {
            let mut alone = vec![0.0; net.activations(1).unwrap()];
            net.forward(&parameters, input, &mut alone).unwrap();
            assert_eq!(net.outputs(&alone, 1), output);
        }
    }

    #[test]
    fn misuse_is_refused() {
        assert!(matches!(Mlp::new(&[3], Activation::Relu), Err(Error::Setting { name: "widths", .. })));
        assert!(matches!(Mlp::new(&[3, 0, 1], Activation::Relu), Err(Error::Setting { .. })));
        assert!(matches!(Mlp::new(&[usize::MAX, 2], Activation::Relu), Err(Error::Setting { .. })));
        let net = Mlp::new(&[2, 2], Activation::Relu).unwrap();
        let mut activations = [0.0; 2];
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(net.forward(&[0.0; 5], &[0.0; 2], &mut activations), dimension("parameters", 6, 5));
        assert_eq!(net.forward(&[0.0; 6], &[0.0; 3], &mut activations), dimension("inputs", 2, 3));
        assert_eq!(net.forward(&[0.0; 6], &[0.0; 4], &mut activations), dimension("activations", 4, 2));
        let non_finite = |what, index| Err(Error::NonFinite { what, index });
        let nan = [0.0, 0.0, f64::NAN, 0.0, 0.0, 0.0];
        assert_eq!(net.forward(&nan, &[0.0; 2], &mut activations), non_finite("parameters", 2));
        assert_eq!(net.forward(&[0.0; 6], &[0.0, f64::INFINITY], &mut activations), non_finite("inputs", 1));
        assert_eq!(net.forward(&[1e300; 6], &[1e300; 2], &mut activations), non_finite("outputs", 0));
        let mut gradient = [0.0; 6];
        let mut nan = [f64::NAN, 0.0];
        assert_eq!(net.backward(&[0.0; 6], &[0.0; 2], &mut nan, &mut gradient), non_finite("activations", 0));
        assert_eq!(
            net.backward(&[0.0; 6], &[0.0; 2], &mut activations, &mut gradient[..5]),
            dimension("gradient", 6, 5)
        );
        // No samples: nothing to do, and the gradient of an empty sum is zero.
        assert_eq!(net.forward(&[1.0; 6], &[], &mut []), Ok(()));
        assert_eq!(net.backward(&[1.0; 6], &[], &mut [], &mut gradient), Ok(()));
        assert_eq!(gradient, [0.0; 6]);
    }
}
