//! Dual numbers.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    Some(match kernel {
        "ad/dual" => {
            let longest = (memory_bytes / numbers.bytes() / 12).min(40);
            // Where the elementary functions have values, and anywhere.
            let entry = || prop_oneof![2 => 0.01..8.0f64, 1 => number()];
            spoiled((0..=12_i64, 0..=longest).prop_flat_map(move |(function, length)| {
                proptest::array::uniform4(proptest::collection::vec(entry(), length)).prop_map(
                    move |vectors| {
                        let mut arguments = vec![Argument::Integer(function)];
                        arguments.extend(vectors.map(|values| numbers.vector(values)));
                        arguments
                    },
                )
            }))
        }
        "ad/check_gradient" => spoiled((1..=4_usize, 0..=4_usize).prop_flat_map(move |(inputs, units)| {
            (vector(units * (inputs + 1)), vector(inputs)).prop_map(move |(parameters, x)| {
                let mut arguments = [inputs, units].map(|size| Argument::Integer(size as i64)).to_vec();
                arguments.extend([parameters, x].map(|values| numbers.vector(values)));
                arguments
            })
        })),
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let integer = |value: i64| Argument::Integer(value);
    match kernel {
        "ad/dual" => [("32 products", 2), ("32 exponentials", 6)]
            .map(|(size, function)| {
                let vectors = [vector(32), vector(32), vector(32), vector(32)];
                CostCase::new(size, [vec![integer(function)], vectors.to_vec()].concat())
            })
            .into(),
        "ad/check_gradient" => {
            vec![CostCase::new("4 inputs, 4 units", vec![integer(4), integer(4), vector(20), vector(4)])]
        }
        _ => Vec::new(),
    }
}
