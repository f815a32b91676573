//! What `quantize`, `cells` and `audit` share: schemes by name, and weights from files.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use quern::io::npy::{self, Array, Entries, Shape};
use quern_kernels::quant::ggml::{Q4_0, Q4_1, Q4K, Q6K, Q8_0};
use quern_kernels::quant::{AbsmaxInt, AsymU8, Fp4, Nf4, Rule, Scheme};

/// A quantizer's name on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum Name {
    /// Signed bytes, a scale a row: the largest magnitude.
    Int8,
    /// Normal float of 4 bits, 64 weights a group.
    Nf4,
    /// Floating point of 4 bits, 64 weights a group.
    Fp4,
    /// Bytes with a zero point, a scale a row.
    AsymU8,
    /// Signed bytes, 32 weights a group.
    #[value(name = "q8_0")]
    Q8_0,
    /// 4 bits around zero, 32 weights a group.
    #[value(name = "q4_0")]
    Q4_0,
    /// 4 bits from the minimum up, 32 weights a group.
    #[value(name = "q4_1")]
    Q4_1,
    /// 4 bits with two levels of scales, 256 weights a group in 8 parts.
    #[value(name = "q4_k")]
    Q4K,
    /// 6 bits with two levels of scales, 256 weights a group in 16 parts.
    #[value(name = "q6_k")]
    Q6K,
}

/// Which of the reference's two recipes, on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum RuleName {
    /// That of its kernel for graphics cards.
    Kernel,
    /// That of its path on a processor.
    Processor,
}

/// The choice of a quantizer.
#[derive(Args)]
pub(super) struct Quantizer {
    /// The quantizer.
    #[arg(value_enum)]
    scheme: Name,
    /// Which of the two recipes of the reference, bitsandbytes, for int8 and fp4: they differ in a few codes
    /// [default: kernel].
    #[arg(long, value_enum)]
    rule: Option<RuleName>,
}

impl Quantizer {
    /// The quantizer for weights in rows of `row_length`.
    fn scheme(&self, row_length: usize) -> Result<Scheme> {
        let rule = match self.rule {
            None | Some(RuleName::Kernel) => Rule::Kernel,
            Some(RuleName::Processor) => Rule::Processor,
        };
        Ok(match self.scheme {
            Name::Int8 => Scheme::Int(AbsmaxInt { bits: 8, row_length, rule }),
            Name::Fp4 => Scheme::Fp4(Fp4 { rule }),
            _ if self.rule.is_some() => {
                bail!("--rule: expected the scheme int8 or fp4; others have one recipe")
            }
            Name::Nf4 => Scheme::Nf4(Nf4),
            Name::AsymU8 => Scheme::AsymU8(AsymU8 { row_length }),
            Name::Q8_0 => Scheme::Q8_0(Q8_0),
            Name::Q4_0 => Scheme::Q4_0(Q4_0),
            Name::Q4_1 => Scheme::Q4_1(Q4_1),
            Name::Q4K => Scheme::Q4K(Q4K::default()),
            Name::Q6K => Scheme::Q6K(Q6K::default()),
        })
    }
}

/// An array of weights.
pub(super) struct Weights {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl Weights {
    /// Reads weights. Those of 8 bytes are refused: rounding them first might move a weight to another code,
    /// and that is for the user to decide.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let Array { shape, entries } = npy::read(path)?;
        let place = path.display();
        let values = match entries {
            Entries::F32(values) => values,
            Entries::F64(_) => bail!(
                "{place}: expected float32 weights, found float64; round them first, in NumPy with .astype('float32')"
            ),
            other => bail!("{place}: expected float32 weights, found {}", other.type_name()),
        };
        ensure!(!values.is_empty(), "{place}: no weights: the shape is {}", Shape(&shape));
        Ok(Self { shape, values })
    }

    /// The length of a row: the last extent.
    pub(super) fn row_length(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The quantizer chosen, and the length of these weights' scales.
    pub(super) fn scheme(&self, quantizer: &Quantizer, path: &Path) -> Result<(Scheme, usize)> {
        let scheme = quantizer.scheme(self.row_length())?;
        let length = scheme.scales_length(self.values.len()).with_context(|| {
            let group = scheme.group_length();
            format!("{}: {} weights do not fill groups of {group}", path.display(), self.values.len())
        })?;
        Ok((scheme, length))
    }

    /// Codes and scales.
    pub(super) fn quantize(&self, quantizer: &Quantizer, path: &Path) -> Result<Quantized> {
        let (scheme, length) = self.scheme(quantizer, path)?;
        let mut codes = vec![0; self.values.len()];
        let mut scales = vec![0.0; length];
        scheme.quantize(&self.values, &mut codes, &mut scales).with_context(|| path.display().to_string())?;
        Ok(Quantized { scheme, codes, scales })
    }
}

/// Weights quantized.
pub(super) struct Quantized {
    pub(super) scheme: Scheme,
    pub(super) codes: Vec<u8>,
    pub(super) scales: Vec<f32>,
}

impl Quantized {
    /// The scales of a part.
    pub(super) fn row(&self, part: usize) -> &[f32] {
        let columns = self.scheme.scale_columns();
        self.scales.get(part * columns..(part + 1) * columns).unwrap_or_default()
    }

    /// Rows of scales.
    pub(super) fn parts(&self) -> usize {
        self.scales.len() / self.scheme.scale_columns().max(1)
    }
}
