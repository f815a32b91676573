//! Problems under equality constraints: derivatives by dual numbers, optima, and what the solvers promise.

use quern_firmware::generators::{TEST_PROGRAMS, TestProgram};
use quern_kernels::Error;
use quern_kernels::ad::{Dual, check_gradient};
use quern_kernels::blas::norm2;
use quern_kernels::factor::Ldl;
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

/// Newton's method from the listed solution stays there, to the digits listed, and ends at the listed value.
#[test]
fn the_listed_optima_fulfil_the_conditions_of_first_order() {
    for program in TEST_PROGRAMS.iter().filter(|program| !program.solution.is_empty()) {
        let (n, m) = shape(program);
        let mut c = vec![0.0; m];
        let f: f64 = program.values(program.solution, &mut c);
        let (mut gradient, mut jacobian) = (vec![0.0; n], vec![0.0; n * m]);
        program.derivatives(program.solution, &mut gradient, &mut jacobian);
        // Six digits after the point are 5e-7 in each entry.
        let rounding = 5e-7 * norm2(&jacobian) * (n as f64).sqrt();
        assert!(norm2(&c) <= 1e-6_f64.max(rounding), "{}: {c:?}", program.name);
        let slack = 5e-7 * norm2(&gradient) * (n as f64).sqrt() + 5e-8;
        assert!((f - program.optimum).abs() <= slack + 1e-6 * f.abs(), "{}: {f}", program.name);
        let (g, j) = (nalgebra::DVector::from_vec(gradient), nalgebra::DMatrix::from_vec(m, n, jacobian));
        let multipliers = j.transpose().svd(true, true).solve(&-&g, 1e-8).unwrap();
        let left = (&g + j.transpose() * &multipliers).norm();
        // The gradient moves by ‖W‖ times the rounding of x; the sixth digits of HS77 are five.
        let mut hessian = vec![0.0; n * n];
        program.lagrangian_hessian(program.solution, multipliers.as_slice(), &mut hessian);
        assert!(left <= 5e-6 * (1.0 + norm2(&hessian)) * (n as f64).sqrt(), "{}: {left}", program.name);
    }
}

#[test]
fn table() {
    for program in TEST_PROGRAMS {
        let mut line = format!("{:9}", program.name);
        let n = 5000;
        for directions in [GAUSSIAN, DIRECT] {
            let (report, solver) =
                solve(program, SketchedSqpSettings { max_iterations: n, ..theory() }, directions);
            line += &format!(
                " | {:?} {} {} ev {} t {} df {:.1e} eta {:.3} {:.4}",
                report.status,
                report.iterations,
                report.inner_iterations,
                report.value_evaluations,
                report.step_length,
                report.objective - program.optimum,
                solver.penalties().constraint_penalty,
                solver.penalties().gradient_penalty
            );
        }
        println!("{line}");
        let multipliers = vec![program.initial_multiplier; shape(program).1];
        let (n, m) = shape(program);
        let mut penalty =
            ExactPenaltySqp::new(vec![0.0; ExactPenaltySqp::scalars(n, m)], ExactPenaltySettings::default())
                .unwrap();
        let report = penalty.solve(program, program.start, &multipliers).unwrap();
        print!(
            "   l1 {:?} {} {} ev {} df {:.1e}",
            report.status,
            report.iterations,
            report.inner_iterations,
            report.value_evaluations,
            report.objective - program.optimum
        );
        let mut al = AugmentedLagrangian::new(
            vec![0.0; AugmentedLagrangian::scalars(n, m)],
            AugmentedLagrangianSettings::default(),
        )
        .unwrap();
        let report = al.solve(program, program.start, &multipliers).unwrap();
        println!(
            "   al {:?} {} {} ev {} df {:.1e}",
            report.status,
            report.iterations,
            report.inner_iterations,
            report.value_evaluations,
            report.objective - program.optimum
        );
    }
}
