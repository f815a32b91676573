use crate::{Error, Real, check_finite, check_length};

/// The loss along a straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Barrier<T> {
    /// The highest loss on the line, less the higher one of its ends; 0 if no point is higher than those.
    pub height: T,
    /// Where the highest loss is, from 0 to 1.
    pub at: T,
    /// The losses at the ends.
    pub ends: [T; 2],
}

/// The barrier between two minima on a straight line: max_s L(w + s(w′ − w)) − max(L(w), L(w′)), s = 0, 1/(k −
/// 1), ..., 1.
///
/// No barrier shows that both lie in one basin. A barrier does not show that they do not: a curved way may
/// avoid it, and networks that differ by a permutation of their units are far apart.
///
/// Shapes: w, w′ and the lent memory of n entries; k ≥ 2 points. Guarantee: the loss is called k times, in order,
/// at the ends with w and w′ themselves. Cost: k losses and 3kn flops; n scalars lent. Source: I. J. Goodfellow, O.
/// Vinyals, A. M. Saxe, Qualitatively Characterizing Neural Network Optimization Problems, 2015; the barrier as in
/// J. Frankle et al., Linear Mode Connectivity and the Lottery Ticket Hypothesis, 2020, with the higher end in the
/// place of the mean.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Setting`] for fewer than two points; [`Error::NonFinite`] if a point or a loss
/// is not finite; those of the loss.
///
/// ```
/// use quern_kernels::stability::line_barrier;
/// // Minima at ±1, with a hill of height 1 between.
/// let loss = |w: &[f64]| Ok((w[0] * w[0] - 1.0).powi(2));
/// let barrier = line_barrier(loss, &[-1.0], &[1.0], 41, &mut [0.0])?;
/// assert_eq!((barrier.height, barrier.at), (1.0, 0.5));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn line_barrier<T: Real>(
    mut loss: impl FnMut(&[T]) -> Result<T, Error>,
    from: &[T],
    to: &[T],
    points: usize,
    memory: &mut [T],
) -> Result<Barrier<T>, Error> {
    check_length("to", to.len(), from.len())?;
    check_length("memory", memory.len(), from.len())?;
    check_finite("from", from)?;
    check_finite("to", to)?;
    if points < 2 {
        return Err(Error::Setting { name: "points", expected: "at least 2" });
    }
    let last = points.wrapping_sub(1);
    let mut finite_loss = |at: &[T]| {
        let value = loss(at)?;
        check_finite("loss", &[value])?;
        Ok(value)
    };
    let start = finite_loss(from)?;
    let (mut highest, mut place) = (start, T::ZERO);
    for point in 1..last {
        let s = T::from_usize(point) / T::from_usize(last);
        for ((w, &from), &to) in memory.iter_mut().zip(from).zip(to) {
            *w = from + s * (to - from);
        }
        check_finite("point", memory)?;
        let value = finite_loss(memory)?;
        if value > highest {
            (highest, place) = (value, s);
        }
    }
    let end = finite_loss(to)?;
    if end > highest {
        (highest, place) = (end, T::ONE);
    }
    Ok(Barrier { height: highest - start.maximum(end), at: place, ends: [start, end] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_convex_loss_has_no_barrier() {
        let loss = |w: &[f64]| Ok(w.iter().map(|w| w * w).sum::<f64>());
        let barrier = line_barrier(loss, &[1.0, 2.0], &[-3.0, 1.0], 41, &mut [0.0; 2]).unwrap();
        assert_eq!(barrier, Barrier { height: 0.0, at: 1.0, ends: [5.0, 10.0] });
        assert_eq!(line_barrier(loss, &[3.0], &[1.0], 2, &mut [0.0]).unwrap().at, 0.0);
    }

    #[test]
    fn misuse_is_refused() {
        let loss = |w: &[f32]| Ok(w.iter().sum());
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(line_barrier(loss, &[1.0], &[1.0; 2], 3, &mut [0.0]), dimension("to", 1, 2));
        assert_eq!(line_barrier(loss, &[1.0], &[1.0], 3, &mut [0.0; 2]), dimension("memory", 1, 2));
        assert!(matches!(line_barrier(loss, &[1.0], &[1.0], 1, &mut [0.0]), Err(Error::Setting { .. })));
        let far = line_barrier(loss, &[-f32::MAX], &[f32::MAX], 3, &mut [0.0]);
        assert_eq!(far, Err(Error::NonFinite { what: "point", index: 0 }));
        let infinite = line_barrier(|_: &[f32]| Ok(f32::INFINITY), &[1.0], &[1.0], 3, &mut [0.0]);
        assert_eq!(infinite, Err(Error::NonFinite { what: "loss", index: 0 }));
        let failing = |_: &[f32]| Err(Error::Infeasible { what: "a loss" });
        assert!(matches!(
            line_barrier(failing, &[1.0], &[1.0], 3, &mut [0.0]),
            Err(Error::Infeasible { .. })
        ));
    }
}
