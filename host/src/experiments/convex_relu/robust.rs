//! Classifiers against perturbed inputs: the robust convex program, standard and adversarial descent.

use anyhow::Result;
use quern_kernels::linop::{GatedRelu, LinearOperator};
use quern_kernels::nn::{TwoLayerRelu, recover_relu};
use quern_kernels::optim::composite::{Pdhg, PdhgSettings, RobustHinge};
use quern_kernels::random::{Key, fill_normal, fill_uniform};
use quern_kernels::spectrum::operator_norm;
use rayon::prelude::*;

use super::descent::Network;
use super::program::sampled;
use super::{Bench, ROBUST};
use crate::experiments::statistics::mean;
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};

const COUNT: usize = 30;
const FEATURES: usize = 3;
const WEIGHT: f64 = 0.01;
const RADII: [f64; 3] = [0.0, 0.05, 0.1];
/// ω.
const BALANCE: f64 = 10.0;

/// Points uniform in a square, labelled by the sign of x₁x₂.
struct Samples {
    rows: Vec<[f64; FEATURES]>,
    labels: Vec<f64>,
    /// By columns.
    inputs: Vec<f64>,
}

impl Samples {
    fn new(key: Key) -> Self {
        let mut draws = [0.0; 2 * COUNT];
        fill_uniform(key, 0, &mut draws);
        let rows: Vec<_> =
            draws.chunks(2).map(|pair| [2.0 * pair[0] - 1.0, 2.0 * pair[1] - 1.0, 1.0]).collect();
        let labels = rows.iter().map(|x| if x[0] * x[1] >= 0.0 { 1.0 } else { -1.0 }).collect();
        let inputs = (0..FEATURES).flat_map(|j| rows.iter().map(move |row| row[j])).collect();
        Self { rows, labels, inputs }
    }
}

/// The margin and its gradient in x.
fn margin(network: &Network, x: &[f64], label: f64) -> Result<(f64, [f64; FEATURES])> {
    let output = network.output(x)?;
    let (weights, outer) = network.parameters.split_at(FEATURES * network.shape.units);
    let mut slope = [0.0; FEATURES];
    for (w, a) in weights.chunks(FEATURES).zip(outer) {
        if w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>() > 0.0 {
            slope.iter_mut().zip(w).for_each(|(slope, w)| *slope += label * a * w);
        }
    }
    Ok((label * output, slope))
}

/// Descends the margin by signs of its gradient within the box.
fn attacked(
    network: &Network,
    x: &[f64; FEATURES],
    label: f64,
    radius: f64,
    steps: usize,
) -> Result<Vec<f64>> {
    let mut at = x.to_vec();
    for _ in 0..steps {
        let (_, slope) = margin(network, &at, label)?;
        for ((at, x), slope) in at.iter_mut().zip(x).zip(slope) {
            let step = if slope == 0.0 { 0.0 } else { slope.signum() };
            *at = (*at - 2.5 * radius / steps as f64 * step).clamp(x - radius, x + radius);
        }
    }
    Ok(at)
}

/// The smallest margin that a search of 20 steps and the corners of the box find.
fn worst(network: &Network, x: &[f64; FEATURES], label: f64, radius: f64) -> Result<f64> {
    let mut least = margin(network, x, label)?.0;
    let mut at = x.to_vec();
    for _ in 0..20 {
        let (_, slope) = margin(network, &at, label)?;
        for ((at, x), slope) in at.iter_mut().zip(x).zip(slope) {
            let step = if slope == 0.0 { 0.0 } else { slope.signum() };
            *at = (*at - 0.125 * radius * step).clamp(x - radius, x + radius);
        }
        least = least.min(margin(network, &at, label)?.0);
    }
    for corner in 0..1 << FEATURES {
        let at: Vec<_> = x
            .iter()
            .enumerate()
            .map(|(j, x)| if corner >> j & 1 == 1 { x + radius } else { x - radius })
            .collect();
        least = least.min(margin(network, &at, label)?.0);
    }
    Ok(least)
}

/// Shares of samples of positive margin: as they are, and at their worst for each radius.
fn accuracies(network: &Network, samples: &Samples) -> Result<[f64; 3]> {
    let mut shares = [0.0; 3];
    for (share, radius) in shares.iter_mut().zip(RADII) {
        for (x, &label) in samples.rows.iter().zip(&samples.labels) {
            *share += f64::from(u8::from(worst(network, x, label, radius)? > 0.0)) / COUNT as f64;
        }
    }
    Ok(shares)
}

/// What one seed gives: objective, violation and residual sum of each radius, and the accuracies of each network.
struct Outcome {
    programs: Vec<[f64; 3]>,
    networks: Vec<(String, [f64; 3])>,
    /// Margins of the convex-robust network at their worst against what its program promises: the largest shortfall.
    shortfall: f64,
}

fn solve(bench: &Bench<'_>, key: Key, iterations: usize, descents: usize) -> Result<Outcome> {
    let [data, gates, start, initial] = key.split();
    let samples = Samples::new(data);
    let masks = sampled(COUNT, &samples.inputs, 30, gates)?;
    let gates = GatedRelu::new(COUNT, &samples.inputs, &masks)?;
    let mut outcome = Outcome { programs: Vec::new(), networks: Vec::new(), shortfall: f64::NEG_INFINITY };
    for radius in RADII {
        let mut problem =
            RobustHinge::new(gates, &samples.labels, FEATURES, radius, WEIGHT, vec![0.0; FEATURES])?;
        let (n, m) = (problem.columns(), problem.rows());
        let mut vector = vec![0.0; n];
        fill_normal(start, 0, &mut vector);
        let norm = operator_norm(&problem, &vector, 60, &mut vec![0.0; m + 2 * n])?;
        let settings = PdhgSettings::balanced(norm, BALANCE);
        let mut pdhg = Pdhg::new(settings, vec![0.0; Pdhg::scalars(n, m)])?;
        pdhg.start(&problem)?;
        for _ in 0..iterations {
            pdhg.step(&mut problem)?;
        }
        let residuals = pdhg.residuals(&problem)?;
        let blocks = pdhg.primal();
        let figures =
            [problem.objective(blocks)?, problem.violation(blocks)?, residuals.primal + residuals.dual];
        outcome.programs.push(figures);
        let shape = TwoLayerRelu { inputs: FEATURES, units: n / FEATURES };
        let mut parameters = vec![0.0; shape.parameters()];
        recover_relu(FEATURES, blocks, &mut parameters)?;
        let network = Network { shape, parameters };
        if radius > 0.0 {
            // The program's hinge against that of the network at its worst.
            let mut loss = 0.0;
            for (x, &label) in samples.rows.iter().zip(&samples.labels) {
                loss += (1.0 - worst(&network, x, label, radius)?).max(0.0) / COUNT as f64;
            }
            let penalty: f64 = 0.5 * network.parameters.iter().map(|theta| theta * theta).sum::<f64>();
            outcome.shortfall = outcome.shortfall.max(loss + WEIGHT * penalty - figures[0]);
        }
        outcome.networks.push((format!("convex, ε = {radius}"), accuracies(&network, &samples)?));
        bench.progress.advance("a robust program");
    }
    for (name, radius) in [("standard descent", 0.0), ("sign-gradient descent, ε = 0.05", 0.05)] {
        let mut network = Network::new(FEATURES, 2 * masks.len(), initial);
        let input = |network: &Network, sample: usize| {
            let x = &samples.rows[sample];
            if radius == 0.0 {
                Ok(x.to_vec())
            } else {
                attacked(network, x, samples.labels[sample], radius, 5)
            }
        };
        let slope = |sample: usize, output: f64| {
            let label = samples.labels[sample];
            if label * output < 1.0 { -label / COUNT as f64 } else { 0.0 }
        };
        network.train(COUNT, WEIGHT, descents, 0.02, input, slope)?;
        outcome.networks.push((name.to_owned(), accuracies(&network, &samples)?));
        bench.progress.advance("a descent on the hinge");
    }
    Ok(outcome)
}

/// E4.
pub(super) fn run(bench: &Bench<'_>, findings: &mut Findings) -> Result<()> {
    let (seeds, iterations, descents) = if bench.full() { (5, 10_000, 3000) } else { (2, 2000, 500) };
    bench.progress.expect(seeds as usize * (RADII.len() + 2));
    let outcomes: Vec<_> = (0..seeds)
        .into_par_iter()
        .map(|seed| solve(bench, bench.key.child(6).child(seed), iterations, descents))
        .collect::<Result<_>>()?;
    let average = |figure: &dyn Fn(&Outcome) -> f64| mean(outcomes.iter().map(figure));
    let most =
        |figure: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(figure).fold(f64::NEG_INFINITY, f64::max);
    let mut programs = Table::new(
        "robust-programs",
        "The robust hinge by the primal-dual method: means over seeds, and the largest violation of a gate",
        &["ε", "objective", "largest violation", "residuals"],
    );
    for (index, radius) in RADII.into_iter().enumerate() {
        programs.rows.push(vec![
            radius.into(),
            average(&|outcome| outcome.programs[index][0]).into(),
            most(&|outcome| outcome.programs[index][1]).into(),
            average(&|outcome| outcome.programs[index][2]).into(),
        ]);
    }
    let mut accuracies = Table::new(
        "robust-accuracy",
        "Share of training samples that are classified right at the worst found perturbation, mean over seeds",
        &["network", "clean", "ε = 0.05", "ε = 0.1"],
    );
    let mut bars = Vec::new();
    let mut shares = Vec::new();
    for (index, (name, _)) in outcomes[0].networks.iter().enumerate() {
        let of: [f64; 3] =
            std::array::from_fn(|radius| average(&|outcome| outcome.networks[index].1[radius]));
        let mut row = vec![name.as_str().into()];
        row.extend(of.map(crate::experiments::Cell::from));
        accuracies.rows.push(row);
        bars.push(Series::new(
            name.as_str(),
            (0..3).map(|place| (f64::from(place), of[place as usize])).collect(),
        ));
        shares.push(of);
    }
    findings.tables.extend([programs, accuracies]);
    findings.plots.push(Plot {
        name: "robust-accuracy".into(),
        title: "Samples right at the worst found perturbation, by training".into(),
        x_axis: Axis {
            categories: ["clean", "ε = 0.05", "ε = 0.1"].map(String::from).to_vec(),
            ..Axis::default()
        },
        y_axis: Axis::new("share"),
        kind: PlotKind::Bars,
        series: bars,
    });
    let objectives: Vec<_> = (0..3).map(|index| average(&|outcome| outcome.programs[index][0])).collect();
    let rise = objectives.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    findings.checks.extend([
        Check::new("least rise of the robust objective with ε", ROBUST, rise, Bound::AtLeast(0.0)),
        Check::new(
            "worst-case accuracy at ε = 0.05: robust program less standard descent",
            ROBUST,
            shares[1][1] - shares[3][1],
            Bound::AtLeast(1e-9),
        ),
        Check::new(
            "worst hinge of the robust networks above what the program says",
            ROBUST,
            most(&|outcome| outcome.shortfall),
            Bound::AtMost(0.01),
        ),
    ]);
    Ok(())
}
