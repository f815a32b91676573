use super::ggml::{Q4_0, Q4_1, Q4K, Q6K, Q8_0};
use super::{AbsmaxInt, AsymU8, CodeMap, Fp4, Nf4, Quantizer};
use crate::{Error, check_finite, check_length};

/// A quantizer chosen at run time, on whole row-major arrays.
///
/// n weights make ⌈n/g⌉ groups of g = [`group_length`](Self::group_length) and n/p parts of p =
/// [`part_length`](Self::part_length). Rows are groups for [`Int`](Self::Int) and [`AsymU8`](Self::AsymU8);
/// for the others groups run over the array regardless of rows. Codes: one byte a weight, in weight order.
/// Scales: one row a part, row-major.
///
/// ```
/// use quern_kernels::quant::{Nf4, Scheme};
/// let scheme = Scheme::Nf4(Nf4);
/// let weights: [f32; 100] = core::array::from_fn(|i| i as f32 - 50.0);
/// let (mut codes, mut scales, mut dequantized) = ([0; 100], [0.0; 2], [0.0; 100]);
/// assert_eq!(scheme.scales_length(100), Ok(2));
/// scheme.quantize(&weights, &mut codes, &mut scales)?;
/// assert_eq!(scales, [50.0, 49.0]);
/// scheme.dequantize(&codes, &scales, &mut dequantized)?;
/// assert_eq!(dequantized[0], -50.0);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Scheme {
    /// Symmetric integers of 2 to 8 bits.
    Int(AbsmaxInt),
    /// Normal float of 4 bits.
    Nf4(Nf4),
    /// Floating point of 4 bits.
    Fp4(Fp4),
    /// Asymmetric bytes.
    AsymU8(AsymU8),
    /// Signed bytes with a half-precision scale.
    Q8_0(Q8_0),
    /// 4 bits around zero.
    Q4_0(Q4_0),
    /// 4 bits from the minimum up.
    Q4_1(Q4_1),
    /// 4 bits with two levels of scales.
    Q4K(Q4K),
    /// 6 bits with two levels of scales.
    Q6K(Q6K),
}

/// Runs an expression with the scheme's own quantizer bound to a name.
macro_rules! dispatch {
    ($scheme:expr, $quantizer:ident => $body:expr) => {
        match $scheme {
            $crate::quant::Scheme::Int($quantizer) => $body,
            $crate::quant::Scheme::Nf4($quantizer) => $body,
            $crate::quant::Scheme::Fp4($quantizer) => $body,
            $crate::quant::Scheme::AsymU8($quantizer) => $body,
            $crate::quant::Scheme::Q8_0($quantizer) => $body,
            $crate::quant::Scheme::Q4_0($quantizer) => $body,
            $crate::quant::Scheme::Q4_1($quantizer) => $body,
            $crate::quant::Scheme::Q4K($quantizer) => $body,
            $crate::quant::Scheme::Q6K($quantizer) => $body,
        }
    };
}
pub(crate) use dispatch;

impl Scheme {
    /// Weights a group: they share scale data.
    pub fn group_length(&self) -> usize {
        dispatch!(self, quantizer => quantizer.group_length())
    }

    /// Weights a part: they share one row of scales.
    pub fn part_length(&self) -> usize {
        dispatch!(self, quantizer => quantizer.part_length())
    }

    /// Numbers in a row of scales: 1 or 2.
    pub fn scale_columns(&self) -> usize {
        dispatch!(self, quantizer => quantizer.scale_columns())
    }

    /// Length of the scales of n weights: rows times columns.
    ///
    /// # Errors
    /// [`Error::Dimension`] if n weights do not fill their groups (the last one may be short for [`Nf4`] and
    /// [`Fp4`]); [`Error::Setting`] for settings out of range.
    pub fn scales_length(&self, n: usize) -> Result<usize, Error> {
        dispatch!(self, quantizer => scales_length(quantizer, n))
    }

    /// Quantizes all groups.
    ///
    /// Shapes: weights and codes of n, scales of [`scales_length`](Self::scales_length)(n). Cost: that of the
    /// scheme, see its type. Nothing is promised about the outputs after an error.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Setting`] for settings or weights out of range.
    pub fn quantize(&self, weights: &[f32], codes: &mut [u8], scales: &mut [f32]) -> Result<(), Error> {
        dispatch!(self, quantizer => quantize(quantizer, weights, codes, scales))
    }

    /// The values that codes and scales stand for.
    ///
    /// Shapes: as [`quantize`](Self::quantize). Bits of a code beyond the scheme's are ignored. Cost: 1 to 2
    /// flops a weight.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] for the scales; [`Error::Setting`].
    pub fn dequantize(&self, codes: &[u8], scales: &[f32], weights: &mut [f32]) -> Result<(), Error> {
        dispatch!(self, quantizer => dequantize(quantizer, codes, scales, weights))
    }
}

fn scales_length<Q: Quantizer>(quantizer: &Q, n: usize) -> Result<usize, Error> {
    quantizer.check()?;
    let group = quantizer.group_length().max(1);
    if !quantizer.allows_short_group() && !n.is_multiple_of(group) {
        let expected = n.checked_next_multiple_of(group).unwrap_or(usize::MAX);
        return Err(Error::Dimension { what: "weights", expected, found: n });
    }
    Ok(n.div_ceil(quantizer.part_length().max(1)).saturating_mul(quantizer.scale_columns()))
}

/// The groups of an array: index of the first weight, and the weights.
pub(crate) fn groups<'a, Q: Quantizer>(
    quantizer: &Q,
    weights: &'a [f32],
) -> impl Iterator<Item = (usize, &'a [f32])> {
    let length = quantizer.group_length().max(1);
    (0..weights.len()).step_by(length).zip(weights.chunks(length))
}

/// Moves an error's index from within a group to within the array.
pub(crate) fn offset_index(error: Error, offset: usize) -> Error {
    match error {
        Error::NonFinite { what, index } => Error::NonFinite { what, index: index.saturating_add(offset) },
        other => other,
    }
}

fn quantize<Q: Quantizer>(
    quantizer: &Q,
    weights: &[f32],
    codes: &mut [u8],
    scales: &mut [f32],
) -> Result<(), Error> {
    check_length("scales", scales.len(), scales_length(quantizer, weights.len())?)?;
    check_length("codes", codes.len(), weights.len())?;
    let part_length = quantizer.part_length().max(1);
    let mut rows = scales.chunks_mut(quantizer.scale_columns().max(1));
    let mut codes = codes.chunks_mut(part_length);
    for (offset, group) in groups(quantizer, weights) {
        let maps = quantizer.fit(group).map_err(|error| offset_index(error, offset))?;
        for (map, part) in maps.as_ref().iter().zip(group.chunks(part_length)) {
            for (code, &weight) in codes.next().unwrap_or_default().iter_mut().zip(part) {
                *code = map.code(weight);
            }
            for (column, scale) in rows.next().unwrap_or_default().iter_mut().zip(map.scales()) {
                *column = scale;
            }
        }
    }
    Ok(())
}

fn dequantize<Q: Quantizer>(
    quantizer: &Q,
    codes: &[u8],
    scales: &[f32],
    weights: &mut [f32],
) -> Result<(), Error> {
    check_length("scales", scales.len(), scales_length(quantizer, weights.len())?)?;
    check_length("codes", codes.len(), weights.len())?;
    check_finite("scales", scales)?;
    let part_length = quantizer.part_length().max(1);
    let rows = scales.chunks(quantizer.scale_columns().max(1));
    let parts = weights.chunks_mut(part_length).zip(codes.chunks(part_length));
    for ((part, codes), row) in parts.zip(rows) {
        let mut columns = row.iter().copied();
        let row = [columns.next().unwrap_or_default(), columns.next().unwrap_or_default()];
        for (weight, &code) in part.iter_mut().zip(codes) {
            *weight = quantizer.value(code, row);
        }
    }
    Ok(())
}
