//! Eigenvalues.

use proptest::prelude::*;

use super::linop::{laplacian, length, symmetric};
use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

fn integer(size: usize) -> Argument {
    Argument::Integer(size as i64)
}

/// A dense symmetric matrix with its size, column by column: of any entries mostly; at times of low rank, of
/// huge or tiny entries, or with multiple eigenvalues.
pub fn symmetric_matrix(largest: usize) -> impl Strategy<Value = (usize, Vec<f64>)> + Clone {
    let any = symmetric(largest).prop_map(|matrix| (matrix.rows(), matrix.dense(true)));
    let low_rank = (0..=largest, 1..3usize).prop_flat_map(|(n, rank)| {
        let factors = proptest::collection::vec(proptest::collection::vec(-1.0..1.0f64, n), rank);
        factors.prop_map(move |factors| {
            let entry = |at: usize| factors.iter().map(|x| x[at % n] * x[at / n]).sum();
            (n, (0..n * n).map(entry).collect())
        })
    });
    let multiple = (0..=largest, -2..=2i32).prop_map(|(n, value)| {
        let entry = |at: usize| if at.is_multiple_of(n + 1) { f64::from(value) } else { 0.0 };
        (n, (0..n * n).map(entry).collect())
    });
    let scaled = (any.clone(), prop_oneof![Just(1e-12), Just(1e9)]).prop_map(
        |((n, entries), scale): ((usize, Vec<f64>), f64)| {
            (n, entries.into_iter().map(|entry| entry * scale).collect())
        },
    );
    prop_oneof![8 => any, 2 => low_rank, 1 => multiple, 1 => scaled]
}

/// A matrix of up to `largest` columns and twice as many rows, column by column, with its shape.
pub fn tall_matrix(largest: usize) -> impl Strategy<Value = (usize, usize, Vec<f64>)> + Clone {
    (0..=largest, 0..=largest).prop_flat_map(|(more, n)| {
        let m = n + more;
        let entries = prop_oneof![
            6 => proptest::collection::vec(-1.0..1.0f64, m * n).boxed(),
            1 => proptest::collection::vec((-2..=2i32).prop_map(f64::from), m * n).boxed(),
            1 => vector(m * n).boxed(),
        ];
        (Just(m), Just(n), entries)
    })
}

/// The diagonal and the couplings of a tridiagonal matrix; couplings vanish at times.
pub fn tridiagonal(longest: usize) -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> + Clone {
    (0..=longest).prop_flat_map(|n| {
        let coupling = prop_oneof![8 => -2.0..2.0f64, 1 => Just(0.0), 1 => -1e-9..1e-9f64];
        let diagonal = prop_oneof![
            8 => proptest::collection::vec(-4.0..4.0f64, n).boxed(),
            1 => vector(n).boxed(),
        ];
        (diagonal, proptest::collection::vec(coupling, n))
    })
}

/// Descending numbers.
pub fn descending(longest: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    vector(0..=longest).prop_map(|mut values| {
        values.sort_by(|x, y| y.total_cmp(x));
        values
    })
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    // A matrix and its vectors fit a reply of a quarter of the memory.
    let largest = (memory_bytes / (10 * numbers.bytes())).isqrt().min(12);
    let longest = (memory_bytes / (16 * numbers.bytes())).min(40);
    let matrix = symmetric_matrix(largest);
    let tolerance =
        prop_oneof![8 => (1..7i32).prop_map(|digits| 10f64.powi(-digits)), 1 => Just(0.0), 1 => Just(-1.0)];
    let started = (matrix.clone(), 0..=2usize).prop_flat_map(|((n, entries), excess)| {
        let start = prop_oneof![
            8 => proptest::collection::vec(-1.0..1.0f64, n).boxed(),
            1 => length(n).prop_flat_map(vector).boxed(),
        ];
        (Just((n, entries)), start, 0..=n + excess)
    });
    Some(match kernel.strip_prefix("spectrum/")? {
        "tridiagonal_eigen" => spoiled((tridiagonal(largest), 0..=2usize, 0..3u8).prop_flat_map(
            move |((diagonal, off), few, choice)| {
                let n = diagonal.len();
                let rows = if choice == 0 { n } else { few };
                (Just((diagonal, off, rows)), vector(rows * n)).prop_map(move |((diagonal, off, rows), z)| {
                    vec![numbers.vector(diagonal), numbers.vector(off), integer(rows), numbers.vector(z)]
                })
            },
        )),
        "householder_tridiagonal" => {
            spoiled(matrix.prop_map(|(n, entries)| vec![integer(n), numbers.vector(entries)]))
        }
        "jacobi_eigen" => {
            spoiled((matrix, 0..2usize).prop_map(|((n, entries), vectors)| {
                vec![integer(n), numbers.vector(entries), integer(vectors)]
            }))
        }
        "jacobi_svd" => spoiled(
            tall_matrix(largest * 2 / 3)
                .prop_map(|(m, n, entries)| vec![integer(m), integer(n), numbers.vector(entries)]),
        ),
        "lanczos" => spoiled((started, 0..2usize).prop_map(|(((n, entries), start, steps), full)| {
            vec![integer(n), numbers.vector(entries), numbers.vector(start), integer(steps), integer(full)]
        })),
        "ritz_values" | "gauss_quadrature" => spoiled(
            tridiagonal(longest)
                .prop_map(|(diagonal, off)| vec![numbers.vector(diagonal), numbers.vector(off)]),
        ),
        "ritz_vectors" => spoiled(started.prop_map(|((n, entries), start, steps)| {
            vec![integer(n), numbers.vector(entries), numbers.vector(start), integer(steps)]
        })),
        "power_largest" => {
            spoiled((started, tolerance).prop_map(|(((n, entries), start, budget), tolerance)| {
                let (tolerance, budget) = (numbers.scalar(tolerance), integer(4 * budget));
                vec![integer(n), numbers.vector(entries), numbers.vector(start), tolerance, budget]
            }))
        }
        "power_deflated" => spoiled(
            (matrix, 0..=3usize, tolerance, 0..=20usize)
                .prop_flat_map(|((n, entries), count, tolerance, budget)| {
                    let starts = proptest::collection::vec(-1.0..1.0f64, n * count);
                    (Just((n, entries, count, tolerance, budget)), starts)
                })
                .prop_map(|((n, entries, count, tolerance, budget), starts)| {
                    vec![
                        integer(n),
                        numbers.vector(entries),
                        integer(count),
                        numbers.vector(starts),
                        numbers.scalar(tolerance),
                        integer(budget),
                    ]
                }),
        ),
        "stochastic_quadrature" => {
            spoiled((matrix, any::<u32>(), prop_oneof![1 => Just(0), 9 => 1..=3usize], 0..=6usize).prop_map(
                |((n, entries), seed, starts, steps)| {
                    let seed = Argument::Integer(i64::from(seed));
                    vec![integer(n), numbers.vector(entries), seed, integer(starts), integer(steps)]
                },
            ))
        }
        "gaussian_density" => spoiled(
            (0..=longest, 0..=longest)
                .prop_flat_map(|(nodes, points)| {
                    let weights = proptest::collection::vec(0.0..1.0f64, nodes);
                    let width = prop_oneof![8 => 0.05..3.0f64, 1 => number()];
                    (vector(nodes), weights, width, vector(points))
                })
                .prop_map(|(nodes, weights, width, grid)| {
                    vec![
                        numbers.vector(nodes),
                        numbers.vector(weights),
                        numbers.scalar(width),
                        numbers.vector(grid),
                    ]
                }),
        ),
        "gap_count" | "bulk_statistics" => spoiled(
            (descending(longest), 0..=12usize)
                .prop_map(|(values, count)| vec![numbers.vector(values), integer(count)]),
        ),
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let entries = || numbers.vector(laplacian(4, 2).dense(true));
    let ramp = |n| numbers.vector(ramp(n));
    let full = |n: usize, value: f64| numbers.vector(vec![value; n]);
    let chain = || [full(8, 2.0), full(8, -1.0)];
    let (size, arguments) = match kernel.strip_prefix("spectrum/") {
        Some("tridiagonal_eigen") => {
            let mut arguments = chain().to_vec();
            arguments.extend([integer(0), full(0, 0.0)]);
            ("8, values", arguments)
        }
        Some("householder_tridiagonal") => ("8x8", vec![integer(8), entries()]),
        Some("jacobi_eigen") => ("8x8", vec![integer(8), entries(), integer(1)]),
        Some("jacobi_svd") => ("8x4", vec![integer(8), integer(4), ramp(32)]),
        Some("lanczos") => ("8x8, 4 steps", vec![integer(8), entries(), ramp(8), integer(4), integer(1)]),
        Some("ritz_values" | "gauss_quadrature") => ("8", chain().to_vec()),
        Some("ritz_vectors") => ("8x8, 4 steps", vec![integer(8), entries(), ramp(8), integer(4)]),
        Some("power_largest") => {
            let tolerance = numbers.scalar(1e-3);
            ("8x8, at most 20", vec![integer(8), entries(), ramp(8), tolerance, integer(20)])
        }
        Some("power_deflated") => {
            let (starts, tolerance) = (ramp(16), numbers.scalar(1e-2));
            (
                "8x8, two of at most 20",
                vec![integer(8), entries(), integer(2), starts, tolerance, integer(20)],
            )
        }
        Some("stochastic_quadrature") => {
            ("8x8, 2 starts, 4 steps", vec![integer(8), entries(), integer(1), integer(2), integer(4)])
        }
        Some("gaussian_density") => {
            ("8 nodes, 8 points", vec![ramp(8), full(8, 0.125), numbers.scalar(0.1), ramp(8)])
        }
        Some("gap_count" | "bulk_statistics") => {
            let values: Vec<f64> = (0..64).map(|i| 4.0 / f64::from(i + 1) - 0.1).collect();
            ("64", vec![numbers.vector(values), integer(12)])
        }
        _ => return Vec::new(),
    };
    vec![CostCase::new(size, arguments)]
}
