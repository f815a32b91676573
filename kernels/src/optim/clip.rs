use super::is_size;
use crate::blas::{norm2, scale};
use crate::{Error, Real, check_finite};

/// Shortens a gradient to a norm: g ← g·min(1, c/‖g‖₂).
///
/// Shapes: g of any length n. Returns the factor c/‖g‖₂ where g was longer than c (0 if it underflows), `None`
/// where g was left as it was. Guarantees: ‖g‖₂ ≤ c(1 + (⌈n/8⌉/2 + 8)u) afterwards, whatever the size of the entries: squares and
/// the norm itself may overflow. Cost: 3n flops and a root, no lent memory. Source: R. Pascanu, T. Mikolov,
/// Y. Bengio, On the difficulty of training recurrent neural networks, 2013, algorithm 1.
///
/// # Errors
/// [`Error::Setting`] unless c > 0 is finite; [`Error::NonFinite`] if g is not finite; g is then untouched.
///
/// ```
/// use quern_kernels::optim::clip_norm;
/// let mut gradient = [3.0, -4.0];
/// assert_eq!(clip_norm(&mut gradient, 2.5)?, Some(0.5));
/// assert_eq!(gradient, [1.5, -2.0]);
/// assert_eq!(clip_norm(&mut gradient, 2.5)?, None);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn clip_norm<T: Real>(gradient: &mut [T], limit: T) -> Result<Option<T>, Error> {
    check_limit(limit)?;
    check_finite("gradient", gradient)?;
    let norm = norm2(gradient);
    if norm <= limit {
        return Ok(None);
    }
    let factor = limit / norm;
    if factor >= T::MIN_POSITIVE {
        scale(factor, gradient);
        return Ok(Some(factor));
    }
    // The norm or the quotient leaves the range. ‖g‖ ≤ √n·MAX is finite once scaled by ε, which is exact but
    // for entries that vanish beside it.
    scale(T::EPSILON, gradient);
    let norm = norm2(gradient);
    for g in gradient {
        *g = *g / norm * limit;
    }
    Ok(Some(limit / norm * T::EPSILON))
}

/// Confines the entries of a gradient: gᵢ ← min(max(gᵢ, −c), c).
///
/// Shapes: g of any length n. Returns how many entries changed. Guarantees: exact. The direction changes, unlike
/// with [`clip_norm`]. Cost: 2n comparisons, no lent memory. Source: T. Mikolov, Statistical Language Models
/// Based on Neural Networks, 2012, section 3.2.2.
///
/// # Errors
/// [`Error::Setting`] unless c > 0 is finite; [`Error::NonFinite`] if g is not finite; g is then untouched.
///
/// ```
/// use quern_kernels::optim::clip_values;
/// let mut gradient = [3.0, -4.0, 0.5];
/// assert_eq!(clip_values(&mut gradient, 1.0)?, 2);
/// assert_eq!(gradient, [1.0, -1.0, 0.5]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn clip_values<T: Real>(gradient: &mut [T], limit: T) -> Result<usize, Error> {
    check_limit(limit)?;
    check_finite("gradient", gradient)?;
    let mut changed = 0_usize;
    for g in gradient {
        let clipped = g.maximum(-limit).minimum(limit);
        changed = changed.wrapping_add(usize::from(clipped != *g));
        *g = clipped;
    }
    Ok(changed)
}

fn check_limit<T: Real>(limit: T) -> Result<(), Error> {
    if is_size(limit, false) {
        Ok(())
    } else {
        Err(Error::Setting { name: "limit", expected: "above 0 and finite" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_that_overflow_are_clipped() {
        for length in [1, 2, 9, 100] {
            let mut gradient = std::vec![-f32::MAX; length];
            let factor = clip_norm(&mut gradient, 1.0).unwrap().unwrap();
            assert!((0.0..=f32::MIN_POSITIVE).contains(&factor));
            // Each entry is −1/√n.
            let expected = 1.0 / (length as f32).sqrt();
            assert!(gradient.iter().all(|g| (g + expected).abs() <= 4.0 * f32::EPSILON), "{length}");
        }
        // Squares overflow, the norm does not.
        let mut gradient = [3e200, 4e200];
        assert!(clip_norm(&mut gradient, 5.0).unwrap().is_some());
        assert!((gradient[0] - 3.0_f64).abs() <= 1e-15 && (gradient[1] - 4.0_f64).abs() <= 1e-15);
        let mut tiny = [1e-200_f64, 0.0];
        assert_eq!(clip_norm(&mut tiny, 1e-200), Ok(None));
        assert_eq!(clip_norm(&mut tiny, 0.5e-200), Ok(Some(0.5)));
        // A factor of 1.5·2⁻¹⁴⁹ would be rounded up to 2⁻¹⁴⁸.
        let mut huge = [2.0_f32.powi(127)];
        clip_norm(&mut huge, 1.5 * 2.0_f32.powi(-22)).unwrap();
        assert_eq!(huge, [1.5 * 2.0_f32.powi(-22)]);
    }

    #[test]
    fn misuse_is_refused() {
        for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let setting = Error::Setting { name: "limit", expected: "above 0 and finite" };
            assert_eq!(clip_norm(&mut [1.0], limit), Err(setting));
            assert_eq!(clip_values(&mut [1.0], limit), Err(setting));
        }
        let mut gradient = [5.0, f64::NAN];
        let refusal = Error::NonFinite { what: "gradient", index: 1 };
        assert_eq!(clip_norm(&mut gradient, 1.0), Err(refusal));
        assert_eq!(clip_values(&mut gradient, 1.0), Err(refusal));
        assert_eq!(gradient[0], 5.0);
        assert_eq!((clip_norm::<f32>(&mut [], 1.0), clip_values::<f32>(&mut [], 1.0)), (Ok(None), Ok(0)));
    }
}
