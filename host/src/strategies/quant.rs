//! Weights and schemes: quantizers and audits.

use proptest::collection::vec;
use proptest::prelude::*;
use quern_kernels::quant::ggml::{Q4_0, Q4_1, Q4K, Q6K, Q8_0};
use quern_kernels::quant::{AbsmaxInt, AsymU8, Fp4, LARGEST_WEIGHT, Nf4, Rule, SMALLEST_SCALE, Scheme};

use super::{Arguments, CostCase, Numbers, ramp};
use crate::place::Argument;

/// 2ᵏ.
fn power(exponent: i32) -> f32 {
    2f64.powi(exponent) as f32
}

/// `length` weights of magnitude at most about 1: spread evenly, on a coarse grid so that codes and extremes
/// tie, or of very different sizes; zeros of both signs among them.
fn unscaled(length: usize) -> impl Strategy<Value = Vec<f32>> + Clone {
    let zero = prop_oneof![Just(0.0f32), Just(-0.0)];
    let even =
        prop_oneof![12 => -1.0..1.0f32, 1 => zero.clone(), 1 => prop::sample::select(vec![-1.0f32, 1.0])];
    // Halves over 127, 15 or 8 are where codes tie if the largest weight is a power of two times that.
    let grid = |steps: i32| {
        prop_oneof![8 => -2 * steps..=2 * steps, 1 => Just(2 * steps), 1 => Just(-2 * steps)]
            .prop_map(move |k| k as f32 / 256.0)
    };
    let wide = (-1.0..1.0f32, -60..=0i32).prop_map(|(x, exponent)| x * power(exponent));
    prop_oneof![
        6 => vec(even.clone(), length),
        2 => vec(grid(127), length),
        1 => vec(grid(15), length),
        1 => vec(grid(8), length),
        2 => vec(prop_oneof![4 => wide, 1 => even, 1 => zero.clone()], length),
        1 => vec((0.0..1.0f32).boxed(), length),
        1 => vec((-1.0..=-0.0f32).boxed(), length),
        1 => (-1.0..1.0f32).prop_map(move |x| vec![x; length]),
        1 => vec(zero, length),
    ]
}

/// Weights every scheme accepts: see [`unscaled`], scaled by a power of two; tiny at times.
pub fn weights(length: usize) -> impl Strategy<Value = Vec<f32>> + Clone {
    let exponent = prop_oneof![10 => -12..=8i32, 2 => -40..=15i32, 1 => -99..=15i32, 1 => -149..=-96i32];
    (unscaled(length), exponent)
        .prop_map(|(weights, exponent)| weights.into_iter().map(|x| x * power(exponent)).collect())
}

/// Weights as they may come: see [`weights`]; huge, NaN or infinite at times.
pub fn any_weights(length: usize) -> impl Strategy<Value = Vec<f32>> + Clone {
    let odd = prop::sample::select(vec![
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        LARGEST_WEIGHT,
        -2.0 * LARGEST_WEIGHT,
        SMALLEST_SCALE,
        1e20,
        -1e7,
    ]);
    prop_oneof![
        20 => weights(length),
        2 => (weights(length), odd, any::<prop::sample::Index>()).prop_map(|(mut weights, odd, at)| {
            if !weights.is_empty() {
                let at = at.index(weights.len());
                weights[at] = odd;
            }
            weights
        }),
        1 => (unscaled(length), 20..=101i32)
            .prop_map(|(weights, exponent)| weights.into_iter().map(|x| x * power(exponent)).collect()),
    ]
}

/// Either rule.
fn rule() -> impl Strategy<Value = Rule> + Clone {
    prop::sample::select(vec![Rule::Kernel, Rule::Processor])
}

/// A rule as it travels, in the bit of value 16 of a setting.
fn rule_bit(rule: Rule) -> u8 {
    if rule == Rule::Processor { 16 } else { 0 }
}

/// Any scheme, rows of 1 to 40 weights. Few steps, so that searches are short.
pub fn scheme() -> impl Strategy<Value = Scheme> + Clone {
    let steps = prop_oneof![3 => Just(0u8), 2 => 1..=4u8];
    prop_oneof![
        3 => (2..=8u8, 1..=40usize, rule())
            .prop_map(|(bits, row_length, rule)| Scheme::Int(AbsmaxInt { bits, row_length, rule })),
        2 => Just(Scheme::Nf4(Nf4)),
        2 => rule().prop_map(|rule| Scheme::Fp4(Fp4 { rule })),
        2 => (1..=40usize).prop_map(|row_length| Scheme::AsymU8(AsymU8 { row_length })),
        1 => Just(Scheme::Q8_0(Q8_0)),
        2 => Just(Scheme::Q4_0(Q4_0)),
        2 => Just(Scheme::Q4_1(Q4_1)),
        2 => steps.clone().prop_map(|steps| Scheme::Q4K(Q4K { steps })),
        2 => steps.prop_map(|steps| Scheme::Q6K(Q6K { steps })),
    ]
}

/// A scheme that fits into `longest` weights, and a fitting length: one group mostly, a few at times, a short
/// last one where allowed.
pub fn scheme_and_length(longest: usize) -> impl Strategy<Value = (Scheme, usize)> + Clone {
    let small = scheme().prop_map(move |scheme| match scheme {
        Scheme::Q4K(_) | Scheme::Q6K(_) if longest < 256 => Scheme::Q4_0(Q4_0),
        other => other,
    });
    (small, 1..=3usize, 0..64usize).prop_map(move |(scheme, groups, short)| {
        let group = scheme.group_length();
        let groups = groups.min(longest / group).max(1);
        let short = if matches!(scheme, Scheme::Nf4(_) | Scheme::Fp4(_)) { short } else { 0 };
        (scheme, groups * group - short)
    })
}

/// A scheme as it travels.
pub fn scheme_arguments(scheme: Scheme) -> Vec<Argument> {
    let (number, setting, row_length) = match scheme {
        Scheme::Int(AbsmaxInt { bits, row_length, rule }) => (0, bits | rule_bit(rule), row_length),
        Scheme::Nf4(Nf4) => (1, 0, 0),
        Scheme::Fp4(Fp4 { rule }) => (2, rule_bit(rule), 0),
        Scheme::AsymU8(AsymU8 { row_length }) => (3, 0, row_length),
        Scheme::Q8_0(_) => (4, 0, 0),
        Scheme::Q4_0(_) => (5, 0, 0),
        Scheme::Q4_1(_) => (6, 0, 0),
        Scheme::Q4K(Q4K { steps }) => (7, steps, 0),
        Scheme::Q6K(Q6K { steps }) => (8, steps, 0),
    };
    [number, i64::from(setting), row_length as i64].map(Argument::Integer).into()
}

/// A scheme's arguments, followed by others; at times a wrong row length, number or setting.
pub(super) fn with_scheme(
    scheme: Scheme,
    spoilt: Option<(usize, i64)>,
    rest: Vec<Argument>,
) -> Vec<Argument> {
    let mut arguments = scheme_arguments(scheme);
    if let Some((position, value)) = spoilt {
        arguments[position] = Argument::Integer(value);
    }
    arguments.extend(rest);
    arguments
}

/// Rarely, an integer of the scheme to replace.
pub(super) fn spoilt() -> impl Strategy<Value = Option<(usize, i64)>> + Clone {
    prop_oneof![
        15 => Just(None),
        1 => (0..3usize, prop_oneof![0..12i64, Just(255), Just(1000)]).prop_map(Some),
    ]
}

/// x, moved inside of a scheme's cells or across their borders.
pub fn moved(weights: Vec<f32>) -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> + Clone {
    let length = weights.len();
    let step = prop_oneof![3 => Just(0.0f32), 3 => -0.01..0.01f32, 1 => -0.3..0.3f32];
    (Just(weights), vec(step, length)).prop_map(|(weights, steps)| {
        let size = weights.iter().fold(0.0f32, |size, x| size.max(x.abs()));
        let moved = weights.iter().zip(steps).map(|(x, step)| x + step * size).collect();
        (weights, moved)
    })
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, _numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = (memory_bytes / 16).min(256);
    let f32s = Argument::F32s;
    let row = move || (0..=longest.min(100)).prop_flat_map(any_weights);
    // Groups of fixed length: another length at times, to be refused.
    let group = move |length: usize| {
        prop_oneof![15 => Just(length), 1 => 0..=length].prop_flat_map(any_weights).boxed()
    };
    let integer = |x: u8| Argument::Integer(x.into());
    Some(match kernel.strip_prefix("quant/")? {
        "f16_from_f32" => vec(any_float(), 0..=longest.min(64)).prop_map(move |x| vec![f32s(x)]).boxed(),
        "f16_to_f32" => {
            vec(0..=0xffffu32, 0..=longest.min(64)).prop_map(|bits| vec![Argument::Indices(bits)]).boxed()
        }
        "grid" => (0..3u8, vec(any_float(), 0..=longest.min(64)))
            .prop_map(move |(grid, x)| vec![integer(grid), f32s(x)])
            .boxed(),
        "absmax_int" => (prop_oneof![8 => 2..=8u8, 7 => 18..=24u8, 1 => 0..=20u8], row())
            .prop_map(move |(bits, weights)| vec![integer(bits), f32s(weights)])
            .boxed(),
        "nf4" | "asym_u8" => row().prop_map(move |weights| vec![f32s(weights)]).boxed(),
        "fp4" => (rule(), row())
            .prop_map(move |(rule, weights)| vec![integer(rule_bit(rule)), f32s(weights)])
            .boxed(),
        "q8_0" | "q4_0" | "q4_1" => group(32).prop_map(move |weights| vec![f32s(weights)]).boxed(),
        "q4_k" | "q6_k" => (prop_oneof![15 => 0..=4u8, 1 => Just(65u8)], group(256))
            .prop_map(move |(steps, weights)| vec![integer(steps), f32s(weights)])
            .boxed(),
        "quantize" => (scheme_and_length(longest.max(128)), spoilt())
            .prop_flat_map(|((scheme, length), spoilt)| (Just(scheme), Just(spoilt), any_weights(length)))
            .prop_map(move |(scheme, spoilt, weights)| with_scheme(scheme, spoilt, vec![f32s(weights)]))
            .boxed(),
        "dequantize" => (scheme_and_length(longest.max(128)), spoilt())
            .prop_flat_map(|((scheme, length), spoilt)| {
                let scales = scheme.scales_length(length).unwrap_or_default();
                (Just(scheme), Just(spoilt), vec(any::<u8>(), length), any_weights(scales))
            })
            .prop_map(move |(scheme, spoilt, codes, scales)| {
                with_scheme(scheme, spoilt, vec![Argument::Bytes(codes), f32s(scales)])
            })
            .boxed(),
        "compare" => (scheme_and_length((memory_bytes / 24).min(256)), spoilt())
            .prop_flat_map(|((scheme, length), spoilt)| {
                (Just(scheme), Just(spoilt), any_weights(length).prop_flat_map(moved))
            })
            .prop_map(move |(scheme, spoilt, (before, after))| {
                with_scheme(scheme, spoilt, vec![f32s(before), f32s(after)])
            })
            .boxed(),
        "fnv1a64" => vec(any::<u8>(), 0..=longest).prop_map(|bytes| vec![Argument::Bytes(bytes)]).boxed(),
        "occupancy" => (0..=(memory_bytes / 40).min(100))
            .prop_flat_map(|length| (any_weights(length), boxes(length)))
            .prop_flat_map(|(weights, (lower, upper))| {
                let epsilon = prop_oneof![8 => 0.001..0.4f32, 1 => Just(0.0), 1 => Just(0.5)];
                (Just(weights), Just(lower), Just(upper), epsilon)
            })
            .prop_map(move |(weights, lower, upper, epsilon)| {
                vec![f32s(weights), f32s(lower), f32s(upper), Argument::F32(epsilon)]
            })
            .boxed(),
        "median_half_width" => (0..=(memory_bytes / 32).min(100))
            .prop_flat_map(boxes)
            .prop_map(move |(lower, upper)| vec![f32s(lower), f32s(upper)])
            .boxed(),
        "noise_defend" => {
            let sigma = prop_oneof![10 => 0.0..2.0f32, 1 => Just(-1.0), 1 => Just(f32::NAN), 1 => Just(1e38)];
            (super::random::seed(), sigma, (0..=longest.min(60)).prop_flat_map(any_weights))
                .prop_map(move |(seed, sigma, weights)| {
                    vec![Argument::Integer(seed), Argument::F32(sigma), f32s(weights)]
                })
                .boxed()
        }
        _ => return None,
    })
}

/// Any bits, numbers near the borders of half precision more often.
fn any_float() -> impl Strategy<Value = f32> + Clone {
    let border = prop::sample::select(vec![
        65504.0f32,
        65520.0,
        65536.0,
        6.103_515_6e-5,
        5.960_464_5e-8,
        2.980_232_2e-8,
    ]);
    prop_oneof![
        4 => any::<u32>().prop_map(f32::from_bits),
        2 => (0..=0x7bffu16, -1..=1i32).prop_map(|(half, off)| {
            // About the midpoint of two neighbours of half precision.
            let half = quern_kernels::quant::f16::to_f32(half);
            f32::from_bits((half.to_bits() | 0x1000).wrapping_add_signed(off))
        }),
        1 => (border, -2..=2i32, any::<bool>()).prop_map(|(x, off, negative)| {
            let x = f32::from_bits(x.to_bits().wrapping_add_signed(off));
            if negative { -x } else { x }
        }),
    ]
}

/// Ends of cells: in order mostly, of no width at times.
fn boxes(length: usize) -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> + Clone {
    let width = prop_oneof![6 => 0.0..1.0f32, 1 => Just(0.0), 1 => Just(-1.0), 1 => Just(1e-30)];
    (any_weights(length), vec(width, length)).prop_map(|(lower, widths)| {
        let upper = lower.iter().zip(widths).map(|(lower, width)| lower + width).collect();
        (lower, upper)
    })
}

/// Fixed weights for cost cases.
pub(super) fn fixed(length: usize) -> Argument {
    Argument::F32s(ramp(length).into_iter().map(|x| x as f32).collect())
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, _numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let case = |size: &str, arguments: Vec<Argument>| vec![CostCase::new(size, arguments)];
    let integer = Argument::Integer;
    let nf4 = |rest: Vec<Argument>| with_scheme(Scheme::Nf4(Nf4), None, rest);
    match kernel.strip_prefix("quant/").unwrap_or_default() {
        "f16_from_f32" => case("64", vec![fixed(64)]),
        "f16_to_f32" => case("64", vec![Argument::Indices((0..64).map(|i| i * 977 % 0x7c00).collect())]),
        "grid" => case("f16 64", vec![integer(1), fixed(64)]),
        "absmax_int" => case("8 bits 64", vec![integer(8), fixed(64)]),
        "nf4" | "asym_u8" => case("64", vec![fixed(64)]),
        "fp4" => case("64", vec![integer(0), fixed(64)]),
        "q8_0" | "q4_0" | "q4_1" => case("32", vec![fixed(32)]),
        "q4_k" => {
            [0, 20].map(|s| CostCase::new(format!("256, {s} steps"), vec![integer(s), fixed(256)])).into()
        }
        "q6_k" => {
            [0, 9].map(|s| CostCase::new(format!("256, {s} steps"), vec![integer(s), fixed(256)])).into()
        }
        "quantize" => case("nf4 128", nf4(vec![fixed(128)])),
        "dequantize" => case(
            "nf4 64",
            nf4(vec![Argument::Bytes((0..64).map(|i| i % 16).collect()), Argument::F32s(vec![1.0])]),
        ),
        "compare" => case("nf4 64", nf4(vec![fixed(64), fixed(64)])),
        "fnv1a64" => case("64", vec![Argument::Bytes((0..64).collect())]),
        "occupancy" | "median_half_width" => {
            let ends = |off: f32| {
                Argument::F32s(
                    ramp(64).into_iter().enumerate().map(|(i, x)| x as f32 + off * (1 + i) as f32).collect(),
                )
            };
            if kernel.ends_with("occupancy") {
                case("64", vec![fixed(64), ends(-0.01), ends(0.01), Argument::F32(0.001)])
            } else {
                case("64", vec![ends(-0.01), ends(0.01)])
            }
        }
        "noise_defend" => case("64", vec![integer(1), Argument::F32(0.1), fixed(64)]),
        _ => Vec::new(),
    }
}
