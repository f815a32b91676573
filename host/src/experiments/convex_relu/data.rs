//! Measured data: tumours, and handwritten digits, by ADMM with conjugate gradients and by Adam.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use quern_kernels::krylov;
use quern_kernels::linop::{GatedRelu, LinearOperator};
use quern_kernels::nn::{TwoLayerRelu, recover_relu};
use quern_kernels::optim::composite::{Admm, AdmmSettings, ConvexRelu};
use quern_kernels::random::{Key, permutation};
use quern_kernels::spectrum::jacobi_eigen;

use super::descent::Network;
use super::program::sampled;
use super::{Bench, DATA};
use crate::experiments::digits::{Digits, PIXELS};
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};
use crate::training::BreastCancer;

/// Principal components, and a constant.
const FEATURES: usize = 21;
/// β and ρ, for columns of unit length.
const WEIGHT: f64 = 1e-3;
const PENALTY: f64 = 0.1;

/// Samples by rows, labels ±1.
struct Samples {
    rows: Vec<Vec<f64>>,
    labels: Vec<f64>,
}

/// Every fifth sample, in random order, is for testing.
struct Split {
    train: Samples,
    test: Samples,
}

/// Standardizes, takes the principal components of the training samples, appends 1, and scales each column to unit length
/// on the training samples.
fn prepare(samples: Samples, key: Key) -> Result<Split> {
    let count = samples.labels.len();
    let mut order = vec![0_u32; count];
    permutation(&mut key.stream(), &mut order)?;
    let (mut train, mut test) =
        (Samples { rows: vec![], labels: vec![] }, Samples { rows: vec![], labels: vec![] });
    for (place, &index) in order.iter().enumerate() {
        let half = if place % 5 == 0 { &mut test } else { &mut train };
        half.rows.push(samples.rows[index as usize].clone());
        half.labels.push(samples.labels[index as usize]);
    }
    let (size, n) = (train.rows[0].len(), train.rows.len() as f64);
    for j in 0..size {
        let average = train.rows.iter().map(|row| row[j]).sum::<f64>() / n;
        let variance = train.rows.iter().map(|row| (row[j] - average).powi(2)).sum::<f64>() / n;
        // A pixel that is always dark says nothing.
        let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        for row in train.rows.iter_mut().chain(&mut test.rows) {
            row[j] = (row[j] - average) / deviation;
        }
    }
    let mut covariance = vec![0.0; size * size];
    for row in &train.rows {
        for (j, column) in covariance.chunks_mut(size).enumerate() {
            column.iter_mut().zip(row).for_each(|(entry, x)| *entry += row[j] * x / n);
        }
    }
    let (mut values, mut vectors) = (vec![0.0; size], vec![0.0; size * size]);
    jacobi_eigen(&mut covariance, &mut values, &mut vectors)?;
    // Ascending: the last ones are the largest.
    let axes: Vec<_> = vectors.chunks(size).rev().take(FEATURES - 1).map(<[f64]>::to_vec).collect();
    for row in train.rows.iter_mut().chain(&mut test.rows) {
        let project = |axis: &Vec<f64>| axis.iter().zip(&*row).map(|(a, x)| a * x).sum();
        let mut projected: Vec<f64> = axes.iter().map(project).collect();
        projected.push(1.0);
        *row = projected;
    }
    for j in 0..FEATURES {
        let length = train.rows.iter().map(|row| row[j] * row[j]).sum::<f64>().sqrt();
        for row in train.rows.iter_mut().chain(&mut test.rows) {
            row[j] /= length;
        }
    }
    Ok(Split { train, test })
}

fn accuracy(network: &Network, samples: &Samples) -> Result<f64> {
    let mut right = 0;
    for (row, label) in samples.rows.iter().zip(&samples.labels) {
        right += usize::from(network.output(row)? * label > 0.0);
    }
    Ok(100.0 * right as f64 / samples.labels.len() as f64)
}

/// A course: iterations, seconds, test accuracy in percent.
type Course = Vec<(usize, f64, f64)>;

fn by_admm(split: &Split, key: Key, patterns: usize, iterations: usize) -> Result<Course> {
    let n = split.train.labels.len();
    let inputs: Vec<f64> =
        (0..FEATURES).flat_map(|j| split.train.rows.iter().map(move |row| row[j])).collect();
    let masks = sampled(n, &inputs, patterns, key)?;
    let begin = Instant::now();
    let gates = GatedRelu::new(n, &inputs, &masks)?;
    let size = gates.columns();
    let stop = krylov::Stop { relative_tolerance: 1e-4, absolute_tolerance: 1e-8, max_iterations: 100 };
    let vectors = vec![0.0; 2 * size + FEATURES * FEATURES + n];
    let mut problem = ConvexRelu::iterative(
        gates,
        &split.train.labels,
        WEIGHT,
        PENALTY,
        stop,
        vec![0.0; 4 * size],
        vectors,
    )?;
    let memory = vec![0.0; Admm::scalars(size, problem.rows())];
    let mut admm = Admm::new(AdmmSettings { relaxation: 1.0 }, memory)?;
    admm.start(&problem)?;
    let shape = TwoLayerRelu { inputs: FEATURES, units: size / FEATURES };
    let mut network = Network { shape, parameters: vec![0.0; shape.parameters()] };
    let mut course = Vec::new();
    for iteration in 1..=iterations {
        admm.step(&mut problem)?;
        let seconds = begin.elapsed().as_secs_f64();
        if iteration <= 10 || iteration % 10 == 0 {
            let shrunk = &admm.second()[..size];
            // Where every block is still zero, the dense copy is the answer.
            let blocks = if shrunk.iter().all(|&entry| entry == 0.0) { admm.first() } else { shrunk };
            recover_relu(FEATURES, blocks, &mut network.parameters)?;
            course.push((iteration, seconds, accuracy(&network, &split.test)?));
        }
    }
    Ok(course)
}

fn by_adam(split: &Split, key: Key, epochs: usize) -> Result<Course> {
    let mut network = Network::new(FEATURES, 60, key);
    let n = split.train.labels.len();
    let mut course = Vec::new();
    let begin = Instant::now();
    let mut seconds = 0.0;
    for round in 1..=20 {
        let input = |_: &Network, sample: usize| Ok(split.train.rows[sample].clone());
        let slope = |sample: usize, output: f64| output - split.train.labels[sample];
        let before = begin.elapsed().as_secs_f64();
        network.train(n, WEIGHT, epochs / 20, 0.02, input, slope)?;
        seconds += begin.elapsed().as_secs_f64() - before;
        course.push((round * (epochs / 20), seconds, accuracy(&network, &split.test)?));
    }
    Ok(course)
}

/// E5.
pub(super) fn run(bench: &Bench<'_>, data: Option<&Path>, findings: &mut Findings) -> Result<()> {
    let (patterns, iterations, epochs) = if bench.full() { (30, 200, 2000) } else { (8, 30, 100) };
    let cancer = BreastCancer::load()?;
    let cancer = Samples {
        rows: cancer.inputs.chunks(BreastCancer::FEATURES).map(<[f64]>::to_vec).collect(),
        labels: cancer.labels.iter().map(|&label| if label == 1 { 1.0 } else { -1.0 }).collect(),
    };
    let digits = Digits::load(data)?.train;
    let two_or_eight =
        digits.pixels.chunks(PIXELS).zip(&digits.labels).filter(|(_, label)| [2, 8].contains(*label));
    let (rows, labels) = two_or_eight
        .map(|(pixels, &label)| {
            (pixels.iter().copied().map(f64::from).collect(), if label == 8 { 1.0 } else { -1.0 })
        })
        .unzip();
    let mut table = Table::new(
        "data",
        "Test accuracy by ADMM with conjugate gradients and by Adam",
        &["data", "ADMM at 10 (%)", "ADMM at the end (%)", "iterations", "Adam (%)", "epochs"],
    );
    bench.progress.expect(4);
    for (index, (name, samples)) in
        (0..).zip([("breast cancer", cancer), ("digits 2 against 8", Samples { rows, labels })])
    {
        let [shuffle, gates, initial] = bench.key.child(7).child(index).split();
        let split = prepare(samples, shuffle)?;
        let admm = by_admm(&split, gates, patterns, iterations)?;
        bench.progress.advance("measured data by ADMM");
        let adam = by_adam(&split, initial, epochs)?;
        bench.progress.advance("measured data by Adam");
        let at =
            |iteration: usize| admm.iter().find(|(at, ..)| *at == iteration).map_or(f64::NAN, |look| look.2);
        let last = |course: &Course| course.last().map_or(f64::NAN, |look| look.2);
        table.rows.push(vec![
            name.into(),
            at(10).into(),
            last(&admm).into(),
            iterations.into(),
            last(&adam).into(),
            epochs.into(),
        ]);
        findings.checks.push(Check::new(
            format!("{name}: test accuracy after 10 iterations below the last (points)"),
            DATA,
            last(&admm) - at(10),
            Bound::AtMost(3.0),
        ));
        if bench.full() {
            // Clocks differ from run to run: only the full scale draws them.
            let series = [("ADMM", &admm), ("Adam", &adam)].map(|(name, course)| {
                Series::new(
                    name,
                    course.iter().map(|&(_, seconds, share)| (seconds.max(1e-4), share)).collect(),
                )
            });
            findings.plots.push(Plot {
                name: format!("data-{index}"),
                title: format!("Test accuracy against time, {name}"),
                x_axis: Axis { logarithmic: true, ..Axis::new("time (s)") },
                y_axis: Axis::new("accuracy (%)"),
                kind: PlotKind::Lines,
                series: series.to_vec(),
            });
        }
    }
    findings.tables.push(table);
    Ok(())
}
