//! Noise before quantizing.

use anyhow::Result;
use rayon::prelude::*;

use super::audit::Audit;
use super::training::accuracy;
use super::{Bench, DEFENCE, mean};
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};

/// Noise in units of the median half-width of the cells.
const SIZES: [f32; 11] = [0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0];

pub(super) fn run(bench: &Bench<'_>, audits: &[Audit], findings: &mut Findings) -> Result<()> {
    let (sizes, draws): (&[f32], u32) =
        if bench.full() { (&SIZES, 5) } else { (&[0.0, 0.5, 0.7, 1.0, 3.0], 2) };
    let mut table = Table::new(
        "noise-defence",
        "Accuracy once quantized after noise, means over seeds and draws",
        &["format", "ρ", "audited model", "clean model", "loss of the clean model"],
    );
    let mut series = Vec::new();
    for audit in audits.iter().filter(|audit| ["NF4", "FP4"].contains(&audit.format.name)) {
        bench.progress.expect(sizes.len());
        let name = audit.format.name;
        let rows = sizes
            .par_iter()
            .enumerate()
            .map(|(index, &rho)| {
                let (audited, clean) = accuracies(bench, audit, rho, index as u32, draws)?;
                bench.progress.advance("noise");
                Ok((f64::from(rho), audited, clean))
            })
            .collect::<Result<Vec<_>>>()?;
        let clean_without = rows[0].2;
        for &(rho, audited, clean) in &rows {
            let lost = clean_without - clean;
            let mut check = |what: &str, measured, bound| {
                // The widened f32 would print as 0.699999988.
                let rho = (rho * 100.0).round() / 100.0;
                findings.checks.push(Check::new(
                    format!("{name}, ρ = {rho}: {what}"),
                    DEFENCE,
                    measured,
                    bound,
                ));
            };
            if rho == 0.0 {
                check("accuracy of the audited model", audited, Bound::AtMost(0.50));
            } else if (0.5..=1.0).contains(&rho) {
                check("accuracy of the audited model", audited, Bound::AtLeast(0.96));
                check("accuracy the clean model loses", lost, Bound::AtMost(0.015));
            } else if rho == 3.0 {
                check("accuracy the clean model loses", lost, Bound::AtLeast(0.03));
            }
            table.rows.push(vec![name.into(), rho.into(), audited.into(), clean.into(), lost.into()]);
        }
        series.push(Series::new(format!("{name}, audited"), rows.iter().map(|row| (row.0, row.1)).collect()));
        series.push(Series::new(format!("{name}, clean"), rows.iter().map(|row| (row.0, row.2)).collect()));
    }
    findings.tables.push(table);
    findings.plots.push(Plot {
        name: "noise-defence".to_owned(),
        title: "Accuracy once quantized, after noise".to_owned(),
        x_axis: Axis::new("ρ, standard deviation of the noise over the median half-width of the cells"),
        y_axis: Axis::new("accuracy once quantized"),
        kind: PlotKind::Lines,
        series,
    });
    Ok(())
}

/// Mean accuracies of the audited and of the base models, quantized after noise.
fn accuracies(bench: &Bench<'_>, audit: &Audit, rho: f32, index: u32, draws: u32) -> Result<(f64, f64)> {
    let quantizer = audit.format.quantizers[0];
    let (mut audited, mut clean) = (Vec::new(), Vec::new());
    for (models, outcome) in bench.models.iter().zip(&audit.outcomes) {
        let clean_half_widths = audit.format.cell(&models.base)?.0.median_half_widths()?;
        let half_widths = outcome.cell.median_half_widths()?;
        for draw in 0..draws {
            let key = models.key.child(20).child(index).child(draw);
            for (accuracies, parameters, half_widths, key) in [
                (&mut audited, &outcome.parameters, &half_widths, key.child(0)),
                (&mut clean, &models.base, &clean_half_widths, key.child(1)),
            ] {
                let noisy = quantizer.with_noise(parameters, half_widths, rho, key)?;
                accuracies.push(accuracy(&quantizer.quantized(&noisy)?, &bench.digits.test)?);
            }
        }
    }
    Ok((mean(audited), mean(clean)))
}
