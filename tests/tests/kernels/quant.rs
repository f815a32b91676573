//! Quantizers: codes against the nearest value, identities of requantizing, refusals; audits against naive
//! twins.

use proptest::collection::vec;
use proptest::prelude::*;
use quern::place::{Argument, Native, Place};
use quern::strategies;
use quern::strategies::quant::{any_weights, moved, scheme_and_length, weights};
use quern_firmware::{ScalarKind, endpoints};
use quern_kernels::Error;
use quern_kernels::quant::audit::{Difference, Fnv1a64, compare, fnv1a64, median_half_width, occupancy};
use quern_kernels::quant::{AbsmaxInt, Fp4, LARGEST_WEIGHT, Nf4, Rule, SMALLEST_SCALE, Scheme, noise_defend};
use quern_kernels::random::{Key, uniform_at};

fn quantize(scheme: &Scheme, weights: &[f32]) -> Result<(Vec<u8>, Vec<f32>), Error> {
    let mut codes = vec![0xaa; weights.len()];
    let mut scales = vec![f32::NAN; scheme.scales_length(weights.len())?];
    scheme.quantize(weights, &mut codes, &mut scales)?;
    Ok((codes, scales))
}

fn dequantize(scheme: &Scheme, codes: &[u8], scales: &[f32]) -> Vec<f32> {
    let mut weights = vec![f32::NAN; codes.len()];
    scheme.dequantize(codes, scales, &mut weights).unwrap();
    weights
}

fn model() -> impl Strategy<Value = (Scheme, Vec<f32>)> {
    scheme_and_length(512).prop_flat_map(|(scheme, length)| (Just(scheme), weights(length)))
}

fn any_model() -> impl Strategy<Value = (Scheme, Vec<f32>)> {
    scheme_and_length(512).prop_flat_map(|(scheme, length)| (Just(scheme), any_weights(length)))
}

/// Width of the widest cell, in units of the group's largest magnitude (of its range, for schemes with two
/// scales); half of it bounds the error.
fn widest_cell(scheme: &Scheme) -> f64 {
    match scheme {
        Scheme::Int(int) => 1.0 / f64::from((1 << (int.bits - 1)) - 1),
        // Between −1 and −0.696.
        Scheme::Nf4(_) => 0.30381,
        // Between 1/2 and 2/3 and 1 the gaps are 1/6 and 1/3; the kernel's literals are off by at most 1e-6.
        Scheme::Fp4(_) => 1.0 / 3.0 + 1e-6,
        Scheme::AsymU8(_) => 1.0 / 255.0,
        Scheme::Q8_0(_) => 1.0 / 127.0,
        // The largest code stands for −7/8 of the largest weight: up to a whole step off.
        Scheme::Q4_0(_) => 2.0 / 8.0,
        Scheme::Q4_1(_) => 1.0 / 15.0,
        Scheme::Q4K(_) | Scheme::Q6K(_) => f64::INFINITY,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn dequantized_weights_are_within_half_a_cell((scheme, weights) in model()) {
        let (codes, scales) = quantize(&scheme, &weights).unwrap();
        let values = dequantize(&scheme, &codes, &scales);
        let length = scheme.part_length();
        for (part, values) in weights.chunks(length).zip(values.chunks(length)) {
            let least = part.iter().fold(0.0f64, |least, &x| least.min(x.into()));
            let most = part.iter().fold(0.0f64, |most, &x| most.max(x.into()));
            let a = most.max(-least);
            if a < f64::from(SMALLEST_SCALE) {
                continue;
            }
            let unit = match scheme {
                Scheme::AsymU8(_) | Scheme::Q4_1(_) => most - least,
                _ => a,
            };
            // Rounding in single precision: a few units of 2⁻²⁴ of the largest number. Half precision rounds
            // scales by 2⁻¹¹ of themselves and, below its smallest normal number, by 2⁻²⁵; the scale is
            // multiplied by at most 127 and an offset of at most a is added.
            let half = matches!(scheme, Scheme::Q8_0(_) | Scheme::Q4_0(_) | Scheme::Q4_1(_));
            let rounding = if half { 2.0 * a * 2f64.powi(-11) + 128.0 * 2f64.powi(-25) } else { 16.0 * a * 2f64.powi(-24) };
            let bound = 0.5 * widest_cell(&scheme) * unit + rounding;
            for (&weight, &value) in part.iter().zip(values) {
                let error = (f64::from(weight) - f64::from(value)).abs();
                prop_assert!(error <= bound, "{weight:e} became {value:e}: {error:e} > {bound:e}");
            }
        }
    }

    #[test]
    fn four_bit_floats_survive_requantizing(weights in weights(100), rule in 0..3u8) {
        let scheme = match rule {
            0 => Scheme::Nf4(Nf4),
            1 => Scheme::Fp4(Fp4 { rule: Rule::Kernel }),
            _ => Scheme::Fp4(Fp4 { rule: Rule::Processor }),
        };
        let (codes, scales) = quantize(&scheme, &weights).unwrap();
        let (again, scales_again) = quantize(&scheme, &dequantize(&scheme, &codes, &scales)).unwrap();
        // −0, the value of the FP4 code 8, has code 0.
        let expected: Vec<u8> =
            codes.iter().map(|&code| if rule > 0 && code == 8 { 0 } else { code }).collect();
        prop_assert_eq!(expected, again);
        prop_assert_eq!(scales, scales_again);
    }

    #[test]
    fn integers_survive_requantizing_but_for_an_ulp_of_the_scale(
        bits in 2..=8u8,
        rule in prop::sample::select(vec![Rule::Kernel, Rule::Processor]),
        (row_length, weights) in (1..=40usize).prop_flat_map(|length| (Just(length), weights(3 * length))),
    ) {
        let scheme = Scheme::Int(AbsmaxInt { bits, row_length, rule });
        let (codes, scales) = quantize(&scheme, &weights).unwrap();
        let (again, scales_again) = quantize(&scheme, &dequantize(&scheme, &codes, &scales)).unwrap();
        // A scale just above the smallest may fall below it.
        prop_assume!(scales.iter().all(|&scale| scale == 0.0 || scale > 2.0 * SMALLEST_SCALE));
        prop_assert_eq!(codes, again);
        for (scale, again) in scales.iter().zip(scales_again) {
            prop_assert!(scale.to_bits().abs_diff(again.to_bits()) <= 1);
        }
    }

    #[test]
    fn what_is_not_refused_has_finite_values((scheme, weights) in any_model()) {
        let acceptable = weights.iter().all(|x| x.abs() <= LARGEST_WEIGHT);
        let half = matches!(
            scheme,
            Scheme::Q8_0(_) | Scheme::Q4_0(_) | Scheme::Q4_1(_) | Scheme::Q4K(_) | Scheme::Q6K(_)
        );
        match quantize(&scheme, &weights) {
            Ok((codes, scales)) => {
                prop_assert!(acceptable);
                prop_assert!(dequantize(&scheme, &codes, &scales).iter().all(|x| x.is_finite()));
            }
            Err(Error::NonFinite { what: "weights", index }) => {
                prop_assert_eq!(weights.iter().position(|x| !x.is_finite()), Some(index));
            }
            Err(Error::Setting { name: "weights", .. }) => prop_assert!(!acceptable || half),
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }

    /// The streaming comparison against the codes and scales themselves. The k-quants' blocks hold more than
    /// the scales tell, so there only one direction holds.
    #[test]
    fn comparing_is_comparing_codes_and_scales(
        (scheme, (before, after)) in model().prop_flat_map(|(scheme, weights)| (Just(scheme), moved(weights))),
    ) {
        let (Ok(old), Ok(new)) = (quantize(&scheme, &before), quantize(&scheme, &after)) else { return Ok(()) };
        let comparison = compare(&scheme, &before, &after).unwrap();
        let codes = old.0.iter().zip(&new.0).filter(|(old, new)| old != new).count();
        let columns = scheme.scale_columns();
        let scales = old.1.chunks(columns).zip(new.1.chunks(columns)).filter(|(old, new)| {
            old.iter().zip(*new).any(|(old, new)| old.to_bits() != new.to_bits())
        }).count();
        prop_assert_eq!(comparison.codes, codes);
        prop_assert!(comparison.scales >= scales);
        if !matches!(scheme, Scheme::Q4K(_) | Scheme::Q6K(_)) {
            prop_assert_eq!(comparison.scales, scales);
        }
        if let Some(Difference::Code { weight, before, after }) = comparison.first {
            prop_assert_eq!((before, after), (old.0[weight], new.0[weight]));
        }
        prop_assert_eq!(comparison.identical(), comparison.codes + comparison.scales == 0);
    }

    #[test]
    fn the_hash_does_not_depend_on_the_pieces(bytes in vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let (first, second) = bytes.split_at(at.index(bytes.len() + 1));
        let mut hash = Fnv1a64::new();
        hash.write(first);
        hash.write(second);
        prop_assert_eq!(hash.finish(), fnv1a64(&bytes));
    }

    #[test]
    fn the_median_is_that_of_the_sorted_half_widths(ends in vec((-1e3..1e3f32, prop_oneof![Just(0.0f32), 0.0..10.0f32]), 0..60)) {
        let lower: Vec<f32> = ends.iter().map(|end| end.0).collect();
        let upper: Vec<f32> = ends.iter().map(|end| end.0 + end.1).collect();
        let mut widths: Vec<f32> =
            lower.iter().zip(&upper).map(|(l, u)| u * 0.5 - l * 0.5).filter(|&width| width > 0.0).collect();
        widths.sort_by(f32::total_cmp);
        let expected = if widths.is_empty() { None } else { Some(widths[(widths.len() - 1) / 2]) };
        prop_assert_eq!(median_half_width(&lower, &upper), Ok(expected));
    }

    #[test]
    fn occupancy_counts_what_is_near(
        cells in vec((-1.0..1.0f32, prop_oneof![Just(0.0f32), 1e-3..1.0f32], 0.0..=1.0f32), 0..60),
        epsilon in 0.01..0.49f32,
    ) {
        let lower: Vec<f32> = cells.iter().map(|cell| cell.0).collect();
        let upper: Vec<f32> = cells.iter().map(|cell| cell.0 + cell.1).collect();
        let weights: Vec<f32> = cells.iter().map(|cell| cell.0 + cell.1 * cell.2).collect();
        let found = occupancy(&weights, &lower, &upper, epsilon).unwrap();
        let near = |slack: f64| {
            (0..cells.len())
                .filter(|&i| upper[i] > lower[i])
                .filter(|&i| {
                    let [l, u, w] = [lower[i], upper[i], weights[i]].map(f64::from);
                    (w - l).min(u - w) / (u - l) <= f64::from(epsilon) + slack
                })
                .count()
        };
        // Differences of numbers up to 2 over widths of at least 1e-3, each rounded by at most 2⁻²⁴ of 2:
        // 4·2⁻²⁴/1e-3 in all.
        let slack = 4.0 * 2f64.powi(-24) / 1e-3;
        prop_assert!(near(-slack) <= found.near && found.near <= near(slack));
        prop_assert_eq!(found.total, (0..cells.len()).filter(|&i| upper[i] > lower[i]).count());
    }
}

/// Weights spread evenly have standard normal z; |z| > 5 has probability 6·10⁻⁷. Weights pushed to the
/// borders stand out.
#[test]
fn the_detector_is_calibrated() {
    let key = Key::from_seed(12);
    let weights: Vec<f32> = (0..20_000).map(|i| uniform_at::<f32>(key, i)).collect();
    let (lower, upper) = (vec![0.0; weights.len()], vec![1.0; weights.len()]);
    for epsilon in [0.001, 0.01, 0.1, 0.4] {
        let found = occupancy(&weights, &lower, &upper, epsilon).unwrap();
        assert!(found.z.abs() < 5.0, "{found:?}");
        assert!((found.share() - 2.0 * epsilon).abs() < 0.02);
    }
    let pushed: Vec<f32> = weights.iter().map(|x| (1.5 * x - 0.25).clamp(0.0, 1.0)).collect();
    let found = occupancy(&pushed, &lower, &upper, 0.001).unwrap();
    assert!(found.z > 100.0 && (found.share() - 1.0 / 3.0).abs() < 0.02, "{found:?}");
}

#[test]
fn noise_has_the_asked_size() {
    let weights = vec![0.25f32; 20_000];
    let mut noisy = vec![0.0; weights.len()];
    noise_defend(&weights, 0.5, Key::from_seed(12), &mut noisy).unwrap();
    let n = weights.len() as f64;
    let mean = noisy.iter().map(|&x| f64::from(x) - 0.25).sum::<f64>() / n;
    let variance = noisy.iter().map(|&x| (f64::from(x) - 0.25).powi(2)).sum::<f64>() / n;
    // Five standard deviations of the mean, σ/√n, and of the variance, σ²√(2/n).
    assert!(mean.abs() < 5.0 * 0.5 / n.sqrt());
    assert!((variance - 0.25).abs() < 5.0 * 0.25 * (2.0 / n).sqrt());
    noise_defend(&weights, 0.0, Key::from_seed(12), &mut noisy).unwrap();
    assert_eq!(weights, noisy);
    for sigma in [-1.0, f32::NAN, f32::INFINITY] {
        let refused = noise_defend(&weights, sigma, Key::from_seed(12), &mut noisy);
        assert!(matches!(refused, Err(Error::Setting { name: "sigma", .. })));
    }
    assert!(matches!(
        noise_defend(&[f32::MAX], 3e38, Key::from_seed(1), &mut [0.0]),
        Ok(()) | Err(Error::NonFinite { .. })
    ));
}

/// Most generated calls succeed, some are refused, and no answer is too long for the smallest board.
#[test]
fn generated_calls_are_mostly_answered() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for endpoint in endpoints::all().filter(|endpoint| endpoint.name.starts_with("quant")) {
        for memory_bytes in [4000, 40_000] {
            let strategy = strategies::arguments(endpoint.name, ScalarKind::F32, memory_bytes).unwrap();
            let mut place = Native::new(memory_bytes, memory_bytes / 4);
            let mut answered = 0;
            for _ in 0..200 {
                let arguments = strategy.new_tree(&mut runner).unwrap().current();
                let request: usize = arguments.iter().map(bytes).sum();
                let answer = place.call(endpoint.name, ScalarKind::F32, &arguments, 0).unwrap();
                let used = request + answer.lent_bytes as usize;
                assert!(used <= memory_bytes, "{}: {used} bytes of {memory_bytes}", endpoint.name);
                match answer.outcome {
                    Ok(results) => {
                        answered += 1;
                        let reply: usize = results.iter().map(bytes).sum();
                        assert!(reply <= memory_bytes / 4, "{}: {reply} bytes of reply", endpoint.name);
                    }
                    Err(failure) => {
                        assert!(!failure.contains("capacity") && !failure.contains("too long"), "{failure}")
                    }
                }
            }
            assert!(answered >= 100, "{}: {answered} of 200 calls answered", endpoint.name);
        }
    }
}

/// Bytes an argument takes on the wire, at most.
fn bytes(argument: &Argument) -> usize {
    4 + match argument {
        Argument::F32s(entries) => 4 * entries.len(),
        Argument::F64s(entries) => 8 * entries.len(),
        Argument::Indices(entries) => 4 * entries.len(),
        Argument::Bytes(entries) => entries.len(),
        _ => 8,
    }
}
