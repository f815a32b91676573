//! Composite convex minimization, and training of rectified units by it.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, ramp, vector};
use crate::place::Argument;

/// Whether a kernel is one of these.
pub fn holds(kernel: &str) -> bool {
    [
        "optim/lasso_fista",
        "optim/convex_relu_admm",
        "optim/robust_hinge_pdhg",
        "prox/group_soft_threshold",
        "prox/capped_linf_cone",
        "linop/gated_relu",
        "nn/relu_patterns",
        "nn/recover_relu",
        "spectrum/operator_norm",
    ]
    .contains(&kernel)
}

fn entries(length: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    proptest::collection::vec(-2.0..2.0f64, length)
}

fn integer(value: usize) -> Argument {
    Argument::Integer(value as i64)
}

/// Samples and gates.
#[derive(Clone, Debug)]
pub struct Gates {
    /// n.
    pub samples: usize,
    /// d.
    pub features: usize,
    /// X by columns.
    pub inputs: Vec<f64>,
    /// A mask a pattern.
    pub masks: Vec<u32>,
}

impl Gates {
    /// 2Pd.
    pub fn variables(&self) -> usize {
        2 * self.features * self.masks.len() / self.samples.div_ceil(32)
    }

    fn arguments(&self, numbers: &dyn Numbers) -> Vec<Argument> {
        let (inputs, masks) = (self.inputs.clone(), self.masks.clone());
        vec![integer(self.samples), numbers.vector(inputs), Argument::Indices(masks)]
    }
}

/// Up to `samples` samples of up to `features` features behind up to `patterns` gates of any bits.
pub fn gates(samples: usize, features: usize, patterns: usize) -> impl Strategy<Value = Gates> + Clone {
    (1..=samples, 1..=features, 1..=patterns).prop_flat_map(|(samples, features, patterns)| {
        let words = patterns * samples.div_ceil(32);
        (entries(samples * features), proptest::collection::vec(any::<u32>(), words))
            .prop_map(move |(inputs, masks)| Gates { samples, features, inputs, masks })
    })
}

/// The arguments of these kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let largest = (memory_bytes / numbers.bytes() / 16).isqrt().min(8);
    let small = move || gates(3, 2, 2);
    let size = || prop_oneof![6 => 0.01..2.0f64, 1 => Just(0.0)];
    let relaxation = || prop_oneof![2 => Just(1.0), 4 => 0.5..1.9f64, 1 => Just(2.0)];
    Some(match kernel {
        "optim/lasso_fista" => spoiled((1..=largest, 0..=largest).prop_flat_map(move |(m, n)| {
            let rest = (size(), 1e-3..0.5f64, 0..=1_i64, 0..=1_i64, 0..=30_i64);
            (entries(m * n), entries(m), rest).prop_map(
                move |(a, b, (weight, length, sought, restart, steps))| {
                    let mut arguments = [a, b].map(|values| numbers.vector(values)).to_vec();
                    arguments.extend([weight, length].map(|value| numbers.scalar(value)));
                    arguments.extend([sought, restart, steps].map(Argument::Integer));
                    arguments
                },
            )
        })),
        "optim/convex_relu_admm" => spoiled(small().prop_flat_map(move |gates| {
            let rest = (size(), size(), relaxation(), 0..=1_i64, 0..=20_i64);
            (entries(gates.samples), rest).prop_map(
                move |(targets, (weight, penalty, relaxation, method, steps))| {
                    let mut arguments = gates.arguments(numbers);
                    arguments.push(numbers.vector(targets));
                    arguments.extend([weight, penalty, relaxation].map(|value| numbers.scalar(value)));
                    arguments.extend([method, steps].map(Argument::Integer));
                    arguments
                },
            )
        })),
        "optim/robust_hinge_pdhg" => spoiled(small().prop_flat_map(move |gates| {
            let labels = proptest::collection::vec(any::<bool>(), gates.samples);
            let perturbed = 0..=gates.features as i64;
            let rest = (size(), size(), 0.01..1.0f64, 0.01..1.0f64, relaxation(), 0..=20_i64);
            (labels, perturbed, rest).prop_map(
                move |(labels, perturbed, (radius, weight, tau, sigma, relaxation, steps))| {
                    let labels = labels.into_iter().map(|up| if up { 1.0 } else { -1.0 }).collect();
                    let mut arguments = gates.arguments(numbers);
                    arguments.extend([numbers.vector(labels), Argument::Integer(perturbed)]);
                    let scalars = [radius, weight, tau, sigma, relaxation];
                    arguments.extend(scalars.map(|value| numbers.scalar(value)));
                    arguments.push(Argument::Integer(steps));
                    arguments
                },
            )
        })),
        "prox/group_soft_threshold" => {
            spoiled((0..=4_usize, 0..=largest).prop_flat_map(move |(block, blocks)| {
                (vector(block * blocks), size()).prop_map(move |(x, weight)| {
                    vec![numbers.vector(x), integer(block), numbers.scalar(weight)]
                })
            }))
        }
        "prox/capped_linf_cone" => spoiled(
            (vector(0..=largest * 2), prop_oneof![4 => size(), 1 => Just(f64::from(f32::MAX))])
                .prop_map(move |(x, cap)| vec![numbers.vector(x), numbers.scalar(cap)]),
        ),
        "linop/gated_relu" => spoiled(gates(40, 2, 1).prop_flat_map(move |gates| {
            // A reply holds a quarter of the smallest board's memory: 2n + 4d numbers more are fine.
            let gates = if gates.samples > 20 && numbers.bytes() == 8 {
                Gates { samples: 8, inputs: gates.inputs[..8 * gates.features].to_vec(), ..gates }
            } else {
                gates
            };
            let words = gates.samples.div_ceil(32);
            let gates = Gates { masks: gates.masks[..words].to_vec(), ..gates };
            vector(gates.variables())
                .prop_map(move |u| [gates.arguments(numbers), vec![numbers.vector(u)]].concat())
        })),
        "nn/relu_patterns" => {
            spoiled((1..=40_usize, 1..=2_usize, 0..=largest).prop_flat_map(move |(n, d, patterns)| {
                (vector(n * d), vector(d * patterns)).prop_map(move |(inputs, directions)| {
                    vec![integer(n), numbers.vector(inputs), numbers.vector(directions)]
                })
            }))
        }
        "nn/recover_relu" => spoiled((0..=4_usize, 0..=largest / 2).prop_flat_map(move |(d, half)| {
            vector(2 * d * half).prop_map(move |blocks| vec![integer(d), numbers.vector(blocks)])
        })),
        "spectrum/operator_norm" => {
            spoiled((0..=largest, 0..=largest, 0..=30_i64).prop_flat_map(move |(m, n, steps)| {
                (entries(m * n), entries(n)).prop_map(move |(a, start)| {
                    let [a, start] = [a, start].map(|values| numbers.vector(values));
                    vec![integer(m), a, start, Argument::Integer(steps)]
                })
            }))
        }
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let scalar = |value| numbers.scalar(value);
    let gates = |samples: usize, patterns: u32| {
        let masks = (0..patterns).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
        Gates { samples, features: 3, inputs: ramp(3 * samples), masks }.arguments(numbers)
    };
    let labels = |n: usize| numbers.vector((0..n).map(|i| if i % 3 == 0 { -1.0 } else { 1.0 }).collect());
    let relu = |method| {
        let rest = vec![vector(16), scalar(0.1), scalar(0.1), scalar(1.6), integer(method), integer(1)];
        [gates(16, 4), rest].concat()
    };
    let cases: Vec<(&str, Vec<Argument>)> = match kernel {
        "optim/lasso_fista" => {
            let rest = vec![scalar(0.1), scalar(0.1), integer(0), integer(1), integer(10)];
            vec![("16x8, 10 steps", [vec![vector(128), vector(16)], rest].concat())]
        }
        "optim/convex_relu_admm" => {
            vec![("4 gates of 16x3, 1 step", relu(0)), ("the same by CG", relu(1))]
        }
        "optim/robust_hinge_pdhg" => {
            let mut arguments = gates(16, 4);
            arguments.extend([labels(16), integer(2), scalar(0.1), scalar(0.1)]);
            arguments.extend([scalar(0.1), scalar(0.1), scalar(1.0), integer(1)]);
            vec![("4 gates of 16x3, 1 step", arguments)]
        }
        "prox/group_soft_threshold" => vec![("8 of 4", vec![vector(32), integer(4), scalar(0.1)])],
        "prox/capped_linf_cone" => vec![("16", vec![vector(16), scalar(2.0)])],
        "linop/gated_relu" => vec![("4 gates of 16x3", [gates(16, 4), vec![vector(24)]].concat())],
        "nn/relu_patterns" => vec![("12 of 40x3", vec![integer(40), vector(120), vector(36)])],
        "nn/recover_relu" => vec![("8 of 3", vec![integer(3), vector(24)])],
        "spectrum/operator_norm" => {
            vec![("8x8, 10 steps", vec![integer(8), vector(64), vector(8), integer(10)])]
        }
        _ => vec![],
    };
    cases.into_iter().map(|(size, arguments)| CostCase::new(size, arguments)).collect()
}
