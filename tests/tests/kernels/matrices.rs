//! The Krylov methods on real matrices, against SciPy's iteration counts (`golden/krylov.csv`, written by
//! `golden/generate_krylov.py`) and the reference values of the data's README.

use std::collections::BTreeMap;
use std::path::PathBuf;

use quern::io::matrix_market::{self, Matrix, Symmetry};
use quern_kernels::factor::IncompleteCholesky;
use quern_kernels::krylov::{
    Cg, Gmres, LeastSquaresStop, LinearSystem, Lsqr, Minres, PreconditionedCg, PreconditionedSystem, Report,
    Status, Stop,
};
use quern_kernels::linop::{Identity, LinearOperator, SymmetricCsr};

const TOLERANCE: f64 = 1e-8;

/// A line of the golden table.
struct Golden {
    shift: f64,
    budget: usize,
    iterations: Option<usize>,
    low: Option<usize>,
    high: Option<usize>,
}

fn golden(method: &str) -> BTreeMap<String, Golden> {
    let table = include_str!("../../golden/krylov.csv");
    table
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|fields| fields[1] == method)
        .map(|fields| {
            let count = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
            let golden = Golden {
                shift: fields[2].parse().unwrap(),
                budget: fields[3].parse().unwrap(),
                iterations: count(fields[4]),
                low: count(fields[5]),
                high: count(fields[6]),
            };
            (fields[0].to_owned(), golden)
        })
        .collect()
}

/// The folder of the matrices, or a word that there is none.
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/matrices"));
    if folder.is_dir() {
        return Some(folder);
    }
    println!("{} does not exist: only generated matrices are tested", folder.display());
    None
}

fn load(name: &str) -> Matrix {
    matrix_market::read_matrix(&folder().unwrap().join(format!("{name}.mtx"))).unwrap()
}

/// A·1
fn row_sums(matrix: &Matrix) -> Vec<f64> {
    let mut b = vec![0.0; matrix.rows];
    matrix.csr().unwrap().apply(&vec![1.0; matrix.columns], &mut b);
    b
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// ‖b − Ax‖, by plain loops.
fn residual_norm(matrix: &Matrix, x: &[f64], b: &[f64]) -> f64 {
    let mut r = b.to_vec();
    for (row, range) in matrix.row_pointers.windows(2).enumerate() {
        for entry in range[0] as usize..range[1] as usize {
            r[row] -= matrix.values[entry] * x[matrix.column_indices[entry] as usize];
        }
    }
    norm(&r)
}

fn stop(max_iterations: usize) -> Stop<f64> {
    Stop { relative_tolerance: TOLERANCE, absolute_tolerance: 0.0, max_iterations }
}

/// The report is about this x, and its verdict is what its numbers say.
fn check_honest(name: &str, matrix: &Matrix, b: &[f64], x: &[f64], report: &Report<f64>) {
    // Both residuals are rounded, by at most (row length + 1)·u·(|A||x| + |b|) an entry.
    let mut scale = vec![0.0; b.len()];
    for (row, range) in matrix.row_pointers.windows(2).enumerate() {
        let range = range[0] as usize..range[1] as usize;
        let length = range.len() as f64 + 2.0;
        let sum: f64 = range.map(|e| (matrix.values[e] * x[matrix.column_indices[e] as usize]).abs()).sum();
        scale[row] = length * f64::EPSILON * (sum + b[row].abs());
    }
    let allowed = norm(&scale) + 1e-12 * report.residual_norm;
    let recomputed = residual_norm(matrix, x, b);
    let difference = (recomputed - report.residual_norm).abs();
    assert!(difference <= allowed, "{name}: {recomputed:e} recomputed, {report:?}");
    let met = report.residual_norm <= TOLERANCE * report.right_hand_side_norm;
    assert_eq!(met, report.status == Status::Converged, "{name}: {report:?}");
}

/// Whether our count is SciPy's: within 2 % or 2 of what SciPy itself gives for permutations of the matrix,
/// which change nothing but the rounding. Mostly that range is a single number; where rounding decides how
/// often a method must find an eigenvector anew, it is wide: 756 to 1136 for conjugate gradients on bcsstk20.
fn check_count(name: &str, golden: &Golden, report: &Report<f64>) {
    let ours = report.recurrence_iterations;
    println!(
        "{name}: {} after {} ({ours} by the recurrence), relative residual {:.2e}; SciPy {:?} ({:?} to {:?})",
        report.status,
        report.iterations,
        report.relative_residual(),
        golden.iterations,
        golden.low,
        golden.high,
    );
    if let (Some(low), Some(high)) = (golden.low, golden.high) {
        let slack = |count: usize| 2.max(count / 50);
        let close = ours + slack(low) >= low && ours <= high + slack(high);
        assert!(close, "{name}: {ours} iterations, SciPy {low} to {high}");
    }
}

#[test]
fn cg_on_every_spd_matrix() {
    if folder().is_none() {
        return;
    }
    for (name, golden) in golden("cg") {
        let matrix = load(&name);
        let b = row_sums(&matrix);
        let csr = matrix.csr().unwrap();
        let mut solver = Cg::new(vec![0.0; Cg::scalars(matrix.rows)]);
        let report = solver.solve(&LinearSystem::new(&csr, &b), &stop(golden.budget)).unwrap();
        check_count(&format!("cg {name}"), &golden, &report);
        assert!(matches!(report.status, Status::Converged | Status::Stagnated), "{name}: {report:?}");
        check_honest(&name, &matrix, &b, solver.solution(), &report);
    }
}

#[test]
fn ic0_cg_on_every_spd_matrix() {
    if folder().is_none() {
        return;
    }
    for (name, golden) in golden("ic0-cg") {
        let matrix = load(&name);
        let b = row_sums(&matrix);
        let csr = matrix.csr().unwrap();
        let lower = matrix.lower_triangle();
        let lower = SymmetricCsr::new(&lower.row_pointers, &lower.column_indices, &lower.values).unwrap();
        let mut shift = 0.0;
        let mut memory = vec![0.0; lower.values().len()];
        while IncompleteCholesky::factor(&lower, shift, &mut memory).is_err() {
            shift = if shift == 0.0 { 0.001 } else { 2.0 * shift };
        }
        assert_eq!(shift, golden.shift, "{name}: the shift the factorization needs");
        let factor = IncompleteCholesky::factor(&lower, shift, &mut memory).unwrap();
        let mut solver = PreconditionedCg::new(vec![0.0; PreconditionedCg::scalars(matrix.rows)]);
        let problem = PreconditionedSystem::new(&csr, &factor, &b);
        let report = solver.solve(&problem, &stop(golden.budget)).unwrap();
        check_count(&format!("ic0-cg {name}"), &golden, &report);
        assert!(matches!(report.status, Status::Converged | Status::Stagnated), "{name}: {report:?}");
        check_honest(&name, &matrix, &b, solver.solution(), &report);
    }
}

#[test]
fn minres_on_the_indefinite_matrices() {
    if folder().is_none() {
        return;
    }
    for (name, golden) in golden("minres") {
        let matrix = load(&name);
        assert_eq!(matrix.symmetry, Symmetry::Symmetric);
        let b = row_sums(&matrix);
        let csr = matrix.csr().unwrap();
        let identity = Identity::new(matrix.rows);
        let mut solver = Minres::new(vec![0.0; Minres::scalars(matrix.rows)]);
        let problem = PreconditionedSystem::new(&csr, &identity, &b);
        let report = solver.solve(&problem, &stop(golden.budget)).unwrap();
        check_count(&format!("minres {name}"), &golden, &report);
        check_honest(&name, &matrix, &b, solver.solution(), &report);
    }
}

#[test]
fn gmres_on_nonsymmetric_matrices() {
    if folder().is_none() {
        return;
    }
    for (name, golden) in golden("gmres") {
        let matrix = load(&name);
        let b = row_sums(&matrix);
        let csr = matrix.csr().unwrap();
        let identity = Identity::new(matrix.rows);
        let mut solver = Gmres::new(vec![0.0; Gmres::scalars(matrix.rows, 30)], 30).unwrap();
        let problem = PreconditionedSystem::new(&csr, &identity, &b);
        let report = solver.solve(&problem, &stop(golden.budget)).unwrap();
        check_count(&format!("gmres {name}"), &golden, &report);
        check_honest(&name, &matrix, &b, solver.solution(), &report);
    }
}

#[test]
fn lsqr_on_the_rectangular_matrices() {
    let Some(folder) = folder() else { return };
    // min ‖Ax − b‖ and ‖x‖, from the data's README, with eight digits.
    let reference = BTreeMap::from([
        ("well1033", (0.75215787, 10278.822)),
        ("illc1033", (0.75215787, 10302.315)),
        ("well1850", (1.2781393, 16184.103)),
        ("illc1850", (1.2781393, 16200.644)),
    ]);
    for (name, golden) in golden("lsqr") {
        let matrix = load(&name);
        let right = folder.join(format!("{name}_rhs.mtx"));
        let b =
            if right.exists() { matrix_market::read_vector(&right).unwrap() } else { vec![1.0; matrix.rows] };
        let csr = matrix.csr().unwrap();
        let mut solver = Lsqr::new(vec![0.0; Lsqr::scalars(matrix.rows, matrix.columns)]);
        let rules = LeastSquaresStop {
            operator_tolerance: 1e-12,
            right_hand_side_tolerance: 1e-12,
            max_iterations: golden.budget,
        };
        let report = solver.solve(&LinearSystem::new(&csr, &b), &rules).unwrap();
        if let Some(&(residual_norm, solution_norm)) = reference.get(name.as_str()) {
            // Half a unit of the eighth digit, and what the tolerance leaves open: r is orthogonal to the
            // range but for ‖Aᵀr‖/σ_min, far below; x is off by ‖Aᵀr‖/σ_min², at most 6e-11/1.3e-8.
            assert!((report.residual_norm / residual_norm - 1.0).abs() <= 1e-7, "{name}: {report:?}");
            assert!((report.solution_norm / solution_norm - 1.0).abs() <= 1e-7, "{name}: {report:?}");
        }
        assert_eq!(report.status, Status::Converged, "{name}: {report:?}");
        let recomputed = residual_norm(&matrix, solver.solution(), &b);
        assert!((recomputed - report.residual_norm).abs() <= 1e-10 * norm(&b), "{name}: {report:?}");
        if let (Some(low), Some(high)) = (golden.low, golden.high) {
            let ours = report.recurrence_iterations;
            let slack = |count: usize| 2.max(count / 50);
            assert!(
                ours + slack(low) >= low && ours <= high + slack(high),
                "{name}: {ours}, {low} to {high}"
            );
        }
        println!(
            "lsqr {name}: {} after {} ({} by the recurrence); SciPy {:?} ({:?} to {:?}); ‖r‖ {} ‖Aᵀr‖ {:.2e} ‖x‖ {}",
            report.status,
            report.iterations,
            report.recurrence_iterations,
            golden.iterations,
            golden.low,
            golden.high,
            report.residual_norm,
            report.normal_residual_norm,
            report.solution_norm,
        );
    }
}
