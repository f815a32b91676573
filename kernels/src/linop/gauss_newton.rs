use super::hessian::{Evaluation, check_product, or_nan};
use super::{Adjoint, LinearOperator};
use crate::blas::{axpy_unchecked, dot_unchecked};
use crate::{Error, Real, check_finite};
use core::borrow::BorrowMut;

/// The mean of rank-one matrices, G = (1/n) Σᵢ gᵢgᵢᵀ: y = (1/n) Σᵢ (gᵢᵀx) gᵢ.
///
/// With gᵢ the gradient of the model's output for sample i this is the Gauss-Newton matrix of ½(f − y)², equal to the
/// Hessian where every residual vanishes; for another loss ℓ, gᵢ is to be scaled by √ℓ″ᵢ, and scaled by ‖gᵢ‖ it gives
/// the mean of the squares (gᵢgᵢᵀ)².
///
/// Shapes: x, y and gᵢ of length P; the function writes gᵢ for i below n. Guarantees: symmetric and positive
/// semidefinite up to rounding; samples are added in order. Cost of a product: n gradients and 4nP flops; P lent
/// scalars, and what the function brings. Source: N. N. Schraudolph, Fast curvature matrix-vector products for
/// second-order gradient descent, 2002, section 3.
///
/// ```
/// use quern_kernels::linop::{GaussNewton, LinearOperator};
/// let samples = [[1.0, 0.0], [1.0, 2.0]];
/// let gradient = |sample: usize, g: &mut [f64]| {
///     g.copy_from_slice(&samples[sample]);
///     Ok(())
/// };
/// let mut y = [0.0; 2];
/// GaussNewton::new(2, 2, gradient, [0.0; 2])?.apply(&[1.0, 1.0], &mut y);
/// assert_eq!(y, [2.0, 3.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Debug)]
pub struct GaussNewton<T, F, W> {
    parameters: usize,
    samples: usize,
    mean: T,
    evaluation: Evaluation<F, W>,
}

impl<T, F, W> GaussNewton<T, F, W>
where
    T: Real,
    F: FnMut(usize, &mut [T]) -> Result<(), Error>,
    W: BorrowMut<[T]>,
{
    /// The matrix of `samples` gradients of length `parameters`.
    ///
    /// # Errors
    /// [`Error::Setting`] for no samples; [`Error::Capacity`].
    pub fn new(parameters: usize, samples: usize, gradient: F, scratch: W) -> Result<Self, Error> {
        if samples == 0 {
            return Err(Error::Setting { name: "samples", expected: "at least 1" });
        }
        let evaluation = Evaluation::new(gradient, scratch, parameters)?;
        Ok(Self { parameters, samples, mean: T::ONE / T::from_usize(samples), evaluation })
    }

    /// y ← Gx.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if x or the product is not finite; those of the gradients.
    pub fn product(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        check_product(self.parameters, x, y)?;
        y.fill(T::ZERO);
        self.evaluation.with(|gradient, scratch| {
            let g = scratch.get_mut(..self.parameters).unwrap_or_default();
            for sample in 0..self.samples {
                gradient(sample, g)?;
                axpy_unchecked(dot_unchecked(g, x) * self.mean, g, y);
            }
            Ok(())
        })?;
        check_finite("product", y)
    }
}

impl<T, F, W> LinearOperator<T> for GaussNewton<T, F, W>
where
    T: Real,
    F: FnMut(usize, &mut [T]) -> Result<(), Error>,
    W: BorrowMut<[T]>,
{
    fn rows(&self) -> usize {
        self.parameters
    }
    fn columns(&self) -> usize {
        self.parameters
    }
    /// y ← [`product`](GaussNewton::product), or NaN where that is an error.
    fn apply(&self, x: &[T], y: &mut [T]) {
        or_nan(self.product(x, y), y);
    }
}

impl<T, F, W> Adjoint<T> for GaussNewton<T, F, W>
where
    T: Real,
    F: FnMut(usize, &mut [T]) -> Result<(), Error>,
    W: BorrowMut<[T]>,
{
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.apply(y, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [[f64; 3]; 4] = [[1.0, 2.0, 0.0], [0.0, -1.0, 3.0], [2.0, 0.0, 1.0], [0.0; 3]];

    fn gradient(sample: usize, g: &mut [f64]) -> Result<(), Error> {
        g.copy_from_slice(&SAMPLES[sample]);
        Ok(())
    }

    #[test]
    fn entries_are_means_of_products() {
        let operator = GaussNewton::new(3, 4, gradient, [0.0; 3]).unwrap();
        for j in 0..3 {
            let mut unit = [0.0; 3];
            unit[j] = 1.0;
            let mut column = [9.0; 3];
            operator.apply_adjoint(&unit, &mut column);
            for (i, entry) in column.iter().enumerate() {
                assert_eq!(*entry, SAMPLES.iter().map(|g| g[i] * g[j]).sum::<f64>() / 4.0);
            }
        }
    }

    #[test]
    fn misuse_is_refused() {
        assert!(matches!(GaussNewton::new(3, 0, gradient, [0.0; 3]).err(), Some(Error::Setting { .. })));
        assert!(matches!(GaussNewton::new(3, 1, gradient, [0.0; 2]).err(), Some(Error::Capacity { .. })));
        let failing = |_: usize, _: &mut [f64]| Err(Error::Infeasible { what: "a gradient" });
        let operator = GaussNewton::new(1, 1, failing, [0.0]).unwrap();
        let mut y = [0.0];
        assert_eq!(operator.product(&[1.0], &mut y), Err(Error::Infeasible { what: "a gradient" }));
        operator.apply(&[1.0], &mut y);
        assert!(y[0].is_nan());
        let huge = |_: usize, g: &mut [f64]| {
            g.fill(1e200);
            Ok(())
        };
        let operator = GaussNewton::new(1, 1, huge, [0.0]).unwrap();
        assert_eq!(operator.product(&[1.0], &mut y), Err(Error::NonFinite { what: "product", index: 0 }));
    }
}
