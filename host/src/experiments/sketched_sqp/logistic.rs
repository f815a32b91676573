//! Logistic regression under linear constraints on a sphere.

use std::path::Path;

use anyhow::{Result, bail};
use quern_kernels::factor::Qr;
use quern_kernels::loss::logistic;
use quern_kernels::optim::sqp::{Accuracy, EqualityProgram, SketchedSqpSettings, Status};
use quern_kernels::random::{Key, fill_normal};
use rayon::prelude::*;

use super::{APPLICATIONS, Bench, settings};
use crate::experiments::digits::{Digits, PIXELS};
use crate::experiments::{Bound, Check, Findings, Table};
use crate::nlp::{self, Method, Options};
use crate::training::BreastCancer;

/// Linear constraints.
const ROWS: usize = 10;

/// min mean log(1 + exp(−sᵢaᵢᵀx)) subject to Ax = b and ‖x‖² = 1.
struct Logistic {
    features: usize,
    /// Sample after sample, each times its sign s = ±1.
    signed: Vec<f64>,
    /// A by columns, and b.
    matrix: Vec<f64>,
    right_hand_side: Vec<f64>,
}

impl Logistic {
    /// A and b of standard normal entries, b then halved, drawn until some x of length below 1 fulfils Ax = b.
    fn new(features: usize, signed: Vec<f64>, key: Key) -> Result<Self> {
        for draw in 0..100 {
            let [rows, values] = key.child(draw).split();
            let (mut matrix, mut right_hand_side) = (vec![0.0; ROWS * features], vec![0.0; ROWS]);
            fill_normal(rows, 0, &mut matrix);
            fill_normal(values, 0, &mut right_hand_side);
            right_hand_side.iter_mut().for_each(|b| *b *= 0.5);
            // Aᵀ = QR: the shortest x is QR⁻ᵀb, as long as R⁻ᵀb.
            let mut factors: Vec<f64> = (0..ROWS)
                .flat_map(|row| matrix.iter().skip(row).step_by(ROWS).copied().collect::<Vec<_>>())
                .collect();
            Qr::factor(features, ROWS, &mut factors[..], &mut [0.0; ROWS][..])?;
            let mut shortest = right_hand_side.clone();
            for row in 0..ROWS {
                let above: f64 = (0..row).map(|k| factors[k + row * features] * shortest[k]).sum();
                shortest[row] = (shortest[row] - above) / factors[row + row * features];
            }
            if shortest.iter().map(|x| x * x).sum::<f64>() < 1.0 {
                return Ok(Self { features, signed, matrix, right_hand_side });
            }
        }
        bail!("no feasible constraints in 100 draws")
    }

    fn samples(&self) -> impl Iterator<Item = &[f64]> {
        self.signed.chunks_exact(self.features)
    }

    fn count(&self) -> f64 {
        (self.signed.len() / self.features) as f64
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// ln(1 + e⁻ᵘ) and 1/(1 + eᵘ); NaN where u is not finite.
fn loss(u: f64) -> (f64, f64) {
    logistic(u).map_or((f64::NAN, f64::NAN), |(value, derivative)| (value, -derivative))
}

impl EqualityProgram<f64> for Logistic {
    fn variables(&self) -> usize {
        self.features
    }

    fn constraints(&self) -> usize {
        ROWS + 1
    }

    fn values(&self, x: &[f64], constraints: &mut [f64]) -> f64 {
        for (row, c) in constraints[..ROWS].iter_mut().enumerate() {
            let product: f64 = self.matrix.iter().skip(row).step_by(ROWS).zip(x).map(|(a, x)| a * x).sum();
            *c = product - self.right_hand_side[row];
        }
        constraints[ROWS] = dot(x, x) - 1.0;
        self.samples().map(|sample| loss(dot(sample, x)).0).sum::<f64>() / self.count()
    }

    fn derivatives(&self, x: &[f64], gradient: &mut [f64], jacobian: &mut [f64]) {
        gradient.fill(0.0);
        for sample in self.samples() {
            let slope = -loss(dot(sample, x)).1 / self.count();
            gradient.iter_mut().zip(sample).for_each(|(entry, a)| *entry += slope * a);
        }
        for ((column, a), x) in jacobian.chunks_exact_mut(ROWS + 1).zip(self.matrix.chunks_exact(ROWS)).zip(x)
        {
            column[..ROWS].copy_from_slice(a);
            column[ROWS] = 2.0 * x;
        }
    }

    fn lagrangian_hessian(&self, x: &[f64], multipliers: &[f64], hessian: &mut [f64]) {
        hessian.fill(0.0);
        for sample in self.samples() {
            let share = loss(dot(sample, x)).1;
            let weight = share * (1.0 - share) / self.count();
            for (column, along) in hessian.chunks_exact_mut(self.features).zip(sample) {
                column.iter_mut().zip(sample).for_each(|(entry, a)| *entry += weight * along * a);
            }
        }
        for entry in hessian.iter_mut().step_by(self.features + 1) {
            *entry += 2.0 * multipliers[ROWS];
        }
    }
}

/// E3.
pub(super) fn run(bench: &Bench<'_>, data: Option<&Path>, findings: &mut Findings) -> Result<()> {
    let mut problems = Vec::new();
    let cancer = BreastCancer::load()?.standardized();
    let signed =
        cancer.inputs.chunks(BreastCancer::FEATURES).zip(&cancer.labels).flat_map(|(sample, &label)| {
            let sign = if label == 1 { 1.0 } else { -1.0 };
            sample.iter().map(move |x| sign * x)
        });
    let key = bench.key.child(3);
    problems.push(("breast cancer", Logistic::new(BreastCancer::FEATURES, signed.collect(), key.child(0))?));
    if bench.full() {
        let digits = Digits::load(data)?.train;
        let signed = digits.pixels.chunks(PIXELS).zip(&digits.labels).flat_map(|(image, label)| {
            let sign = if label % 2 == 0 { 1.0 } else { -1.0 };
            image.iter().map(move |&pixel| sign * f64::from(pixel))
        });
        problems.push(("digits", Logistic::new(PIXELS, signed.collect(), key.child(1))?));
    }
    let methods = [
        ("Gaussian", Method::SketchedGaussian),
        ("Kaczmarz by norms", Method::SketchedKaczmarz),
        ("direct", Method::Direct),
        ("GMRES-l1", Method::GmresL1),
    ];
    // The threshold of curvature is the source's for this problem.
    let settings = SketchedSqpSettings {
        curvature_threshold: 1e-2,
        max_iterations: 200,
        ..settings(Accuracy::Practical)
    };
    let tasks: Vec<_> =
        (0..problems.len()).flat_map(|problem| methods.map(|method| (problem, method))).collect();
    bench.progress.expect(tasks.len());
    let outcomes = tasks
        .par_iter()
        .map(|&(index, (name, method))| {
            let (data, problem) = &problems[index];
            let options = Options { method, settings, key: key.child(2) };
            let outcome = nlp::solve(problem, &vec![1.0; problem.features], &[1.0; ROWS + 1], &options)?;
            bench.progress.advance("logistic regression");
            Ok((*data, name, outcome))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut table = Table::new(
        "logistic",
        "Logistic regression under ten linear constraints on the unit sphere, practical mode",
        &[
            "data",
            "method",
            "status",
            "steps",
            "evaluations of f and c",
            "projections",
            "f",
            "violation",
            "optimality",
        ],
    );
    for (data, name, outcome) in outcomes {
        let report = outcome.report;
        table.rows.push(vec![
            data.into(),
            name.into(),
            report.status.to_string().into(),
            report.iterations.into(),
            report.value_evaluations.into(),
            report.inner_iterations.into(),
            report.objective.into(),
            report.constraint_norm.into(),
            report.optimality_norm.into(),
        ]);
        if name.starts_with("Gaussian") || name.starts_with("Kaczmarz") {
            let steps = if report.status == Status::Solved { report.iterations as f64 } else { f64::NAN };
            findings.checks.push(Check::new(
                format!("logistic, {data}, {name}: steps"),
                APPLICATIONS,
                steps,
                Bound::AtMost(15.0),
            ));
        }
    }
    findings.tables.push(table);
    Ok(())
}
