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
        _ => Vec::new(),
    }
}
