use super::dense::product;
use super::tiles::{convolve, correlate, each_window};
use super::{Activation, Extent};
use crate::blas::sum;
use crate::{Error, Real, check_finite, check_length};

/// A convolution with windows of 3×3 or 3×3×3 cells, the rim padded with zeros:
/// aₒ(x) = φ(bₒ + Σᵢ Σₜ wₒᵢ(t) sᵢ(x + t)), t over the window around 0.
///
/// Shapes: with n cells, inputs s are n×inputs and outputs n×outputs, channel after channel. The weights of
/// each pair (o, i) are contiguous and lie like a window's cells, pairs with the input i fastest:
/// inputs·outputs·9 (or 27) in all; b has one entry an output.
///
/// Guarantees: an output starts from its bias, then takes input after input, each with its layers in depth,
/// and each of these with its nine products in order; what a window holds beyond the rim is a zero that takes
/// part. No matrix of windows is formed: rows of a tile are shifted and added. Source: Y. LeCun et al.,
/// Backpropagation Applied to Handwritten Zip Code Recognition, 1989.
///
/// ```
/// use quern_kernels::nn::{Activation, Convolution, Extent};
/// let extent = Extent::Plane([3, 1]);
/// let layer = Convolution { inputs: 1, outputs: 1, extent, activation: Activation::Linear };
/// // The middle row of the window: left neighbour minus right neighbour.
/// let weights = [0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0];
/// let mut outputs = [0.0; 3];
/// layer.forward(&weights, &[0.5], &[1.0, 2.0, 4.0], &mut outputs)?;
/// assert_eq!(outputs, [-1.5, -2.5, 2.5]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Convolution {
    /// Channels it reads.
    pub inputs: usize,
    /// Channels it writes.
    pub outputs: usize,
    /// The cells of every channel.
    pub extent: Extent,
    /// φ.
    pub activation: Activation,
}

impl Convolution {
    /// Number of weights: inputs·outputs·9, or 27 in three dimensions. Biases come on top, one an output.
    pub fn weights(&self) -> usize {
        self.inputs.saturating_mul(self.outputs).saturating_mul(self.extent.taps())
    }

    /// A ← φ(b + W ∗ S).
    ///
    /// Cost: 18·inputs·outputs flops a cell, 54 in three dimensions; no lent memory, 100 scalars of stack.
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
        check_length("inputs", inputs.len(), product(self.inputs, self.extent.cells())?)?;
        check_length("outputs", outputs.len(), product(self.outputs, self.extent.cells())?)?;
        check_finite("weights", weights)?;
        check_finite("bias", bias)?;
        check_finite("inputs", inputs)?;
        self.forward_unchecked(weights, bias, inputs, outputs);
        check_finite("outputs", outputs)
    }

    /// The gradient with respect to W and b, from that with respect to the weighted sums:
    /// ∂wₒᵢ(t) ← Σₓ δₒ(x) sᵢ(x + t), ∂bₒ ← Σₓ δₒ(x).
    ///
    /// Shapes: Δ = ∂loss/∂(b + W ∗ S) lies as the outputs do. Guarantees: a weight's sum is taken tile by
    /// tile of 8×8 cells; in a tile by columns, the eight sums of which are combined as by
    /// [`blas::dot`](crate::blas::dot). Cost: as [`forward`](Self::forward), and 164 scalars of stack.
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
        check_length("inputs", inputs.len(), product(self.inputs, self.extent.cells())?)?;
        check_length("delta", delta.len(), product(self.outputs, self.extent.cells())?)?;
        check_finite("inputs", inputs)?;
        check_finite("delta", delta)?;
        self.backward_parameters_unchecked(inputs, delta, weight_gradient, bias_gradient);
        check_finite("weight gradient", weight_gradient)?;
        check_finite("bias gradient", bias_gradient)
    }

    /// The gradient with respect to the inputs: γᵢ(x) ← Σₒ Σₜ wₒᵢ(t) δₒ(x − t).
    ///
    /// Shapes: Δ lies as the outputs do, Γ as the inputs. Guarantees: the convolution with the mirrored
    /// windows, in the order of [`forward`](Self::forward). Cost: as there.
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
        check_length("input gradient", input_gradient.len(), product(self.inputs, self.extent.cells())?)?;
        check_length("delta", delta.len(), product(self.outputs, self.extent.cells())?)?;
        check_finite("weights", weights)?;
        check_finite("delta", delta)?;
        self.backward_inputs_unchecked(weights, delta, input_gradient);
        check_finite("input gradient", input_gradient)
    }

    fn check(&self, weights: usize, bias: usize) -> Result<(), Error> {
        let taps = product(product(self.inputs, self.outputs)?, self.extent.taps())?;
        check_length("weights", weights, taps)?;
        check_length("bias", bias, self.outputs)
    }

    pub(super) fn forward_unchecked<T: Real>(
        &self,
        weights: &[T],
        bias: &[T],
        inputs: &[T],
        outputs: &mut [T],
    ) {
        let cells = self.extent.cells();
        if cells == 0 {
            return;
        }
        for (channel, &bias) in outputs.chunks_exact_mut(cells).zip(bias) {
            channel.fill(bias);
        }
        let Self { inputs: sources, extent, activation, .. } = *self;
        convolve(extent, inputs, outputs, |output, input, layer| {
            nine(weights, (output * sources + input) * extent.layers() + layer)
        });
        if activation != Activation::Linear {
            for output in outputs {
                *output = activation.value(*output);
            }
        }
    }

    pub(super) fn backward_inputs_unchecked<T: Real>(
        &self,
        weights: &[T],
        delta: &[T],
        input_gradient: &mut [T],
    ) {
        let Self { inputs: sources, extent, .. } = *self;
        input_gradient.fill(T::NEGATIVE_ZERO);
        convolve(extent, delta, input_gradient, |input, output, layer| {
            let mirrored = extent.layers().saturating_sub(layer + 1);
            let mut taps = nine(weights, (output * sources + input) * extent.layers() + mirrored);
            taps.reverse();
            taps
        });
    }

    pub(super) fn backward_parameters_unchecked<T: Real>(
        &self,
        inputs: &[T],
        delta: &[T],
        weight_gradient: &mut [T],
        bias_gradient: &mut [T],
    ) {
        weight_gradient.fill(T::NEGATIVE_ZERO);
        bias_gradient.fill(T::NEGATIVE_ZERO);
        let cells = self.extent.cells();
        if cells == 0 {
            return;
        }
        for (gradient, delta) in bias_gradient.iter_mut().zip(delta.chunks_exact(cells)) {
            *gradient = sum(delta);
        }
        let (nines, _) = weight_gradient.as_chunks_mut::<9>();
        let layers = self.extent.layers();
        each_window(self.extent, inputs, |tile, input, layer, window| {
            for (output, channel) in delta.chunks_exact(cells).enumerate() {
                let at = (output * self.inputs + input) * layers + layer;
                if let Some(gradient) = nines.get_mut(at) {
                    correlate(window, &tile.cut(channel), gradient);
                }
            }
        });
    }
}

/// The nine weights of a window's layer, by its number.
#[inline(always)]
fn nine<T: Real>(weights: &[T], number: usize) -> [T; 9] {
    let (nines, _) = weights.as_chunks::<9>();
    nines.get(number).copied().unwrap_or([T::ZERO; 9])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn ramp(length: usize, step: usize) -> Vec<f64> {
        (0..length).map(|i| ((i * step + 11) % 64) as f64 / 40.0 - 0.79).collect()
    }

    /// The neighbour of cell (x, y, z) that weight `tap` of a window belongs to, if it lies inside.
    fn neighbour(extent: Extent, cell: usize, tap: usize) -> Option<usize> {
        let [width, height, depth] = extent.sides();
        let (x, y, z) = (cell % width, cell / width % height, cell / width / height);
        let z_shift = if extent.layers() == 1 { 1 } else { tap / 9 };
        let inside =
            |at: usize, shift: usize, end: usize| (at + shift).checked_sub(1).filter(|&moved| moved < end);
        let (x, y) = (inside(x, tap % 3, width)?, inside(y, tap / 3 % 3, height)?);
        Some((inside(z, z_shift, depth)? * height + y) * width + x)
    }

    /// By the definition, with the terms the rim pads left out: adding the zero they stand for changes no
    /// sum.
    fn naive(layer: &Convolution, weights: &[f64], bias: &[f64], inputs: &[f64]) -> Vec<f64> {
        let (n, taps) = (layer.extent.cells(), layer.extent.taps());
        let mut outputs = Vec::new();
        for output in 0..layer.outputs {
            for cell in 0..n {
                let mut sum = bias[output];
                for input in 0..layer.inputs {
                    for tap in 0..taps {
                        if let Some(at) = neighbour(layer.extent, cell, tap) {
                            let weight = weights[(output * layer.inputs + input) * taps + tap];
                            sum += weight * inputs[input * n + at];
                        }
                    }
                }
                outputs.push(layer.activation.value(sum));
            }
        }
        outputs
    }

    fn layers() -> Vec<Convolution> {
        let planes = [[1, 1], [3, 5], [8, 8], [9, 17], [20, 2]].map(Extent::Plane);
        let boxes = [[1, 1, 1], [3, 4, 2], [9, 8, 3]].map(Extent::Volume);
        let extents = planes.into_iter().chain(boxes);
        let activation = Activation::Relu;
        extents.map(|extent| Convolution { inputs: 2, outputs: 3, extent, activation }).collect()
    }

    #[test]
    fn forward_has_the_bits_of_the_definition() {
        for layer in layers() {
            let (weights, bias) = (ramp(layer.weights(), 37), [0.3, -0.2, 0.1]);
            let inputs = ramp(2 * layer.extent.cells(), 29);
            let mut outputs = vec![f64::NAN; 3 * layer.extent.cells()];
            layer.forward(&weights, &bias, &inputs, &mut outputs).unwrap();
            assert_eq!(outputs, naive(&layer, &weights, &bias, &inputs), "{layer:?}");
        }
    }

    #[test]
    fn backward_is_the_adjoint() {
        // With a linear activation and no bias, ⟨δ, C(w) s⟩ = ⟨∂w, w⟩ = ⟨γ, s⟩.
        for layer in layers() {
            let layer = Convolution { activation: Activation::Linear, ..layer };
            let n = layer.extent.cells();
            let (weights, inputs, delta) = (ramp(layer.weights(), 37), ramp(2 * n, 29), ramp(3 * n, 23));
            let mut outputs = vec![0.0; 3 * n];
            layer.forward(&weights, &[0.0; 3], &inputs, &mut outputs).unwrap();
            let (mut weight_gradient, mut bias_gradient) = (vec![f64::NAN; layer.weights()], [f64::NAN; 3]);
            layer.backward_parameters(&inputs, &delta, &mut weight_gradient, &mut bias_gradient).unwrap();
            let mut input_gradient = vec![f64::NAN; 2 * n];
            layer.backward_inputs(&weights, &delta, &mut input_gradient).unwrap();
            let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            let value = dot(&outputs, &delta);
            // Sums of 6·27·n products below 1 in size at most.
            let allowed = (6 * 27 * n) as f64 * f64::EPSILON * 160.0;
            assert!((dot(&weight_gradient, &weights) - value).abs() <= allowed, "{layer:?}");
            assert!((dot(&input_gradient, &inputs) - value).abs() <= allowed, "{layer:?}");
            for (gradient, delta) in bias_gradient.iter().zip(delta.chunks(n)) {
                assert!((gradient - delta.iter().sum::<f64>()).abs() <= n as f64 * f64::EPSILON * n as f64);
            }
            // One weight at a time: its gradient is the definition's.
            for (at, gradient) in weight_gradient.iter().enumerate() {
                let (pair, tap) = (at / layer.extent.taps(), at % layer.extent.taps());
                let (output, input) = (pair / 2, pair % 2);
                let term = |cell| {
                    let source = neighbour(layer.extent, cell, tap)?;
                    Some(delta[output * n + cell] * inputs[input * n + source])
                };
                let expected: f64 = (0..n).filter_map(term).sum();
                assert!((gradient - expected).abs() <= n as f64 * f64::EPSILON * n as f64, "{layer:?} {at}");
            }
        }
    }

    #[test]
    fn misuse_is_refused() {
        let extent = Extent::Plane([2, 2]);
        let layer = Convolution { inputs: 1, outputs: 1, extent, activation: Activation::Linear };
        let mut outputs = [0.0; 4];
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(layer.forward(&[0.0; 8], &[0.0], &[0.0; 4], &mut outputs), dimension("weights", 9, 8));
        assert_eq!(layer.forward(&[0.0; 9], &[], &[0.0; 4], &mut outputs), dimension("bias", 1, 0));
        assert_eq!(layer.forward(&[0.0; 9], &[0.0], &[0.0; 3], &mut outputs), dimension("inputs", 4, 3));
        assert_eq!(layer.backward_inputs(&[0.0; 9], &[0.0; 5], &mut outputs), dimension("delta", 4, 5));
        let non_finite = |what, index| Err(Error::NonFinite { what, index });
        let nan = [0.0, f64::NAN, 0.0, 0.0];
        assert_eq!(layer.forward(&[0.0; 9], &[0.0], &nan, &mut outputs), non_finite("inputs", 1));
        assert_eq!(layer.forward(&[1e300; 9], &[0.0], &[1e300; 4], &mut outputs), non_finite("outputs", 0));
        let endless = Convolution { extent: Extent::Volume([usize::MAX; 3]), ..layer };
        assert!(endless.forward(&[0.0; 27], &[0.0], &[0.0; 4], &mut outputs).is_err());
        let none = Convolution { extent: Extent::Plane([0, 7]), ..layer };
        assert_eq!(none.forward(&[1.0; 9], &[1.0], &[], &mut []), Ok(()));
        assert_eq!(none.backward_parameters(&[], &[], &mut [1.0; 9], &mut [1.0]), Ok(()));
        let empty = Convolution { inputs: 0, outputs: 0, extent: Extent::Plane([usize::MAX, 1]), ..layer };
        assert_eq!(empty.forward::<f64>(&[], &[], &[], &mut []), Ok(()));
    }
}
