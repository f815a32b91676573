//! The rate near a solution, with constant and with sharpened accuracy.

use anyhow::{Context, Result};
use quern_firmware::generators::TestProgram;
use quern_kernels::krylov::Sketch;
use quern_kernels::optim::sqp::{
    Accuracy, Directions, EqualityProgram, SketchedSqp, SketchedSqpSettings, Status, Step,
};
use rayon::prelude::*;

use super::{Bench, SUPERLINEAR, settings};
use crate::experiments::statistics::median;
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};

/// Where a run ends: below, rounding takes part.
const TOLERANCE: f64 = 1e-10;

/// ‖(∇ₓL; c)‖ after each step.
fn history(program: &TestProgram, decay: f64, key: quern_kernels::random::Key) -> Result<Vec<f64>> {
    let (n, m) = (EqualityProgram::<f64>::variables(program), EqualityProgram::<f64>::constraints(program));
    let settings = SketchedSqpSettings {
        tolerance: TOLERANCE,
        forcing_decay: decay,
        max_projections: 1_000_000,
        ..settings(Accuracy::Practical)
    };
    let directions = Directions::Sketched(Sketch::Gaussian);
    let mut solver = SketchedSqp::new(vec![0.0; SketchedSqp::scalars(n, m)], settings, directions, key)?;
    solver.start(program, program.start, &vec![program.initial_multiplier; m])?;
    let mut norms = vec![solver.report(Status::MaxIterations).optimality_norm];
    while norms.len() <= 60 && solver.step(program) == Step::Advanced {
        norms.push(solver.report(Status::MaxIterations).optimality_norm);
    }
    Ok(norms)
}

/// E4.
pub(super) fn run(bench: &Bench<'_>, findings: &mut Findings) -> Result<()> {
    let seeds = if bench.full() { 5 } else { 1 };
    let mut table = Table::new(
        "rate",
        "Practical mode to 1e-10, accuracy κ constant or halved at every step: medians over the seeds",
        &["problem", "θ", "steps", "last ratio of the optimality", "last optimality"],
    );
    let mut series = Vec::new();
    for (index, name) in ["HS77", "HS79"].into_iter().enumerate() {
        let program = TestProgram::find(name).context("a built-in problem")?;
        let mut steps = Vec::new();
        let mut ratios = Vec::new();
        bench.progress.expect(2 * seeds);
        for decay in [1.0, 0.5] {
            let histories = (0..seeds as u32)
                .into_par_iter()
                .map(|seed| {
                    let norms = history(program, decay, bench.key.child(4).child(index as u32).child(seed))?;
                    bench.progress.advance(name);
                    Ok(norms)
                })
                .collect::<Result<Vec<_>>>()?;
            let last = |norms: &Vec<f64>| norms.last().copied().unwrap_or(f64::NAN);
            let ratio = |norms: &Vec<f64>| match norms[..] {
                [.., before, last] => last / before,
                _ => f64::NAN,
            };
            let count = median(histories.iter().map(|norms| (norms.len() - 1) as f64).collect());
            let middle = median(histories.iter().map(ratio).collect());
            table.rows.push(vec![
                name.into(),
                decay.into(),
                count.into(),
                middle.into(),
                median(histories.iter().map(last).collect()).into(),
            ]);
            steps.push(count);
            ratios.push(middle);
            let points =
                histories[0].iter().enumerate().map(|(k, &norm)| (k as f64, norm.max(1e-16))).collect();
            let label = if decay < 1.0 { "halved" } else { "constant" };
            series.push(Series::new(format!("{name}, {label}"), points));
        }
        findings.checks.push(Check::new(
            format!("{name}: steps to 1e-10 with sharpened over constant accuracy"),
            SUPERLINEAR,
            steps[1] / steps[0],
            Bound::AtMost(1.0),
        ));
        findings.checks.push(Check::new(
            format!("{name}: last ratio with sharpened over that with constant accuracy"),
            SUPERLINEAR,
            ratios[1] / ratios[0],
            Bound::AtMost(0.5),
        ));
    }
    findings.tables.push(table);
    findings.plots.push(Plot {
        name: "rate".into(),
        title: "Optimality after each step, with constant and with halved accuracy".into(),
        x_axis: Axis::new("step"),
        y_axis: Axis { logarithmic: true, ..Axis::new("optimality") },
        kind: PlotKind::Lines,
        series,
    });
    Ok(())
}
