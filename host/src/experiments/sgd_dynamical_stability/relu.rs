//! Two-layer ReLU networks on a small teacher.

use anyhow::Result;
use quern_kernels::loss::squared_gradient;
use quern_kernels::nn::{Activation, Mlp, TwoLayerRelu};
use quern_kernels::random::{Key, below, fill_normal};
use quern_kernels::{blas, check_finite};
use rayon::prelude::*;

use super::curvature::Sharpness;
use super::diagonal::report;
use super::{End, TRACE, check_trace, clip, grid};
use crate::experiments::{Bound, Cell, Check, Findings, Progress, Scale, Table};

const CLIP: f64 = 100.0;
const SAMPLES: usize = 300;
/// Of SGD.
const STEPS: usize = 60_000;
/// Units of the teacher, each of weight 1 with a unit vector.
const TEACHERS: usize = 10;

struct Problem {
    net: TwoLayerRelu,
    samples: usize,
    inputs: Vec<f64>,
    targets: Vec<f64>,
    test_inputs: Vec<f64>,
    test_targets: Vec<f64>,
}

/// Σⱼ|aⱼ|‖wⱼ‖, and what it must not exceed on the samples.
#[derive(Clone, Copy)]
struct PathNorm {
    norm: f64,
    /// 2Σⱼ|aⱼ|√(mean σ(wⱼᵀx)²·d·mean 1(wⱼᵀx > 0)), which is at most Tr G.
    sample_form: f64,
}

impl Problem {
    fn new(key: Key, net: TwoLayerRelu, samples: usize, test_points: usize) -> Result<Self> {
        let [points, test, teacher] = key.split();
        let d = net.inputs;
        let mut teachers = vec![0.0; TEACHERS * (d + 1)];
        fill_normal(teacher, 0, &mut teachers[..TEACHERS * d]);
        for unit in teachers[..TEACHERS * d].chunks_mut(d) {
            blas::scale(1.0 / blas::norm2(unit), unit);
        }
        teachers[TEACHERS * d..].fill(1.0);
        let teacher = TwoLayerRelu { inputs: d, units: TEACHERS };
        let draw = |key: Key, count: usize| -> Result<(Vec<f64>, Vec<f64>)> {
            let mut points = vec![0.0; d * count];
            fill_normal(key, 0, &mut points);
            let mut targets = Vec::new();
            for x in points.chunks_mut(d) {
                // Uniform on the sphere of radius √d.
                blas::scale((d as f64).sqrt() / blas::norm2(x), x);
                targets.push(teacher.forward(&teachers, x)?);
            }
            Ok((points, targets))
        };
        let (inputs, targets) = draw(points, samples)?;
        let (test_inputs, test_targets) = draw(test, test_points)?;
        Ok(Self { net, samples, inputs, targets, test_inputs, test_targets })
    }

    /// w ~ N(0, I/√d), a ~ N(0, 1).
    fn start(&self, key: Key) -> Vec<f64> {
        let mut theta = vec![0.0; self.net.parameters()];
        fill_normal(key, 0, &mut theta);
        let deviation = (self.net.inputs as f64).powf(-0.25);
        blas::scale(deviation, &mut theta[..self.net.inputs * self.net.units]);
        theta
    }

    fn sgd(&self, mut theta: Vec<f64>, rate: f64, steps: usize, key: Key) -> Result<(Vec<f64>, f64)> {
        let (mut draws, mut gradient, mut clipped) = (key.stream(), vec![0.0; theta.len()], 0_usize);
        for _ in 0..steps {
            let index = below(&mut draws, self.samples as u32)? as usize;
            let x = &self.inputs[index * self.net.inputs..(index + 1) * self.net.inputs];
            let (output, q) = self.net.grad_unit(&theta, x, &mut gradient)?;
            let residual = output - self.targets[index];
            let factor = clip(residual.abs() * q.sqrt(), CLIP);
            clipped += usize::from(factor < 1.0);
            blas::axpy(-rate * factor * residual, &gradient, &mut theta)?;
        }
        Ok((theta, clipped as f64 / steps as f64))
    }

    /// By the perceptron of the same shape, whose biases stay 0: its parameters begin with those of the network.
    fn descend(&self, theta: Vec<f64>, rate: f64, steps: usize) -> Result<(Vec<f64>, f64)> {
        let widths = [self.net.inputs, self.net.units, 1];
        let net = Mlp::new(&widths, Activation::Relu)?;
        let size = theta.len();
        let mut parameters = theta;
        parameters.resize(net.parameters(), 0.0);
        let mut activations = vec![0.0; net.activations(self.samples)?];
        let (mut gradient, mut clipped) = (vec![0.0; net.parameters()], 0_usize);
        for _ in 0..steps {
            net.forward(&parameters, &self.inputs, &mut activations)?;
            let outputs = net.outputs_mut(&mut activations, self.samples);
            squared_gradient(outputs, &self.targets, self.samples)?;
            net.backward(&parameters, &self.inputs, &mut activations, &mut gradient)?;
            let factor = clip(blas::norm2(&gradient[..size]), CLIP);
            clipped += usize::from(factor < 1.0);
            blas::axpy(-rate * factor, &gradient[..size], &mut parameters[..size])?;
        }
        parameters.truncate(size);
        check_finite("parameters", &parameters)?;
        Ok((parameters, clipped as f64 / steps as f64))
    }

    fn end(&self, rate: f64, theta: &[f64], clipped: f64) -> Result<(End, PathNorm)> {
        let d = self.net.inputs;
        let mut gradients = vec![0.0; theta.len() * self.samples];
        for (x, gradient) in self.inputs.chunks(d).zip(gradients.chunks_mut(theta.len())) {
            self.net.grad_unit(theta, x, gradient)?;
        }
        let loss = |inputs: &[f64], targets: &[f64]| -> Result<f64> {
            let mut sum = 0.0;
            for (x, target) in inputs.chunks(d).zip(targets) {
                sum += (self.net.forward(theta, x)? - target).powi(2) / 2.0;
            }
            Ok(sum / targets.len() as f64)
        };
        let end = End {
            learning_rate: rate,
            train: loss(&self.inputs, &self.targets)?,
            test: loss(&self.test_inputs, &self.test_targets)?,
            curvature: Sharpness::of(&gradients, self.samples)?,
            clipped,
        };
        let (weights, outer) = theta.split_at(d * self.net.units);
        let (mut norm, mut sample_form) = (0.0, 0.0);
        for (w, a) in weights.chunks(d).zip(outer) {
            let (mut squares, mut awake) = (0.0, 0.0);
            for x in self.inputs.chunks(d) {
                let unit = blas::dot(w, x)?;
                if unit > 0.0 {
                    squares += unit * unit / self.samples as f64;
                    awake += 1.0 / self.samples as f64;
                }
            }
            norm += a.abs() * blas::norm2(w);
            sample_form += 2.0 * a.abs() * (squares * d as f64 * awake).sqrt();
        }
        Ok((end, PathNorm { norm, sample_form }))
    }
}

pub(super) fn run(scale: Scale, key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let (rates, test_points, descent_steps) = match scale {
        Scale::Quick => (grid(-2.0, -1.0, 3), 500, 200),
        Scale::Full => (grid(-3.0, -1.0, 7), 3000, 6000),
    };
    let net = TwoLayerRelu { inputs: 100, units: 100 };
    let [data, initial, order] = key.split();
    let problem = Problem::new(data, net, SAMPLES, test_points)?;
    let start = problem.start(initial);
    let runs: Vec<(usize, bool)> = (0..rates.len()).flat_map(|i| [(i, false), (i, true)]).collect();
    progress.expect(runs.len());
    let ends = runs
        .into_par_iter()
        .map(|(i, full_batch)| {
            let (rate, (theta, clipped)) = if full_batch {
                (rates[i], problem.descend(start.clone(), rates[i], descent_steps)?)
            } else {
                let rate = rates[i] / (net.inputs as f64).sqrt();
                (rate, problem.sgd(start.clone(), rate, STEPS, order.child(i as u32))?)
            };
            let end = problem.end(rate, &theta, clipped)?;
            progress.advance("two-layer ReLU networks");
            Ok(end)
        })
        .collect::<Result<Vec<_>>>()?;
    let of = |place: usize| ends.iter().skip(place).step_by(2).map(|(end, _)| *end).collect::<Vec<End>>();
    let (sgd, descent) = (of(0), of(1));
    report("relu", "two-layer ReLU networks", &sgd, &descent, findings);
    check_trace("two-layer ReLU networks", &sgd, findings);

    let mut table = Table::new(
        "relu-path-norm",
        "Path norm of two-layer ReLU networks, and its bound by the trace",
        &["method", "learning rate", "path norm", "√d·path norm", "the samples' form of it", "Tr G"],
    );
    let mut largest = 0.0_f64;
    for place in 0..2 {
        for (end, path) in ends.iter().skip(place).step_by(2) {
            let method = if place == 0 { "SGD" } else { "gradient descent" };
            let scaled = (net.inputs as f64).sqrt() * path.norm;
            let figures = [end.learning_rate, path.norm, scaled, path.sample_form, end.curvature.trace];
            table.rows.push([vec![Cell::from(method)], figures.map(Cell::from).to_vec()].concat());
            largest = largest.max(path.sample_form / end.curvature.trace);
        }
    }
    findings.tables.push(table);
    // Two sums of some thousand terms, each rounded a few times.
    findings.checks.push(Check::new(
        "two-layer ReLU networks: largest path norm on the samples, relative to Tr(G)",
        TRACE,
        largest,
        Bound::AtMost(1.0 + 1e-9),
    ));
    Ok(())
}
