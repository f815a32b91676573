//! Vectors and dense matrices.

use proptest::prelude::*;

use super::{Arguments, CostCase, Numbers, ramp, vector};

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = (memory_bytes / (4 * numbers.bytes())).min(200);
    Some(match kernel {
        "blas/dot" => (0..=longest)
            .prop_flat_map(|n| (vector(n), vector(n)))
            .prop_map(|(x, y)| vec![numbers.vector(x), numbers.vector(y)])
            .boxed(),
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    match kernel {
        "blas/dot" => vec![CostCase::new("64", vec![vector(64), vector(64)])],
        _ => Vec::new(),
    }
}
