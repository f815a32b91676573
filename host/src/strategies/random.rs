//! Counter-based random numbers.

use proptest::prelude::*;

use super::{Arguments, CostCase, Numbers, number, ramp};
use crate::place::Argument;

/// A seed: every key is as good as any other, so that small ones are as good as large ones.
pub fn seed() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![3 => any::<i64>(), 1 => 0..100i64, 1 => Just(-1)]
}

/// The first entry of a table that is asked for: at the borders of words and blocks as well.
pub fn first() -> impl Strategy<Value = i64> + Clone {
    let border = prop::sample::select(vec![0, 1i64 << 32, i64::MAX, -1, 1i64 << 62]);
    prop_oneof![
        2 => 0..1000i64,
        1 => any::<i64>(),
        1 => (border, -70..70i64).prop_map(|(border, off)| border.wrapping_add(off)),
    ]
}

/// Weights: of very different sizes, zero often, none or wrong at times.
pub fn weights(longest: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    let weight = prop_oneof![
        4 => 0.0..1.0f64,
        2 => (0..4u32).prop_map(f64::from),
        1 => (-30..30i32).prop_map(|exponent| 2f64.powi(exponent)),
        1 => Just(0.0),
    ];
    prop_oneof![
        20 => proptest::collection::vec(weight, 0..=longest),
        1 => proptest::collection::vec(prop_oneof![number(), Just(f64::NAN)], 0..=longest),
    ]
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = (memory_bytes / (16 * numbers.bytes())).min(100);
    let count = 0..=longest as i64;
    let integer = Argument::Integer;
    Some(match kernel.strip_prefix("random/")? {
        "bits_at" | "uniform_at" | "normal_at" | "rademacher_at" => (seed(), first(), count)
            .prop_map(move |(seed, first, count)| vec![integer(seed), integer(first), integer(count)])
            .boxed(),
        "child" => (seed(), prop_oneof![0..10i64, 0..=i64::from(u32::MAX)])
            .prop_map(move |(seed, index)| vec![integer(seed), integer(index)])
            .boxed(),
        "uniform" | "rademacher" | "permutation" => {
            (seed(), count).prop_map(move |(seed, count)| vec![integer(seed), integer(count)]).boxed()
        }
        "normal_pair" => {
            (seed(), count).prop_map(move |(seed, count)| vec![integer(seed), integer(count / 2)]).boxed()
        }
        "uniform_between" => {
            let bounds = prop_oneof![
                3 => (number(), 0.0..4.0f64).prop_map(|(low, width)| (low, low + width)),
                1 => (number(), number()),
            ];
            (seed(), bounds, count)
                .prop_map(move |(seed, (low, high), count)| {
                    vec![integer(seed), numbers.scalar(low), numbers.scalar(high), integer(count)]
                })
                .boxed()
        }
        "below" => {
            let bound = prop_oneof![
                3 => 1..100i64,
                1 => 0..=i64::from(u32::MAX),
                1 => (0..32u32, -1..=1i64).prop_map(|(exponent, off)| (1 << exponent) + off),
            ];
            (seed(), bound, count)
                .prop_map(move |(seed, bound, count)| vec![integer(seed), integer(bound), integer(count)])
                .boxed()
        }
        "categorical_at" => (weights(longest), seed(), first(), count)
            .prop_map(move |(weights, seed, first, count)| {
                vec![numbers.vector(weights), integer(seed), integer(first), integer(count)]
            })
            .boxed(),
        "categorical" | "alias" => (weights(longest), seed(), count)
            .prop_map(move |(weights, seed, count)| {
                vec![numbers.vector(weights), integer(seed), integer(count)]
            })
            .boxed(),
        "choose" => {
            let total = prop_oneof![3 => 0..=2 * longest as i64, 1 => 0..=i64::from(u32::MAX)];
            (seed(), total, count)
                .prop_map(move |(seed, total, count)| vec![integer(seed), integer(total), integer(count)])
                .boxed()
        }
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let integer = Argument::Integer;
    let weights = || numbers.vector(ramp(16).into_iter().map(f64::abs).collect());
    let (size, arguments) = match kernel.strip_prefix("random/") {
        Some("bits_at" | "uniform_at" | "normal_at" | "rademacher_at") => {
            ("16", vec![integer(1), integer(0), integer(16)])
        }
        Some("child") => ("1", vec![integer(1), integer(0)]),
        Some("uniform" | "rademacher" | "permutation") => ("16", vec![integer(1), integer(16)]),
        Some("normal_pair") => ("8", vec![integer(1), integer(8)]),
        Some("uniform_between") => {
            ("16", vec![integer(1), numbers.scalar(-1.0), numbers.scalar(1.0), integer(16)])
        }
        Some("below") => ("16", vec![integer(1), integer(6), integer(16)]),
        Some("categorical_at") => ("16", vec![weights(), integer(1), integer(0), integer(16)]),
        Some("categorical" | "alias") => ("16", vec![weights(), integer(1), integer(16)]),
        Some("choose") => ("16 of 100", vec![integer(1), integer(100), integer(16)]),
        _ => return Vec::new(),
    };
    vec![CostCase::new(size, arguments)]
}
