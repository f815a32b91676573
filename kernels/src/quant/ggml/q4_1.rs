use super::half;
use crate::quant::{CodeMap, Freeze, Quantizer, SMALLEST_SCALE, f16, magnitude};
use crate::real::Float;
use crate::{Error, check_length};

/// 4 bits from the minimum up: d = fl((mx − mn)/15), id = fl(1/d), c = min(15, ⌊fl(fl(fl(x − mn)·id) +
/// 0.5)⌋); value fl(fl(c·f16(d)) + f16(mn)).
///
/// Shapes: groups of 32; codes 0..15; two scales, f16(d) and f16(mn), mn being the first minimum. Guarantees: see
/// [the range](crate::quant#range); mx − mn below 2⁻¹⁰⁰ counts as zero, and then d = 0 and all codes are 0. Cost:
/// 6n. Source: `quantize_row_q4_1_ref` of ggml.
///
/// ```
/// use quern_kernels::quant::{Scheme, ggml::Q4_1};
/// let mut weights = [1.0; 32];
/// weights[..3].copy_from_slice(&[16.0, 2.4, 2.5]);
/// let (mut codes, mut scales) = ([0; 32], [0.0; 2]);
/// Scheme::Q4_1(Q4_1).quantize(&weights, &mut codes, &mut scales)?;
/// assert_eq!((&codes[..4], scales), (&[15, 1, 2, 0][..], [1.0, 1.0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Q4_1;

/// The code map of one group of [`Q4_1`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Q4_1Map {
    minimum: f32,
    scale: f32,
    reciprocal: f32,
    half_scale: u16,
    half_minimum: u16,
    tiny: bool,
}

impl Quantizer for Q4_1 {
    type Map = Q4_1Map;
    type Maps = [Q4_1Map; 1];

    fn group_length(&self) -> usize {
        32
    }
    fn part_length(&self) -> usize {
        32
    }
    fn scale_columns(&self) -> usize {
        2
    }
    fn allows_short_group(&self) -> bool {
        false
    }
    fn fit(&self, weights: &[f32]) -> Result<[Q4_1Map; 1], Error> {
        check_length("weights", weights.len(), 32)?;
        let zero =
            Q4_1Map { minimum: 0.0, scale: 0.0, reciprocal: 0.0, half_scale: 0, half_minimum: 0, tiny: true };
        if magnitude(weights)? < SMALLEST_SCALE {
            return Ok([zero]);
        }
        let (mut minimum, mut maximum) = (f32::MAX, f32::MIN);
        for &weight in weights {
            minimum = if weight < minimum { weight } else { minimum };
            maximum = if weight > maximum { weight } else { maximum };
        }
        let half_minimum = half(minimum)?;
        let range = maximum - minimum;
        if range < SMALLEST_SCALE {
            return Ok([Q4_1Map { minimum, half_minimum, tiny: false, ..zero }]);
        }
        let scale = range / 15.0;
        let half_scale = half(scale)?;
        Ok([Q4_1Map { minimum, scale, reciprocal: 1.0 / scale, half_scale, half_minimum, tiny: false }])
    }
    #[inline]
    fn value(&self, code: u8, [scale, minimum]: [f32; 2]) -> f32 {
        f32::from(code & 15) * scale + minimum
    }
}

impl CodeMap for Q4_1Map {
    #[inline]
    fn code(&self, x: f32) -> u8 {
        self.rank(x) as u8
    }
    #[inline]
    fn rank(&self, x: f32) -> i32 {
        (((x - self.minimum) * self.reciprocal + 0.5) as i32).min(15)
    }
    fn ranks(&self) -> (i32, i32) {
        (0, 15)
    }
    #[inline]
    fn border(&self, rank: i32) -> f32 {
        (rank as f32 - 0.5) * self.scale + self.minimum
    }
    fn scales(&self) -> [f32; 2] {
        [f16::to_f32(self.half_scale), f16::to_f32(self.half_minimum)]
    }
    fn stored(&self) -> u64 {
        u64::from(self.half_scale) | u64::from(self.half_minimum) << 16
    }
    fn tiny(&self) -> Option<f32> {
        self.tiny.then_some(SMALLEST_SCALE.next_below())
    }
    fn freeze(&self) -> Freeze {
        Freeze::Extremes
    }
}
