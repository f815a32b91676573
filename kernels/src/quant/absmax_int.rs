use super::{CodeMap, Freeze, Quantizer, Rule, SMALLEST_SCALE, magnitude};
use crate::real::Float;
use crate::{Error, check_length};

/// Symmetric integers of b bits: c = rne(fl(x·r)) with a = max|w|, Q = 2ᵇ⁻¹ − 1 and r = fl(Q/a), or r =
/// fl(Q·fl(1/a)) by [`Rule::Processor`]; value fl(fl(c·a)·fl(1/Q)).
///
/// Shapes: groups are rows of `row_length` weights; codes are two's complement bytes; one scale a row, a.
/// Guarantees: |c| ≤ Q; ties go to even codes; see [the range](super#range). Cost: 3 flops a weight and 2n to
/// find a. Source: b = 8 is the weight quantizer of LLM.int8() (T. Dettmers et al., 2022) as the package
/// bitsandbytes computes it; other b are the same with another Q. By the two rules 35 of 16,384 tested groups
/// of 64 differ, in one or two codes.
///
/// ```
/// use quern_kernels::quant::{AbsmaxInt, Rule, Scheme};
/// let scheme = Scheme::Int(AbsmaxInt { bits: 8, row_length: 3, rule: Rule::Kernel });
/// let (mut codes, mut scales) = ([0; 3], [0.0]);
/// scheme.quantize(&[0.5, -254.0, 3.0], &mut codes, &mut scales)?;
/// assert_eq!((codes.map(|code| code as i8), scales), ([0, -127, 2], [254.0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AbsmaxInt {
    /// b, from 2 to 8.
    pub bits: u8,
    /// Weights a row, at least 1.
    pub row_length: usize,
    /// How the reciprocal of the scale is rounded.
    pub rule: Rule,
}

/// The code map of one row of [`AbsmaxInt`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AbsmaxIntMap {
    largest: f32,
    scale: f32,
    reciprocal: f32,
}

impl AbsmaxInt {
    /// Q = 2ᵇ⁻¹ − 1.
    fn largest(self) -> f32 {
        match self.bits {
            2 => 1.0,
            3 => 3.0,
            4 => 7.0,
            5 => 15.0,
            6 => 31.0,
            7 => 63.0,
            _ => 127.0,
        }
    }

    /// Quantizes one row: writes the codes and returns the scale a. The settings' `row_length` plays no role.
    ///
    /// # Errors
    /// [`Error::Dimension`], [`Error::NonFinite`]; [`Error::Setting`] for bits or weights out of range.
    ///
    /// ```
    /// use quern_kernels::quant::{AbsmaxInt, Rule};
    /// let mut codes = [0; 2];
    /// let quantizer = AbsmaxInt { bits: 4, row_length: 2, rule: Rule::Kernel };
    /// let scale = quantizer.quantize(&[1.0, -7.0], &mut codes)?;
    /// assert_eq!((scale, codes.map(|code| code as i8)), (7.0, [1, -7]));
    /// # Ok::<(), quern_kernels::Error>(())
    /// ```
    pub fn quantize(&self, weights: &[f32], codes: &mut [u8]) -> Result<f32, Error> {
        check_length("codes", codes.len(), weights.len())?;
        let [map] = Self { row_length: weights.len().max(1), ..*self }.fit(weights)?;
        for (code, &weight) in codes.iter_mut().zip(weights) {
            *code = map.code(weight);
        }
        Ok(map.scale)
    }
}

impl Quantizer for AbsmaxInt {
    type Map = AbsmaxIntMap;
    type Maps = [AbsmaxIntMap; 1];

    fn group_length(&self) -> usize {
        self.row_length
    }
    fn part_length(&self) -> usize {
        self.row_length
    }
    fn scale_columns(&self) -> usize {
        1
    }
    fn allows_short_group(&self) -> bool {
        false
    }
    fn check(&self) -> Result<(), Error> {
        if !(2..=8).contains(&self.bits) {
            return Err(Error::Setting { name: "bits", expected: "2 to 8" });
        }
        if self.row_length == 0 {
            return Err(Error::Setting { name: "row_length", expected: "at least 1" });
        }
        Ok(())
    }
    #[inline]
    fn fit(&self, weights: &[f32]) -> Result<[AbsmaxIntMap; 1], Error> {
        self.check()?;
        let scale = magnitude(weights)?;
        let largest = self.largest();
        Ok([if scale < SMALLEST_SCALE {
            AbsmaxIntMap { largest, scale: 0.0, reciprocal: 0.0 }
        } else {
            let reciprocal = match self.rule {
                Rule::Kernel => largest / scale,
                Rule::Processor => 1.0 / scale * largest,
            };
            AbsmaxIntMap { largest, scale, reciprocal }
        }])
    }
    #[inline]
    fn value(&self, code: u8, [scale, _]: [f32; 2]) -> f32 {
        f32::from(code.cast_signed()) * scale * (1.0 / self.largest())
    }
}

impl CodeMap for AbsmaxIntMap {
    #[inline]
    fn code(&self, x: f32) -> u8 {
        self.rank(x) as u8
    }
    #[inline]
    fn rank(&self, x: f32) -> i32 {
        (x * self.reciprocal).round_half_even() as i32
    }
    fn ranks(&self) -> (i32, i32) {
        (-(self.largest as i32), self.largest as i32)
    }
    #[inline]
    fn border(&self, rank: i32) -> f32 {
        (rank as f32 - 0.5) * self.scale / self.largest
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

    fn codes(bits: u8, weights: &[f32]) -> (f32, std::vec::Vec<i8>) {
        let mut codes = std::vec![0; weights.len()];
        let scale = AbsmaxInt { bits, row_length: weights.len(), rule: Rule::Kernel }
            .quantize(weights, &mut codes)
            .unwrap();
        (scale, codes.iter().map(|&code| code as i8).collect())
    }

    #[test]
    fn ties_go_to_even_codes() {
        for exponent in [-80, 0, 80] {
            let unit = 2.0f32.powi(exponent);
            let weights = [127.0, 0.5, 1.5, 2.5, -0.5, -1.5, -126.5, 125.5].map(|x| x * unit);
            assert_eq!(codes(8, &weights), (127.0 * unit, std::vec![127, 0, 2, 2, 0, -2, -126, 126]));
        }
    }

    #[test]
    fn every_width_reaches_its_largest_code() {
        for (bits, largest) in [(2, 1), (3, 3), (4, 7), (5, 15), (6, 31), (7, 63), (8, 127)] {
            assert_eq!(codes(bits, &[0.3, -0.3, 0.0]).1, [largest, -largest, 0]);
        }
    }

    #[test]
    fn tiny_rows_get_scale_zero_and_huge_ones_are_refused() {
        assert_eq!(codes(8, &[SMALLEST_SCALE.next_below(), -1e-40]), (0.0, std::vec![0, 0]));
        assert_eq!(codes(8, &[SMALLEST_SCALE, 0.0]), (SMALLEST_SCALE, std::vec![127, 0]));
        assert_eq!(codes(8, &[]), (0.0, std::vec![]));
        let scheme = AbsmaxInt { bits: 8, row_length: 2, rule: Rule::Kernel };
        let refused = |weights: [f32; 2]| scheme.quantize(&weights, &mut [0; 2]).unwrap_err();
        assert_eq!(refused([0.0, f32::NAN]), Error::NonFinite { what: "weights", index: 1 });
        assert_eq!(refused([f32::NEG_INFINITY, 1.0]), Error::NonFinite { what: "weights", index: 0 });
        assert!(matches!(refused([1.3e30, 1.0]), Error::Setting { name: "weights", .. }));
        assert_eq!(
            scheme.quantize(&[1.0], &mut []),
            Err(Error::Dimension { what: "codes", expected: 1, found: 0 })
        );
        assert!(matches!(
            AbsmaxInt { bits: 9, row_length: 1, rule: Rule::Kernel }.quantize(&[1.0], &mut [0]),
            Err(Error::Setting { name: "bits", .. })
        ));
    }

    #[test]
    fn the_reciprocal_of_127_is_that_of_the_reference() {
        assert_eq!((1.0f32 / 127.0).to_bits(), 0x3c01_0204);
    }
}
