//! Diagonal linear networks: SGD and gradient descent over a grid of learning rates.

use anyhow::Result;
use quern_firmware::generators::{SparseLinear, normal_parameters};
use quern_kernels::nn::DiagonalLinear;
use quern_kernels::random::{Key, below};
use quern_kernels::{Error, blas};
use rayon::prelude::*;

use super::curvature::Sharpness;
use super::{End, TEST, check_trace, clip, grid};
use crate::experiments::{
    Axis, Bound, Cell, Check, Findings, Plot, PlotKind, Progress, Scale, Series, Table,
};

/// Inputs that the target depends on.
const ACTIVE: usize = 3;
const CLIP: f64 = 50.0;
const INPUTS: usize = 1000;
const SAMPLES: usize = 300;
/// Of SGD.
const STEPS: usize = 80_000;
/// Gradient descent stops here, or after so many steps.
const GRADIENT_NORM: f64 = 1e-7;
const MAX_STEPS: usize = 200_000;

/// Samples of a sparse linear function, and the network that learns them.
pub(super) struct Problem {
    pub(super) net: DiagonalLinear,
    pub(super) samples: usize,
    /// A sample after the other.
    inputs: Vec<f64>,
    targets: Vec<f64>,
    test_inputs: Vec<f64>,
    test_targets: Vec<f64>,
}

/// How training ended.
pub(super) struct Trained {
    pub(super) theta: Vec<f64>,
    pub(super) clipped: f64,
}

impl Problem {
    pub(super) fn new(key: Key, inputs: usize, samples: usize, test_points: usize) -> Self {
        let data = SparseLinear::new(key, ACTIVE);
        let draw = |first: u64, count: usize| {
            let mut points = vec![0.0; inputs * count];
            let targets =
                (first..).zip(points.chunks_mut(inputs)).map(|(index, x)| data.sample(index, x)).collect();
            (points, targets)
        };
        let (points, targets) = draw(0, samples);
        let (test_inputs, test_targets) = draw(1 << 32, test_points);
        let net = DiagonalLinear { inputs };
        Self { net, samples, inputs: points, targets, test_inputs, test_targets }
    }

    /// Batches of one, drawn with replacement.
    pub(super) fn sgd(
        &self,
        mut theta: Vec<f64>,
        rate: f64,
        steps: usize,
        limit: f64,
        key: Key,
    ) -> Result<Trained> {
        let mut draws = key.stream();
        let mut gradient = vec![0.0; theta.len()];
        let mut clipped = 0_usize;
        for _ in 0..steps {
            let index = below(&mut draws, self.samples as u32)? as usize;
            let x = &self.inputs[index * self.net.inputs..(index + 1) * self.net.inputs];
            let (output, q) = self.net.grad_unit(&theta, x, &mut gradient)?;
            let residual = output - self.targets[index];
            let factor = clip(residual.abs() * q.sqrt(), limit);
            clipped += usize::from(factor < 1.0);
            blas::axpy(-rate * factor * residual, &gradient, &mut theta)?;
        }
        Ok(Trained { theta, clipped: clipped as f64 / steps as f64 })
    }

    /// On all samples, until the gradient is short or the steps are used up.
    pub(super) fn descend(
        &self,
        mut theta: Vec<f64>,
        rate: f64,
        steps: usize,
        limit: f64,
    ) -> Result<Trained> {
        let d = self.net.inputs;
        let (mut gradient, mut clipped, mut made) = (vec![0.0; 2 * d], 0_usize, 0_usize);
        let (mut residuals, mut weights, mut slopes) = (vec![0.0; self.samples], vec![0.0; d], vec![0.0; d]);
        while made < steps {
            self.residuals(&theta, &mut weights, &mut residuals)?;
            blas::gemv(1.0 / self.samples as f64, &self.inputs, &residuals, 0.0, &mut slopes)?;
            let ((a, b), (by_a, by_b)) = (theta.split_at(d), gradient.split_at_mut(d));
            for j in 0..d {
                (by_a[j], by_b[j]) = (slopes[j] * b[j], slopes[j] * a[j]);
            }
            let norm = blas::norm2(&gradient);
            if norm < GRADIENT_NORM {
                break;
            }
            let factor = clip(norm, limit);
            clipped += usize::from(factor < 1.0);
            blas::axpy(-rate * factor, &gradient, &mut theta)?;
            made += 1;
        }
        Ok(Trained { theta, clipped: clipped as f64 / made.max(1) as f64 })
    }

    /// Xᵀ(a ∘ b) − y.
    fn residuals(&self, theta: &[f64], weights: &mut [f64], residuals: &mut [f64]) -> Result<(), Error> {
        effective(theta, weights);
        blas::gemv_transposed(1.0, &self.inputs, weights, 0.0, residuals)?;
        blas::axpy(-1.0, &self.targets, residuals)
    }

    pub(super) fn end(&self, rate: f64, trained: &Trained) -> Result<End> {
        let Trained { ref theta, clipped } = *trained;
        let mut gradients = vec![0.0; theta.len() * self.samples];
        for (x, gradient) in self.inputs.chunks(self.net.inputs).zip(gradients.chunks_mut(theta.len())) {
            self.net.gradient(theta, x, gradient)?;
        }
        let loss = |inputs: &[f64], targets: &[f64]| -> Result<f64> {
            let mut sum = 0.0;
            for (x, target) in inputs.chunks(self.net.inputs).zip(targets) {
                sum += (self.net.forward(theta, x)? - target).powi(2) / 2.0;
            }
            Ok(sum / targets.len() as f64)
        };
        Ok(End {
            learning_rate: rate,
            train: loss(&self.inputs, &self.targets)?,
            test: loss(&self.test_inputs, &self.test_targets)?,
            curvature: Sharpness::of(&gradients, self.samples)?,
            clipped,
        })
    }
}

/// a ∘ b.
pub(super) fn effective(theta: &[f64], weights: &mut [f64]) {
    let (a, b) = theta.split_at(theta.len() / 2);
    for ((weight, a), b) in weights.iter_mut().zip(a).zip(b) {
        *weight = a * b;
    }
}

pub(super) fn run(scale: Scale, key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let (rates, test_points) = match scale {
        Scale::Quick => (grid(-1.8, -0.9, 3), 500),
        Scale::Full => (grid(-2.4, -0.9, 6), 3000),
    };
    let [data, initial, order] = key.split();
    let problem = Problem::new(data, INPUTS, SAMPLES, test_points);
    let mut start = vec![0.0; problem.net.parameters()];
    normal_parameters(initial, &mut start);
    let runs: Vec<(usize, bool)> = (0..rates.len()).flat_map(|i| [(i, false), (i, true)]).collect();
    progress.expect(runs.len());
    let ends = runs
        .into_par_iter()
        .map(|(i, full_batch)| {
            let trained = if full_batch {
                problem.descend(start.clone(), rates[i], MAX_STEPS, CLIP)?
            } else {
                problem.sgd(start.clone(), rates[i], STEPS, CLIP, order.child(i as u32))?
            };
            let end = problem.end(rates[i], &trained)?;
            progress.advance("diagonal networks");
            Ok(end)
        })
        .collect::<Result<Vec<_>>>()?;
    let of = |place: usize| ends.iter().copied().skip(place).step_by(2).collect::<Vec<End>>();
    let (sgd, descent) = (of(0), of(1));
    report("diagonal", "diagonal networks", &sgd, &descent, findings);

    check_trace("diagonal networks", &sgd, findings);
    let (first, last) = (&sgd[0], &sgd[sgd.len() - 1]);
    let fall = first.test / last.test;
    findings.checks.push(Check::new(
        "diagonal networks: fall of SGD's test loss over the grid",
        TEST,
        fall,
        Bound::AtLeast(1e3),
    ));
    let losses = descent.iter().map(|end| end.test);
    let change = losses.clone().fold(0.0, f64::max) / losses.fold(f64::INFINITY, f64::min) - 1.0;
    findings.checks.push(Check::new(
        "diagonal networks: change of gradient descent's test loss over the grid",
        TEST,
        change,
        Bound::AtMost(0.05),
    ));
    Ok(())
}

/// A table and two plots of runs over a grid of learning rates.
pub(super) fn report(name: &str, title: &str, sgd: &[End], descent: &[End], findings: &mut Findings) {
    let mut table = Table::new(
        &format!("{name}-runs"),
        &format!("SGD and gradient descent over learning rates: {title}"),
        &[
            "method",
            "learning rate",
            "2/η",
            "Tr G",
            "‖G‖_F",
            "λ_max(G)",
            "train loss",
            "test loss",
            "share of steps clipped",
        ],
    );
    for (method, runs) in [("SGD", sgd), ("gradient descent", descent)] {
        for end in runs {
            let figures = [
                end.learning_rate,
                2.0 / end.learning_rate,
                end.curvature.trace,
                end.curvature.frobenius,
                end.curvature.largest_eigenvalue,
                end.train,
                end.test,
                end.clipped,
            ];
            table.rows.push([vec![Cell::from(method)], figures.map(Cell::from).to_vec()].concat());
        }
    }
    findings.tables.push(table);
    let curve = |runs: &[End], figure: fn(&End) -> f64| -> Vec<(f64, f64)> {
        runs.iter().map(|end| (end.learning_rate, figure(end).max(f64::MIN_POSITIVE))).collect()
    };
    let logarithmic = |label: &str| Axis { logarithmic: true, ..Axis::new(label) };
    findings.plots.push(Plot {
        name: format!("{name}-sharpness"),
        title: format!("Sharpness of the minima SGD ends at: {title}"),
        x_axis: logarithmic("learning rate η of SGD"),
        y_axis: logarithmic("sharpness"),
        kind: PlotKind::Lines,
        series: vec![
            Series::new("2/η", curve(sgd, |end| 2.0 / end.learning_rate)),
            Series::new("Tr G", curve(sgd, |end| end.curvature.trace)),
            Series::new("‖G‖_F", curve(sgd, |end| end.curvature.frobenius)),
            Series::new("λ_max(G)", curve(sgd, |end| end.curvature.largest_eigenvalue)),
        ],
    });
    findings.plots.push(Plot {
        name: format!("{name}-test"),
        title: format!("Test loss of the minima: {title}"),
        x_axis: logarithmic("learning rate η"),
        y_axis: logarithmic("mean of ½r² over test points"),
        kind: PlotKind::Lines,
        series: vec![
            Series::new("SGD", curve(sgd, |end| end.test)),
            Series::new("gradient descent", curve(descent, |end| end.test)),
        ],
    });
}
