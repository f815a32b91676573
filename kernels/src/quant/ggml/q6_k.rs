use super::{LARGEST_OF_A_SEARCH, OVERFLOW, half};
use crate::quant::{CodeMap, Freeze, Quantizer, f16, first_magnitude, magnitude};
use crate::real::Float;
use crate::{Error, check_length};

/// Weights a part.
const PART: usize = 16;
/// Parts a group.
const PARTS: usize = 16;
/// A part whose weights all have smaller magnitudes has scale zero.
const SMALLEST: f32 = 1e-15;

/// 6 bits around zero with two levels of scales: value fl(Dⱼ·(c − 32)) with Dⱼ = f16(d)·lsⱼ exact, lsⱼ in
/// −128..127, and c − 32 = clip(rne(fl(x/Dⱼ))) to −32..31.
///
/// For each part j, mx is its first weight of largest magnitude with its sign. Without search, is =
/// fl(−32/mx) and scⱼ = fl(1/is). With `steps` = s > 0, candidates is = −fl(32 + 0.1k)/mx for k = 0 and then
/// −s..s give codes l, sums Σω x l and Σω l² with ω = x², and a scale Σωxl/Σωl²; the one of largest
/// (Σωxl)²/Σωl² is kept, the first of equals. For the group: iscale = fl(−128/s*) with s* the first scⱼ of
/// largest magnitude, d = f16(fl(1/iscale)), lsⱼ = min(127, rne(fl(iscale·scⱼ))). Where Dⱼ = 0 the codes of
/// the kept candidate stay; parts of weights below 10⁻¹⁵ have scⱼ = 0 and codes 0, and if all are such, so is
/// the group.
///
/// Shapes: groups of 256 in 16 parts of 16; codes 0..63; one scale a part, Dⱼ. Since some lsⱼ is −128, d is
/// that Dⱼ divided by −128. Guarantees: without search the scale data depend on the parts' mx alone; see [the
/// range](crate::quant#range). Cost: 6n without search, 14n flops a step; no lent memory, about 400 bytes of
/// stack. Source: `quantize_row_q6_K_ref` of ggml, 9 steps; the unsearched variant is its helper's
/// `rmse_type` 0.
///
/// ```
/// use quern_kernels::quant::{Quantizer, Scheme, ggml::Q6K};
/// let weights: [f32; 256] = core::array::from_fn(|i| if i % 16 == 0 { -32.0 } else { i as f32 / 8.0 });
/// let (mut codes, mut scales) = ([0; 256], [0.0; 16]);
/// Scheme::Q6K(Q6K { steps: 0 }).quantize(&weights, &mut codes, &mut scales)?;
/// assert_eq!((codes[0], codes[8], codes[255]), (0, 33, 63));
/// assert_eq!(scales, [1.0; 16]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Q6K {
    /// Steps of the search for better scales to either side, at most 64; 0 for none.
    pub steps: u8,
}

impl Default for Q6K {
    /// The reference's 9 steps.
    fn default() -> Self {
        Self { steps: 9 }
    }
}

/// The code map of one part of [`Q6K`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Q6KMap {
    /// Dⱼ.
    scale: f32,
    /// is of the first codes, 0 where they are 0.
    first_inverse: f32,
    half: u16,
    level: i8,
    tiny: bool,
    searched: bool,
}

/// What one part asks for, before the group decides: is of its codes, and the wanted scale.
#[derive(Clone, Copy, Default)]
struct Wish {
    inverse: f32,
    scale: f32,
}

/// clip(rne(y)) to −32..31.
#[inline]
fn level(y: f32) -> i32 {
    (y.round_half_even() as i32).clamp(-32, 31)
}

impl Wish {
    fn of(part: &[f32; PART], steps: u8) -> Self {
        let largest = first_magnitude(part);
        if largest.abs() < SMALLEST {
            return Self::default();
        }
        let inverse = -32.0 / largest;
        if steps == 0 {
            return Self { inverse, scale: 1.0 / inverse };
        }
        let sums = |inverse: f32| {
            let (mut sum_xl, mut sum_l2) = (0.0, 0.0);
            for &x in part {
                let (w, l) = (x * x, level(inverse * x) as f32);
                sum_xl += w * x * l;
                sum_l2 += w * l * l;
            }
            (sum_xl, sum_l2)
        };
        let (sum_xl, sum_l2) = sums(inverse);
        let mut best = Self { inverse, scale: if sum_l2 == 0.0 { 0.0 } else { sum_xl / sum_l2 } };
        let mut most = best.scale * sum_xl;
        let steps = i32::from(steps);
        for step in (-steps..=steps).filter(|&step| step != 0) {
            let inverse = -(32.0 + 0.1 * step as f32) / largest;
            let (sum_xl, sum_l2) = sums(inverse);
            if sum_l2 > 0.0 && sum_xl * sum_xl > most * sum_l2 {
                best = Self { inverse, scale: sum_xl / sum_l2 };
                most = best.scale * sum_xl;
            }
        }
        best
    }
}

impl Quantizer for Q6K {
    type Map = Q6KMap;
    type Maps = [Q6KMap; PARTS];

    fn group_length(&self) -> usize {
        PART * PARTS
    }
    fn part_length(&self) -> usize {
        PART
    }
    fn scale_columns(&self) -> usize {
        1
    }
    fn allows_short_group(&self) -> bool {
        false
    }
    fn check(&self) -> Result<(), Error> {
        if self.steps > 64 {
            return Err(Error::Setting { name: "steps", expected: "0 to 64" });
        }
        Ok(())
    }
    fn fit(&self, weights: &[f32]) -> Result<[Q6KMap; PARTS], Error> {
        self.check()?;
        check_length("weights", weights.len(), PART * PARTS)?;
        if magnitude(weights)? > LARGEST_OF_A_SEARCH {
            return Err(OVERFLOW);
        }
        let mut wishes = [Wish::default(); PARTS];
        let (parts, _) = weights.as_chunks::<PART>();
        for (wish, part) in wishes.iter_mut().zip(parts) {
            *wish = Wish::of(part, self.steps);
        }
        let largest = wishes
            .iter()
            .fold(0.0, |first: f32, wish| if wish.scale.abs() > first.abs() { wish.scale } else { first });
        let searched = self.steps > 0;
        if largest.abs() < SMALLEST {
            // Every part has scale zero and codes 0, whatever its weights: all that counts is that none asks
            // for more.
            return Ok(wishes.map(|wish| Q6KMap { tiny: wish.scale == 0.0, searched, ..Q6KMap::default() }));
        }
        let inverse = -128.0 / largest;
        let half = half(1.0 / inverse)?;
        Ok(wishes.map(|wish| {
            let level = (inverse * wish.scale).round_half_even() as i8;
            Q6KMap {
                scale: f16::to_f32(half) * f32::from(level),
                first_inverse: wish.inverse,
                half,
                level,
                tiny: wish.inverse == 0.0,
                searched,
            }
        }))
    }
    #[inline]
    fn value(&self, code: u8, [scale, _]: [f32; 2]) -> f32 {
        scale * (f32::from(code & 63) - 32.0)
    }
}

impl Q6KMap {
    /// f16(d) as bits, lsⱼ.
    pub(super) fn parts(&self) -> (u16, i8) {
        (self.half, self.level)
    }
    /// What the scaled weight is rounded from rises (+) or falls (−) with x, or does not depend on it (0).
    #[inline]
    fn slope(&self) -> f32 {
        if self.scale != 0.0 { self.scale } else { self.first_inverse }
    }
}

impl CodeMap for Q6KMap {
    #[inline]
    fn code(&self, x: f32) -> u8 {
        let signed = if self.scale != 0.0 {
            level(x / self.scale)
        } else if self.first_inverse != 0.0 {
            level(self.first_inverse * x)
        } else {
            -32
        };
        signed.wrapping_add(32) as u8
    }
    #[inline]
    fn rank(&self, x: f32) -> i32 {
        let code = i32::from(self.code(x));
        if self.slope() < 0.0 { code.wrapping_neg() } else { code }
    }
    fn ranks(&self) -> (i32, i32) {
        if self.slope() < 0.0 { (-63, 0) } else { (0, 63) }
    }
    #[inline]
    fn border(&self, rank: i32) -> f32 {
        let rank = rank as f32;
        let below = if self.slope() < 0.0 { -rank - 31.5 } else { rank - 32.5 };
        if self.scale != 0.0 {
            below * self.scale
        } else if self.first_inverse != 0.0 {
            below / self.first_inverse
        } else {
            0.0
        }
    }
    fn scales(&self) -> [f32; 2] {
        [self.scale, 0.0]
    }
    fn stored(&self) -> u64 {
        u64::from(self.half) | u64::from(self.level.cast_unsigned()) << 16
    }
    fn tiny(&self) -> Option<f32> {
        self.tiny.then_some(SMALLEST.next_below())
    }
    fn freeze(&self) -> Freeze {
        if self.searched { Freeze::Search } else { Freeze::SignedMagnitude }
    }
}
