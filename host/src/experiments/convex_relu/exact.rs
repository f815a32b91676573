//! All patterns: the global optimum, and what gradient descent makes of it.

use anyhow::Result;
use quern_firmware::instances::convex_relu::network_objective;
use rayon::prelude::*;

use super::descent::Network;
use super::program::{FEATURES, Outcome, Samples, Solver, WEIGHT};
use super::{Bench, GLOBAL};
use crate::experiments::{Bound, Check, Findings, Table};

/// Samples with the least value of their training.
pub(super) struct Optimum {
    pub(super) samples: Samples,
    pub(super) outcome: Outcome,
}

/// Every pattern of points in general position in R³: each cell of the arrangement of their planes has a ray on two of
/// them, ±xᵢ × xⱼ, beside which those two have either sign.
fn all_patterns(samples: &Samples) -> Vec<u32> {
    let count = samples.count();
    let mut masks = Vec::new();
    for i in 0..count {
        for j in i + 1..count {
            let (a, b) = (samples.row(i), samples.row(j));
            let ray = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
            let mut mask = 0_u32;
            for k in (0..count).filter(|&k| k != i && k != j) {
                let product: f64 = samples.row(k).iter().zip(ray).map(|(x, h)| x * h).sum();
                mask |= u32::from(product > 0.0) << k;
            }
            let others = !(1 << i | 1 << j) & ((1 << count) - 1);
            for signs in [0, 1 << i, 1 << j, 1 << i | 1 << j] {
                masks.extend([mask | signs, !mask & others | signs]);
            }
        }
    }
    masks.sort_unstable();
    masks.dedup();
    masks
}

/// 2Σ_{k<3} C(n − 1, k).
fn number_of_patterns(count: usize) -> usize {
    let n = count - 1;
    2 * (1 + n + n * (n - 1) / 2)
}

/// E1.
pub(super) fn run(bench: &Bench<'_>, findings: &mut Findings) -> Result<Optimum> {
    let (count, widths, runs, steps): (_, &[usize], _, _) =
        if bench.full() { (14, &[3, 10, 50], 10, 30_000) } else { (8, &[3, 20], 4, 4000) };
    let samples = Samples::of_teacher(bench.key.child(1), count);
    bench.progress.expect(1 + widths.len() * runs);
    let masks = all_patterns(&samples);
    let outcome = Solver::new(&samples, &masks, 1.0, 1.6)?.certify(1e-6, 60_000)?;
    bench.progress.advance("the global optimum");
    let key = bench.key.child(2);
    let tasks: Vec<_> = widths.iter().flat_map(|&width| (0..runs).map(move |run| (width, run))).collect();
    let values: Vec<f64> = tasks
        .par_iter()
        .map(|&(width, run)| {
            let mut network = Network::new(FEATURES, width, key.child((width * 1000 + run) as u32));
            let input = |_: &Network, sample| Ok(samples.row(sample).to_vec());
            let slope = |sample: usize, output: f64| output - samples.targets[sample];
            network.train(count, WEIGHT, steps, 0.02, input, slope)?;
            bench.progress.advance("a descent");
            Ok(network_objective(&samples.inputs, &samples.targets, WEIGHT, &network.parameters)?)
        })
        .collect::<Result<_>>()?;
    let mut table = Table::new(
        "optimum",
        "The least value of training by the convex program over all patterns, and where gradient descent ends",
        &["method", "width", "best", "median", "worst"],
    );
    let Outcome { network, bound, .. } = outcome;
    table.rows.push(vec![
        "convex program, network".into(),
        (2 * masks.len()).into(),
        network.into(),
        network.into(),
        network.into(),
    ]);
    table.rows.push(vec!["dual bound".into(), "".into(), bound.into(), bound.into(), bound.into()]);
    for (&width, values) in widths.iter().zip(values.chunks(runs)) {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let (best, median, worst) = (values[0], values[values.len() / 2], values[values.len() - 1]);
        table.rows.push(vec!["descent".into(), width.into(), best.into(), median.into(), worst.into()]);
    }
    findings.tables.push(table);
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let patterns = Bound::Equal(number_of_patterns(count) as f64);
    findings.checks.extend([
        Check::new("patterns that point pairs enumerate", GLOBAL, masks.len() as f64, patterns),
        Check::new(
            "relative distance of the recovered network from the dual bound",
            GLOBAL,
            outcome.gap(),
            Bound::AtMost(1e-5),
        )
        .remark(format!(
            "after {} steps of ADMM; the blocks are within {:.1e} of their gates",
            outcome.iterations, outcome.violation
        )),
        Check::new(
            "the best descent above the least value, by the dual bound",
            GLOBAL,
            lowest - bound,
            Bound::AtLeast(-1e-6),
        ),
    ]);
    Ok(Optimum { samples, outcome })
}
