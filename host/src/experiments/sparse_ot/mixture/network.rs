//! A small mixture of experts for images, forward and backward.
//!
//! An image is 16 tokens x = W·(2×2 pixels) + b + position; a token becomes x + Σₑ gₑ(x)·fₑ(x) over the experts that the
//! router gives it to, g = softmax of linear logits, f a layer of rectified units and a linear one; the mean over the
//! tokens goes to a linear classifier.

use quern_kernels::nn::{Activation, Dense};
use quern_kernels::random::{Key, fill_normal};
use quern_kernels::{Error, blas, loss};

use super::super::routers::{Dispatch, Gates};
use crate::experiments::digits::PIXELS;

pub(super) const EXPERTS: usize = 8;
/// Of an image.
pub(super) const TOKENS: usize = PIXELS / PATCH.inputs;
const WIDTH: usize = 16;
const SIDE: usize = 8;

const PATCH: Dense = Dense { inputs: 4, outputs: WIDTH, activation: Activation::Linear };
const GATE: Dense = Dense { inputs: WIDTH, outputs: EXPERTS, activation: Activation::Linear };
const HIDDEN: Dense = Dense { inputs: WIDTH, outputs: 32, activation: Activation::Relu };
const OUTPUT: Dense = Dense { inputs: 32, outputs: WIDTH, activation: Activation::Linear };
const HEAD: Dense = Dense { inputs: WIDTH, outputs: 10, activation: Activation::Linear };

/// A layer's parameters, or their gradient.
struct Layer<S> {
    weights: S,
    bias: S,
}

impl<S> Layer<S> {
    /// Weights of variance gain/inputs at the start; biases zero.
    fn cut(take: &mut impl FnMut(usize, f64) -> S, layer: Dense, gain: f64) -> Self {
        let deviation = (gain / layer.inputs as f64).sqrt();
        Self { weights: take(layer.inputs * layer.outputs, deviation), bias: take(layer.outputs, 0.0) }
    }
}

/// All parameters.
struct Parts<S> {
    patch: Layer<S>,
    /// A column a token of an image.
    positions: S,
    gate: Layer<S>,
    experts: [[Layer<S>; 2]; EXPERTS],
    head: Layer<S>,
}

impl<S> Parts<S> {
    /// In order, from a rule that takes so many parameters with this standard deviation at the start.
    fn cut(mut take: impl FnMut(usize, f64) -> S) -> Self {
        let take = &mut take;
        Self {
            patch: Layer::cut(take, PATCH, 1.0),
            positions: take(WIDTH * TOKENS, 0.1),
            gate: Layer::cut(take, GATE, 1.0),
            experts: std::array::from_fn(|_| [Layer::cut(take, HIDDEN, 2.0), Layer::cut(take, OUTPUT, 1.0)]),
            head: Layer::cut(take, HEAD, 1.0),
        }
    }
}

impl<'a> Parts<&'a [f64]> {
    fn of(mut parameters: &'a [f64]) -> Self {
        Self::cut(|length, _| parameters.split_off(..length).expect("all parameters"))
    }
}

impl<'a> Parts<&'a mut [f64]> {
    fn of_mut(mut parameters: &'a mut [f64]) -> Self {
        Self::cut(|length, _| parameters.split_off_mut(..length).expect("all parameters"))
    }
}

/// Where training starts.
pub(super) fn initial(key: Key) -> Vec<f64> {
    let mut parameters = Vec::new();
    Parts::cut(|length, deviation| {
        let start = parameters.len();
        parameters.resize(start + length, 0.0);
        fill_normal(key, start as u64, &mut parameters[start..]);
        blas::scale(deviation, &mut parameters[start..]);
    });
    parameters
}

/// The pixels of the tokens of images, token after token.
fn patches(pixels: &[f64]) -> Vec<f64> {
    let mut patches = Vec::with_capacity(pixels.len());
    for image in pixels.chunks_exact(PIXELS) {
        for rows in image.chunks_exact(2 * SIDE) {
            let (above, below) = rows.split_at(SIDE);
            for (above, below) in above.chunks_exact(2).zip(below.chunks_exact(2)) {
                patches.extend_from_slice(above);
                patches.extend_from_slice(below);
            }
        }
    }
    patches
}

/// What an expert makes of its tokens: a column each.
struct Work {
    inputs: Vec<f64>,
    hidden: Vec<f64>,
    outputs: Vec<f64>,
}

/// A group of images on its way through the network.
pub(super) struct Pass {
    patches: Vec<f64>,
    embedded: Vec<f64>,
    pub(super) gates: Gates,
    pub(super) dispatch: Dispatch,
    work: Vec<Work>,
    means: Vec<f64>,
    pub(super) logits: Vec<f64>,
}

impl Pass {
    /// Classifies images by a routing of their tokens.
    pub(super) fn forward(
        parameters: &[f64],
        pixels: &[f64],
        route: impl FnOnce(&Gates) -> Result<Dispatch, Error>,
    ) -> Result<Self, Error> {
        let parts = Parts::of(parameters);
        let patches = patches(pixels);
        let tokens = patches.len() / PATCH.inputs;
        let mut embedded = vec![0.0; WIDTH * tokens];
        PATCH.forward(parts.patch.weights, parts.patch.bias, &patches, &mut embedded)?;
        for image in embedded.chunks_exact_mut(WIDTH * TOKENS) {
            blas::axpy(1.0, parts.positions, image)?;
        }
        let mut logits = vec![0.0; EXPERTS * tokens];
        GATE.forward(parts.gate.weights, parts.gate.bias, &embedded, &mut logits)?;
        let gates = Gates::softmax(EXPERTS, &logits);
        let dispatch = route(&gates)?;

        let mut combined = embedded.clone();
        let mut work = Vec::with_capacity(EXPERTS);
        for (e, ([hidden, output], chosen)) in parts.experts.iter().zip(&dispatch).enumerate() {
            let inputs: Vec<f64> = chosen.iter().flat_map(|&i| column(&embedded, i)).copied().collect();
            let mut units = vec![0.0; HIDDEN.outputs * chosen.len()];
            HIDDEN.forward(hidden.weights, hidden.bias, &inputs, &mut units)?;
            let mut outputs = vec![0.0; WIDTH * chosen.len()];
            OUTPUT.forward(output.weights, output.bias, &units, &mut outputs)?;
            for (place, &i) in chosen.iter().enumerate() {
                blas::axpy(gates.at(i, e), column(&outputs, place), column_mut(&mut combined, i))?;
            }
            work.push(Work { inputs, hidden: units, outputs });
        }

        let mut means = vec![0.0; WIDTH * tokens / TOKENS];
        for (i, token) in combined.chunks_exact(WIDTH).enumerate() {
            blas::axpy(1.0 / TOKENS as f64, token, column_mut(&mut means, i / TOKENS))?;
        }
        let mut logits = vec![0.0; means.len() / WIDTH * HEAD.outputs];
        HEAD.forward(parts.head.weights, parts.head.bias, &means, &mut logits)?;
        Ok(Self { patches, embedded, gates, dispatch, work, means, logits })
    }

    /// The mean cross-entropy, and its gradient by the parameters of the pass; the routing counts as constant.
    pub(super) fn backward(
        mut self,
        parameters: &[f64],
        labels: &[u32],
        gradient: &mut [f64],
    ) -> Result<f64, Error> {
        let parts = Parts::of(parameters);
        let by = Parts::of_mut(gradient);
        let loss = loss::cross_entropy_gradient(&mut self.logits, labels)?;
        HEAD.backward_parameters(&self.means, &self.logits, by.head.weights, by.head.bias)?;
        let mut by_means = self.means;
        HEAD.backward_inputs(parts.head.weights, &self.logits, Activation::Linear, &mut by_means)?;
        blas::scale(1.0 / TOKENS as f64, &mut by_means);

        // By what the tokens become, the same for all of an image; first it passes by the experts.
        let tokens = self.gates.tokens();
        let by_token = |i: usize| column(&by_means, i / TOKENS);
        let mut by_embedded: Vec<f64> = (0..tokens).flat_map(by_token).copied().collect();
        let mut by_gates = vec![0.0; EXPERTS * tokens];
        let experts = parts.experts.iter().zip(by.experts).zip(&mut self.work).zip(&self.dispatch);
        for (e, ((([hidden, output], [by_hidden, by_output]), work), chosen)) in experts.enumerate() {
            for (outputs, &i) in work.outputs.chunks_exact_mut(WIDTH).zip(chosen) {
                by_gates[i * EXPERTS + e] = blas::dot(outputs, by_token(i))?;
                blas::copy(by_token(i), outputs)?;
                blas::scale(self.gates.at(i, e), outputs);
            }
            let Work { inputs, hidden: units, outputs: delta } = work;
            OUTPUT.backward_parameters(units, delta, by_output.weights, by_output.bias)?;
            OUTPUT.backward_inputs(output.weights, delta, HIDDEN.activation, units)?;
            HIDDEN.backward_parameters(inputs, units, by_hidden.weights, by_hidden.bias)?;
            HIDDEN.backward_inputs(hidden.weights, units, Activation::Linear, inputs)?;
            for (inputs, &i) in inputs.chunks_exact(WIDTH).zip(chosen) {
                blas::axpy(1.0, inputs, column_mut(&mut by_embedded, i))?;
            }
        }

        // Through the softmax: gₑ(∂gₑ − Σ g∂g).
        for (i, by_gates) in by_gates.chunks_exact_mut(EXPERTS).enumerate() {
            let gate = |e| self.gates.at(i, e);
            let mean: f64 = by_gates.iter().enumerate().map(|(e, by)| gate(e) * by).sum();
            by_gates.iter_mut().enumerate().for_each(|(e, by)| *by = gate(e) * (*by - mean));
        }
        GATE.backward_parameters(&self.embedded, &by_gates, by.gate.weights, by.gate.bias)?;
        let mut through_gates = self.embedded;
        GATE.backward_inputs(parts.gate.weights, &by_gates, Activation::Linear, &mut through_gates)?;
        blas::axpy(1.0, &through_gates, &mut by_embedded)?;

        by.positions.fill(0.0);
        for image in by_embedded.chunks_exact(WIDTH * TOKENS) {
            blas::axpy(1.0, image, by.positions)?;
        }
        PATCH.backward_parameters(&self.patches, &by_embedded, by.patch.weights, by.patch.bias)?;
        Ok(loss)
    }
}

/// A token's entries.
fn column(entries: &[f64], token: usize) -> &[f64] {
    &entries[token * WIDTH..][..WIDTH]
}

fn column_mut(entries: &mut [f64], token: usize) -> &mut [f64] {
    &mut entries[token * WIDTH..][..WIDTH]
}

#[cfg(test)]
mod tests {
    use super::super::super::routers::Router;
    use super::*;
    use quern_kernels::ad::check_gradient;

    #[test]
    fn patches_are_squares_of_two_by_two() {
        let pixels: Vec<f64> = (0..2 * PIXELS).map(|place| place as f64).collect();
        let patches = patches(&pixels);
        assert_eq!(patches[..8], [0.0, 1.0, 8.0, 9.0, 2.0, 3.0, 10.0, 11.0]);
        assert_eq!(patches[4 * 31..], [118.0, 119.0, 126.0, 127.0]);
    }

    #[test]
    fn mixture_gradient_is_that_of_finite_differences() {
        let pixels: Vec<f64> = (0..2 * PIXELS).map(|place| (place * 37 % 17) as f64 / 16.0).collect();
        let parameters = initial(Key::from_seed(3));
        let labels = [3, 7];
        for router in [Router::Sparse, Router::TokenChoice] {
            let pass = Pass::forward(&parameters, &pixels, |gates| router.route(gates, 4)).unwrap();
            let dispatch = pass.dispatch.clone();
            let mut gradient = vec![f64::NAN; parameters.len()];
            let value = pass.backward(&parameters, &labels, &mut gradient).unwrap();
            // The routing stays, as the gradient has it.
            let function = |parameters: &[f64]| {
                let pass = Pass::forward(parameters, &pixels, |_| Ok(dispatch.clone()))?;
                loss::cross_entropy(&pass.logits, &labels)
            };
            assert_eq!(function(&parameters), Ok(value));
            let mut scratch = vec![0.0; parameters.len()];
            let off = check_gradient(function, &parameters, &gradient, &mut scratch).unwrap();
            // With h = 2e-5: truncation h²/6 of a third derivative, rounding ε/h = 1e-11 of the loss, over a gradient of
            // size 0.1.
            assert!(off <= 1e-8, "{router:?}: {off}");
        }
    }
}
