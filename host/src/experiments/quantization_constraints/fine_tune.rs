//! Fine-tuning inside the cells: a second task is learned, the quantized model stays.

use anyhow::Result;
use rayon::prelude::*;

use super::formats::{FP4, Format, INT8, NF4};
use super::training::{Plan, accuracy, network, train};
use super::{Bench, FINE_TUNE, Models};
use crate::experiments::statistics::mean;
use crate::experiments::{Axis, Bound, Check, Findings, Plot, PlotKind, Series, Table};

/// Of the fine-tuning.
pub(super) const PLAN: Plan = Plan { epochs: 20, learning_rate: 1e-3 };

/// Of one seed.
struct Outcome {
    base_shifted: f64,
    clean: f64,
    shifted: f64,
    /// Share of codes that differ from those of the base model.
    codes_changed: f64,
    changes: usize,
}

pub(super) fn run(bench: &Bench<'_>, findings: &mut Findings) -> Result<()> {
    // int8, NF4, FP4, each inside its cells; and without cells, judged by NF4.
    let variants = [(INT8, true), (NF4, true), (FP4, true), (NF4, false)];
    let shifted_test = bench.digits.test.shifted();
    let mixed = bench.digits.train.with(&bench.digits.train.shifted());
    bench.progress.expect(variants.len() * bench.models.len());
    let outcomes = variants
        .par_iter()
        .map(|(format, confined)| {
            let of_models = |models: &Models| {
                let mut parameters = models.base.clone();
                let cell = confined.then(|| format.cell(&models.base)).transpose()?.map(|(cell, _)| cell);
                train(&mut parameters, &mixed, PLAN, models.key.child(30), cell.as_ref())?;
                let found = format.quantizers[0].differences(&models.base, &parameters)?;
                bench.progress.advance("fine-tuning");
                Ok(Outcome {
                    base_shifted: accuracy(&models.base, &shifted_test)?,
                    clean: accuracy(&parameters, &bench.digits.test)?,
                    shifted: accuracy(&parameters, &shifted_test)?,
                    codes_changed: found.codes as f64 / network().weights() as f64,
                    changes: found.codes + found.scales,
                })
            };
            bench.models.par_iter().map(of_models).collect::<Result<Vec<_>>>()
        })
        .collect::<Result<Vec<_>>>()?;

    let mut table = Table::new(
        "preserving-fine-tune",
        "Fine-tuning on images moved one pixel to the right, mixed with clean ones; means over the seeds",
        &[
            "training",
            "clean accuracy",
            "shifted accuracy before",
            "shifted accuracy",
            "share of codes changed",
        ],
    );
    let mut bars = Vec::new();
    for (&(format, confined), outcomes) in variants.iter().zip(&outcomes) {
        let figure = |figure: fn(&Outcome) -> f64| mean(outcomes.iter().map(figure));
        let (before, shifted) = (figure(|outcome| outcome.base_shifted), figure(|outcome| outcome.shifted));
        let changed = figure(|outcome| outcome.codes_changed);
        let name = name(format, confined);
        let cells = [figure(|outcome| outcome.clean), before, shifted, changed].map(Into::into);
        table.rows.push([vec![name.clone().into()], cells.to_vec()].concat());
        if bars.is_empty() {
            bars.push(("base".to_owned(), before));
        }
        bars.push((name.clone(), shifted));
        let mut check = |what: &str, measured, bound| {
            findings.checks.push(Check::new(format!("{name}: {what}"), FINE_TUNE, measured, bound));
        };
        if confined {
            let changes: usize = outcomes.iter().map(|outcome| outcome.changes).sum();
            check("codes and scales that change", changes as f64, Bound::Equal(0.0));
        }
        match (format.name, confined) {
            ("NF4", false) => {
                check("accuracy on shifted images", shifted, Bound::AtLeast(0.97));
                check("share of codes that change", changed, Bound::AtLeast(0.45));
            }
            ("NF4", true) => check("accuracy on shifted images", shifted, Bound::AtLeast(0.88)),
            ("FP4", true) => check("accuracy on shifted images", shifted, Bound::AtLeast(0.90)),
            _ => check("accuracy gained on shifted images", shifted - before, Bound::Between(0.05, 0.12)),
        }
    }
    findings.tables.push(table);
    let (categories, heights): (Vec<_>, Vec<_>) = bars.into_iter().unzip();
    findings.plots.push(Plot {
        name: "preserving-fine-tune".to_owned(),
        title: "Accuracy on images moved one pixel to the right".to_owned(),
        x_axis: Axis { categories, ..Axis::new("training") },
        y_axis: Axis::new("accuracy on shifted test images"),
        kind: PlotKind::Bars,
        series: vec![Series::new(
            format!("mean of {} seeds", bench.models.len()),
            (0..).map(f64::from).zip(heights).collect(),
        )],
    });
    Ok(())
}

fn name(format: Format, confined: bool) -> String {
    if confined { format!("inside {} cells", format.name) } else { "free".to_owned() }
}
