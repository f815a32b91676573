//! Optimal transport against brute force, closed forms, finite differences and POT; quasi-Newton methods against SciPy.
//!
//! The golden vectors come from `tests/golden/generate_transport.py`, which also gives the rule of the costs.

use proptest::prelude::*;
use quern::strategies::transport::{Parts, parts};
use quern_kernels::optim::quasi_newton::{
    Lbfgs, LbfgsSettings, Lbfgsb, LbfgsbSettings, Status as Ending, Stop as Until,
};
use quern_kernels::prox;
use quern_kernels::transport::{
    Ascent, AscentSettings, Problem, QuasiNewton, Regularizer, Report, Sinkhorn, Status, Stop, dual,
    marginal_error, max_k, plan, semidual,
};

const GOLDEN: &str = include_str!("../../golden/transport.csv");

struct Golden {
    kind: &'static str,
    m: usize,
    n: usize,
    k: usize,
    regularization: f64,
    values: Vec<f64>,
}

fn golden(kind: &str) -> Vec<Golden> {
    let line = |line: &'static str| {
        let mut fields = line.split(',');
        let kind = fields.next().unwrap();
        let mut size = || fields.next().unwrap().parse().unwrap();
        let (m, n, k) = (size(), size(), size());
        let mut numbers = fields.map(|field| field.parse().unwrap());
        Golden { kind, m, n, k, regularization: numbers.next().unwrap(), values: numbers.collect() }
    };
    let found: Vec<_> = GOLDEN.lines().skip(1).map(line).filter(|golden| golden.kind == kind).collect();
    assert!(!found.is_empty(), "{kind}");
    found
}

/// a, b and C by columns, as the script has them.
fn rule(m: usize, n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let shares = |count: usize, entry: &dyn Fn(usize) -> usize| {
        let sum: usize = (0..count).map(entry).sum();
        (0..count).map(|i| entry(i) as f64 / sum as f64).collect::<Vec<_>>()
    };
    let cost = |i: usize, j: usize| ((i * 7919 + j * 104_729 + i * j * 31) % 1009) as f64 / 1009.0;
    let a = shares(m, &|i| 1 + i * 37 % 11);
    let b = shares(n, &|j| 1 + j * 53 % 7);
    (a, b, (0..n).flat_map(|j| (0..m).map(move |i| cost(i, j))).collect())
}

fn evaluate(
    problem: &Problem<'_, f64, impl Fn(usize, &mut [f64])>,
    regularizer: &Regularizer<f64>,
    potential: &[f64],
) -> (f64, Vec<f64>) {
    let m = problem.rows();
    let mut gradient = vec![0.0; m];
    let mut indices = vec![0; m];
    let value = semidual(problem, regularizer, potential, &mut gradient, &mut indices, &mut vec![0.0; 2 * m])
        .unwrap();
    (value, gradient)
}

/// T by rows, from the sparse plan, and the report.
fn full_plan(
    problem: &Problem<'_, f64, impl Fn(usize, &mut [f64])>,
    regularizer: &Regularizer<f64>,
    potential: &[f64],
) -> (Vec<f64>, quern_kernels::transport::PlanReport<f64>) {
    let (m, n) = (problem.rows(), problem.columns());
    let k = regularizer.nonzeros.min(m);
    let (mut indices, mut entries) = (vec![0; n * k], vec![0.0; n * k]);
    let report =
        plan(problem, regularizer, potential, &mut indices, &mut entries, &mut vec![0.0; 3 * m]).unwrap();
    let mut full = vec![0.0; m * n];
    for (place, (&index, &entry)) in indices.iter().zip(&entries).enumerate() {
        full[index as usize * n + place / k] += entry;
    }
    (full, report)
}

fn quasi_newton(
    problem: &Problem<'_, f64, impl Fn(usize, &mut [f64])>,
    regularizer: &Regularizer<f64>,
    stop: &Stop<f64>,
) -> (Report<f64>, Vec<f64>) {
    let m = problem.rows();
    let lbfgs = Lbfgs::new(LbfgsSettings::default(), vec![0.0; Lbfgs::scalars(m, 10)]).unwrap();
    let mut solver = QuasiNewton::new(lbfgs, vec![0.0; 3 * m], vec![0; m]);
    let report = solver.solve(problem, regularizer, stop).unwrap();
    (report, solver.potential().to_vec())
}

fn ascent(
    problem: &Problem<'_, f64, impl Fn(usize, &mut [f64])>,
    regularizer: &Regularizer<f64>,
    max_iterations: usize,
) -> (Report<f64>, Vec<f64>) {
    let m = problem.rows();
    let (memory, moments) = (vec![0.0; Ascent::scalars(m, m)], vec![0.0; 2 * m]);
    let mut solver = Ascent::new(AscentSettings::default(), memory, moments, vec![0; m]).unwrap();
    let report = solver.solve(problem, regularizer, &Stop { tolerance: 0.0, max_iterations }).unwrap();
    (report, solver.potential().to_vec())
}

/// Values and plans at a given potential: both are finite sums, so that only rounding differs. The 1000 terms of a
/// value are below 1.
#[test]
fn the_semidual_and_its_plan_are_those_of_pot() {
    for golden in golden("semidual") {
        let (a, b, cost) = rule(golden.m, golden.n);
        let problem = Problem::dense(&a, &b, &cost).unwrap();
        let regularizer = Regularizer { weight: golden.regularization, nonzeros: golden.k };
        let potential: Vec<f64> = (0..golden.m).map(|i| (i * 17 % 13) as f64 / 13.0).collect();
        let (value, gradient) = evaluate(&problem, &regularizer, &potential);
        let row_error: f64 = gradient.iter().map(|g| g.abs()).sum();
        assert!((value - golden.values[0]).abs() <= 1e-12, "{} {}", golden.m, golden.k);
        assert!((row_error - golden.values[1]).abs() <= 1e-12);
        let (full, report) = full_plan(&problem, &regularizer, &potential);
        for (entry, expected) in full.iter().step_by(97).zip(&golden.values[2..]) {
            assert!((entry - expected).abs() <= 1e-12, "{} {}: {entry} {expected}", golden.m, golden.k);
        }
        assert!((report.row_error - row_error).abs() <= 1e-12);
        assert!(report.largest_column <= golden.k && report.column_error <= 1e-12);
    }
}

/// POT's plans have a row error of up to 1e-5: its value is off by as much times the potential's error.
#[test]
fn quadratic_transport_is_that_of_pot() {
    for golden in golden("quadratic") {
        let (a, b, cost) = rule(golden.m, golden.n);
        let problem = Problem::dense(&a, &b, &cost).unwrap();
        let regularizer = Regularizer::quadratic(golden.regularization);
        let (report, potential) =
            quasi_newton(&problem, &regularizer, &Stop { tolerance: 1e-9, max_iterations: 2000 });
        assert_eq!(report.status, Status::Converged, "{} {report:?}", golden.m);
        let (full, found) = full_plan(&problem, &regularizer, &potential);
        let norm: f64 = full.iter().map(|t| t * t).sum();
        // No duality gap.
        let primal = found.cost + golden.regularization / 2.0 * norm;
        assert!((primal - report.value).abs() <= 1e-8, "{primal} {}", report.value);
        assert!(
            (report.value - golden.values[0]).abs() <= 1e-6 && (found.cost - golden.values[1]).abs() <= 1e-6
        );
        for (entry, expected) in full.iter().step_by(97).zip(&golden.values[2..]) {
            assert!((entry - expected).abs() <= 1e-6, "{}: {entry} {expected}", golden.m);
        }
    }
}

#[test]
fn entropic_transport_is_that_of_pot() {
    for golden in golden("sinkhorn") {
        let (a, b, cost) = rule(golden.m, golden.n);
        let problem = Problem::dense(&a, &b, &cost).unwrap();
        let mut solver = Sinkhorn::new(vec![0.0; Sinkhorn::scalars(golden.m, golden.n)]);
        let stop = Stop { tolerance: 1e-10, max_iterations: 100_000 };
        let report = solver.solve(&problem, golden.regularization, &stop).unwrap();
        assert_eq!(report.status, Status::Converged);
        assert!((report.cost - golden.values[0]).abs() <= 1e-8, "{} {}", report.cost, golden.values[0]);
        let mut column = vec![0.0; golden.m];
        for (place, expected) in (0..golden.m * golden.n).step_by(97).zip(&golden.values[1..]) {
            solver.plan_column(&problem, golden.regularization, place % golden.n, &mut column).unwrap();
            assert!((column[place / golden.n] - expected).abs() <= 1e-8);
        }
    }
}

/// D₁* = LP + (γ/2)Σb², and every D_k* lies between it and D_m*, falling with k.
#[test]
fn the_values_lie_between_the_linear_program_and_the_quadratic_one() {
    for golden in golden("emd").iter().filter(|golden| golden.m <= 40) {
        let (a, b, cost) = rule(golden.m, golden.n);
        let problem = Problem::dense(&a, &b, &cost).unwrap();
        let weight = 0.5;
        let most = golden.values[0] + weight / 2.0 * b.iter().map(|b| b * b).sum::<f64>();
        let quadratic = Regularizer::quadratic(weight);
        let (full, _) = quasi_newton(&problem, &quadratic, &Stop { tolerance: 1e-9, max_iterations: 2000 });
        let values: Vec<f64> = [1, 2, 5]
            .map(|nonzeros| ascent(&problem, &Regularizer { weight, nonzeros }, 20_000).0.value)
            .to_vec();
        // What the ascent finds is a lower bound; its rate has fallen to 1e-4 in the end.
        assert!(values[0] <= most + 1e-12 && values[0] >= most - 2e-4, "{values:?} {most}");
        assert!(values[1] <= values[0] + 2e-4 && values[2] <= values[1] + 2e-4, "{values:?}");
        assert!(full.value <= values[2] + 2e-4, "{values:?} {full:?}");
    }
}

/// min cᵀt over the supports of at most k entries: by trying them all.
fn brute_force(x: &[f64], total: f64, weight: f64, k: usize) -> f64 {
    (1..1u32 << x.len())
        .filter(|support| support.count_ones() as usize == k)
        .map(|support| {
            let chosen: Vec<f64> =
                (0..x.len()).filter(|i| support >> i & 1 == 1).map(|i| x[i] / weight).collect();
            let mut t = chosen.clone();
            prox::project_simplex(&mut t, total).unwrap();
            t.iter().zip(&chosen).map(|(t, x)| weight * t * (x - t / 2.0)).sum()
        })
        .fold(f64::NEG_INFINITY, f64::max)
}

proptest! {
    #[test]
    fn the_maximum_is_that_over_all_supports(
        x in proptest::collection::vec(prop_oneof![-2.0..2.0f64, Just(0.5)], 1..=8),
        total in 0.01..3.0f64,
        weight in 0.05..4.0f64,
        k in 1..=8usize,
    ) {
        let k = k.min(x.len());
        let (mut indices, mut entries) = (vec![0; k], vec![0.0; k]);
        let value = max_k(&x, total, weight, &mut indices, &mut entries).unwrap();
        let best = brute_force(&x, total, weight, k);
        // Eight products of at most total·(2 + weight·total).
        prop_assert!((value - best).abs() <= 64.0 * f64::EPSILON * total * (2.0 + weight * total));
        prop_assert!((entries.iter().sum::<f64>() - total).abs() <= 64.0 * f64::EPSILON * total);
        // Shifted and permuted.
        let shifted: Vec<f64> = x.iter().rev().map(|x| x + 1.0).collect();
        let (mut other, mut moved) = (vec![0; k], vec![0.0; k]);
        let value_shifted = max_k(&shifted, total, weight, &mut other, &mut moved).unwrap();
        prop_assert!((value_shifted - value - total).abs() <= 128.0 * f64::EPSILON * total * (3.0 + weight * total));
    }

    #[test]
    fn the_semidual_is_concave_invariant_and_has_its_supergradient(
        parts in parts(6), weight in 0.1..2.0f64, k in 1..=6usize, other in proptest::collection::vec(-1.0..1.0f64, 6),
    ) {
        let Parts { a, b, cost, .. } = &parts;
        prop_assume!(cost.iter().all(|c| c.abs() <= 8.0));
        let problem = Problem::dense(a, b, cost).unwrap();
        let regularizer = Regularizer { weight, nonzeros: k };
        let start: Vec<f64> = other.iter().take(a.len()).map(|x| 0.5 - x).collect();
        let end = &other[..a.len()];
        let middle: Vec<f64> = start.iter().zip(end).map(|(x, y)| 0.75 * x + 0.25 * y).collect();
        let (at_start, gradient) = evaluate(&problem, &regularizer, &start);
        let (at_end, _) = evaluate(&problem, &regularizer, end);
        let (at_middle, _) = evaluate(&problem, &regularizer, &middle);
        let size: f64 = a.iter().sum::<f64>() * 12.0 + weight * b.iter().map(|b| b * b).sum::<f64>();
        let slack = 256.0 * f64::EPSILON * size;
        prop_assert!(at_middle >= 0.75 * at_start + 0.25 * at_end - slack);
        let slope: f64 = gradient.iter().zip(start.iter().zip(end)).map(|(g, (x, y))| g * (y - x)).sum();
        prop_assert!(at_end <= at_start + slope + slack);
        let shifted: Vec<f64> = start.iter().map(|x| x + 1.0).collect();
        let (at_shifted, _) = evaluate(&problem, &regularizer, &shifted);
        // The sums of a and b differ by rounding.
        prop_assert!((at_shifted - at_start).abs() <= slack);
        // The dual lies below, at any β.
        let m = a.len();
        let k = k.min(m);
        let mut rows = vec![0.0; m];
        let mut columns = vec![0.0; b.len()];
        let below = dual(
            &problem, &regularizer, (&start, &parts.columns), (&mut rows, &mut columns),
            &mut vec![0; k], &mut vec![0.0; m + k],
        );
        prop_assert!(below.is_err() || below.unwrap() <= at_start + slack + 1e-9 * parts.columns.iter().map(|c| c * c).sum::<f64>());
        // The reported errors are those of the plan.
        let (mut indices, mut entries) = (vec![0; k * b.len()], vec![0.0; k * b.len()]);
        let report = plan(&problem, &regularizer, &start, &mut indices, &mut entries, &mut vec![0.0; 3 * m]).unwrap();
        let mut sums = vec![0.0; m];
        let (row_error, column_error) = marginal_error(a, b, &indices, &entries, &mut sums).unwrap();
        prop_assert!((row_error - report.row_error).abs() <= slack && column_error == report.column_error);
        prop_assert!(column_error <= 4.0 * f64::EPSILON * k as f64 * b.iter().sum::<f64>());
    }

    /// Weak duality: D_k is at most the objective of every feasible plan of k nonzeros, here of permutations.
    #[test]
    fn the_semidual_lies_below_every_permutation(
        costs in proptest::collection::vec(0.0..1.0f64, 25), alpha in proptest::collection::vec(-1.0..1.0f64, 5), k in 1..=5usize,
        order in Just((0..5).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let shares = [0.2; 5];
        let problem = Problem::dense(&shares, &shares, &costs).unwrap();
        let (value, _) = evaluate(&problem, &Regularizer { weight: 0.7, nonzeros: k }, &alpha);
        let primal: f64 = (0..5).map(|j| 0.2 * costs[order[j] + 5 * j] + 0.35 * 0.04).sum();
        prop_assert!(value <= primal + 1e-14);
    }
}

/// Where the chosen entries are apart from the others, D is differentiable.
#[test]
fn finite_differences_agree_with_the_supergradient() {
    let (a, b, cost) = rule(9, 6);
    let problem = Problem::dense(&a, &b, &cost).unwrap();
    let step = 1e-6;
    for nonzeros in [1, 3, 9] {
        let regularizer = Regularizer { weight: 0.5, nonzeros };
        let alpha: Vec<f64> = (0..9).map(|i| (i * 5 % 9) as f64 / 20.0).collect();
        for j in 0..6 {
            let mut reduced: Vec<f64> = (0..9).map(|i| alpha[i] - cost[i + 9 * j]).collect();
            reduced.sort_by(|x, y| y.total_cmp(x));
            assert!(nonzeros == 9 || reduced[nonzeros - 1] - reduced[nonzeros] > 10.0 * step);
        }
        let (_, gradient) = evaluate(&problem, &regularizer, &alpha);
        for (i, gradient) in gradient.iter().enumerate() {
            let at = |change: f64| {
                let mut moved = alpha.clone();
                moved[i] += change;
                evaluate(&problem, &regularizer, &moved).0
            };
            let difference = (at(step) - at(-step)) / (2.0 * step);
            // Rounding 1e-16/step; the third derivative vanishes between kinks, of which each adds at most step/γ.
            assert!((difference - gradient).abs() <= 1e-9 + 8.0 * step, "{nonzeros} {i}");
        }
    }
}

/// m = n, uniform, k = 1: the plan is the assignment of least cost, here over all 720 permutations.
#[test]
fn one_nonzero_a_column_is_the_optimal_assignment() {
    let (_, _, cost) = rule(6, 6);
    let shares = [1.0 / 6.0; 6];
    let problem = Problem::dense(&shares, &shares, &cost).unwrap();
    let one = Regularizer { weight: 1.0, nonzeros: 1 };
    let (report, potential) = ascent(&problem, &one, 20_000);
    let (full, found) = full_plan(&problem, &one, &potential);
    assert!(found.row_error <= 1e-12, "{found:?}");
    let mut best = f64::INFINITY;
    let mut order = [0; 6];
    for code in 0..6usize.pow(6) {
        let mut rest = code;
        let mut seen = 0u32;
        for place in &mut order {
            *place = rest % 6;
            rest /= 6;
            seen |= 1 << *place;
        }
        if seen == 0b11_1111 {
            best = best.min(order.iter().enumerate().map(|(j, &i)| cost[i + 6 * j] / 6.0).sum());
        }
    }
    assert!((found.cost - best).abs() <= 1e-12, "{} {best}", found.cost);
    assert!((report.value - best - 0.5 / 6.0).abs() <= 1e-12);
    assert_eq!(full.iter().filter(|t| **t > 0.0).count(), 6);
}

/// Sums of squares and of roots, the script's functions.
fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> Result<f64, quern_kernels::Error> {
    gradient.fill(0.0);
    let mut value = 0.0;
    for i in 0..x.len() - 1 {
        let (b, c) = (x[i + 1] - x[i] * x[i], 1.0 - x[i]);
        value += 100.0 * b * b + c * c;
        gradient[i] += -400.0 * x[i] * b - 2.0 * c;
        gradient[i + 1] += 200.0 * b;
    }
    Ok(value)
}

fn softened(x: &[f64], gradient: &mut [f64]) -> Result<f64, quern_kernels::Error> {
    let mut value = 0.0;
    for (i, (&x, g)) in x.iter().zip(gradient.iter_mut()).enumerate() {
        let (d, c) = ((1 + i % 9) as f64, (i as f64).cos());
        let root = (1.0 + (x - c) * (x - c)).sqrt();
        value += d * root;
        *g = d * (x - c) / root;
    }
    for i in 1..x.len() {
        let difference = x[i] - x[i - 1];
        value += 0.5 * difference * difference;
        gradient[i] += difference;
        gradient[i - 1] -= difference;
    }
    Ok(value)
}

/// Minima to the gradient's tolerance, in at most half as many iterations again as SciPy's L-BFGS-B takes, and ten; in a
/// box in at most three times as many: the method there is simpler than SciPy's, which looks for a Cauchy point.
#[test]
fn quasi_newton_methods_find_the_minima_of_scipy() {
    for (kind, function) in
        [("rosenbrock", rosenbrock as fn(&[f64], &mut [f64]) -> _), ("softened", softened)]
    {
        for golden in golden(kind) {
            let n = golden.m;
            let start: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { -1.2 } else { 0.4 }).collect();
            let until = Until { gradient_tolerance: 1e-8, max_iterations: 1000, ..Until::default() };
            let bounded = golden.regularization.is_finite();
            let (report, x) = if bounded {
                let (lower, upper) = (vec![f64::NEG_INFINITY; n], vec![golden.regularization; n]);
                let memory = vec![0.0; Lbfgsb::scalars(n, 10)];
                let mut solver = Lbfgsb::new(LbfgsbSettings::default(), memory).unwrap();
                let report = solver.minimize(&start, &lower, &upper, function, &until).unwrap();
                (report, solver.iterate().to_vec())
            } else {
                let mut solver =
                    Lbfgs::new(LbfgsSettings::default(), vec![0.0; Lbfgs::scalars(n, 10)]).unwrap();
                let report = solver.minimize(&start, function, &until).unwrap();
                (report, solver.iterate().to_vec())
            };
            println!("{kind} {n} bounded {bounded}: {report:?}, SciPy {}", golden.values[1]);
            assert_eq!(report.status, Ending::Converged, "{kind} {n} {bounded}");
            assert!(
                (report.value - golden.values[0]).abs() <= 1e-9 * golden.values[0].max(1.0),
                "{kind} {n}"
            );
            for (x, expected) in x.iter().step_by(13).zip(&golden.values[2..]) {
                assert!((x - expected).abs() <= 1e-6, "{kind} {n} {bounded}: {x} {expected}");
            }
            let times = if bounded { 3.0 } else { 1.5 };
            let most = times * golden.values[1] + 10.0;
            assert!(report.iterations as f64 <= most, "{kind} {n} {bounded}: {report:?}");
        }
    }
}
