//! The layers forward, and what lies between them.

use super::DirectionUnet;
use crate::Real;
use crate::nn::Convolution;

/// The layers in the order of evaluation: each takes its parameters from the front.
pub(super) struct Layers<'a, T> {
    pub(super) net: &'a DirectionUnet,
    pub(super) parameters: &'a [T],
}

impl<'a, T: Real> Layers<'a, T> {
    pub(super) fn first(&mut self, input: &[T], output: &mut [T]) {
        self.convolve(self.net.first(), input, output);
    }

    pub(super) fn fine(&mut self, input: &[T], output: &mut [T]) {
        self.convolve(self.net.convolution(self.net.extent), input, output);
    }

    pub(super) fn coarse(&mut self, input: &[T], output: &mut [T]) {
        self.convolve(self.net.convolution(self.net.half), input, output);
    }

    pub(super) fn last(&mut self, input: &[T], output: &mut [T]) {
        let (weights, bias) = self.take(self.net.channels, 1);
        self.net.last().forward_unchecked(weights, bias, input, output);
    }

    #[inline(never)]
    fn convolve(&mut self, layer: Convolution, input: &[T], output: &mut [T]) {
        let (weights, bias) = self.take(layer.weights(), layer.outputs);
        layer.forward_unchecked(weights, bias, input, output);
    }

    fn take(&mut self, weights: usize, biases: usize) -> (&'a [T], &'a [T]) {
        let (weights, rest) = self.parameters.split_at_checked(weights).unwrap_or_default();
        let (bias, rest) = rest.split_at_checked(biases).unwrap_or_default();
        self.parameters = rest;
        (weights, bias)
    }
}

/// Takes the first entries.
pub(super) fn front<'a, T>(free: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    let (taken, rest) = core::mem::take(free).split_at_mut_checked(length).unwrap_or_default();
    *free = rest;
    taken
}

/// y ← x.
pub(super) fn copy<T: Copy>(x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = x;
    }
}

/// y ← y + x.
pub(super) fn add<T: Real>(x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

/// sum ← x + m.
pub(super) fn add_to<T: Real>(x: &[T], m: &[T], sum: &mut [T]) {
    for ((sum, &x), &m) in sum.iter_mut().zip(x).zip(m) {
        *sum = x + m;
    }
}
