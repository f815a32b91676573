use super::{CodeMap, Freeze, Quantizer, SMALLEST_SCALE, magnitude};
use crate::real::Float;
use crate::{Error, check_length};

/// Asymmetric bytes: c = clip(rne(fl(x/s)) + z) to 0..255, with s = fl((hi − lo)/255), z =
/// clip(rne(fl(−lo/s))), lo = min(0, min w), hi = max(0, max w); value fl((c − z)·s).
///
/// Shapes: groups are rows of `row_length` weights; codes 0..255; two scales a row, s and z. Guarantees: 0 is
/// represented exactly; see [the range](super#range). Cost: 5n and a division a weight. Source: the operator
/// `DynamicQuantizeLinear` of ONNX.
///
/// ```
/// use quern_kernels::quant::AsymU8;
/// let mut codes = [0; 3];
/// assert_eq!(AsymU8 { row_length: 3 }.quantize(&[-1.0, 0.0, 4.1], &mut codes), Ok([0.02, 50.0]));
/// assert_eq!(codes, [0, 50, 255]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AsymU8 {
    /// Weights a row, at least 1.
    pub row_length: usize,
}

/// The code map of one row of [`AsymU8`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsymU8Map {
    scale: f32,
    zero_point: i32,
}

impl AsymU8 {
    /// Quantizes one row: writes the codes and returns s and z. The settings' `row_length` plays no role.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NonFinite`]; [`Error::Setting`] for weights out of range.
    pub fn quantize(&self, weights: &[f32], codes: &mut [u8]) -> Result<[f32; 2], Error> {
        check_length("codes", codes.len(), weights.len())?;
        let [map] = Self { row_length: weights.len().max(1) }.fit(weights)?;
        for (code, &weight) in codes.iter_mut().zip(weights) {
            *code = map.code(weight);
        }
        Ok(map.scales())
    }
}

impl Quantizer for AsymU8 {
    type Map = AsymU8Map;
    type Maps = [AsymU8Map; 1];

    fn group_length(&self) -> usize {
        self.row_length
    }
    fn part_length(&self) -> usize {
        self.row_length
    }
    fn scale_columns(&self) -> usize {
        2
    }
    fn allows_short_group(&self) -> bool {
        false
    }
    fn check(&self) -> Result<(), Error> {
        if self.row_length == 0 {
            return Err(Error::Setting { name: "row_length", expected: "at least 1" });
        }
        Ok(())
    }
    fn fit(&self, weights: &[f32]) -> Result<[AsymU8Map; 1], Error> {
        self.check()?;
        if magnitude(weights)? < SMALLEST_SCALE {
            return Ok([AsymU8Map { scale: 0.0, zero_point: 0 }]);
        }
        let (mut low, mut high) = (0.0, 0.0);
        for &weight in weights {
            low = if weight < low { weight } else { low };
            high = if weight > high { weight } else { high };
        }
        let scale = (high - low) / 255.0;
        let zero_point = ((-low / scale).round_half_even() as i32).clamp(0, 255);
        Ok([AsymU8Map { scale, zero_point }])
    }
    #[inline]
    fn value(&self, code: u8, [scale, zero_point]: [f32; 2]) -> f32 {
        (f32::from(code) - zero_point) * scale
    }
}

impl CodeMap for AsymU8Map {
    #[inline]
    fn code(&self, x: f32) -> u8 {
        self.rank(x) as u8
    }
    #[inline]
    fn rank(&self, x: f32) -> i32 {
        if self.scale == 0.0 {
            return 0;
        }
        ((x / self.scale).round_half_even() as i32).saturating_add(self.zero_point).clamp(0, 255)
    }
    fn ranks(&self) -> (i32, i32) {
        (0, 255)
    }
    #[inline]
    fn border(&self, rank: i32) -> f32 {
        (rank.wrapping_sub(self.zero_point) as f32 - 0.5) * self.scale
    }
    fn scales(&self) -> [f32; 2] {
        [self.scale, self.zero_point as f32]
    }
    fn stored(&self) -> u64 {
        u64::from(self.scale.to_bits()) | u64::from(self.zero_point.cast_unsigned()) << 32
    }
    fn tiny(&self) -> Option<f32> {
        (self.scale == 0.0).then_some(SMALLEST_SCALE.next_below())
    }
    fn freeze(&self) -> Freeze {
        Freeze::AroundZero
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantize(weights: &[f32]) -> ([f32; 2], std::vec::Vec<u8>) {
        let mut codes = std::vec![0; weights.len()];
        let scales = AsymU8 { row_length: weights.len() }.quantize(weights, &mut codes).unwrap();
        (scales, codes)
    }

    #[test]
    fn one_sided_rows_keep_zero_in_range() {
        assert_eq!(quantize(&[255.0, 128.0, 1.0, 0.5, 1.5]), ([1.0, 0.0], std::vec![255, 128, 1, 0, 2]));
        assert_eq!(quantize(&[-255.0, -128.0, -0.5]), ([1.0, 255.0], std::vec![0, 127, 255]));
    }

    #[test]
    fn tiny_rows_get_scale_zero() {
        assert_eq!(quantize(&[0.0, -1e-35]), ([0.0, 0.0], std::vec![0, 0]));
        assert_eq!(
            AsymU8 { row_length: 0 }.fit(&[]),
            Err(Error::Setting { name: "row_length", expected: "at least 1" })
        );
    }
}
