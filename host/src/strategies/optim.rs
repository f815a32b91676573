//! Gradient methods.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    // At most 5n numbers in the request, as many copies, and 2n lent.
    let longest = (memory_bytes / numbers.bytes() / 14).min(60);
    let rate = || prop_oneof![8 => 1e-4..1.0f64, 1 => Just(0.0), 1 => Just(1.0)];
    let decay = || prop_oneof![6 => 0.0..0.999f64, 2 => Just(0.0), 1 => Just(0.9), 1 => Just(1.0)];
    let steps = move || (0..=longest, 1..=3_usize).prop_flat_map(|(n, steps)| (vector(n), vector(n * steps)));
    Some(match kernel {
        "optim/sgd" => spoiled((rate(), decay(), 0..=1_i64, steps()).prop_map(
            move |(rate, momentum, nesterov, (w, gradients))| {
                vec![
                    numbers.scalar(rate),
                    numbers.scalar(momentum),
                    Argument::Integer(nesterov),
                    numbers.vector(w),
                    numbers.vector(gradients),
                ]
            },
        )),
        "optim/adam" => spoiled(
            (rate(), decay(), decay(), 1e-8..1e-3f64, prop_oneof![Just(0.0), 0.0..0.1f64], steps()).prop_map(
                move |(rate, beta1, beta2, epsilon, weight_decay, (w, gradients))| {
                    let mut arguments = [rate, beta1, beta2, epsilon, weight_decay]
                        .map(|value| numbers.scalar(value))
                        .to_vec();
                    arguments.extend([w, gradients].map(|values| numbers.vector(values)));
                    arguments
                },
            ),
        ),
        "optim/projected_step" => spoiled((rate(), in_a_box(longest)).prop_map(move |(rate, vectors)| {
            let mut arguments = vec![numbers.scalar(rate)];
            arguments.extend(vectors.map(|values| numbers.vector(values)));
            arguments
        })),
        "optim/stationarity" => spoiled(
            in_a_box(longest).prop_map(move |vectors| vectors.map(|values| numbers.vector(values)).to_vec()),
        ),
        "optim/proximal_step" => spoiled(
            (
                rate(),
                prop_oneof![0.0..2.0f64, Just(0.0)],
                (0..=longest).prop_flat_map(|n| (vector(n), vector(n))),
            )
                .prop_map(move |(rate, weight, (w, gradient))| {
                    let mut arguments = [rate, weight].map(|value| numbers.scalar(value)).to_vec();
                    arguments.extend([w, gradient].map(|values| numbers.vector(values)));
                    arguments
                }),
        ),
        "optim/clip_norm" | "optim/clip_values" => {
            let limit = prop_oneof![8 => 1e-3..20.0f64, 1 => Just(1e-40), 1 => Just(0.0)];
            // Entries whose squares, and whose norm, may overflow.
            let size = prop_oneof![6 => Just(1.0), 1 => Just(1e25), 1 => Just(f64::from(f32::MAX) / 8.0)];
            spoiled((vector(0..=longest), limit, size).prop_map(move |(gradient, limit, size)| {
                let gradient = gradient.into_iter().map(|g| g * size).collect();
                vec![numbers.vector(gradient), numbers.scalar(limit)]
            }))
        }
        _ => return None,
    })
}

/// A point, a gradient, and a box: lower and upper ends, some equal, some infinite.
pub fn in_a_box(longest: usize) -> impl Strategy<Value = [Vec<f64>; 4]> {
    let interval = prop_oneof![
        8 => (number(), number()).prop_map(|(x, y)| (x.min(y), x.max(y))),
        1 => number().prop_map(|x| (x, x)),
        1 => number().prop_map(|x| (x, f64::INFINITY)),
        1 => Just((f64::NEG_INFINITY, f64::INFINITY)),
    ];
    (0..=longest)
        .prop_flat_map(move |n| (vector(n), vector(n), proptest::collection::vec(interval.clone(), n)))
        .prop_map(|(w, gradient, intervals)| {
            let (lower, upper) = intervals.into_iter().unzip();
            [w, gradient, lower, upper]
        })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let constant = |n, value| numbers.vector(vec![value; n]);
    let scalars = |values: &[f64]| values.iter().map(|&value| numbers.scalar(value)).collect::<Vec<_>>();
    let (settings, vectors) = match kernel {
        "optim/sgd" => {
            let momentum = |nesterov| {
                let mut arguments = scalars(&[0.01, 0.9]);
                arguments.extend([Argument::Integer(nesterov), vector(64), vector(64)]);
                arguments
            };
            return vec![CostCase::new("64", momentum(0)), CostCase::new("64-nesterov", momentum(1))];
        }
        "optim/clip_norm" | "optim/clip_values" => {
            return vec![CostCase::new("64", vec![vector(64), numbers.scalar(0.5)])];
        }
        "optim/proximal_step" => (vec![0.1, 0.5], vec![vector(64), vector(64)]),
        "optim/adam" => (vec![0.001, 0.9, 0.999, 1e-8, 0.0], vec![vector(64), vector(64)]),
        "optim/projected_step" => {
            (vec![0.1], vec![vector(64), vector(64), constant(64, -0.5), constant(64, 0.5)])
        }
        "optim/stationarity" => (vec![], vec![vector(64), vector(64), constant(64, -0.5), constant(64, 0.5)]),
        _ => return Vec::new(),
    };
    vec![CostCase::new("64", [scalars(&settings), vectors].concat())]
}
