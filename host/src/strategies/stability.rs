//! Stability of stochastic gradient descent.

use proptest::prelude::*;

use super::nn::spoiled;
use super::random::seed;
use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

fn entries(length: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    proptest::collection::vec(-2.0..2.0f64, length)
}

fn integer(value: usize) -> Argument {
    Argument::Integer(value as i64)
}

/// Random gradients at a minimum, and a batch drawn from them.
#[derive(Clone, Debug)]
pub struct Gradients {
    /// P.
    pub parameters: usize,
    /// A gradient after the other, each of P entries.
    pub entries: Vec<f64>,
}

impl Gradients {
    /// n.
    pub fn samples(&self) -> usize {
        self.entries.len() / self.parameters
    }

    /// gᵢ.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> + Clone {
        self.entries.chunks(self.parameters)
    }
}

/// Up to `largest` gradients of up to as many parameters, none of them 0.
pub fn gradients(largest: usize) -> impl Strategy<Value = Gradients> {
    (1..=largest, 1..=largest).prop_flat_map(|(samples, parameters)| {
        entries(samples * parameters).prop_map(move |mut entries| {
            // One entry of each has a size, so that nothing vanishes.
            for gradient in entries.chunks_mut(parameters) {
                gradient[0] += f64::copysign(0.1, gradient[0]);
            }
            Gradients { parameters, entries }
        })
    })
}

/// A batch factor, the ends among them.
fn factor() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![2 => Just(1.0), 1 => Just(0.0), 3 => 0.0..1.0f64]
}

/// θ, X and y of a diagonal linear network of d inputs and n samples, and a learning rate, often too large.
fn training(largest: usize) -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Vec<f64>, f64)> {
    (1..=largest, 1..=8_usize).prop_flat_map(|(inputs, samples)| {
        (entries(2 * inputs), entries(inputs * samples), entries(samples), 1e-3..0.3f64)
    })
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let largest = (memory_bytes / numbers.bytes() / 16).isqrt().min(8);
    let symmetric = move |n: usize| {
        entries(n * n).prop_map(move |entries| {
            (0..n * n).map(|at| entries[at] + entries[at / n + at % n * n]).collect::<Vec<_>>()
        })
    };
    Some(match kernel {
        "stability/batch_factor" => (0..40_i64, 0..40_i64, 0..=2_i64)
            // One beyond all samples at most.
            .prop_map(|(samples, batch, sampling)| [samples, batch % (samples + 2), sampling])
            .prop_map(|sizes| sizes.map(Argument::Integer).to_vec())
            .boxed(),
        "stability/ratios" => spoiled((1e-3..2.0f64, factor(), 0..32_i64, vector(5)).prop_map(
            move |(learning_rate, factor, mask, known)| {
                vec![
                    numbers.scalar(learning_rate),
                    numbers.scalar(factor),
                    Argument::Integer(mask),
                    numbers.vector(known.into_iter().map(f64::abs).collect()),
                ]
            },
        )),
        "stability/trackers" => spoiled((0..50_usize, 0..=10_usize).prop_flat_map(move |(window, steps)| {
            (vector(steps), vector(steps), vector(steps), vector(steps)).prop_map(
                move |(q, r, loss, products)| {
                    let q = q.into_iter().map(f64::abs).collect();
                    let vectors = [q, r, loss, products].map(|values| numbers.vector(values));
                    [vec![integer(window)], vectors.to_vec()].concat()
                },
            )
        })),
        "stability/hutchinson" => {
            spoiled((0..=largest, seed(), 0..8_i64).prop_flat_map(move |(n, seed, draws)| {
                symmetric(n).prop_map(move |matrix| {
                    let seed = Argument::Integer(seed);
                    vec![integer(n), numbers.vector(matrix), seed, Argument::Integer(draws)]
                })
            }))
        }
        "stability/nonuniformity" => {
            spoiled((1..=largest, 0..30_i64).prop_flat_map(move |(n, iterations)| {
                (symmetric(n), symmetric(n), entries(n)).prop_map(move |(mean, squares, start)| {
                    let mut arguments = vec![integer(n)];
                    arguments.extend([mean, squares, start].map(|values| numbers.vector(values)));
                    arguments.extend([numbers.scalar(1e-3), Argument::Integer(iterations)]);
                    arguments
                })
            }))
        }
        "stability/alignment" => spoiled((0..=largest, 0..=largest).prop_flat_map(move |(n, size)| {
            (entries(n), entries(n * size)).prop_map(move |vectors| {
                <[_; 2]>::from(vectors).map(|values| numbers.vector(values)).to_vec()
            })
        })),
        "stability/threshold" => {
            spoiled((1..=largest.min(6), 1..=largest, factor(), 0..60_i64).prop_flat_map(
                move |(size, samples, factor, iterations)| {
                    (proptest::collection::vec(0.05..4.0f64, size), entries(size * samples)).prop_map(
                        move |(eigenvalues, projections)| {
                            let vectors = [eigenvalues, projections].map(|values| numbers.vector(values));
                            let mut arguments = vectors.to_vec();
                            arguments.extend([factor, 1e-6].map(|value| numbers.scalar(value)));
                            arguments.push(Argument::Integer(iterations));
                            arguments
                        },
                    )
                },
            ))
        }
        "stability/guard" => spoiled(
            (1..=largest, 0..=24_usize, (0..=1_i64, 0..=6_i64, 0..=6_i64), factor(), 0..=1_i64, 0.01..4.0f64)
                .prop_flat_map(move |(size, steps, (policy, window, interval), factor, pairs, rate)| {
                    // Now and then a residual that overflows everything.
                    let residual = prop_oneof![20 => -4.0..4.0f64, 1 => Just(1e30), 1 => number()];
                    let residuals = proptest::collection::vec(residual, steps);
                    let losses = proptest::collection::vec(0.0..40.0f64, steps);
                    (entries(size), entries(size * steps), residuals, losses).prop_map(
                        move |(theta, gradients, residuals, losses)| {
                            let mut arguments = [policy, window, interval].map(Argument::Integer).to_vec();
                            arguments.extend([numbers.scalar(factor), Argument::Integer(pairs)]);
                            arguments.push(numbers.scalar(rate));
                            let vectors = [theta, gradients, residuals, losses];
                            arguments.extend(vectors.map(|values| numbers.vector(values)));
                            arguments
                        },
                    )
                }),
        ),
        "stability/plain_steps" | "stability/guarded_steps" => spoiled(
            (training(largest), seed(), 0..80_i64).prop_map(move |((theta, x, y, rate), seed, steps)| {
                let mut arguments = [theta, x, y].map(|values| numbers.vector(values)).to_vec();
                arguments.push(numbers.scalar(rate));
                arguments.extend([seed, steps].map(Argument::Integer));
                arguments
            }),
        ),
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let vector = |n| numbers.vector(ramp(n));
    let positive = |n| numbers.vector(ramp(n).into_iter().map(|value| value + 1.0).collect());
    let scalar = |value| numbers.scalar(value);
    let (size, arguments) = match kernel {
        "stability/batch_factor" => ("", vec![integer(24), integer(2), integer(1)]),
        "stability/ratios" => ("", vec![scalar(0.1), scalar(0.5), integer(31), positive(5)]),
        "stability/trackers" => {
            ("16 steps", vec![integer(16), positive(16), vector(16), positive(16), vector(16)])
        }
        "stability/hutchinson" => ("16x16, 4 draws", vec![integer(16), vector(256), integer(1), integer(4)]),
        "stability/nonuniformity" => {
            let matrices = vec![integer(8), vector(64), positive(64), positive(8)];
            ("8x8, 10 iterations", [matrices, vec![scalar(0.0), integer(10)]].concat())
        }
        "stability/alignment" => ("8 gradients of 16", vec![positive(8), vector(128)]),
        "stability/threshold" => {
            let problem = vec![positive(4), vector(32), scalar(1.0)];
            ("8 samples, 4 eigenvalues, 10 iterations", [problem, vec![scalar(0.0), integer(10)]].concat())
        }
        "stability/guard" => {
            let settings = vec![integer(0), integer(16), integer(32), scalar(1.0), integer(0), scalar(1e-3)];
            let steps = vec![vector(8), vector(8 * 32), vector(32), positive(32)];
            ("32 steps of 8", [settings, steps].concat())
        }
        "stability/plain_steps" | "stability/guarded_steps" => {
            // 32 steps, one check among them, of the board's network: 80 parameters, 16 samples.
            let training = vec![vector(80), vector(640), vector(16), scalar(0.01), integer(1), integer(32)];
            ("32 steps of 80", training)
        }
        _ => return Vec::new(),
    };
    vec![CostCase::new(size, arguments)]
}
