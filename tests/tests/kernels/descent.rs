//! Descent methods: closed forms, the conditions every accepted step must meet, and derivatives by differences.

use proptest::prelude::*;
use quern_firmware::generators::{centred_uniform, smooth_maximum};
use quern_kernels::ad::check_gradient;
use quern_kernels::loss::{
    ChebyshevChain, LinearResiduals, LogSumExp, LogisticRegression, PowerHessian, PowerResidual, Rosenbrock,
};
use quern_kernels::optim::descent::{
    CubicNewton, CubicNewtonSettings, Curvature, GradientDescent, GradientDescentSettings, Metric, Objective,
    ProgressTest, RegularizedNewton, RegularizedNewtonSettings, Status, Step, Stop,
    gradient_regularized_step, rank_one_step,
};
use quern_kernels::random::Key;
use quern_kernels::{Error, Real};
use quern_tests::descent_optima;

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// ½xᵀAx − bᵀx with A = LLᵀ given by both triangles, and A or nothing for its Hessian.
#[derive(Debug)]
struct Quadratic {
    matrix: Vec<f64>,
    linear: Vec<f64>,
    exact: bool,
}

impl Objective<f64> for Quadratic {
    fn variables(&self) -> usize {
        self.linear.len()
    }
    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        let n = x.len();
        for (i, out) in gradient.iter_mut().enumerate() {
            *out = dot(&self.matrix[i * n..][..n], x) - self.linear[i];
        }
        Ok((dot(gradient, x) - dot(&self.linear, x)) / 2.0)
    }
    fn hessian(&mut self, _x: &[f64], hessian: &mut [f64]) -> Result<(), Error> {
        hessian.copy_from_slice(&self.matrix);
        if !self.exact {
            hessian.fill(0.0);
        }
        Ok(())
    }
}

/// A Gram matrix of the given columns, plus a multiple of the identity.
fn gram(n: usize, root: &[f64], shift: f64) -> Vec<f64> {
    let entry =
        |i: usize, j: usize| dot(&root[i * n..][..n], &root[j * n..][..n]) + if i == j { shift } else { 0.0 };
    (0..n * n).map(|place| entry(place / n, place % n)).collect()
}

fn quadratic() -> impl Strategy<Value = (Quadratic, Vec<f64>)> {
    (1..6_usize).prop_flat_map(|n| {
        let entries = |count| prop::collection::vec(-2.0..2.0f64, count);
        (entries(n * n), entries(n), entries(n)).prop_map(move |(root, linear, x)| {
            (Quadratic { matrix: gram(n, &root, 0.1), linear, exact: true }, x)
        })
    })
}

fn solver(n: usize, test: ProgressTest) -> RegularizedNewton<f64, Vec<f64>> {
    let settings = RegularizedNewtonSettings { test, ..RegularizedNewtonSettings::default() };
    RegularizedNewton::new(settings, vec![0.0; RegularizedNewton::scalars(n)]).unwrap()
}

proptest! {
    /// With an exact Hessian g⁺ = −λδ, so that every trial passes and γ doubles each time.
    #[test]
    fn a_quadratic_passes_every_test((mut problem, x) in quadratic()) {
        let n = x.len();
        let metric = Metric::identity();
        let mut newton = solver(n, ProgressTest::Gradient);
        newton.start(&mut problem, &metric, &x).unwrap();
        let mut radius = 1.0;
        for _ in 0..25 {
            // ‖g⁺‖ = λ‖δ‖ is at most this, and no less than 1/500 of it; below, rounding is in the way.
            let bound = newton.gradient_norm().powi(2) / (0.1 * radius);
            if bound < 1e-9 * (1.0 + norm(newton.solution())) {
                break;
            }
            let before = newton.solution().to_vec();
            prop_assert_eq!(newton.step(&mut problem, &metric).unwrap(), Step::Accepted);
            radius *= 2.0;
            prop_assert_eq!(newton.radius(), radius);
            let step: Vec<f64> = newton.solution().iter().zip(&before).map(|(x, y)| x - y).collect();
            let mut gradient = vec![0.0; n];
            problem.value_gradient(newton.solution(), &mut gradient).unwrap();
            let (progress, bound) = (-dot(&gradient, &step), dot(&gradient, &gradient) / newton.shift());
            // g⁺ is known to u‖A‖‖x‖, and multiplied by a step of this size.
            let error = 1e-13 * (1.0 + norm(newton.solution())) * norm(&step).max(norm(&gradient) / newton.shift());
            prop_assert!((progress - bound).abs() <= 1e-8 * bound + error, "{} {}", progress, bound);
        }
        prop_assert!(newton.gradient_norm() < 1e-3);
    }

    /// H ⪰ 0: the step is no longer than γ.
    #[test]
    fn a_step_is_no_longer_than_its_radius(
        (problem, gradient) in quadratic(), radius in 1e-3..1e3f64
    ) {
        let n = gradient.len();
        prop_assume!(norm(&gradient) > 0.0);
        let (mut hessian, mut direction) = (problem.matrix.clone(), vec![0.0; n]);
        gradient_regularized_step(&mut hessian, &Metric::identity(), &gradient, radius, 0.0, &mut direction).unwrap();
        prop_assert!(norm(&direction) <= radius * (1.0 + 1e-12));
        // In the metric A itself: ‖δ‖² = δᵀAδ.
        let mut memory = problem.matrix.clone();
        let metric = Metric::dense(n, &problem.matrix, &mut memory).unwrap();
        let mut hessian = problem.matrix.clone();
        gradient_regularized_step(&mut hessian, &metric, &gradient, radius, 0.0, &mut direction).unwrap();
        let mut image = vec![0.0; n];
        quern_kernels::blas::matvec(&problem.matrix, &direction, &mut image).unwrap();
        prop_assert!(dot(&direction, &image).max(0.0).sqrt() <= radius * (1.0 + 1e-9));
    }

    /// The O(n) solve is the Cholesky solve.
    #[test]
    fn rank_one_equals_cholesky(
        (q, g, metric) in (1..7_usize).prop_flat_map(|n| {
            let entries = || prop::collection::vec(-3.0..3.0f64, n);
            (entries(), entries(), prop::collection::vec(0.1..10.0f64, n))
        }),
        weight in 0.0..10.0f64, shift in 0.1..10.0f64,
    ) {
        let n = q.len();
        let mut hessian: Vec<f64> = (0..n * n).map(|place| weight * q[place / n] * q[place % n]).collect();
        let diagonal = Metric::diagonal(&metric).unwrap();
        let mut expected = vec![0.0; n];
        let (mut w, mut v, mut found) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let dual = diagonal.dual_norm(&g, &mut v).unwrap();
        prop_assume!(dual > 1e-6);
        diagonal.dual_norm(&q, &mut w).unwrap();
        gradient_regularized_step(&mut hessian, &diagonal, &g, dual / shift, 0.0, &mut expected).unwrap();
        rank_one_step(&q, &w, &v, weight, shift, &mut found).unwrap();
        let size = norm(&expected);
        prop_assert!(expected.iter().zip(&found).all(|(x, y)| (x - y).abs() <= 1e-10 * (1.0 + size)));
    }

    /// A change of variables x → Mx with B → MᵀBM changes nothing but the numbers' names.
    #[test]
    fn iterates_do_not_depend_on_the_variables(seed in 0..1000_u64) {
        let (m, n) = (9, 3);
        let [rows, basis] = Key::from_seed(seed).split();
        let (mut a, mut b, mut pi) = (vec![0.0; m * n], vec![0.0; m], vec![0.0; m]);
        smooth_maximum(rows, 0.5, &mut a, &mut b, &mut pi);
        // M = I + 0.3·U, far from singular.
        let mut change = vec![0.0; n * n];
        centred_uniform(basis, &mut change);
        change.iter_mut().for_each(|entry| *entry *= 0.3);
        (0..n).for_each(|i| change[i * n + i] += 1.0);
        let mut moved = vec![0.0; m * n];
        quern_kernels::blas::gemm(m, n, n, 1.0, &a, &change, 0.0, &mut moved).unwrap();
        let metric = gram(n, &change, 0.0);
        let mut factors = metric.clone();
        let dense = Metric::dense(n, &metric, &mut factors).unwrap();
        let (mut plain, mut other) = (solver(n, ProgressTest::Functional), solver(n, ProgressTest::Functional));
        let mut first = LogSumExp::new(&a, &b, 0.5, true, vec![0.0; 2 * m + n]).unwrap();
        let mut second = LogSumExp::new(&moved, &b, 0.5, true, vec![0.0; 2 * m + n]).unwrap();
        let start = vec![1.0; n];
        let mut image = vec![0.0; n];
        quern_kernels::blas::matvec(&change, &start, &mut image).unwrap();
        plain.start(&mut first, &Metric::identity(), &image).unwrap();
        other.start(&mut second, &dense, &start).unwrap();
        for _ in 0..6 {
            // Below, the falls of f are near rounding, which may decide a test.
            if plain.gradient_norm() < 1e-5 {
                break;
            }
            let steps = (plain.step(&mut first, &Metric::identity()), other.step(&mut second, &dense));
            prop_assert_eq!(steps.0.unwrap(), steps.1.unwrap());
            quern_kernels::blas::matvec(&change, other.solution(), &mut image).unwrap();
            let off = plain.solution().iter().zip(&image).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            prop_assert!(off < 1e-9, "{}", off);
        }
    }

    /// What is generated for the losses has gradients and Hessians that differences confirm.
    #[test]
    fn derivatives_are_those_of_differences(seed in 0..200_u64, power in 2.0..6.0f64, n in 1..5_usize) {
        let m = n + 3;
        let [rows, point] = Key::from_seed(seed).split();
        let (mut a, mut b, mut pi, mut x) = (vec![0.0; m * n], vec![0.0; m], vec![0.0; m], vec![0.0; n]);
        smooth_maximum(rows, 0.5, &mut a, &mut b, &mut pi);
        centred_uniform(point, &mut x);
        let labels: Vec<f64> = b.iter().map(|&b: &f64| b.signum()).collect();
        check(&mut LogSumExp::new(&a, &b, 0.5, true, vec![0.0; 2 * m + n]).unwrap(), &x)?;
        check(&mut LogisticRegression::new(&a, &labels, true, vec![0.0; 3 * m]).unwrap(), &x)?;
        let exact = PowerHessian::Exact;
        let linear = LinearResiduals::new(&a, &b).unwrap();
        check(&mut PowerResidual::new(linear, power, exact, vec![0.0; m + n]).unwrap(), &x)?;
        let chain = ChebyshevChain::new(n).unwrap();
        check(&mut PowerResidual::new(chain, power, exact, vec![0.0; 2 * n]).unwrap(), &x)?;
        let x = [x[0], x[n - 1]];
        check(&mut PowerResidual::new(Rosenbrock, power, exact, vec![0.0; 4]).unwrap(), &x)?;
    }
}

/// Gradient and Hessian against central differences.
fn check(problem: &mut impl Objective<f64>, x: &[f64]) -> Result<(), TestCaseError> {
    let n = x.len();
    let (mut gradient, mut hessian, mut scratch) = (vec![0.0; n], vec![0.0; n * n], vec![0.0; n]);
    problem.value_gradient(x, &mut gradient).unwrap();
    problem.hessian(x, &mut hessian).unwrap();
    // The truncation of a difference is h²/6 ≈ 1e-10 of the third derivative, which is up to
    // (p − 1)(p − 2)‖J‖²/‖u‖² ≈ 1e5 times the first for Rosenbrock's equations.
    let tolerance = 1e-5;
    let size = 1.0 + norm(&gradient);
    let mut other = vec![0.0; n];
    let off = check_gradient(|x| problem.value_gradient(x, &mut other), x, &gradient, &mut scratch).unwrap();
    prop_assert!(off * norm(&gradient) < tolerance * size, "gradient off by {}", off);
    for j in 0..n {
        // Row j of the Hessian is the gradient of entry j of the gradient.
        let row: Vec<f64> = (0..n).map(|i| hessian[i.max(j) + n * i.min(j)]).collect();
        let mut other = vec![0.0; n];
        let entry = |x: &[f64]| {
            problem.value_gradient(x, &mut other)?;
            Ok(other[j])
        };
        let off = check_gradient(entry, x, &row, &mut scratch).unwrap();
        prop_assert!(off * norm(&row) < tolerance * (size + norm(&row)), "row {} off by {}", j, off);
    }
    Ok(())
}

#[test]
fn the_approximations_differ_from_the_hessian_as_stated() {
    let (m, n, smoothing) = (7, 3, 0.5);
    let (mut a, mut b, mut pi) = (vec![0.0; m * n], vec![0.0; m], vec![0.0; m]);
    smooth_maximum(Key::from_seed(1), smoothing, &mut a, &mut b, &mut pi);
    let x = [0.3, -0.2, 0.5];
    let lse = |exact| LogSumExp::new(&a, &b, smoothing, exact, vec![0.0; 2 * m + n]).unwrap();
    let (mut exact, mut weighted, mut gradient) = (vec![0.0; 9], vec![0.0; 9], vec![0.0; 3]);
    lse(true).value_gradient(&x, &mut gradient).unwrap();
    lse(true).hessian(&x, &mut exact).unwrap();
    lse(false).hessian(&x, &mut weighted).unwrap();
    for j in 0..n {
        for i in j..n {
            let place = i + n * j;
            let expected = weighted[place] - gradient[i] * gradient[j] / smoothing;
            assert!((exact[place] - expected).abs() < 1e-14);
        }
    }
    // (p − 2)‖u‖^{p−4}qqᵀ = (p − 2)∇f∇fᵀ/‖u‖^p.
    for power in [2.0, 3.0, 4.0, 6.5] {
        let linear = LinearResiduals::new(&a, &b).unwrap();
        let mut fisher = PowerResidual::new(linear, power, PowerHessian::Fisher, vec![0.0; m + n]).unwrap();
        assert_eq!(fisher.curvature(), Curvature::RankOne);
        let mut q = vec![0.0; n];
        let value = fisher.value_gradient(&x, &mut gradient).unwrap();
        fisher.hessian(&x, &mut q).unwrap();
        for i in 0..n {
            for j in 0..n {
                let expected = (power - 2.0) * gradient[i] * gradient[j] / (power * value);
                assert!((q[i] * q[j] - expected).abs() < 1e-13 * (1.0 + expected.abs()));
            }
        }
    }
    // Labels that the classifier gets right with certainty: Fisher and Hessian agree; at x = 0 they do exactly.
    let labels: Vec<f64> = b.iter().map(|&b: &f64| b.signum()).collect();
    let logistic = |exact| LogisticRegression::new(&a, &labels, exact, vec![0.0; 3 * m]).unwrap();
    logistic(true).hessian(&[0.0; 3], &mut exact).unwrap();
    logistic(false).hessian(&[0.0; 3], &mut weighted).unwrap();
    assert_eq!(exact, weighted);
}

/// |x|³/6 with its exact second derivative.
struct Cubic;

impl Objective<f64> for Cubic {
    fn variables(&self) -> usize {
        1
    }
    fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        gradient[0] = x[0] * x[0].abs() / 2.0;
        Ok(x[0].abs().powi(3) / 6.0)
    }
    fn hessian(&mut self, x: &[f64], hessian: &mut [f64]) -> Result<(), Error> {
        hessian[0] = x[0].abs();
        Ok(())
    }
}

/// γ(x) = x by its definition, which is the bound (2‖g‖/L)^½ for L = 1.
#[test]
fn the_smoothness_of_a_cubic_is_its_argument() {
    for x in [0.01, 1.0, 3.0] {
        let gradient = |x: f64| x * x.abs() / 2.0;
        let holds = |radius: f64| {
            (-1000..=1000).map(|k| radius * f64::from(k) / 1000.0).all(|h| {
                let error = gradient(x + h) - gradient(x) - x * h;
                error.abs() <= gradient(x) * h.abs() / radius * (1.0 + 1e-12)
            })
        };
        assert!(holds(x) && holds(0.5 * x) && !holds(1.001 * x));
        assert!(((2.0 * gradient(x)).sqrt() - x).abs() < 1e-15);
        // With γ at most γ(x) a trial passes both tests.
        for test in [ProgressTest::Functional, ProgressTest::Gradient] {
            let settings = RegularizedNewtonSettings { initial_radius: x, test, ..Default::default() };
            let mut newton = RegularizedNewton::new(settings, vec![0.0; 7]).unwrap();
            newton.start(&mut Cubic, &Metric::identity(), &[x]).unwrap();
            assert_eq!(newton.step(&mut Cubic, &Metric::identity()), Ok(Step::Accepted));
        }
    }
}

/// Every rejected trial halves γ and every accepted one doubles it.
#[test]
fn trials_follow_from_the_radii() {
    let mut problem = PowerResidual::new(Rosenbrock, 4.0, PowerHessian::Exact, vec![0.0; 4]).unwrap();
    let mut newton = solver(2, ProgressTest::Functional);
    let stop = Stop { gradient_tolerance: 0.0, target_value: Some(1e-8), max_iterations: 100 };
    let report = newton.solve(&mut problem, &Metric::identity(), &[-2.0, 2.0], &stop).unwrap();
    assert_eq!(report.status, Status::Converged);
    let expected = 2.0 * report.iterations as f64 - newton.radius().log2();
    assert_eq!(report.trials as f64, expected);
    assert_eq!(report.factorizations, report.trials);
    assert!(report.value <= 1e-8);
}

/// The independent study's counts at f < 1e-8 and the pilot's, with the exact Hessian.
#[test]
fn rosenbrock_takes_the_known_iterations() {
    for (power, exact, inexact) in [(2.0, 51, 49), (4.0, 55, 55), (5.0, 56, 57), (8.0, 59, 58)] {
        for (kind, expected) in [(PowerHessian::Exact, exact), (PowerHessian::GaussNewton, inexact)] {
            let mut problem = PowerResidual::new(Rosenbrock, power, kind, vec![0.0; 4]).unwrap();
            let mut newton = solver(2, ProgressTest::Functional);
            let stop = Stop { gradient_tolerance: 0.0, target_value: Some(1e-8), max_iterations: 500 };
            let report = newton.solve(&mut problem, &Metric::identity(), &[-2.0, 2.0], &stop).unwrap();
            println!("p = {power} {kind:?}: {report:?}, expected {expected}");
            assert!(report.iterations.abs_diff(expected) <= 3);
        }
    }
}

/// Baselines arrive where the method does; each accepted step lowers f.
#[test]
fn the_baselines_descend() {
    let stop = Stop { gradient_tolerance: 0.0, target_value: Some(1e-8), max_iterations: 10_000 };
    let start = [-2.0, 2.0];
    let metric = Metric::identity();
    for power in [2.0, 4.0] {
        let problem = || PowerResidual::new(Rosenbrock, power, PowerHessian::Exact, vec![0.0; 4]).unwrap();
        let mut cubic = CubicNewton::new(CubicNewtonSettings::default(), vec![0.0; 18]).unwrap();
        let report = cubic.solve(&mut problem(), &metric, &start, &stop).unwrap();
        assert_eq!(report.status, Status::Converged, "{report:?}");
        assert!(report.iterations < 100, "{report:?}");
        let memory = vec![0.0; RegularizedNewton::scalars(2)];
        let mut newton =
            RegularizedNewton::new(RegularizedNewtonSettings::super_universal(0.5), memory).unwrap();
        let report = newton.solve(&mut problem(), &metric, &start, &stop).unwrap();
        assert_eq!(report.status, Status::Converged, "{report:?}");
        let mut descent = GradientDescent::new(GradientDescentSettings::default(), vec![0.0; 10]).unwrap();
        let mut problem = problem();
        descent.start(&mut problem, &metric, &start).unwrap();
        let (mut value, mut gradient) = (f64::INFINITY, [0.0; 2]);
        for _ in 0..500 {
            let step = descent.step(&mut problem, &metric).unwrap();
            let now = problem.value_gradient(descent.solution(), &mut gradient).unwrap();
            assert!(if step == Step::Accepted { now < value } else { now <= value });
            value = now;
        }
        assert_eq!(descent.resume(&mut problem, &metric, &stop).unwrap().status, Status::Converged);
    }
}

/// The cubic step is stationary for its model: (H + (M/2)‖δ‖)δ = −g.
#[test]
fn a_cubic_step_is_stationary_for_its_model() {
    let mut newton = CubicNewton::new(CubicNewtonSettings::default(), vec![0.0; 8]).unwrap();
    newton.start(&mut Cubic, &Metric::identity(), &[2.0]).unwrap();
    let constant = newton.constant();
    assert_eq!(newton.step(&mut Cubic, &Metric::identity()), Ok(Step::Accepted));
    // g = 2, H = 2, M = 1: δ²/2 − 2δ − 2 = 0 for −δ > 0.
    let delta = newton.solution()[0] - 2.0;
    assert!((2.0 * delta - constant / 2.0 * delta * delta + 2.0).abs() < 1e-7, "{delta}");
    // Not convex: a saddle's negative curvature is used, and f falls.
    let mut saddle =
        PowerResidual::new(ChebyshevChain::new(2).unwrap(), 2.0, PowerHessian::Exact, vec![0.0; 4]).unwrap();
    let mut newton = CubicNewton::new(CubicNewtonSettings::default(), vec![0.0; 18]).unwrap();
    let report = newton.solve(&mut saddle, &Metric::identity(), &[0.01, 3.0], &Stop::default()).unwrap();
    assert_eq!(report.status, Status::Converged);
    assert!(report.value < 1e-12, "{report:?}");
}

/// NaN is refused at the door; a gradient that is not the function's ends the search where it began.
#[test]
fn what_cannot_go_on_stays() {
    let mut problem = Quadratic { matrix: vec![f64::NAN], linear: vec![1.0], exact: true };
    assert!(solver(1, ProgressTest::Gradient).start(&mut problem, &Metric::identity(), &[0.0]).is_err());
    /// f = x with the gradient of −x.
    struct Wrong;
    impl Objective<f64> for Wrong {
        fn variables(&self) -> usize {
            1
        }
        fn value_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
            gradient[0] = -1.0;
            Ok(x[0])
        }
        fn hessian(&mut self, _x: &[f64], hessian: &mut [f64]) -> Result<(), Error> {
            hessian[0] = 1.0;
            Ok(())
        }
    }
    for test in [ProgressTest::Functional, ProgressTest::Hybrid] {
        let mut newton = solver(1, test);
        let report = newton.solve(&mut Wrong, &Metric::identity(), &[5.0], &Stop::default()).unwrap();
        assert_eq!((report.status, report.iterations, report.trials), (Status::Stalled, 0, 40));
        assert_eq!(newton.solution(), [5.0]);
        assert_eq!(newton.step(&mut Wrong, &Metric::identity()), Ok(Step::Stalled));
    }
    let mut descent = GradientDescent::new(GradientDescentSettings::default(), vec![0.0; 5]).unwrap();
    descent.solve(&mut Wrong, &Metric::identity(), &[5.0], &Stop::default()).unwrap();
    // Its search takes what it cannot tell from rounding: 100 steps of at most 8u|f|.
    assert!((descent.solution()[0] - 5.0_f64).abs() < 1e-11);
}

/// SciPy's optima; see `tests/golden/generate_descent.py`.
#[test]
fn optima_are_scipys() {
    let mut seen = 0;
    for case in descent_optima(|kind| kind == "logistic") {
        let mut problem =
            LogisticRegression::new(&case.t, &case.y, true, vec![0.0; 3 * case.y.len()]).unwrap();
        let mut newton = solver(case.start.len(), ProgressTest::Hybrid);
        let stop = Stop { gradient_tolerance: 1e-9, ..Stop::default() };
        let report = newton.solve(&mut problem, &Metric::identity(), &case.start, &stop).unwrap();
        assert_eq!(report.status, Status::Converged);
        assert!((report.value - case.value).abs() <= 1e-10 * case.value);
        case.is_at(newton.solution());
        seen += 1;
    }
    assert!(seen == 2, "{seen} golden cases");
}
