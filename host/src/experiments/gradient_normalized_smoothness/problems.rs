//! What is minimized, and in which metric.

use anyhow::Result;
use quern_firmware::generators::{centred_uniform, smooth_maximum};
use quern_kernels::blas;
use quern_kernels::loss::{
    ChebyshevChain, LinearResiduals, LogSumExp, LogisticRegression, PowerHessian, PowerResidual, Rosenbrock,
};
use quern_kernels::optim::descent::{Metric, Objective, Residuals};
use quern_kernels::random::{Key, fill_normal, fill_uniform, uniform_at};

use super::descents::{Goal, Method, Run, descend};
use crate::training::BreastCancer;

/// A function and its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Problem {
    /// μ·ln Σ exp((Ax − b)/μ), the minimum at 0, from x = 1.
    Lse { m: usize, n: usize, smoothing: f64 },
    /// ‖Ax − b‖⁴/4, A 100×200, from x = 1.
    Equations,
    /// ‖u‖⁴/4 of a chain of Chebyshev polynomials, from x uniform in [0, 1).
    Chain { n: usize },
    /// ‖u‖^p/p of Rosenbrock's equations, from (−2, 2).
    Rosenbrock { power: u32 },
    /// Logistic regression, from 0.
    Logistic { labels: Labels },
}

/// What the labels of a logistic regression are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    /// The sign of ⟨a, w⟩; only samples with |⟨a, w⟩| > 0.3.
    Separable,
    /// The same of all samples, this share flipped.
    Flipped { percent: u32 },
    /// Malignant or benign, of measurements.
    Tumours,
}

impl Labels {
    pub(super) const ALL: [Self; 4] =
        [Self::Separable, Self::Flipped { percent: 1 }, Self::Flipped { percent: 10 }, Self::Tumours];
}

/// B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetricKind {
    Identity,
    /// AᵀA, with 1e-8·I where A has no more rows than columns.
    Gram,
}

impl MetricKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "I",
            Self::Gram => "AᵀA",
        }
    }
}

const ROWS: usize = 100;
const COLUMNS: usize = 200;
const SAMPLES: usize = 1000;
const FEATURES: usize = 20;

impl Problem {
    pub(super) fn name(self) -> String {
        match self {
            Self::Lse { m, n, smoothing } => format!("log-sum-exp {m}×{n}, μ = {smoothing}"),
            Self::Equations => format!("equations {ROWS}×{COLUMNS}, p = 4"),
            Self::Chain { n } => format!("chain of {n}, p = 4"),
            Self::Rosenbrock { power } => format!("Rosenbrock, p = {power}"),
            Self::Logistic { labels: Labels::Separable } => "logistic, separable".into(),
            Self::Logistic { labels: Labels::Flipped { percent } } => {
                format!("logistic, {percent} % flipped")
            }
            Self::Logistic { labels: Labels::Tumours } => "logistic, breast cancer".into(),
        }
    }

    /// Makes the data and descends. Data depend on the key and the problem alone.
    pub(super) fn solve(self, key: Key, metric: MetricKind, method: Method, cap: usize) -> Result<Run> {
        let exact = method != Method::Approximate;
        let [lse, equations, chain, logistic] = key.split();
        match self {
            Self::Lse { m, n, smoothing } => {
                let (mut a, mut b, mut softmax) = (vec![0.0; m * n], vec![0.0; m], vec![0.0; m]);
                smooth_maximum(lse, smoothing, &mut a, &mut b, &mut softmax);
                let (gram, mut factors) = gram(metric, m, n, &a);
                let metric = build(n, &gram, &mut factors)?;
                let mut problem = LogSumExp::new(&a, &b, smoothing, exact, vec![0.0; 2 * m + n])?;
                let optimum = problem.value_gradient(&vec![0.0; n], &mut vec![0.0; n])?;
                descend(&mut problem, &metric, method, &vec![1.0; n], Goal::Gap(optimum), cap)
            }
            Self::Equations => {
                let (mut a, mut b) = (vec![0.0; ROWS * COLUMNS], vec![0.0; ROWS]);
                let [rows, offsets] = equations.split();
                centred_uniform(rows, &mut a);
                centred_uniform(offsets, &mut b);
                let (gram, mut factors) = gram(metric, ROWS, COLUMNS, &a);
                let metric = build(COLUMNS, &gram, &mut factors)?;
                let residuals = LinearResiduals::new(&a, &b)?;
                let kind = if exact { PowerHessian::Exact } else { PowerHessian::Fisher };
                power(residuals, 4.0, kind, &metric, method, &[1.0; COLUMNS], cap)
            }
            Self::Chain { n } => {
                let mut start = vec![0.0; n];
                fill_uniform(chain, 0, &mut start);
                let kind = if exact { PowerHessian::Exact } else { PowerHessian::GaussNewton };
                power(ChebyshevChain::new(n)?, 4.0, kind, &Metric::identity(), method, &start, cap)
            }
            Self::Rosenbrock { power: p } => {
                let kind = if exact { PowerHessian::Exact } else { PowerHessian::GaussNewton };
                power(Rosenbrock, p.into(), kind, &Metric::identity(), method, &[-2.0, 2.0], cap)
            }
            Self::Logistic { labels } => {
                let (a, y) = samples(logistic, labels)?;
                let n = a.len() / y.len();
                let mut problem = LogisticRegression::new(&a, &y, exact, vec![0.0; 3 * y.len()])?;
                descend(&mut problem, &Metric::identity(), method, &vec![0.0; n], Goal::Gradient, cap)
            }
        }
    }
}

/// ‖u‖^p/p with the minimum 0.
fn power(
    residuals: impl Residuals<f64>,
    power: f64,
    kind: PowerHessian,
    metric: &Metric<'_, f64>,
    method: Method,
    start: &[f64],
    cap: usize,
) -> Result<Run> {
    let memory = vec![0.0; residuals.rows() + residuals.columns()];
    let mut problem = PowerResidual::new(residuals, power, kind, memory)?;
    let run = descend(&mut problem, metric, method, start, Goal::Gap(0.0), cap)?;
    let residual_norm = Some(problem.residual_norm(&run.solution)?);
    Ok(Run { residual_norm, ..run })
}

/// B and as much memory for its factor; nothing for the identity.
fn gram(metric: MetricKind, m: usize, n: usize, a: &[f64]) -> (Vec<f64>, Vec<f64>) {
    if metric == MetricKind::Identity {
        return (Vec::new(), Vec::new());
    }
    let mut gram = vec![0.0; n * n];
    // Of fitting shapes.
    let _ = blas::gemm_transposed_left(n, m, n, 1.0, a, a, 0.0, &mut gram);
    // A smooth maximum's π is orthogonal to all columns: of m rows, m − 1 are independent at most.
    if m <= n {
        gram.iter_mut().step_by(n + 1).for_each(|entry| *entry += 1e-8);
    }
    let memory = vec![0.0; n * n];
    (gram, memory)
}

fn build<'a>(n: usize, gram: &'a [f64], factors: &'a mut [f64]) -> Result<Metric<'a, f64>> {
    if gram.is_empty() { Ok(Metric::identity()) } else { Ok(Metric::dense(n, gram, factors)?) }
}

/// Rows by columns, and labels of ±1.
fn samples(key: Key, labels: Labels) -> Result<(Vec<f64>, Vec<f64>)> {
    if labels == Labels::Tumours {
        let data = BreastCancer::load()?.standardized();
        let (count, n) = (data.labels.len(), BreastCancer::FEATURES + 1);
        let scale = (n as f64).sqrt();
        let entry = |place: usize| {
            let (i, j) = (place % count, place / count);
            // The last column is the intercept.
            data.inputs[i * BreastCancer::FEATURES..][..BreastCancer::FEATURES].get(j).copied().unwrap_or(1.0)
                / scale
        };
        let y = data.labels.iter().map(|&label| if label == 1 { 1.0 } else { -1.0 }).collect();
        return Ok(((0..count * n).map(entry).collect(), y));
    }
    let [rows, direction, flips] = key.split();
    let (mut all, mut w) = (vec![0.0; SAMPLES * FEATURES], vec![0.0; FEATURES]);
    fill_normal(rows, 0, &mut all);
    fill_normal(direction, 0, &mut w);
    let scale = (FEATURES as f64).sqrt();
    all.iter_mut().for_each(|entry| *entry /= scale);
    let (mut kept, mut y) = (Vec::new(), Vec::new());
    for (index, row) in (0..).zip(all.chunks_exact(FEATURES)) {
        let margin: f64 = row.iter().zip(&w).map(|(a, w)| a * w).sum();
        let flipped = match labels {
            Labels::Flipped { percent } => uniform_at::<f64>(flips, index) < f64::from(percent) / 100.0,
            _ if margin.abs() <= 0.3 => continue,
            _ => false,
        };
        kept.push(row);
        y.push(if (margin > 0.0) != flipped { 1.0 } else { -1.0 });
    }
    let count = y.len();
    let a = (0..count * FEATURES).map(|place| kept[place % count][place / count]).collect();
    Ok((a, y))
}
