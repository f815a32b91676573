//! Eigenvalues against nalgebra's, certificates recomputed here, and the properties of the loss's curvature.

use std::path::PathBuf;

use nalgebra::{DMatrix, SymmetricEigen};
use proptest::prelude::*;
use quern::io::matrix_market;
use quern::strategies::risk::{Risk, risk};
use quern::strategies::spectrum::{symmetric_matrix, tall_matrix, tridiagonal};
use quern_kernels::linop::{Dense, LinearOperator, Stencil5};
use quern_kernels::nn::{Activation, Curvature, EmpiricalRisk, ScalarLoss, ScalarNetwork};
use quern_kernels::random::{Key, fill_normal, fill_rademacher};
use quern_kernels::space::Serial;
use quern_kernels::spectrum::{
    Lanczos, PowerIteration, PowerStatus, PowerStop, Reorthogonalization, gap_count, gauss_quadrature,
    householder_tridiagonal, jacobi_eigen, jacobi_svd, power_deflated, ritz_pairs, ritz_values,
    stochastic_quadrature, stochastic_quadrature_scalars, tridiagonal_eigen,
};

const FULL: Reorthogonalization = Reorthogonalization::Full;

/// ‖A‖_F.
fn size(entries: &[f64]) -> f64 {
    entries.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// nalgebra's eigenvalues, ascending.
fn oracle(n: usize, entries: &[f64]) -> Vec<f64> {
    if n == 0 {
        return Vec::new();
    }
    let mut values: Vec<f64> =
        SymmetricEigen::new(DMatrix::from_column_slice(n, n, entries)).eigenvalues.iter().copied().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Both solvers' backward errors are a modest multiple of nu‖A‖_F; by Weyl's theorem so far are the eigenvalues.
fn close(n: usize, entries: &[f64], values: &[f64], expected: &[f64]) -> Result<(), TestCaseError> {
    let bound = 20.0 * (n + 1) as f64 * f64::EPSILON * size(entries);
    prop_assert_eq!(values.len(), expected.len());
    for (value, expected) in values.iter().zip(expected) {
        prop_assert!((value - expected).abs() <= bound, "{value} {expected} within {bound:e}");
    }
    Ok(())
}

/// ‖Av − λv‖ for every column, and VᵀV = I.
fn eigenpairs(n: usize, entries: &[f64], values: &[f64], vectors: &[f64]) -> Result<(), TestCaseError> {
    let (a, v) =
        (DMatrix::from_column_slice(n, n, entries), DMatrix::from_column_slice(n, values.len(), vectors));
    let residual = &a * &v - &v * DMatrix::from_diagonal(&nalgebra::DVector::from_row_slice(values));
    let bound = 40.0 * (n + 1) as f64 * f64::EPSILON;
    prop_assert!(residual.norm() <= bound * size(entries), "{:e}", residual.norm());
    let gram = v.transpose() * &v - DMatrix::identity(values.len(), values.len());
    prop_assert!(gram.norm() <= bound, "{:e}", gram.norm());
    Ok(())
}

proptest! {
    #[test]
    fn jacobi_finds_all_eigenpairs((n, entries) in symmetric_matrix(14)) {
        let (mut values, mut vectors) = (vec![0.0; n], vec![0.0; n * n]);
        jacobi_eigen(&mut entries.clone(), &mut values, &mut vectors).unwrap();
        close(n, &entries, &values, &oracle(n, &entries))?;
        eigenpairs(n, &entries, &values, &vectors)?;
        let mut alone = vec![0.0; n];
        jacobi_eigen(&mut entries.clone(), &mut alone, &mut []).unwrap();
        prop_assert_eq!(alone, values, "vectors do not change the values");
    }

    #[test]
    fn householder_and_ql_find_all_eigenvalues((n, entries) in symmetric_matrix(20)) {
        let (mut values, mut couplings) = (vec![0.0; n], vec![0.0; n]);
        householder_tridiagonal(&mut entries.clone(), &mut values, &mut couplings).unwrap();
        tridiagonal_eigen(&mut values, &mut couplings, 0, &mut []).unwrap();
        close(n, &entries, &values, &oracle(n, &entries))?;
    }

    #[test]
    fn ql_finds_the_eigenpairs_of_a_tridiagonal_matrix((diagonal, off) in tridiagonal(16)) {
        let n = diagonal.len();
        let entries: Vec<f64> = (0..n * n)
            .map(|at| match (at % n, at / n) {
                (i, j) if i == j => diagonal[i],
                (i, j) if i.abs_diff(j) == 1 => off[i.min(j)],
                _ => 0.0,
            })
            .collect();
        let mut values = diagonal.clone();
        let mut vectors: Vec<f64> = (0..n * n).map(|at| f64::from(u8::from(at % (n + 1) == 0))).collect();
        tridiagonal_eigen(&mut values, &mut off.clone(), n, &mut vectors).unwrap();
        close(n, &entries, &values, &oracle(n, &entries))?;
        eigenpairs(n, &entries, &values, &vectors)?;
    }

    #[test]
    fn singular_values_and_vectors((m, n, entries) in tall_matrix(8)) {
        let (mut u, mut values, mut v) = (entries.clone(), vec![0.0; n], vec![0.0; n * n]);
        // Entries of any size: squares that leave the range of the numbers are refused.
        if jacobi_svd(&mut u, m, &mut values, &mut v).is_err() {
            return Ok(());
        }
        let bound = 40.0 * (m + 1) as f64 * f64::EPSILON * (1.0 + size(&entries));
        prop_assert!(values.is_sorted_by(|x, y| x >= y));
        if n > 0 {
            let a = DMatrix::from_column_slice(m, n, &entries);
            let mut expected: Vec<f64> = a.clone().svd(false, false).singular_values.iter().copied().collect();
            expected.sort_by(|x, y| y.total_cmp(x));
            for (value, expected) in values.iter().zip(&expected) {
                prop_assert!((value - expected).abs() <= bound, "{value} {expected}");
            }
            let (u, v) = (DMatrix::from_column_slice(m, n, &u), DMatrix::from_column_slice(n, n, &v));
            let sigma = DMatrix::from_diagonal(&nalgebra::DVector::from_row_slice(&values));
            prop_assert!((a - u * sigma * v.transpose()).norm() <= bound);
            prop_assert!((v.transpose() * &v - DMatrix::identity(n, n)).norm() <= 1e-13);
        }
    }

    /// With as many steps as unknowns, restarted beside what was found where the space is invariant, Lanczos
    /// reproduces all eigenvalues; here of random spectra, where it is not.
    #[test]
    fn lanczos_to_the_end_finds_all_eigenvalues(
        entries in (1..14usize).prop_flat_map(|n| proptest::collection::vec(-1.0..1.0f64, n * n)),
        seed in any::<u64>(),
    ) {
        let n = entries.len().isqrt();
        let symmetric: Vec<f64> =
            (0..n * n).map(|at| entries[at] + entries[at / n + at % n * n]).collect();
        let mut start = vec![0.0; n];
        fill_normal(Key::from_seed(seed), 0, &mut start);
        let operator = Dense::new(n, n, &symmetric).unwrap();
        let mut lanczos = Lanczos::new(vec![0.0; Lanczos::scalars(n, n, FULL)], n, FULL).unwrap();
        let k = lanczos.run(&operator, &start).unwrap();
        let basis = DMatrix::from_column_slice(n, k, lanczos.basis());
        prop_assert!((basis.transpose() * &basis - DMatrix::identity(k, k)).norm() <= 1e-12);
        let (mut values, mut residuals, mut memory) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
        let mut coefficients = vec![0.0; k * k];
        let (diagonal, off) = (lanczos.diagonal(), lanczos.off_diagonal());
        ritz_pairs(diagonal, off, &mut values, &mut residuals, &mut coefficients, &mut memory).unwrap();
        // Few such matrices have an eigenvector almost orthogonal to the start: then the space ends early.
        if k == n {
            close(n, &symmetric, &values, &oracle(n, &symmetric))?;
            let mut vectors = vec![0.0; n * n];
            for (vector, coefficients) in vectors.chunks_mut(n).zip(coefficients.chunks(n)) {
                lanczos.ritz_vector(coefficients, vector).unwrap();
            }
            eigenpairs(n, &symmetric, &values, &vectors)?;
        }
    }

    /// Ritz values lie between the extreme eigenvalues, and within its residual of each an eigenvalue.
    #[test]
    fn ritz_values_keep_their_bounds((n, entries) in symmetric_matrix(14), steps in 1..8usize, seed in any::<u64>()) {
        let mut start = vec![0.0; n];
        fill_rademacher(Key::from_seed(seed), 0, &mut start);
        let operator = Dense::new(n, n, &entries).unwrap();
        let mut lanczos = Lanczos::new(vec![0.0; Lanczos::scalars(n, steps, FULL)], steps, FULL).unwrap();
        if n == 0 {
            prop_assert!(lanczos.run(&operator, &start).is_err());
            return Ok(());
        }
        let k = lanczos.run(&operator, &start).unwrap();
        let (mut values, mut residuals, mut memory) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
        ritz_values(lanczos.diagonal(), lanczos.off_diagonal(), &mut values, &mut residuals, &mut memory).unwrap();
        let exact = oracle(n, &entries);
        // 10u of the largest coefficient count as zero, and rounding of n terms in each product.
        let rounding = 40.0 * (n + 1) as f64 * f64::EPSILON * size(&entries);
        for (value, residual) in values.iter().zip(&residuals) {
            prop_assert!(*value >= exact[0] - rounding && *value <= exact[n - 1] + rounding);
            let nearest = exact.iter().map(|exact| (exact - value).abs()).fold(f64::INFINITY, f64::min);
            prop_assert!(nearest <= residual + rounding, "{value} {residual} {nearest}");
        }
    }

    #[test]
    fn quadrature_weights_are_a_distribution((diagonal, off) in tridiagonal(16)) {
        let n = diagonal.len();
        let (mut nodes, mut weights, mut memory) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        gauss_quadrature(&diagonal, &off, &mut nodes, &mut weights, &mut memory).unwrap();
        let sum: f64 = weights.iter().sum();
        prop_assert!(weights.iter().all(|weight| *weight >= 0.0));
        // Each of some 2n² rotations keeps the length to a few units of roundoff.
        prop_assert!(n == 0 || (sum - 1.0).abs() <= 8.0 * (n * n) as f64 * f64::EPSILON, "{}", sum);
        // The first moment is the first entry.
        if let Some(&first) = diagonal.first() {
            let mean: f64 = nodes.iter().zip(&weights).map(|(node, weight)| node * weight).sum();
            let scale = size(&diagonal) + size(&off);
            prop_assert!((mean - first).abs() <= 40.0 * (n + 1) as f64 * f64::EPSILON * scale);
        }
    }

    #[test]
    fn power_iteration_is_honest((n, entries) in symmetric_matrix(10), budget in 0..60usize, seed in any::<u64>()) {
        let mut start = vec![0.0; n];
        fill_normal(Key::from_seed(seed), 0, &mut start);
        let operator = Dense::new(n, n, &entries).unwrap();
        let stop = PowerStop { relative_tolerance: 1e-6, max_iterations: budget };
        let mut power = PowerIteration::new(vec![0.0; 2 * n]);
        let Ok(report) = power.largest(&operator, &start, &stop) else { return Ok(()) };
        let v = power.vector();
        let mut product = vec![0.0; n];
        operator.apply(v, &mut product);
        let residual: Vec<f64> = product.iter().zip(v).map(|(product, v)| product - report.value * v).collect();
        let rounding = 20.0 * (n + 1) as f64 * f64::EPSILON * size(&entries);
        prop_assert!((size(&residual) - report.residual_norm).abs() <= rounding);
        let largest = oracle(n, &entries).last().copied();
        prop_assert!(largest.is_some_and(|largest| report.value <= largest + rounding));
        prop_assert!(report.iterations <= 2 * budget);
        let met = report.residual_norm <= 1e-6 * report.value.abs();
        prop_assert_eq!(met, report.status == PowerStatus::Converged);
    }

    /// Planted spectra: the widest gap is found where it was put.
    #[test]
    fn planted_gaps_are_counted(count in 1..8usize, gap in 2.5..100.0f64) {
        let outliers = (0..count).rev().map(|i| 0.1 * gap * (1.0 + 0.3 * i as f64));
        let bulk = (0..12).map(|i| 0.1 * 0.9_f64.powi(i));
        let values: Vec<f64> = outliers.chain(bulk).collect();
        let found = gap_count(&values, count + 8).unwrap();
        prop_assert_eq!(found.count, count);
        prop_assert!((found.ratio - gap).abs() <= 1e-12 * gap && found.is_resolved());
    }
}

#[test]
fn deflated_power_iteration_finds_the_largest_in_turn() {
    let values = [9.0, -7.0, 5.0, 3.0, 1.0, 0.5];
    // Q diag(λ) Qᵀ with a reflection Q.
    let n = values.len();
    let axis: Vec<f64> = (0..n).map(|i| (i + 1) as f64).collect();
    let factor = 2.0 / size(&axis).powi(2);
    let q = DMatrix::from_fn(n, n, |i, j| f64::from(u8::from(i == j)) - factor * axis[i] * axis[j]);
    let a = &q * DMatrix::from_diagonal(&nalgebra::DVector::from_row_slice(&values)) * q.transpose();
    let operator = Dense::new(n, n, a.as_slice()).unwrap();
    let (mut found, mut vectors) = ([0.0; 4], vec![0.0; 4 * n]);
    fill_normal(Key::from_seed(1), 0, &mut vectors);
    let stop = PowerStop { relative_tolerance: 1e-9, max_iterations: 1000 };
    let mut memory = vec![0.0; 2 * n];
    let converged = power_deflated(&Serial, &operator, &mut found, &mut vectors, &mut memory, &stop).unwrap();
    assert_eq!(converged, 4);
    for (found, expected) in found.iter().zip(values) {
        // A Rayleigh quotient is off by the square of the residual.
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    let v = DMatrix::from_column_slice(n, 4, &vectors);
    assert!((v.transpose() * &v - DMatrix::identity(4, 4)).norm() < 1e-14);
}

/// On the full square the eigenvalues are known: λ = 4 − 2cos(πi/(N + 1)) − 2cos(πj/(N + 1)).
#[test]
fn ritz_data_of_the_discrete_laplacian() {
    let side = 16;
    let (n, m) = (side * side, side * side / 4);
    let operator = Stencil5::new([side, side], [1.0; 2]).unwrap();
    let mut start = vec![0.0; n];
    let mut normal = vec![0.0; n];
    fill_normal(Key::from_seed(27), 0, &mut normal);
    operator.apply(&normal, &mut start);
    let mut lanczos = Lanczos::new(vec![0.0; Lanczos::scalars(n, m, FULL)], m, FULL).unwrap();
    assert_eq!(lanczos.run(&operator, &start), Ok(m));
    let basis = DMatrix::from_column_slice(n, m, lanczos.basis());
    assert!((basis.transpose() * &basis - DMatrix::identity(m, m)).norm() < 1e-12);
    let (mut values, mut residuals) = (vec![0.0; m], vec![0.0; m]);
    let (mut coefficients, mut memory) = (vec![0.0; m * m], vec![0.0; m]);
    let (diagonal, off) = (lanczos.diagonal(), lanczos.off_diagonal());
    ritz_pairs(diagonal, off, &mut values, &mut residuals, &mut coefficients, &mut memory).unwrap();
    let cosine = |k: usize| 2.0 * (k as f64 * std::f64::consts::PI / (side + 1) as f64).cos();
    assert!(values[0] >= 4.0 - 2.0 * cosine(1) - 1e-13 && values[m - 1] <= 4.0 + 2.0 * cosine(1) + 1e-13);
    let mut exact: Vec<f64> = (1..=side)
        .flat_map(|i| (1..=side).map(move |j| (i, j)))
        .map(|(i, j)| 4.0 - cosine(i) - cosine(j))
        .collect();
    exact.sort_by(f64::total_cmp);
    let (mut vector, mut product) = (vec![0.0; n], vec![0.0; n]);
    for ((value, residual), coefficients) in values.iter().zip(&residuals).zip(coefficients.chunks(m)) {
        let nearest = exact.iter().map(|exact| (exact - value).abs()).fold(f64::INFINITY, f64::min);
        assert!(nearest <= residual + 1e-13, "{value} {residual:e} {nearest:e}");
        lanczos.ritz_vector(coefficients, &mut vector).unwrap();
        operator.apply(&vector, &mut product);
        let difference: Vec<f64> = product.iter().zip(&vector).map(|(p, v)| p - value * v).collect();
        assert!((size(&difference) - residual).abs() < 1e-12, "{value} {residual:e}");
    }
}

/// `golden/spectrum.csv`, written by `golden/generate_spectrum.py`. Both sides are exact to a modest multiple of
/// nu‖A‖.
#[test]
fn the_largest_eigenvalues_of_real_matrices_are_those_of_scipy() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/matrices"));
    if !folder.is_dir() {
        println!("{} does not exist: only generated matrices are tested", folder.display());
        return;
    }
    for line in include_str!("../../golden/spectrum.csv").lines().skip(1) {
        let (name, numbers) = line.split_once(',').unwrap();
        let numbers: Vec<f64> = numbers.split(',').map(|number| number.parse().unwrap()).collect();
        let matrix = matrix_market::read_matrix(&folder.join(format!("{name}.mtx"))).unwrap();
        let (n, m) = (matrix.rows, matrix.rows.min(160));
        let mut start = vec![0.0; n];
        fill_rademacher(Key::from_seed(1), 0, &mut start);
        let mut lanczos = Lanczos::new(vec![0.0; Lanczos::scalars(n, m, FULL)], m, FULL).unwrap();
        let k = lanczos.run(&matrix.csr().unwrap(), &start).unwrap();
        let (mut values, mut residuals, mut memory) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
        let (diagonal, off) = (lanczos.diagonal(), lanczos.off_diagonal());
        ritz_values(diagonal, off, &mut values, &mut residuals, &mut memory).unwrap();
        let bound = 4.0 * n as f64 * f64::EPSILON * numbers[0];
        for ((value, residual), expected) in values.iter().zip(&residuals).rev().zip(&numbers[1..]) {
            assert!(*residual <= bound, "{name}: {residual:e} after {k} steps");
            assert!((value - expected).abs() <= bound, "{name}: {value} {expected}");
        }
    }
}

#[test]
fn stochastic_quadrature_estimates_the_trace() {
    let n = 40;
    let mut entries = vec![0.0; n * n];
    fill_normal(Key::from_seed(3), 0, &mut entries);
    let symmetric: Vec<f64> = (0..n * n).map(|at| entries[at] + entries[at / n + at % n * n]).collect();
    let operator = Dense::new(n, n, &symmetric).unwrap();
    let (starts, steps) = (50, 12);
    let (mut nodes, mut weights) = (vec![0.0; starts * steps], vec![0.0; starts * steps]);
    let mut memory = vec![0.0; stochastic_quadrature_scalars(n, steps)];
    let key = Key::from_seed(4);
    let count =
        stochastic_quadrature(&Serial, &operator, key, starts as u32, &mut nodes, &mut weights, &mut memory)
            .unwrap();
    let mass: f64 = weights[..count].iter().sum();
    assert!((mass - 1.0).abs() < 1e-12, "{mass}");
    let mean: f64 = nodes[..count].iter().zip(&weights).map(|(node, weight)| node * weight).sum();
    let diagonal: Vec<f64> = symmetric.iter().step_by(n + 1).copied().collect();
    let variance = 2.0 * (size(&symmetric).powi(2) - size(&diagonal).powi(2)) / starts as f64;
    let standard_error = variance.sqrt() / n as f64;
    let trace = diagonal.iter().sum::<f64>() / n as f64;
    assert!((mean - trace).abs() < 3.0 * standard_error, "{mean} {trace} ± {standard_error}");
}

/// A case's network and loss.
fn network(case: &Risk) -> (ScalarNetwork, ScalarLoss) {
    let activation = [Activation::Linear, Activation::Relu, Activation::Tanh][case.activation];
    let loss = [ScalarLoss::Squared, ScalarLoss::Logistic][case.loss];
    (ScalarNetwork::new(case.inputs, case.units, activation).unwrap(), loss)
}

fn product(case: &Risk, kind: Curvature, v: &[f64]) -> Vec<f64> {
    let (net, loss) = network(case);
    let risk = EmpiricalRisk::new(net, loss, &case.samples, &case.targets).unwrap();
    let operator = risk.curvature(&case.parameters, kind, vec![0.0; 2 * case.units]).unwrap();
    let mut product = vec![0.0; v.len()];
    operator.apply(v, &mut product);
    product
}

/// The whole matrix, column by column.
fn matrix(case: &Risk, kind: Curvature) -> Vec<f64> {
    let n = case.parameters.len();
    (0..n)
        .flat_map(|j| {
            let unit: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i == j))).collect();
            product(case, kind, &unit)
        })
        .collect()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// ∇L at w + tv.
fn gradient_along(case: &Risk, t: f64) -> (f64, Vec<f64>) {
    let (net, loss) = network(case);
    let risk = EmpiricalRisk::new(net, loss, &case.samples, &case.targets).unwrap();
    let at: Vec<f64> = case.parameters.iter().zip(&case.direction).map(|(w, v)| w + t * v).collect();
    let mut gradient = vec![0.0; at.len()];
    let value = risk.gradient(&at, &mut gradient, &mut vec![0.0; case.units]).unwrap();
    (value, gradient)
}

proptest! {
    #[test]
    fn curvature_is_linear_symmetric_and_split_into_a_covariance_and_a_rest(case in risk(5), scale in -2.0..2.0f64) {
        let (hessian, covariance) = (matrix(&case, Curvature::Hessian), matrix(&case, Curvature::GaussNewton));
        let n = case.parameters.len();
        let bound = 1e-12 * (1.0 + size(&hessian) + size(&covariance));
        for (at, entry) in hessian.iter().enumerate() {
            prop_assert!((entry - hessian[at / n + at % n * n]).abs() <= bound);
        }
        // Linear: a product is the combination of the columns.
        let v: Vec<f64> = case.direction.iter().map(|v| scale * v).collect();
        let combined: Vec<f64> = (0..n).map(|i| (0..n).map(|j| hessian[i + j * n] * v[j]).sum()).collect();
        for (product, combined) in product(&case, Curvature::Hessian, &v).iter().zip(&combined) {
            prop_assert!((product - combined).abs() <= bound * (1.0 + size(&v)));
        }
        prop_assert!(dot(&v, &product(&case, Curvature::GaussNewton, &v)) >= -bound);
        // H − G couples only what belongs to one unit, and neither a's among themselves nor c.
        let (d, h) = (case.inputs, case.units);
        let unit = |i: usize| match i {
            i if i < h * d => (i / d, false),
            i if i < h * d + h => (i - h * d, false),
            i if i < h * d + 2 * h => (i - h * d - h, true),
            _ => (h, true),
        };
        for (at, (hessian, covariance)) in hessian.iter().zip(&covariance).enumerate() {
            let ((one, outer), (other, also_outer)) = (unit(at % n), unit(at / n));
            if one != other || (outer && also_outer) {
                prop_assert!((hessian - covariance).abs() <= bound, "{at}");
            }
        }
    }

    /// Central differences: truncation (h‖v‖)²/6 of third derivatives, rounding u/h.
    #[test]
    fn gradient_and_product_are_those_of_central_differences(case in risk(5)) {
        // A finite difference across a kink is not a derivative.
        prop_assume!(case.activation != 1);
        let h = 1e-6;
        let ((above, up), (below, down)) = (gradient_along(&case, h), gradient_along(&case, -h));
        let (value, gradient) = gradient_along(&case, 0.0);
        let slope = dot(&gradient, &case.direction);
        prop_assert!(((above - below) / (2.0 * h) - slope).abs() <= 1e-6 * (1.0 + slope.abs() + value.abs()));
        let product = product(&case, Curvature::Hessian, &case.direction);
        let difference: Vec<f64> = up.iter().zip(&down).map(|(up, down)| (up - down) / (2.0 * h)).collect();
        let off: Vec<f64> = product.iter().zip(&difference).map(|(p, d)| p - d).collect();
        prop_assert!(size(&off) <= 1e-6 * (1.0 + size(&product)), "{:e} of {:e}", size(&off), size(&product));
    }

    #[test]
    fn one_sample_with_zero_residual_has_one_eigenvalue(mut case in risk(4)) {
        let (net, _) = network(&case);
        case.loss = 0;
        case.samples.truncate(case.inputs);
        let mut row = vec![0.0; net.parameters()];
        case.targets = vec![net.jacobian_row(&case.parameters, &case.samples, &mut row).unwrap()];
        let hessian = matrix(&case, Curvature::Hessian);
        let n = net.parameters();
        let values = oracle(n, &hessian);
        let expected = size(&row).powi(2);
        let bound = 1e-12 * (1.0 + expected);
        prop_assert!((values[n - 1] - expected).abs() <= bound);
        prop_assert!(values[..n - 1].iter().all(|value| value.abs() <= bound));
    }

    #[test]
    fn copies_of_samples_do_not_raise_the_rank(case in risk(4), copies in 2..4usize) {
        let mut copied = case.clone();
        copied.samples = case.samples.repeat(copies);
        copied.targets = case.targets.repeat(copies);
        let (covariance, n) = (matrix(&copied, Curvature::GaussNewton), case.parameters.len());
        let bound = 1e-12 * (1.0 + size(&covariance));
        let rank = oracle(n, &covariance).iter().filter(|value| value.abs() > bound).count();
        prop_assert!(rank <= case.targets.len(), "{rank}");
        // Means, not sums: the copies change nothing.
        let once = matrix(&case, Curvature::GaussNewton);
        for (once, copied) in once.iter().zip(&covariance) {
            prop_assert!((once - copied).abs() <= bound);
        }
    }

    #[test]
    fn permuting_units_leaves_the_spectrum(case in risk(5)) {
        let (d, h, n) = (case.inputs, case.units, case.parameters.len());
        let mut turned = case.clone();
        // Unit j takes the place of unit j + 1.
        turned.parameters[..h * d].rotate_right(d);
        turned.parameters[h * d..h * d + h].rotate_right(1);
        turned.parameters[h * d + h..h * d + 2 * h].rotate_right(1);
        let (one, other) = (matrix(&case, Curvature::Hessian), matrix(&turned, Curvature::Hessian));
        let bound = 1e-12 * (1.0 + size(&one));
        for (x, y) in oracle(n, &one).iter().zip(oracle(n, &other)) {
            prop_assert!((x - y).abs() <= bound, "{x} {y}");
        }
    }
}
