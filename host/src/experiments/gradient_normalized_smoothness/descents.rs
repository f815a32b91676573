//! The methods, run step by step so that their progress is seen.

use anyhow::Result;
use quern_kernels::optim::descent::{
    CubicNewton, CubicNewtonSettings, Curvature, GradientDescent, GradientDescentSettings, Metric, Objective,
    ProgressTest, RegularizedNewton, RegularizedNewtonSettings, Report, Status, Step, Stop,
};

use super::problems::Problem;

/// What descends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Gradient-regularized Newton with the Hessian.
    Exact,
    /// The same with the problem's approximation of it.
    Approximate,
    /// λ = M‖g‖^½ with the Hessian.
    SuperNewton,
    /// Cubic regularization with the Hessian.
    Cubic,
    /// Gradient descent with backtracking.
    Gradient,
}

impl Method {
    pub(super) fn name(self, problem: Problem) -> &'static str {
        match self {
            Self::Exact => "exact Hessian",
            Self::Approximate => match problem {
                Problem::Equations => "Fisher term",
                Problem::Lse { .. } => "weighted Gauss-Newton",
                Problem::Chain { .. } | Problem::Rosenbrock { .. } => "Gauss-Newton",
                Problem::Logistic { .. } => "Fisher matrix",
            },
            Self::SuperNewton => "super-Newton",
            Self::Cubic => "cubic Newton",
            Self::Gradient => "gradient descent",
        }
    }
}

/// When a descent has arrived.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// f − f* < 1e-8 with this f*.
    Gap(f64),
    /// ‖g‖* < 1e-5.
    Gradient,
}

/// How a descent went.
pub(super) struct Run {
    pub(super) report: Report<f64>,
    /// f − f* after each iteration, as far as f* is known and the gap positive.
    pub(super) gaps: Vec<(f64, f64)>,
    /// γ after each iteration.
    pub(super) radii: Vec<(f64, f64)>,
    /// Accepted steps with f − f⁺ < ‖g⁺‖*²/(8λ).
    pub(super) violations: usize,
    /// ‖u‖ at the end, for equations.
    pub(super) residual_norm: Option<f64>,
    pub(super) solution: Vec<f64>,
}

impl Run {
    fn new(report: Report<f64>, solution: &[f64]) -> Self {
        let (gaps, radii) = (Vec::new(), Vec::new());
        Self { report, gaps, radii, violations: 0, residual_norm: None, solution: solution.to_vec() }
    }

    /// Iterations; infinity if the goal was not met.
    pub(super) fn count(&self) -> f64 {
        if self.report.status == Status::Converged { self.report.iterations as f64 } else { f64::INFINITY }
    }
}

/// Descends from `initial` until the goal is met, in at most `cap` steps.
pub(super) fn descend(
    problem: &mut impl Objective<f64>,
    metric: &Metric<'_, f64>,
    method: Method,
    initial: &[f64],
    goal: Goal,
    cap: usize,
) -> Result<Run> {
    let n = problem.variables();
    let stop = match goal {
        Goal::Gap(optimum) => {
            Stop { gradient_tolerance: 0.0, target_value: Some(optimum + 1e-8), max_iterations: cap }
        }
        Goal::Gradient => Stop { gradient_tolerance: 1e-5, target_value: None, max_iterations: cap },
    };
    let gap = |value: f64| match goal {
        Goal::Gap(optimum) => value - optimum,
        Goal::Gradient => f64::NAN,
    };
    match method {
        Method::Exact | Method::Approximate | Method::SuperNewton => {
            let settings = match method {
                Method::SuperNewton => RegularizedNewtonSettings::super_universal(0.5),
                _ => RegularizedNewtonSettings { test: ProgressTest::Functional, ..Default::default() },
            };
            let scalars = match problem.curvature() {
                Curvature::Dense => RegularizedNewton::scalars(n),
                Curvature::RankOne => RegularizedNewton::rank_one_scalars(n),
            };
            let mut solver = RegularizedNewton::new(settings, vec![0.0; scalars])?;
            solver.start(problem, metric, initial)?;
            let (mut gaps, mut radii, mut violations) = (Vec::new(), Vec::new(), 0);
            let (mut iterations, mut trials) = (0, 0);
            let one = Stop { max_iterations: 0, ..stop };
            let mut status = Status::MaxIterations;
            while iterations <= cap {
                if gap(solver.value()) > 0.0 {
                    gaps.push((iterations as f64, gap(solver.value())));
                }
                radii.push((iterations as f64, solver.radius()));
                // Without a budget this only looks at the iterate.
                if solver.resume(problem, metric, &one)?.status == Status::Converged {
                    status = Status::Converged;
                    break;
                }
                if iterations == cap {
                    break;
                }
                let before = solver.value();
                let step = loop {
                    trials += 1;
                    match solver.step(problem, metric)? {
                        Step::Rejected => {}
                        step => break step,
                    }
                };
                if step == Step::Stalled {
                    status = Status::Stalled;
                    break;
                }
                iterations += 1;
                let norm = solver.gradient_norm();
                let promised = norm * (norm / solver.shift()) / 8.0;
                violations +=
                    usize::from(method != Method::SuperNewton && before - solver.value() < promised);
            }
            let factorizations = if problem.curvature() == Curvature::Dense { trials } else { 0 };
            let (value, gradient_norm) = (solver.value(), solver.gradient_norm());
            let report = Report { status, iterations, trials, factorizations, value, gradient_norm };
            Ok(Run { gaps, radii, violations, ..Run::new(report, solver.solution()) })
        }
        Method::Cubic => {
            let memory = vec![0.0; CubicNewton::scalars(n)];
            let mut solver = CubicNewton::new(CubicNewtonSettings::default(), memory)?;
            let report = solver.solve(problem, metric, initial, &stop)?;
            Ok(Run::new(report, solver.solution()))
        }
        Method::Gradient => {
            let memory = vec![0.0; GradientDescent::scalars(n)];
            let mut solver = GradientDescent::new(GradientDescentSettings::default(), memory)?;
            solver.start(problem, metric, initial)?;
            let mut gaps = Vec::new();
            let mut report;
            loop {
                // A step at a time: the budget counts anew.
                report = solver.resume(problem, metric, &Stop { max_iterations: 1, ..stop })?;
                if gap(report.value) > 0.0 {
                    gaps.push((report.iterations as f64, gap(report.value)));
                }
                if report.status != Status::MaxIterations || report.iterations >= cap {
                    break;
                }
            }
            Ok(Run { gaps, ..Run::new(report, solver.solution()) })
        }
    }
}
