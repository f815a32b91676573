use anyhow::Result;
use quern_kernels::Error;
use quern_kernels::optim::qp::{
    InteriorPoint, InteriorPointSettings, Problem, Report, Residuals, SparseKkt, Splitting,
    SplittingSettings, Status, Stop, equilibrate, polish,
};

use super::{Pattern, Program};

/// Sweeps of equilibration.
const SWEEPS: usize = 10;

/// What the interior-point method aims at over the tolerance: a step or two more make small objectives as
/// accurate as large ones.
const EXTRA: f64 = 1e-3;

/// Which kernel solves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The interior-point method; if it fails, operator splitting looks for a certificate.
    InteriorPoint,
    /// Operator splitting with an adaptive ρ, then polishing.
    Splitting,
}

/// What a solve found, in the units of the program.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub status: Status,
    pub iterations: usize,
    pub residuals: Residuals<f64>,
    /// The solution; the certificate if [`Status::DualInfeasible`].
    pub x: Vec<f64>,
    /// The multipliers; the certificate if [`Status::PrimalInfeasible`].
    pub y: Vec<f64>,
}

/// A program with the order of its factor.
pub struct Prepared<'a> {
    program: &'a Program,
    pattern: Pattern,
}

impl<'a> Prepared<'a> {
    /// Finds the order.
    pub fn new(program: &'a Program) -> Self {
        Self { program, pattern: Pattern::new(&program.p, &program.a) }
    }

    /// Entries of the factor below its diagonal.
    pub fn stored(&self) -> usize {
        self.pattern.factor_rows.len()
    }

    /// Solves until every residual is at most `tolerance`, absolutely; where rounding does not allow that, at
    /// most `tolerance`·(1 + its scale).
    ///
    /// # Errors
    /// If P is not positive semidefinite, or scales overflow.
    pub fn solve(&self, method: Method, tolerance: f64, max_iterations: Option<usize>) -> Result<Outcome> {
        let program = self.program;
        let problem = match program.problem() {
            Ok(problem) => problem,
            // A row whose bounds cross needs no multiplier as a certificate.
            Err(Error::Infeasible { .. }) => return Ok(crossed(program)),
            Err(error) => return Err(error.into()),
        };
        let (n, m) = (problem.variables(), problem.constraints());
        let stored = program.p.values.len() + program.a.values.len();
        let mut memory = vec![0.0; Problem::<f64>::equilibration_scalars(n, m, stored)];
        let scaled = equilibrate(&problem, SWEEPS, &mut memory)?;
        let mut kkt = SparseKkt::new(
            self.pattern.borrow()?,
            vec![0.0; SparseKkt::scalars(self.stored(), n + m)],
            vec![0; SparseKkt::indices(n + m)],
        );
        let (mut x, mut y) = (vec![0.0; n], vec![0.0; m]);
        let stop = |tolerance, max_iterations| Stop {
            absolute_tolerance: tolerance,
            relative_tolerance: 0.0,
            infeasibility_tolerance: 1e-8,
            max_iterations,
        };
        let mut before = 0;
        let mut best = None;
        if method == Method::InteriorPoint {
            let memory = vec![0.0; InteriorPoint::scalars(n, m)];
            let mut solver = InteriorPoint::new(InteriorPointSettings::default(), memory)?;
            let report =
                solver.solve(&scaled, &mut kkt, &stop(EXTRA * tolerance, max_iterations.unwrap_or(200)))?;
            solver.solution(&scaled, &mut x, &mut y)?;
            let outcome = judged(report, tolerance, x.clone(), y.clone());
            let open = matches!(report.status, Status::Stagnated | Status::MaxIterations);
            if !open || report.residuals.meet(&stop(tolerance, 0)) {
                return Ok(outcome);
            }
            before = report.iterations;
            // Few digits are left where slacks vanish: the guess which they are has more.
            let scaling = scaled.scaling();
            let mut x = scale(&outcome.x, |j| 1.0 / scaling.variables[j]);
            let mut y = scale(&outcome.y, |i| scaling.cost / scaling.constraints[i]);
            let mut work = vec![0.0; Splitting::scalars(n, m)];
            let polished = polish(&scaled, &mut kkt, &stop(tolerance, 0), &mut x, &mut y, &mut work)?;
            let polished = Report { iterations: before, ..polished };
            let x = scale(&x, |j| scaling.variables[j]);
            let y = scale(&y, |i| scaling.constraints[i] / scaling.cost);
            let outcome = judged(polished, tolerance, x, y);
            if outcome.status == Status::Solved {
                return Ok(outcome);
            }
            best = Some(outcome);
        }
        let settings = SplittingSettings { adaptation_interval: Some(50), ..SplittingSettings::default() };
        let mut solver = Splitting::new(settings, vec![0.0; Splitting::scalars(n, m)])?;
        let mut report =
            solver.solve(&scaled, &mut kkt, &stop(tolerance, max_iterations.unwrap_or(10_000)))?;
        report.iterations += before;
        if matches!(report.status, Status::PrimalInfeasible | Status::DualInfeasible) {
            solver.certificate(&scaled, &mut x, &mut y)?;
            return Ok(Outcome { x, y, ..judged(report, tolerance, Vec::new(), Vec::new()) });
        }
        if report.status != Status::Solved {
            let polished = solver.polish(&scaled, &mut kkt, &stop(tolerance, 0))?;
            report = Report { iterations: report.iterations, ..polished };
        }
        solver.solution(&scaled, &mut x, &mut y)?;
        let outcome = judged(report, tolerance, x, y);
        Ok(match best {
            Some(best) if outcome.status != Status::Solved => {
                Outcome { iterations: report.iterations, ..best }
            }
            _ => outcome,
        })
    }
}

/// Solves a program: see [`Prepared::solve`].
///
/// # Errors
/// As [`Prepared::solve`].
pub fn solve(
    program: &Program,
    method: Method,
    tolerance: f64,
    max_iterations: Option<usize>,
) -> Result<Outcome> {
    Prepared::new(program).solve(method, tolerance, max_iterations)
}

fn scale(values: &[f64], factor: impl Fn(usize) -> f64) -> Vec<f64> {
    values.iter().enumerate().map(|(index, value)| value * factor(index)).collect()
}

/// Also solved is what meets the tolerance relative to the sizes of the terms.
fn judged(report: Report<f64>, tolerance: f64, x: Vec<f64>, y: Vec<f64>) -> Outcome {
    let Report { mut status, iterations, residuals } = report;
    let relative = Stop { absolute_tolerance: tolerance, relative_tolerance: tolerance, ..Stop::default() };
    let open = matches!(status, Status::MaxIterations | Status::Stagnated);
    if open && residuals.meet(&relative) {
        status = Status::Solved;
    }
    Outcome { status, iterations, residuals, x, y }
}

fn crossed(program: &Program) -> Outcome {
    let (n, m) = (program.q.len(), program.lower.len());
    let none = f64::INFINITY;
    let mut residuals = Residuals {
        primal: 0.0,
        dual: none,
        gap: none,
        objective: 0.0,
        primal_scale: 0.0,
        dual_scale: 0.0,
        gap_scale: 0.0,
    };
    for (lower, upper) in program.lower.iter().zip(&program.upper) {
        residuals.primal = residuals.primal.max(0.5 * (lower - upper));
    }
    let y = vec![0.0; m];
    Outcome { status: Status::PrimalInfeasible, iterations: 0, residuals, x: vec![0.0; n], y }
}
