//! Large and small batches: one basin or two.

use anyhow::Result;
use quern_kernels::nn::Curvature;
use quern_kernels::random::{Key, fill_rademacher};
use quern_kernels::spectrum::{PowerIteration, PowerStop};
use quern_kernels::stability::{Barrier, line_barrier};
use rayon::prelude::*;

use super::model::{Data, PROBLEM, Problem};
use super::{BASIN, Bench, seeds};
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};

const BATCH: usize = 8;
const CONTROLS: u32 = 3;
const POINTS: usize = 41;

/// A minimum: how it was found, and where it lies.
struct Minimum {
    name: String,
    parameters: Vec<f64>,
    loss: f64,
    largest: f64,
}

/// The minima of one seed, and the lines between them and the first.
struct Basin {
    minima: Vec<Minimum>,
    /// From the first minimum to each of the others.
    barriers: Vec<Barrier<f64>>,
    /// The losses on those lines.
    lines: Vec<Vec<(f64, f64)>>,
}

impl Basin {
    /// Height over the higher of the ends.
    fn relative(barrier: &Barrier<f64>) -> f64 {
        barrier.height / barrier.ends[0].max(barrier.ends[1])
    }
}

fn basin(key: Key, bench: &Bench<'_>) -> Result<Basin> {
    let [data, initial, batches, start] = key.split();
    let data = Data::new(Problem { noise: 0.4, steps: 3000, ..PROBLEM }, data)?;
    let from = data.initial(initial)?;
    let mut full_batch = from.clone();
    data.descend(&mut full_batch)?;
    let mut small_batch = from;
    data.descend_by_batches(&mut small_batch, BATCH, batches.child(0))?;
    let mut continued = full_batch.clone();
    data.descend_by_batches(&mut continued, BATCH, batches.child(1))?;
    let mut found = vec![
        ("full batch".to_owned(), full_batch),
        (format!("batches of {BATCH}"), small_batch),
        (format!("full batch, then batches of {BATCH}"), continued),
    ];
    for control in 0..CONTROLS {
        let mut parameters = data.initial(initial.child(control))?;
        data.descend(&mut parameters)?;
        found.push((format!("full batch, other start {}", control + 1), parameters));
    }
    let risk = data.risk()?;
    let stop = PowerStop { relative_tolerance: 1e-4, max_iterations: 2000 };
    let minima = found
        .into_iter()
        .map(|(name, parameters)| {
            let hessian =
                risk.curvature(&parameters, Curvature::Hessian, vec![0.0; 2 * data.problem.units])?;
            let mut signs = vec![0.0; parameters.len()];
            fill_rademacher(start, 0, &mut signs);
            let mut power = PowerIteration::new(vec![0.0; PowerIteration::scalars(signs.len())]);
            let largest = power.largest(&hessian, &signs, &stop)?.value;
            let loss = risk.value(&parameters)?;
            drop(hessian);
            Ok(Minimum { name, loss, largest, parameters })
        })
        .collect::<Result<Vec<_>>>()?;
    let (mut barriers, mut lines) = (Vec::new(), Vec::new());
    for minimum in &minima[1..] {
        let mut losses = Vec::new();
        let loss = |at: &[f64]| {
            let value = risk.value(at)?;
            losses.push(value);
            Ok(value)
        };
        let mut memory = vec![0.0; minimum.parameters.len()];
        barriers.push(line_barrier(loss, &minima[0].parameters, &minimum.parameters, POINTS, &mut memory)?);
        let place = |point: usize| point as f64 / (POINTS - 1) as f64;
        lines.push(losses.into_iter().enumerate().map(|(point, loss)| (place(point), loss)).collect());
    }
    bench.progress.advance("basins");
    Ok(Basin { minima, barriers, lines })
}

/// E4.
pub(super) fn run(bench: &Bench<'_>, findings: &mut Findings) -> Result<()> {
    let seeds = seeds(bench);
    bench.progress.expect(seeds.len());
    let basins: Vec<Basin> =
        seeds.into_par_iter().map(|key| basin(key.child(4), bench)).collect::<Result<_>>()?;
    let mut table = Table::new(
        "basins",
        "Minima of four clusters with noise 0.4, and the barriers on the line from the full-batch minimum of the same seed",
        &["seed", "minimum", "loss", "λ₁", "barrier", "barrier over end loss"],
    );
    for (seed, basin) in basins.iter().enumerate() {
        for (place, minimum) in basin.minima.iter().enumerate() {
            let barrier = place.checked_sub(1).map(|at| &basin.barriers[at]);
            table.rows.push(vec![
                seed.into(),
                minimum.name.as_str().into(),
                minimum.loss.into(),
                minimum.largest.into(),
                barrier.map_or("".into(), |barrier| barrier.height.into()),
                barrier.map_or("".into(), |barrier| Basin::relative(barrier).into()),
            ]);
        }
    }
    findings.tables.push(table);
    let relative = |from: usize, to: usize| {
        basins.iter().flat_map(move |basin| basin.barriers[from..to].iter().map(Basin::relative))
    };
    findings.checks.push(Check::new(
        "largest barrier between batch sizes over the end loss",
        BASIN,
        relative(0, 2).fold(0.0, f64::max),
        Bound::AtMost(0.1),
    ));
    findings.checks.push(
        Check::new(
            "smallest barrier to minima from other starts over the end loss",
            BASIN,
            relative(2, 2 + CONTROLS as usize).fold(f64::INFINITY, f64::min),
            Bound::AtLeast(5.0),
        )
        .remark("the control: without barriers between other starts the first figure would show nothing"),
    );
    if let Some(basin) = basins.first() {
        let series = basin.minima[1..].iter().zip(&basin.lines);
        findings.plots.push(Plot {
            name: "loss-between-minima".into(),
            title: "Loss on the line from the full-batch minimum to the others".into(),
            x_axis: Axis::new("s"),
            y_axis: Axis { logarithmic: true, ..Axis::new("loss") },
            kind: PlotKind::Lines,
            series: series.map(|(minimum, line)| Series::new(minimum.name.as_str(), line.clone())).collect(),
        });
    }
    Ok(())
}
