//! The wire itself.

use proptest::prelude::*;

use super::{Arguments, CostCase, Numbers, vector};

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = (memory_bytes / (4 * numbers.bytes())).min(500);
    (kernel == "link/echo").then(|| vector(0..=longest).prop_map(|x| vec![numbers.vector(x)]).boxed())
}

/// The calls whose cost is reported: nothing is what a call costs before a kernel runs.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    if kernel == "link/echo" {
        vec![CostCase::new("0", vec![numbers.vector(Vec::new())])]
    } else {
        Vec::new()
    }
}
