//! Problems under equality constraints: derivatives by dual numbers, optima, and what the solvers promise.

use quern_firmware::generators::{TEST_PROGRAMS, TestProgram};
use quern_kernels::Error;
use quern_kernels::ad::{Dual, check_gradient};
use quern_kernels::blas::norm2;
use quern_kernels::krylov::Sketch;
use quern_kernels::optim::sqp::{
    Accuracy, AugmentedLagrangian, AugmentedLagrangianSettings, Directions, EqualityProgram,
    ExactAugmentedLagrangian, ExactPenaltySettings, ExactPenaltySqp, Report, SketchedSqp,
    SketchedSqpSettings, Status, Step, kkt_assemble,
};
use quern_kernels::random::{Key, fill_normal};

const DIRECT: Directions = Directions::Direct;
const GAUSSIAN: Directions = Directions::Sketched(Sketch::Gaussian);

fn shape(program: &TestProgram) -> (usize, usize) {
    (EqualityProgram::<f64>::variables(program), EqualityProgram::<f64>::constraints(program))
}

/// A random point near the start, and multipliers.
fn point(program: &TestProgram, seed: u64) -> (Vec<f64>, Vec<f64>) {
    let (n, m) = shape(program);
    let (mut x, mut multipliers) = (vec![0.0; n], vec![0.0; m]);
    fill_normal(Key::from_seed(seed), 0, &mut x);
    fill_normal(Key::from_seed(seed), 100, &mut multipliers);
    x.iter_mut().zip(program.start).for_each(|(x, start)| *x = start + 0.3 * *x);
    (x, multipliers)
}

type Solver = SketchedSqp<f64, Vec<f64>>;

fn solver(program: &TestProgram, settings: SketchedSqpSettings<f64>, directions: Directions) -> Solver {
    let (n, m) = shape(program);
    SketchedSqp::new(vec![0.0; SketchedSqp::scalars(n, m)], settings, directions, Key::from_seed(1)).unwrap()
}

fn solve(
    program: &TestProgram,
    settings: SketchedSqpSettings<f64>,
    directions: Directions,
) -> (Report<f64>, Solver) {
    let mut solver = solver(program, settings, directions);
    let multipliers = vec![program.initial_multiplier; shape(program).1];
    let report = solver.solve(program, program.start, &multipliers).unwrap();
    (report, solver)
}

fn theory() -> SketchedSqpSettings<f64> {
    SketchedSqpSettings::new(Accuracy::Guaranteed)
}

#[test]
fn derivatives_are_those_of_dual_numbers() {
    for program in TEST_PROGRAMS {
        let (n, m) = shape(program);
        for seed in 0..5 {
            let (x, multipliers) = point(program, seed);
            let (mut gradient, mut jacobian, mut hessian) =
                (vec![0.0; n], vec![0.0; n * m], vec![0.0; n * n]);
            program.derivatives(&x, &mut gradient, &mut jacobian);
            program.lagrangian_hessian(&x, &multipliers, &mut hessian);
            // Relative to the largest entry; terms cancel by less than six digits.
            let scale = norm2(&hessian).max(norm2(&gradient)).max(norm2(&jacobian)).max(1.0);
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * scale * (1.0 + norm2(&multipliers));
            for j in 0..n {
                let along: Vec<_> =
                    x.iter().enumerate().map(|(i, &x)| Dual::new(x, f64::from(u8::from(i == j)))).collect();
                let (mut c, mut dual_gradient, mut dual_jacobian) =
                    (vec![Dual::default(); m], vec![Dual::default(); n], vec![Dual::default(); n * m]);
                let f = program.values(&along, &mut c);
                assert!(near(f.tangent, gradient[j]), "{}: df/dx{j}", program.name);
                for i in 0..m {
                    assert!(near(c[i].tangent, jacobian[i + j * m]), "{}: dc{i}/dx{j}", program.name);
                }
                program.derivatives(&along, &mut dual_gradient, &mut dual_jacobian);
                for i in 0..n {
                    let second = dual_gradient[i].tangent
                        + (0..m).map(|k| multipliers[k] * dual_jacobian[k + i * m].tangent).sum::<f64>();
                    assert!(near(second, hessian[i + j * n]), "{}: W{i}{j}", program.name);
                    assert_eq!(hessian[i + j * n], hessian[j + i * n], "{}", program.name);
                }
            }
        }
    }
}

/// Newton's method from the listed solution stays there, to the digits listed, and ends at the listed value and at a
/// point that fulfils the conditions of first order.
#[test]
fn the_listed_optima_fulfil_the_conditions_of_first_order() {
    for program in TEST_PROGRAMS.iter().filter(|program| !program.solution.is_empty()) {
        let (n, m) = shape(program);
        let (mut c, mut gradient, mut jacobian) = (vec![0.0; m], vec![0.0; n], vec![0.0; n * m]);
        program.derivatives(program.solution, &mut gradient, &mut jacobian);
        let least_squares = |gradient: &[f64], jacobian: &[f64]| {
            let j = nalgebra::DMatrix::from_column_slice(m, n, jacobian).transpose();
            let g = nalgebra::DVector::from_column_slice(gradient);
            let multipliers = j.clone().svd(true, true).solve(&-&g, 1e-10).unwrap();
            ((g + j * &multipliers).norm(), multipliers)
        };
        let (_, multipliers) = least_squares(&gradient, &jacobian);
        let settings =
            SketchedSqpSettings { tolerance: 1e-9, ..SketchedSqpSettings::new(Accuracy::Practical) };
        let mut solver = solver(program, settings, DIRECT);
        let report = solver.solve(program, program.solution, multipliers.as_slice()).unwrap();
        assert_eq!(report.status, Status::Solved, "{}", program.name);
        let x = solver.solution();
        // HS77 is listed to five digits after the point.
        let moved = x.iter().zip(program.solution).map(|(x, listed)| (x - listed).abs()).fold(0.0, f64::max);
        assert!(moved <= 1e-5, "{}: {moved}", program.name);
        let f: f64 = program.values(x, &mut c);
        program.derivatives(x, &mut gradient, &mut jacobian);
        assert!(norm2(&c) <= 1e-6 && least_squares(&gradient, &jacobian).0 <= 1e-6, "{}", program.name);
        // Optima are listed to nine digits at most, BT2's to seven after the point.
        assert!((f - program.optimum).abs() <= 1e-7 * f.abs().max(1.0), "{}: {f}", program.name);
        // There the merit function is the objective.
        let merit = ExactAugmentedLagrangian { constraint_penalty: 10.0, gradient_penalty: 1.0 };
        let value = merit.value(f, solver.multipliers(), &c, &vec![0.0; n]).unwrap();
        assert!((value - f).abs() <= 1e-8 * (1.0 + norm2(solver.multipliers())), "{}", program.name);
    }
}

/// Steps of a prototype in double precision with exact directions.
const DIRECT_STEPS: [(&str, usize); 31] = [
    ("HS6", 9),
    ("HS7", 10),
    ("HS8", 4),
    ("HS9", 5),
    ("HS26", 11),
    ("HS27", 10),
    ("HS28", 1),
    ("HS39", 13),
    ("HS40", 3),
    ("HS42", 4),
    ("HS46", 12),
    ("HS47", 14),
    ("HS48", 1),
    ("HS49", 13),
    ("HS50", 8),
    ("HS51", 1),
    ("HS52", 1),
    ("HS56", 5),
    ("HS77", 8),
    ("HS78", 4),
    ("HS79", 4),
    ("HS100LNP", 8),
    ("BT2", 11),
    ("BT3", 1),
    ("BT5", 5),
    ("BT10", 7),
    ("BT12", 5),
    ("GENHS28", 1),
    ("BOOTH", 1),
    ("HIMMELBC", 5),
    ("RSNBRNE", 11),
];

#[test]
fn exact_directions_take_the_steps_of_the_prototype() {
    for (name, steps) in DIRECT_STEPS {
        let program = TestProgram::find(name).unwrap();
        let (report, _) = solve(program, theory(), DIRECT);
        assert_eq!((report.status, report.iterations), (Status::Solved, steps), "{name}");
        assert_eq!(report.step_length, 1.0, "{name}");
        // The tolerance of 1e-4 times the multipliers, which are moderate, and the digits of the optimum.
        assert!(
            (report.objective - program.optimum).abs() <= 1e-4 * program.optimum.abs().max(1.0),
            "{name}"
        );
    }
}

#[test]
fn sketched_directions_take_about_as_many() {
    for (name, steps) in DIRECT_STEPS {
        if ["HS9", "HS26", "HS27", "HS39", "HS46", "HS49"].contains(&name) {
            continue;
        }
        let program = TestProgram::find(name).unwrap();
        let (report, _) = solve(program, theory(), GAUSSIAN);
        assert_eq!(report.status, Status::Solved, "{name}");
        assert!(report.iterations.abs_diff(steps) <= 2, "{name}: {} {steps}", report.iterations);
    }
}

#[test]
fn dependent_constraints_are_recognized() {
    let program = TestProgram::find("HS61").unwrap();
    for directions in [DIRECT, GAUSSIAN, Directions::Sketched(Sketch::UniformKaczmarz)] {
        assert_eq!(solve(program, theory(), directions).0.status, Status::SingularJacobian);
    }
    let mut solver =
        ExactPenaltySqp::new([0.0; ExactPenaltySqp::scalars(3, 2)], ExactPenaltySettings::default()).unwrap();
    assert_eq!(solver.solve(program, program.start, &[0.0; 2]).unwrap().status, Status::SingularJacobian);
}

#[test]
fn baselines_find_the_optima() {
    for program in TEST_PROGRAMS {
        let (n, m) = shape(program);
        let multipliers = vec![program.initial_multiplier; m];
        let near = |report: &Report<f64>, method: &str| {
            let found = report.status == Status::Solved;
            if !found {
                return false;
            }
            // Another stationary point than the listed one may be found, but not one that is none.
            assert!(report.optimality_norm <= 1e-4, "{}, {method}", program.name);
            true
        };
        let mut penalty =
            ExactPenaltySqp::new(vec![0.0; ExactPenaltySqp::scalars(n, m)], ExactPenaltySettings::default())
                .unwrap();
        let report = penalty.solve(program, program.start, &multipliers).unwrap();
        // Its Jacobian is singular at the start.
        assert!(near(&report, "gmres") || program.name == "HS61", "{}: {report:?}", program.name);
        let settings = AugmentedLagrangianSettings::default();
        let mut method =
            AugmentedLagrangian::new(vec![0.0; AugmentedLagrangian::scalars(n, m)], settings).unwrap();
        let report = method.solve(program, program.start, &multipliers).unwrap();
        // With the first penalty its augmented Lagrangian has no lower bound.
        assert!(near(&report, "multipliers") || program.name == "HS40", "{}: {report:?}", program.name);
    }
}

/// L_η and its gradient at a point and its multipliers.
fn merit_at(program: &TestProgram, merit: &ExactAugmentedLagrangian<f64>, point: &[f64]) -> (f64, Vec<f64>) {
    let (n, m) = shape(program);
    let (x, multipliers) = point.split_at(n);
    let (mut c, mut lagrangian, mut jacobian, mut hessian) =
        (vec![0.0; m], vec![0.0; n], vec![0.0; n * m], vec![0.0; n * n]);
    let f = program.values(x, &mut c);
    program.derivatives(x, &mut lagrangian, &mut jacobian);
    program.lagrangian_hessian(x, multipliers, &mut hessian);
    for (j, entry) in lagrangian.iter_mut().enumerate() {
        *entry += (0..m).map(|i| jacobian[i + j * m] * multipliers[i]).sum::<f64>();
    }
    let mut gradient = vec![0.0; n + m];
    merit.gradient(&c, &lagrangian, &jacobian, &hessian, &mut vec![0.0; m], &mut gradient).unwrap();
    (merit.value(f, multipliers, &c, &lagrangian).unwrap(), gradient)
}

#[test]
fn the_merit_function_has_its_gradient() {
    let merit = ExactAugmentedLagrangian { constraint_penalty: 3.0, gradient_penalty: 0.2 };
    for program in TEST_PROGRAMS {
        let (x, multipliers) = point(program, 7);
        let point = [x, multipliers].concat();
        let (_, gradient) = merit_at(program, &merit, &point);
        let difference = check_gradient(
            |at| Ok(merit_at(program, &merit, at).0),
            &point,
            &gradient,
            &mut vec![0.0; point.len()],
        );
        // 1e-9 of the largest entry for moderate third derivatives; those of sixth powers squared are not.
        assert!(difference.unwrap() < 1e-6, "{}: {difference:?}", program.name);
    }
}

#[test]
fn the_merit_function_decreases_with_every_step() {
    for program in TEST_PROGRAMS.iter().filter(|program| !["HS46", "HS49", "HS61"].contains(&program.name)) {
        for directions in [DIRECT, GAUSSIAN] {
            let mut solver = solver(program, theory(), directions);
            let multipliers = vec![program.initial_multiplier; shape(program).1];
            solver.start(program, program.start, &multipliers).unwrap();
            let here = |solver: &Solver| [solver.solution(), solver.multipliers()].concat();
            let mut before = here(&solver);
            while solver.step(program) == Step::Advanced {
                let (after, merit) = (here(&solver), solver.penalties());
                let (old, new) = (merit_at(program, &merit, &before).0, merit_at(program, &merit, &after).0);
                assert!(new < old, "{}: {new} {old}", program.name);
                before = after;
            }
        }
    }
}

/// W positive definite where the constraints are flat, and independent constraints: n positive eigenvalues, m negative.
#[test]
fn the_inertia_of_newtons_matrix() {
    let mut seen = 0;
    for program in TEST_PROGRAMS {
        let (n, m) = shape(program);
        for seed in 0..4 {
            let (x, multipliers) = point(program, seed);
            let (mut gradient, mut jacobian, mut hessian) =
                (vec![0.0; n], vec![0.0; n * m], vec![0.0; n * n]);
            program.derivatives(&x, &mut gradient, &mut jacobian);
            program.lagrangian_hessian(&x, &multipliers, &mut hessian);
            let g = nalgebra::DMatrix::from_column_slice(m, n, &jacobian);
            let w = nalgebra::DMatrix::from_column_slice(n, n, &hessian);
            if (&g * g.transpose()).symmetric_eigenvalues().min() < 1e-2 {
                continue;
            }
            let mut transposed = g.transpose().as_slice().to_vec();
            let mut basis = vec![0.0; n * (n - m)];
            quern_kernels::factor::null_basis(n, m, &mut transposed, &mut vec![0.0; m], &mut basis).unwrap();
            let z = nalgebra::DMatrix::from_column_slice(n, n - m, &basis);
            assert!((&g * &z).norm() <= 1e-14 * g.norm(), "{}", program.name);
            if n > m && (z.transpose() * w * &z).symmetric_eigenvalues().min() < 1e-6 {
                continue;
            }
            let mut matrix = vec![0.0; (n + m) * (n + m)];
            kkt_assemble(n, m, &hessian, 0.0, &jacobian, &mut matrix).unwrap();
            let values = nalgebra::DMatrix::from_column_slice(n + m, n + m, &matrix).symmetric_eigenvalues();
            assert_eq!(values.iter().filter(|value| **value > 0.0).count(), n, "{}", program.name);
            assert_eq!(values.iter().filter(|value| **value < 0.0).count(), m, "{}", program.name);
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// f and c twice as large.
struct Doubled(&'static TestProgram);

impl EqualityProgram<f64> for Doubled {
    fn variables(&self) -> usize {
        shape(self.0).0
    }
    fn constraints(&self) -> usize {
        shape(self.0).1
    }
    fn values(&self, x: &[f64], constraints: &mut [f64]) -> f64 {
        let f: f64 = self.0.values(x, constraints);
        constraints.iter_mut().for_each(|c| *c *= 2.0);
        2.0 * f
    }
    fn derivatives(&self, x: &[f64], gradient: &mut [f64], jacobian: &mut [f64]) {
        self.0.derivatives(x, gradient, jacobian);
        gradient.iter_mut().chain(jacobian).for_each(|entry| *entry *= 2.0);
    }
    fn lagrangian_hessian(&self, x: &[f64], multipliers: &[f64], hessian: &mut [f64]) {
        self.0.lagrangian_hessian(x, multipliers, hessian);
        hessian.iter_mut().for_each(|entry| *entry *= 2.0);
    }
}

#[test]
fn newtons_direction_does_not_depend_on_the_scale_of_the_problem() {
    for name in ["HS28", "HS48", "HS51", "BT3", "GENHS28"] {
        let program = TestProgram::find(name).unwrap();
        let multipliers = vec![1.0; shape(program).1];
        let mut one = solver(program, theory(), DIRECT);
        one.start(program, program.start, &multipliers).unwrap();
        let mut other = solver(program, theory(), DIRECT);
        other.start(&Doubled(program), program.start, &multipliers).unwrap();
        assert_eq!((one.step(program), other.step(&Doubled(program))), (Step::Advanced, Step::Advanced));
        // A factor of two is exact in all but Householder's norms.
        for (x, y) in one.solution().iter().zip(other.solution()) {
            assert!((x - y).abs() <= 1e-12 * (1.0 + x.abs()), "{name}: {x} {y}");
        }
    }
}

/// min x₁ − ln x₁ subject to x₂ = 1: from x₁ = 3, Newton's step ends at −3, where there is no logarithm.
struct Logarithm;

impl EqualityProgram<f64> for Logarithm {
    fn variables(&self) -> usize {
        2
    }
    fn constraints(&self) -> usize {
        1
    }
    fn values(&self, x: &[f64], constraints: &mut [f64]) -> f64 {
        constraints[0] = x[1] - 1.0;
        x[0] - x[0].ln()
    }
    fn derivatives(&self, x: &[f64], gradient: &mut [f64], jacobian: &mut [f64]) {
        let slope = if x[0] > 0.0 { 1.0 - 1.0 / x[0] } else { f64::NAN };
        gradient.copy_from_slice(&[slope, 0.0]);
        jacobian.copy_from_slice(&[0.0, 1.0]);
    }
    fn lagrangian_hessian(&self, x: &[f64], _: &[f64], hessian: &mut [f64]) {
        hessian.copy_from_slice(&[1.0 / (x[0] * x[0]), 0.0, 0.0, 0.0]);
    }
}

#[test]
fn trial_points_that_are_not_numbers_are_steps_too_long() {
    let start = [3.0, 0.0];
    // A trial that failed is an evaluation more than steps that moved x, and the start.
    let check = |x: &[f64], report: Report<f64>, moves: usize| {
        assert_eq!(report.status, Status::Solved);
        assert!((x[0] - 1.0).abs() < 1e-3 && (x[1] - 1.0).abs() < 1e-3, "{x:?}");
        assert!(report.value_evaluations > moves + 1);
    };
    for directions in [DIRECT, GAUSSIAN] {
        let memory = [0.0; SketchedSqp::scalars(2, 1)];
        let mut solver = SketchedSqp::new(memory, theory(), directions, Key::from_seed(1)).unwrap();
        let report = solver.solve(&Logarithm, &start, &[0.0]).unwrap();
        check(solver.solution(), report, report.iterations);
    }
    let mut solver =
        ExactPenaltySqp::new([0.0; ExactPenaltySqp::scalars(2, 1)], ExactPenaltySettings::default()).unwrap();
    let report = solver.solve(&Logarithm, &start, &[0.0]).unwrap();
    check(solver.solution(), report, report.iterations);
    let settings = AugmentedLagrangianSettings::default();
    let mut solver = AugmentedLagrangian::new([0.0; AugmentedLagrangian::scalars(2, 1)], settings).unwrap();
    let report = solver.solve(&Logarithm, &start, &[0.0]).unwrap();
    // Updates of the multipliers are steps as well, but factor nothing.
    check(solver.solution(), report, report.inner_iterations);
    let mut solver = AugmentedLagrangian::new([0.0; AugmentedLagrangian::scalars(2, 1)], settings).unwrap();
    let refused = solver.solve(&Logarithm, &[-1.0, 0.0], &[0.0]);
    assert!(matches!(refused, Err(Error::NonFinite { .. })), "{refused:?}");
}

/// A budget one short and one that is just enough; reports belong to the iterate at hand.
#[test]
fn budgets_and_reports() {
    let program = TestProgram::find("HS78").unwrap();
    for (max_iterations, status) in [(3, Status::MaxIterations), (4, Status::Solved)] {
        let (report, solver) = solve(program, SketchedSqpSettings { max_iterations, ..theory() }, DIRECT);
        assert_eq!((report.status, report.iterations), (status, max_iterations));
        let mut c = [0.0; 3];
        assert_eq!(program.values(solver.solution(), &mut c), report.objective);
        assert_eq!(norm2(&c), report.constraint_norm);
        assert_eq!(solver.report(status), report);
    }
    let (none, _) = solve(program, SketchedSqpSettings { max_iterations: 0, ..theory() }, DIRECT);
    assert_eq!((none.status, none.iterations, none.value_evaluations), (Status::MaxIterations, 0, 1));
}

#[test]
fn the_same_key_takes_the_same_path() {
    let program = TestProgram::find("HS77").unwrap();
    let run = |seed| {
        let memory = vec![0.0; SketchedSqp::scalars(5, 2)];
        let mut solver = SketchedSqp::new(memory, theory(), GAUSSIAN, Key::from_seed(seed)).unwrap();
        let report = solver.solve(program, program.start, &[0.0; 2]).unwrap();
        (report, solver.solution().to_vec())
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).1, run(4).1);
}

#[test]
fn misuse_is_refused() {
    let program = TestProgram::find("HS28").unwrap();
    let new = |memory: Vec<f64>| SketchedSqp::new(memory, theory(), DIRECT, Key::from_seed(0)).unwrap();
    let fit = SketchedSqp::scalars(3, 1);
    assert!(matches!(
        new(vec![0.0; fit - 1]).solve(program, program.start, &[0.0]),
        Err(Error::Capacity { required, available, .. }) if required == fit && available == fit - 1
    ));
    let mut solver = new(vec![0.0; fit]);
    assert!(matches!(
        solver.solve(program, &[0.0; 2], &[0.0]),
        Err(Error::Dimension { what: "initial point", .. })
    ));
    assert!(matches!(
        solver.solve(program, &[0.0; 3], &[]),
        Err(Error::Dimension { what: "initial multipliers", .. })
    ));
    assert!(matches!(solver.solve(program, &[f64::NAN; 3], &[0.0]), Err(Error::NonFinite { .. })));
    assert!(matches!(solver.solve(program, &[1e200; 3], &[0.0]), Err(Error::NonFinite { .. })));
    for bad in [
        SketchedSqpSettings { tolerance: 0.0, ..theory() },
        SketchedSqpSettings { tolerance: f64::NAN, ..theory() },
        SketchedSqpSettings { penalty_growth: 1.0, ..theory() },
        SketchedSqpSettings { sufficient_decrease: 0.5, ..theory() },
        SketchedSqpSettings { forcing_decay: 1.5, ..theory() },
        SketchedSqpSettings { rank_threshold: -1.0, ..theory() },
    ] {
        assert!(matches!(bad.validate(), Err(Error::Setting { .. })), "{bad:?}");
    }
    let bad = ExactPenaltySettings { penalty: 0.0_f64, ..ExactPenaltySettings::default() };
    assert!(bad.validate().is_err());
    let bad = AugmentedLagrangianSettings { inner_decay: 2.0_f64, ..AugmentedLagrangianSettings::default() };
    assert!(bad.validate().is_err());
}

/// Problem, f, x: optima by SciPy, from formulas written again; see `tests/golden/generate_sqp.py`.
const OPTIMA: &str = include_str!("../../golden/sqp.csv");

#[test]
fn optima_are_those_of_scipy() {
    let mut seen = 0;
    for line in OPTIMA.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let program = TestProgram::find(fields[0]).unwrap();
        let numbers: Vec<f64> = fields[1..].iter().map(|field| field.parse().unwrap()).collect();
        let settings =
            SketchedSqpSettings { tolerance: 1e-8, ..SketchedSqpSettings::new(Accuracy::Practical) };
        for directions in [DIRECT, GAUSSIAN] {
            let (report, solver) = solve(program, settings, directions);
            assert_eq!(report.status, Status::Solved, "{}", program.name);
            // SLSQP stops where f changes by 1e-14, its x is good to half the digits.
            let error = (report.objective - numbers[0]).abs();
            assert!(error <= 1e-7 * numbers[0].abs().max(1.0), "{}: {error}", program.name);
            // Some have solutions that differ in signs.
            for (x, listed) in solver.solution().iter().zip(&numbers[1..]) {
                assert!((x.abs() - listed.abs()).abs() <= 1e-3, "{}: {x} {listed}", program.name);
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 12);
}
