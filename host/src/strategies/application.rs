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
    // Rates that converge and rates that diverge, and one that is refused.
    let rate = prop_oneof![8 => 0.1..2.0f32, 6 => 4.0..60.0f32, 1 => Just(0.0f32)];
    (kernel == "application/online-learner").then(|| {
        (seed(), periods, fault, 0..240i64, 0..=2i64, rate)
            .prop_map(|(seed, periods, fault, from, rule, rate)| {
                let mut arguments = [seed, periods, fault, from, rule].map(Argument::Integer).to_vec();
                arguments.push(Argument::F32(rate));
                arguments
            })
            .boxed()
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, _numbers: &'static dyn Numbers) -> Vec<CostCase> {
    if kernel == "application/online-learner" {
        [("256 periods, guarded", 0), ("256 periods, plain", 1)]
            .map(|(size, rule)| {
                let mut arguments = [1, 256, 1, 200, rule].map(Argument::Integer).to_vec();
                arguments.push(Argument::F32(0.75));
                CostCase::new(size, arguments)
            })
            .into()
    } else {
        Vec::new()
    }
}
