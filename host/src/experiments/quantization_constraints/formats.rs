//! The quantizers under test, applied to the network's weight matrices.

use std::ops::Range;

use anyhow::Result;
use quern_kernels::prox::quant_cell::{Backoff, CellSettings, Soundness, cells, verify_backoff};
use quern_kernels::quant::audit::{Comparison, Fnv1a64, compare, median_half_width};
use quern_kernels::quant::{AbsmaxInt, Fp4, Nf4, Rule, Scheme, ggml, noise_defend};
use quern_kernels::random::Key;

use super::training::{Cell, WIDTHS, network};

/// A quantizer that takes its row length from the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantizer {
    Int(u8),
    Nf4,
    Fp4,
    Q8_0,
    Q4_0,
    Q4_1,
    Q4K { steps: u8 },
}

impl Quantizer {
    fn scheme(self, row_length: usize) -> Scheme {
        match self {
            Self::Int(bits) => Scheme::Int(AbsmaxInt { bits, row_length, rule: Rule::Kernel }),
            Self::Nf4 => Scheme::Nf4(Nf4),
            Self::Fp4 => Scheme::Fp4(Fp4::default()),
            Self::Q8_0 => Scheme::Q8_0(ggml::Q8_0),
            Self::Q4_0 => Scheme::Q4_0(ggml::Q4_0),
            Self::Q4_1 => Scheme::Q4_1(ggml::Q4_1),
            Self::Q4K { steps } => Scheme::Q4K(ggml::Q4K { steps }),
        }
    }

    /// The model once quantized, as numbers; biases as they are.
    pub(super) fn quantized(self, parameters: &[f32]) -> Result<Vec<f32>> {
        let mut quantized = parameters.to_vec();
        for (range, row_length) in matrices() {
            let scheme = self.scheme(row_length);
            let (codes, scales) = encode(&scheme, &parameters[range.clone()])?;
            scheme.dequantize(&codes, &scales, &mut quantized[range])?;
        }
        Ok(quantized)
    }

    /// Digest of all codes and scales.
    pub(super) fn digest(self, parameters: &[f32]) -> Result<u64> {
        let mut digest = Fnv1a64::new();
        for (range, row_length) in matrices() {
            let (codes, scales) = encode(&self.scheme(row_length), &parameters[range])?;
            digest.write(&codes);
            digest.write_f32(&scales);
        }
        Ok(digest.finish())
    }

    /// Codes and scales in which two models differ once quantized.
    pub(super) fn differences(self, before: &[f32], after: &[f32]) -> Result<Comparison> {
        let mut sum = Comparison::default();
        for (range, row_length) in matrices() {
            let found = compare(&self.scheme(row_length), &before[range.clone()], &after[range])?;
            sum.codes += found.codes;
            sum.scales += found.scales;
            sum.first = sum.first.or(found.first);
        }
        Ok(sum)
    }

    /// Adds normal noise of ρ times the median half-width of the cells, matrix by matrix.
    pub(super) fn with_noise(
        self,
        parameters: &[f32],
        half_widths: &[f32],
        rho: f32,
        key: Key,
    ) -> Result<Vec<f32>> {
        let mut noisy = parameters.to_vec();
        for (index, ((range, _), half_width)) in (0..).zip(matrices().zip(half_widths)) {
            noise_defend(&parameters[range.clone()], rho * half_width, key.child(index), &mut noisy[range])?;
        }
        Ok(noisy)
    }
}

/// Codes and scales of a matrix.
fn encode(scheme: &Scheme, weights: &[f32]) -> Result<(Vec<u8>, Vec<f32>)> {
    let (mut codes, mut scales) = (vec![0; weights.len()], vec![0.0; scheme.scales_length(weights.len())?]);
    scheme.quantize(weights, &mut codes, &mut scales)?;
    Ok((codes, scales))
}

/// One quantizer, or several at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    pub(super) name: &'static str,
    pub(super) quantizers: &'static [Quantizer],
}

pub(super) const INT8: Format = Format { name: "int8", quantizers: &[Quantizer::Int(8)] };
pub(super) const NF4: Format = Format { name: "NF4", quantizers: &[Quantizer::Nf4] };
pub(super) const FP4: Format = Format { name: "FP4", quantizers: &[Quantizer::Fp4] };

/// The formats of the table of gaps.
pub(super) const FORMATS: [Format; 9] = [
    INT8,
    NF4,
    FP4,
    Format { name: "Q8_0", quantizers: &[Quantizer::Q8_0] },
    Format { name: "Q4_0", quantizers: &[Quantizer::Q4_0] },
    Format { name: "Q4_1", quantizers: &[Quantizer::Q4_1] },
    Format { name: "Q4_K (0 steps)", quantizers: &[Quantizer::Q4K { steps: 0 }] },
    Format { name: "Q4_K (20 steps)", quantizers: &[Quantizer::Q4K { steps: 20 }] },
    Format { name: "NF4 and FP4", quantizers: &[Quantizer::Nf4, Quantizer::Fp4] },
];

/// Integers of 7 to 3 bits.
pub(super) const FEWER_BITS: [Format; 5] = [
    Format { name: "int7", quantizers: &[Quantizer::Int(7)] },
    Format { name: "int6", quantizers: &[Quantizer::Int(6)] },
    Format { name: "int5", quantizers: &[Quantizer::Int(5)] },
    Format { name: "int4", quantizers: &[Quantizer::Int(4)] },
    Format { name: "int3", quantizers: &[Quantizer::Int(3)] },
];

impl Format {
    /// The box of weights with the same bytes in every quantizer of the format.
    pub(super) fn cell(&self, parameters: &[f32]) -> Result<(Cell, Soundness)> {
        let length = network().weights();
        let mut cell = Cell { lower: vec![f32::MIN; length], upper: vec![f32::MAX; length] };
        let mut soundness = Soundness::Exact;
        for quantizer in self.quantizers {
            for (range, row_length) in matrices() {
                let (mut lower, mut upper) = (vec![0.0; range.len()], vec![0.0; range.len()]);
                let weights = &parameters[range.clone()];
                let scheme = quantizer.scheme(row_length);
                if cells(&scheme, &CellSettings::default(), weights, &mut lower, &mut upper)?
                    == Soundness::Heuristic
                {
                    soundness = Soundness::Heuristic;
                }
                for (end, lower) in cell.lower[range.clone()].iter_mut().zip(lower) {
                    *end = end.max(lower);
                }
                for (end, upper) in cell.upper[range].iter_mut().zip(upper) {
                    *end = end.min(upper);
                }
            }
        }
        Ok((cell, soundness))
    }

    /// Pulls weights back towards the origin until they quantize to its bytes.
    pub(super) fn back_off(&self, origin: &[f32], parameters: &mut [f32]) -> Result<Backoff> {
        let mut sum = Backoff::default();
        for quantizer in self.quantizers {
            for (range, row_length) in matrices() {
                let scheme = quantizer.scheme(row_length);
                let report = verify_backoff(&scheme, &origin[range.clone()], &mut parameters[range])?;
                sum.pulled += report.pulled;
                sum.reset += report.reset;
            }
        }
        Ok(sum)
    }
}

impl Cell {
    /// The median half-width of the cells of each matrix.
    pub(super) fn median_half_widths(&self) -> Result<Vec<f32>> {
        matrices()
            .map(|(range, _)| {
                Ok(median_half_width(&self.lower[range.clone()], &self.upper[range])?.unwrap_or(0.0))
            })
            .collect()
    }

    /// Mean half-width of the cells that have a width.
    pub(super) fn mean_half_width(&self) -> f64 {
        let widths =
            || self.lower.iter().zip(&self.upper).map(|(l, u)| f64::from(u - l)).filter(|&w| w > 0.0);
        widths().sum::<f64>() / 2.0 / widths().count().max(1) as f64
    }

    /// Where each weight lies in its cell, from 0 to 1; none for cells without a width.
    pub(super) fn positions(&self, weights: &[f32]) -> impl Iterator<Item = f64> {
        let ends = self.lower.iter().zip(&self.upper);
        weights
            .iter()
            .zip(ends)
            .filter(|(_, (lower, upper))| lower < upper)
            .map(|(&weight, (&lower, &upper))| f64::from(weight - lower) / f64::from(upper - lower))
    }
}

/// Ranges of the weight matrices among the parameters, with the lengths of their rows.
pub(super) fn matrices() -> impl Iterator<Item = (Range<usize>, usize)> {
    let mut start = 0;
    WIDTHS.windows(2).map(move |pair| {
        let range = start..start + pair[0] * pair[1];
        start = range.end;
        (range, pair[0])
    })
}
