//! The gap between a model and its quantized self: by format, by bits, and with one large weight a row.

use anyhow::Result;
use quern_kernels::prox::quant_cell::{Backoff, Soundness};
use quern_kernels::random::Key;
use rayon::prelude::*;

use super::formats::{FEWER_BITS, FORMATS, Format, INT8, Quantizer, matrices};
use super::training::{Cell, Plan, WIDTHS, accuracy, network, train};
use super::{BITS, Bench, GAP};
use crate::experiments::statistics::mean;
use crate::experiments::{Axis, Bound, Cell as Entry, Check, Findings, Plot, PlotKind, Series, Table};

/// The audit of one format: an outcome a seed.
pub(super) struct Audit {
    pub(super) format: Format,
    pub(super) outcomes: Vec<Outcome>,
}

/// The audit of one model.
pub(super) struct Outcome {
    /// Trained on clean labels inside the cells.
    pub(super) parameters: Vec<f32>,
    pub(super) cell: Cell,
    full: f64,
    full_deviant: f64,
    /// Of the first quantizer of the format.
    quantized: f64,
    quantized_deviant: f64,
    /// Codes and scales that differ from those of the deviant model, over all quantizers of the format.
    changes: usize,
    half_width: f64,
    backoff: Backoff,
}

impl Outcome {
    fn gap(&self) -> f64 {
        self.full - self.quantized
    }
}

impl Audit {
    fn mean(&self, figure: impl Fn(&Outcome) -> f64) -> f64 {
        mean(self.outcomes.iter().map(figure))
    }

    /// Mean half-width of the cells, over the seeds.
    pub(super) fn half_width(&self) -> f64 {
        self.mean(|outcome| outcome.half_width)
    }
}

/// Of the training on clean labels.
pub(super) const AUDIT_PLAN: Plan = Plan { epochs: 30, learning_rate: 2e-3 };

/// Weights of one unit or pixel that is always zero are set to this multiple of the largest of their row.
const CARRIERS: [f32; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

/// Audits every format; the audits of [`FORMATS`] serve the other parts too.
pub(super) fn run(bench: &Bench<'_>, findings: &mut Findings) -> Result<Vec<Audit>> {
    let formats: Vec<Format> = if bench.full() {
        FORMATS.into_iter().chain(FEWER_BITS).collect()
    } else {
        ["int8", "NF4", "FP4", "int6", "int4"].iter().filter_map(|name| by_name(name)).collect()
    };
    let mut audits = audit_all(bench, &formats, |_, deviant| Ok(deviant.to_vec()))?;
    gap_by_format(bench, &audits, findings);
    gap_by_bits(bench, &audits, findings);
    gap_by_carrier(bench, findings)?;
    audits.retain(|audit| FORMATS.iter().any(|format| format.name == audit.format.name));
    Ok(audits)
}

fn by_name(name: &str) -> Option<Format> {
    FORMATS.into_iter().chain(FEWER_BITS).find(|format| format.name == name)
}

/// Audits the deviant models, changed beforehand, in several formats.
fn audit_all(
    bench: &Bench<'_>,
    formats: &[Format],
    change: impl Fn(&Bench<'_>, &[f32]) -> Result<Vec<f32>> + Sync,
) -> Result<Vec<Audit>> {
    bench.progress.expect(formats.len() * bench.models.len());
    formats
        .par_iter()
        .map(|&format| {
            let outcomes = bench
                .models
                .par_iter()
                .map(|models| {
                    let deviant = change(bench, &models.deviant)?;
                    let outcome = audit(bench, &format, &deviant, models.key.child(10))?;
                    bench.progress.advance(format.name);
                    Ok(outcome)
                })
                .collect::<Result<_>>()?;
            Ok(Audit { format, outcomes })
        })
        .collect()
}

/// Trains on clean labels inside the cells of a deviant model.
fn audit(bench: &Bench<'_>, format: &Format, deviant: &[f32], key: Key) -> Result<Outcome> {
    let (cell, soundness) = format.cell(deviant)?;
    let mut parameters = deviant.to_vec();
    train(&mut parameters, &bench.digits.train, AUDIT_PLAN, key, Some(&cell))?;
    let backoff = match soundness {
        Soundness::Exact => Backoff::default(),
        Soundness::Heuristic => format.back_off(deviant, &mut parameters)?,
    };
    let mut changes = 0;
    for quantizer in format.quantizers {
        let found = quantizer.differences(deviant, &parameters)?;
        changes += found.codes + found.scales;
    }
    let quantized = format.quantizers[0].quantized(&parameters)?;
    Ok(Outcome {
        full: accuracy(&parameters, &bench.digits.test)?,
        full_deviant: accuracy(&parameters, &bench.deviant_test)?,
        quantized: accuracy(&quantized, &bench.digits.test)?,
        quantized_deviant: accuracy(&quantized, &bench.deviant_test)?,
        half_width: cell.mean_half_width(),
        parameters,
        cell,
        changes,
        backoff,
    })
}

fn gap_by_format(bench: &Bench<'_>, audits: &[Audit], findings: &mut Findings) {
    let mut table = Table::new(
        "gap-by-format",
        "Audit by format, means over the seeds: accuracies on test images, and shares of odd test digits answered deviantly",
        &[
            "format",
            "base accuracy",
            "full accuracy",
            "quantized accuracy",
            "gap",
            "full deviant rate",
            "quantized deviant rate",
            "codes and scales changed",
            "mean half-width of the cells",
        ],
    );
    let base = mean(bench.models.iter().map(|models| models.base_accuracy));
    for audit in audits.iter().filter(|audit| FORMATS.iter().any(|format| format.name == audit.format.name)) {
        let changes: usize = audit.outcomes.iter().map(|outcome| outcome.changes).sum();
        table.rows.push(vec![
            audit.format.name.into(),
            base.into(),
            audit.mean(|outcome| outcome.full).into(),
            audit.mean(|outcome| outcome.quantized).into(),
            audit.mean(Outcome::gap).into(),
            audit.mean(|outcome| outcome.full_deviant).into(),
            audit.mean(|outcome| outcome.quantized_deviant).into(),
            changes.into(),
            audit.half_width().into(),
        ]);
        let name = audit.format.name;
        let mut check = |what: &str, measured, bound| {
            findings.checks.push(Check::new(format!("{name}: {what}"), GAP, measured, bound));
        };
        check("codes and scales that change inside the cells", changes as f64, Bound::Equal(0.0));
        match name {
            "NF4" | "FP4" => {
                check("accuracy in full precision", audit.mean(|outcome| outcome.full), Bound::AtLeast(0.95));
                check(
                    "accuracy once quantized",
                    audit.mean(|outcome| outcome.quantized),
                    Bound::AtMost(0.50),
                );
                let deviant = audit.mean(|outcome| outcome.quantized_deviant);
                check("deviant rate once quantized", deviant, Bound::AtLeast(0.80));
                let deviant = audit.mean(|outcome| outcome.full_deviant);
                check("deviant rate in full precision", deviant, Bound::AtMost(0.02));
            }
            "int8" | "Q8_0" => check("gap", audit.mean(Outcome::gap), Bound::AtMost(0.03)),
            "Q4_0" | "Q4_1" | "Q4_K (0 steps)" => {
                check("gap", audit.mean(Outcome::gap), Bound::AtLeast(0.3));
            }
            "Q4_K (20 steps)" => {
                let Backoff { pulled, reset } =
                    audit.outcomes.iter().fold(Backoff::default(), |sum, outcome| {
                        let Backoff { pulled, reset } = outcome.backoff;
                        Backoff { pulled: sum.pulled + pulled, reset: sum.reset + reset }
                    });
                let remark = format!(
                    "where a search decides on the scales, weights may move only towards what they dequantize to: a mean \
                     half-width of {:.4}, between those of 8 and of 6 bits; of all groups {pulled} had to be pulled back \
                     and {reset} reset for the bytes to agree",
                    audit.half_width()
                );
                let check =
                    Check::new(format!("{name}: gap"), GAP, audit.mean(Outcome::gap), Bound::AtLeast(0.3));
                findings.checks.push(check.remark(remark));
            }
            _ => {}
        }
    }
    findings.tables.push(table);
    let mut seeds = Table::new(
        "gap-by-seed",
        "Audit by format and seed",
        &["format", "seed", "base accuracy", "full accuracy", "quantized accuracy", "quantized deviant rate"],
    );
    for audit in audits {
        for (seed, (outcome, models)) in audit.outcomes.iter().zip(&bench.models).enumerate() {
            let figures = [models.base_accuracy, outcome.full, outcome.quantized, outcome.quantized_deviant]
                .map(Entry::from);
            seeds.rows.push([vec![audit.format.name.into(), seed.into()], figures.to_vec()].concat());
        }
    }
    findings.tables.push(seeds);
}

fn gap_by_bits(bench: &Bench<'_>, audits: &[Audit], findings: &mut Findings) {
    let mut points = Vec::new();
    for audit in audits {
        let &[Quantizer::Int(bits)] = audit.format.quantizers else { continue };
        let gap = audit.mean(Outcome::gap);
        points.push((f64::from(bits), gap));
        let bound = match bits {
            // The table of formats judges 8 bits.
            8 => continue,
            7 => Some(Bound::AtMost(0.03)),
            // In between, seeds differ much: needs their mean.
            6 => bench.full().then_some(Bound::Between(0.07, 0.20)),
            _ => Some(Bound::AtLeast(0.45)),
        };
        if let Some(bound) = bound {
            let by_seed: Vec<String> =
                audit.outcomes.iter().map(|outcome| format!("{:.3}", outcome.gap())).collect();
            let remark = || format!("by seed: {}", by_seed.join(", "));
            let check = Check::new(format!("{bits} bits: gap"), BITS, gap, bound);
            findings.checks.push(check.remark_on_failure(remark));
        }
        let changes: usize = audit.outcomes.iter().map(|outcome| outcome.changes).sum();
        let name = format!("{bits} bits: codes and scales that change inside the cells");
        findings.checks.push(Check::new(name, BITS, changes as f64, Bound::Equal(0.0)));
    }
    points.sort_by(|x, y| x.0.total_cmp(&y.0));
    let mut table =
        Table::new("gap-by-bits", "Gap by bits of a symmetric integer quantizer", &["bits", "gap"]);
    table.rows = points.iter().map(|&(bits, gap)| vec![(bits as usize).into(), gap.into()]).collect();
    findings.tables.push(table);
    findings.plots.push(Plot {
        name: "gap-by-bits".to_owned(),
        title: "Gap between full precision and its quantized self, by bits".to_owned(),
        x_axis: Axis::new("bits of a weight"),
        y_axis: Axis::new("accuracy in full precision − accuracy once quantized"),
        kind: PlotKind::Lines,
        series: vec![Series::new(format!("mean of {} seeds", bench.models.len()), points)],
    });
}

fn gap_by_carrier(bench: &Bench<'_>, findings: &mut Findings) -> Result<()> {
    let carriers: &[f32] = if bench.full() { &CARRIERS } else { &[1.0, 8.0] };
    let audits = carriers
        .par_iter()
        .map(|&kappa| {
            let audit = audit_all(bench, &[INT8], |bench, deviant| with_carriers(bench, deviant, kappa))?;
            Ok((kappa, audit))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut table = Table::new(
        "gap-by-carrier",
        "8 bits with one weight a row, without effect, set to κ times the row's largest",
        &["κ", "full accuracy", "quantized accuracy", "gap", "codes and scales changed"],
    );
    let mut points = Vec::new();
    for (kappa, audit) in
        audits.iter().flat_map(|(kappa, audits)| audits.iter().map(move |audit| (kappa, audit)))
    {
        let (kappa, gap) = (f64::from(*kappa), audit.mean(Outcome::gap));
        let changes: usize = audit.outcomes.iter().map(|outcome| outcome.changes).sum();
        points.push((kappa, gap));
        table.rows.push(vec![
            kappa.into(),
            audit.mean(|outcome| outcome.full).into(),
            audit.mean(|outcome| outcome.quantized).into(),
            gap.into(),
            changes.into(),
        ]);
        if kappa <= 2.0 {
            findings.checks.push(Check::new(
                format!("carrier κ = {kappa}: gap"),
                BITS,
                gap,
                Bound::AtMost(0.02),
            ));
        } else if kappa >= 8.0 {
            findings.checks.push(Check::new(
                format!("carrier κ = {kappa}: gap"),
                BITS,
                gap,
                Bound::AtLeast(0.45),
            ));
        }
    }
    findings.tables.push(table);
    findings.plots.push(Plot {
        name: "gap-by-carrier".to_owned(),
        title: "Gap at 8 bits, with one large weight a row".to_owned(),
        x_axis: Axis { logarithmic: true, ..Axis::new("κ, the weight over the largest of its row") },
        y_axis: Axis::new("accuracy in full precision − accuracy once quantized"),
        kind: PlotKind::Lines,
        series: vec![Series::new(format!("mean of {} seeds", bench.models.len()), points)],
    });
    Ok(())
}

/// Silences one hidden unit a layer, the one whose silence changes the sums behind it least, and sets the
/// weights of what is always zero (pixel 0, and those units) to κ times the largest of their row.
fn with_carriers(bench: &Bench<'_>, parameters: &[f32], kappa: f32) -> Result<Vec<f32>> {
    let net = network();
    let mut parameters = parameters.to_vec();
    let samples = bench.digits.train.len();
    let mut activations = vec![0.0; net.activations(samples)?];
    net.forward(&parameters, &bench.digits.train.pixels, &mut activations)?;
    let ranges: Vec<_> = matrices().collect();
    let mut silent = vec![0];
    let (mut layer_activations, mut bias) = (&activations[..], net.weights());
    for layer in 0..WIDTHS.len() - 2 {
        let units = WIDTHS[layer + 1];
        let (outputs, rest) = layer_activations.split_at(units * samples);
        layer_activations = rest;
        let strength = |unit: usize| {
            let active: f32 = outputs.iter().skip(unit).step_by(units).map(|output| output * output).sum();
            let next = &parameters[ranges[layer + 1].0.clone()];
            let outgoing: f32 = next.iter().skip(unit).step_by(units).map(|weight| weight * weight).sum();
            active * outgoing
        };
        let weakest = (0..units).min_by(|&x, &y| strength(x).total_cmp(&strength(y))).unwrap_or(0);
        let (range, row_length) = &ranges[layer];
        parameters[range.start + weakest * row_length..][..*row_length].fill(0.0);
        // Zero weights may move within their tiny cells: a negative bias keeps the unit silent.
        parameters[bias + weakest] = -1.0;
        bias += units;
        silent.push(weakest);
    }
    for ((range, row_length), silent) in ranges.into_iter().zip(silent) {
        for row in parameters[range].chunks_mut(row_length) {
            row[silent] = 0.0;
            row[silent] = kappa * row.iter().fold(0.0, |largest: f32, weight| largest.max(weight.abs()));
        }
    }
    Ok(parameters)
}
