//! Quadratic programs: real ones against reference optima, generated ones against what is known of them.

use std::path::PathBuf;

use proptest::prelude::*;
use quern::io::quadratic_program;
use quern::qp::optimality::{Violations, proves_dual_infeasible, proves_primal_infeasible, violations};
use quern::qp::{Method, Program, Sparse, solve};
use quern::strategies::qp::parts;
use quern_kernels::optim::qp::Status;

/// The folder of the problems, or a word that there is none.
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/maros_meszaros"));
    if folder.is_dir() {
        return Some(folder);
    }
    println!("{} does not exist: only generated problems are tested", folder.display());
    None
}

/// The accuracy of a certificate: the 1e-8 that `solve` asks for, and a tenth for the rounding of the checker's sums.
const CERTIFICATE: f64 = 1.1e-8;

/// Whether what the checker found is within a tolerance, absolute and relative to its terms; a millionth more for the
/// rounding of its sums.
fn meet(found: &Violations, tolerance: f64) -> bool {
    found.scaled_residual() <= tolerance * (1.0 + 1e-6)
}

/// Name and reference objective of every problem.
fn references(folder: &std::path::Path) -> Vec<(String, f64)> {
    let table = std::fs::read_to_string(folder.join("reference.csv")).unwrap();
    let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let place = head.iter().position(|&name| name == "obj_ref").unwrap();
    lines.map(|fields| (fields[0].to_owned(), fields[place].parse().unwrap())).collect()
}

#[test]
fn all_problems_of_maros_and_meszaros_are_solved() {
    let Some(folder) = folder() else { return };
    let mut absolutely = 0;
    let references = references(&folder);
    for (name, objective) in &references {
        let program = quadratic_program::read(&folder.join(format!("{name}.npz"))).unwrap();
        let outcome = solve(&program, Method::InteriorPoint, 1e-6, None).unwrap();
        let found = violations(&program, &outcome.x, &outcome.y);
        println!("{name}: {} after {}: {found:?}", outcome.status, outcome.iterations);
        assert_eq!(outcome.status, Status::Solved, "{name}");
        // The checker's terms are other sums: equal to rounding of the largest.
        let residuals = outcome.residuals;
        let close = |a: f64, b: f64, scale: f64| (a - b).abs() <= 1e-12 * (1.0 + scale);
        assert!(close(found.primal, residuals.primal, residuals.primal_scale), "{name}");
        assert!(close(found.dual, residuals.dual, residuals.dual_scale), "{name}");
        assert!(close(found.gap, residuals.gap, residuals.gap_scale), "{name}");
        let error = (found.objective - objective).abs();
        // Where the optimum is 0, only the absolute error means anything.
        let bound = if *objective == 0.0 { 1e-6 } else { 1e-5 * objective.abs() };
        assert!(error <= bound, "{name}: {} for {objective}", found.objective);
        absolutely += usize::from(found.residual() <= 1e-6);
    }
    println!("{absolutely} of {} below 1e-6 absolutely", references.len());
    assert_eq!(absolutely, references.len());
}

/// A program with a known solution: P = MᵀM, a random x, and multipliers that fit which rows are active.
#[derive(Clone, Debug)]
struct Known {
    program: Program,
    x: Vec<f64>,
}

fn known() -> impl Strategy<Value = Known> {
    (1..=8_usize, 0..=12_usize).prop_flat_map(|(n, m)| {
        let entries = |count| proptest::collection::vec(-1.0..1.0f64, count);
        let kinds = proptest::collection::vec((0..4_u8, 0.1..2.0f64), m);
        (entries(n * n), entries(m * n), entries(n), kinds).prop_map(move |(root, a, x, kinds)| {
            let p = (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| {
                let sum: f64 = (0..n).map(|k| root[k * n + i] * root[k * n + j]).sum();
                (i, j, sum + if i == j { 0.1 } else { 0.0 })
            });
            let p: Vec<_> = p.collect();
            let a = Sparse::from_entries(m, n, (0..m * n).map(|k| (k / n, k % n, a[k])).collect());
            let (mut lower, mut upper, mut q) = (Vec::new(), Vec::new(), vec![0.0; n]);
            for &(i, j, value) in &p {
                q[i] -= value * x[j];
            }
            for (row, &(kind, size)) in kinds.iter().enumerate() {
                let range = a.pointers[row] as usize..a.pointers[row + 1] as usize;
                let ax: f64 = range.clone().map(|at| a.values[at] * x[a.indices[at] as usize]).sum();
                let (l, u, y) = match kind {
                    0 => (ax, ax, size),
                    1 => (f64::NEG_INFINITY, ax, size),
                    2 => (ax, ax + size, -size),
                    _ => (ax - size, ax + size, 0.0),
                };
                lower.push(l);
                upper.push(u);
                for at in range {
                    q[a.indices[at] as usize] -= a.values[at] * y;
                }
            }
            let p = Sparse::from_entries(n, n, p);
            Known { program: Program::new(&p, q, a, lower, upper, 0.0).unwrap(), x }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn known_solutions_are_found(known in known()) {
        for method in [Method::InteriorPoint, Method::Splitting] {
            let outcome = solve(&known.program, method, 1e-8, None).unwrap();
            prop_assert_eq!(outcome.status, Status::Solved);
            let found = violations(&known.program, &outcome.x, &outcome.y);
            prop_assert!(meet(&found, 1e-8), "{:?}", found);
            let scale = 1.0 + outcome.residuals.dual_scale.max(outcome.residuals.gap_scale);
            // The curvature is at least 0.1, so the gap bounds the distance: 0.05‖x − x*‖² is at most the gap and what
            // the residuals of size 1e-8·scale leave of it, some ten terms.
            for (found, expected) in outcome.x.iter().zip(&known.x) {
                prop_assert!((found - expected).abs() <= 2e-3 * scale, "{} for {}", found, expected);
            }
        }
    }

    /// Scaling rows, the objective or variables changes no status, and the solution only as it must.
    #[test]
    fn scales_change_nothing_of_note(known in known(), row in 0.001..1000.0f64, cost in 0.001..1000.0f64) {
        let mut program = known.program.clone();
        for value in program.a.values.iter_mut().chain(&mut program.lower).chain(&mut program.upper) {
            *value *= row;
        }
        for value in program.p.values.iter_mut().chain(&mut program.q) {
            *value *= cost;
        }
        let outcome = solve(&program, Method::InteriorPoint, 1e-8, None).unwrap();
        prop_assert_eq!(outcome.status, Status::Solved);
        // A cost scaled by 1e-3 leaves a curvature of 1e-4: 5e-5‖x − x*‖² ≤ some ten terms of 1e-8 allows 5e-2.
        for (found, expected) in outcome.x.iter().zip(&known.x) {
            prop_assert!((found - expected).abs() <= 5e-2, "{} for {}", found, expected);
        }
    }

    /// x ≥ 1 and −x ≥ 0 along a random direction; a direction without curvature and bounds.
    #[test]
    fn what_has_no_solution_is_certified(known in known(), direction in proptest::collection::vec(-1.0..1.0f64, 8)) {
        let n = known.x.len();
        prop_assume!(direction[0].abs() > 0.01);
        for method in [Method::InteriorPoint, Method::Splitting] {
            let mut program = known.program.clone();
            let rows = program.a.rows();
            for sign in [1.0, -1.0] {
                for (j, value) in direction.iter().take(n).enumerate() {
                    program.a.indices.push(j as u32);
                    program.a.values.push(sign * value);
                }
                program.a.pointers.push(program.a.values.len() as u32);
                program.lower.push(1.0);
                program.upper.push(f64::INFINITY);
            }
            let outcome = solve(&program, method, 1e-6, None).unwrap();
            prop_assert_eq!(outcome.status, Status::PrimalInfeasible, "{} rows before, {:?}", rows, method);
            prop_assert!(proves_primal_infeasible(&program, &outcome.y, CERTIFICATE));

            // One variable more, in no row, without curvature, with a slope.
            let mut program = known.program.clone();
            program.p.columns += 1;
            program.p.pointers.push(program.p.values.len() as u32);
            program.q.push(direction[0]);
            program.a.columns += 1;
            let outcome = solve(&program, method, 1e-6, None).unwrap();
            prop_assert_eq!(outcome.status, Status::DualInfeasible, "{:?}", method);
            prop_assert!(proves_dual_infeasible(&program, &outcome.x, CERTIFICATE));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Degenerate, badly scaled, infeasible, unbounded, not convex: every end is in time, and none is wrong.
    #[test]
    fn no_verdict_on_nasty_problems_is_wrong(parts in parts(4)) {
        let Some(program) = parts.program() else { return Ok(()) };
        for method in [Method::InteriorPoint, Method::Splitting] {
            let Ok(outcome) = solve(&program, method, 1e-6, Some(200)) else { continue };
            match outcome.status {
                Status::Solved => {
                    let found = violations(&program, &outcome.x, &outcome.y);
                    prop_assert!(meet(&found, 1e-6), "{:?}", found);
                }
                Status::PrimalInfeasible => {
                    prop_assert!(proves_primal_infeasible(&program, &outcome.y, CERTIFICATE));
                }
                Status::DualInfeasible => {
                    prop_assert!(proves_dual_infeasible(&program, &outcome.x, CERTIFICATE));
                }
                Status::MaxIterations | Status::Stagnated => {}
            }
        }
    }
}
