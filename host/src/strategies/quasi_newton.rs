//! Line searches on cubics, quasi-Newton methods on quadratic functions that are convex mostly.

use proptest::prelude::*;

use super::nn::spoiled;
use super::optim::in_a_box;
use super::{Arguments, CostCase, Numbers, number, ramp};
use crate::place::Argument;

/// Whether a kernel is of this family.
pub fn holds(kernel: &str) -> bool {
    ["optim/armijo", "optim/strong_wolfe", "optim/lbfgs", "optim/lbfgsb"].contains(&kernel)
}

/// A root and a shift to A = RᵀR + shift·I.
fn matrix(n: usize, root: &[f64], shift: f64) -> Vec<f64> {
    let entry = |i: usize, j: usize| (0..n).map(|k| root[k * n + i] * root[k * n + j]).sum::<f64>();
    (0..n * n)
        .map(|place| entry(place / n, place % n) + if place / n == place % n { shift } else { 0.0 })
        .collect()
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, _memory_bytes: usize) -> Option<Arguments> {
    let longest = 5;
    let tolerance = prop_oneof![4 => 1e-6..1e-2f64, 1 => Just(0.0), 1 => Just(f64::NAN)];
    Some(match kernel {
        "optim/armijo" | "optim/strong_wolfe" => {
            let coefficient = || prop_oneof![6 => -2.0..2.0f64, 1 => number()];
            let line = (coefficient(), -2.0..0.2f64, coefficient(), coefficient());
            let first = prop_oneof![6 => 1e-3..8.0f64, 1 => Just(1e20), 1 => Just(0.0)];
            spoiled((line, first).prop_map(move |((c0, c1, c2, c3), first)| {
                vec![numbers.vector(vec![c0, c1, c2, c3]), numbers.scalar(first)]
            }))
        }
        "optim/lbfgs" | "optim/lbfgsb" => {
            let boxed = kernel == "optim/lbfgsb";
            let shift = prop_oneof![6 => 0.0..1.0f64, 1 => Just(-1.0)];
            let problem = in_a_box(longest).prop_flat_map(|vectors| {
                let n = vectors[0].len();
                (Just(vectors), proptest::collection::vec(-2.0..2.0f64, n * n))
            });
            spoiled((problem, shift, tolerance, 0..=40i64).prop_map(
                move |(([x, b, lower, upper], root), shift, tolerance, steps)| {
                    let mut vectors = vec![matrix(x.len(), &root, shift), b, x];
                    if boxed {
                        vectors.extend([lower, upper]);
                    }
                    let mut arguments: Vec<_> =
                        vectors.into_iter().map(|values| numbers.vector(values)).collect();
                    arguments.extend([numbers.scalar(tolerance), Argument::Integer(steps)]);
                    arguments
                },
            ))
        }
        _ => return None,
    })
}

/// The calls whose cost is reported; the tolerance is never met.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let n = 8;
    match kernel {
        "optim/armijo" | "optim/strong_wolfe" => {
            let arguments = vec![numbers.vector(vec![0.5, -1.0, 0.25, 1.0]), numbers.scalar(4.0)];
            vec![CostCase::new("a cubic", arguments)]
        }
        "optim/lbfgs" | "optim/lbfgsb" => {
            let mut vectors = vec![matrix(n, &ramp(n * n), 1.0), ramp(n), vec![0.0; n]];
            if kernel == "optim/lbfgsb" {
                vectors.extend([vec![-0.25; n], vec![0.25; n]]);
            }
            let case = |steps: i64| {
                let mut arguments: Vec<_> =
                    vectors.iter().map(|values| numbers.vector(values.clone())).collect();
                arguments.extend([numbers.scalar(0.0), Argument::Integer(steps)]);
                CostCase::new(format!("8, {steps} steps"), arguments)
            };
            vec![case(5), case(10)]
        }
        _ => Vec::new(),
    }
}
