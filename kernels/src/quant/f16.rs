//! Half precision in integers and `f32`, for targets without it; and the coarser grids on which weights are
//! stored.

use crate::real::Float;

/// Largest finite number of half precision.
pub const LARGEST: f32 = 65504.0;

/// The nearest number of half precision, ties to even, as its bits.
///
/// Guarantees: magnitudes from 65520 on become infinite, those of at most 2⁻²⁵ zero of the same sign; NaN
/// becomes a quiet NaN of the same sign. Cost: about 8 integer operations. Source: IEEE 754-2019, sections
/// 3.6 and 4.3.1.
///
/// ```
/// use quern_kernels::quant::f16;
/// assert_eq!(f16::from_f32(1.0), 0x3c00);
/// assert_eq!(f16::from_f32(1.0 + 1.0 / 2048.0), 0x3c00);
/// assert_eq!(f16::from_f32(-1e-8), 0x8000);
/// ```
#[inline]
pub fn from_f32(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    sign | if magnitude > 0x7f80_0000 {
        0x7e00
    } else if magnitude >= 0x4780_0000 {
        0x7c00
    } else if magnitude >= 0x3880_0000 {
        // Below 65536 and normal in half precision: rebias the exponent, round the 13 bits that go; a carry
        // into the exponent is right.
        let even = (magnitude >> 13) & 1;
        (magnitude.wrapping_sub(0x3800_0000).wrapping_add(0x0fff + even) >> 13) as u16
    } else {
        // A number of [1/2, 1) has the spacing of the subnormal numbers, 2⁻²⁴: the sum rounds, its last bits
        // are the result.
        let shifted = f32::from_bits(magnitude) + 0.5;
        shifted.to_bits().wrapping_sub(0x3f00_0000) as u16
    }
}

/// The number with these bits. Exact; NaN stays NaN. Cost: about 6 integer operations, one product for
/// subnormal numbers.
///
/// ```
/// use quern_kernels::quant::f16;
/// assert_eq!(f16::to_f32(0x3555), 0.33325195);
/// assert_eq!(f16::to_f32(0x8001), -(2.0f32.powi(-24)));
/// ```
#[inline]
pub fn to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let magnitude = u32::from(bits & 0x7fff);
    let value = if magnitude >= 0x7c00 {
        0x7f80_0000 | (magnitude & 0x3ff) << 13
    } else if magnitude >= 0x0400 {
        (magnitude << 13).wrapping_add(0x3800_0000)
    } else {
        // 2⁻²⁴
        (magnitude as f32 * f32::from_bits(0x3380_0000)).to_bits()
    };
    f32::from_bits(sign | value)
}

/// The numbers a format of storage can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Grid {
    /// Every `f32`.
    #[default]
    F32,
    /// Half precision: 11 significant bits, magnitudes up to 65504.
    F16,
    /// The upper half of an `f32`: 8 significant bits.
    Bf16,
}

impl Grid {
    /// The largest finite number of the grid that is at most x; −∞ if there is none. Cost: about 15
    /// operations.
    ///
    /// ```
    /// use quern_kernels::quant::f16::Grid;
    /// assert_eq!(Grid::Bf16.floor(1.01), 1.0078125);
    /// assert_eq!(Grid::F16.floor(1e9), 65504.0);
    /// ```
    #[inline]
    pub fn floor(self, x: f32) -> f32 {
        match self {
            Self::F32 => x,
            Self::F16 => {
                if x >= LARGEST {
                    return LARGEST;
                }
                let nearest = from_f32(x);
                let value = to_f32(nearest);
                if value <= x || value.is_nan() {
                    return value;
                }
                // One step down on the grid: away from zero for negative numbers; below zero comes the
                // smallest negative.
                to_f32(match nearest {
                    0 => 0x8001,
                    0x8000.. => nearest.saturating_add(1),
                    _ => nearest.wrapping_sub(1),
                })
            }
            Self::Bf16 => {
                let bits = x.to_bits();
                if x.is_sign_negative() && x.is_finite() {
                    // Truncation rounds towards zero: add what makes it round away.
                    f32::from_bits(bits.wrapping_add(0xffff) & 0xffff_0000)
                } else {
                    f32::from_bits(bits & 0xffff_0000)
                }
            }
        }
    }

    /// The smallest finite number of the grid that is at least x; ∞ if there is none. Cost: about 15
    /// operations.
    ///
    /// ```
    /// use quern_kernels::quant::f16::Grid;
    /// assert_eq!(Grid::F16.ceil(1.0001), 1.0009765625);
    /// assert_eq!(Grid::F32.ceil(1.0001), 1.0001);
    /// ```
    #[inline]
    pub fn ceil(self, x: f32) -> f32 {
        -self.floor(-x)
    }

    /// Whether x is on the grid.
    #[inline]
    pub fn contains(self, x: f32) -> bool {
        self.floor(x).order_key() == x.order_key()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives_the_way_there_and_back() {
        for bits in 0..=u16::MAX {
            let value = to_f32(bits);
            if value.is_nan() {
                assert!(to_f32(from_f32(value)).is_nan());
            } else {
                assert_eq!(from_f32(value), bits);
                assert_eq!(value.is_finite(), bits & 0x7fff < 0x7c00);
            }
        }
    }

    /// Between two neighbours: the midpoint goes to the even one, everything else to the nearer.
    #[test]
    fn rounding_is_to_nearest_with_ties_to_even() {
        for bits in 0..0x7c00u16 {
            let (low, high) = (to_f32(bits), if bits == 0x7bff { 65536.0 } else { to_f32(bits + 1) });
            let middle = low + (high - low) / 2.0;
            let even = if bits % 2 == 0 { bits } else { bits + 1 };
            for sign in [0, 0x8000] {
                let signed = |x: f32| if sign == 0 { x } else { -x };
                assert_eq!(from_f32(signed(middle)), even | sign);
                assert_eq!(from_f32(signed(middle.next_below())), bits | sign);
                assert_eq!(from_f32(signed(middle.next_above())), (bits + 1) | sign);
            }
        }
        assert_eq!([f32::INFINITY, f32::NEG_INFINITY, 1e-40].map(from_f32), [0x7c00, 0xfc00, 0]);
        assert!(to_f32(from_f32(f32::NAN)).is_nan());
    }

    #[test]
    fn floors_and_ceilings_are_on_the_grid_and_tight() {
        for grid in [Grid::F16, Grid::Bf16] {
            for key in (f32::MIN.order_key()..=f32::MAX.order_key()).step_by(65_521) {
                let x = f32::from_order_key(key);
                let (low, high) = (grid.floor(x), grid.ceil(x));
                assert!(low <= x && x <= high, "{grid:?} {x:e}: {low:e} {high:e}");
                for end in [low, high].into_iter().filter(|end| end.is_finite()) {
                    assert!(grid.contains(end), "{grid:?} {end:e}");
                    match grid {
                        Grid::F16 => assert_eq!(to_f32(from_f32(end)), end),
                        _ => assert_eq!(end.to_bits() & 0xffff, 0),
                    }
                }
                if low < high && low.is_finite() && high.is_finite() {
                    // No number of the grid lies between: the two are neighbours.
                    match grid {
                        Grid::F16 => {
                            let key = |x: f32| {
                                let bits = i32::from(from_f32(x));
                                if bits < 0x8000 { bits } else { 0x8000 - bits }
                            };
                            assert_eq!(key(low) + 1, key(high), "{x:e}");
                        }
                        _ => {
                            let key = |x: f32| (x.to_bits() >> 16).cast_signed() & 0x7fff;
                            assert_eq!((key(low) - key(high)).abs(), 1, "{x:e}");
                        }
                    }
                }
            }
        }
        assert_eq!(Grid::F16.ceil(-1e9), -65504.0);
        assert_eq!(Grid::F16.floor(-1e9), f32::NEG_INFINITY);
        assert_eq!(Grid::F16.floor(-1e-9), -(2.0f32.powi(-24)));
        assert!(Grid::F32.contains(0.1) && !Grid::F16.contains(0.1) && Grid::F16.contains(-0.0));
    }
}
