use super::{CodeMap, Freeze, Quantizer, Rule, SMALLEST_SCALE, magnitude};
use crate::real::Float;
use crate::{Error, check_length};

/// Magnitudes by the three low bits of the code, for a = 1: 0, 1/192, 2/3, 1, 1/3, 1/2, 1/6, 1/4.
const MAGNITUDES: [f32; 8] = [0.0, 1.0 / 192.0, 2.0 / 3.0, 1.0, 1.0 / 3.0, 0.5, 1.0 / 6.0, 0.25];
/// The code of the m-th smallest magnitude.
const FROM_RANK: [u8; 8] = [0, 1, 6, 7, 4, 5, 2, 3];

/// s₀..s₆, where the cells of the magnitudes end; a last entry that no weight reaches makes a power of two of
/// them. Five of the decimal literals of the reference's kernel differ from the midpoints by units in the last
/// place.
#[inline]
fn thresholds(rule: Rule) -> &'static [f32; 8] {
    const KERNEL: [f32; 8] = [
        0.002_604_17,
        0.085_937_5,
        0.208_333_33,
        0.291_666_67,
        0.416_666_7,
        0.583_333,
        0.833_333_3,
        f32::INFINITY,
    ];
    const MIDPOINTS: [f32; 8] = {
        let mut thresholds = [f32::INFINITY; 8];
        let mut m = 0;
        while m < 7 {
            let lower = MAGNITUDES[FROM_RANK[m] as usize];
            let upper = MAGNITUDES[FROM_RANK[m + 1] as usize];
            thresholds[m] = (lower + upper) / 2.0;
            m += 1;
        }
        thresholds
    };
    match rule {
        Rule::Kernel => &KERNEL,
        Rule::Processor => &MIDPOINTS,
    }
}

/// Floating point of 4 bits: with y = fl(x·fl(1/a)), m = #{j : |y| > sⱼ}; code FROMRANK\[m\], plus 8 if y <
/// 0; value fl(±F·a).
///
/// By [`Rule::Processor`] the sⱼ are midpoints, ties go to the lower value (|y| ≥ sⱼ for y < 0), and zero has
/// the code 8 if y > 0 and 0 otherwise.
///
/// Shapes: groups of 64 consecutive weights, the last may be shorter; codes 0..15; one scale a group, a =
/// max|w|. Guarantees: a dequantized group quantizes to the same bytes, but for the sign of zeros under code
/// 8, which stands for −0 and quantizes to code 0; see [the range](super#range). Cost: 6n. Source: the
/// package bitsandbytes, its kernel `dQuantizeFP4` and its path on a processor.
///
/// ```
/// use quern_kernels::quant::Fp4;
/// let mut codes = [0; 5];
/// assert_eq!(Fp4::default().quantize(&[1.0, -2.0, 0.0, -0.0, -1e-9], &mut codes), Ok(2.0));
/// assert_eq!(codes, [5, 8 + 3, 0, 0, 8]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fp4 {
    /// Where a magnitude's cell ends, and which code zero has.
    pub rule: Rule,
}

/// The code map of one group of [`Fp4`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fp4Map {
    scale: f32,
    reciprocal: f32,
    rule: Rule,
}

impl Fp4 {
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

impl Fp4Map {
    /// Whether y is on the side of −0 or below it, and m by three comparisons.
    #[inline]
    fn place(&self, x: f32) -> (bool, usize) {
        let y = x * self.reciprocal;
        let thresholds = thresholds(self.rule);
        let (below, ties_count) = match self.rule {
            Rule::Kernel => (y < 0.0, false),
            Rule::Processor => (y <= 0.0, y < 0.0),
        };
        let mut m = 0;
        for step in [4, 2, 1] {
            let threshold = thresholds[(m + step - 1) & 7];
            if y.abs() > threshold || (ties_count && y.abs() == threshold) {
                m += step;
            }
        }
        (below, m & 7)
    }
}

impl Quantizer for Fp4 {
    type Map = Fp4Map;
    type Maps = [Fp4Map; 1];

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
    fn fit(&self, weights: &[f32]) -> Result<[Fp4Map; 1], Error> {
        let scale = magnitude(weights)?;
        let rule = self.rule;
        Ok([if scale < SMALLEST_SCALE {
            Fp4Map { scale: 0.0, reciprocal: 0.0, rule }
        } else {
            Fp4Map { scale, reciprocal: 1.0 / scale, rule }
        }])
    }
    #[inline]
    fn value(&self, code: u8, [scale, _]: [f32; 2]) -> f32 {
        let value = MAGNITUDES[usize::from(code & 7)] * scale;
        if code & 8 == 0 { value } else { -value }
    }
}

impl CodeMap for Fp4Map {
    #[inline]
    fn code(&self, x: f32) -> u8 {
        let (below, m) = self.place(x);
        let zero_above = self.rule == Rule::Processor && m == 0;
        FROM_RANK[m] | if below != zero_above { 8 } else { 0 }
    }
    #[inline]
    fn rank(&self, x: f32) -> i32 {
        let (below, m) = self.place(x);
        if below { -1 - m as i32 } else { m as i32 }
    }
    fn ranks(&self) -> (i32, i32) {
        (-8, 7)
    }
    #[inline]
    fn border(&self, rank: i32) -> f32 {
        let thresholds = thresholds(self.rule);
        // Rank m ≥ 1 starts above s₍ₘ₋₁₎a, rank −1 − m at −sₘa, rank 0 at −0.
        match rank {
            1.. => thresholds[rank.wrapping_sub(1) as usize & 7] * self.scale,
            0 if self.rule == Rule::Kernel => -0.0,
            0 => 0.0f32.next_above(),
            _ => -thresholds[rank.wrapping_add(1).unsigned_abs() as usize & 7] * self.scale,
        }
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
    fn thresholds_have_the_bits_of_the_reference() {
        let bits = thresholds(Rule::Kernel).map(f32::to_bits);
        let expected = [
            0x3b2a_aab9,
            0x3db0_0000,
            0x3e55_5555,
            0x3e95_5555,
            0x3ed5_5556,
            0x3f15_5550,
            0x3f55_5555,
            0x7f80_0000,
        ];
        assert_eq!(bits, expected);
        let differing =
            thresholds(Rule::Processor).map(f32::to_bits).into_iter().zip(bits).filter(|(m, k)| m != k);
        assert_eq!(differing.count(), 5);
        assert_eq!(MAGNITUDES[1].to_bits(), 0x3baa_aaab);
    }

    #[test]
    fn ranks_rise_with_the_magnitudes() {
        for pair in FROM_RANK.windows(2) {
            assert!(MAGNITUDES[usize::from(pair[0])] < MAGNITUDES[usize::from(pair[1])]);
        }
        let [map] = Fp4::default().fit(&[1.0]).unwrap();
        for (rank, &code) in FROM_RANK.iter().enumerate() {
            let value = MAGNITUDES[usize::from(code)];
            assert_eq!((map.code(value), map.rank(value)), (code, rank as i32));
            if rank > 0 {
                assert_eq!((map.code(-value), map.rank(-value)), (code | 8, -1 - rank as i32));
            }
        }
    }

    #[test]
    fn zeros_have_a_sign_only_if_the_scaled_weight_is_negative() {
        let [map] = Fp4::default().fit(&[-1.0]).unwrap();
        assert_eq!([0.0, -0.0, -1e-40, 1e-40].map(|x| map.code(x)), [0, 0, 8, 0]);
        let [map] = Fp4 { rule: Rule::Processor }.fit(&[-1.0]).unwrap();
        assert_eq!([0.0, -0.0, -1e-40, 1e-40].map(|x| map.code(x)), [0, 0, 0, 8]);
        // The product with the reciprocal of a large scale underflows to −0.
        let [map] = Fp4::default().fit(&[1e30]).unwrap();
        assert_eq!([-1e-40, -1e-10].map(|x| map.code(x)), [0, 8]);
    }

    #[test]
    fn on_a_processor_ties_go_to_the_lower_value() {
        let [map] = Fp4 { rule: Rule::Processor }.fit(&[1.0]).unwrap();
        for (m, &threshold) in thresholds(Rule::Processor).iter().take(7).enumerate() {
            assert_eq!(map.rank(threshold), m as i32);
            assert_eq!(map.rank(threshold.next_above()), m as i32 + 1);
            assert_eq!(map.rank(-threshold), -2 - m as i32);
            assert_eq!(map.rank((-threshold).next_above()), -1 - m as i32);
        }
    }
}
