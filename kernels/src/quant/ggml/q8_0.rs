use super::half;
use crate::quant::{CodeMap, Freeze, Quantizer, SMALLEST_SCALE, f16, magnitude};
use crate::real::Float;
use crate::{Error, check_length};

/// Signed bytes with a scale in half precision: d = fl(a/127), id = fl(1/d), c = fl(x·id) rounded to the
/// nearest integer, halves away from zero; value fl(c·f16(d)).
///
/// Shapes: groups of 32; codes are two's complement bytes; one scale, f16(d). Guarantees: |c| ≤ 127; see
/// [the range](crate::quant#range). Cost: 5n. Source: `quantize_row_q8_0_ref` of ggml.
///
/// ```
/// use quern_kernels::quant::{Scheme, ggml::Q8_0};
/// let mut weights = [0.0; 32];
/// weights[..3].copy_from_slice(&[-127.0, 0.5, -1.5]);
/// let (mut codes, mut scales) = ([0; 32], [0.0]);
/// Scheme::Q8_0(Q8_0).quantize(&weights, &mut codes, &mut scales)?;
/// assert_eq!((codes[0] as i8, codes[1] as i8, codes[2] as i8, scales), (-127, 1, -2, [1.0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Q8_0;

/// The code map of one group of [`Q8_0`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Q8_0Map {
    scale: f32,
    reciprocal: f32,
    half: u16,
}

impl Quantizer for Q8_0 {
    type Map = Q8_0Map;
    type Maps = [Q8_0Map; 1];

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
    fn fit(&self, weights: &[f32]) -> Result<[Q8_0Map; 1], Error> {
        check_length("weights", weights.len(), 32)?;
        let magnitude = magnitude(weights)?;
        if magnitude < SMALLEST_SCALE {
            return Ok([Q8_0Map { scale: 0.0, reciprocal: 0.0, half: 0 }]);
        }
        let scale = magnitude / 127.0;
        Ok([Q8_0Map { scale, reciprocal: 1.0 / scale, half: half(scale)? }])
    }
    #[inline]
    fn value(&self, code: u8, [scale, _]: [f32; 2]) -> f32 {
        f32::from(code.cast_signed()) * scale
    }
}

impl CodeMap for Q8_0Map {
    #[inline]
    fn code(&self, x: f32) -> u8 {
        self.rank(x) as u8
    }
    #[inline]
    fn rank(&self, x: f32) -> i32 {
        let y = x * self.reciprocal;
        let towards_zero = y as i32;
        // The difference is exact: y and its integer part share the spacing of y.
        let rest = y - towards_zero as f32;
        if rest >= 0.5 {
            towards_zero.saturating_add(1)
        } else if rest <= -0.5 {
            towards_zero.saturating_sub(1)
        } else {
            towards_zero
        }
    }
    fn ranks(&self) -> (i32, i32) {
        (-127, 127)
    }
    #[inline]
    fn border(&self, rank: i32) -> f32 {
        (rank as f32 - 0.5) * self.scale
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
        Freeze::Magnitude
    }
}
