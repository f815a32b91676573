//! Hessian operators, and the models of one output.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, ramp, vector};
use crate::place::Argument;

/// Whether a kernel is one of these.
pub fn holds(kernel: &str) -> bool {
    kernel.starts_with("linop/hessian")
        || kernel == "linop/gauss_newton"
        || kernel == "nn/diagonal_linear"
        || kernel.starts_with("nn/two_layer_relu")
}

/// Parameters of the 3-4-3 classifier.
const PARAMETERS: usize = 31;

fn entries(length: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    proptest::collection::vec(-2.0..2.0f64, length)
}

/// The arguments of these kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let integers = |sizes: &[usize]| -> Vec<Argument> {
        sizes.iter().map(|&size| Argument::Integer(size as i64)).collect()
    };
    let largest = (memory_bytes / numbers.bytes() / 12).isqrt().min(10);
    Some(match kernel {
        "linop/hessian_dual" | "linop/hessian_fd" => spoiled((0..=7_usize).prop_flat_map(move |samples| {
            let labels = proptest::collection::vec(0..3_u32, samples);
            (entries(PARAMETERS), entries(3 * samples), labels, entries(PARAMETERS)).prop_map(
                move |(parameters, inputs, labels, v)| {
                    let [parameters, inputs, v] =
                        [parameters, inputs, v].map(|values| numbers.vector(values));
                    vec![parameters, inputs, Argument::Indices(labels), v]
                },
            )
        })),
        "linop/gauss_newton" => spoiled((0..=largest, 0..=largest).prop_flat_map(move |(samples, size)| {
            (vector(samples * size), vector(size)).prop_map(move |(gradients, v)| {
                let vectors = [gradients, v].map(|values| numbers.vector(values));
                [integers(&[samples]), vectors.to_vec()].concat()
            })
        })),
        "nn/diagonal_linear" => spoiled((0..=largest * 3).prop_flat_map(move |inputs| {
            (vector(2 * inputs), vector(inputs)).prop_map(move |(parameters, x)| {
                let vectors = [parameters, x].map(|values| numbers.vector(values));
                [integers(&[inputs]), vectors.to_vec()].concat()
            })
        })),
        "nn/two_layer_relu" => spoiled((0..=largest, 0..=largest).prop_flat_map(move |(inputs, units)| {
            (vector(units * (inputs + 1)), vector(inputs)).prop_map(move |(parameters, x)| {
                let vectors = [parameters, x].map(|values| numbers.vector(values));
                [integers(&[inputs, units]), vectors.to_vec()].concat()
            })
        })),
        "nn/two_layer_relu_hessian" => {
            spoiled((1..=largest.max(1), 0..=largest).prop_flat_map(move |(inputs, units)| {
                let size = units * (inputs + 1);
                (entries(size), entries(inputs), -2.0..2.0f64, 0.0..2.0f64, entries(size), entries(size))
                    .prop_map(move |(parameters, x, residual, factor, v, z)| {
                        let [parameters, x, v, z] =
                            [parameters, x, v, z].map(|values| numbers.vector(values));
                        let scalars = [residual, factor].map(|value| numbers.scalar(value));
                        let [residual, factor] = scalars;
                        let rest = vec![parameters, x, residual, factor, v, z];
                        [integers(&[inputs, units]), rest].concat()
                    })
            }))
        }
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let integer = |value: i64| Argument::Integer(value);
    let (size, arguments) = match kernel {
        "linop/hessian_dual" | "linop/hessian_fd" => {
            let labels = Argument::Indices(vec![0, 2, 1, 1]);
            ("3-4-3, 4 samples", vec![vector(PARAMETERS), vector(12), labels, vector(PARAMETERS)])
        }
        "linop/gauss_newton" => ("16 samples of 32", vec![integer(16), vector(512), vector(32)]),
        "nn/diagonal_linear" => ("40 inputs", vec![integer(40), vector(80), vector(40)]),
        "nn/two_layer_relu" => ("16 inputs, 8 units", vec![integer(16), integer(8), vector(136), vector(16)]),
        "nn/two_layer_relu_hessian" => {
            let scalars = [numbers.scalar(0.5), numbers.scalar(1.0)];
            let [residual, factor] = scalars;
            let vectors = vec![vector(136), vector(16), residual, factor, vector(136), vector(136)];
            ("16 inputs, 8 units", [vec![integer(16), integer(8)], vectors].concat())
        }
        _ => return Vec::new(),
    };
    vec![CostCase::new(size, arguments)]
}
