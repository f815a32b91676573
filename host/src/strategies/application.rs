//! The application on its simulated hardware.

use proptest::prelude::*;

use super::random::seed;
use super::{Arguments, CostCase, Numbers};
use crate::place::Argument;

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, _numbers: &'static dyn Numbers, _memory_bytes: usize) -> Option<Arguments> {
    // The detector warms up in 128 periods: a few runs are long enough for alarms, most are short and cheap.
    let periods = prop_oneof![12 => 0..40i64, 1 => 200..260i64, 1 => Just(4097i64)];
    let fault = prop_oneof![20 => 0..=2i64, 1 => Just(3i64)];
    (kernel == "application/online-learner").then(|| {
        (seed(), periods, fault, 0..240i64)
            .prop_map(|(seed, periods, fault, from)| {
                [seed, periods, fault, from].map(Argument::Integer).to_vec()
            })
            .boxed()
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, _numbers: &'static dyn Numbers) -> Vec<CostCase> {
    if kernel == "application/online-learner" {
        vec![CostCase::new("256 periods", [1, 256, 1, 200].map(Argument::Integer).to_vec())]
    } else {
        Vec::new()
    }
}
