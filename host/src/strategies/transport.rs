//! Optimal transport: positive masses of equal sums, costs with many ties, potentials near the cost.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number, ramp};
use crate::place::Argument;

/// Masses, cost by columns, and a potential for each side.
#[derive(Clone, Debug)]
pub struct Parts {
    pub a: Vec<f64>,
    pub b: Vec<f64>,
    pub cost: Vec<f64>,
    pub rows: Vec<f64>,
    pub columns: Vec<f64>,
}

/// At most `longest` sources and targets.
pub fn parts(longest: usize) -> impl Strategy<Value = Parts> + Clone {
    let entry = prop_oneof![6 => 0.0..1.0f64, 3 => (0..4i32).prop_map(|c| f64::from(c) / 4.0), 1 => number()];
    let mass = prop_oneof![4 => 0.1..1.0f64, 2 => Just(0.5), 1 => Just(1e-4)];
    (1..=longest, 1..=longest).prop_flat_map(move |(m, n)| {
        let entries = |count| proptest::collection::vec(entry.clone(), count);
        let masses = |count| proptest::collection::vec(mass.clone(), count);
        (masses(m), masses(n), entries(m * n), entries(m), entries(n)).prop_map(
            |(a, b, cost, rows, columns)| {
                // Equal sums, of the single precision numbers as well within its √ε.
                let share = a.iter().sum::<f64>() / b.iter().sum::<f64>();
                let b = b.into_iter().map(|b| b * share).collect();
                Parts { a, b, cost, rows, columns }
            },
        )
    })
}

impl Parts {
    fn problem(&self, numbers: &dyn Numbers) -> Vec<Argument> {
        [&self.a, &self.b, &self.cost].map(|values| numbers.vector(values.clone())).into()
    }
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = if memory_bytes < 10_000 { 5 } else { 8 };
    let weight = || prop_oneof![8 => 0.01..4.0f64, 1 => Just(1e-6), 1 => Just(0.0)];
    let nonzeros = || 0..=9i64;
    let tolerance = || prop_oneof![4 => 1e-4..1e-2f64, 1 => Just(0.0), 1 => Just(f64::NAN)];
    Some(match kernel.strip_prefix("transport/")? {
        "max_k" => spoiled((parts(longest), weight(), nonzeros()).prop_map(move |(parts, weight, k)| {
            let total = parts.b[0];
            let x = numbers.vector(parts.cost);
            vec![x, numbers.scalar(total), numbers.scalar(weight), Argument::Integer(k)]
        })),
        "delta_k" => spoiled((parts(longest), weight(), nonzeros()).prop_map(move |(parts, weight, k)| {
            vec![numbers.vector(parts.cost), numbers.scalar(weight), Argument::Integer(k)]
        })),
        "marginal_error" => {
            let plan = (parts(longest), nonzeros()).prop_flat_map(|(parts, k)| {
                let (m, count) = (parts.a.len() as u32, parts.b.len() * k.min(4) as usize);
                let index = prop_oneof![60 => 0..m, 1 => Just(m)];
                let entry = proptest::collection::vec(0.0..1.0f64, count);
                (Just(parts), proptest::collection::vec(index, count), entry)
            });
            spoiled(plan.prop_map(move |(parts, indices, entries)| {
                let [a, b, entries] = [parts.a, parts.b, entries].map(|values| numbers.vector(values));
                vec![a, b, Argument::Indices(indices), entries]
            }))
        }
        "semidual" | "plan" | "dual" => {
            let dual = kernel.ends_with("/dual");
            spoiled((parts(longest), weight(), nonzeros()).prop_map(move |(parts, weight, k)| {
                let mut arguments = parts.problem(numbers);
                arguments.push(numbers.vector(parts.rows));
                if dual {
                    arguments.push(numbers.vector(parts.columns));
                }
                arguments.extend([numbers.scalar(weight), Argument::Integer(k)]);
                arguments
            }))
        }
        name @ ("ascent" | "quasi_newton" | "sinkhorn") => {
            let sinkhorn = name == "sinkhorn";
            let settings = (weight(), nonzeros(), tolerance(), 0..=40i64);
            spoiled((parts(longest), settings).prop_map(move |(parts, (weight, k, tolerance, steps))| {
                let mut arguments = parts.problem(numbers);
                arguments.push(numbers.scalar(weight));
                if !sinkhorn {
                    arguments.push(Argument::Integer(k));
                }
                arguments.extend([numbers.scalar(tolerance), Argument::Integer(steps)]);
                arguments
            }))
        }
        _ => return None,
    })
}

/// The calls whose cost is reported: 12 sources and targets; the tolerance is never met.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let n = 12;
    let masses = || numbers.vector(vec![1.0 / 16.0; n]);
    let problem = || vec![masses(), masses(), numbers.vector(ramp(n * n))];
    let weight = || numbers.scalar(1.0);
    let with = |head: Vec<Argument>, tail: Vec<Argument>| [head, tail].concat();
    let of = |k: i64| -> Option<Vec<Argument>> {
        let k = || Argument::Integer(k);
        Some(match kernel.strip_prefix("transport/")? {
            "max_k" => vec![numbers.vector(ramp(64)), numbers.scalar(0.5), weight(), k()],
            "delta_k" => vec![numbers.vector(ramp(64)), weight(), k()],
            "marginal_error" => {
                let Argument::Integer(k) = k() else { return None };
                let indices = (0..n as u32 * k as u32).map(|i| i * 5 % n as u32).collect();
                let entries = numbers.vector(vec![1.0 / 64.0; n * k as usize]);
                vec![masses(), masses(), Argument::Indices(indices), entries]
            }
            "semidual" | "plan" => with(problem(), vec![numbers.vector(ramp(n)), weight(), k()]),
            "dual" => with(problem(), vec![numbers.vector(ramp(n)), numbers.vector(ramp(n)), weight(), k()]),
            "ascent" | "quasi_newton" => {
                with(problem(), vec![weight(), k(), numbers.scalar(0.0), Argument::Integer(10)])
            }
            _ => return None,
        })
    };
    if kernel == "transport/sinkhorn" {
        let arguments = with(problem(), vec![weight(), numbers.scalar(0.0), Argument::Integer(10)]);
        return vec![CostCase::new("12x12, 10 steps", arguments)];
    }
    let size = match kernel {
        "transport/max_k" | "transport/delta_k" => "64",
        "transport/ascent" | "transport/quasi_newton" => "12x12, 10 steps",
        _ => "12x12",
    };
    let case = |k: i64| Some(CostCase::new(format!("{size}, k = {k}"), of(k)?));
    [2, 8].into_iter().filter_map(case).collect()
}
