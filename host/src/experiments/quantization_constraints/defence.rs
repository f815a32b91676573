//! Noise before quantizing.

use anyhow::Result;
use rayon::prelude::*;

use super::audit::Audit;
use super::training::accuracy;
use super::{Bench, DEFENCE};
use crate::experiments::statistics::mean;
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};

/// Noise in units of the median half-width of the cells.
const SIZES: [f64; 11] = [0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0];

pub(super) fn run(bench: &Bench<'_>, audits: &[Audit], findings: &mut Findings) -> Result<()> {
    let (sizes, draws): (&[f64], u32) =
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
                let accuracies = accuracies(bench, audit, rho as f32, index as u32, draws)?;
                bench.progress.advance("noise");
                Ok((rho, accuracies))
            })
            .collect::<Result<Vec<_>>>()?;
        let without = &rows[0].1.clean;
        let mut curves = [Vec::new(), Vec::new()];
        for (rho, Accuracies { audited, clean }) in &rows {
            let losses: Vec<f64> =
                without.iter().zip(clean).map(|(without, clean)| without - clean).collect();
            let [audited, clean, lost] =
                [audited, clean, &losses].map(|figures| mean(figures.iter().copied()));
            let mut check = |what: &str, measured, bound| {
                let name = format!("{name}, ρ = {rho}: {what}");
                findings
                    .checks
                    .push(Check::new(name, DEFENCE, measured, bound).remark_on_failure(|| by_seed(&losses)));
            };
            if *rho == 0.0 {
                check("accuracy of the audited model", audited, Bound::AtMost(0.50));
            } else if (0.5..=1.0).contains(rho) {
                check("accuracy of the audited model", audited, Bound::AtLeast(0.96));
                check("accuracy the clean model loses", lost, Bound::AtMost(0.015));
            } else if *rho == 3.0 && bench.full() {
                // A few test images: needs the mean over the seeds.
                check("accuracy the clean model loses", lost, Bound::AtLeast(0.03));
            }
            table.rows.push(vec![name.into(), (*rho).into(), audited.into(), clean.into(), lost.into()]);
            curves[0].push((*rho, audited));
            curves[1].push((*rho, clean));
        }
        for (curve, model) in curves.into_iter().zip(["audited", "clean"]) {
            series.push(Series::new(format!("{name}, {model}"), curve));
        }
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

/// Accuracies once quantized after noise, means over the draws: a figure a seed.
#[derive(Default)]
struct Accuracies {
    audited: Vec<f64>,
    clean: Vec<f64>,
}

fn accuracies(bench: &Bench<'_>, audit: &Audit, rho: f32, index: u32, draws: u32) -> Result<Accuracies> {
    let quantizer = audit.format.quantizers[0];
    let mut accuracies = Accuracies::default();
    for (models, outcome) in bench.models.iter().zip(&audit.outcomes) {
        let clean_half_widths = audit.format.cell(&models.base)?.0.median_half_widths()?;
        let half_widths = outcome.cell.median_half_widths()?;
        for (accuracies, parameters, half_widths, child) in [
            (&mut accuracies.audited, &outcome.parameters, &half_widths, 0),
            (&mut accuracies.clean, &models.base, &clean_half_widths, 1),
        ] {
            let of_draw = |draw| {
                let key = models.key.child(20).child(index).child(draw).child(child);
                let noisy = quantizer.with_noise(parameters, half_widths, rho, key)?;
                accuracy(&quantizer.quantized(&noisy)?, &bench.digits.test)
            };
            accuracies.push(mean((0..draws).map(of_draw).collect::<Result<Vec<_>>>()?));
        }
    }
    Ok(accuracies)
}

/// What the clean model loses, seed by seed, with the standard error of the mean.
fn by_seed(losses: &[f64]) -> String {
    let average = mean(losses.iter().copied());
    let variance = losses.iter().map(|loss| (loss - average).powi(2)).sum::<f64>();
    let error = (variance / (losses.len().max(2) - 1) as f64 / losses.len() as f64).sqrt();
    let listed: Vec<String> = losses.iter().map(|loss| format!("{loss:.4}")).collect();
    format!(
        "the clean model loses {} by seed, standard error of the mean {error:.4}; an image is {:.4}",
        listed.join(", "),
        1.0 / 360.0
    )
}
