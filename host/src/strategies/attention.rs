//! Softmax attention and its support vector machines.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

/// Kernels of `nn`, `optim` and `prox` that this family generates.
pub fn holds(kernel: &str) -> bool {
    const KERNELS: [&str; 6] = [
        "nn/attention",
        "nn/attention_factors",
        "optim/normalized_step",
        "optim/nuclear_svm",
        "prox/outer_products",
        "prox/singular_soft_threshold",
    ];
    KERNELS.contains(&kernel)
}

/// Entries at which little overflows, mostly.
fn entries(count: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    let entry = prop_oneof![14 => -2.0..2.0f64, 2 => (-2..=2i32).prop_map(f64::from), 1 => number()];
    proptest::collection::vec(entry, count)
}

fn size(value: usize) -> Argument {
    Argument::Integer(value as i64)
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = if memory_bytes < 10_000 { 3_usize } else { 6 };
    let vectors = move |values: Vec<Vec<f64>>| values.into_iter().map(|values| numbers.vector(values));
    Some(match kernel {
        "nn/attention" | "nn/attention_factors" => {
            let factors = kernel == "nn/attention_factors";
            let sizes = (1..=longest, 1..=longest, 1..=longest, 0..=longest);
            spoiled(
                sizes
                    .prop_flat_map(move |(n, length, d, rank)| {
                        let labels = proptest::collection::vec(any::<bool>(), n).prop_map(|signs| {
                            signs.into_iter().map(|s| if s { 1.0 } else { -1.0 }).collect()
                        });
                        let weights = if factors { d * rank } else { d * d };
                        let data = (entries(n * length * d), entries(n * d), entries(d), labels);
                        (Just(length), data, entries(weights), entries(weights))
                    })
                    .prop_map(move |(length, (tokens, queries, head, labels), w, other)| {
                        let mut arguments = vec![size(length)];
                        arguments.extend(vectors(vec![tokens, queries, head, labels, w]));
                        if factors {
                            arguments.push(numbers.vector(other));
                        }
                        arguments
                    }),
            )
        }
        "optim/normalized_step" => spoiled(
            (0..=8 * longest, prop_oneof![4 => 1e-3..1.0f64, 1 => number()])
                .prop_flat_map(|(n, rate)| (Just(rate), vector(n), vector(n)))
                .prop_map(move |(rate, theta, gradient)| {
                    let mut arguments = vec![numbers.scalar(rate)];
                    arguments.extend(vectors(vec![theta, gradient]));
                    arguments
                }),
        ),
        "prox/outer_products" | "optim/nuclear_svm" => {
            let svm = kernel == "optim/nuclear_svm";
            spoiled(
                (1..=longest, 1..=longest, 0..=2 * longest, 0..=1_usize, 0..=12i64)
                    .prop_flat_map(move |(p, q, m, initial, budget)| {
                        // A wide matrix is refused, and more constraints than entries cannot be met, as a rule.
                        let wide = svm && p < q && initial == 0;
                        let (p, q) = if wide { (q, p) } else { (p, q) };
                        let m = if svm { m.min(p * q) } else { m };
                        let entries = (entries(p * m), entries(q * m), entries(initial * p * q));
                        (Just((p, q, budget)), entries)
                    })
                    .prop_map(move |((p, q, budget), (left, right, initial))| {
                        let mut arguments = vec![size(p), size(q)];
                        arguments.extend(vectors(vec![left, right]));
                        if svm {
                            arguments.extend([Argument::Integer(budget), Argument::Integer(20)]);
                        } else {
                            arguments.push(numbers.vector(initial));
                            arguments.extend([numbers.scalar(1e-6), Argument::Integer(4 * budget)]);
                        }
                        arguments
                    }),
            )
        }
        "prox/singular_soft_threshold" => spoiled(
            (1..=longest, 0..=longest, number())
                .prop_flat_map(|(n, more, weight)| (Just((n + more, n, weight)), entries((n + more) * n)))
                .prop_map(move |((rows, columns, weight), w)| {
                    vec![size(rows), size(columns), numbers.vector(w), numbers.scalar(weight)]
                }),
        ),
        _ => return None,
    })
}

/// The calls whose cost is reported: 3 sequences of 4 tokens in 4 dimensions, and the 9 constraints of as many.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let (n, length, d, m) = (3, 4, 4, 9);
    let vector = |count: usize| numbers.vector(ramp(count));
    let network = || {
        let labels = numbers.vector(vec![1.0, -1.0, 1.0]);
        vec![size(length), vector(n * length * d), vector(n * d), vector(d), labels, vector(d * d)]
    };
    let constraints = || vec![size(d), size(d), vector(d * m), vector(d * m)];
    let (name, arguments) = match kernel {
        "nn/attention" => ("3x4x4", network()),
        "nn/attention_factors" => ("3x4x4", [network(), vec![vector(d * d)]].concat()),
        "optim/normalized_step" => ("64", vec![numbers.scalar(0.125), vector(64), vector(64)]),
        "prox/singular_soft_threshold" => {
            ("4x4", vec![size(d), size(d), vector(d * d), numbers.scalar(0.25)])
        }
        "prox/outer_products" => {
            let ending = vec![numbers.vector(Vec::new()), numbers.scalar(0.0), Argument::Integer(10)];
            ("9 on 4x4, 10 sweeps", [constraints(), ending].concat())
        }
        "optim/nuclear_svm" => (
            "9 on 4x4, 2 rounds",
            [constraints(), vec![Argument::Integer(2), Argument::Integer(10)]].concat(),
        ),
        _ => return Vec::new(),
    };
    vec![CostCase::new(name, arguments)]
}
