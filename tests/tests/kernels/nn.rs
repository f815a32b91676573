//! Layers against loops that follow their documentation word by word: sums in the stated order give the same
//! bits.

use proptest::prelude::*;
use quern::strategies::nn::{Network, network};
use quern_kernels::nn::{Activation, Dense, Mlp};
use quern_kernels::{Real, blas};

/// Beyond a tile of eight rows, and two blocks of four columns.
const LARGEST: usize = 19;

fn activation(index: usize) -> Activation {
    [Activation::Linear, Activation::Relu, Activation::Tanh][index]
}

fn numbers<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&value| T::from_f64(value)).collect()
}

/// Equal to the bit, NaN included.
fn same<T: Real>(x: &[T], y: &[T]) -> bool {
    let bits = |x: &[T]| x.iter().map(|x| x.to_f64().to_bits()).collect::<Vec<_>>();
    bits(x) == bits(y)
}

/// φ(W X + b 1ᵀ), entry by entry.
fn forward<T: Real>(layer: Dense, weights: &[T], bias: &[T], inputs: &[T]) -> Vec<T> {
    let mut outputs = Vec::new();
    for input in inputs.chunks(layer.inputs) {
        for (row, &bias) in weights.chunks(layer.inputs).zip(bias) {
            outputs.push(layer.activation.value(blas::dot(row, input).unwrap() + bias));
        }
    }
    outputs
}

/// Δ Xᵀ, row-major, and Δ 1, summed over the samples in order.
fn backward_parameters<T: Real>(layer: Dense, inputs: &[T], delta: &[T]) -> (Vec<T>, Vec<T>) {
    let samples = || delta.chunks(layer.outputs).zip(inputs.chunks(layer.inputs));
    let sum = |terms: &mut dyn Iterator<Item = T>| terms.fold(T::NEGATIVE_ZERO, |sum, term| sum + term);
    let units = || (0..layer.outputs).flat_map(|j| (0..layer.inputs).map(move |i| (j, i)));
    let weights = units().map(|(j, i)| sum(&mut samples().map(|(delta, x)| x[i] * delta[j]))).collect();
    let bias = (0..layer.outputs).map(|j| sum(&mut samples().map(|(delta, _)| delta[j]))).collect();
    (weights, bias)
}

/// (Wᵀ Δ) ∘ φ′, summed over the units in order.
fn backward_inputs<T: Real>(
    layer: Dense,
    weights: &[T],
    delta: &[T],
    before: Activation,
    inputs: &[T],
) -> Vec<T> {
    let mut result = Vec::new();
    for (delta, inputs) in delta.chunks(layer.outputs).zip(inputs.chunks(layer.inputs)) {
        for (i, &input) in inputs.iter().enumerate() {
            let rows = weights.chunks(layer.inputs).zip(delta);
            let sum = rows.fold(T::NEGATIVE_ZERO, |sum, (row, &delta)| sum + row[i] * delta);
            result.push(if before == Activation::Linear { sum } else { sum * before.derivative(input) });
        }
    }
    result
}

fn check<T: Real>(case: &Network) -> Result<(), TestCaseError> {
    let net = Mlp::new(&case.widths, activation(case.activation)).unwrap();
    let (parameters, inputs) = (numbers::<T>(&case.parameters), numbers::<T>(&case.inputs));
    let (weights, biases) = parameters.split_at(net.weights());
    let layers: Vec<Dense> = case
        .widths
        .windows(2)
        .enumerate()
        .map(|(l, pair)| {
            let activation =
                if l + 2 == case.widths.len() { Activation::Linear } else { activation(case.activation) };
            Dense { inputs: pair[0], outputs: pair[1], activation }
        })
        .collect();
    // Values a layer, with the weights and the bias that led there.
    let mut values = vec![inputs.clone()];
    let (mut rest, mut rest_bias) = (weights, biases);
    let mut pieces = Vec::new();
    for &layer in &layers {
        let (weight, more) = rest.split_at(layer.inputs * layer.outputs);
        let (bias, more_bias) = rest_bias.split_at(layer.outputs);
        (rest, rest_bias) = (more, more_bias);
        values.push(forward(layer, weight, bias, values.last().unwrap()));
        pieces.push((layer, weight, bias));
    }

    let mut activations = vec![T::ZERO; net.activations(case.samples).unwrap()];
    let result = net.forward(&parameters, &inputs, &mut activations);
    let finite = values.last().unwrap().iter().all(|value| value.is_finite());
    prop_assert_eq!(result.is_ok(), finite);
    prop_assert!(same(&activations, &values[1..].concat()));
    if !finite || activations.iter().any(|value| !value.is_finite()) {
        return Ok(());
    }

    for (l, &(layer, weight, bias)) in pieces.iter().enumerate() {
        let mut outputs = vec![T::ZERO; values[l + 1].len()];
        prop_assert_eq!(layer.forward(weight, bias, &values[l], &mut outputs), Ok(()));
        prop_assert!(same(&outputs, &values[l + 1]));
    }

    let mut delta = numbers::<T>(&case.delta);
    let (mut weight_gradient, mut bias_gradient) = (Vec::new(), Vec::new());
    for (l, &(layer, weight, _)) in pieces.iter().enumerate().rev() {
        let (weight_part, bias_part) = backward_parameters(layer, &values[l], &delta);
        weight_gradient = [weight_part, weight_gradient].concat();
        bias_gradient = [bias_part, bias_gradient].concat();
        if l > 0 {
            delta = backward_inputs(layer, weight, &delta, activation(case.activation), &values[l]);
        }
    }
    let expected = [weight_gradient, bias_gradient].concat();
    net.outputs_mut(&mut activations, case.samples).copy_from_slice(&numbers::<T>(&case.delta));
    let mut gradient = vec![T::ONE; net.parameters()];
    let result = net.backward(&parameters, &inputs, &mut activations, &mut gradient);
    prop_assert_eq!(result.is_ok(), expected.iter().all(|entry| entry.is_finite()));
    prop_assert!(same(&gradient, &expected));
    Ok(())
}

proptest! {
    #[test]
    fn perceptrons_give_the_bits_of_plain_loops_in_single_precision(case in network(LARGEST)) {
        check::<f32>(&case)?;
    }

    #[test]
    fn perceptrons_give_the_bits_of_plain_loops_in_double_precision(case in network(LARGEST)) {
        check::<f64>(&case)?;
    }
}
