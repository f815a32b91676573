//! Vectors and dense matrices.

use proptest::prelude::*;

use super::{Arguments, Numbers, vector};

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
