//! Krylov methods, and the incomplete Cholesky factorization.

use proptest::prelude::*;

use super::linop::{
    laplacian, largest, length, positive_definite, positive_definite_of, sometimes_broken, symmetric,
};
use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

fn integer(size: usize) -> Argument {
    Argument::Integer(size as i64)
}

/// rtol, atol, largest number of iterations.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Relative to ‖b‖.
    pub relative_tolerance: f64,
    /// In the unit of b.
    pub absolute_tolerance: f64,
    /// Zero at times.
    pub max_iterations: usize,
}

impl Rule {
    fn arguments(&self, numbers: &dyn Numbers) -> [Argument; 3] {
        let Self { relative_tolerance, absolute_tolerance, max_iterations } = *self;
        [numbers.scalar(relative_tolerance), numbers.scalar(absolute_tolerance), integer(max_iterations)]
    }
}

/// A rule that `n` unknowns can mostly meet; at times one that asks for too much, or is wrong.
pub fn rule(n: usize) -> impl Strategy<Value = Rule> + Clone {
    let tolerance = prop_oneof![6 => (1..12i32).prop_map(|digits| 10f64.powi(-digits)), 1 => Just(0.0)];
    let relative = prop_oneof![30 => tolerance.clone(), 1 => Just(-1.0), 1 => Just(f64::NAN)];
    let absolute = prop_oneof![2 => Just(0.0), 1 => tolerance];
    (relative, absolute, 0..=3 * n + 4).prop_map(
        |(relative_tolerance, absolute_tolerance, max_iterations)| Rule {
            relative_tolerance,
            absolute_tolerance,
            max_iterations,
        },
    )
}

/// A right-hand side: mostly of moderate entries, zero or wild at times.
pub fn right_hand_side(n: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    prop_oneof![
        10 => proptest::collection::vec(-4.0..4.0f64, n),
        1 => Just(vec![0.0; n]),
        2 => vector(n),
    ]
}

/// A dense square matrix with its size, column by column: of any entries, with a dominant diagonal or not.
pub fn square(largest: usize) -> impl Strategy<Value = (usize, Vec<f64>)> + Clone {
    (0..=largest, 0.0..4.0f64).prop_flat_map(|(n, shift)| {
        let entries = prop_oneof![
            8 => proptest::collection::vec(-1.0..1.0f64, n * n).boxed(),
            1 => vector(n * n).boxed(),
        ];
        entries.prop_map(move |mut entries| {
            for diagonal in entries.iter_mut().step_by(n + 1) {
                *diagonal += shift;
            }
            (n, entries)
        })
    })
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let largest = largest(numbers, memory_bytes, 16);
    let small = largest.min(10);
    let shift = prop_oneof![6 => Just(0.0), 3 => 0.0..1.0f64, 1 => number()];
    let definite = sometimes_broken(prop_oneof![8 => positive_definite(small), 1 => symmetric(small)]);
    Some(match kernel {
        "factor/incomplete_cholesky" => (definite, shift)
            .prop_map(|(matrix, shift)| {
                let mut arguments = matrix.arguments(numbers);
                arguments.push(numbers.scalar(shift));
                arguments
            })
            .boxed(),
        "factor/incomplete_cholesky_apply" => (definite, shift)
            .prop_flat_map(|(matrix, shift)| {
                let x = length(matrix.rows()).prop_flat_map(vector);
                (Just((matrix, shift)), x)
            })
            .prop_map(|((matrix, shift), x)| {
                let mut arguments = matrix.arguments(numbers);
                arguments.extend([numbers.scalar(shift), numbers.vector(x)]);
                arguments
            })
            .boxed(),
        "krylov/cg" => prop_oneof![8 => positive_definite(largest), 1 => symmetric(largest)]
            .prop_flat_map(|matrix| {
                let n = matrix.rows();
                (Just(matrix), length(n).prop_flat_map(right_hand_side), rule(n))
            })
            .prop_map(|(matrix, b, rule)| {
                let n = integer(matrix.rows());
                let mut arguments = vec![n, numbers.vector(matrix.dense(true)), numbers.vector(b)];
                arguments.extend(rule.arguments(numbers));
                arguments
            })
            .boxed(),
        "krylov/cg_step" => (positive_definite_of(8), right_hand_side(8), 0..12usize)
            .prop_map(|(matrix, b, steps)| {
                vec![numbers.vector(matrix.dense(true)), numbers.vector(b), integer(steps)]
            })
            .boxed(),
        "krylov/preconditioned_cg" => (definite, shift)
            .prop_flat_map(|(matrix, shift)| {
                let n = matrix.rows();
                (Just((matrix, shift)), length(n).prop_flat_map(right_hand_side), rule(n))
            })
            .prop_map(|((matrix, shift), b, rule)| {
                let mut arguments = matrix.arguments(numbers);
                arguments.extend([numbers.scalar(shift), numbers.vector(b)]);
                arguments.extend(rule.arguments(numbers));
                arguments
            })
            .boxed(),
        "krylov/deflated_cg" => (positive_definite(small), 0..=3usize)
            .prop_flat_map(|(matrix, pairs)| {
                let n = matrix.rows();
                let vectors =
                    length(n * pairs).prop_flat_map(|count| proptest::collection::vec(-1.0..1.0f64, count));
                let values = proptest::collection::vec(prop_oneof![20 => 0.1..4.0f64, 1 => number()], pairs);
                (Just(matrix), vectors, values, length(n).prop_flat_map(right_hand_side), rule(n))
            })
            .prop_map(|(matrix, vectors, values, b, rule)| {
                let mut arguments = vec![integer(matrix.rows()), numbers.vector(matrix.dense(true))];
                arguments.extend([vectors, values, b].map(|values| numbers.vector(values)));
                arguments.extend(rule.arguments(numbers));
                arguments
            })
            .boxed(),
        "krylov/learned_directions" => prop_oneof![8 => positive_definite(small), 1 => symmetric(small)]
            .prop_flat_map(|matrix| {
                let n = matrix.rows();
                let scale = prop_oneof![12 => 0.1..3.0f64, 2 => number(), 1 => Just(f64::NAN)];
                let diagonal = prop_oneof![4 => Just(vec![1.0; n]), 8 => proptest::collection::vec(scale, n)];
                let safeguard = prop_oneof![20 => Just(0.02), 4 => 0.0..1.0f64, 1 => number()];
                let b = length(n).prop_flat_map(right_hand_side);
                (Just(matrix), diagonal, 0..=3usize, safeguard, b, rule(n))
            })
            .prop_map(|(matrix, diagonal, k, safeguard, b, rule)| {
                let mut arguments = vec![
                    integer(matrix.rows()),
                    numbers.vector(matrix.dense(true)),
                    numbers.vector(diagonal),
                    integer(k),
                    numbers.scalar(safeguard),
                    numbers.vector(b),
                ];
                arguments.extend(rule.arguments(numbers));
                arguments
            })
            .boxed(),
        "krylov/minres" => {
            sometimes_broken(prop_oneof![1 => positive_definite(small), 2 => symmetric(small)])
                .prop_flat_map(|matrix| {
                    let n = matrix.rows();
                    (Just(matrix), length(n).prop_flat_map(right_hand_side), rule(n))
                })
                .prop_map(|(matrix, b, rule)| {
                    let mut arguments = matrix.arguments(numbers);
                    arguments.push(numbers.vector(b));
                    arguments.extend(rule.arguments(numbers));
                    arguments
                })
                .boxed()
        }
        "krylov/gmres" => square(small)
            .prop_flat_map(|(n, entries)| {
                let scales = prop_oneof![
                    2 => Just(vec![1.0; n]),
                    1 => proptest::collection::vec(0.1..3.0f64, n),
                ];
                (Just((n, entries)), scales, length(n).prop_flat_map(right_hand_side), 0..=8usize, rule(n))
            })
            .prop_map(|((n, entries), scales, b, restart, rule)| {
                let mut arguments = vec![
                    integer(n),
                    numbers.vector(entries),
                    numbers.vector(scales),
                    numbers.vector(b),
                    integer(restart),
                ];
                arguments.extend(rule.arguments(numbers));
                arguments
            })
            .boxed(),
        "krylov/sketch_and_project" => square(small)
            .prop_flat_map(|(n, entries)| {
                let b = length(n).prop_flat_map(right_hand_side);
                (Just((n, entries)), b, 0..6usize, any::<i64>(), rule(n))
            })
            .prop_map(|((n, entries), b, sketch, seed, rule)| {
                let mut arguments = vec![
                    integer(n),
                    numbers.vector(entries),
                    numbers.vector(b),
                    integer(sketch),
                    Argument::Integer(seed),
                ];
                arguments.extend(rule.arguments(numbers));
                arguments
            })
            .boxed(),
        "krylov/lsqr" => (0..=largest, 0..=largest)
            .prop_flat_map(|(m, n)| {
                let entries = prop_oneof![
                    8 => proptest::collection::vec(-1.0..1.0f64, m * n).boxed(),
                    1 => vector(m * n).boxed(),
                ];
                (Just((m, n)), entries, length(m).prop_flat_map(right_hand_side), rule(n))
            })
            .prop_map(|((m, n), entries, b, rule)| {
                let mut arguments = vec![integer(m), integer(n), numbers.vector(entries), numbers.vector(b)];
                arguments.extend(rule.arguments(numbers));
                arguments
            })
            .boxed(),
        _ => return None,
    })
}

/// The calls whose cost is reported.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let laplacian = laplacian(4, 4);
    // 8×8, symmetric, with a dominant diagonal.
    let definite: Vec<f64> = (0..64)
        .map(|at| {
            let (i, j) = (at % 8, at / 8);
            if i == j { 6.0 } else { ((i * j + i + j) % 5) as f64 / 4.0 - 0.5 }
        })
        .collect();
    let rule = Rule { relative_tolerance: 1e-4, absolute_tolerance: 0.0, max_iterations: 100 };
    let with_laplacian = |rest: Vec<Argument>| {
        let mut arguments = laplacian.arguments(numbers);
        arguments.extend(rest);
        arguments
    };
    if kernel == "krylov/sketch_and_project" {
        // No tolerance: all the steps are taken.
        let case = |(sketch, name): (usize, &str)| {
            let mut arguments = vec![integer(8), numbers.vector(definite.clone()), numbers.vector(ramp(8))];
            arguments.extend([
                integer(sketch),
                integer(1),
                numbers.scalar(0.0),
                numbers.scalar(0.0),
                integer(8),
            ]);
            CostCase::new(format!("8x8, 8 steps, {name}"), arguments)
        };
        return [(0, "gaussian"), (1, "kaczmarz"), (4, "sparse")].into_iter().map(case).collect();
    }
    let (size, mut arguments, ruled) = match kernel {
        "factor/incomplete_cholesky" => ("4x4 points", with_laplacian(vec![numbers.scalar(0.0)]), false),
        "factor/incomplete_cholesky_apply" => {
            ("4x4 points", with_laplacian(vec![numbers.scalar(0.0), numbers.vector(ramp(16))]), false)
        }
        "krylov/cg" => ("8x8", vec![integer(8), numbers.vector(definite), numbers.vector(ramp(8))], true),
        "krylov/cg_step" => {
            ("8x8", vec![numbers.vector(definite), numbers.vector(ramp(8)), integer(2)], false)
        }
        "krylov/preconditioned_cg" => {
            ("4x4 points", with_laplacian(vec![numbers.scalar(0.0), numbers.vector(ramp(16))]), true)
        }
        "krylov/deflated_cg" => {
            // The constant vector of unit length.
            let pair = [numbers.vector(vec![0.125f64.sqrt(); 8]), numbers.vector(vec![7.0])];
            let mut arguments = vec![integer(8), numbers.vector(definite)];
            arguments.extend(pair);
            arguments.push(numbers.vector(ramp(8)));
            ("8x8, 1 vector", arguments, true)
        }
        "krylov/learned_directions" => {
            let (scales, safeguard) = (numbers.vector(vec![0.25; 8]), numbers.scalar(0.02));
            let matrix = numbers.vector(definite);
            let arguments = vec![integer(8), matrix, scales, integer(2), safeguard, numbers.vector(ramp(8))];
            ("8x8, 2 previous", arguments, true)
        }
        "krylov/minres" => ("4x4 points", with_laplacian(vec![numbers.vector(ramp(16))]), true),
        "krylov/gmres" => {
            let ones = numbers.vector(vec![1.0; 8]);
            let b = numbers.vector(ramp(8));
            ("8x8, restart 4", vec![integer(8), numbers.vector(definite), ones, b, integer(4)], true)
        }
        "krylov/lsqr" => {
            let (entries, b) = (numbers.vector(ramp(32)), numbers.vector(ramp(8)));
            ("8x4", vec![integer(8), integer(4), entries, b], true)
        }
        _ => return Vec::new(),
    };
    if ruled {
        arguments.extend(rule.arguments(numbers));
    }
    vec![CostCase::new(size, arguments)]
}
