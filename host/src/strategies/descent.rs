//! Descent methods and what they minimize.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number, ramp, vector};
use crate::place::Argument;

/// Kernels of `optim` and `loss` that this family generates.
pub fn holds(kernel: &str) -> bool {
    const KERNELS: [&str; 8] = [
        "optim/gradient_regularized_step",
        "optim/rank_one_step",
        "optim/regularized_newton",
        "optim/cubic_newton",
        "optim/gradient_descent",
        "optim/levenberg_marquardt",
        "loss/objective",
        "loss/logistic",
    ];
    KERNELS.contains(&kernel)
}

/// Entries of a problem that can be solved: moderate mostly.
fn entries(count: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    let entry = prop_oneof![12 => -2.0..2.0f64, 3 => (-2..=2i32).prop_map(f64::from), 1 => number()];
    proptest::collection::vec(entry, count)
}

/// A problem as the endpoints take it.
#[derive(Clone, Debug)]
struct Problem {
    /// 0 to 2 equations (linear, Rosenbrock, a chain), 3 log-sum-exp, 4 logistic regression.
    kind: i64,
    /// 0 exact, 1 approximate, 2 of rank one.
    hessian: i64,
    parameter: f64,
    matrix: Vec<f64>,
    offsets: Vec<f64>,
    initial: Vec<f64>,
}

impl Problem {
    fn equations(&self, numbers: &dyn Numbers) -> Vec<Argument> {
        [&self.matrix, &self.offsets, &self.initial].map(|values| numbers.vector(values.clone())).to_vec()
    }

    fn arguments(&self, numbers: &dyn Numbers) -> Vec<Argument> {
        let mut arguments = vec![Argument::Integer(self.kind), Argument::Integer(self.hessian)];
        arguments.push(numbers.scalar(self.parameter));
        arguments.extend(self.equations(numbers));
        arguments
    }
}

fn problem(longest: usize, kinds: i64) -> impl Strategy<Value = Problem> + Clone {
    let parameter = prop_oneof![6 => 2.0..6.0f64, 6 => (2..=5i32).prop_map(f64::from), 1 => 0.1..2.0f64, 1 => Just(f64::NAN)];
    (0..kinds, 0..3i64, parameter, 1..=longest, 1..=2 * longest).prop_flat_map(
        |(kind, hessian, parameter, n, m)| {
            let n = if kind == 1 { 2 } else { n };
            let (m, dense) = if kind == 1 || kind == 2 { (0, 0) } else { (m, m * n) };
            (entries(dense), entries(m), entries(n)).prop_map(move |(matrix, mut offsets, initial)| {
                if kind == 4 {
                    offsets.iter_mut().for_each(|label| *label = if *label < 0.0 { -1.0 } else { 1.0 });
                }
                Problem { kind, hessian, parameter, matrix, offsets, initial }
            })
        },
    )
}

/// B of a problem of n variables: nothing, a diagonal, or a diagonally dominant matrix; bad at times.
fn metric(n: usize) -> impl Strategy<Value = Vec<f64>> + Clone {
    let diagonal = proptest::collection::vec(prop_oneof![8 => 0.1..4.0f64, 1 => number()], n);
    let dense = proptest::collection::vec(-1.0..1.0f64, n * n).prop_map(move |mut entries| {
        (0..n).for_each(|i| entries[i * (n + 1)] += n as f64);
        entries
    });
    prop_oneof![3 => Just(Vec::new()), 2 => diagonal, 2 => dense]
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = if memory_bytes < 10_000 { 4 } else { 8 };
    let tolerance = || prop_oneof![4 => 1e-5..1e-2f64, 2 => Just(0.0), 1 => Just(f64::NAN)];
    let ending = move |(tolerance, steps): (f64, i64)| [numbers.scalar(tolerance), Argument::Integer(steps)];
    Some(match kernel {
        "optim/gradient_regularized_step" => {
            let radius = prop_oneof![8 => 1e-3..1e3f64, 1 => number()];
            spoiled(
                (0..=longest, radius)
                    .prop_flat_map(|(n, radius)| (entries(n * n), vector(n), metric(n), Just((n, radius))))
                    .prop_map(move |(root, gradient, metric, (n, radius))| {
                        // Of rank n mostly; not a square at times.
                        let square = |place: usize| {
                            (0..n).map(|k| root[k * n + place / n] * root[k * n + place % n]).sum()
                        };
                        let hessian = (0..n * n).map(square).collect();
                        let mut arguments =
                            [hessian, gradient, metric].map(|values| numbers.vector(values)).to_vec();
                        arguments.extend([radius, 1e-8].map(|value| numbers.scalar(value)));
                        arguments
                    }),
            )
        }
        "optim/rank_one_step" => spoiled(
            (0..=3 * longest, number(), 1e-3..1e3f64)
                .prop_flat_map(|(n, weight, shift)| {
                    (vector(n), vector(n), vector(n), Just((weight.abs(), shift)))
                })
                .prop_map(move |(q, w, v, (weight, shift))| {
                    let mut arguments = [q, w, v].map(|values| numbers.vector(values)).to_vec();
                    arguments.extend([weight, shift].map(|value| numbers.scalar(value)));
                    arguments
                }),
        ),
        "loss/objective" => spoiled(problem(longest, 5).prop_map(move |problem| problem.arguments(numbers))),
        "loss/logistic" => {
            prop_oneof![3 => number(), 1 => -100.0..100.0f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)]
                .prop_map(move |margin| vec![numbers.scalar(margin)])
                .boxed()
        }
        "optim/levenberg_marquardt" => {
            spoiled((problem(longest, 3), (tolerance(), 0..=12i64)).prop_map(move |(problem, stop)| {
                let mut arguments = vec![Argument::Integer(problem.kind)];
                arguments.extend(problem.equations(numbers));
                arguments.extend(ending(stop));
                arguments
            }))
        }
        "optim/regularized_newton" | "optim/cubic_newton" | "optim/gradient_descent" => {
            let newton = kernel == "optim/regularized_newton";
            let steps: i64 = if kernel == "optim/cubic_newton" { 4 } else { 12 };
            let exponent = prop_oneof![4 => Just(1.0), 2 => 0.3..1.0f64];
            let with_metric =
                problem(longest, 5).prop_flat_map(|problem| (metric(problem.initial.len()), Just(problem)));
            spoiled((with_metric, (tolerance(), 0..=steps), exponent, 0..3i64).prop_map(
                move |((metric, problem), stop, exponent, test)| {
                    let mut arguments = problem.arguments(numbers);
                    arguments.push(numbers.vector(metric));
                    arguments.extend(ending(stop));
                    if newton {
                        arguments.extend([numbers.scalar(exponent), Argument::Integer(test)]);
                    }
                    arguments
                },
            ))
        }
        _ => return None,
    })
}

/// The calls whose cost is reported: log-sum-exp of 24 rows in 8 variables, a chain of 8.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let n = 8;
    let vector = |values: Vec<f64>| numbers.vector(values);
    let lse = |hessian| Problem {
        kind: 3,
        hessian,
        parameter: 0.5,
        matrix: ramp(24 * n),
        offsets: ramp(24),
        initial: vec![1.0; n],
    };
    let ending = |steps: i64| [numbers.scalar(0.0), Argument::Integer(steps)];
    let solve = |steps: i64| {
        let mut arguments = lse(0).arguments(numbers);
        arguments.push(vector(Vec::new()));
        arguments.extend(ending(steps));
        if kernel == "optim/regularized_newton" {
            arguments.extend([numbers.scalar(1.0), Argument::Integer(2)]);
        }
        CostCase::new(format!("log-sum-exp 24x8, {steps} steps"), arguments)
    };
    match kernel {
        "optim/gradient_regularized_step" => {
            let mut hessian = vec![0.0; n * n];
            (0..n).for_each(|i| hessian[i * (n + 1)] = 1.0);
            let mut arguments = [hessian, ramp(n), Vec::new()].map(vector).to_vec();
            arguments.extend([1.0, 1e-8].map(|value| numbers.scalar(value)));
            vec![CostCase::new("8", arguments)]
        }
        "optim/rank_one_step" => {
            let mut arguments = [ramp(64), ramp(64), ramp(64)].map(vector).to_vec();
            arguments.extend([0.5, 2.0].map(|value| numbers.scalar(value)));
            vec![CostCase::new("64", arguments)]
        }
        "loss/objective" => [(0, "exact"), (1, "Gauss-Newton")]
            .map(|(hessian, name)| {
                CostCase::new(format!("log-sum-exp 24x8, {name}"), lse(hessian).arguments(numbers))
            })
            .into(),
        "loss/logistic" => vec![CostCase::new("", vec![numbers.scalar(0.75)])],
        "optim/levenberg_marquardt" => [1, 5]
            .map(|steps| {
                let mut arguments = vec![Argument::Integer(2), vector(Vec::new()), vector(Vec::new())];
                arguments.push(vector(vec![0.5; n]));
                arguments.extend(ending(steps));
                CostCase::new(format!("chain of 8, {steps} steps"), arguments)
            })
            .into(),
        "optim/regularized_newton" | "optim/cubic_newton" | "optim/gradient_descent" => {
            [1, 5].map(solve).into()
        }
        _ => Vec::new(),
    }
}
