//! Discrete partial differential equations.

use proptest::prelude::*;

use super::linop::length;
use super::{Arguments, CostCase, Numbers, ramp, vector};
use crate::place::Argument;

/// Solid cells as bits, of `count` cells; none of them at times.
pub fn solid(count: usize) -> impl Strategy<Value = Vec<u8>> + Clone {
    let bytes = count.div_ceil(8);
    let sparse = (any::<u8>(), any::<u8>()).prop_map(|(a, b)| a & b);
    prop_oneof![
        1 => Just(vec![0; bytes]),
        4 => proptest::collection::vec(sparse, bytes),
    ]
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    // The answer, six numbers and five indices a cell, fits into a quarter of the memory.
    let most = ((memory_bytes / 4).saturating_sub(40) / (6 * numbers.bytes() + 20)).min(200);
    match kernel {
        "pde/poisson5" => Some(poisson::<2>(numbers, most.isqrt())),
        "pde/poisson7" => Some(poisson::<3>(numbers, (most as f64).cbrt() as usize)),
        _ => None,
    }
}

fn poisson<const D: usize>(numbers: &'static dyn Numbers, side: usize) -> Arguments {
    prop::array::uniform::<_, D>(0..=side)
        .prop_flat_map(|sides| {
            let count = sides.iter().product();
            let bytes = prop_oneof![20 => Just(count), 1 => Just(count + 8)].prop_flat_map(solid);
            (Just(sides), bytes, length(count).prop_flat_map(vector))
        })
        .prop_map(|(sides, solid, x)| {
            let sizes = sides.map(|side| Argument::Integer(side as i64));
            sizes.into_iter().chain([Argument::Bytes(solid), numbers.vector(x)]).collect()
        })
        .boxed()
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let (size, sides, count) = match kernel {
        "pde/poisson5" => ("4x4 cells, one solid", vec![4, 4], 16),
        "pde/poisson7" => ("2x2x4 cells, one solid", vec![2, 2, 4], 16),
        _ => return Vec::new(),
    };
    let mut arguments: Vec<_> = sides.into_iter().map(Argument::Integer).collect();
    arguments.extend([Argument::Bytes(vec![0b0010_0000, 0]), numbers.vector(ramp(count))]);
    vec![CostCase::new(size, arguments)]
}
