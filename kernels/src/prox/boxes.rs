use crate::{Error, Real, check_finite, check_length};

/// x_i ← min(max(x_i, l_i), u_i): the projection onto the box of all x with l ≤ x ≤ u, in the Euclidean norm
/// and in every other that weighs coordinates.
///
/// Shapes: x, lower and upper of the same length n. Guarantee: exact, without rounding; idempotent; an entry
/// between its bounds keeps its bits. Bounds may be −∞ below and ∞ above. Cost: 2n comparisons beside the
/// checks, no lent memory. Source: N. Parikh, S. Boyd, Proximal Algorithms, section 6.2.4.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] for x not finite or a bound NaN; [`Error::Infeasible`] if some
/// l_i > u_i, or the box holds no finite point. x is then untouched.
///
/// ```
/// let mut x = [-3.0, 0.5, 3.0];
/// quern_kernels::prox::clip_box(&mut x, &[-1.0, 0.0, f64::NEG_INFINITY], &[1.0, 1.0, 2.0])?;
/// assert_eq!(x, [-1.0, 0.5, 2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn clip_box<T: Real>(x: &mut [T], lower: &[T], upper: &[T]) -> Result<(), Error> {
    check_length("lower", lower.len(), x.len())?;
    check_bounds(lower, upper)?;
    check_finite("x", x)?;
    for (x, (&lower, &upper)) in x.iter_mut().zip(lower.iter().zip(upper)) {
        *x = x.maximum(lower).minimum(upper);
    }
    Ok(())
}

/// x_i ← min(max(x_i, l), u): [`clip_box`] with the same bounds for all coordinates.
///
/// Shapes: x of any length n. Guarantee and source: as [`clip_box`]. Cost: 2n comparisons beside the checks,
/// no lent memory.
///
/// # Errors
/// [`Error::NonFinite`] for x not finite or a bound NaN; [`Error::Infeasible`] if l > u, or no finite number
/// lies between. x is then untouched.
///
/// ```
/// let mut x = [-3.0, 0.5, 3.0];
/// quern_kernels::prox::clip_interval(&mut x, 0.0, f64::INFINITY)?;
/// assert_eq!(x, [0.0, 0.5, 3.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn clip_interval<T: Real>(x: &mut [T], lower: T, upper: T) -> Result<(), Error> {
    check_bounds(&[lower], &[upper])?;
    check_finite("x", x)?;
    for x in x {
        *x = x.maximum(lower).minimum(upper);
    }
    Ok(())
}

/// l_i ← max(l_i, l'_i), u_i ← min(u_i, u'_i): the box that two boxes have in common.
///
/// Shapes: all of the same length n. Guarantee: exact. Bounds may be −∞ below and ∞ above. Cost: 2n
/// comparisons beside the checks, no lent memory. Source: none needed.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] for NaN; [`Error::Infeasible`] if one of the boxes, or what
/// they have in common, is empty. The first box is then untouched.
///
/// ```
/// let (mut lower, mut upper) = ([0.0, 0.0], [2.0, 2.0]);
/// quern_kernels::prox::intersect_boxes(&mut lower, &mut upper, &[-1.0, 1.0], &[1.0, 3.0])?;
/// assert_eq!((lower, upper), ([0.0, 1.0], [1.0, 2.0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn intersect_boxes<T: Real>(
    lower: &mut [T],
    upper: &mut [T],
    other_lower: &[T],
    other_upper: &[T],
) -> Result<(), Error> {
    check_length("other lower", other_lower.len(), lower.len())?;
    check_bounds(lower, upper)?;
    check_bounds(other_lower, other_upper)?;
    let crossed = |(lower, upper): (&[T], &[T])| lower.iter().zip(upper).any(|(lower, upper)| lower > upper);
    if crossed((lower, other_upper)) || crossed((other_lower, upper)) {
        return Err(Error::Infeasible { what: "boxes with a common point" });
    }
    for (lower, &other) in lower.iter_mut().zip(other_lower) {
        *lower = lower.maximum(other);
    }
    for (upper, &other) in upper.iter_mut().zip(other_upper) {
        *upper = upper.minimum(other);
    }
    Ok(())
}

/// Refuses bounds between which no finite number lies.
fn check_bounds<T: Real>(lower: &[T], upper: &[T]) -> Result<(), Error> {
    check_length("upper", upper.len(), lower.len())?;
    check_number("lower", lower)?;
    check_number("upper", upper)?;
    // No finite number is above a bound of +∞ or below one of −∞.
    let empty = |(&lower, &upper): (&T, &T)| lower > upper || lower > T::MAX || upper < -T::MAX;
    if lower.iter().zip(upper).any(empty) {
        Err(Error::Infeasible { what: "lower <= upper" })
    } else {
        Ok(())
    }
}

/// Refuses NaN alone.
fn check_number<T: Real>(what: &'static str, values: &[T]) -> Result<(), Error> {
    #[expect(clippy::eq_op, reason = "true of NaN alone")]
    match values.iter().position(|value| value != value) {
        None => Ok(()),
        Some(index) => Err(Error::NonFinite { what, index }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_attained_and_kept() {
        let mut x = [-2.0f32, -1.0, 0.25, 1.0, 2.0];
        clip_interval(&mut x, -1.0, 1.0).unwrap();
        assert_eq!(x, [-1.0, -1.0, 0.25, 1.0, 1.0]);
        clip_interval(&mut x, 0.5, 0.5).unwrap();
        assert_eq!(x, [0.5; 5]);
        let mut zero = [-0.0f32];
        clip_interval(&mut zero, 0.0, 1.0).unwrap();
        assert_eq!(zero[0].to_bits(), (-0.0f32).to_bits());
    }

    #[test]
    fn nonsense_is_refused_and_touches_nothing() {
        let mut x = [5.0f64, 5.0];
        let wrong = |x: &mut [f64], lower: &[f64], upper: &[f64]| clip_box(x, lower, upper).unwrap_err();
        assert!(matches!(wrong(&mut x, &[0.0; 3], &[1.0; 2]), Error::Dimension { what: "lower", .. }));
        assert!(matches!(wrong(&mut x, &[0.0; 2], &[1.0; 1]), Error::Dimension { what: "upper", .. }));
        assert!(matches!(wrong(&mut x, &[0.0, 2.0], &[1.0; 2]), Error::Infeasible { .. }));
        assert!(matches!(wrong(&mut x, &[0.0, f64::NAN], &[1.0; 2]), Error::NonFinite { index: 1, .. }));
        assert!(matches!(
            wrong(&mut x, &[0.0, f64::INFINITY], &[f64::INFINITY; 2]),
            Error::Infeasible { .. }
        ));
        assert!(matches!(
            wrong(&mut x, &[f64::NEG_INFINITY; 2], &[f64::NEG_INFINITY; 2]),
            Error::Infeasible { .. }
        ));
        assert_eq!(x, [5.0, 5.0]);
        assert!(matches!(
            clip_interval(&mut [1.0, f64::INFINITY], 0.0, 1.0),
            Err(Error::NonFinite { what: "x", index: 1 })
        ));
        clip_box::<f64>(&mut [], &[], &[]).unwrap();
    }

    #[test]
    fn boxes_that_touch_intersect_and_others_do_not() {
        let (mut lower, mut upper) = ([0.0f32], [1.0]);
        intersect_boxes(&mut lower, &mut upper, &[1.0], &[2.0]).unwrap();
        assert_eq!((lower, upper), ([1.0], [1.0]));
        let refused = intersect_boxes(&mut lower, &mut upper, &[1.5], &[2.0]);
        assert!(matches!(refused, Err(Error::Infeasible { .. })));
        assert_eq!((lower, upper), ([1.0], [1.0]));
        assert!(matches!(
            intersect_boxes(&mut lower, &mut upper, &[1.0, 2.0], &[2.0, 3.0]),
            Err(Error::Dimension { .. })
        ));
    }
}
