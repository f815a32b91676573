//! Weights at the borders of their cells.

use anyhow::Result;
use quern_kernels::quant::audit::{Occupancy, occupancy};

use super::audit::{AUDIT_PLAN, Audit};
use super::formats::matrices;
use super::training::network;
use super::{Bench, DETECTOR};
use crate::experiments::statistics::mean;
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};

/// Share of a cell's width that counts as its border.
const BORDER: f32 = 0.001;
const BINS: usize = 40;

pub(super) fn run(bench: &Bench<'_>, audits: &[Audit], findings: &mut Findings) -> Result<()> {
    let mut table = Table::new(
        "border-occupancy",
        "Share of weights within 0.001 of a cell's width of its border, and its z-score; means over the seeds",
        &["format", "clean model", "audited model", "z of the clean model", "z of the audited model"],
    );
    let weights = network().weights();
    let mut curves = Vec::new();
    for audit in audits {
        let name = audit.format.name;
        let (mut clean, mut audited) = (Vec::new(), Vec::new());
        // A point a weight matrix and seed: what a detector has to tell apart.
        let (mut clean_scores, mut audited_scores) = (Vec::new(), Vec::new());
        for (models, outcome) in bench.models.iter().zip(&audit.outcomes) {
            let clean_cell = audit.format.cell(&models.base)?.0;
            for (parameters, cell, found, scores) in [
                (&models.base, &clean_cell, &mut clean, &mut clean_scores),
                (&outcome.parameters, &outcome.cell, &mut audited, &mut audited_scores),
            ] {
                found.push(occupancy(&parameters[..weights], &cell.lower, &cell.upper, BORDER)?);
                for (range, _) in matrices() {
                    let (lower, upper) = (&cell.lower[range.clone()], &cell.upper[range.clone()]);
                    scores.push(f64::from(occupancy(&parameters[range], lower, upper, BORDER)?.share()));
                }
            }
        }
        let share = |found: &[Occupancy]| mean(found.iter().map(|occupancy| f64::from(occupancy.share())));
        let z = |found: &[Occupancy]| mean(found.iter().map(|occupancy| f64::from(occupancy.z)));
        let (clean_share, audited_share) = (share(&clean), share(&audited));
        table.rows.push(vec![
            name.into(),
            clean_share.into(),
            audited_share.into(),
            z(&clean).into(),
            z(&audited).into(),
        ]);
        if ["int8", "NF4", "FP4"].contains(&name) {
            let explain = || {
                format!(
                    "a first step of Adam is {:.4} long and the mean half-width of these cells {:.4}: the shorter the cells, \
                     the more weights end a step on a border, those with gradients of changing sign included",
                    AUDIT_PLAN.learning_rate,
                    audit.half_width()
                )
            };
            let mut check = |what: &str, measured, bound| {
                let check = Check::new(format!("{name}: {what}"), DETECTOR, measured, bound);
                findings.checks.push(check.remark_on_failure(explain));
            };
            check(
                "share of the clean model's weights at a border",
                clean_share,
                Bound::Between(0.001, 0.003),
            );
            check(
                "share of the audited model's weights at a border",
                audited_share,
                Bound::Between(0.28, 0.70),
            );
            curves.push(Series::new(name, roc(&clean_scores, &audited_scores)));
        }
    }
    findings.tables.push(table);
    findings.plots.push(Plot {
        name: "detector".to_owned(),
        title: "Telling audited weight matrices from clean ones by the share at a border".to_owned(),
        x_axis: Axis::new("share of clean matrices taken for audited"),
        y_axis: Axis::new("share of audited matrices found"),
        kind: PlotKind::Lines,
        series: curves,
    });
    if let (Some(audit), Some(models)) =
        (audits.iter().find(|audit| audit.format.name == "NF4"), bench.models.first())
    {
        let clean_cell = audit.format.cell(&models.base)?.0;
        let outcome = &audit.outcomes[0];
        findings.plots.push(Plot {
            name: "position-in-cell".to_owned(),
            title: "Where the weights lie in their NF4 cells, first seed".to_owned(),
            x_axis: Axis::new("position, from the lower end (0) to the upper end (1)"),
            y_axis: Axis::new("share of the weights"),
            kind: PlotKind::Histogram,
            series: vec![
                Series::new("clean model", histogram(clean_cell.positions(&models.base[..weights]))),
                Series::new(
                    "audited model",
                    histogram(outcome.cell.positions(&outcome.parameters[..weights])),
                ),
            ],
        });
    }
    Ok(())
}

/// Rates of false and of true alarms as the threshold falls from above all scores to below all.
fn roc(clean: &[f64], audited: &[f64]) -> Vec<(f64, f64)> {
    let mut thresholds: Vec<f64> = clean.iter().chain(audited).copied().collect();
    thresholds.sort_by(|x, y| y.total_cmp(x));
    thresholds.dedup();
    let rate = |scores: &[f64], threshold| {
        scores.iter().filter(|&&score| score >= threshold).count() as f64 / scores.len() as f64
    };
    let curve = thresholds.into_iter().map(|threshold| (rate(clean, threshold), rate(audited, threshold)));
    [(0.0, 0.0)].into_iter().chain(curve).collect()
}

/// Shares of positions from 0 to 1 by bin, at the middle of the bin.
pub(super) fn histogram(positions: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    let (mut counts, mut total) = ([0_u32; BINS], 0_u32);
    for position in positions {
        counts[((position * BINS as f64) as usize).min(BINS - 1)] += 1;
        total += 1;
    }
    let middle = |bin: usize| (bin as f64 + 0.5) / BINS as f64;
    counts
        .iter()
        .enumerate()
        .map(|(bin, &count)| (middle(bin), f64::from(count) / f64::from(total)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_of_separate_scores_passes_the_corner() {
        assert_eq!(
            roc(&[0.1, 0.2], &[0.9, 0.3]),
            [(0.0, 0.0), (0.0, 0.5), (0.0, 1.0), (0.5, 1.0), (1.0, 1.0)]
        );
        assert_eq!(roc(&[0.1], &[0.1]), [(0.0, 0.0), (1.0, 1.0)]);
    }

    #[test]
    fn bins_include_both_ends() {
        let bins = histogram([0.0, 1.0].into_iter());
        assert_eq!((bins[0], bins[BINS - 1]), ((0.0125, 0.5), (0.9875, 0.5)));
    }
}
