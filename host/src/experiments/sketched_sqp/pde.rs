//! Control of an elliptic equation.

use anyhow::Result;
use quern_kernels::optim::sqp::{Accuracy, EqualityProgram, SketchedSqpSettings};

use rayon::prelude::*;

use super::{APPLICATIONS, Bench, settings};
use crate::experiments::{Bound, Check, Findings, Table};
use crate::nlp::{self, Method, Options};

/// Points along a side.
const SIDE: usize = 3;
const POINTS: usize = SIDE * SIDE;
/// Of f at the solution.
const OPTIMUM: f64 = 9.644_442;

/// min ½‖y − d‖² + 0.05‖u‖² subject to Δ_h y + u = 0 on a square grid with zero boundary, x = (y, u).
struct Control {
    target: Vec<f64>,
    /// 1/h².
    scale: f64,
}

impl Control {
    fn new() -> Self {
        let spacing = 0.1 / 15f64.sqrt();
        let middle = (SIDE + 1) as f64 / 2.0;
        let offset = |index: usize| spacing * ((index + 1) as f64 - middle);
        let target =
            (0..POINTS).map(|at| (4.0 + offset(at / SIDE)).sin() + (3.0 + offset(at % SIDE)).cos()).collect();
        let h = 2.0 / (SIDE + 1) as f64;
        Self { target, scale: 1.0 / (h * h) }
    }

    fn neighbours(at: usize) -> impl Iterator<Item = usize> {
        let (row, column) = (at / SIDE, at % SIDE);
        let inside = [
            (row > 0).then(|| at - SIDE),
            (row + 1 < SIDE).then_some(at + SIDE),
            (column > 0).then(|| at - 1),
            (column + 1 < SIDE).then_some(at + 1),
        ];
        inside.into_iter().flatten()
    }
}

impl EqualityProgram<f64> for Control {
    fn variables(&self) -> usize {
        2 * POINTS
    }

    fn constraints(&self) -> usize {
        POINTS
    }

    fn values(&self, x: &[f64], constraints: &mut [f64]) -> f64 {
        let (y, u) = x.split_at(POINTS);
        for (at, c) in constraints.iter_mut().enumerate() {
            let sum: f64 = Self::neighbours(at).map(|other| y[other]).sum();
            *c = self.scale * (sum - 4.0 * y[at]) + u[at];
        }
        let misfit: f64 = y.iter().zip(&self.target).map(|(y, target)| (y - target).powi(2)).sum();
        0.5 * misfit + 0.05 * u.iter().map(|u| u * u).sum::<f64>()
    }

    fn derivatives(&self, x: &[f64], gradient: &mut [f64], jacobian: &mut [f64]) {
        let (y, u) = x.split_at(POINTS);
        let misfits = y.iter().zip(&self.target).map(|(y, target)| y - target);
        for (entry, value) in gradient.iter_mut().zip(misfits.chain(u.iter().map(|u| 0.1 * u))) {
            *entry = value;
        }
        jacobian.fill(0.0);
        for at in 0..POINTS {
            jacobian[at + at * POINTS] = -4.0 * self.scale;
            jacobian[at + (POINTS + at) * POINTS] = 1.0;
            for other in Self::neighbours(at) {
                jacobian[at + other * POINTS] = self.scale;
            }
        }
    }

    fn lagrangian_hessian(&self, x: &[f64], _: &[f64], hessian: &mut [f64]) {
        hessian.fill(0.0);
        for (at, entry) in hessian.iter_mut().step_by(x.len() + 1).enumerate() {
            *entry = if at < POINTS { 1.0 } else { 0.1 };
        }
    }
}

/// E2.
pub(super) fn run(bench: &Bench<'_>, findings: &mut Findings) -> Result<()> {
    let settings = SketchedSqpSettings { max_projections: 1_000_000, ..settings(Accuracy::Guaranteed) };
    let methods = [
        ("direct", Method::Direct),
        ("Gaussian", Method::SketchedGaussian),
        ("Kaczmarz", Method::SketchedKaczmarz),
        ("GMRES-l1", Method::GmresL1),
    ];
    bench.progress.expect(methods.len());
    let problem = Control::new();
    let outcomes = methods
        .par_iter()
        .map(|&(name, method)| {
            let options = Options { method, settings, key: bench.key.child(2) };
            let outcome = nlp::solve(&problem, &[1.0; 2 * POINTS], &[1.0; POINTS], &options)?;
            bench.progress.advance("control of an elliptic equation");
            Ok((name, outcome))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut table = Table::new(
        "control",
        "Control of an elliptic equation on 3×3 points (n = 18, m = 9); the condition of Newton's matrix grows with the \
         fourth power of the points along a side, which limits projections to such small grids",
        &["method", "status", "steps", "evaluations of f and c", "projections", "f", "optimality"],
    );
    for (name, outcome) in &outcomes {
        let report = outcome.report;
        table.rows.push(vec![
            (*name).into(),
            report.status.to_string().into(),
            report.iterations.into(),
            report.value_evaluations.into(),
            report.inner_iterations.into(),
            report.objective.into(),
            report.optimality_norm.into(),
        ]);
    }
    findings.tables.push(table);
    for (name, outcome) in outcomes.iter().take(3) {
        findings.checks.push(Check::new(
            format!("control, {name}: steps"),
            APPLICATIONS,
            if outcome.report.optimality_norm <= settings.tolerance {
                outcome.report.iterations as f64
            } else {
                f64::NAN
            },
            Bound::AtMost(5.0),
        ));
        // At a point whose optimality is 1e-4, f is off by at most ‖λ‖·1e-4 or so.
        findings.checks.push(Check::new(
            format!("control, {name}: |f − f*|"),
            APPLICATIONS,
            (outcome.report.objective - OPTIMUM).abs(),
            Bound::AtMost(1e-3),
        ));
    }
    Ok(())
}
