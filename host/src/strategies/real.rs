//! Scalars.

use proptest::prelude::*;

use super::{Arguments, CostCase, Numbers, number, ramp};

/// Any number: of all sizes that the type has, near the borders of the elementary functions' domains, not
/// finite at times.
pub fn any_number() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        6 => number(),
        4 => (-2.0..2.0f64, -150..128i32).prop_map(|(significand, exponent)| significand * 2f64.powi(exponent)),
        1 => (-2.0..2.0f64, -1074..1023i32).prop_map(|(significand, exponent)| significand * 2f64.powi(exponent)),
        2 => (-64..64i32, -1e-3..1e-3f64)
            .prop_map(|(quarter, off)| f64::from(quarter) * std::f64::consts::FRAC_PI_2 + off),
        2 => -90.0..90.0f64,
        1 => 0.999..1.001f64,
        1 => prop::sample::select(vec![
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            f64::MAX,
            f64::MIN_POSITIVE,
            f64::from(f32::MAX),
            f64::from(f32::MIN_POSITIVE),
            4_194_304.0,
            4_194_304.5,
        ]),
    ]
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = (memory_bytes / (12 * numbers.bytes())).min(48);
    let vector = move || proptest::collection::vec(any_number(), 0..=longest);
    Some(match kernel.strip_prefix("real/")? {
        "powf" | "fast_powf" => {
            // Pairs whose power is of moderate size mostly.
            let exponent =
                prop_oneof![4 => -4.0..4.0f64, 2 => (-9..10i32).prop_map(f64::from), 1 => any_number()];
            proptest::collection::vec((any_number(), exponent), 0..=longest)
                .prop_map(|pairs| {
                    let (x, y) = pairs.into_iter().unzip();
                    vec![numbers.vector(x), numbers.vector(y)]
                })
                .boxed()
        }
        "halfway" => proptest::collection::vec((any_number(), any_number()), 0..=longest)
            .prop_map(|pairs| {
                let (x, y) = pairs.into_iter().unzip();
                vec![numbers.vector(x), numbers.vector(y)]
            })
            .boxed(),
        "floor" | "sqrt" | "exp" | "ln" | "sin" | "cos" | "tanh" | "neighbours" | "round_half_even"
        | "fast_sqrt" | "fast_exp" | "fast_ln" | "fast_sin" | "fast_cos" | "fast_tanh" => {
            vector().prop_map(|x| vec![numbers.vector(x)]).boxed()
        }
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    // Positive, so that roots and logarithms do their work.
    let vector = || numbers.vector(ramp(16).into_iter().map(|x| 1.5 + x).collect());
    match kernel.strip_prefix("real/") {
        Some("powf" | "fast_powf" | "halfway") => vec![CostCase::new("16", vec![vector(), vector()])],
        Some(_) => vec![CostCase::new("16", vec![vector()])],
        None => Vec::new(),
    }
}
