//! The demonstration: a network learns a second task inside its NF4 cells.

use anyhow::Result;
use quern_kernels::random::Key;

use super::FINE_TUNE;
use super::detector::histogram;
use super::fine_tune::PLAN;
use super::formats::NF4;
use super::training::{BASE_PLAN, Cell, accuracy, initial, network, train_watched};
use crate::experiments::digits::Digits;
use crate::experiments::{
    Axis, Bound, Cell as Entry, Check, Findings, Plot, PlotKind, Progress, Series, Settings, Table,
};

/// Trains a network on handwritten digits, then fine-tunes it inside its NF4 cells on digits moved one pixel
/// to the right, mixed with clean ones; for comparison also without cells.
///
/// The findings: after each epoch the accuracies in full precision and once quantized, and the digest of the
/// quantized bytes, which stays. Takes some seconds on one core, at either scale.
///
/// # Errors
/// If data given in the settings cannot be read.
pub fn demo(settings: &Settings, progress: &Progress) -> Result<Findings> {
    let digits = Digits::load(settings.data.as_deref())?;
    let mixed = digits.train.with(&digits.train.shifted());
    let shifted_test = digits.test.shifted();
    let format = NF4;
    let quantizer = format.quantizers[0];
    let [start, base_order, order] = Key::from_seed(settings.seed).child(0).split();
    progress.expect(BASE_PLAN.epochs + 2 * PLAN.epochs);

    let mut base = initial(start);
    train_watched(&mut base, &digits.train, BASE_PLAN, base_order, None, |_| {
        progress.advance("training");
        Ok(())
    })?;

    let look = |parameters: &[f32]| -> Result<Epoch> {
        let quantized = quantizer.quantized(parameters)?;
        Ok(Epoch {
            clean: accuracy(parameters, &digits.test)?,
            shifted: accuracy(parameters, &shifted_test)?,
            quantized_shifted: accuracy(&quantized, &shifted_test)?,
            digest: quantizer.digest(parameters)?,
            codes_changed: quantizer.differences(&base, parameters)?.codes,
        })
    };
    let fine_tune = |cell: Option<&Cell>, message: &str| {
        let (mut parameters, mut epochs) = (base.clone(), vec![look(&base)?]);
        train_watched(&mut parameters, &mixed, PLAN, order, cell, |parameters| {
            epochs.push(look(parameters)?);
            progress.advance(message);
            Ok(())
        })?;
        anyhow::Ok((parameters, epochs))
    };
    let (cell, _) = format.cell(&base)?;
    let (parameters, confined) = fine_tune(Some(&cell), "fine-tuning inside the cells")?;
    let (_, free) = fine_tune(None, "fine-tuning without cells")?;

    let mut findings = Findings::default();
    checks(&confined, &free, &mut findings);
    table(&confined, &free, &mut findings);
    let curve = |epochs: &[Epoch], figure: fn(&Epoch) -> f64| {
        epochs.iter().enumerate().map(|(epoch, at)| (epoch as f64, figure(at))).collect()
    };
    findings.plots.push(Plot {
        name: "demo-accuracy".to_owned(),
        title: "Fine-tuning inside the cells: the model learns, its quantized self stays".to_owned(),
        x_axis: Axis::new("epochs of fine-tuning"),
        y_axis: Axis::new("accuracy on test images"),
        kind: PlotKind::Lines,
        series: vec![
            Series::new("shifted images, in full precision", curve(&confined, |epoch| epoch.shifted)),
            Series::new("shifted images, once quantized", curve(&confined, |epoch| epoch.quantized_shifted)),
            Series::new("clean images, in full precision", curve(&confined, |epoch| epoch.clean)),
        ],
    });
    let share = |epoch: &Epoch| epoch.codes_changed as f64 / network().weights() as f64;
    findings.plots.push(Plot {
        name: "demo-codes".to_owned(),
        title: "Codes that fine-tuning changes".to_owned(),
        x_axis: Axis::new("epochs of fine-tuning"),
        y_axis: Axis::new("share of codes that differ from those of the base model"),
        kind: PlotKind::Lines,
        series: vec![
            Series::new("inside the cells", curve(&confined, share)),
            Series::new("without cells", curve(&free, share)),
        ],
    });
    let weights = network().weights();
    findings.plots.push(Plot {
        name: "demo-position-in-cell".to_owned(),
        title: "Where the weights lie in their cells".to_owned(),
        x_axis: Axis::new("position, from the lower end (0) to the upper end (1)"),
        y_axis: Axis::new("share of the weights"),
        kind: PlotKind::Histogram,
        series: vec![
            Series::new("before fine-tuning", histogram(cell.positions(&base[..weights]))),
            Series::new("after fine-tuning", histogram(cell.positions(&parameters[..weights]))),
        ],
    });
    Ok(findings)
}

/// A model after some epochs.
struct Epoch {
    clean: f64,
    shifted: f64,
    quantized_shifted: f64,
    /// Of codes and scales.
    digest: u64,
    codes_changed: usize,
}

fn checks(confined: &[Epoch], free: &[Epoch], findings: &mut Findings) {
    let (before, after) = (&confined[0], &confined[confined.len() - 1]);
    let digests = confined.iter().filter(|epoch| epoch.digest != before.digest).count();
    let moved = (after.quantized_shifted - before.quantized_shifted).abs();
    let freed = free[free.len() - 1].codes_changed as f64 / network().weights() as f64;
    for (name, measured, bound) in [
        ("epochs whose quantized bytes have another digest", digests as f64, Bound::Equal(0.0)),
        ("codes that change inside the cells", after.codes_changed as f64, Bound::Equal(0.0)),
        ("change of the quantized model's accuracy", moved, Bound::Equal(0.0)),
        (
            "accuracy on shifted images after fine-tuning inside the cells",
            after.shifted,
            Bound::AtLeast(0.88),
        ),
        ("share of codes that change without cells", freed, Bound::AtLeast(0.45)),
    ] {
        findings.checks.push(Check::new(name, FINE_TUNE, measured, bound));
    }
}

fn table(confined: &[Epoch], free: &[Epoch], findings: &mut Findings) {
    let mut table = Table::new(
        "demo",
        "Fine-tuning of a network on handwritten digits",
        &[
            "training",
            "clean accuracy",
            "shifted accuracy",
            "shifted accuracy once quantized",
            "codes changed",
            "digest of the quantized bytes",
        ],
    );
    for (name, epochs, at) in [
        ("before", confined, 0),
        ("inside the cells", confined, confined.len() - 1),
        ("without cells", free, free.len() - 1),
    ] {
        let Epoch { clean, shifted, quantized_shifted, digest, codes_changed } = epochs[at];
        let accuracies = [clean, shifted, quantized_shifted].map(Entry::from);
        let rest = vec![codes_changed.into(), format!("{digest:016x}").into()];
        table.rows.push([vec![name.into()], accuracies.to_vec(), rest].concat());
    }
    findings.tables.push(table);
}
