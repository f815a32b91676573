use crate::Error;

/// 2⁻¹⁰⁰: a group whose weights all have smaller magnitudes gets scale 0 and the code of zero.
pub const SMALLEST_SCALE: f32 = f32::from_bits(0x0d80_0000);
/// 2¹⁰⁰: weights of larger magnitude are refused.
pub const LARGEST_WEIGHT: f32 = f32::from_bits(0x7180_0000);

/// The map of one weight to its code, the scale data being fixed.
///
/// Guarantee: [`rank`](Self::rank) is nondecreasing in x over |x| ≤ 2¹⁰⁰, and two weights have equal ranks
/// exactly if they have equal codes. Hence the weights that share a code are one contiguous range of floats:
/// the code's cell.
pub trait CodeMap {
    /// The code of x, as it is stored in a byte. Cost: 2 to 6 flops.
    fn code(&self, x: f32) -> u8;
    /// The code's position in the order of the values. Cost: as [`code`](Self::code).
    fn rank(&self, x: f32) -> i32;
    /// Smallest and largest rank.
    fn ranks(&self) -> (i32, i32);
    /// About the smallest x of this rank: the closed form, a few units in the last place off. Cost: 2 to 4
    /// flops.
    fn border(&self, rank: i32) -> f32;
    /// The row of scales as numbers; the second column is 0 where a scheme has only one.
    fn scales(&self) -> [f32; 2];
    /// The scale data as stored, bit for bit.
    fn stored(&self) -> u64;
    /// If the scale data are those of a part of tiny weights: the largest magnitude that keeps them.
    fn tiny(&self) -> Option<f32>;
    /// Which weights must stay, and within which bounds the others may move, so that the scale data stay.
    fn freeze(&self) -> Freeze;
}

/// Rules under which the scale data of a part stay to the bit.
///
/// In each, w is the part, and the bounds hold for the weights that are not frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Freeze {
    /// The first weight with |w| = a is frozen; |x| ≤ a.
    Magnitude,
    /// The first weight with |w| = a is frozen; |x| ≤ a behind it and |x| < a before it, where an equal
    /// magnitude would become the first and could change the scale's sign.
    SignedMagnitude,
    /// The first maximum and the first minimum are frozen; x between them. Before a minimum that is a zero, x > 0:
    /// a zero of the other sign would become the first minimum.
    Extremes,
    /// With lo = min(0, min w) and hi = max(0, max w): the first minimum is frozen if it is negative, the
    /// first maximum if it is positive; lo ≤ x ≤ hi.
    AroundZero,
    /// The first maximum is frozen, the first minimum if it is negative; min(0, min w) ≤ x ≤ max w.
    BelowZero,
    /// A search decides on the scale data: no bounds are known.
    Search,
}

/// A quantizer: how the scale data of a group are found, and what a code stands for.
pub trait Quantizer {
    /// The code map of one part.
    type Map: CodeMap;
    /// The code maps of the parts of one group, in order.
    type Maps: AsRef<[Self::Map]>;

    /// Weights a group: they share scale data.
    fn group_length(&self) -> usize;
    /// Weights a part: they share one row of scales.
    fn part_length(&self) -> usize;
    /// Numbers in a row of scales: 1 or 2.
    fn scale_columns(&self) -> usize;
    /// Whether the last group may be shorter than the others.
    fn allows_short_group(&self) -> bool;
    /// Refuses settings out of range.
    ///
    /// # Errors
    /// [`Error::Setting`].
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
    /// Fits the scale data of one group.
    ///
    /// # Errors
    /// [`Error::NonFinite`]; [`Error::Setting`] for weights out of range; [`Error::Dimension`] for a group
    /// whose length does not fit.
    fn fit(&self, weights: &[f32]) -> Result<Self::Maps, Error>;
    /// The value a code stands for, under a row of scales. Any byte is accepted; bits beyond the code are
    /// ignored.
    fn value(&self, code: u8, scales: [f32; 2]) -> f32;
}

/// a = max|wᵢ|, 0 for none. Cost: 2n integer operations: magnitudes are ordered like their bits, NaN above
/// all.
///
/// # Errors
/// [`Error::NonFinite`]; [`Error::Setting`] beyond [`LARGEST_WEIGHT`].
pub(crate) fn magnitude(weights: &[f32]) -> Result<f32, Error> {
    let bits = weights.iter().fold(0, |largest, weight| largest.max(weight.to_bits() & 0x7fff_ffff));
    if bits <= LARGEST_WEIGHT.to_bits() {
        return Ok(f32::from_bits(bits));
    }
    crate::check_finite("weights", weights)?;
    Err(Error::Setting { name: "weights", expected: "magnitudes of at most 2^100" })
}

/// The first weight of largest magnitude; 0 for none.
pub(crate) fn first_magnitude(weights: &[f32]) -> f32 {
    weights.iter().fold(0.0, |first: f32, &weight| if weight.abs() > first.abs() { weight } else { first })
}
