//! Cells of quantizers: every point of a box has the same bytes, and no box of this shape is larger.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use quern::strategies::quant::{moved, scheme_and_length, weights};
use quern_kernels::Error;
use quern_kernels::prox::quant_cell::{Backoff, CellSettings, Ends, Soundness, cells, verify_backoff};
use quern_kernels::quant::audit::{Difference, compare};
use quern_kernels::quant::f16::Grid;
use quern_kernels::quant::ggml::{Q4_0, Q4_1, Q4K, Q6K, Q8_0};
use quern_kernels::quant::{AbsmaxInt, AsymU8, Fp4, Nf4, Rule, SMALLEST_SCALE, Scheme};
use quern_kernels::real::Float;

/// A scheme with weights it accepts.
fn model() -> impl Strategy<Value = (Scheme, Vec<f32>)> {
    scheme_and_length(512).prop_flat_map(|(scheme, length)| (Just(scheme), weights(length)))
}

struct Boxes {
    soundness: Soundness,
    lower: Vec<f32>,
    upper: Vec<f32>,
}

fn boxes_with(scheme: &Scheme, settings: CellSettings, weights: &[f32]) -> Result<Boxes, Error> {
    let (mut lower, mut upper) = (vec![f32::NAN; weights.len()], vec![f32::NAN; weights.len()]);
    let soundness = cells(scheme, &settings, weights, &mut lower, &mut upper)?;
    Ok(Boxes { soundness, lower, upper })
}

fn boxes(scheme: &Scheme, weights: &[f32]) -> Boxes {
    boxes_with(scheme, CellSettings::default(), weights).unwrap()
}

fn assert_same_bytes(scheme: &Scheme, before: &[f32], after: &[f32]) -> Result<(), TestCaseError> {
    let comparison = compare(scheme, before, after).unwrap();
    prop_assert!(comparison.identical(), "{comparison:?}");
    Ok(())
}

/// The bounds of the freeze rules for a weight: ends that meet them are not ends of codes.
fn scale_bounds(scheme: &Scheme, part: &[f32]) -> Vec<f32> {
    let least = part.iter().copied().fold(f32::MAX, f32::min);
    let most = part.iter().copied().fold(f32::MIN, f32::max);
    let a = most.max(-least);
    match scheme {
        Scheme::Int(_) | Scheme::Nf4(_) | Scheme::Fp4(_) | Scheme::Q8_0(_) => vec![-a, a],
        Scheme::Q4_0(_) | Scheme::Q6K(_) => vec![-a, a, -a.next_below(), a.next_below()],
        Scheme::Q4_1(_) => vec![least, most, 0.0f32.next_above()],
        Scheme::AsymU8(_) => vec![least.min(0.0), most.max(0.0)],
        Scheme::Q4K(_) => vec![least.min(0.0), most],
    }
}

/// Where a random number in 0..1 points to in a cell, by order key.
fn inside(lower: f32, upper: f32, at: f64) -> f32 {
    let (low, high) = (f64::from(lower.order_key()), f64::from(upper.order_key()));
    f32::from_order_key((low + (high - low) * at) as i32)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_global_rejects: 15_000, ..ProptestConfig::default() })]

    #[test]
    fn every_point_of_a_box_has_the_same_bytes(
        (scheme, weights) in model(),
        picks in proptest::collection::vec((any::<bool>(), 0.0..=1.0f64), 512),
    ) {
        let Boxes { soundness, lower, upper } = boxes(&scheme, &weights);
        for ((&weight, &lower), &upper) in weights.iter().zip(&lower).zip(&upper) {
            prop_assert!(lower.order_key() <= weight.order_key() && weight.order_key() <= upper.order_key());
        }
        let searches = matches!(scheme, Scheme::Q4K(Q4K { steps: 1.. }) | Scheme::Q6K(Q6K { steps: 1.. }));
        if searches {
            return Ok(());
        }
        prop_assert_eq!(soundness, Soundness::Exact);
        assert_same_bytes(&scheme, &weights, &lower)?;
        assert_same_bytes(&scheme, &weights, &upper)?;
        let ends = || lower.iter().zip(&upper).zip(&picks);
        let corner: Vec<f32> = ends().map(|((&l, &u), &(up, _))| if up { u } else { l }).collect();
        assert_same_bytes(&scheme, &weights, &corner)?;
        let other: Vec<f32> = ends().map(|((&l, &u), &(up, _))| if up { l } else { u }).collect();
        assert_same_bytes(&scheme, &weights, &other)?;
        let point: Vec<f32> = ends().map(|((&l, &u), &(_, at))| inside(l, u, at)).collect();
        assert_same_bytes(&scheme, &weights, &point)?;
    }

    #[test]
    fn one_float_beyond_an_end_the_code_changes((scheme, weights) in model()) {
        let Boxes { soundness, lower, upper } = boxes(&scheme, &weights);
        if soundness == Soundness::Heuristic {
            return Ok(());
        }
        let length = scheme.part_length();
        for (i, &weight) in weights.iter().enumerate() {
            let start = i / length * length;
            let part = &weights[start..weights.len().min(start + length)];
            let bounds = scale_bounds(&scheme, part);
            let frozen = lower[i].to_bits() == weight.to_bits() && upper[i].to_bits() == weight.to_bits();
            let tiny = part.iter().all(|x| x.abs() < SMALLEST_SCALE)
                || matches!(scheme, Scheme::Q6K(_)) && part.iter().all(|x| x.abs() < 1e-15);
            if frozen || tiny {
                continue;
            }
            for (end, beyond) in [(lower[i], lower[i].next_below()), (upper[i], upper[i].next_above())] {
                if bounds.contains(&end) {
                    continue;
                }
                let mut x = weights.clone();
                x[i] = beyond;
                let comparison = compare(&scheme, &weights, &x).unwrap();
                prop_assert_eq!(comparison.scales, 0);
                prop_assert!(
                    matches!(comparison.first, Some(Difference::Code { weight, .. }) if weight == i),
                    "{:?}: weight {} = {:e}, end {:e}: {:?}", scheme, i, weight, end, comparison
                );
            }
        }
    }

    #[test]
    fn scaling_by_a_power_of_two_scales_the_cells(
        (scheme, weights) in model(),
        exponent in -20..=20i32,
    ) {
        let factor = 2f32.powi(exponent);
        let scaled: Vec<f32> = weights.iter().map(|x| x * factor).collect();
        let size = weights.iter().fold(0.0f32, |size, x| size.max(x.abs()));
        let least = weights.iter().filter(|x| **x != 0.0).fold(f32::MAX, |least, x| least.min(x.abs()));
        // No subnormal number anywhere, no scale out of half precision, no group that counts as zero on one side only;
        // the k-quants' final codes use the rounded half-precision scale.
        let plain = !matches!(scheme, Scheme::Q4K(_) | Scheme::Q6K(_));
        prop_assume!(plain && size > 1e-20 && size * factor < 32768.0 && least * factor.min(1.0) > 1e-30);
        let (small, large) = (boxes(&scheme, &weights), boxes(&scheme, &scaled));
        for (small, large) in small.lower.iter().chain(&small.upper).zip(large.lower.iter().chain(&large.upper)) {
            // Ends at zero sit at the smallest numbers of all, which do not scale.
            if small.abs() > 1e-30 || large.abs() > 1e-30 {
                prop_assert_eq!((small * factor).to_bits(), large.to_bits());
            }
        }
    }

    #[test]
    fn margins_and_storage_grids_shrink_the_box_around_the_weights(
        (scheme, weights) in model(),
        margin in prop_oneof![Just(0.0f32), 0.0..0.5f32],
        grid in prop::sample::select(vec![Grid::F32, Grid::F16, Grid::Bf16]),
    ) {
        let weights: Vec<f32> = weights.into_iter().map(|x| grid.floor(x)).collect();
        let full = boxes(&scheme, &weights);
        let cut = boxes_with(&scheme, CellSettings { ends: Ends::Margin(margin), grid }, &weights).unwrap();
        for (i, weight) in weights.iter().enumerate() {
            let keys = [full.lower[i], cut.lower[i], *weight, cut.upper[i], full.upper[i]].map(f32::order_key);
            prop_assert!(keys.is_sorted(), "{:?}", keys);
            prop_assert!(grid.contains(cut.lower[i]) && grid.contains(cut.upper[i]));
            if margin == 0.0 {
                // Tight: the next number of the grid is outside. Up to one float of slack by the rounding of
                // upper − 0·width.
                prop_assert!(cut.lower[i] == grid.ceil(full.lower[i]) && cut.upper[i] == grid.floor(full.upper[i]));
            }
        }
    }

    #[test]
    fn a_box_of_two_schemes_keeps_the_bytes_of_both(
        weights in weights(128),
        picks in proptest::collection::vec(0.0..=1.0f64, 128),
    ) {
        let schemes = [Scheme::Nf4(Nf4), Scheme::Fp4(Fp4::default()), Scheme::Q4_0(Q4_0), Scheme::Q8_0(Q8_0)];
        let all: Vec<Boxes> = schemes.iter().map(|scheme| boxes(scheme, &weights)).collect();
        let point: Vec<f32> = (0..128)
            .map(|i| {
                let lower = all.iter().map(|b| b.lower[i]).max_by_key(|x| x.order_key()).unwrap();
                let upper = all.iter().map(|b| b.upper[i]).min_by_key(|x| x.order_key()).unwrap();
                inside(lower, upper, picks[i])
            })
            .collect();
        for scheme in &schemes {
            assert_same_bytes(scheme, &weights, &point)?;
        }
    }

    #[test]
    fn backing_off_ends_with_the_same_bytes(
        (scheme, (origin, x)) in model().prop_flat_map(|(scheme, weights)| (Just(scheme), moved(weights))),
    ) {
        let before = compare(&scheme, &origin, &x);
        let mut verified = x.clone();
        let report = verify_backoff(&scheme, &origin, &mut verified).unwrap();
        assert_same_bytes(&scheme, &origin, &verified)?;
        let identical = before.is_ok_and(|comparison| comparison.identical());
        prop_assert_eq!(identical, report == Backoff::default());
        if identical {
            prop_assert_eq!(x, verified);
        }
    }

    #[test]
    fn points_of_an_error_interval_back_off_to_the_same_bytes(
        (steps, weights) in (1..=4u8, weights(256)),
        six in any::<bool>(),
        picks in proptest::collection::vec(0.0..=1.0f64, 256),
    ) {
        let scheme = if six { Scheme::Q6K(Q6K { steps }) } else { Scheme::Q4K(Q4K { steps }) };
        let Boxes { lower, upper, .. } = boxes(&scheme, &weights);
        let mut x: Vec<f32> = (0..256).map(|i| inside(lower[i], upper[i], picks[i])).collect();
        verify_backoff(&scheme, &weights, &mut x).unwrap();
        assert_same_bytes(&scheme, &weights, &x)?;
        for i in 0..256 {
            prop_assert!(lower[i] <= x[i] && x[i] <= upper[i]);
        }
    }

    /// Walks from −a to a, cell by cell: each begins where the one before ended.
    #[test]
    fn the_cells_of_a_group_partition_its_range(
        a in prop_oneof![0.1..10.0f32, (-90..=10i32, 0.5..1.0f32).prop_map(|(e, m)| m * 2f32.powi(e))],
        bits in 2..=8u8,
    ) {
        let int = |rule| Scheme::Int(AbsmaxInt { bits, row_length: 2, rule });
        let fp4 = |rule| Scheme::Fp4(Fp4 { rule });
        let cases = [
            (int(Rule::Kernel), (1 << bits) - 1),
            (int(Rule::Processor), (1 << bits) - 1),
            (Scheme::Nf4(Nf4), 16),
            (fp4(Rule::Kernel), 16),
            (fp4(Rule::Processor), 16),
        ];
        for (scheme, codes) in cases {
            let (mut x, mut count) = (-a, 0);
            loop {
                let found = boxes(&scheme, &[a, x]);
                prop_assert_eq!(found.lower[1].order_key(), x.order_key());
                count += 1;
                if found.upper[1] == a {
                    break;
                }
                x = found.upper[1].next_above();
            }
            prop_assert_eq!(count, codes);
        }
    }
}

/// With a = 127·2ᵏ the borders are exact: ties belong to the even code.
#[test]
fn ends_of_integer_cells_are_the_ties() {
    for exponent in [-90, -3, 0, 90] {
        let unit = 2f32.powi(exponent);
        let scheme = Scheme::Int(AbsmaxInt { bits: 8, row_length: 255, rule: Rule::Kernel });
        let weights: Vec<f32> =
            [127.0].into_iter().chain((-127..127).map(|c| c as f32)).map(|x| x * unit).collect();
        let Boxes { lower, upper, .. } = boxes(&scheme, &weights);
        for (i, code) in (-127..127i32).enumerate() {
            let ends = ((code as f32 - 0.5) * unit, (code as f32 + 0.5) * unit);
            let (low, high) = if code % 2 == 0 { ends } else { (ends.0.next_above(), ends.1.next_below()) };
            let low = if code == -127 { -127.0 * unit } else { low };
            assert_eq!((lower[i + 1], upper[i + 1]), (low, high), "code {code}");
        }
        assert_eq!((lower[0], upper[0]), (127.0 * unit, 127.0 * unit));
    }
}

/// Before the first weight of largest magnitude, an equal magnitude of the other sign would turn all codes
/// around.
#[test]
fn the_first_largest_stays_the_first() {
    let mut weights = [0.0f32; 32];
    (weights[0], weights[5], weights[9]) = (0.95, -1.0, 0.95);
    let Boxes { lower, upper, .. } = boxes(&Scheme::Q4_0(Q4_0), &weights);
    assert_eq!((upper[0], upper[9]), (1.0f32.next_below(), 1.0));
    assert_eq!((lower[5], upper[5]), (-1.0, -1.0));
    weights[0] = 1.0;
    let flipped =
        compare(&Scheme::Q4_0(Q4_0), &[weights[1..].to_vec(), vec![0.95]].concat(), &weights).unwrap();
    assert!(flipped.scales > 0);
}

/// A zero minimum of either sign is stored as such: earlier weights stay above it.
#[test]
fn the_sign_of_a_zero_minimum_stays() {
    for zero in [0.0f32, -0.0] {
        let mut weights = [0.5f32; 32];
        (weights[0], weights[3], weights[4], weights[31]) = (0.01, zero, 0.01, 1.0);
        let scheme = Scheme::Q4_1(Q4_1);
        let Boxes { lower, .. } = boxes(&scheme, &weights);
        assert_eq!(lower[0].to_bits(), 1);
        assert_eq!(lower[4], 0.0);
        let mut moved = weights;
        (moved[0], moved[4]) = (lower[0], -zero);
        assert!(compare(&scheme, &weights, &moved).unwrap().identical());
        moved[0] = -zero;
        assert_eq!(compare(&scheme, &weights, &moved).unwrap().scales, 1);
    }
}

#[test]
fn cells_of_tiny_groups_are_open_intervals_and_nothing_is_frozen() {
    let end = SMALLEST_SCALE.next_below();
    for scheme in [
        Scheme::Int(AbsmaxInt { bits: 8, row_length: 32, rule: Rule::Kernel }),
        Scheme::AsymU8(AsymU8 { row_length: 32 }),
        Scheme::Nf4(Nf4),
        Scheme::Fp4(Fp4::default()),
        Scheme::Q8_0(Q8_0),
        Scheme::Q4_0(Q4_0),
        Scheme::Q4_1(Q4_1),
    ] {
        let Boxes { lower, upper, .. } = boxes(&scheme, &[1e-31; 32]);
        assert_eq!((lower, upper), (vec![-end; 32], vec![end; 32]));
        let mut beyond = [1e-31; 32];
        beyond[7] = SMALLEST_SCALE;
        assert!(
            !compare(&scheme, &[1e-31; 32], &beyond).unwrap().identical()
                || matches!(scheme, Scheme::Q4_1(_) | Scheme::Q8_0(_) | Scheme::Q4_0(_))
        );
    }
}

#[test]
fn misuse_is_refused() {
    let scheme = Scheme::Nf4(Nf4);
    let refuse = |settings, weights: &[f32], length: usize| {
        let (mut lower, mut upper) = (vec![0.0; length], vec![0.0; weights.len()]);
        cells(&scheme, &settings, weights, &mut lower, &mut upper).unwrap_err()
    };
    let exact = CellSettings::default();
    assert_eq!(refuse(exact, &[1.0; 3], 2), Error::Dimension { what: "lower", expected: 3, found: 2 });
    let mut weights = [1.0; 70];
    weights[66] = f32::NAN;
    assert_eq!(refuse(exact, &weights, 70), Error::NonFinite { what: "weights", index: 66 });
    for margin in [0.5, -0.1, f32::NAN] {
        let settings = CellSettings { ends: Ends::Margin(margin), ..exact };
        assert!(matches!(refuse(settings, &[1.0], 1), Error::Setting { name: "margin", .. }));
    }
    let off_grid = CellSettings { grid: Grid::F16, ..exact };
    assert!(matches!(refuse(off_grid, &[0.1, 0.05], 2), Error::Infeasible { .. }));
    assert_eq!(
        verify_backoff(&scheme, &[1.0, 2.0], &mut [1.0, f32::NAN]),
        Err(Error::NonFinite { what: "x", index: 1 })
    );
    let rows = Scheme::Int(AbsmaxInt { bits: 8, row_length: 4, rule: Rule::Kernel });
    assert_eq!(
        verify_backoff(&rows, &[1.0; 6], &mut [1.0; 6]),
        Err(Error::Dimension { what: "weights", expected: 8, found: 6 })
    );
}
