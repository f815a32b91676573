//! Layers of neural networks.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let largest = largest_side(numbers, memory_bytes);
    let side = move || 0..=largest;
    let shape = move |inputs: usize, outputs: usize, activation: usize| {
        [inputs, outputs, activation].map(|size| Argument::Integer(size as i64))
    };
    let sizes = move || (side(), side(), side(), 0..3_usize);
    Some(match kernel {
        "nn/dense_forward" => spoiled(
            sizes()
                .prop_flat_map(|(i, o, s, a)| (Just((i, o, s, a)), vector(i * o), vector(o), vector(i * s)))
                .prop_map(move |((i, o, s, a), weights, bias, inputs)| {
                    let mut arguments = shape(i, o, a).to_vec();
                    arguments.extend([weights, bias, inputs].map(|values| numbers.vector(values)));
                    arguments.push(Argument::Integer(s as i64));
                    arguments
                }),
        ),
        "nn/dense_backward_parameters" => spoiled(
            sizes().prop_flat_map(|(i, o, s, a)| (Just((i, o, a)), vector(i * s), vector(o * s))).prop_map(
                move |((i, o, a), inputs, delta)| {
                    let mut arguments = shape(i, o, a).to_vec();
                    arguments.extend([inputs, delta].map(|values| numbers.vector(values)));
                    arguments
                },
            ),
        ),
        "nn/dense_backward_inputs" => spoiled(
            sizes()
                .prop_flat_map(|(i, o, s, a)| (Just((i, o, a)), vector(i * o), vector(o * s), vector(i * s)))
                .prop_map(move |((i, o, a), weights, delta, inputs)| {
                    let mut arguments = shape(i, o, a).to_vec();
                    arguments.extend([weights, delta, inputs].map(|values| numbers.vector(values)));
                    arguments
                }),
        ),
        "nn/mlp_forward" => {
            spoiled(network(largest).prop_map(move |network| network.arguments(numbers, false)))
        }
        "nn/mlp_backward" => {
            spoiled(network(largest).prop_map(move |network| network.arguments(numbers, true)))
        }
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let integer = |value: i64| Argument::Integer(value);
    let layer = [integer(16), integer(16), integer(1)];
    let network = Network {
        widths: vec![16, 16, 8],
        activation: 1,
        samples: 4,
        parameters: ramp(16 * 17 + 8 * 17),
        inputs: ramp(16 * 4),
        delta: ramp(8 * 4),
    };
    let (size, arguments) = match kernel {
        "nn/dense_forward" => {
            ("16x16, 4 samples", [vector(256), vector(16), vector(64), integer(4)].to_vec())
        }
        "nn/dense_backward_parameters" => ("16x16, 4 samples", [vector(64), vector(64)].to_vec()),
        "nn/dense_backward_inputs" => ("16x16, 4 samples", [vector(256), vector(64), vector(64)].to_vec()),
        "nn/mlp_forward" => {
            return vec![CostCase::new("16-16-8, 4 samples", network.arguments(numbers, false))];
        }
        "nn/mlp_backward" => {
            return vec![CostCase::new("16-16-8, 4 samples", network.arguments(numbers, true))];
        }
        _ => return Vec::new(),
    };
    vec![CostCase::new(size, [layer.to_vec(), arguments].concat())]
}

/// The largest d for which requests, copies and lent memory of the kernels here, at most 12d² + 6d numbers,
/// fit; not above 20, which is beyond every tile and block.
fn largest_side(numbers: &'static dyn Numbers, memory_bytes: usize) -> usize {
    (memory_bytes / numbers.bytes() / 16).isqrt().min(20)
}

/// A perceptron with a batch, and the gradient of a loss at its outputs.
#[derive(Clone, Debug)]
pub struct Network {
    /// Inputs first.
    pub widths: Vec<usize>,
    /// 0 linear, 1 ReLU, 2 tanh.
    pub activation: usize,
    /// Columns of the inputs.
    pub samples: usize,
    /// All weights, then all biases.
    pub parameters: Vec<f64>,
    /// Column by column.
    pub inputs: Vec<f64>,
    /// ∂loss/∂outputs.
    pub delta: Vec<f64>,
}

impl Network {
    fn arguments(&self, numbers: &'static dyn Numbers, backward: bool) -> Vec<Argument> {
        let widths = self.widths.iter().map(|&width| width as u32).collect();
        let mut arguments = vec![Argument::Indices(widths), Argument::Integer(self.activation as i64)];
        arguments.push(numbers.vector(self.parameters.clone()));
        arguments.push(numbers.vector(self.inputs.clone()));
        if backward {
            arguments.push(numbers.vector(self.delta.clone()));
        }
        arguments.push(Argument::Integer(self.samples as i64));
        arguments
    }
}

/// Networks of one or two layers, no width and no number of samples above `largest`.
pub fn network(largest: usize) -> impl Strategy<Value = Network> {
    let largest = largest.max(1);
    (proptest::collection::vec(1..=largest, 2..=3), 0..3_usize, 0..=largest).prop_flat_map(
        |(widths, activation, samples)| {
            let parameters: usize = widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum();
            let outputs = widths[widths.len() - 1];
            (vector(parameters), vector(widths[0] * samples), vector(outputs * samples)).prop_map(
                move |(parameters, inputs, delta)| Network {
                    widths: widths.clone(),
                    activation,
                    samples,
                    parameters,
                    inputs,
                    delta,
                },
            )
        },
    )
}

/// What is done to a well-formed call now and then, so that refusals are compared as well.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Shorten(Index),
    Replace(Index, Index, f64),
}

/// A call of which one in ten has a vector that is too short, or a number that is not finite or enormous.
pub(super) fn spoiled(arguments: impl Strategy<Value = Vec<Argument>> + 'static) -> Arguments {
    let strange = prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(1e38), number()];
    let damage = prop_oneof![
        18 => Just(Damage::None),
        1 => any::<Index>().prop_map(Damage::Shorten),
        1 => (any::<Index>(), any::<Index>(), strange)
            .prop_map(|(argument, entry, value)| Damage::Replace(argument, entry, value)),
    ];
    (arguments, damage)
        .prop_map(|(mut arguments, damage)| {
            match damage {
                Damage::None => {}
                Damage::Shorten(argument) => match argument.get_mut(&mut arguments) {
                    Argument::F32s(entries) => drop(entries.pop()),
                    Argument::F64s(entries) => drop(entries.pop()),
                    Argument::Indices(entries) => drop(entries.pop()),
                    _ => {}
                },
                Damage::Replace(argument, entry, value) => match argument.get_mut(&mut arguments) {
                    Argument::F32s(entries) if !entries.is_empty() => *entry.get_mut(entries) = value as f32,
                    Argument::F64s(entries) if !entries.is_empty() => *entry.get_mut(entries) = value,
                    Argument::F32(number) => *number = value as f32,
                    Argument::F64(number) => *number = value,
                    Argument::Indices(entries) if !entries.is_empty() => *entry.get_mut(entries) += 1,
                    _ => {}
                },
            }
            arguments
        })
        .boxed()
}
