//! Learning rates over time.

use proptest::prelude::*;

use super::{Arguments, CostCase, Numbers};
use crate::place::Argument;

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, _memory_bytes: usize) -> Option<Arguments> {
    if kernel != "schedule/learning_rate" {
        return None;
    }
    let count = || prop_oneof![8 => 0..100_u32, 1 => any::<u32>()];
    let peak = prop_oneof![8 => 1e-4..1.0f64, 1 => Just(0.0), 1 => Just(1e30)];
    let fraction = prop_oneof![8 => 0.0..=1.0f64, 1 => Just(1.1), 1 => Just(1e-30)];
    let times = proptest::collection::vec(prop_oneof![8 => 0..200_u32, 1 => any::<u32>()], 0..6);
    let all = (peak, count(), 0..=4_i64, count(), fraction, times);
    let into = move |(peak, warm_up, decay, steps, fraction, times): (f64, u32, i64, u32, f64, Vec<u32>)| {
        vec![
            numbers.scalar(peak),
            Argument::Integer(i64::from(warm_up)),
            Argument::Integer(decay),
            Argument::Integer(i64::from(steps)),
            numbers.scalar(fraction),
            Argument::Indices(times),
        ]
    };
    Some(all.prop_map(into).boxed())
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    if kernel != "schedule/learning_rate" {
        return Vec::new();
    }
    let case = |size: &str, decay| {
        let integer = Argument::Integer;
        let (peak, fraction) = (numbers.scalar(0.1), numbers.scalar(0.5));
        CostCase::new(
            size,
            vec![peak, integer(10), integer(decay), integer(100), fraction, Argument::Indices(vec![250])],
        )
    };
    vec![case("step", 1), case("cosine", 2), case("linear", 3)]
}
