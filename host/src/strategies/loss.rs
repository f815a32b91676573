//! Losses and metrics.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    // Two vectors of d² at most, each in the request and as a copy.
    let largest = (memory_bytes / numbers.bytes() / 8).isqrt().min(12);
    Some(match kernel {
        "loss/squared" => spoiled(
            (0..=largest, 0..=largest)
                .prop_flat_map(|(size, samples)| {
                    (vector(size * samples), vector(size * samples), Just(samples))
                })
                .prop_map(move |(outputs, targets, samples)| {
                    vec![numbers.vector(outputs), numbers.vector(targets), Argument::Integer(samples as i64)]
                }),
        ),
        "loss/cross_entropy" | "loss/accuracy" => spoiled(
            labelled(largest)
                .prop_map(move |(outputs, labels)| vec![numbers.vector(outputs), Argument::Indices(labels)]),
        ),
        "loss/direction_residual" => spoiled(
            (0..=largest.min(10))
                .prop_flat_map(|n| {
                    // Mostly positive definite: small beside the diagonal.
                    let entries = proptest::collection::vec(-1.0..1.0f64, n * n);
                    (Just(n), entries, -1.0..4.0f64, vector(n), vector(n))
                })
                .prop_map(move |(n, mut entries, shift, direction, right_hand_side)| {
                    for diagonal in entries.iter_mut().step_by(n + 1) {
                        *diagonal += shift;
                    }
                    let mut arguments = vec![Argument::Integer(n as i64)];
                    arguments
                        .extend([entries, direction, right_hand_side].map(|values| numbers.vector(values)));
                    arguments
                }),
        ),
        _ => return None,
    })
}

/// Outputs and a label a sample, in up to `largest` classes and samples; ties and large outputs among them.
pub fn labelled(largest: usize) -> impl Strategy<Value = (Vec<f64>, Vec<u32>)> {
    let output = prop_oneof![6 => number(), 2 => (-2..=2i32).prop_map(f64::from), 1 => -200.0..200.0f64];
    (1..=largest.max(1), 0..=largest).prop_flat_map(move |(classes, samples)| {
        (
            proptest::collection::vec(output.clone(), classes * samples),
            proptest::collection::vec(0..classes as u32, samples),
        )
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let labels = Argument::Indices((0..16).map(|sample| sample % 10).collect());
    match kernel {
        "loss/squared" => {
            vec![CostCase::new("10x16", vec![vector(160), vector(160), Argument::Integer(16)])]
        }
        "loss/cross_entropy" | "loss/accuracy" => {
            vec![CostCase::new("10x16", vec![vector(160), labels])]
        }
        "loss/direction_residual" => {
            let identity = (0..64).map(|at| if at % 9 == 0 { 2.0 } else { 0.0 }).collect();
            let arguments = vec![Argument::Integer(8), numbers.vector(identity), vector(8), vector(8)];
            vec![CostCase::new("8x8", arguments)]
        }
        _ => Vec::new(),
    }
}
