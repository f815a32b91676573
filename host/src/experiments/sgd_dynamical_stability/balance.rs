//! Diagonal networks that start unbalanced: a and b of different sizes.

use anyhow::Result;
use quern_firmware::generators::normal_parameters;
use quern_kernels::blas;
use quern_kernels::random::{Key, rademacher_at};
use rayon::prelude::*;

use super::diagonal::{Problem, effective};
use super::{BALANCE, End, check_trace};
use crate::experiments::{
    Axis, Bound, Cell, Check, Findings, Plot, PlotKind, Progress, Scale, Series, Table,
};

const RATE: f64 = 0.05;
const CLIP: f64 = 200.0;
const STARTS: [f64; 5] = [1.0, 2.0, 4.0, 8.0, 16.0];
/// Variance of a at the start.
const VARIANCE: f64 = 0.1;
const INPUTS: usize = 1000;
const SAMPLES: usize = 300;

/// r = (‖a‖² + ‖b‖²)/(2‖a ∘ b‖₁), 1 where |a| = |b|.
fn balance(theta: &[f64]) -> f64 {
    let mut weights = vec![0.0; theta.len() / 2];
    effective(theta, &mut weights);
    let norm = blas::norm2(theta);
    norm * norm / (2.0 * blas::norm1(&weights))
}

pub(super) fn run(scale: Scale, key: Key, progress: &Progress, findings: &mut Findings) -> Result<()> {
    let (starts, descent_steps) = match scale {
        Scale::Quick => (&STARTS[..3], 1000),
        Scale::Full => (&STARTS[..], 5000),
    };
    let [data, initial, signs, order] = key.split();
    let problem = Problem::new(data, INPUTS, SAMPLES, 500);
    let runs: Vec<(usize, bool)> = (0..starts.len()).flat_map(|i| [(i, false), (i, true)]).collect();
    progress.expect(runs.len());
    let ends = runs
        .into_par_iter()
        .map(|(i, full_batch)| {
            let mut theta = vec![0.0; problem.net.parameters()];
            let (a, b) = theta.split_at_mut(INPUTS);
            normal_parameters(initial, a);
            let ratio = starts[i] + (starts[i] * starts[i] - 1.0).sqrt();
            for (j, (a, b)) in (0..).zip(a.iter_mut().zip(b)) {
                *a *= VARIANCE.sqrt();
                *b = ratio * rademacher_at::<f64>(signs, j) * *a;
            }
            let trained = if full_batch {
                problem.descend(theta, RATE, descent_steps, CLIP)?
            } else {
                problem.sgd(theta, RATE, 20_000, CLIP, order.child(i as u32))?
            };
            let end = problem.end(RATE, &trained)?;
            progress.advance("balance");
            Ok((balance(&trained.theta), end))
        })
        .collect::<Result<Vec<(f64, End)>>>()?;

    let mut table = Table::new(
        "balance",
        "Balance of diagonal networks that start unbalanced",
        &["method", "r at the start", "r at the end", "Tr G", "2/η", "train loss", "share of steps clipped"],
    );
    let of = |place: usize| ends.iter().skip(place).step_by(2).copied().collect::<Vec<_>>();
    let (sgd, descent) = (of(0), of(1));
    for (method, runs) in [("SGD", &sgd), ("gradient descent", &descent)] {
        for (start, (last, end)) in starts.iter().zip(runs) {
            let figures = [*start, *last, end.curvature.trace, 2.0 / RATE, end.train, end.clipped];
            table.rows.push([vec![Cell::from(method)], figures.map(Cell::from).to_vec()].concat());
        }
    }
    findings.tables.push(table);
    let off = sgd.iter().map(|(last, _)| (last - 1.0).abs()).fold(0.0, f64::max);
    findings.checks.push(Check::new(
        "balance: largest distance of r from 1 after SGD",
        BALANCE,
        off,
        Bound::AtMost(0.01),
    ));
    let unbalanced = starts.iter().zip(&descent).filter(|(start, _)| **start >= 2.0);
    let least = unbalanced.map(|(start, (last, _))| last / start).fold(f64::INFINITY, f64::min);
    findings.checks.push(Check::new(
        "balance: least growth of r under gradient descent, from r of 2 or more",
        BALANCE,
        least,
        Bound::AtLeast(1.0),
    ));
    // What the trace claim says of converged runs is tested where there are any: with this variance SGD is balanced
    // long before its loss is that small.
    let ends_of_sgd: Vec<End> = sgd.iter().map(|(_, end)| *end).collect();
    if ends_of_sgd.iter().any(End::converged) {
        check_trace("balance", &ends_of_sgd, findings);
    }
    let curve = |runs: &[(f64, End)]| {
        starts.iter().zip(runs).map(|(start, (last, _))| (*start, *last)).collect::<Vec<_>>()
    };
    findings.plots.push(Plot {
        name: "balance".to_owned(),
        title: "Balance of a diagonal network before and after training".to_owned(),
        x_axis: Axis {
            logarithmic: true, ..Axis::new("(‖a‖² + ‖b‖²)/(2‖a∘b‖₁) at the start")
        },
        y_axis: Axis { logarithmic: true, ..Axis::new("the same at the end") },
        kind: PlotKind::Lines,
        series: vec![
            Series::new("SGD", curve(&sgd)),
            Series::new("gradient descent", curve(&descent)),
            Series::new("unchanged", starts.iter().map(|&start| (start, start)).collect()),
        ],
    });
    Ok(())
}
