//! Attention and its support vector machines: optimality certificates, closed forms, and convex programming.

use proptest::prelude::*;
use quern_firmware::generators::unit_vectors;
use quern_kernels::blas::{gemm, norm2};
use quern_kernels::nn::Attention;
use quern_kernels::optim::composite::{Admm, AdmmSettings, NuclearSvm, Status, Stop};
use quern_kernels::optim::normalized_step;
use quern_kernels::prox::{OuterProductProjection, OuterProducts, ProjectionStatus};
use quern_kernels::random::Key;
use quern_kernels::spectrum::jacobi_svd;

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// ΣᵢλᵢΔᵢzᵢᵀ.
fn combination(d: usize, multipliers: &[f64], left: &[f64], right: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; d * d];
    for ((multiplier, left), right) in multipliers.iter().zip(left.chunks(d)).zip(right.chunks(d)) {
        for (place, entry) in sum.iter_mut().enumerate() {
            *entry += multiplier * left[place % d] * right[place / d];
        }
    }
    sum
}

/// ΔᵀWz of each constraint.
fn forms(d: usize, w: &[f64], left: &[f64], right: &[f64]) -> Vec<f64> {
    let image = |z: &[f64]| {
        let mut image = vec![0.0; d];
        gemm(d, d, 1, 1.0, w, z, 0.0, &mut image).unwrap();
        image
    };
    left.chunks(d).zip(right.chunks(d)).map(|(left, z)| dot(left, &image(z))).collect()
}

/// The machine of least nuclear norm, and the method that finds it.
fn machine(constraints: OuterProducts<'_, f64>) -> (NuclearSvm<'_, f64, Vec<f64>>, Admm<f64, Vec<f64>>) {
    let (p, q) = constraints.shape();
    let memory = vec![0.0; NuclearSvm::scalars(constraints.count(), p, q)];
    let iterates = vec![0.0; Admm::scalars(p * q, p * q)];
    (
        NuclearSvm::new(constraints, Default::default(), memory).unwrap(),
        Admm::new(AdmmSettings { relaxation: 1.0 }, iterates).unwrap(),
    )
}

fn to_residuals_of(absolute_tolerance: f64) -> Stop<f64> {
    Stop { absolute_tolerance, relative_tolerance: 0.0, max_iterations: 20_000, check_interval: 1 }
}

fn singular_values(d: usize, w: &[f64]) -> Vec<f64> {
    let mut values = vec![0.0; d];
    jacobi_svd(&mut w.to_vec(), d, &mut values, &mut []).unwrap();
    values
}

/// Separations of the first token of three sequences of three, in four dimensions: always possible.
fn separations(seed: u64) -> (usize, Vec<f64>, Vec<f64>) {
    let (n, length, d) = (3, 3, 4);
    let [tokens, queries, head] = Key::from_seed(seed).split();
    let (mut x, mut z, mut v) = (vec![0.0; n * length * d], vec![0.0; n * d], vec![0.0; d]);
    unit_vectors(tokens, d, &mut x);
    unit_vectors(queries, d, &mut z);
    unit_vectors(head, d, &mut v);
    let labels = [1.0; 3];
    let net = Attention::new(length, &x, &z, &v, &labels).unwrap();
    let (mut left, mut right) = (vec![0.0; 6 * d], vec![0.0; 6 * d]);
    net.separations(&[0; 3], &mut left, &mut right).unwrap();
    (d, left, right)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// The conditions of Karush, Kuhn and Tucker; the duality gap; and scaling of the queries.
    #[test]
    fn the_projection_of_zero_is_optimal(seed in 0..10_000_u64, scale in 0.5..3.0f64) {
        let (d, left, mut right) = separations(seed);
        let mut projection = OuterProductProjection::new(vec![0.0; OuterProductProjection::scalars(6, d, d)]);
        let constraints = OuterProducts::new(&left, &right, d, d).unwrap();
        let report = projection.solve(&constraints, None, 1e-13, 50_000).unwrap();
        prop_assert_eq!(report.status, ProjectionStatus::Converged);
        let (lambda, w) = (projection.multipliers().to_vec(), projection.matrix().to_vec());
        let size = 1.0 + lambda.iter().sum::<f64>();
        // What a multiplier may still move, 1e-13, times the condition of the constraints.
        prop_assert!(report.violation <= 1e-8 * size, "{}", report.violation);
        prop_assert!(lambda.iter().all(|&lambda| lambda >= 0.0));
        for (lambda, form) in lambda.iter().zip(forms(d, &w, &left, &right)) {
            prop_assert!(lambda * (form - 1.0).abs() <= 1e-8 * size * size);
        }
        let expected = combination(d, &lambda, &left, &right);
        prop_assert!(w.iter().zip(&expected).all(|(x, y)| (x - y).abs() <= 1e-10 * size));
        let square = dot(&w, &w);
        prop_assert!((square - lambda.iter().sum::<f64>()).abs() <= 1e-8 * size * size);
        right.iter_mut().for_each(|entry| *entry *= scale);
        let constraints = OuterProducts::new(&left, &right, d, d).unwrap();
        projection.solve(&constraints, None, 1e-13, 50_000).unwrap();
        prop_assert!(projection.matrix().iter().zip(&w).all(|(x, y)| (x * scale - y).abs() <= 1e-7 * size));
    }

    /// The certificate of the least nuclear norm, and its place between the norms of the other machine.
    #[test]
    fn the_nuclear_machine_is_optimal(seed in 0..10_000_u64) {
        let (d, left, right) = separations(seed);
        let constraints = OuterProducts::new(&left, &right, d, d).unwrap();
        let mut projection = OuterProductProjection::new(vec![0.0; OuterProductProjection::scalars(6, d, d)]);
        projection.solve(&constraints, None, 1e-12, 50_000).unwrap();
        let values = singular_values(d, projection.matrix());
        let (nuclear, frobenius) = (values.iter().sum::<f64>(), norm2(&values));
        let rank = values.iter().filter(|&&value| value > 1e-9 * values[0]).count() as f64;
        prop_assert!(nuclear <= rank.sqrt() * frobenius * (1.0 + 1e-12));
        let (mut svm, mut admm) = machine(constraints);
        prop_assert_eq!(admm.solve(&mut svm, &to_residuals_of(1e-9)).unwrap().status, Status::Converged);
        let least = svm.nuclear_norm();
        prop_assert!(least <= nuclear + 1e-6 && least >= frobenius - 1e-6);
        prop_assert!(constraints.violation(admm.first()).unwrap() < 1e-6);
        // ρ = 1; rounding and residuals of 1e-9 times what a sum of six multipliers magnifies.
        let dual = combination(d, svm.multipliers(), &left, &right);
        prop_assert!(singular_values(d, &dual)[0] <= 1.0 + 1e-6);
        prop_assert!((dot(&dual, admm.second()) - least).abs() <= 1e-5 * (1.0 + least));
    }
}

/// W = Δzᵀ/(‖Δ‖²‖z‖²) for one constraint.
#[test]
fn one_constraint_has_a_closed_form() {
    let (left, right) = ([1.0, -2.0, 0.5], [0.5, 1.0, 2.0]);
    let constraints = OuterProducts::new(&left, &right, 3, 3).unwrap();
    let mut projection = OuterProductProjection::new(vec![0.0; 10]);
    assert_eq!(projection.solve(&constraints, None, 0.0, 10).unwrap().status, ProjectionStatus::Converged);
    let size = dot(&left, &left) * dot(&right, &right);
    for (place, w) in projection.matrix().iter().enumerate() {
        assert!((w - left[place % 3] * right[place / 3] / size).abs() < 1e-15);
    }
}

/// The norm grows by the step length at most, and nearly by it.
#[test]
fn normalized_descent_moves_at_its_rate() {
    let tokens = [1.0, 0.0, 0.0, 1.0];
    let net = Attention::new(2, &tokens, &[1.0, 0.0], &[1.0, 0.0], &[1.0]).unwrap();
    let (mut w, mut gradient, mut softmax, mut scratch) = ([0.0; 4], [0.0; 4], [0.0; 2], [0.0; 4]);
    for k in 1..=200 {
        net.gradient(&w, &mut softmax, &mut gradient, &mut scratch).unwrap();
        assert!(normalized_step(&mut w, &gradient, 0.1).unwrap());
        let norm = norm2(&w);
        assert!(norm <= 0.1 * f64::from(k) * (1.0 + 1e-12) && norm >= 0.099 * f64::from(k));
    }
}

const GOLDEN: &str = include_str!("../../golden/separation.csv");

/// Clarabel's optima; see `tests/golden/generate_separation.py`.
#[test]
fn machines_are_those_of_convex_programming() {
    let mut seen = 0;
    for line in GOLDEN.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let numbers = |field: &str| -> Vec<f64> { field.split(' ').map(|x| x.parse().unwrap()).collect() };
        let d: usize = fields[0].parse().unwrap();
        let (left, right) = (numbers(fields[1]), numbers(fields[2]));
        let (frobenius, nuclear): (f64, f64) = (fields[3].parse().unwrap(), fields[4].parse().unwrap());
        let constraints = OuterProducts::new(&left, &right, d, d).unwrap();
        let scalars = OuterProductProjection::scalars(constraints.count(), d, d);
        let mut projection = OuterProductProjection::new(vec![0.0; scalars]);
        let report = projection.solve(&constraints, None, 1e-12, 50_000).unwrap();
        assert_eq!(report.status, ProjectionStatus::Converged);
        // Clarabel stops at a relative 1e-8; norms of squares lose half of the digits of a duality gap.
        assert!((norm2(projection.matrix()) / frobenius - 1.0).abs() < 1e-6, "d = {d}");
        let (mut svm, mut admm) = machine(constraints);
        let report = admm.solve(&mut svm, &to_residuals_of(f64::EPSILON.sqrt())).unwrap();
        assert_eq!(report.status, Status::Converged);
        let found = svm.nuclear_norm();
        assert!((found / nuclear - 1.0).abs() < 1e-5, "d = {d}: {found} against {nuclear}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}
