//! Some patterns, or some directions: how close they come to the optimum.

use anyhow::Result;
use quern_kernels::blas::norm2;
use quern_kernels::linop::Dense;
use quern_kernels::optim::composite::{Fista, FistaSettings, Lasso, StepLength, Stop};
use quern_kernels::random::{Key, fill_normal};
use quern_kernels::spectrum::operator_norm;
use rayon::prelude::*;

use super::exact::Optimum;
use super::program::{FEATURES, Samples, Solver, WEIGHT, sampled};
use super::{Bench, SAMPLED};
use crate::experiments::statistics::mean;
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};

/// The lasso over N directions q on the sphere, with R = (XQ)₊: its value, and its violation of optimality.
fn directions(samples: &Samples, count: usize, key: Key) -> Result<(f64, f64)> {
    let n = samples.count();
    let mut features = Vec::with_capacity(n * count);
    for index in 0..count {
        let mut q = [0.0; FEATURES];
        fill_normal(key.child(index as u32), 0, &mut q);
        let norm = norm2(&q);
        features.extend((0..n).map(|sample| {
            let product: f64 = samples.row(sample).iter().zip(q).map(|(x, q)| x * q).sum();
            (product / norm).max(0.0)
        }));
    }
    let operator = Dense::new(n, count, &features)?;
    let norm = operator_norm(&operator, &vec![1.0; count], 200, &mut vec![0.0; n + 2 * count])?;
    let mut lasso = Lasso::new(operator, &samples.targets, WEIGHT, vec![0.0; n])?;
    // 1 % above what power steps find, which is from below.
    let step_length = StepLength::Fixed(0.99 / (norm * norm));
    let mut fista =
        Fista::new(FistaSettings { step_length, restart: true }, vec![0.0; Fista::scalars(count)])?;
    let stop = Stop {
        absolute_tolerance: 1e-7,
        relative_tolerance: 0.0,
        max_iterations: 50_000,
        check_interval: 50,
    };
    fista.solve(&mut lasso, &stop)?;
    let violation = lasso.violation(fista.solution(), &mut vec![0.0; count])?;
    Ok((lasso.objective(fista.solution())?, violation))
}

/// E2.
pub(super) fn run(bench: &Bench<'_>, optimum: &Optimum, findings: &mut Findings) -> Result<()> {
    let (patterns, many, seeds): (&[usize], &[usize], u32) = if bench.full() {
        (&[5, 10, 20, 40, 80], &[10, 30, 100, 300, 1000, 3000], 5)
    } else {
        (&[5, 20, 80], &[10, 100, 1000], 3)
    };
    let samples = &optimum.samples;
    let least = optimum.outcome.bound;
    bench.progress.expect((patterns.len() + many.len()) * seeds as usize);
    let each = |counts: &[usize], solve: &(dyn Fn(usize, Key) -> Result<(f64, f64)> + Sync)| {
        let tasks: Vec<_> =
            counts.iter().flat_map(|&count| (0..seeds).map(move |seed| (count, seed))).collect();
        tasks
            .par_iter()
            .map(|&(count, seed)| {
                let found = solve(count, bench.key.child(3).child(seed))?;
                bench.progress.advance("a sample of patterns or directions");
                Ok(found)
            })
            .collect::<Result<Vec<_>>>()
    };
    let gated = each(patterns, &|count, key| {
        let masks = sampled(samples.count(), &samples.inputs, count, key)?;
        let outcome = Solver::new(samples, &masks, 1.0, 1.6)?.certify(1e-4, 20_000)?;
        Ok((outcome.network, outcome.gap()))
    })?;
    let directed = each(many, &|count, key| directions(samples, count, key))?;

    let mut table = Table::new(
        "sampling",
        "Least values of programs over sampled patterns and over sampled directions",
        &["method", "drawn", "mean", "smallest", "largest", "mean above the optimum (%)"],
    );
    let mut series = Vec::new();
    let mut means = Vec::new();
    for (name, counts, values) in
        [("patterns, ADMM", patterns, &gated), ("directions, FISTA", many, &directed)]
    {
        let mut points = Vec::new();
        for (&count, values) in counts.iter().zip(values.chunks(seeds as usize)) {
            let values: Vec<_> = values.iter().map(|(value, _)| *value).collect();
            let average = mean(values.iter().copied());
            let excess = 100.0 * (average / least - 1.0);
            let (low, high) = (
                values.iter().copied().fold(f64::INFINITY, f64::min),
                values.iter().copied().fold(0.0, f64::max),
            );
            table.rows.push(vec![
                name.into(),
                count.into(),
                average.into(),
                low.into(),
                high.into(),
                excess.into(),
            ]);
            points.push((count as f64, excess.max(1e-4)));
            means.push((name, average));
        }
        series.push(Series::new(name, points));
    }
    findings.tables.push(table);
    findings.plots.push(Plot {
        name: "sampling".into(),
        title: "What sampled patterns and directions lose against the optimum, mean over seeds".into(),
        x_axis: Axis { logarithmic: true, ..Axis::new("drawn") },
        y_axis: Axis { logarithmic: true, ..Axis::new("above the optimum (%)") },
        kind: PlotKind::Lines,
        series,
    });
    for name in ["patterns, ADMM", "directions, FISTA"] {
        let of: Vec<_> = means.iter().filter(|(of, _)| *of == name).map(|(_, mean)| *mean).collect();
        let rise = of.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::NEG_INFINITY, f64::max);
        let excess = of[of.len() - 1] / least - 1.0;
        findings.checks.extend([
            Check::new(
                format!("{name}: largest rise of the mean as more are drawn"),
                SAMPLED,
                rise,
                Bound::AtMost(1e-6),
            ),
            Check::new(
                format!("{name}: the last mean above the optimum, relative"),
                SAMPLED,
                excess,
                Bound::Between(-1e-5, 0.01),
            ),
        ]);
    }
    let violation = directed.iter().map(|(_, violation)| *violation).fold(0.0, f64::max);
    findings.checks.push(Check::new(
        "directions, FISTA: violation of the lasso's optimality",
        SAMPLED,
        violation,
        Bound::AtMost(1e-5),
    ));
    Ok(())
}
