//! Audit of quantized models: whether two models are the same once quantized, and signs of tampering.

use super::{CodeMap, Quantizer, Scheme, dispatch, groups, offset_index};
use crate::real::Float;
use crate::{Error, check_finite, check_length};

/// Whether two models quantize to the same bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Comparison {
    /// Weights whose codes differ.
    pub codes: usize,
    /// Parts whose stored scale data differ.
    pub scales: usize,
    /// The first difference in storage order, a part's scales before its codes.
    pub first: Option<Difference>,
}

/// Where two quantized models differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Difference {
    /// The scale data of a part.
    Scale {
        /// Index of the part, which is the row of the scales.
        part: usize,
    },
    /// The code of a weight.
    Code {
        /// Index of the weight.
        weight: usize,
        /// Its code in the first model.
        before: u8,
        /// Its code in the second.
        after: u8,
    },
}

impl Comparison {
    /// No difference in any byte.
    pub const fn identical(&self) -> bool {
        self.first.is_none()
    }

    fn note(&mut self, difference: Difference) {
        let count = match difference {
            Difference::Scale { .. } => &mut self.scales,
            Difference::Code { .. } => &mut self.codes,
        };
        *count = count.saturating_add(1);
        self.first = self.first.or(Some(difference));
    }
}

/// Quantizes two models and compares codes and stored scale data, bit for bit, for the k-quants down to the
/// sub-scales of the block.
///
/// Shapes: before and after of n, whole groups as for [`Scheme::quantize`]. Guarantee:
/// [`Comparison::identical`] exactly if the two models have the same bytes once quantized. Cost: two
/// quantizations; no lent memory.
///
/// # Errors
/// Those of [`Scheme::quantize`], for either model.
///
/// ```
/// use quern_kernels::quant::audit::{Difference, compare};
/// use quern_kernels::quant::{Nf4, Scheme};
/// let scheme = Scheme::Nf4(Nf4);
/// assert!(compare(&scheme, &[1.0, 0.5], &[1.0, 0.45])?.identical());
/// let differs = compare(&scheme, &[1.0, 0.5], &[1.0, 0.7])?;
/// assert_eq!(differs.first, Some(Difference::Code { weight: 1, before: 12, after: 14 }));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn compare(scheme: &Scheme, before: &[f32], after: &[f32]) -> Result<Comparison, Error> {
    scheme.scales_length(before.len())?;
    check_length("after", after.len(), before.len())?;
    let mut comparison = Comparison::default();
    dispatch!(scheme, quantizer => compare_with(quantizer, before, after, &mut comparison))?;
    Ok(comparison)
}

fn compare_with<Q: Quantizer>(
    quantizer: &Q,
    before: &[f32],
    after: &[f32],
    comparison: &mut Comparison,
) -> Result<(), Error> {
    let length = quantizer.part_length().max(1);
    let mut part = 0usize;
    for ((offset, before), (_, after)) in groups(quantizer, before).zip(groups(quantizer, after)) {
        let fit = |group| quantizer.fit(group).map_err(|error| offset_index(error, offset));
        let (old, new) = (fit(before)?, fit(after)?);
        let mut weight = offset;
        let parts = before.chunks(length).zip(after.chunks(length));
        for ((old, new), (before, after)) in old.as_ref().iter().zip(new.as_ref()).zip(parts) {
            if old.stored() != new.stored() {
                comparison.note(Difference::Scale { part });
            }
            for (&x, &y) in before.iter().zip(after) {
                let (before, after) = (old.code(x), new.code(y));
                if before != after {
                    comparison.note(Difference::Code { weight, before, after });
                }
                weight = weight.wrapping_add(1);
            }
            part = part.wrapping_add(1);
        }
    }
    Ok(())
}

/// Whether two groups, with their fitted maps, have the same bytes.
pub(crate) fn same_bytes<M: CodeMap>(
    part_length: usize,
    old: &[M],
    before: &[f32],
    new: &[M],
    after: &[f32],
) -> bool {
    let length = part_length.max(1);
    let parts = before.chunks(length).zip(after.chunks(length));
    old.iter().zip(new).zip(parts).all(|((old, new), (before, after))| {
        old.stored() == new.stored() && before.iter().zip(after).all(|(&x, &y)| old.code(x) == new.code(y))
    })
}

/// The 64-bit hash FNV-1a, fed piece by piece: h ← (h xor byte)·0x100000001b3 modulo 2⁶⁴, from
/// 0xcbf29ce484222325.
///
/// Guarantee: the hash of the pieces is that of their concatenation. Not a defence against deliberate
/// collisions: it names byte strings in logs and golden data. Cost: 2 integer operations a byte. Source: G.
/// Fowler, L. C. Noll, K.-P. Vo.
///
/// ```
/// use quern_kernels::quant::audit::Fnv1a64;
/// let mut hash = Fnv1a64::new();
/// hash.write(b"foo");
/// hash.write(b"bar");
/// assert_eq!(hash.finish(), 0x85944171f73967e8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fnv1a64(u64);

impl Fnv1a64 {
    /// The hash of nothing.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    /// Appends numbers as their little-endian bytes.
    pub fn write_f32(&mut self, numbers: &[f32]) {
        for number in numbers {
            self.write(&number.to_le_bytes());
        }
    }
    /// The hash of what was appended.
    pub const fn finish(&self) -> u64 {
        self.0
    }
}

impl Default for Fnv1a64 {
    fn default() -> Self {
        Self::new()
    }
}

/// The hash [`Fnv1a64`] of some bytes.
///
/// ```
/// assert_eq!(quern_kernels::quant::audit::fnv1a64(b"a"), 0xaf63dc4c8601ec8c);
/// ```
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    let mut hash = Fnv1a64::new();
    hash.write(bytes);
    hash.finish()
}

/// How many weights sit at the borders of their cells.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Occupancy {
    /// Weights within ε of a border.
    pub near: usize,
    /// Weights whose cells have a width.
    pub total: usize,
    /// z = (k − 2εn)/√(2εn(1 − 2ε)), with k near of n in total: standard normal for weights spread evenly
    /// over their cells, large for weights that were pushed against borders. 0 if n = 0.
    pub z: f32,
}

impl Occupancy {
    /// k/n, the share of weights within ε of a border; 0 for none. Weights spread evenly over their cells
    /// have 2ε.
    pub fn share(&self) -> f32 {
        if self.total == 0 { 0.0 } else { self.near as f32 / self.total as f32 }
    }
}

/// Counts the weights close to a border: those with min(w − l, u − w)/(u − l) ≤ ε, over cells with l < u.
///
/// Shapes: weights, lower, upper of n. ε is a share of the cell's width, between 0 and 1/2. Guarantee:
/// weights outside of their cells count as near. Not proof of tampering: compare bytes, and test with noise.
/// Cost: 4n flops. Source: the count is ours; the cells are those of
/// [`cells`](crate::prox::quant_cell::cells).
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Setting`] for ε.
///
/// ```
/// use quern_kernels::quant::audit::occupancy;
/// let found = occupancy(&[0.0, 0.5, 2.0], &[0.0, 0.0, 2.0], &[1.0, 1.0, 2.0], 0.125)?;
/// assert_eq!((found.near, found.total, found.share()), (1, 2, 0.5));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn occupancy(weights: &[f32], lower: &[f32], upper: &[f32], epsilon: f32) -> Result<Occupancy, Error> {
    check_length("lower", lower.len(), weights.len())?;
    check_length("upper", upper.len(), weights.len())?;
    check_finite("weights", weights)?;
    check_finite("lower", lower)?;
    check_finite("upper", upper)?;
    if !(epsilon > 0.0 && epsilon < 0.5) {
        return Err(Error::Setting { name: "epsilon", expected: "above 0 and below 1/2" });
    }
    let (mut near, mut total) = (0usize, 0usize);
    for ((&weight, &lower), &upper) in weights.iter().zip(lower).zip(upper) {
        // Halves first: the width of a cell of finite ends may overflow, half of it cannot.
        let half_width = upper * 0.5 - lower * 0.5;
        if half_width > 0.0 {
            let (below, above) = (weight * 0.5 - lower * 0.5, upper * 0.5 - weight * 0.5);
            let nearer = if below < above { below } else { above };
            total = total.saturating_add(1);
            if nearer / half_width <= epsilon {
                near = near.saturating_add(1);
            }
        }
    }
    Ok(Occupancy { near, total, z: z_score(near, total, epsilon) })
}

/// z = (k − 2εn)/√(2εn(1 − 2ε)); 0 for n = 0.
fn z_score(near: usize, total: usize, epsilon: f32) -> f32 {
    if total == 0 {
        return 0.0;
    }
    let expected = 2.0 * epsilon * total as f32;
    (near as f32 - expected) / crate::Real::sqrt(expected * (1.0 - 2.0 * epsilon))
}

/// h, the median of the half-widths (uᵢ − lᵢ)/2 over cells with l < u: of an even number the lower of the two
/// in the middle. `None` if no cell has a width.
///
/// Shapes: lower and upper of n. Guarantee: exact, the half-width of one of the cells. Cost: bisection on the
/// order key, at most 32 passes of 3n operations; no lent memory. Source: the size of the noise defence, see
/// [`noise_defend`](super::noise_defend).
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`].
///
/// ```
/// use quern_kernels::quant::audit::median_half_width;
/// assert_eq!(median_half_width(&[0.0, 0.0, 1.0, 7.0], &[2.0, 8.0, 7.0, 7.0]), Ok(Some(3.0)));
/// assert_eq!(median_half_width(&[7.0], &[7.0]), Ok(None));
/// ```
pub fn median_half_width(lower: &[f32], upper: &[f32]) -> Result<Option<f32>, Error> {
    check_length("upper", upper.len(), lower.len())?;
    check_finite("lower", lower)?;
    check_finite("upper", upper)?;
    let half_widths = || {
        lower.iter().zip(upper).map(|(&lower, &upper)| upper * 0.5 - lower * 0.5).filter(|&width| width > 0.0)
    };
    let total = half_widths().count();
    if total == 0 {
        return Ok(None);
    }
    let wanted = total.div_ceil(2);
    // The smallest key such that at least half of the widths are at most its number.
    let (mut bottom, mut top) = (0, f32::MAX.order_key());
    while bottom < top {
        let middle = (bottom & top) + ((bottom ^ top) >> 1);
        if half_widths().filter(|width| width.order_key() <= middle).count() >= wanted {
            top = middle;
        } else {
            bottom = middle.wrapping_add(1);
        }
    }
    Ok(Some(f32::from_order_key(top)))
}
