//! Random numbers against their distributions, and samplers against what they promise for every seed.
//!
//! The statistical tests draw from fixed keys, so that they pass or fail for good. Their thresholds come from
//! the distribution under the null hypothesis at a false-alarm probability of 10⁻⁶ each: had the keys been
//! drawn at random, a correct generator would fail one of these tests once in about 40,000 choices of keys.

use proptest::prelude::*;
use quern::strategies::random::{first, seed, weights};
use quern_kernels::random::{
    AliasTable, Key, Stream, below, categorical, categorical_at, choose, cumulative_weights, fill_normal,
    normal_at, normal_pair, permutation, rademacher, rademacher_at, uniform, uniform_at,
};

/// The 1 − 10⁻⁶ quantile of the standard normal distribution, and the two-sided one.
const ONE_SIDED: f64 = 4.7534;
const TWO_SIDED: f64 = 4.8916;
/// The 1 − 10⁻⁶ quantile of Kolmogorov's distribution: √(−ln(10⁻⁶/2)/2).
const KOLMOGOROV: f64 = 2.6935;

/// Pearson's statistic stays below the 1 − 10⁻⁶ quantile of χ² (by Wilson and Hilferty's cube).
fn assert_chi_square(counts: &[u32], probabilities: &[f64]) {
    let draws: f64 = counts.iter().map(|&count| f64::from(count)).sum();
    let mut statistic = 0.0;
    let mut degrees = -1.0;
    for (&count, &probability) in counts.iter().zip(probabilities) {
        let expected = draws * probability;
        if expected == 0.0 {
            assert_eq!(count, 0, "an impossible outcome");
            continue;
        }
        assert!(expected >= 10.0, "the test needs more draws");
        statistic += (f64::from(count) - expected).powi(2) / expected;
        degrees += 1.0;
    }
    let variance = 2.0 / (9.0 * degrees);
    let quantile = degrees * (1.0 - variance + ONE_SIDED * f64::sqrt(variance)).powi(3);
    assert!(statistic < quantile, "χ² = {statistic} with {degrees} degrees of freedom (bound {quantile})");
}

/// Kolmogorov's statistic √n·sup|F_n − F| stays below its quantile.
fn assert_distribution(mut sample: Vec<f64>, distribution: impl Fn(f64) -> f64) {
    let n = sample.len() as f64;
    sample.sort_by(f64::total_cmp);
    let distance = sample
        .iter()
        .enumerate()
        .map(|(i, &x)| {
            let value = distribution(x);
            (value - i as f64 / n).max((i + 1) as f64 / n - value)
        })
        .fold(0.0, f64::max);
    assert!(distance * n.sqrt() < KOLMOGOROV, "√n·D = {}", distance * n.sqrt());
}

/// The mean of n numbers with this mean and variance stays within the two-sided quantile.
fn assert_mean(sample: &[f64], mean: f64, variance: f64) {
    let n = sample.len() as f64;
    let z = (sample.iter().sum::<f64>() / n - mean) * (n / variance).sqrt();
    assert!(z.abs() < TWO_SIDED, "z = {z}");
}

fn standard_normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

fn equal(categories: usize) -> Vec<f64> {
    vec![1.0 / categories as f64; categories]
}

const DRAWS: u64 = 1 << 17;

#[test]
fn uniform_numbers_are_uniform() {
    let key = Key::from_seed(101);
    let by_index: Vec<f64> = (0..DRAWS).map(|index| uniform_at(key, index)).collect();
    let mut stream = key.stream();
    let by_order: Vec<f64> = (0..DRAWS).map(|_| uniform(&mut stream)).collect();
    let mut stream = Key::from_seed(102).stream();
    let single: Vec<f64> = (0..DRAWS).map(|_| f64::from(uniform::<f32>(&mut stream))).collect();
    for sample in [by_index, by_order, single] {
        assert_mean(&sample, 0.5, 1.0 / 12.0);
        let serial: Vec<f64> = sample.windows(2).map(|pair| (pair[0] - 0.5) * (pair[1] - 0.5)).collect();
        assert_mean(&serial, 0.0, 1.0 / 144.0);
        // The leading and the last bits that f32 has.
        for scale in [256.0, 16_777_216.0] {
            let mut counts = [0; 256];
            for u in &sample {
                counts[(u * scale) as usize % 256] += 1;
            }
            assert_chi_square(&counts, &equal(256));
        }
        assert_distribution(sample, |u| u.clamp(0.0, 1.0));
    }
}

#[test]
fn normal_numbers_are_normal() {
    let key = Key::from_seed(103);
    let mut by_index = vec![0.0; DRAWS as usize];
    fill_normal(key, 0, &mut by_index);
    let mut stream = key.stream();
    let by_order: Vec<f64> = (0..DRAWS / 2)
        .flat_map(|_| {
            let (x, y): (f32, f32) = normal_pair(&mut stream);
            [f64::from(x), f64::from(y)]
        })
        .collect();
    for sample in [by_index, by_order] {
        assert_mean(&sample, 0.0, 1.0);
        // E z² = 1, E z⁴ = 3, E z⁶ = 15, E z⁸ = 105.
        let power = |exponent| sample.iter().map(|z| z.powi(exponent)).collect::<Vec<_>>();
        assert_mean(&power(2), 1.0, 2.0);
        assert_mean(&power(3), 0.0, 15.0);
        assert_mean(&power(4), 3.0, 96.0);
        // Both numbers of a pair, and neighbours of two pairs.
        let products: Vec<f64> = sample.windows(2).map(|pair| pair[0] * pair[1]).collect();
        assert_mean(&products, 0.0, 1.0);
        let squares: Vec<f64> = sample.chunks(2).map(|pair| (pair[0] * pair[1]).powi(2)).collect();
        assert_mean(&squares, 1.0, 8.0);
        // Beyond 3.5, where a normal number is with probability 4.65·10⁻⁴.
        let beyond = sample.iter().filter(|z| z.abs() > 3.5).count() as f64;
        let expected = 2.0 * standard_normal(-3.5) * DRAWS as f64;
        assert!((beyond - expected).abs() < TWO_SIDED * expected.sqrt(), "{beyond} of {expected}");
        assert_distribution(sample, standard_normal);
    }
}

#[test]
fn signs_are_fair_and_uncorrelated() {
    let key = Key::from_seed(104);
    let by_index: Vec<f64> = (0..DRAWS).map(|index| rademacher_at(key, index)).collect();
    let mut stream = key.stream();
    let by_order: Vec<f64> = (0..DRAWS).map(|_| rademacher(&mut stream)).collect();
    for sample in [by_index, by_order] {
        assert_mean(&sample, 0.0, 1.0);
        for lag in [1, 2, 31, 32, 33, 64] {
            let products: Vec<f64> = sample.iter().zip(&sample[lag..]).map(|(x, y)| x * y).collect();
            assert_mean(&products, 0.0, 1.0);
        }
    }
}

#[test]
fn integers_below_a_bound_have_no_bias() {
    let mut stream = Key::from_seed(105).stream();
    for bound in [2, 6, 100] {
        let mut counts = vec![0; bound as usize];
        for _ in 0..DRAWS {
            counts[below(&mut stream, bound).unwrap() as usize] += 1;
        }
        assert_chi_square(&counts, &equal(bound as usize));
    }
    // A remainder of words by 3·2³⁰ would hit the first third twice as often.
    let mut counts = [0; 3];
    for _ in 0..DRAWS {
        counts[(below(&mut stream, 3 << 30).unwrap() >> 30) as usize] += 1;
    }
    assert_chi_square(&counts, &equal(3));
}

#[test]
fn categories_have_their_weights() {
    let weights = [0.5, 0.0, 3.0, 0.25, 1.0, 7.25, 0.0, 4.0];
    let probabilities = weights.map(|weight| weight / 16.0);
    let mut sums = [0.0; 8];
    cumulative_weights(&weights, &mut sums).unwrap();
    let (mut share, mut alias) = ([0.0; 8], [0; 8]);
    let table = AliasTable::build(&weights, &mut share, &mut alias, &mut [0; 8]).unwrap();
    let key = Key::from_seed(106);
    let mut stream = key.stream();
    let mut counts = [[0; 8]; 3];
    for index in 0..DRAWS {
        counts[0][categorical(&mut stream, &sums).unwrap()] += 1;
        counts[1][categorical_at(key, index, &sums).unwrap()] += 1;
        counts[2][table.draw(&mut stream).unwrap()] += 1;
    }
    for counts in counts {
        assert_chi_square(&counts, &probabilities);
    }
}

#[test]
fn every_order_and_every_subset_is_as_likely_as_any_other() {
    let mut stream = Key::from_seed(107).stream();
    let mut orders = std::collections::BTreeMap::new();
    let mut subsets = std::collections::BTreeMap::new();
    for _ in 0..DRAWS {
        let (mut order, mut subset) = ([0; 4], [0; 3]);
        permutation(&mut stream, &mut order).unwrap();
        choose(&mut stream, 7, &mut subset).unwrap();
        *orders.entry(order).or_insert(0) += 1;
        *subsets.entry(subset).or_insert(0) += 1;
    }
    assert_eq!((orders.len(), subsets.len()), (24, 35));
    assert_chi_square(&orders.into_values().collect::<Vec<_>>(), &equal(24));
    assert_chi_square(&subsets.into_values().collect::<Vec<_>>(), &equal(35));
}

/// Keys that differ little have unrelated tables: children, consecutive seeds, and single bits of a key.
#[test]
fn related_keys_are_independent() {
    let parent = Key::from_seed(108);
    let children: Vec<f64> = (0..1 << 14).map(|index| normal_at(parent.child(index), 0)).collect();
    let seeds: Vec<f64> = (0..1 << 14).map(|seed| normal_at(Key::from_seed(seed), 0)).collect();
    for sample in [children, seeds] {
        let products: Vec<f64> = sample.windows(2).map(|pair| pair[0] * pair[1]).collect();
        assert_mean(&products, 0.0, 1.0);
        assert_distribution(sample, standard_normal);
    }
    // A flipped bit of the key or of the index flips half of the 64 bits: binomial, mean 32 and variance 16.
    let count = |a: [u32; 2], b: [u32; 2]| f64::from((a[0] ^ b[0]).count_ones() + (a[1] ^ b[1]).count_ones());
    let mut key_flips = Vec::new();
    let mut index_flips = Vec::new();
    for seed in 0..256u64 {
        let bits = Key::from_seed(seed).bits_at(seed);
        key_flips.extend((0..64).map(|bit| count(bits, Key::from_seed(seed ^ 1 << bit).bits_at(seed))));
        index_flips.extend((0..62).map(|bit| count(bits, Key::from_seed(seed).bits_at(seed ^ 1 << bit))));
    }
    assert_mean(&key_flips, 32.0, 16.0);
    assert_mean(&index_flips, 32.0, 16.0);
}

fn stream(seed: i64) -> Stream {
    Key::from_seed(seed.cast_unsigned()).stream()
}

proptest! {
    #[test]
    fn a_single_uniform_number_is_the_double_cut_off(seed in seed(), first in first()) {
        let (key, index) = (Key::from_seed(seed.cast_unsigned()), first.cast_unsigned());
        let (single, double): (f32, f64) = (uniform_at(key, index), uniform_at(key, index));
        prop_assert!((0.0..1.0).contains(&double));
        prop_assert_eq!(f64::from(single), (double * 16_777_216.0).floor() / 16_777_216.0);
    }

    #[test]
    fn a_permutation_has_every_index_once(seed in seed(), n in 0..200usize) {
        let mut indices = vec![0; n];
        permutation(&mut stream(seed), &mut indices).unwrap();
        indices.sort();
        prop_assert!(indices.into_iter().eq(0..n as u32));
    }

    #[test]
    fn a_choice_rises_and_stays_below(seed in seed(), k in 0..60usize, more in 0..60u32) {
        let n = k as u32 + more;
        let mut indices = vec![0; k];
        choose(&mut stream(seed), n, &mut indices).unwrap();
        prop_assert!(indices.is_sorted_by(|a, b| a < b));
        prop_assert!(indices.last().is_none_or(|&last| last < n));
    }

    #[test]
    fn a_category_of_weight_zero_is_never_drawn(seed in seed(), weights in weights(40)) {
        let weights: Vec<f32> = weights.into_iter().map(|weight| weight as f32).collect();
        let n = weights.len();
        let mut sums = vec![0.0; n];
        let (mut share, mut alias, mut queue) = (vec![0.0; n], vec![0; n], vec![0; n]);
        let mut stream = stream(seed);
        let table = AliasTable::build(&weights, &mut share, &mut alias, &mut queue);
        match cumulative_weights(&weights, &mut sums) {
            Ok(()) => {
                let table = table.unwrap();
                for _ in 0..50 {
                    prop_assert!(weights[categorical(&mut stream, &sums).unwrap()] > 0.0);
                    prop_assert!(weights[table.draw(&mut stream).unwrap()] > 0.0);
                }
            }
            Err(error) => prop_assert_eq!(table.unwrap_err(), error),
        }
    }
}
