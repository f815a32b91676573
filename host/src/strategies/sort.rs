//! Sorting and selection.

use proptest::prelude::*;

use super::{Arguments, CostCase, Numbers, number, ramp};
use crate::place::Argument;

/// Numbers with many ties, of all signs of zero, infinite at times.
pub fn items(longest: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    let item = prop_oneof![
        8 => number(),
        4 => (0..3i32).prop_map(f64::from),
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0]),
    ];
    proptest::collection::vec(item, 0..=longest)
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = (memory_bytes / (8 * numbers.bytes())).min(150);
    let spoiled = (items(longest), prop_oneof![9 => Just(None), 1 => any::<usize>().prop_map(Some)])
        .prop_map(|(mut items, spoiled)| {
            if let Some(place) = spoiled
                && !items.is_empty()
            {
                let place = place % items.len();
                items[place] = f64::NAN;
            }
            items
        });
    Some(match kernel {
        "sort/sort" | "sort/argsort" => spoiled.prop_map(|x| vec![numbers.vector(x)]).boxed(),
        "sort/largest" => (spoiled, 0..=longest as i64 + 1)
            .prop_map(|(x, k)| {
                // One more than there are at times.
                let k = k % (x.len() as i64 + 2);
                vec![numbers.vector(x), Argument::Integer(k)]
            })
            .boxed(),
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = || numbers.vector(ramp(64));
    match kernel {
        "sort/sort" | "sort/argsort" => vec![CostCase::new("64", vec![vector()])],
        "sort/largest" => vec![CostCase::new("8 of 64", vec![vector(), Argument::Integer(8)])],
        _ => Vec::new(),
    }
}
