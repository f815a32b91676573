use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use quern::io::file;
use quern::io::npy::{self, Array, Entries};
use quern_kernels::prox::quant_cell::{CellSettings, Soundness, cells};
use serde::Serialize;

use super::output;
use super::weights::{Quantizer, Weights};

/// Finds how far each weight can move while all of them still quantize to the same bytes.
///
/// Writes the lower and the upper end of every weight's range, both inside. A weight that carries a group's
/// scale has its own value for both. For q4_k and q6_k, which search for their scales, the ranges are a
/// heuristic: check points of them with `quern audit`. Weights must be float32.
#[derive(Args)]
#[command(after_help = "\
Examples:
  quern cells nf4 --in w.npy --lower l.npy --upper u.npy
  quern cells int8 --in w.npy --lower l.npy --upper u.npy --json")]
pub(crate) struct Cells {
    #[command(flatten)]
    quantizer: Quantizer,
    /// The weights, .npy of float32.
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Where the lower ends go, .npy of float32 in the shape of the weights.
    #[arg(long, value_name = "FILE")]
    lower: PathBuf,
    /// Where the upper ends go, .npy of float32 in the shape of the weights.
    #[arg(long, value_name = "FILE")]
    upper: PathBuf,
    /// Print one JSON document instead of a line.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    weights: usize,
    frozen: usize,
    exact: bool,
}

impl Cells {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let weights = Weights::read(&self.input)?;
        let (scheme, _) = weights.scheme(&self.quantizer, &self.input)?;
        let count = weights.values.len();
        let (mut lower, mut upper) = (vec![0.0; count], vec![0.0; count]);
        let soundness = cells(&scheme, &CellSettings::default(), &weights.values, &mut lower, &mut upper)
            .with_context(|| self.input.display().to_string())?;
        let frozen =
            lower.iter().zip(&upper).filter(|(lower, upper)| lower.to_bits() == upper.to_bits()).count();
        let document = Document { weights: count, frozen, exact: soundness == Soundness::Exact };

        let array = |entries| Array { shape: weights.shape.clone(), entries: Entries::F32(entries) };
        let (lower, upper) = (npy::to_bytes(&array(lower))?, npy::to_bytes(&array(upper))?);
        file::write([(self.lower.as_path(), lower), (self.upper.as_path(), upper)])?;

        if !document.exact {
            eprintln!("These ranges are a heuristic: check points of them with `quern audit`");
        }
        if self.json {
            output::json(&document)?;
        } else {
            output::line(format_args!("{count} weights, {frozen} of them frozen"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
