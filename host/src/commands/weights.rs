//! What `quantize`, `cells` and `audit` share: schemes by name, and weights from files.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use quern::io::npy::{self, Array, Entries, Shape};
use quern_kernels::quant::ggml::{Q4_0, Q4_1, Q4K, Q6K, Q8_0};
use quern_kernels::quant::{AbsmaxInt, AsymU8, Fp4, Fp4Rule, Nf4, Scheme};

/// A quantizer's name on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Name {
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

impl Name {
    /// The quantizer for weights in rows of `row_length`.
    pub(super) fn scheme(self, row_length: usize) -> Scheme {
        match self {
            Self::Int8 => Scheme::Int(AbsmaxInt { bits: 8, row_length }),
            Self::Nf4 => Scheme::Nf4(Nf4),
            Self::Fp4 => Scheme::Fp4(Fp4 { rule: Fp4Rule::default() }),
            Self::AsymU8 => Scheme::AsymU8(AsymU8 { row_length }),
            Self::Q8_0 => Scheme::Q8_0(Q8_0),
            Self::Q4_0 => Scheme::Q4_0(Q4_0),
            Self::Q4_1 => Scheme::Q4_1(Q4_1),
            Self::Q4K => Scheme::Q4K(Q4K::default()),
            Self::Q6K => Scheme::Q6K(Q6K::default()),
        }
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

    /// The quantizer of this name, and the length of these weights' scales.
    pub(super) fn scheme(&self, name: Name, path: &Path) -> Result<(Scheme, usize)> {
        let scheme = name.scheme(self.row_length());
        let length = scheme.scales_length(self.values.len()).with_context(|| {
            let group = scheme.group_length();
            format!("{}: {} weights do not fill groups of {group}", path.display(), self.values.len())
        })?;
        Ok((scheme, length))
    }

    /// Codes and scales.
    pub(super) fn quantize(&self, name: Name, path: &Path) -> Result<Quantized> {
        let (scheme, length) = self.scheme(name, path)?;
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
