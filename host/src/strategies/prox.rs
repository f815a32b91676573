//! Projections and proximal maps.

use proptest::prelude::*;

use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

/// A radius, total or weight.
pub fn radius() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        8 => 0.0..10.0f64,
        2 => Just(1.0),
        1 => Just(0.0),
        1 => (-20..20i32).prop_map(|exponent| 10f64.powi(exponent)),
    ]
}

/// Lower and upper bounds that leave a point: equal at times, infinite at times.
pub fn bounds(length: usize) -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> + Clone {
    let pair = prop_oneof![
        8 => (number(), 0.0..4.0f64).prop_map(|(lower, width)| (lower, lower + width)),
        1 => number().prop_map(|value| (value, value)),
        1 => number().prop_map(|lower| (lower, f64::INFINITY)),
        1 => number().prop_map(|upper| (f64::NEG_INFINITY, upper)),
    ];
    proptest::collection::vec(pair, length).prop_map(|pairs| pairs.into_iter().unzip())
}

/// A point, a normal and an offset.
pub fn plane(longest: usize) -> impl Strategy<Value = (Vec<f64>, Vec<f64>, f64)> + Clone {
    let size = prop_oneof![8 => Just(1.0), 1 => Just(0.0), 2 => (-30..25i32).prop_map(|e| 10f64.powi(e))];
    (0..=longest).prop_flat_map(move |n| {
        (vector(n), vector(n), number(), size.clone()).prop_map(|(x, normal, offset, size)| {
            (x, normal.into_iter().map(|a| a * size).collect(), offset * size)
        })
    })
}

/// A point, a matrix of no more rows than columns, and an offset; the rows are dependent at times.
pub fn affine(longest: usize) -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<f64>)> + Clone {
    (0..=longest).prop_flat_map(|n| (Just(n), 0..=n.min(6))).prop_flat_map(|(n, m)| {
        let entry = prop_oneof![4 => -2.0..2.0f64, 1 => (-1..=1i32).prop_map(f64::from)];
        let values = |length| proptest::collection::vec(-4.0..4.0f64, length);
        (values(n), proptest::collection::vec(entry, n * m), values(m))
    })
}

/// Spoils an entry with NaN or infinity, or takes it away, in one case of twelve.
fn spoiled(
    values: impl Strategy<Value = Vec<f64>> + Clone + 'static,
) -> impl Strategy<Value = Vec<f64>> + Clone {
    let spoil = prop_oneof![
        33 => Just(None),
        1 => any::<usize>().prop_map(|place| Some((place, Some(f64::NAN)))),
        1 => any::<usize>().prop_map(|place| Some((place, Some(f64::INFINITY)))),
        1 => any::<usize>().prop_map(|place| Some((place, None))),
    ];
    (values, spoil).prop_map(|(mut values, spoil)| {
        if let Some((place, value)) = spoil
            && !values.is_empty()
        {
            let place = place % values.len();
            match value {
                Some(value) => values[place] = value,
                None => {
                    values.remove(place);
                }
            }
        }
        values
    })
}

/// A radius, wrong at times.
fn any_radius() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![20 => radius(), 1 => prop::sample::select(vec![-1.0, f64::NAN, f64::INFINITY, f64::MAX])]
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = (memory_bytes / (12 * numbers.bytes())).min(120);
    Some(match kernel.strip_prefix("prox/")? {
        "clip_box" => (0..=longest)
            .prop_flat_map(|n| (spoiled(vector(n)), bounds(n)))
            .prop_map(|(x, (lower, upper))| {
                vec![numbers.vector(x), numbers.vector(lower), numbers.vector(upper)]
            })
            .boxed(),
        "clip_interval" => {
            let ends = prop_oneof![8 => bounds(1), 1 => (vector(1), vector(1))];
            (spoiled(vector(0..=longest)), ends)
                .prop_map(|(x, (lower, upper))| {
                    vec![numbers.vector(x), numbers.scalar(lower[0]), numbers.scalar(upper[0])]
                })
                .boxed()
        }
        "intersect_boxes" => (0..=longest)
            .prop_flat_map(|n| (bounds(n), spoiled(vector(n)), proptest::collection::vec(0.0..20.0f64, n)))
            .prop_map(|((lower, upper), inner, width)| {
                // The second box holds a point of the first, but for its last side at times.
                let within =
                    |i: usize, x: f64| if i + 1 < width.len() { x.clamp(lower[i], upper[i]) } else { x };
                let point: Vec<f64> = inner.iter().enumerate().map(|(i, &x)| within(i, x)).collect();
                let other_lower = point.iter().zip(&width).map(|(x, width)| x - width).collect();
                let other_upper = point.iter().zip(&width).map(|(x, width)| x + width).collect();
                [lower, upper, other_lower, other_upper].map(|bounds| numbers.vector(bounds)).into()
            })
            .boxed(),
        "l1_ball" | "l2_ball" | "linf_ball" | "simplex" | "soft_threshold" | "block_soft_threshold" => {
            (spoiled(vector(0..=longest)), any_radius())
                .prop_map(|(x, radius)| vec![numbers.vector(x), numbers.scalar(radius)])
                .boxed()
        }
        "topk_simplex" | "sparse_simplex" => {
            (spoiled(vector(0..=longest)), any_radius(), 0..=longest as i64 + 2)
                .prop_map(|(x, total, k)| {
                    vec![numbers.vector(x), numbers.scalar(total), Argument::Integer(k)]
                })
                .boxed()
        }
        "second_order_cone" => spoiled(vector(0..=longest)).prop_map(|x| vec![numbers.vector(x)]).boxed(),
        "half_space" | "hyperplane" => plane(longest)
            .prop_flat_map(|(x, normal, offset)| (spoiled(Just(x)), Just(normal), Just(offset)))
            .prop_map(|(x, normal, offset)| {
                vec![numbers.vector(x), numbers.vector(normal), numbers.scalar(offset)]
            })
            .boxed(),
        "affine_set" => affine((longest / 8).min(16))
            .prop_flat_map(|(x, matrix, offset)| (Just(x), spoiled(Just(matrix)), Just(offset)))
            .prop_map(|(x, matrix, offset)| {
                vec![numbers.vector(x), numbers.vector(matrix), numbers.vector(offset)]
            })
            .boxed(),
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let shifted = |shift: f64| numbers.vector(ramp(64).into_iter().map(|x| 0.5 * x + shift).collect());
    let (size, arguments) = match kernel.strip_prefix("prox/") {
        Some("clip_box") => ("64", vec![vector(64), shifted(-0.25), shifted(0.25)]),
        Some("clip_interval") => ("64", vec![vector(64), numbers.scalar(-0.5), numbers.scalar(0.5)]),
        Some("intersect_boxes") => ("64", [-1.0, 1.0, -0.75, 0.75].map(shifted).into()),
        Some("l1_ball" | "l2_ball" | "linf_ball" | "simplex" | "soft_threshold" | "block_soft_threshold") => {
            ("64", vec![vector(64), numbers.scalar(0.5)])
        }
        Some("topk_simplex" | "sparse_simplex") => {
            ("8 of 64", vec![vector(64), numbers.scalar(1.0), Argument::Integer(8)])
        }
        Some("second_order_cone") => ("64", vec![vector(64)]),
        Some("half_space" | "hyperplane") => ("64", vec![vector(64), vector(64), numbers.scalar(0.5)]),
        // Rows that are independent: the identity beside something.
        Some("affine_set") => {
            let matrix = (0..4 * 16).map(|i| if i % 5 == 0 && i < 16 { 1.0 } else { (i % 7) as f64 / 8.0 });
            ("4x16", vec![vector(16), numbers.vector(matrix.collect()), vector(4)])
        }
        _ => return Vec::new(),
    };
    vec![CostCase::new(size, arguments)]
}
