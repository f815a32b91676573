//! The layers in reverse.

use super::DirectionUnet;
use super::layers::{add, front};
use crate::nn::Convolution;
use crate::nn::pooling::{spread, sum_pool};
use crate::{Error, Real, check_finite, check_length};

impl DirectionUnet {
    /// The gradient of a loss with respect to the parameters, from that with respect to the direction.
    ///
    /// Shapes: the activations are those of [`forward`](Self::forward) for the same parameters and residual;
    /// the gradient lies as the parameters do; memory of [`backward_scalars`](Self::backward_scalars).
    /// Guarantees: the derivative of ReLU at 0 is 0. Cost: twice that of [`infer`](Self::infer), less the
    /// first layer's part for the residual.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if an argument is not finite, or the gradient overflows.
    pub fn backward<T: Real>(
        &self,
        parameters: &[T],
        residual: &[T],
        activations: &[T],
        direction_gradient: &[T],
        memory: &mut [T],
        gradient: &mut [T],
    ) -> Result<(), Error> {
        self.check(parameters, residual, direction_gradient.len())?;
        check_length("activations", activations.len(), self.activations)?;
        check_length("memory", memory.len(), self.backward_scalars())?;
        check_length("gradient", gradient.len(), self.parameters)?;
        check_finite("activations", activations)?;
        check_finite("direction gradient", direction_gradient)?;
        let (full, coarse) = (self.full(), self.coarse());
        let mut memory = memory;
        let [g, s, t] = [(); 3].map(|()| front(&mut memory, full));
        let mut kept = activations;
        let mut layers = Backward { net: self, parameters, gradient: &mut *gradient };
        let [deep, pooled, upper] = self.blocks;
        layers.last(last(kept, full), direction_gradient, g);
        for _ in 0..upper {
            back(&mut kept, full);
            let (m, q) = (back(&mut kept, full), back(&mut kept, full));
            gate(g, m, s);
            layers.fine(q, s, t);
            gate_in_place(t, q);
            layers.fine(last(kept, full), t, s);
            add(s, g);
        }
        back(&mut kept, full);
        {
            let mut memory = &mut *s;
            let [h, s, t] = [(); 3].map(|()| front(&mut memory, coarse));
            sum_pool(self.extent, g, T::ONE, h);
            for _ in 0..pooled {
                back(&mut kept, coarse);
                let (m, q) = (back(&mut kept, coarse), back(&mut kept, coarse));
                gate(h, m, s);
                layers.coarse(q, s, t);
                gate_in_place(t, q);
                layers.coarse(last(kept, coarse), t, s);
                add(s, h);
            }
            back(&mut kept, coarse);
            let scale: T = self.mean_scale();
            spread(self.extent, h, g, |skip, value| skip + scale * value);
        }
        // From here g belongs to b and s to a.
        s.fill(T::NEGATIVE_ZERO);
        for _ in 0..deep {
            let [b, a, m] = [(); 3].map(|()| back(&mut kept, full));
            gate_in_place(g, b);
            layers.fine(a, g, t);
            add(t, s);
            gate(s, m, t);
            layers.fine(last(kept, full), t, g);
        }
        let [b, a, first] = [(); 3].map(|()| back(&mut kept, full));
        gate_in_place(g, b);
        layers.fine(a, g, t);
        add(t, s);
        gate_in_place(s, a);
        layers.fine(first, s, t);
        layers.first(residual, t);
        check_finite("gradient", gradient)
    }
}

/// The layers in reverse: each takes its parameters, and the place of their gradient, from the back.
struct Backward<'a, T> {
    net: &'a DirectionUnet,
    parameters: &'a [T],
    gradient: &'a mut [T],
}

impl<T: Real> Backward<'_, T> {
    fn last(&mut self, input: &[T], delta: &[T], input_gradient: &mut [T]) {
        let layer = self.net.last();
        let (weights, weight_gradient, bias_gradient) = self.take(self.net.channels, 1);
        layer.backward_parameters_unchecked(input, delta, weight_gradient, bias_gradient);
        layer.backward_inputs_unchecked(weights, delta, input_gradient);
    }

    fn fine(&mut self, input: &[T], delta: &[T], input_gradient: &mut [T]) {
        self.convolve(self.net.convolution(self.net.extent), input, delta, input_gradient);
    }

    fn coarse(&mut self, input: &[T], delta: &[T], input_gradient: &mut [T]) {
        self.convolve(self.net.convolution(self.net.half), input, delta, input_gradient);
    }

    fn first(&mut self, input: &[T], delta: &[T]) {
        let layer = self.net.first();
        let (_, weight_gradient, bias_gradient) = self.take(layer.weights(), layer.outputs);
        layer.backward_parameters_unchecked(input, delta, weight_gradient, bias_gradient);
    }

    #[inline(never)]
    fn convolve(&mut self, layer: Convolution, input: &[T], delta: &[T], input_gradient: &mut [T]) {
        let (weights, weight_gradient, bias_gradient) = self.take(layer.weights(), layer.outputs);
        layer.backward_parameters_unchecked(input, delta, weight_gradient, bias_gradient);
        layer.backward_inputs_unchecked(weights, delta, input_gradient);
    }

    fn take(&mut self, weights: usize, biases: usize) -> (&[T], &mut [T], &mut [T]) {
        back(&mut self.parameters, biases);
        let weight = back(&mut self.parameters, weights);
        let rest = core::mem::take(&mut self.gradient);
        let at = rest.len().saturating_sub(biases);
        let (rest, bias_gradient) = rest.split_at_mut_checked(at).unwrap_or_default();
        let at = rest.len().saturating_sub(weights);
        let (rest, weight_gradient) = rest.split_at_mut_checked(at).unwrap_or_default();
        self.gradient = rest;
        (weight, weight_gradient, bias_gradient)
    }
}

/// Takes the last entries.
fn back<'a, T>(kept: &mut &'a [T], length: usize) -> &'a [T] {
    let (rest, taken) = kept.split_at_checked(kept.len().saturating_sub(length)).unwrap_or_default();
    *kept = rest;
    taken
}

/// The last entries, left where they are.
fn last<T>(mut kept: &[T], length: usize) -> &[T] {
    back(&mut kept, length)
}

/// delta ← gradient where ReLU's value is positive, 0 elsewhere.
fn gate<T: Real>(gradient: &[T], value: &[T], delta: &mut [T]) {
    for ((delta, &gradient), &value) in delta.iter_mut().zip(gradient).zip(value) {
        *delta = if value > T::ZERO { gradient } else { T::ZERO };
    }
}

/// [`gate`] where the gradient lies.
fn gate_in_place<T: Real>(gradient: &mut [T], value: &[T]) {
    for (gradient, &value) in gradient.iter_mut().zip(value) {
        *gradient = if value > T::ZERO { *gradient } else { T::ZERO };
    }
}
