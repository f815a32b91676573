//! Cells of quantizers.

use proptest::prelude::*;
use quern_kernels::quant::ggml::{Q4K, Q6K, Q8_0};
use quern_kernels::quant::{AbsmaxInt, Nf4, Rule, Scheme};

use super::quant::{any_weights, fixed, moved, scheme_and_length, spoilt, with_scheme};
use super::{Arguments, CostCase, Numbers};
use crate::place::Argument;

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, _numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    // Request, copy of the weights, both ends (or both copies): 24 bytes a weight at most.
    let longest = (memory_bytes / 24).min(256);
    Some(match kernel.strip_prefix("quant_cell/")? {
        "bound" => {
            let factor = prop_oneof![4 => 0.001..1e3f32, 1 => Just(0.0), 1 => 1e-30..1e30f32];
            let rank = -130..=130i64;
            (factor, rank, -1.0..1.0f32, 0.0..200.0f32, 0..2i64)
                .prop_flat_map(|(factor, rank, start, size, side)| {
                    // The closed form, or anywhere.
                    let close = (rank as f32 + start.signum() * 0.5) / factor;
                    let start = prop_oneof![4 => Just(close), 1 => Just(start * 1e3), 1 => Just(f32::NAN)];
                    (Just((factor, rank, size, side)), start)
                })
                .prop_map(|((factor, rank, size, side), start)| {
                    let [factor, start, low, high] = [factor, start, -size, size].map(Argument::F32);
                    vec![factor, Argument::Integer(rank), start, low, high, Argument::Integer(side)]
                })
                .boxed()
        }
        "cells" => {
            let margin = prop_oneof![6 => Just(-1.0f32), 3 => 0.0..0.5f32, 1 => 0.5..1.0f32];
            let grid = prop_oneof![4 => Just(0i64), 1 => 1..=2i64];
            (scheme_and_length(longest), spoilt(), margin, grid)
                .prop_flat_map(|((scheme, length), spoilt, margin, grid)| {
                    (Just((scheme, spoilt, margin, grid)), any_weights(length))
                })
                .prop_map(|((scheme, spoilt, margin, grid), weights)| {
                    let weights = weights.into_iter().map(|x| on_grid(grid, x)).collect();
                    let rest = vec![Argument::F32(margin), Argument::Integer(grid), Argument::F32s(weights)];
                    with_scheme(scheme, spoilt, rest)
                })
                .boxed()
        }
        "verify_backoff" => (scheme_and_length(longest), spoilt())
            .prop_flat_map(|((scheme, length), spoilt)| {
                (Just(scheme), Just(spoilt), any_weights(length).prop_flat_map(moved))
            })
            .prop_map(|(scheme, spoilt, (origin, x))| {
                with_scheme(scheme, spoilt, vec![Argument::F32s(origin), Argument::F32s(x)])
            })
            .boxed(),
        _ => return None,
    })
}

/// The weight on the grid that travels as this integer; one in sixteen stays off it, to be refused.
fn on_grid(grid: i64, x: f32) -> f32 {
    use quern_kernels::quant::f16::Grid;
    match grid {
        1 if x.to_bits() & 0xf0 != 0 => Grid::F16.floor(x),
        2 if x.to_bits() & 0xf0 != 0 => Grid::Bf16.floor(x),
        _ => x,
    }
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, _numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let exact = |weights: usize| vec![Argument::F32(-1.0), Argument::Integer(0), fixed(weights)];
    match kernel.strip_prefix("quant_cell/").unwrap_or_default() {
        "bound" => {
            let [factor, start, low, high] = [127.0, 3.5 / 127.0, -1.0, 1.0].map(Argument::F32);
            vec![CostCase::new(
                "int8",
                vec![factor, Argument::Integer(4), start, low, high, Argument::Integer(0)],
            )]
        }
        "cells" => [
            ("int8 64", Scheme::Int(AbsmaxInt { bits: 8, row_length: 64, rule: Rule::Kernel }), 64),
            ("nf4 64", Scheme::Nf4(Nf4), 64),
            ("q8_0 32", Scheme::Q8_0(Q8_0), 32),
            ("q4_k 256", Scheme::Q4K(Q4K { steps: 0 }), 256),
            ("q6_k 256", Scheme::Q6K(Q6K { steps: 0 }), 256),
        ]
        .map(|(size, scheme, length)| CostCase::new(size, with_scheme(scheme, None, exact(length))))
        .into(),
        "verify_backoff" => {
            vec![CostCase::new("nf4 64", with_scheme(Scheme::Nf4(Nf4), None, vec![fixed(64), fixed(64)]))]
        }
        _ => Vec::new(),
    }
}
