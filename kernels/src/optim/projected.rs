use super::Optimizer;
use crate::{Error, Real, check_finite, check_length};

/// A step confined to a box: w ← clip(step(w, g)), clip(x) = min(max(x, l), u) entry by entry.
///
/// Shapes: w, g, l and u of one length. Guarantees: l ≤ w ≤ u afterwards. Clipping is the projection onto the
/// box in every metric that is diagonal, so with [`Adam`](super::Adam) too this is a projected preconditioned
/// step. Bounds may be infinite. Cost: that of the optimizer and 3n comparisons; no lent memory beyond the
/// optimizer's. Source: A. A. Goldstein, Convex programming in Hilbert space, 1964.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Infeasible`] unless l ≤ u; and those of the optimizer.
///
/// ```
/// use quern_kernels::optim::{Sgd, SgdSettings, projected_step};
/// let mut sgd = Sgd::new(SgdSettings { learning_rate: 1.0, ..SgdSettings::default() }, [])?;
/// let mut w = [0.0, 0.0];
/// projected_step(&mut sgd, &mut w, &[5.0, -0.5], &[-1.0, -1.0], &[1.0, 1.0])?;
/// assert_eq!(w, [-1.0, 0.5]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn projected_step<T: Real>(
    optimizer: &mut impl Optimizer<T>,
    parameters: &mut [T],
    gradient: &[T],
    lower: &[T],
    upper: &[T],
) -> Result<(), Error> {
    check_box(parameters, lower, upper)?;
    optimizer.step(parameters, gradient)?;
    for ((w, &lower), &upper) in parameters.iter_mut().zip(lower).zip(upper) {
        *w = w.maximum(lower).minimum(upper);
    }
    Ok(())
}

/// How far a point is from a minimum over a box: ρ(w) = maxᵢ |wᵢ − clip(wᵢ − gᵢ)|.
///
/// Shapes: w, g, l and u of one length. Guarantees: for w in the box, ρ = 0 exactly where no direction into
/// the box descends; for a convex function that is a minimum. 0 for no entries. Cost: 2n flops and 3n
/// comparisons, no lent memory. Source: J. Nocedal, S. J. Wright, Numerical Optimization, equation (16.69),
/// with the largest entry as norm.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Infeasible`] unless l ≤ u; [`Error::NonFinite`].
///
/// ```
/// use quern_kernels::optim::stationarity;
/// // Pushed against its bound, a weight is at rest; a free weight is not.
/// assert_eq!(stationarity(&[1.0], &[-4.0], &[-1.0], &[1.0]), Ok(0.0));
/// assert_eq!(stationarity(&[0.5], &[-4.0], &[-1.0], &[1.0]), Ok(0.5));
/// ```
pub fn stationarity<T: Real>(parameters: &[T], gradient: &[T], lower: &[T], upper: &[T]) -> Result<T, Error> {
    check_box(parameters, lower, upper)?;
    super::check_step(parameters, gradient)?;
    let mut largest = T::ZERO;
    for (((&w, &g), &lower), &upper) in parameters.iter().zip(gradient).zip(lower).zip(upper) {
        largest = largest.maximum((w - (w - g).maximum(lower).minimum(upper)).abs());
    }
    check_finite("stationarity", &[largest])?;
    Ok(largest)
}

pub(super) fn check_box<T: Real>(parameters: &[T], lower: &[T], upper: &[T]) -> Result<(), Error> {
    check_length("lower", lower.len(), parameters.len())?;
    check_length("upper", upper.len(), parameters.len())?;
    // NaN fails the comparison as well.
    if lower.iter().zip(upper).all(|(lower, upper)| lower <= upper) {
        Ok(())
    } else {
        Err(Error::Infeasible { what: "lower ≤ upper" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{Sgd, SgdSettings};

    #[test]
    fn misuse_is_refused() {
        let mut sgd = Sgd::new(SgdSettings::default(), []).unwrap();
        let mut step =
            |lower: &[f64], upper: &[f64]| projected_step(&mut sgd, &mut [0.0], &[1.0], lower, upper);
        assert!(matches!(step(&[], &[0.0]), Err(Error::Dimension { what: "lower", .. })));
        assert!(matches!(step(&[0.0], &[0.0; 2]), Err(Error::Dimension { what: "upper", .. })));
        assert!(matches!(step(&[1.0], &[0.0]), Err(Error::Infeasible { .. })));
        assert!(matches!(step(&[f64::NAN], &[0.0]), Err(Error::Infeasible { .. })));
        assert_eq!(step(&[f64::NEG_INFINITY], &[f64::INFINITY]), Ok(()));
        assert_eq!(
            stationarity(&[f64::NAN], &[0.0], &[0.0], &[0.0]),
            Err(Error::NonFinite { what: "parameters", index: 0 })
        );
        assert_eq!(stationarity::<f64>(&[], &[], &[], &[]), Ok(0.0));
    }
}
