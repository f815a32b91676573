//! ADMM, FISTA and the primal-dual method against closed forms, optimality conditions, and libraries; see
//! `tests/golden/generate_composite.py`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quern_kernels::factor::Cholesky;
use quern_kernels::linop::{Adjoint, Dense, LinearOperator};
use quern_kernels::optim::composite::{
    Admm, AdmmSettings, CompositeProblem, Fista, FistaSettings, Lasso, Pdhg, PdhgSettings, SaddleProblem,
    SplitProblem, Status, StepLength, Stop,
};
use quern_kernels::optim::qp::{self, DenseKkt, InteriorPoint, InteriorPointSettings};
use quern_kernels::prox::{clip_box, soft_threshold};
use quern_kernels::spectrum::operator_norm;
use quern_kernels::{Error, blas};
use quern_tests::golden_cases;

const GOLDEN: &str = include_str!("../../golden/composite.csv");

fn golden(kind: &str) -> Vec<BTreeMap<&'static str, Vec<f64>>> {
    golden_cases(GOLDEN, kind)
}

const EXACT: Stop<f64> =
    Stop { absolute_tolerance: 1e-10, relative_tolerance: 0.0, max_iterations: 200_000, check_interval: 10 };

/// f(x) = ½xᵀHx + cᵀx with a factor of H + ρI, and a map for g: x = z.
struct Quadratic<F> {
    factor: Cholesky<f64, Vec<f64>>,
    linear: Vec<f64>,
    rho: f64,
    second: F,
}

impl<F: FnMut(&mut [f64]) -> Result<(), Error>> Quadratic<F> {
    fn new(hessian: &[f64], linear: Vec<f64>, rho: f64, second: F) -> Self {
        let n = linear.len();
        let mut matrix = hessian.to_vec();
        (0..n).for_each(|i| matrix[i + i * n] += rho);
        Self { factor: Cholesky::factor(n, matrix).unwrap(), linear, rho, second }
    }
}

impl<F> LinearOperator<f64> for Quadratic<F> {
    fn rows(&self) -> usize {
        self.linear.len()
    }
    fn columns(&self) -> usize {
        self.linear.len()
    }
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        y.copy_from_slice(x);
    }
}

impl<F> Adjoint<f64> for Quadratic<F> {
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) {
        x.copy_from_slice(y);
    }
}

impl<F: FnMut(&mut [f64]) -> Result<(), Error>> SplitProblem<f64> for Quadratic<F> {
    fn penalty(&self) -> f64 {
        self.rho
    }
    fn minimize_first(&mut self, target: &[f64], x: &mut [f64]) -> Result<(), Error> {
        for ((x, target), linear) in x.iter_mut().zip(target).zip(&self.linear) {
            *x = self.rho * target - linear;
        }
        self.factor.solve(x)
    }
    fn minimize_second(&mut self, z: &mut [f64]) -> Result<(), Error> {
        (self.second)(z)
    }
}

/// AᵀA, column by column.
fn gram(m: usize, n: usize, a: &[f64]) -> Vec<f64> {
    let column = |j: usize| &a[j * m..(j + 1) * m];
    (0..n * n).map(|at| blas::dot(column(at % n), column(at / n)).unwrap()).collect()
}

fn lasso_by_fista(
    m: usize,
    a: &[f64],
    b: &[f64],
    weight: f64,
    settings: fn(f64) -> StepLength<f64>,
) -> Vec<f64> {
    let n = a.len() / m;
    let operator = Dense::new(m, n, a).unwrap();
    let start: Vec<_> = (0..n).map(|i| 1.0 + i as f64 / 10.0).collect();
    let norm = operator_norm(&operator, &start, 2000, &mut vec![0.0; m + 2 * n]).unwrap();
    let mut lasso = Lasso::new(operator, b, weight, vec![0.0; m]).unwrap();
    let settings = FistaSettings { step_length: settings(1.0 / (norm * norm)), restart: true };
    let mut fista = Fista::new(settings, vec![0.0; Fista::scalars(n)]).unwrap();
    let report = fista.solve(&mut lasso, &EXACT).unwrap();
    assert_eq!(report.status, Status::Converged, "{report:?}");
    let residuals = fista.residuals(&mut lasso).unwrap();
    assert_eq!(residuals, report.residuals);
    // The gradient at prox(x − s∇f(x)) differs from that at x by at most L times the distance, the distance from the
    // subgradients is at most twice the residual there, and that of x below the sum.
    let violation = lasso.violation(fista.solution(), &mut vec![0.0; n]).unwrap();
    assert!(
        violation <= 4.0 * EXACT.absolute_tolerance / (fista.step_length() * norm * norm),
        "{violation:e}"
    );
    fista.solution().to_vec()
}

fn lasso_by_admm(m: usize, a: &[f64], b: &[f64], weight: f64, relaxation: f64) -> Vec<f64> {
    let n = a.len() / m;
    let mut correlation = vec![0.0; n];
    Dense::new(m, n, a).unwrap().apply_adjoint(b, &mut correlation);
    let linear = correlation.iter().map(|c| -c).collect();
    let rho = 2.0;
    let mut problem =
        Quadratic::new(&gram(m, n, a), linear, rho, |z: &mut [f64]| soft_threshold(z, weight / rho));
    let mut admm = Admm::new(AdmmSettings { relaxation }, vec![0.0; Admm::scalars(n, n)]).unwrap();
    let report = admm.solve(&mut problem, &EXACT).unwrap();
    assert_eq!(report.status, Status::Converged, "{report:?}");
    // What the residuals promise: ∇f(x) + ρu is the dual one, ρu a subgradient of the penalty at z.
    let residuals = admm.residuals(&problem).unwrap();
    assert_eq!(residuals, report.residuals);
    let (x, z, u) = (admm.first(), admm.second(), admm.scaled_multiplier());
    let mut products = vec![0.0; m];
    Dense::new(m, n, a).unwrap().apply(x, &mut products);
    let residual: Vec<_> = products.iter().zip(b).map(|(ax, b)| ax - b).collect();
    let mut gradient = vec![0.0; n];
    Dense::new(m, n, a).unwrap().apply_adjoint(&residual, &mut gradient);
    let dual: Vec<_> = gradient.iter().zip(u).map(|(g, u)| g + rho * u).collect();
    assert!((blas::norm2(&dual) - residuals.dual).abs() < 1e-12);
    for (z, u) in z.iter().zip(u) {
        let subgradient =
            if *z == 0.0 { (rho * u).abs() <= weight } else { (rho * u - weight.copysign(*z)).abs() < 1e-13 };
        assert!(subgradient, "{z} {u}");
    }
    z.to_vec()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} {expected}");
    }
}

#[test]
fn lasso_has_the_minimizers_of_scikit_learn() {
    for case in golden("lasso") {
        let (a, b, weight, x) = (&case["a"], &case["b"], case["weight"][0], &case["x"]);
        // The strong convexity of these matrices is above 0.1: 1e-10 of residual is 1e-9 of x; scikit-learn's own gap
        // of 1e-15 leaves 1e-7 of x by the same measure, and is far better where its last pass changed nothing.
        close(&lasso_by_fista(12, a, b, weight, StepLength::Fixed), x, 1e-8);
        close(&lasso_by_fista(12, a, b, weight, |s| StepLength::Backtracking(64.0 * s)), x, 1e-8);
        close(&lasso_by_admm(12, a, b, weight, 1.0), x, 1e-8);
        close(&lasso_by_admm(12, a, b, weight, 1.6), x, 1e-8);
    }
}

/// min cᵀx, Ax ≤ b, x ≥ 0: g = cᵀx on x ≥ 0, h*(y) = bᵀy on y ≥ 0.
struct LinearProgram<'a> {
    a: Dense<'a, f64>,
    b: &'a [f64],
    c: &'a [f64],
}

impl LinearOperator<f64> for LinearProgram<'_> {
    fn rows(&self) -> usize {
        self.a.rows()
    }
    fn columns(&self) -> usize {
        self.a.columns()
    }
    fn apply(&self, x: &[f64], y: &mut [f64]) {
        self.a.apply(x, y);
    }
}

impl Adjoint<f64> for LinearProgram<'_> {
    fn apply_adjoint(&self, y: &[f64], x: &mut [f64]) {
        self.a.apply_adjoint(y, x);
    }
}

impl SaddleProblem<f64> for LinearProgram<'_> {
    fn primal_proximal(&mut self, step_length: f64, x: &mut [f64]) -> Result<(), Error> {
        x.iter_mut().zip(self.c).for_each(|(x, c)| *x = (*x - step_length * c).max(0.0));
        Ok(())
    }
    fn dual_proximal(&mut self, step_length: f64, y: &mut [f64]) -> Result<(), Error> {
        y.iter_mut().zip(self.b).for_each(|(y, b)| *y = (*y - step_length * b).max(0.0));
        Ok(())
    }
}

fn linear_program(a: &[f64], b: &[f64], c: &[f64], relaxation: f64) -> (Vec<f64>, Vec<f64>) {
    let (m, n) = (b.len(), c.len());
    let operator = Dense::new(m, n, a).unwrap();
    let norm = operator_norm(&operator, &vec![1.0; n], 500, &mut vec![0.0; m + 2 * n]).unwrap();
    let settings = PdhgSettings { relaxation, ..PdhgSettings::balanced(norm, 1.0) };
    let mut pdhg = Pdhg::new(settings, vec![0.0; Pdhg::scalars(n, m)]).unwrap();
    let mut problem = LinearProgram { a: operator, b, c };
    let report = pdhg.solve(&mut problem, &EXACT).unwrap();
    assert_eq!(report.status, Status::Converged, "{report:?}");
    assert_eq!(pdhg.residuals(&problem).unwrap(), report.residuals);
    let (x, y) = (pdhg.primal().to_vec(), pdhg.dual().to_vec());
    // Violations are at most the residuals, and the gap at most the residuals times the sizes of x and y.
    let (mut ax, mut aty) = (vec![0.0; m], vec![0.0; n]);
    operator.apply(&x, &mut ax);
    operator.apply_adjoint(&y, &mut aty);
    let tolerance = EXACT.absolute_tolerance;
    assert!(x.iter().chain(&y).all(|&entry| entry >= 0.0));
    assert!(ax.iter().zip(b).all(|(ax, b)| ax - b <= tolerance));
    assert!(aty.iter().zip(c).all(|(aty, c)| aty + c >= -tolerance));
    let gap = blas::dot(c, &x).unwrap() + blas::dot(b, &y).unwrap();
    assert!(gap.abs() <= tolerance * (blas::norm2(&x) + blas::norm2(&y) + 1.0), "{gap:e}");
    (x, y)
}

#[test]
fn linear_programs_have_the_solutions_of_highs() {
    for case in golden("linear") {
        for relaxation in [1.0, 1.7] {
            let (x, y) = linear_program(&case["a"], &case["b"], &case["c"], relaxation);
            close(&x, &case["x"], 1e-8);
            close(&y, &case["y"], 1e-8);
            close(&[blas::dot(&case["c"], &x).unwrap()], &case["objective"], 1e-8);
        }
    }
}

fn entries(length: usize) -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(-2.0..2.0f64, length)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn three_ways_to_one_lasso(
        (m, a, b) in (4..9_usize, 1..4_usize).prop_flat_map(|(m, n)| (Just(m), entries(m * n), entries(m))),
        weight in 0.05..3.0f64,
    ) {
        let n = a.len() / m;
        // Well conditioned, so that the minimizers and not only the values are close.
        let mut a = a;
        (0..n).for_each(|j| a[j + j * m] += 6.0_f64.copysign(a[j + j * m]));
        let fixed = lasso_by_fista(m, &a, &b, weight, StepLength::Fixed);
        close(&lasso_by_fista(m, &a, &b, weight, |s| StepLength::Backtracking(10.0 * s)), &fixed, 1e-7);
        close(&lasso_by_admm(m, &a, &b, weight, 1.0), &fixed, 1e-7);
        close(&lasso_by_admm(m, &a, &b, weight, 1.8), &fixed, 1e-7);
    }

    #[test]
    fn the_box_constrained_quadratic_is_that_of_interior_points(
        (n, a, c) in (1..5_usize).prop_flat_map(|n| (Just(n), entries(n * n), entries(n))),
        low in -1.0..0.0f64,
    ) {
        let mut hessian = gram(n, n, &a);
        (0..n).for_each(|i| hessian[i + i * n] += 1.0);
        let (lower, upper) = (vec![low; n], vec![0.5; n]);
        let mut problem = Quadratic::new(&hessian, c.clone(), 2.0, |z: &mut [f64]| clip_box(z, &lower, &upper));
        let mut admm = Admm::new(AdmmSettings::default(), vec![0.0; Admm::scalars(n, n)]).unwrap();
        let report = admm.solve(&mut problem, &EXACT).unwrap();
        prop_assert_eq!(report.status, Status::Converged);
        prop_assert!(admm.second().iter().all(|&z| low <= z && z <= 0.5));

        let identity: Vec<_> = (0..n * n).map(|at| f64::from(u8::from(at % n == at / n))).collect();
        let (p, i) = (Dense::new(n, n, &hessian).unwrap(), Dense::new(n, n, &identity).unwrap());
        let program = qp::Problem::new(p, &c, i, &lower, &upper).unwrap();
        let mut kkt = DenseKkt::new(vec![0.0; DenseKkt::scalars(n, n)]);
        let mut solver =
            InteriorPoint::new(InteriorPointSettings::default(), vec![0.0; InteriorPoint::scalars(n, n)]).unwrap();
        solver.solve(&program, &mut kkt, &qp::Stop { absolute_tolerance: 1e-10, relative_tolerance: 0.0, ..qp::Stop::default() }).unwrap();
        let (mut x, mut y) = (vec![0.0; n], vec![0.0; n]);
        solver.solution(&program, &mut x, &mut y).unwrap();
        // H ≥ 1: interior points within 1e-10 of the least value are within √2e-10 of the minimizer, and their
        // multipliers within ‖H‖ ≤ 1 + 64 times that.
        close(admm.second(), &x, 2e-5);
        // The multiplier of x = z is that of the bounds: where z is inside, both vanish.
        let multiplier: Vec<_> = admm.scaled_multiplier().iter().map(|u| 2.0 * u).collect();
        close(&multiplier, &y, 1e-3);
    }

    #[test]
    fn feasible_linear_programs_close_their_gap(
        (a, b, c) in (1..4_usize, 1..4_usize).prop_flat_map(|(m, n)| {
            let positive = |length| proptest::collection::vec(0.5..2.0f64, length);
            (positive(m * n), positive(m), positive(n))
        }),
    ) {
        // Bounded, since A > 0, and feasible, since b > 0.
        let cost: Vec<_> = c.iter().map(|c| -c).collect();
        linear_program(&a, &b, &cost, 1.5);
    }
}

#[test]
fn fista_without_restarts_keeps_its_bound() {
    // F(x_k) − F* ≤ 2L‖x₀ − x*‖²/(k + 1)², theorem 4.4 of the source.
    let case = &golden("lasso")[0];
    let (a, b, weight, x) = (&case["a"], &case["b"], case["weight"][0], &case["x"]);
    let operator = Dense::new(12, 8, a).unwrap();
    let norm = operator_norm(&operator, &[1.0; 8], 500, &mut [0.0; 28]).unwrap() * (1.0 + 1e-12);
    let mut lasso = Lasso::new(operator, b, weight, [0.0; 12]).unwrap();
    let settings = FistaSettings { step_length: StepLength::Fixed(1.0 / (norm * norm)), restart: false };
    let mut fista = Fista::new(settings, [0.0; Fista::scalars(8)]).unwrap();
    fista.start(&lasso).unwrap();
    let distance = blas::norm2(x);
    for k in 1..=300_u32 {
        fista.step(&mut lasso).unwrap();
        let excess = lasso.objective(fista.solution()).unwrap() - case["objective"][0];
        let bound = 2.0 * (norm * distance / f64::from(k + 1)).powi(2);
        assert!(excess <= bound + 1e-12 && excess >= -1e-12, "{k}: {excess:e} {bound:e}");
    }
}

#[test]
fn budgets_settings_and_memory() {
    let one = [1.0];
    let lasso = || Lasso::new(Dense::new(1, 1, &one).unwrap(), &[3.0], 1.0, [0.0]).unwrap();
    let settings = FistaSettings { step_length: StepLength::Fixed(0.5), restart: false };
    let solve = |stop: &Stop<f64>| {
        let mut fista = Fista::new(settings, [0.0; 4]).unwrap();
        fista.solve(&mut lasso(), stop).map(|report| (report, fista.solution()[0]))
    };
    let stop =
        Stop { absolute_tolerance: 1e-6, relative_tolerance: 0.0, max_iterations: 1000, check_interval: 1 };
    let (report, x) = solve(&stop).unwrap();
    assert!((x - 2.0).abs() <= 1e-6 && report.status == Status::Converged);
    // Exactly enough, and one short.
    let enough = Stop { max_iterations: report.iterations, ..stop };
    assert_eq!(solve(&enough).unwrap(), (report, x));
    let (short, _) = solve(&Stop { max_iterations: report.iterations - 1, ..stop }).unwrap();
    assert_eq!((short.status, short.iterations), (Status::MaxIterations, report.iterations - 1));
    assert!(short.residuals.dual > 1e-6);
    for bad in [
        Stop { max_iterations: 0, ..stop },
        Stop { check_interval: 0, ..stop },
        Stop { absolute_tolerance: f64::NAN, ..stop },
        Stop { relative_tolerance: -1.0, ..stop },
    ] {
        assert!(matches!(solve(&bad), Err(Error::Setting { .. })));
    }
    for length in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for step_length in [StepLength::Fixed(length), StepLength::Backtracking(length)] {
            assert!(FistaSettings { step_length, restart: true }.validate().is_err());
        }
        let bad = PdhgSettings { primal_step_length: length, dual_step_length: 1.0, relaxation: 1.0 };
        assert!(Pdhg::new(bad, [0.0_f64; 6]).is_err());
    }
    for relaxation in [0.0, 2.0, f64::NAN] {
        assert!(matches!(Admm::new(AdmmSettings { relaxation }, [0.0; 6]), Err(Error::Setting { .. })));
    }
    let mut fista = Fista::new(settings, [0.0; 3]).unwrap();
    assert_eq!(fista.start(&lasso()), Err(Error::Capacity { what: "workspace", required: 4, available: 3 }));
    assert!(matches!(fista.start_from(&lasso(), &[f64::NAN]), Err(Error::NonFinite { .. })));
    let program = LinearProgram { a: Dense::new(1, 1, &one).unwrap(), b: &one, c: &one };
    let mut pdhg = Pdhg::new(PdhgSettings::balanced(1.0, 1.0), [0.0; 5]).unwrap();
    assert_eq!(pdhg.start(&program), Err(Error::Capacity { what: "workspace", required: 6, available: 5 }));
    let mut quadratic = Quadratic::new(&[1.0], vec![-1.0], 1.0, |_: &mut [f64]| Ok(()));
    let mut admm = Admm::new(AdmmSettings::default(), [0.0; 5]).unwrap();
    assert_eq!(
        admm.solve(&mut quadratic, &stop).err(),
        Some(Error::Capacity { what: "workspace", required: 6, available: 5 })
    );
    quadratic.rho = 0.0;
    assert!(matches!(admm.start(&quadratic), Err(Error::Setting { name: "penalty", .. })));
    assert!(matches!(
        Lasso::new(Dense::new(1, 1, &one).unwrap(), &one, -1.0, [0.0]),
        Err(Error::Setting { name: "weight", .. })
    ));
}

#[test]
fn what_overflows_is_an_error() {
    // Steps far too long diverge.
    let huge = [1e3];
    let mut lasso = Lasso::new(Dense::new(1, 1, &huge).unwrap(), &[3.0_f32], 1.0, [0.0]).unwrap();
    let settings = FistaSettings { step_length: StepLength::Fixed(1.0), restart: false };
    let mut fista = Fista::new(settings, [0.0; 4]).unwrap();
    let found = fista.solve(&mut lasso, &Stop::default());
    assert!(matches!(found, Err(Error::Breakdown { .. } | Error::NonFinite { .. })), "{found:?}");
    // Where the length is sought, the same start converges.
    let settings = FistaSettings { step_length: StepLength::Backtracking(1.0), restart: false };
    let mut fista = Fista::new(settings, [0.0; 4]).unwrap();
    let report = fista.solve(&mut lasso, &Stop::default()).unwrap();
    assert_eq!(report.status, Status::Converged);
    assert!(fista.step_length() <= 1e-6);
    // The map of ADMM's second function returns NaN.
    let mut quadratic = Quadratic::new(&[1.0], vec![-1.0], 1.0, |z: &mut [f64]| {
        z[0] = f64::NAN;
        Ok(())
    });
    let mut admm = Admm::new(AdmmSettings::default(), [0.0; 6]).unwrap();
    let found = admm.solve(&mut quadratic, &Stop::default());
    assert_eq!(found, Err(Error::Breakdown { what: "a finite iterate", index: 0 }));
}

#[test]
fn warm_starts_stay_where_they_are() {
    let hessian = [3.0];
    let weight = 1.0;
    let mut problem = Quadratic::new(&hessian, vec![-4.0], 1.0, |z: &mut [f64]| soft_threshold(z, weight));
    let mut admm = Admm::new(AdmmSettings::default(), [0.0; 6]).unwrap();
    // 3x²/2 − 4x + |x|: x = 1, and the multiplier is λ·sign x.
    admm.start_from(&problem, &[1.0], &[1.0]).unwrap();
    admm.step(&mut problem).unwrap();
    assert_eq!((admm.first(), admm.second(), admm.scaled_multiplier()), (&[1.0][..], &[1.0][..], &[1.0][..]));
    let one = [1.0];
    let mut lasso = Lasso::new(Dense::new(1, 1, &one).unwrap(), &[3.0], 1.0, [0.0]).unwrap();
    let settings = FistaSettings { step_length: StepLength::Fixed(1.0), restart: false };
    let mut fista = Fista::new(settings, [0.0; 4]).unwrap();
    fista.start_from(&lasso, &[2.0]).unwrap();
    fista.step(&mut lasso).unwrap();
    assert_eq!(fista.solution(), [2.0]);
    assert_eq!(lasso.gradient(&[2.0], &mut [0.0]), Ok(()));
    let (b, c) = ([1.0], [-1.0]);
    let mut program = LinearProgram { a: Dense::new(1, 1, &one).unwrap(), b: &b, c: &c };
    let mut pdhg = Pdhg::new(PdhgSettings::balanced(1.0, 1.0), [0.0; 6]).unwrap();
    // min −x, x ≤ 1.
    pdhg.start_from(&program, &[1.0], &[1.0]).unwrap();
    pdhg.step(&mut program).unwrap();
    assert_eq!((pdhg.primal(), pdhg.dual()), (&[1.0][..], &[1.0][..]));
}
