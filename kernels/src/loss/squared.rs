use crate::blas::{LANES, combine};
use crate::{Error, Real, check_finite, check_length};

/// Mean squared error with the factor of one half: ‖A − Y‖²_F / (2·samples).
///
/// Shapes: A and Y of the same length, a multiple of the number of samples. Guarantees: summed as by
/// [`blas::dot`](crate::blas::dot). Cost: 3n flops, no lent memory.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Setting`] for no samples; [`Error::NonFinite`] if an argument or the loss
/// is not finite.
///
/// ```
/// assert_eq!(quern_kernels::loss::squared(&[1.0, 3.0], &[0.0, 1.0], 2), Ok(1.25));
/// ```
pub fn squared<T: Real>(outputs: &[T], targets: &[T], samples: usize) -> Result<T, Error> {
    let mean = check(outputs, targets, samples)?;
    value(squared_distance(outputs, targets), mean)
}

/// [`squared`], and the outputs replaced by its gradient (A − Y)/samples.
///
/// Shapes and errors: as [`squared`], whose bits the value has. Guarantees: the gradient is fl(A − Y) times
/// the rounded reciprocal of the number of samples. Cost: 4n flops, no lent memory.
///
/// # Errors
/// As [`squared`].
///
/// ```
/// let mut outputs = [1.0, 3.0];
/// assert_eq!(quern_kernels::loss::squared_gradient(&mut outputs, &[0.0, 1.0], 2), Ok(1.25));
/// assert_eq!(outputs, [0.5, 1.0]);
/// ```
pub fn squared_gradient<T: Real>(outputs: &mut [T], targets: &[T], samples: usize) -> Result<T, Error> {
    let mean = check(outputs, targets, samples)?;
    let value = value(squared_distance(outputs, targets), mean)?;
    for (output, &target) in outputs.iter_mut().zip(targets) {
        *output = (*output - target) * mean;
    }
    Ok(value)
}

/// The reciprocal of the number of samples.
fn check<T: Real>(outputs: &[T], targets: &[T], samples: usize) -> Result<T, Error> {
    if samples == 0 {
        return Err(Error::Setting { name: "samples", expected: "at least 1" });
    }
    check_length("outputs", outputs.len(), outputs.len() / samples * samples)?;
    check_length("targets", targets.len(), outputs.len())?;
    check_finite("outputs", outputs)?;
    check_finite("targets", targets)?;
    Ok(T::ONE / T::from_usize(samples))
}

fn value<T: Real>(distance: T, mean: T) -> Result<T, Error> {
    let value = distance * mean / (T::ONE + T::ONE);
    if value.is_finite() { Ok(value) } else { Err(Error::NonFinite { what: "loss", index: 0 }) }
}

/// ‖x − y‖².
fn squared_distance<T: Real>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::NEGATIVE_ZERO; LANES];
    let ((x, x_tail), (y, y_tail)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    let add = |sums: &mut [T; LANES], x: &[T], y: &[T]| {
        for ((sum, &x), &y) in sums.iter_mut().zip(x).zip(y) {
            *sum += (x - y) * (x - y);
        }
    };
    for (x, y) in x.iter().zip(y) {
        add(&mut sums, x, y);
    }
    add(&mut sums, x_tail, y_tail);
    combine(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_and_gradient_of_a_long_batch() {
        // Differences 0, 1, ..., 19 in ten samples of two: Σ k² = 2470.
        let mut outputs: [f64; 20] = core::array::from_fn(|k| 2.0 * k as f64);
        let targets: [f64; 20] = core::array::from_fn(|k| k as f64);
        assert_eq!(squared(&outputs, &targets, 10), Ok(2470.0 * 0.1 / 2.0));
        assert_eq!(squared_gradient(&mut outputs, &targets, 10), Ok(2470.0 * 0.1 / 2.0));
        for (k, gradient) in outputs.iter().enumerate() {
            assert_eq!(*gradient, k as f64 * 0.1);
        }
    }

    #[test]
    fn misuse_is_refused() {
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert!(matches!(squared::<f32>(&[], &[], 0), Err(Error::Setting { name: "samples", .. })));
        assert_eq!(squared(&[1.0; 3], &[1.0; 3], 2), dimension("outputs", 2, 3));
        assert_eq!(squared(&[1.0; 2], &[1.0; 3], 2), dimension("targets", 2, 3));
        assert_eq!(squared(&[f32::NAN], &[0.0], 1), Err(Error::NonFinite { what: "outputs", index: 0 }));
        assert_eq!(squared(&[0.0], &[f32::INFINITY], 1), Err(Error::NonFinite { what: "targets", index: 0 }));
        assert_eq!(squared(&[1e30_f32], &[0.0], 1), Err(Error::NonFinite { what: "loss", index: 0 }));
        let mut kept = [1e30_f32];
        assert!(squared_gradient(&mut kept, &[0.0], 1).is_err());
        assert_eq!(kept, [1e30], "a refused call leaves the outputs");
    }
}
