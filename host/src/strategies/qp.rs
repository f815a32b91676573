//! Quadratic programs, of all kinds: with and without solutions, degenerate, badly scaled, not convex.

use proptest::prelude::*;

use super::nn::spoiled;
use super::{Arguments, CostCase, Numbers, number, ramp};
use crate::place::Argument;
use crate::qp::{Pattern, Program, Sparse};

/// Entries are few digits apart mostly: dependent rows and vanishing pivots are common.
fn entry() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![6 => (-2..=2i32).prop_map(f64::from), 4 => -2.0..2.0f64, 1 => number()]
}

/// A dense P (both triangles), q, A by rows, and bounds.
#[derive(Clone, Debug)]
pub struct Parts {
    pub p: Vec<f64>,
    pub q: Vec<f64>,
    pub a: Vec<f64>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
}

/// At most `longest` variables and twice as many constraints.
pub fn parts(longest: usize) -> impl Strategy<Value = Parts> {
    let infinity = f64::INFINITY;
    let bounds = prop_oneof![
        3 => (entry(), entry()).prop_map(|(x, y)| (x.min(y), x.max(y))),
        2 => entry().prop_map(|x| (x, x)),
        2 => entry().prop_map(move |x| (-infinity, x)),
        2 => entry().prop_map(move |x| (x, infinity)),
        1 => Just((-infinity, infinity)),
    ];
    (1..=longest, 0..=2 * longest).prop_flat_map(move |(n, m)| {
        let entries = |count| proptest::collection::vec(entry(), count);
        let rank = prop_oneof![Just(n), 0..=n];
        let shift = prop_oneof![4 => Just(0.0), 4 => Just(0.1), 1 => Just(-1.0)];
        let rows = proptest::collection::vec(bounds.clone(), m);
        (entries(n * n), rank, shift, entries(n), entries(m * n), rows).prop_map(
            move |(root, rank, shift, q, a, rows)| {
                let mut p = vec![0.0; n * n];
                for (place, p) in p.iter_mut().enumerate() {
                    let (i, j) = (place / n, place % n);
                    *p = (0..rank).map(|k| root[k * n + i] * root[k * n + j]).sum();
                    if i == j {
                        *p += shift;
                    }
                }
                let (lower, upper) = rows.into_iter().unzip();
                Parts { p, q, a, lower, upper }
            },
        )
    })
}

impl Parts {
    /// As a program; `None` if it is none.
    pub fn program(&self) -> Option<Program> {
        let (n, m) = (self.q.len(), self.lower.len());
        let entries = |values: &[f64]| {
            let all = values.iter().enumerate().filter(|&(_, &value)| value != 0.0);
            all.map(|(place, &value)| (place / n, place % n, value)).collect()
        };
        let p = Sparse::from_entries(n, n, entries(&self.p));
        let a = Sparse::from_entries(m, n, entries(&self.a));
        let (q, lower, upper) = (self.q.clone(), self.lower.clone(), self.upper.clone());
        Program::new(&p, q, a, lower, upper, 0.0).ok()
    }

    fn dense(&self, numbers: &dyn Numbers, tolerance: f64, steps: i64) -> Vec<Argument> {
        let (n, m) = (self.q.len(), self.lower.len());
        let by_columns = (0..n).flat_map(|j| (0..m).map(move |i| (i, j))).map(|(i, j)| self.a[i * n + j]);
        let vectors = [&self.p, &self.q, &by_columns.collect(), &self.lower, &self.upper];
        let mut arguments: Vec<_> = vectors.map(|values| numbers.vector(values.clone())).to_vec();
        arguments.extend([numbers.scalar(tolerance), Argument::Integer(steps)]);
        arguments
    }
}

fn sparse(program: &Program, numbers: &dyn Numbers, tolerance: f64, steps: i64) -> Vec<Argument> {
    let pattern = Pattern::new(&program.p, &program.a);
    let matrix = |matrix: &Sparse| {
        [
            Argument::Indices(matrix.pointers.clone()),
            Argument::Indices(matrix.indices.clone()),
            numbers.vector(matrix.values.clone()),
        ]
    };
    let mut arguments = [matrix(&program.p), matrix(&program.a)].concat();
    arguments.extend([&program.q, &program.lower, &program.upper].map(|v| numbers.vector(v.clone())));
    let Pattern { order, matrix_pointers, matrix_rows, matrix_sources, factor_pointers, factor_rows } =
        pattern;
    arguments.extend(
        [order, matrix_pointers, matrix_rows, matrix_sources, factor_pointers, factor_rows]
            .map(Argument::Indices),
    );
    arguments.extend([numbers.scalar(tolerance), Argument::Integer(steps)]);
    arguments
}

/// The arguments of this family's kernels.
pub fn arguments(kernel: &str, numbers: &'static dyn Numbers, memory_bytes: usize) -> Option<Arguments> {
    let longest = if memory_bytes < 10_000 { 3 } else { 5 };
    let tolerance = || prop_oneof![4 => 1e-4..1e-2f64, 1 => Just(0.0), 1 => Just(f64::NAN)];
    Some(match kernel {
        "optim/qp_splitting" | "optim/qp_interior_point" => {
            let most: i64 = if kernel == "optim/qp_splitting" { 60 } else { 20 };
            spoiled(
                (parts(longest), tolerance(), 0..=most)
                    .prop_map(move |(parts, tolerance, steps)| parts.dense(numbers, tolerance, steps)),
            )
        }
        "optim/qp_sparse" => (parts(longest.min(4)), tolerance(), 0..=60i64)
            .prop_filter_map("no program", move |(parts, tolerance, steps)| {
                Some(sparse(&parts.program()?, numbers, tolerance, steps))
            })
            .boxed(),
        _ => return None,
    })
}

/// The calls whose cost is reported: 8 variables, 8 bounds and 4 rows; the tolerance is never met.
pub fn cost_cases(kernel: &str, numbers: &'static dyn Numbers) -> Vec<CostCase> {
    let (n, m) = (8, 12);
    let root = ramp(n * n);
    let mut a = ramp(m * n);
    a[4 * n..].fill(0.0);
    (0..n).for_each(|j| a[(4 + j) * n + j] = 1.0);
    let p = (0..n * n).map(|place| {
        let (i, j) = (place / n, place % n);
        (0..n).map(|k| root[k * n + i] * root[k * n + j]).sum::<f64>() + if i == j { 1.0 } else { 0.0 }
    });
    let parts = Parts { p: p.collect(), q: ramp(n), a, lower: vec![-0.125; m], upper: vec![0.125; m] };
    let case = |steps: i64| {
        let arguments = match kernel {
            "optim/qp_sparse" => sparse(&parts.program()?, numbers, 0.0, steps),
            "optim/qp_splitting" | "optim/qp_interior_point" => parts.dense(numbers, 0.0, steps),
            _ => return None,
        };
        Some(CostCase::new(format!("8x12, {steps} steps"), arguments))
    };
    let counts = if kernel == "optim/qp_interior_point" { [1, 5] } else { [10, 20] };
    counts.into_iter().filter_map(case).collect()
}
