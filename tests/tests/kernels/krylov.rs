//! Krylov methods: honest reports, exact budgets, certificates recomputed here; and every `Space` under one
//! suite.

use proptest::prelude::*;
use quern::space::{ThreadedCsr, Threads};
use quern::strategies::krylov::square;
use quern::strategies::linop::{Sparse, laplacian, positive_definite, symmetric};
use quern_kernels::Error;
use quern_kernels::factor::IncompleteCholesky;
use quern_kernels::krylov::{
    Cg, DeflatedCg, Deflation, DirectionSettings, Gmres, LearnedDirections, LeastSquaresStop, LinearSystem,
    Lsqr, Minres, PreconditionedCg, Report, Status, Stop,
};
use quern_kernels::linop::{Csr, Dense, Diagonal, Identity, LinearOperator, Stencil5, SymmetricCsr};
use quern_kernels::space::{Serial, Space};

fn lower(matrix: &Sparse) -> SymmetricCsr<'_, f64> {
    SymmetricCsr::new(&matrix.row_pointers, &matrix.column_indices, &matrix.values).unwrap()
}

/// ‖x‖₂; iterates of singular systems grow so large that a plain sum of squares overflows.
fn norm(x: &[f64]) -> f64 {
    let scale = x.iter().fold(f64::MIN_POSITIVE, |scale, x| scale.max(x.abs()));
    scale * x.iter().map(|x| (x / scale) * (x / scale)).sum::<f64>().sqrt()
}

/// ‖b − Ax‖ by the definition, and a bound for how far a rounded residual's norm may be from it:
/// (n + 2)u(|A||x| + |b|) an entry.
fn residual(entries: &[f64], x: &[f64], b: &[f64]) -> (f64, f64) {
    let m = b.len();
    let rows = (0..m).map(|i| {
        let terms = x.iter().enumerate().map(|(j, x)| entries[i + j * m] * x);
        let size = b[i].abs() + terms.clone().map(f64::abs).sum::<f64>();
        (b[i] - terms.sum::<f64>(), (x.len() + 2) as f64 * f64::EPSILON * size)
    });
    let (values, bounds): (Vec<_>, Vec<_>) = rows.unzip();
    (norm(&values), norm(&bounds) + 1e-14 * norm(&values) + 1e-150)
}

fn stop(relative_tolerance: f64, max_iterations: usize) -> Stop<f64> {
    Stop { relative_tolerance, absolute_tolerance: 0.0, max_iterations }
}

/// The report's residual is that of x, its verdict what its numbers say, its budget kept.
fn honest(
    entries: &[f64],
    x: &[f64],
    b: &[f64],
    report: &Report<f64>,
    stop: &Stop<f64>,
) -> Result<(), TestCaseError> {
    let (recomputed, allowed) = residual(entries, x, b);
    prop_assert!((recomputed - report.residual_norm).abs() <= allowed, "{} in {:?}", recomputed, report);
    let target = stop.relative_tolerance * report.right_hand_side_norm;
    prop_assert_eq!(report.residual_norm <= target, report.status == Status::Converged, "{:?}", report);
    prop_assert!(report.iterations <= stop.max_iterations);
    Ok(())
}

/// Solves with an ample budget, with one exactly sufficient, and with one a step short.
fn budgets(
    entries: &[f64],
    b: &[f64],
    mut solve: impl FnMut(&Stop<f64>) -> Result<(Report<f64>, Vec<f64>), Error>,
) -> Result<(), TestCaseError> {
    let ample = stop(1e-9, 400);
    let Ok((report, x)) = solve(&ample) else { return Ok(()) };
    honest(entries, &x, b, &report, &ample)?;
    if report.status != Status::Converged || report.iterations == 0 {
        return Ok(());
    }
    let exact = stop(1e-9, report.iterations);
    let (again, same) = solve(&exact).unwrap();
    prop_assert_eq!((again, same), (report, x));
    let short = stop(1e-9, report.iterations - 1);
    let (early, x) = solve(&short).unwrap();
    honest(entries, &x, b, &early, &short)?;
    // The recurrence may have claimed too much one step before, in which case the computed residual decided.
    prop_assert!(matches!(early.status, Status::MaxIterations | Status::Stagnated), "{:?}", early);
    prop_assert_eq!(early.iterations, short.max_iterations);
    Ok(())
}

fn with_right_hand_side(
    matrices: impl Strategy<Value = Sparse>,
) -> impl Strategy<Value = (Sparse, Vec<f64>)> {
    matrices.prop_flat_map(|matrix| {
        let b = proptest::collection::vec(-4.0..4.0f64, matrix.rows());
        (Just(matrix), b)
    })
}

proptest! {
    #[test]
    fn cg_is_honest_and_keeps_its_budget(
        (matrix, b) in with_right_hand_side(prop_oneof![3 => positive_definite(12), 1 => symmetric(12)]),
    ) {
        let operator = lower(&matrix);
        budgets(&matrix.dense(true), &b, |stop| {
            let mut solver = Cg::new(vec![0.0; Cg::scalars(b.len())]);
            let report = solver.solve(&LinearSystem::new(&operator, &b), stop)?;
            Ok((report, solver.solution().to_vec()))
        })?;
    }

    #[test]
    fn preconditioned_cg_is_honest_and_keeps_its_budget(
        (matrix, b) in with_right_hand_side(positive_definite(12)),
    ) {
        let operator = lower(&matrix);
        let mut memory = vec![0.0; matrix.values.len()];
        // A dominant diagonal makes IC(0) exist.
        let factor = IncompleteCholesky::factor(&operator, 0.0, &mut memory).unwrap();
        budgets(&matrix.dense(true), &b, |stop| {
            let mut solver = PreconditionedCg::new(vec![0.0; PreconditionedCg::scalars(b.len())]);
            let report = solver.solve(&LinearSystem::new(&operator, &b).preconditioned(&factor), stop)?;
            Ok((report, solver.solution().to_vec()))
        })?;
    }

    #[test]
    fn learned_directions_are_honest_and_keep_their_budget(
        (matrix, b) in with_right_hand_side(prop_oneof![3 => positive_definite(12), 1 => symmetric(12)]),
        scales in proptest::collection::vec(-0.5..3.0f64, 12),
        k in 0..4usize,
    ) {
        let operator = lower(&matrix);
        budgets(&matrix.dense(true), &b, |stop| {
            let source = |r: &[f64], q: &mut [f64]| {
                for ((q, r), scale) in q.iter_mut().zip(r).zip(&scales) {
                    *q = scale * r;
                }
            };
            let settings = DirectionSettings { memory: k, ..DirectionSettings::default() };
            let memory = vec![0.0; LearnedDirections::scalars(b.len(), k)];
            let mut solver = LearnedDirections::new(memory, settings, source)?;
            let report = solver.solve(&LinearSystem::new(&operator, &b), stop)?;
            Ok((report, solver.solution().to_vec()))
        })?;
    }

    #[test]
    fn deflated_cg_is_honest_and_keeps_its_budget(
        (matrix, b) in with_right_hand_side(positive_definite(12)),
        number in 0..4usize,
    ) {
        let (operator, n) = (lower(&matrix), b.len());
        prop_assume!(n > 0);
        // Eigenvectors of the smallest eigenvalues.
        let eigen = nalgebra::DMatrix::from_vec(n, n, matrix.dense(true)).symmetric_eigen();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| eigen.eigenvalues[i].total_cmp(&eigen.eigenvalues[j]));
        order.truncate(number);
        let values: Vec<f64> = order.iter().map(|&i| eigen.eigenvalues[i]).collect();
        let vectors: Vec<f64> =
            order.iter().flat_map(|&i| eigen.eigenvectors.column(i).iter().copied().collect::<Vec<_>>()).collect();
        let deflation = Deflation::new(&vectors, &values).unwrap();
        let identity = Identity::new(n);
        budgets(&matrix.dense(true), &b, |stop| {
            let mut solver = DeflatedCg::new(vec![0.0; DeflatedCg::scalars(n)], deflation);
            let report = solver.solve(&LinearSystem::new(&operator, &b).preconditioned(&identity), stop)?;
            Ok((report, solver.solution().to_vec()))
        })?;
    }

    #[test]
    fn minres_is_honest_and_keeps_its_budget(
        (matrix, b) in with_right_hand_side(prop_oneof![positive_definite(12), symmetric(12)]),
        jacobi in any::<bool>(),
    ) {
        let operator = lower(&matrix);
        // |aᵢᵢ| or 1: positive whatever the matrix.
        let mut scales = vec![0.0; b.len()];
        operator.diagonal(&mut scales).unwrap();
        for scale in &mut scales {
            *scale = if jacobi && *scale != 0.0 { 1.0 / scale.abs() } else { 1.0 };
        }
        let preconditioner = Diagonal::new(&scales).unwrap();
        budgets(&matrix.dense(true), &b, |stop| {
            let mut solver = Minres::new(vec![0.0; Minres::scalars(b.len())]);
            let problem = LinearSystem::new(&operator, &b).preconditioned(&preconditioner);
            let report = solver.solve(&problem, stop)?;
            Ok((report, solver.solution().to_vec()))
        })?;
    }

    #[test]
    fn gmres_is_honest_and_keeps_its_budget(
        ((n, entries), seed) in (square(10), proptest::collection::vec(-4.0..4.0f64, 10)),
        restart in 1..12usize,
    ) {
        let operator = Dense::new(n, n, &entries).unwrap();
        let b = &seed[..n];
        let identity = Identity::new(n);
        budgets(&entries, b, |stop| {
            let mut solver = Gmres::new(vec![0.0; Gmres::scalars(n, restart)], restart).unwrap();
            let report = solver.solve(&LinearSystem::new(&operator, b).preconditioned(&identity), stop)?;
            Ok((report, solver.solution().to_vec()))
        })?;
    }

    #[test]
    fn definite_systems_are_solved_to_the_attainable_accuracy(
        (matrix, b) in with_right_hand_side(positive_definite(12)),
    ) {
        let operator = lower(&matrix);
        let problem = LinearSystem::new(&operator, &b);
        let mut solver = Cg::new(vec![0.0; Cg::scalars(b.len())]);
        let report = solver.solve(&problem, &stop(0.0, 2000)).unwrap();
        prop_assert!(matches!(report.status, Status::Converged | Status::Stagnated), "{:?}", report);
        // Nothing better than a few rounding errors of the residual can be asked for, nor anything much
        // worse.
        let (_, allowed) = residual(&matrix.dense(true), solver.solution(), &b);
        prop_assert!(report.residual_norm <= 8.0 * allowed, "{:?}, {}", report, allowed);
    }

    #[test]
    fn steps_by_hand_are_those_of_a_solve(
        (matrix, b) in with_right_hand_side(positive_definite(12)),
        steps in 0..6usize,
    ) {
        let operator = lower(&matrix);
        let problem = LinearSystem::new(&operator, &b);
        let mut by_hand = Cg::new(vec![0.0; Cg::scalars(b.len())]);
        let mut solver = by_hand.clone();
        let report = solver.solve(&problem, &stop(1e-300, steps)).unwrap();
        by_hand.start(&problem).unwrap();
        for _ in 0..report.iterations {
            by_hand.step(&problem);
        }
        // A solve whose recurrence was done earlier went on from a computed residual.
        if report.status == Status::MaxIterations && report.recurrence_iterations == report.iterations {
            prop_assert_eq!(by_hand.solution(), solver.solution());
        }
        // A control loop goes on: the rest of the way from the iterate at hand.
        let resumed = by_hand.resume(&problem, &stop(1e-9, 400)).unwrap();
        prop_assert_eq!(resumed.status, Status::Converged);
        let mut warm = Cg::new(vec![0.0; Cg::scalars(b.len())]);
        warm.start_from(&problem, by_hand.solution()).unwrap();
        prop_assert_eq!(warm.resume(&problem, &stop(1e-8, 0)).unwrap().status, Status::Converged);
    }

    #[test]
    fn lsqr_meets_the_normal_equations(
        (m, n, entries, b) in (0..10usize, 0..10usize).prop_flat_map(|(m, n)| {
            let entries = |count| proptest::collection::vec(-2.0..2.0f64, count);
            (Just(m), Just(n), entries(m * n), entries(m))
        }),
    ) {
        let operator = Dense::new(m, n, &entries).unwrap();
        let mut solver = Lsqr::new(vec![0.0; Lsqr::scalars(m, n)]);
        let rule = LeastSquaresStop {
            operator_tolerance: 1e-10,
            right_hand_side_tolerance: 1e-10,
            max_iterations: 2000,
        };
        let report = solver.solve(&LinearSystem::new(&operator, &b), &rule).unwrap();
        let (recomputed, allowed) = residual(&entries, solver.solution(), &b);
        prop_assert!((recomputed - report.residual_norm).abs() <= allowed);
        prop_assert!(report.residual_norm <= norm(&b) * (1.0 + 1e-12));
        prop_assert_eq!(report.status, Status::Converged, "{:?}", report);
        let consistent = 1e-10 * (norm(&b) + report.operator_norm * report.solution_norm);
        let normal = 1e-10 * report.operator_norm * report.residual_norm;
        prop_assert!(report.residual_norm <= consistent || report.normal_residual_norm <= normal);
    }

    #[test]
    fn the_incomplete_factors_agree_on_the_pattern(matrix in positive_definite(12), shift in 0.0..1.0f64) {
        let operator = lower(&matrix);
        let mut memory = vec![0.0; matrix.values.len()];
        let factor = IncompleteCholesky::factor(&operator, shift, &mut memory).unwrap();
        let n = matrix.rows();
        let l = Sparse { values: factor.values().to_vec(), ..matrix.clone() }.dense(false);
        for (row, range) in matrix.row_pointers.windows(2).enumerate() {
            for entry in range[0] as usize..range[1] as usize {
                let column = matrix.column_indices[entry] as usize;
                let product: f64 = (0..=column).map(|k| l[row + k * n] * l[column + k * n]).sum();
                let raised = if row == column { 1.0 + shift } else { 1.0 };
                let expected = raised * matrix.values[entry];
                // By Cauchy–Schwarz no sum of sizes exceeds the larger diagonal entry; up to n + 3 roundings
                // on each side.
                let largest = f64::max(l[row + row * n], l[column + column * n]).powi(2)
                    + 2.0 * f64::max(matrix.values[matrix.row_pointers[row + 1] as usize - 1],
                        matrix.values[matrix.row_pointers[column + 1] as usize - 1]);
                let allowed = 2.0 * (n + 3) as f64 * f64::EPSILON * largest;
                prop_assert!((product - expected).abs() <= allowed, "{} and {}", product, expected);
            }
        }
    }
}

/// Multiplies by NaN from the second product on.
struct Poisoned(std::cell::Cell<u32>);

impl LinearOperator<f64> for Poisoned {
    fn rows(&self) -> usize {
        3
    }
    fn columns(&self) -> usize {
        3
    }
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        self.0.set(self.0.get() + 1);
        for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
            *y = if self.0.get() > 1 { f64::NAN } else { (i + 1) as f64 * x };
        }
    }
}

#[test]
fn nan_from_an_operator_is_never_an_answer() {
    let b = [1.0, 1.0, 1.0];
    let identity = Identity::new(3);
    let poisoned = || Poisoned(std::cell::Cell::new(0));
    let stop = stop(1e-8, 10);
    let failed = |report: Result<Report<f64>, Error>| match report {
        Ok(report) => report.status == Status::Breakdown,
        Err(error) => matches!(error, Error::Breakdown { .. } | Error::NotPositiveDefinite { .. }),
    };
    let operator = poisoned();
    assert!(failed(Cg::new([0.0; 12]).solve(&LinearSystem::new(&operator, &b), &stop)));
    let operator = poisoned();
    let problem = LinearSystem::new(&operator, &b).preconditioned(&identity);
    assert!(failed(PreconditionedCg::new([0.0; 12]).solve(&problem, &stop)));
    let operator = poisoned();
    let problem = LinearSystem::new(&operator, &b).preconditioned(&identity);
    assert!(failed(Minres::new([0.0; 24]).solve(&problem, &stop)));
    let operator = poisoned();
    let problem = LinearSystem::new(&operator, &b).preconditioned(&identity);
    assert!(failed(Gmres::new(vec![0.0; Gmres::scalars(3, 3)], 3).unwrap().solve(&problem, &stop)));
    let mut inverse = vec![0.0; 3];
    let preconditioner = Diagonal::jacobi(&[1.0; 3], &mut inverse).unwrap();
    let operator = poisoned();
    let problem = LinearSystem::new(&operator, &b).preconditioned(&preconditioner);
    assert!(failed(PreconditionedCg::new([0.0; 12]).solve(&problem, &stop)));
}

/// What every space must do, whatever its threads.
fn conforms(space: &impl Space<f64>, exact_up_to: usize) {
    for n in [0, 1, 7, 8, 9, 1000, 16_384, 16_385, 50_000] {
        let x: Vec<f64> = (0..n).map(|i| ((i * 37 + 11) % 64) as f64 / 32.0 - 0.98).collect();
        let y: Vec<f64> = (0..n).map(|i| ((i * 29 + 5) % 81) as f64 / 27.0 - 1.4).collect();
        let terms = || x.iter().zip(&y).map(|(x, y)| x * y);
        let size: f64 = terms().map(f64::abs).sum();
        let dot = space.dot(&x, &y);
        // Both sums are off by at most n·u times the sum of sizes.
        assert!((dot - terms().sum::<f64>()).abs() <= n as f64 * f64::EPSILON * size);
        if n <= exact_up_to {
            assert_eq!(dot.to_bits(), Serial.dot(&x, &y).to_bits(), "{n}");
        }
        assert_eq!(space.dot(&x, &x).sqrt().to_bits(), space.norm2(&x).to_bits());
        let (mut found, mut fused, mut expected) = (y.clone(), y.clone(), y.clone());
        space.axpy(0.3, &x, &mut found);
        let squared = space.axpy_dot(0.3, &x, &mut fused);
        Serial.axpy(0.3, &x, &mut expected);
        assert_eq!(found, expected);
        assert_eq!(fused, expected);
        assert_eq!(squared.to_bits(), space.dot(&found, &found).to_bits());
        space.xpby(&x, -0.7, &mut found);
        Serial.xpby(&x, -0.7, &mut expected);
        assert_eq!(found, expected);
        space.scale(1.7, &mut found);
        Serial.scale(1.7, &mut expected);
        assert_eq!(found, expected);
        space.copy(&y, &mut found);
        assert_eq!(found, y);
        let (mut direction, mut expected_direction) = (x.clone(), x.clone());
        let mut expected = y.clone();
        space.axpy_xpby(0.4, &y, -0.6, &mut direction, &mut found);
        Serial.axpy(0.4, &expected_direction, &mut expected);
        Serial.xpby(&y, -0.6, &mut expected_direction);
        assert_eq!((found, direction), (expected, expected_direction));
    }
}

#[test]
fn every_space_conforms() {
    conforms(&Serial, usize::MAX);
    let x: Vec<f64> = (0..100_000).map(|i| f64::from(i % 1013) / 7.0 - 70.0).collect();
    let mut sums = Vec::new();
    for count in 1..=3 {
        let threads = Threads::new(count).unwrap();
        conforms(&threads, 16_384);
        sums.push(threads.dot(&x, &x).to_bits());
    }
    assert!(sums.windows(2).all(|pair| pair[0] == pair[1]), "the bits depend on the number of threads");
}

#[test]
fn threads_solve_what_one_thread_solves() {
    let grid = 150;
    let pattern = laplacian_by_stencil(grid);
    let csr = Csr::new(grid * grid, &pattern.row_pointers, &pattern.column_indices, &pattern.values).unwrap();
    let stencil = Stencil5::new([grid, grid], [1.0, 1.0]).unwrap();
    let b = vec![1.0; grid * grid];
    let rule = stop(1e-9, 1000);
    let mut serial = Cg::new(vec![0.0; Cg::scalars(b.len())]);
    let report = serial.solve(&LinearSystem::new(&stencil, &b), &rule).unwrap();
    let threads = Threads::new(2).unwrap();
    let operator = ThreadedCsr::new(csr, threads.clone());
    let mut threaded = Cg::in_space(vec![0.0; Cg::scalars(b.len())], threads);
    let other = threaded.solve(&LinearSystem::new(&operator, &b), &rule).unwrap();
    assert_eq!((report.status, other.status), (Status::Converged, Status::Converged));
    assert!(report.iterations.abs_diff(other.iterations) <= 2);
    // Either solution is off by at most ‖r‖/λ_min, λ_min = 8 sin²(π/2(grid + 1)).
    let smallest = 8.0 * (std::f64::consts::FRAC_PI_2 / (grid + 1) as f64).sin().powi(2);
    let difference: Vec<f64> =
        serial.solution().iter().zip(threaded.solution()).map(|(a, b)| a - b).collect();
    assert!(norm(&difference) <= (report.residual_norm + other.residual_norm) / smallest);
}

/// The five-point Laplacian, all of it stored.
fn laplacian_by_stencil(grid: usize) -> Sparse {
    let mut matrix = Sparse {
        columns: grid * grid,
        row_pointers: vec![0],
        column_indices: Vec::new(),
        values: Vec::new(),
    };
    for at in 0..grid * grid {
        let (i, j) = (at % grid, at / grid);
        let neighbours = [
            (j > 0).then(|| (at - grid, -1.0)),
            (i > 0).then(|| (at - 1, -1.0)),
            Some((at, 4.0)),
            (i + 1 < grid).then(|| (at + 1, -1.0)),
            (j + 1 < grid).then(|| (at + grid, -1.0)),
        ];
        for (column, value) in neighbours.into_iter().flatten() {
            matrix.column_indices.push(column as u32);
            matrix.values.push(value);
        }
        matrix.row_pointers.push(matrix.column_indices.len() as u32);
    }
    matrix
}

#[test]
fn ic0_saves_a_third_of_the_iterations_on_a_laplacian() {
    let matrix = laplacian(20, 20);
    let operator = lower(&matrix);
    let b = vec![1.0; 400];
    let mut memory = vec![0.0; matrix.values.len()];
    let factor = IncompleteCholesky::factor(&operator, 0.0, &mut memory).unwrap();
    let problem = LinearSystem::new(&operator, &b);
    let plain = Cg::new(vec![0.0; 1600]).solve(&problem, &stop(1e-8, 400)).unwrap();
    let problem = problem.preconditioned(&factor);
    let better = PreconditionedCg::new(vec![0.0; 1600]).solve(&problem, &stop(1e-8, 400)).unwrap();
    assert_eq!((plain.status, better.status), (Status::Converged, Status::Converged));
    assert!(3 * better.iterations <= 2 * plain.iterations, "{} and {}", better.iterations, plain.iterations);
}
