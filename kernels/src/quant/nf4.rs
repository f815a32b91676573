use super::{CodeMap, Freeze, Quantizer, SMALLEST_SCALE, magnitude};
use crate::real::Float;
use crate::{Error, check_length};

/// N₀..N₁₅: the values of the codes for a = 1.
const VALUES: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// t₀..t₁₄ as bits, tⱼ = fl((Nⱼ + Nⱼ₊₁)/2); a last entry that no weight reaches makes a power of two of them.
const THRESHOLDS: [f32; 16] = {
    let bits: [u32; 16] = [
        0xbf59_1cd8,
        0xbf1c_5270,
        0xbeeb_8480,
        0xbead_ea76,
        0xbe70_3cec,
        0xbe0d_38bc,
        0xbd3a_7871,
        0x3d22_faff,
        0x3df6_4862,
        0x3e50_67e0,
        0x3e95_82d4,
        0x3ec7_53f9,
        0x3f00_6d04,
        0x3f24_8daf,
        0x3f5c_89da,
        0x7f80_0000,
    ];
    let mut thresholds = [0.0; 16];
    let mut i = 0;
    while i < 16 {
        thresholds[i] = f32::from_bits(bits[i]);
        i += 1;
    }
    thresholds
};

/// #{j : y > tⱼ}, by four comparisons.
#[inline]
fn code(y: f32) -> usize {
    let mut code = 0;
    for step in [8, 4, 2, 1] {
        if y > THRESHOLDS[(code + step - 1) & 15] {
            code += step;
        }
    }
    code & 15
}

/// Normal float of 4 bits: c = #{j : fl(x·fl(1/a)) > tⱼ} with a = max|w| over 64 weights; value fl(N_c·a).
///
/// Shapes: groups of 64 consecutive weights, the last may be shorter; codes 0..15; one scale a group, a.
/// Guarantees: a dequantized group quantizes to the same bytes; see [the range](super#range). Cost: 6n.
/// Source: T. Dettmers et al., "QLoRA", 2023; values and thresholds are those of the package bitsandbytes,
/// and so is the product with the rounded reciprocal.
///
/// ```
/// use quern_kernels::quant::Nf4;
/// let mut codes = [0; 3];
/// assert_eq!(Nf4.quantize(&[0.5, -2.0, 0.0], &mut codes), Ok(2.0));
/// assert_eq!(codes, [10, 0, 7]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Nf4;

/// The code map of one group of [`Nf4`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nf4Map {
    scale: f32,
    reciprocal: f32,
}

impl Nf4 {
    /// Weights a group.
    pub const GROUP: usize = 64;

    /// Quantizes one group of any length: writes the codes and returns the scale a.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NonFinite`]; [`Error::Setting`] for weights out of range.
    pub fn quantize(&self, weights: &[f32], codes: &mut [u8]) -> Result<f32, Error> {
        check_length("codes", codes.len(), weights.len())?;
        let [map] = self.fit(weights)?;
        for (code, &weight) in codes.iter_mut().zip(weights) {
            *code = map.code(weight);
        }
        Ok(map.scale)
    }
}

impl Quantizer for Nf4 {
    type Map = Nf4Map;
    type Maps = [Nf4Map; 1];

    fn group_length(&self) -> usize {
        Self::GROUP
    }
    fn part_length(&self) -> usize {
        Self::GROUP
    }
    fn scale_columns(&self) -> usize {
        1
    }
    fn allows_short_group(&self) -> bool {
        true
    }
    #[inline]
    fn fit(&self, weights: &[f32]) -> Result<[Nf4Map; 1], Error> {
        let scale = magnitude(weights)?;
        Ok([if scale < SMALLEST_SCALE {
            Nf4Map { scale: 0.0, reciprocal: 0.0 }
        } else {
            Nf4Map { scale, reciprocal: 1.0 / scale }
        }])
    }
    #[inline]
    fn value(&self, code: u8, [scale, _]: [f32; 2]) -> f32 {
        VALUES[usize::from(code & 15)] * scale
    }
}

impl CodeMap for Nf4Map {
    #[inline]
    fn code(&self, x: f32) -> u8 {
        code(x * self.reciprocal) as u8
    }
    #[inline]
    fn rank(&self, x: f32) -> i32 {
        code(x * self.reciprocal) as i32
    }
    fn ranks(&self) -> (i32, i32) {
        (0, 15)
    }
    #[inline]
    fn border(&self, rank: i32) -> f32 {
        THRESHOLDS[rank.wrapping_sub(1) as usize & 15] * self.scale
    }
    fn scales(&self) -> [f32; 2] {
        [self.scale, 0.0]
    }
    fn stored(&self) -> u64 {
        u64::from(self.scale.to_bits())
    }
    fn tiny(&self) -> Option<f32> {
        (self.scale == 0.0).then_some(SMALLEST_SCALE.next_below())
    }
    fn freeze(&self) -> Freeze {
        Freeze::Magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_the_rounded_midpoints_of_the_values() {
        for (pair, threshold) in VALUES.windows(2).zip(THRESHOLDS) {
            assert_eq!((f64::midpoint(pair[0].into(), pair[1].into()) as f32).to_bits(), threshold.to_bits());
        }
    }

    #[test]
    fn values_are_those_published() {
        let published = [
            -1.0,
            -0.6961928009986877,
            -0.5250730514526367,
            -0.39491748809814453,
            -0.28444138169288635,
            -0.18477343022823334,
            -0.09105003625154495,
            0.0,
            0.07958029955625534,
            0.16093020141124725,
            0.24611230194568634,
            0.33791524171829224,
            0.44070982933044434,
            0.5626170039176941,
            0.7229568362236023,
            1.0,
        ];
        for (value, published) in VALUES.into_iter().zip(published) {
            assert_eq!(f64::from(value), published);
        }
    }

    #[test]
    fn the_tree_counts_the_thresholds_below() {
        for key in (0..=0x7fff).map(|i| (i - 0x4000) << 16) {
            let y = f32::from_order_key(key);
            assert_eq!(code(y), THRESHOLDS.iter().filter(|&&threshold| y > threshold).count(), "{y}");
        }
        for (j, threshold) in THRESHOLDS.into_iter().take(15).enumerate() {
            assert_eq!((code(threshold), code(threshold.next_above())), (j, j + 1));
        }
        assert_eq!(code(f32::INFINITY), 15);
    }

    #[test]
    fn groups_of_tiny_weights_get_the_code_of_zero() {
        let mut codes = [0; 2];
        assert_eq!(Nf4.quantize(&[1e-38, -1e-38], &mut codes), Ok(0.0));
        assert_eq!(codes, [7, 7]);
        assert_eq!(
            Nf4.quantize(&[f32::NAN, 1.0], &mut codes),
            Err(Error::NonFinite { what: "weights", index: 0 })
        );
    }
}
