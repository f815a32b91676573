/// √x, correctly rounded.
///
/// On targets with a single-precision unit but no way to its root instruction in safe code, [`newton`];
/// elsewhere `libm`'s, which uses the desktop's instruction, or integers where there is no such unit. A
/// correctly rounded result is the same wherever it comes from.
#[inline]
pub(super) fn sqrtf(x: f32) -> f32 {
    if cfg!(target_abi = "eabihf") { newton(x) } else { libm::sqrtf(x) }
}

pub(super) use libm::sqrt;

/// √x by two steps of Newton's method in floating point and one exact correction in integers.
///
/// Halving the bits of x, as an integer, halves the exponent and gives √x to 3.5 %; a step s ← (s + x/s)/2
/// squares the relative error and halves it, and makes it positive, which the constant near ½ of the first
/// step evens out. After the second step the error is below 4.8·10⁻⁸, and with the rounding of the step below
/// 1.5 units in the last place: the neighbours of the result are all that can be nearer. All steps scale
/// exactly with powers of four.
///
/// Let m be the 24-bit significand of the result, and X that of x, shifted so that √X is in m's units. Then
/// √X is nearest to m if and only if −m < X − m² ≤ m. That difference is small, so 32 bits of it are enough,
/// and of X and m² as well; what is shifted out of X takes its exponent with it.
#[inline(always)]
fn newton(x: f32) -> f32 {
    let bits = x.to_bits();
    // Zero, subnormal, negative, infinite, NaN.
    if bits.wrapping_sub(0x0080_0000) >= 0x7f00_0000 {
        return special(x);
    }
    let root = f32::from_bits((bits >> 1).wrapping_add(0x1fbb_6000));
    let root = (root + x / root) * 0.499_85;
    let root = (root + x / root) * 0.5;

    let mut candidate = root.to_bits();
    let significand = candidate & 0x007f_ffff | 0x0080_0000;
    let shift = 24 - (bits >> 23 & 1);
    let excess = (bits << shift).wrapping_sub(significand.wrapping_mul(significand)).cast_signed();
    let significand = significand.cast_signed();
    if excess > significand {
        candidate = candidate.wrapping_add(1);
    }
    if excess <= -significand {
        candidate = candidate.wrapping_sub(1);
    }
    f32::from_bits(candidate)
}

#[cold]
#[inline(never)]
fn special(x: f32) -> f32 {
    libm::sqrtf(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_significand_is_rounded_correctly() {
        // All of [1, 4), and therefore, by exact scaling, all normal numbers.
        for bits in 1.0_f32.to_bits()..4.0_f32.to_bits() {
            let x = f32::from_bits(bits);
            assert_eq!(newton(x).to_bits(), libm::sqrtf(x).to_bits(), "{x:e}");
        }
    }

    #[test]
    fn every_exponent_and_every_special_value() {
        for bits in (0..=u32::MAX).step_by(4093).chain([0x8000_0000, 1, 0x007f_ffff, 0x7f7f_ffff]) {
            let x = f32::from_bits(bits);
            let (ours, theirs) = (newton(x), libm::sqrtf(x));
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{x:e}");
        }
    }
}
