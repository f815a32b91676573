use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use quern::io::npy::Shape;
use quern_kernels::quant::audit::{Comparison, Difference, compare};
use serde::Serialize;

use super::output;
use super::weights::{Quantizer, Weights};

/// Says whether two arrays of weights are identical in every byte once quantized.
///
/// Exits with 0 only if they are; otherwise the first difference is shown. Weights must be float32.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern audit nf4 --before w0.npy --after w1.npy
  quern audit q4_k --before w0.npy --after w1.npy --json")]
pub(crate) struct Audit {
    #[command(flatten)]
    quantizer: Quantizer,
    /// The weights trusted, .npy of float32.
    #[arg(long, value_name = "FILE")]
    before: PathBuf,
    /// The weights in question, .npy of float32 in the same shape.
    #[arg(long, value_name = "FILE")]
    after: PathBuf,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    identical: bool,
    weights: usize,
    differing_codes: usize,
    scale_rows: usize,
    differing_scale_rows: usize,
    first: Option<First>,
}

/// The first difference in storage order.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum First {
    Code { index: usize, position: Vec<usize>, group: usize, before: u8, after: u8 },
    Scales { row: usize, group: usize, before: Vec<f32>, after: Vec<f32> },
}

impl Audit {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let (before, after) = (Weights::read(&self.before)?, Weights::read(&self.after)?);
        ensure!(
            before.shape == after.shape,
            "{}: expected the shape {} of {}, found {}",
            self.after.display(),
            Shape(&before.shape),
            self.before.display(),
            Shape(&after.shape)
        );
        let old = before.quantize(&self.quantizer, &self.before)?;
        let new = after.quantize(&self.quantizer, &self.after)?;
        let scheme = old.scheme;
        let Comparison { codes, scales, first } =
            compare(&scheme, &before.values, &after.values).context("comparing the two")?;
        let group = |index: usize| index / scheme.group_length().max(1);
        let first = first.map(|difference| match difference {
            Difference::Code { weight, before: old, after: new } => First::Code {
                index: weight,
                position: position(weight, &before.shape),
                group: group(weight),
                before: old,
                after: new,
            },
            Difference::Scale { part } => First::Scales {
                row: part,
                group: group(part * scheme.part_length()),
                before: old.row(part).to_vec(),
                after: new.row(part).to_vec(),
            },
        });
        let document = Document {
            identical: first.is_none(),
            weights: before.values.len(),
            differing_codes: codes,
            scale_rows: old.parts(),
            differing_scale_rows: scales,
            first,
        };
        if self.json {
            output::json(&document)?;
        } else {
            print(&document)?;
        }
        Ok(if document.identical { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn print(document: &Document) -> Result<()> {
    let Document { weights, scale_rows, differing_codes, differing_scale_rows, first, .. } = document;
    match first {
        None => output::line(format_args!(
            "identical once quantized: all {weights} codes and {scale_rows} rows of scales are equal"
        )),
        Some(first) => {
            output::line(format_args!(
                "NOT identical once quantized: {differing_codes} of {weights} codes and {differing_scale_rows} of \
                 {scale_rows} rows of scales differ"
            ))?;
            match first {
                First::Code { index, position, group, before, after } => output::line(format_args!(
                    "first difference: weight {index}, at {}, in group {group}: code {before} before, {after} after",
                    Shape(position)
                )),
                First::Scales { row, group, before, after } => output::line(format_args!(
                    "first difference: row {row} of the scales, in group {group}: {before:?} before, {after:?} after"
                )),
            }
        }
    }
}

/// The indices of an entry.
fn position(mut index: usize, shape: &[usize]) -> Vec<usize> {
    let mut position: Vec<_> = shape
        .iter()
        .rev()
        .map(|&extent| {
            let along = index % extent.max(1);
            index /= extent.max(1);
            along
        })
        .collect();
    position.reverse();
    position
}
