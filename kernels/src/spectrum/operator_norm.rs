use super::{PowerIteration, PowerStop};
use crate::linop::{Adjoint, LinearOperator};
use crate::{Error, Real, check_length};
use core::cell::RefCell;

/// An estimate of ‖K‖ by power steps on KᵀK, from which step lengths follow: 1/‖A‖² for least squares with A, or
/// those of [`PdhgSettings::balanced`](crate::optim::composite::PdhgSettings::balanced).
///
/// Shapes: the start of length n, K m×n. Guarantees: what is returned is √λ for the quotient λ = ‖Kv‖² of the last v,
/// never above ‖K‖ up to rounding, and from a random start expected to fall short of it by a share of at
/// most 0.44 ln n/(k − 1) after k steps: step lengths want that margin. Cost: `steps` + 1 products with K and with Kᵀ and 9n flops a
/// step; m + 2n scalars lent. Source: as
/// [`PowerIteration`]; the shortfall: J. Kuczyński, H. Woźniakowski, Estimating the Largest Eigenvalue by the Power and
/// Lanczos Algorithms with a Random Start, 1992, theorem 3.1.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Breakdown`] if the start is zero, if K
/// maps it to zero, or if K overflows.
///
/// ```
/// use quern_kernels::linop::Dense;
/// use quern_kernels::spectrum::operator_norm;
/// let operator = Dense::new(1, 2, &[3.0, 4.0])?;
/// let norm: f64 = operator_norm(&operator, &[1.0, 1.0], 60, &mut [0.0; 5])?;
/// assert!((norm - 5.0).abs() < 1e-14);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn operator_norm<T: Real, A: Adjoint<T>>(
    operator: &A,
    start: &[T],
    steps: usize,
    scratch: &mut [T],
) -> Result<T, Error> {
    let (n, m) = (operator.columns(), operator.rows());
    check_length("start", start.len(), n)?;
    let (required, available) = (m.saturating_add(PowerIteration::scalars(n)), scratch.len());
    let (image, memory) = scratch
        .split_at_mut_checked(m)
        .filter(|_| available >= required)
        .ok_or(Error::Capacity { what: "scratch", required, available })?;
    let gram = Gram { operator, image: RefCell::new(image) };
    let stop = PowerStop { relative_tolerance: T::EPSILON, max_iterations: steps };
    let report = PowerIteration::new(memory).dominant(&gram, start, &stop)?;
    if report.value > T::ZERO {
        return Ok(report.value.sqrt());
    }
    Err(Error::Breakdown { what: "the image of the start vector", index: report.iterations })
}

/// KᵀK.
struct Gram<'a, A, T> {
    operator: &'a A,
    image: RefCell<&'a mut [T]>,
}

impl<T: Real, A: Adjoint<T>> LinearOperator<T> for Gram<'_, A, T> {
    fn rows(&self) -> usize {
        self.operator.columns()
    }
    fn columns(&self) -> usize {
        self.operator.columns()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        // Nothing else borrows it: an operator is not called from within itself.
        if let Ok(mut image) = self.image.try_borrow_mut() {
            self.operator.apply(x, &mut image);
            self.operator.apply_adjoint(&image, y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::Dense;

    #[test]
    fn wide_and_tall_and_what_has_no_norm_to_find() {
        let entries = [1.0, -2.0, 0.5, 3.0, 1.0, 1.0];
        let [wide, tall] = [(2, 3), (3, 2)].map(|(m, n)| Dense::new(m, n, &entries).unwrap());
        // λ of KKᵀ from trace and determinant.
        let largest = |a: f64, b: f64, c: f64| (a + c) / 2.0 + ((a - c) * (a - c) / 4.0 + b * b).sqrt();
        let found = operator_norm(&wide, &[1.0; 3], 200, &mut [0.0; 8]).unwrap();
        assert!((found * found - largest(2.25, 0.5, 14.0)).abs() < 1e-12);
        let found = operator_norm(&tall, &[1.0; 2], 200, &mut [0.0; 7]).unwrap();
        assert!((found * found - largest(5.25, 1.5, 11.0)).abs() < 1e-12);
        let zero = Dense::new(1, 2, &[0.0, 0.0]).unwrap();
        assert!(matches!(operator_norm(&zero, &[1.0; 2], 5, &mut [0.0; 5]), Err(Error::Breakdown { .. })));
        assert!(matches!(operator_norm(&wide, &[1.0; 3], 5, &mut [0.0; 7]), Err(Error::Capacity { .. })));
        assert!(matches!(operator_norm(&wide, &[1.0; 2], 5, &mut [0.0; 8]), Err(Error::Dimension { .. })));
        assert!(matches!(
            operator_norm(&wide, &[f64::NAN; 3], 5, &mut [0.0; 8]),
            Err(Error::NonFinite { .. })
        ));
    }
}
