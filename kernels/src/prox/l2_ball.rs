use super::check_nonnegative;
use crate::blas::norm2;
use crate::{Error, Real, check_finite};

/// x ← x·min(1, r/‖x‖₂): the projection onto the ball ‖x‖₂ ≤ r.
///
/// Shapes: x of any length n. Guarantee: relative error of the result at most (⌈n/16⌉ + 7)u, whatever the
/// size of x and r, underflow of single entries apart; ‖x‖₂ may exceed r by as much. A ball about another
/// centre c: project x − c. Cost: 3n flops, one root, one division; no lent memory. Source: N. Parikh, S.
/// Boyd, Proximal Algorithms, section 6.5.1.
///
/// # Errors
/// [`Error::Setting`] if r is negative or not finite, [`Error::NonFinite`] if x is not finite; x is then
/// untouched.
///
/// ```
/// let mut x = [3.0, -4.0];
/// quern_kernels::prox::project_l2_ball(&mut x, 2.5)?;
/// assert_eq!(x, [1.5, -2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn project_l2_ball<T: Real>(x: &mut [T], radius: T) -> Result<(), Error> {
    check_nonnegative("radius", radius)?;
    check_finite("x", x)?;
    let mut norm = norm2(x);
    if norm <= radius {
        return Ok(());
    }
    if !norm.is_finite() {
        // Entries near the largest number: a power of two brings the norm back, and drops out of x/‖x‖.
        for x in x.iter_mut() {
            *x *= T::EPSILON;
        }
        norm = norm2(x);
    }
    let factor = radius / norm;
    if factor >= T::MIN_POSITIVE {
        for x in x {
            *x *= factor;
        }
    } else {
        // The factor has lost digits to underflow; x/‖x‖ has not.
        for x in x {
            *x = *x / norm * radius;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_keeps_its_bits_and_the_centre_is_reached() {
        let mut x = [0.3f32, -0.4];
        project_l2_ball(&mut x, 0.5).unwrap();
        assert_eq!(x, [0.3, -0.4]);
        project_l2_ball(&mut x, 0.0).unwrap();
        assert_eq!(x, [0.0, 0.0]);
        project_l2_ball(&mut x, 0.0).unwrap();
        project_l2_ball::<f32>(&mut [], 0.0).unwrap();
    }

    #[test]
    fn neither_large_nor_small_numbers_spoil_the_direction() {
        for scale in [f32::MAX, 1e20, 1e-20] {
            for radius in [1e-20f32, 1e-3] {
                let mut x = [scale, -scale, scale, scale];
                project_l2_ball(&mut x, radius).unwrap();
                let expected = if 2.0 * scale > radius { radius / 2.0 } else { scale };
                for (x, sign) in x.iter().zip([1.0, -1.0, 1.0, 1.0]) {
                    assert!((x - sign * expected).abs() <= 4.0 * f32::EPSILON * expected, "{x} {expected}");
                }
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let mut x = [1.0, f64::NAN];
        assert!(matches!(project_l2_ball(&mut x, 1.0), Err(Error::NonFinite { what: "x", index: 1 })));
        assert!(matches!(project_l2_ball(&mut [1.0], -1.0), Err(Error::Setting { .. })));
        assert!(matches!(project_l2_ball(&mut [1.0], f64::NAN), Err(Error::Setting { .. })));
    }
}
