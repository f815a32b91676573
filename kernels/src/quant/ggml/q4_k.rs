use super::{LARGEST_OF_A_SEARCH, OVERFLOW, half};
use crate::quant::{CodeMap, Freeze, Quantizer, SMALLEST_SCALE, f16, magnitude};
use crate::real::Float;
use crate::{Error, Real, check_length};

/// Weights a part.
const PART: usize = 32;
/// Parts a group.
const PARTS: usize = 8;

/// 4 bits with two levels of scales: value fl(fl(Dⱼ·c) − Mⱼ) with Dⱼ = f16(d)·lsⱼ, Mⱼ = f16(dmin)·lmⱼ exact,
/// lsⱼ, lmⱼ in 0..63, and c = clip(rne(fl(fl(x + Mⱼ)/Dⱼ))) to 0..15.
///
/// For each part j: mn = min(0, min x), mx = max x, is = fl(15/fl(mx − mn)), scⱼ = fl(1/is), mⱼ = −mn, first
/// codes clip(rne(fl(is·fl(x − mn)))). With `steps` = s > 0, a search improves scⱼ and mⱼ: for k = 0..s, is =
/// (−1 + 0.1k + 15)/(mx − mn) gives codes, a least-squares fit with the weights ωᵢ = |xᵢ| plus √(Σx²/32)
/// gives a scale and a minimum of at most 0, and the candidate is kept if its weighted squared error falls
/// below the best so far; mn is then the minimum just kept. For the group: d = f16(max sc/63), dmin = f16(max
/// m/63), lsⱼ = min(63, rne(63/max sc·scⱼ)), lmⱼ alike. Where Dⱼ = 0 the first codes stay.
///
/// Shapes: groups of 256 in 8 parts of 32; codes 0..15; two scales a part, Dⱼ and Mⱼ. Since the largest lsⱼ
/// is 63, d is the largest Dⱼ divided by 63 unless it is zero; dmin likewise. Guarantees: without search the
/// scale data depend on the parts' extremes alone; see [the range](crate::quant#range); mx − mn below 2⁻¹⁰⁰
/// counts as zero. Cost: 8n without search, 15n flops a step; no lent memory, about 400 bytes of stack.
/// Source: `quantize_row_q4_K_ref` of ggml, 20 steps.
///
/// ```
/// use quern_kernels::quant::{Quantizer, Scheme, ggml::Q4K};
/// let weights: [f32; 256] = core::array::from_fn(|i| (i % 16) as f32 - 6.0);
/// let (mut codes, mut scales) = ([0; 256], [0.0; 16]);
/// Scheme::Q4K(Q4K { steps: 0 }).quantize(&weights, &mut codes, &mut scales)?;
/// assert!((0..256).all(|i| usize::from(codes[i]) == i % 16));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Q4K {
    /// Steps of the search for better scales, at most 64; 0 for none.
    pub steps: u8,
}

impl Default for Q4K {
    /// The reference's 20 steps.
    fn default() -> Self {
        Self { steps: 20 }
    }
}

/// The code map of one part of [`Q4K`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Q4KMap {
    /// Dⱼ, Mⱼ.
    scale: f32,
    offset: f32,
    /// is, mn of the first codes.
    first_inverse: f32,
    first_minimum: f32,
    half_scale: u16,
    half_offset: u16,
    level_scale: u8,
    level_offset: u8,
    tiny: bool,
    searched: bool,
}

/// What one part asks for, before the group decides: is and mn of its codes, and the wanted scⱼ and mⱼ.
#[derive(Clone, Copy, Default)]
struct Wish {
    inverse: f32,
    minimum: f32,
    scale: f32,
    offset: f32,
}

/// clip(rne(y)) to 0..15; 0 for NaN.
#[inline]
fn level(y: f32) -> u8 {
    (y.round_half_even() as i32).clamp(0, 15) as u8
}

/// clip(rne(y)) to 0..63; 0 for NaN.
#[inline]
fn level_of_scale(y: f32) -> u8 {
    (y.round_half_even() as i32).clamp(0, 63) as u8
}

impl Wish {
    fn of(part: &[f32], steps: u8) -> Self {
        let (mut minimum, mut maximum) = (f32::MAX, f32::MIN);
        for &x in part {
            minimum = if x < minimum { x } else { minimum };
            maximum = if x > maximum { x } else { maximum };
        }
        minimum = if minimum > 0.0 { 0.0 } else { minimum };
        let range = maximum - minimum;
        if range < SMALLEST_SCALE {
            return Self { inverse: 0.0, minimum, scale: 0.0, offset: -minimum };
        }
        let inverse = 15.0 / range;
        let unsearched = Self { inverse, minimum, scale: 1.0 / inverse, offset: -minimum };
        if steps == 0 { unsearched } else { unsearched.search(part, maximum, steps) }
    }

    fn search(self, part: &[f32], maximum: f32, steps: u8) -> Self {
        let sum_of_squares = part.iter().fold(0.0, |sum, &x| sum + x * x);
        let root_mean_square = Real::sqrt(sum_of_squares / PART as f32);
        let importance = |x: f32| root_mean_square + x.abs();
        let (mut sum_w, mut sum_x) = (-0.0, -0.0);
        for &x in part {
            sum_w += importance(x);
            sum_x += importance(x) * x;
        }
        let error = |codes: &[u8; PART], scale: f32, minimum: f32| {
            let mut error = 0.0;
            for (&x, &code) in part.iter().zip(codes) {
                let difference = scale * f32::from(code) + minimum - x;
                error += importance(x) * (difference * difference);
            }
            error
        };
        let encode = |inverse: f32, minimum: f32| {
            let mut codes = [0; PART];
            for (code, &x) in codes.iter_mut().zip(part) {
                *code = level(inverse * (x - minimum));
            }
            codes
        };

        let mut best = self;
        // The minimum of the fit in use; that of its codes is the one the fit was made under.
        let mut minimum = self.minimum;
        let mut least = error(&encode(self.inverse, minimum), self.scale, minimum);
        for step in 0..=steps {
            let inverse = (-1.0 + 0.1 * f32::from(step) + 15.0) / (maximum - minimum);
            let codes = encode(inverse, minimum);
            let (mut sum_l, mut sum_l2, mut sum_xl) = (0.0, 0.0, 0.0);
            for (&x, &code) in part.iter().zip(&codes) {
                let (w, l) = (importance(x), f32::from(code));
                sum_l += w * l;
                sum_l2 += w * l * l;
                sum_xl += w * l * x;
            }
            let determinant = sum_w * sum_l2 - sum_l * sum_l;
            if determinant > 0.0 {
                let mut scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
                let mut fitted = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
                if fitted > 0.0 {
                    fitted = 0.0;
                    scale = sum_xl / sum_l2;
                }
                let current = error(&codes, scale, fitted);
                if current < least {
                    best = Self { inverse, minimum, scale, offset: -fitted };
                    least = current;
                    minimum = fitted;
                }
            }
        }
        best
    }
}

impl Quantizer for Q4K {
    type Map = Q4KMap;
    type Maps = [Q4KMap; PARTS];

    fn group_length(&self) -> usize {
        PART * PARTS
    }
    fn part_length(&self) -> usize {
        PART
    }
    fn scale_columns(&self) -> usize {
        2
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
    fn fit(&self, weights: &[f32]) -> Result<[Q4KMap; PARTS], Error> {
        self.check()?;
        check_length("weights", weights.len(), PART * PARTS)?;
        let magnitude = magnitude(weights)?;
        if magnitude < SMALLEST_SCALE {
            return Ok([Q4KMap { tiny: true, ..Q4KMap::default() }; PARTS]);
        }
        if magnitude > LARGEST_OF_A_SEARCH {
            return Err(OVERFLOW);
        }
        let mut wishes = [Wish::default(); PARTS];
        let (parts, _) = weights.as_chunks::<PART>();
        let (mut largest_scale, mut largest_offset) = (0.0, 0.0);
        for (wish, part) in wishes.iter_mut().zip(parts) {
            *wish = Wish::of(part, self.steps);
            largest_scale = if wish.scale > largest_scale { wish.scale } else { largest_scale };
            largest_offset = if wish.offset > largest_offset { wish.offset } else { largest_offset };
        }
        let inverse_scale = if largest_scale > 0.0 { 63.0 / largest_scale } else { 0.0 };
        let inverse_offset = if largest_offset > 0.0 { 63.0 / largest_offset } else { 0.0 };
        let half_scale = half(largest_scale / 63.0)?;
        let half_offset = half(largest_offset / 63.0)?;
        Ok(wishes.map(|wish| {
            let level_scale = level_of_scale(inverse_scale * wish.scale);
            let level_offset = level_of_scale(inverse_offset * wish.offset);
            Q4KMap {
                scale: f16::to_f32(half_scale) * f32::from(level_scale),
                offset: f16::to_f32(half_offset) * f32::from(level_offset),
                first_inverse: wish.inverse,
                first_minimum: wish.minimum,
                half_scale,
                half_offset,
                level_scale,
                level_offset,
                tiny: false,
                searched: self.steps > 0,
            }
        }))
    }
    #[inline]
    fn value(&self, code: u8, [scale, offset]: [f32; 2]) -> f32 {
        scale * f32::from(code & 15) - offset
    }
}

impl Q4KMap {
    /// f16(d), f16(dmin) as bits, lsⱼ, lmⱼ.
    pub(super) fn parts(&self) -> (u16, u16, u8, u8) {
        (self.half_scale, self.half_offset, self.level_scale, self.level_offset)
    }
}

impl CodeMap for Q4KMap {
    #[inline]
    fn code(&self, x: f32) -> u8 {
        if self.scale == 0.0 {
            level(self.first_inverse * (x - self.first_minimum))
        } else {
            level((x + self.offset) / self.scale)
        }
    }
    #[inline]
    fn rank(&self, x: f32) -> i32 {
        i32::from(self.code(x))
    }
    fn ranks(&self) -> (i32, i32) {
        (0, 15)
    }
    #[inline]
    fn border(&self, rank: i32) -> f32 {
        let below = rank as f32 - 0.5;
        if self.scale != 0.0 {
            below * self.scale - self.offset
        } else if self.first_inverse != 0.0 {
            below / self.first_inverse + self.first_minimum
        } else {
            0.0
        }
    }
    fn scales(&self) -> [f32; 2] {
        [self.scale, self.offset]
    }
    fn stored(&self) -> u64 {
        u64::from(self.half_scale)
            | u64::from(self.half_offset) << 16
            | u64::from(self.level_scale) << 32
            | u64::from(self.level_offset) << 40
    }
    fn tiny(&self) -> Option<f32> {
        self.tiny.then_some(SMALLEST_SCALE.next_below())
    }
    fn freeze(&self) -> Freeze {
        if self.searched { Freeze::Search } else { Freeze::BelowZero }
    }
}
