use super::half;
use crate::quant::{CodeMap, Freeze, Quantizer, SMALLEST_SCALE, f16, first_magnitude, magnitude};
use crate::real::Float;
use crate::{Error, check_length};

/// 4 bits around zero: mx the first weight of largest magnitude with its sign, d = fl(mx/−8), id = fl(1/d),
/// c = min(15, ⌊fl(fl(x·id) + 8.5)⌋); value fl((c − 8)·f16(d)).
///
/// Shapes: groups of 32; codes 0..15; one scale, f16(d), of either sign. Guarantees: mx has code 0; see [the
/// range](crate::quant#range). Cost: 5n. Source: `quantize_row_q4_0_ref` of ggml; a group of zeros has scale
/// −0 there and here.
///
/// ```
/// use quern_kernels::quant::{Scheme, ggml::Q4_0};
/// let mut weights = [0.0; 32];
/// weights[..3].copy_from_slice(&[-8.0, 0.5, 8.0]);
/// let (mut codes, mut scales) = ([0; 32], [0.0]);
/// Scheme::Q4_0(Q4_0).quantize(&weights, &mut codes, &mut scales)?;
/// assert_eq!((&codes[..4], scales), (&[0, 9, 15, 8][..], [1.0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Q4_0;

/// The code map of one group of [`Q4_0`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Q4_0Map {
    scale: f32,
    reciprocal: f32,
    half: u16,
}

impl Quantizer for Q4_0 {
    type Map = Q4_0Map;
    type Maps = [Q4_0Map; 1];

    fn group_length(&self) -> usize {
        32
    }
    fn part_length(&self) -> usize {
        32
    }
    fn scale_columns(&self) -> usize {
        1
    }
    fn allows_short_group(&self) -> bool {
        false
    }
    fn fit(&self, weights: &[f32]) -> Result<[Q4_0Map; 1], Error> {
        check_length("weights", weights.len(), 32)?;
        if magnitude(weights)? < SMALLEST_SCALE {
            return Ok([Q4_0Map { scale: -0.0, reciprocal: 0.0, half: 0x8000 }]);
        }
        let scale = first_magnitude(weights) / -8.0;
        Ok([Q4_0Map { scale, reciprocal: 1.0 / scale, half: half(scale)? }])
    }
    #[inline]
    fn value(&self, code: u8, [scale, _]: [f32; 2]) -> f32 {
        (f32::from(code & 15) - 8.0) * scale
    }
}

impl Q4_0Map {
    #[inline]
    fn level(&self, x: f32) -> i32 {
        ((x * self.reciprocal + 8.5) as i32).min(15)
    }
}

impl CodeMap for Q4_0Map {
    #[inline]
    fn code(&self, x: f32) -> u8 {
        self.level(x) as u8
    }
    /// The code falls in x where d < 0.
    #[inline]
    fn rank(&self, x: f32) -> i32 {
        if self.reciprocal < 0.0 { self.level(x).wrapping_neg() } else { self.level(x) }
    }
    fn ranks(&self) -> (i32, i32) {
        if self.reciprocal < 0.0 { (-15, 0) } else { (0, 15) }
    }
    #[inline]
    fn border(&self, rank: i32) -> f32 {
        let rank = rank as f32;
        if self.reciprocal < 0.0 { (-rank - 7.5) * self.scale } else { (rank - 8.5) * self.scale }
    }
    fn scales(&self) -> [f32; 2] {
        [f16::to_f32(self.half), 0.0]
    }
    fn stored(&self) -> u64 {
        u64::from(self.half)
    }
    fn tiny(&self) -> Option<f32> {
        (self.scale == 0.0).then_some(SMALLEST_SCALE.next_below())
    }
    fn freeze(&self) -> Freeze {
        Freeze::SignedMagnitude
    }
}
