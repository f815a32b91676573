//! A classifier of digits: its largest eigenvalues, and the density of all.

use std::path::Path;

use anyhow::Result;
use quern_kernels::ad::Dual;
use quern_kernels::linop::HessianDual;
use quern_kernels::loss::cross_entropy_gradient;
use quern_kernels::nn::{Activation, Mlp};
use quern_kernels::optim::{Optimizer, Sgd, SgdSettings};
use quern_kernels::random::{Key, fill_normal, fill_rademacher};
use quern_kernels::space::Serial;
use quern_kernels::spectrum::{
    Lanczos, Reorthogonalization, gap_count, gaussian_density, ritz_values, stochastic_quadrature,
    stochastic_quadrature_scalars,
};
use quern_kernels::{Error, Real};
use rayon::prelude::*;

use super::{Bench, CLASSES};
use crate::experiments::digits::{Digits, PIXELS};
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Scale, Series, Table};
use crate::report::short;

const DIGITS: usize = 10;
/// Eigenvalues that are reported.
const TOP: usize = 30;

/// How much of it is done.
struct Plan {
    units: &'static [usize],
    images: usize,
    starts: u32,
    /// Of Lanczos for the density.
    steps: usize,
    /// Of Lanczos for the largest eigenvalues.
    long_steps: usize,
    /// Of the training.
    descent_steps: usize,
}

const QUICK: Plan =
    Plan { units: &[10], images: 200, starts: 2, steps: 30, long_steps: 50, descent_steps: 300 };
const FULL: Plan =
    Plan { units: &[10, 30, 50], images: 1000, starts: 10, steps: 80, long_steps: 120, descent_steps: 1000 };

/// A classifier with its data.
struct Classifier {
    widths: [usize; 3],
    inputs: Vec<f64>,
    labels: Vec<u32>,
}

impl Classifier {
    fn network(&self) -> Result<Mlp<'_>, Error> {
        Mlp::new(&self.widths, Activation::Tanh)
    }

    /// Mean cross-entropy and its gradient, over any scalar.
    fn gradient<T: Real>(
        &self,
        parameters: &[T],
        inputs: &[T],
        activations: &mut [T],
        gradient: &mut [T],
    ) -> Result<T, Error> {
        let net = self.network()?;
        net.forward(parameters, inputs, activations)?;
        let loss = cross_entropy_gradient(net.outputs_mut(activations, self.labels.len()), &self.labels)?;
        net.backward(parameters, inputs, activations, gradient)?;
        Ok(loss)
    }

    /// Weights of variance 1/inputs of their layer, biases zero; then descent on all images.
    fn train(&self, key: Key, steps: usize) -> Result<(Vec<f64>, f64)> {
        let net = self.network()?;
        let mut parameters = vec![0.0; net.parameters()];
        let mut weights = &mut parameters[..net.weights()];
        for (layer, pair) in (0..).zip(self.widths.windows(2)) {
            let (these, rest) = weights.split_at_mut(pair[0] * pair[1]);
            fill_normal(key.child(layer), 0, these);
            these.iter_mut().for_each(|weight| *weight /= (pair[0] as f64).sqrt());
            weights = rest;
        }
        let settings = SgdSettings { learning_rate: 0.1, momentum: 0.9, nesterov: false };
        let mut descent = Sgd::new(settings, vec![0.0; parameters.len()])?;
        let mut gradient = vec![0.0; parameters.len()];
        let mut activations = vec![0.0; net.activations(self.labels.len())?];
        let mut loss = f64::INFINITY;
        for _ in 0..steps {
            loss = self.gradient(&parameters, &self.inputs, &mut activations, &mut gradient)?;
            // Beyond, the curvature of the cross-entropy vanishes, and the outliers with it.
            if loss <= 0.05 {
                break;
            }
            descent.step(&mut parameters, &gradient)?;
        }
        Ok((parameters, loss))
    }

    /// Runs `work` on the Hessian at the parameters, exact by dual numbers.
    fn with_hessian<R>(
        &self,
        parameters: &[f64],
        work: impl FnOnce(&dyn quern_kernels::linop::LinearOperator<f64>) -> Result<R>,
    ) -> Result<R> {
        let inputs: Vec<_> = self.inputs.iter().map(|&input| Dual::constant(input)).collect();
        let mut activations = vec![Dual::ZERO; self.network()?.activations(self.labels.len())?];
        let gradient = |at: &[Dual<f64>], out: &mut [Dual<f64>]| {
            self.gradient(at, &inputs, &mut activations, out).map(drop)
        };
        let scratch = vec![Dual::ZERO; 2 * parameters.len()];
        work(&HessianDual::new(parameters, gradient, scratch)?)
    }
}

/// What is found of one classifier.
struct Outcome {
    units: usize,
    parameters: usize,
    loss: f64,
    /// The largest eigenvalues, descending.
    top: Vec<f64>,
    /// The largest residual of the first ten.
    residual: f64,
    nodes: Vec<f64>,
    weights: Vec<f64>,
}

/// E5.
pub(super) fn run(bench: &Bench<'_>, data: Option<&Path>, findings: &mut Findings) -> Result<()> {
    let plan = if bench.scale == Scale::Full { FULL } else { QUICK };
    let digits = Digits::load(data)?;
    let images = plan.images.min(digits.train.labels.len());
    let inputs: Vec<f64> = digits.train.pixels[..images * PIXELS].iter().copied().map(f64::from).collect();
    let labels = digits.train.labels[..images].to_vec();
    let key = bench.key.child(5);
    bench.progress.expect(plan.units.len() * (2 + plan.starts as usize));
    let outcomes: Vec<Outcome> = plan
        .units
        .par_iter()
        .map(|&units| {
            let widths = [PIXELS, units, DIGITS];
            let classifier = Classifier { widths, inputs: inputs.clone(), labels: labels.clone() };
            classify(&classifier, &plan, key.child(units as u32), bench)
        })
        .collect::<Result<_>>()?;
    report(&outcomes, findings)
}

fn classify(classifier: &Classifier, plan: &Plan, key: Key, bench: &Bench<'_>) -> Result<Outcome> {
    let [initial, start, density] = key.split();
    let (parameters, loss) = classifier.train(initial, plan.descent_steps)?;
    bench.progress.advance("a classifier trained");
    let n = parameters.len();
    let (largest, rules) = rayon::join(
        || -> Result<_> {
            let mut signs = vec![0.0; n];
            fill_rademacher(start, 0, &mut signs);
            let (steps, form) = (plan.long_steps, Reorthogonalization::Full);
            let mut process = Lanczos::new(vec![0.0; Lanczos::scalars(n, steps, form)], steps, form)?;
            let k = classifier.with_hessian(&parameters, |hessian| Ok(process.run(hessian, &signs)?))?;
            let (mut values, mut residuals, mut memory) = (vec![0.0; k], vec![0.0; k], vec![0.0; k]);
            let (diagonal, off_diagonal) = (process.diagonal(), process.off_diagonal());
            ritz_values(diagonal, off_diagonal, &mut values, &mut residuals, &mut memory)?;
            values.reverse();
            residuals.reverse();
            bench.progress.advance("the largest eigenvalues");
            Ok((values, residuals))
        },
        || {
            (0..plan.starts)
                .into_par_iter()
                .map(|start| {
                    let (mut nodes, mut weights) = (vec![0.0; plan.steps], vec![0.0; plan.steps]);
                    let mut memory = vec![0.0; stochastic_quadrature_scalars(n, plan.steps)];
                    let key = density.child(start);
                    let count = classifier.with_hessian(&parameters, |hessian| {
                        let rule = (&mut nodes[..], &mut weights[..]);
                        Ok(stochastic_quadrature(&Serial, hessian, key, 1, rule.0, rule.1, &mut memory)?)
                    })?;
                    nodes.truncate(count);
                    weights.truncate(count);
                    weights.iter_mut().for_each(|weight| *weight /= f64::from(plan.starts));
                    bench.progress.advance("a start of the density");
                    Ok((nodes, weights))
                })
                .collect::<Result<Vec<_>>>()
        },
    );
    let ((mut top, residuals), rules) = (largest?, rules?);
    top.truncate(TOP);
    let (nodes, weights): (Vec<_>, Vec<_>) = rules.into_iter().unzip();
    Ok(Outcome {
        units: classifier.widths[1],
        parameters: n,
        loss,
        top,
        residual: residuals.iter().take(DIGITS).copied().fold(0.0, f64::max),
        nodes: nodes.concat(),
        weights: weights.concat(),
    })
}

fn report(outcomes: &[Outcome], findings: &mut Findings) -> Result<()> {
    let mut table = Table::new(
        "digits",
        "Classifiers of digits 64-h-10: the largest eigenvalues by Lanczos, and the mean eigenvalue by quadrature",
        &[
            "h",
            "P",
            "loss",
            "λ₁ … λ₁₂",
            "largest residual of ten",
            "λ₁₀/λ₁",
            "λ₁₁/λ₁",
            "widest gap after",
            "ratio there",
            "eigenvalues above λ₁/10",
            "mean eigenvalue",
            "smallest node",
        ],
    );
    let mut series = Vec::new();
    for outcome in outcomes {
        let Outcome { units, parameters, loss, top, residual, nodes, weights } = outcome;
        let positive: Vec<_> = top.iter().copied().filter(|&value| value > 0.0).collect();
        let gap = gap_count(&positive, positive.len())?;
        let dominant = top.iter().filter(|&&value| value >= top[0] / 10.0).count();
        let mean: f64 = nodes.iter().zip(weights).map(|(node, weight)| node * weight).sum();
        let smallest = nodes.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = nodes.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        table.rows.push(vec![
            (*units).into(),
            (*parameters).into(),
            (*loss).into(),
            top.iter().take(12).map(|&value| short(value)).collect::<Vec<_>>().join("  ").into(),
            (*residual).into(),
            (top[9] / top[0]).into(),
            (top[10] / top[0]).into(),
            gap.count.into(),
            gap.ratio.into(),
            dominant.into(),
            mean.into(),
            smallest.into(),
        ]);
        findings.checks.push(
            Check::new(
                format!("digits, {units} units: eigenvalues above a tenth of the largest"),
                CLASSES,
                dominant as f64,
                Bound::Between(5.0, 20.0),
            )
            .remark("'about ten' without a threshold: within a factor of two, counted above λ₁/10, is this suite's reading"),
        );
        let mass: f64 = weights.iter().sum();
        findings.checks.push(Check::new(
            format!("digits, {units} units: mass of the density less 1"),
            CLASSES,
            (mass - 1.0).abs(),
            Bound::AtMost(1e-12),
        ));
        let width = 0.01 * (largest - smallest);
        let grid: Vec<f64> = (0..=400)
            .map(|i| smallest - 4.0 * width + f64::from(i) / 400.0 * (largest - smallest + 8.0 * width))
            .collect();
        let mut density = vec![0.0; grid.len()];
        gaussian_density(nodes, weights, width, &grid, &mut density)?;
        let highest = density.iter().copied().fold(0.0, f64::max);
        // The axis is logarithmic: between the peaks the density falls to nothing.
        let points =
            grid.into_iter().zip(density.iter().map(|density| density.max(1e-7 * highest))).collect();
        series.push(Series::new(format!("h = {units}"), points));
    }
    findings.tables.push(table);
    findings.plots.push(Plot {
        name: "density-digits".into(),
        title: "Density of the eigenvalues of classifiers of digits, smoothed by a hundredth of their range"
            .into(),
        x_axis: Axis::new("λ"),
        y_axis: Axis { logarithmic: true, ..Axis::new("density") },
        kind: PlotKind::Lines,
        series,
    });
    let ranked = |outcome: &Outcome| {
        let values = outcome.top.iter().enumerate().filter(|(_, value)| **value > 0.0);
        let points = values.map(|(rank, &value)| ((rank + 1) as f64, value)).collect();
        Series::new(format!("h = {}", outcome.units), points)
    };
    findings.plots.push(Plot {
        name: "largest-digits".into(),
        title: "The largest eigenvalues of classifiers of digits".into(),
        x_axis: Axis::new("rank"),
        y_axis: Axis { logarithmic: true, ..Axis::new("λ") },
        kind: PlotKind::Lines,
        series: outcomes.iter().map(ranked).collect(),
    });
    Ok(())
}
