use crate::blas::axpy_unchecked;
use crate::linop::LinearOperator;
use crate::spectrum::{PowerIteration, PowerReport, PowerStop};
use crate::{Error, Real};
use core::cell::RefCell;

/// How much the samples' Hessians differ, s = √λ_max((1/n) Σᵢ Hᵢ² − H²), and the power iteration that found s².
///
/// Shapes: H and the mean of the Hᵢ² of P×P, both symmetric; for Hᵢ = gᵢgᵢᵀ they are the
/// [`GaussNewton`](crate::linop::GaussNewton) matrices of gᵢ and of ‖gᵢ‖gᵢ. The start vector is of length P.
/// Guarantees: s is no larger than the true one, but for rounding, and 0 where all samples have one Hessian; SGD at a stable minimum has s ≤ 1/(η√κ). Cost of an
/// iteration: three products, and 10P flops; 3P lent scalars. Source: L. Wu, C. Ma, W. E, How SGD Selects the Global
/// Minima in Over-parameterized Learning, NeurIPS 2018.
///
/// # Errors
/// [`Error::Capacity`]; those of [`PowerIteration::largest`].
///
/// ```
/// use quern_kernels::{linop::Diagonal, spectrum::PowerStop, stability::nonuniformity};
/// // H₁ = diag(4, 0), H₂ = diag(0, 2): the mean is diag(2, 1), of the squares diag(8, 2).
/// let (mean, squares) = (Diagonal::new(&[2.0, 1.0])?, Diagonal::new(&[8.0, 2.0])?);
/// let stop = PowerStop { relative_tolerance: 1e-9, max_iterations: 100 };
/// let (s, _) = nonuniformity(&mean, &squares, &[1.0, 1.0], &stop, &mut [0.0; 6])?;
/// assert!((s - 2.0_f64).abs() < 1e-9);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn nonuniformity<T: Real>(
    mean: &impl LinearOperator<T>,
    mean_of_squares: &impl LinearOperator<T>,
    start: &[T],
    stop: &PowerStop<T>,
    scratch: &mut [T],
) -> Result<(T, PowerReport<T>), Error> {
    let size = start.len();
    let (required, available) = (size.saturating_mul(3), scratch.len());
    let (inner, memory) = scratch
        .split_at_mut_checked(size)
        .filter(|_| available >= required)
        .ok_or(Error::Capacity { what: "scratch", required, available })?;
    let spread = Spread { mean, mean_of_squares, inner: RefCell::new(inner) };
    let report = PowerIteration::new(memory).largest(&spread, start, stop)?;
    Ok((report.value.maximum(T::ZERO).sqrt(), report))
}

/// (1/n) Σᵢ Hᵢ² − H².
struct Spread<'a, G, S, T> {
    mean: &'a G,
    mean_of_squares: &'a S,
    inner: RefCell<&'a mut [T]>,
}

impl<T: Real, G: LinearOperator<T>, S: LinearOperator<T>> LinearOperator<T> for Spread<'_, G, S, T> {
    fn rows(&self) -> usize {
        self.mean.rows()
    }
    fn columns(&self) -> usize {
        self.mean_of_squares.columns()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        // Nothing else borrows it: an operator is not called from within itself.
        if let Ok(mut inner) = self.inner.try_borrow_mut() {
            self.mean.apply(x, y);
            self.mean.apply(y, &mut inner);
            self.mean_of_squares.apply(x, y);
            axpy_unchecked(-T::ONE, &inner, y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linop::{Diagonal, GaussNewton};

    const GRADIENTS: [[f64; 2]; 3] = [[1.0, 2.0], [0.0, 1.0], [-2.0, 1.0]];

    #[test]
    fn rank_one_hessians_give_the_closed_form() {
        let scaled = |power: bool| {
            move |sample: usize, g: &mut [f64]| {
                let gradient = GRADIENTS[sample];
                let norm =
                    if power { (gradient[0] * gradient[0] + gradient[1] * gradient[1]).sqrt() } else { 1.0 };
                g.copy_from_slice(&gradient.map(|entry| norm * entry));
                Ok(())
            }
        };
        let mean = GaussNewton::new(2, 3, scaled(false), [0.0; 2]).unwrap();
        let squares = GaussNewton::new(2, 3, scaled(true), [0.0; 2]).unwrap();
        let stop = PowerStop { relative_tolerance: 1e-12, max_iterations: 500 };
        let (s, _) = nonuniformity(&mean, &squares, &[1.0, 0.3], &stop, &mut [0.0; 6]).unwrap();
        // H = (5, 0; 0, 6)/3; the squares' mean: Σqggᵀ/3 with q = 5, 1, 5: (25, 0; 0, 26)/3.
        // Difference: diag(25/3 − 25/9, 26/3 − 4) = diag(50/9, 14/3).
        assert!((s * s - 50.0 / 9.0).abs() < 1e-10, "{}", s * s);
    }

    #[test]
    fn misuse_is_refused() {
        let one = Diagonal::new(&[1.0, 1.0]).unwrap();
        let stop = PowerStop::default();
        assert!(matches!(
            nonuniformity(&one, &one, &[1.0, 1.0], &stop, &mut [0.0; 5]),
            Err(Error::Capacity { required: 6, available: 5, .. })
        ));
        assert!(matches!(
            nonuniformity(&one, &one, &[1.0; 3], &stop, &mut [0.0; 9]),
            Err(Error::Dimension { .. })
        ));
        let (s, _) = nonuniformity(&one, &one, &[1.0, 1.0], &stop, &mut [0.0; 6]).unwrap();
        assert_eq!(s, 0.0);
    }
}
