use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use quern::io::file;
use quern::io::npy::{self, Array, Entries};
use serde::Serialize;

use super::output;
use super::weights::{Quantized, Quantizer, Weights};

/// Quantizes an array of weights: codes, scales, and the values they stand for.
///
/// The codes have the shape of the weights, a byte (uint8) each; those of int8, q8_0 are two's complement.
/// The scales are float32, one row a group (for q4_k and q6_k a part of a group), with two columns for
/// asym-u8 (scale and zero point), q4_1 and q4_k (scale and minimum). Groups run over the row-major array;
/// for int8 and asym-u8 a group is a row, the last index running. Weights must be float32.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern quantize nf4 --in w.npy --codes c.npy --scales s.npy
  quern quantize int8 --rule processor --in w.npy --codes c.npy --scales s.npy
  quern quantize q4_k --in w.npy --codes c.npy --scales s.npy --dequantized d.npy --json")]
pub(crate) struct Quantize {
    #[command(flatten)]
    quantizer: Quantizer,
    /// The weights, .npy of float32.
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Where the codes go, .npy of uint8.
    #[arg(long, value_name = "FILE")]
    codes: PathBuf,
    /// Where the scales go, .npy of float32.
    #[arg(long, value_name = "FILE")]
    scales: PathBuf,
    /// Where the values that the codes stand for go, .npy of float32.
    #[arg(long, value_name = "FILE")]
    dequantized: Option<PathBuf>,
    /// Print one JSON document instead of a line.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    weights: usize,
    groups: usize,
    scale_rows: usize,
    scale_columns: usize,
    largest_error: f32,
}

impl Quantize {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let weights = Weights::read(&self.input)?;
        let quantized = weights.quantize(&self.quantizer, &self.input)?;
        let parts = quantized.parts();
        let Quantized { scheme, codes, scales } = quantized;
        let mut values = vec![0.0; codes.len()];
        scheme.dequantize(&codes, &scales, &mut values).context("the values of the codes")?;
        let errors = weights.values.iter().zip(&values).map(|(weight, value)| (weight - value).abs());
        let document = Document {
            weights: codes.len(),
            groups: codes.len().div_ceil(scheme.group_length()),
            scale_rows: parts,
            scale_columns: scheme.scale_columns(),
            largest_error: errors.fold(0.0, f32::max),
        };

        let scales_shape =
            if document.scale_columns == 1 { vec![parts] } else { vec![parts, document.scale_columns] };
        let codes = Array { shape: weights.shape.clone(), entries: Entries::U8(codes) };
        let scales = Array { shape: scales_shape, entries: Entries::F32(scales) };
        let mut files = vec![
            (self.codes.as_path(), npy::to_bytes(&codes)?),
            (self.scales.as_path(), npy::to_bytes(&scales)?),
        ];
        if let Some(path) = &self.dequantized {
            let values = Array { shape: weights.shape, entries: Entries::F32(values) };
            files.push((path.as_path(), npy::to_bytes(&values)?));
        }
        file::write(files)?;

        if self.json {
            output::json(&document)?;
        } else {
            let Document { weights, groups, largest_error, .. } = document;
            output::line(format_args!(
                "{weights} weights in {groups} groups, largest error {largest_error:e}"
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
