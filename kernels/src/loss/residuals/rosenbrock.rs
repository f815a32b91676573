use crate::optim::descent::Residuals;
use crate::{Error, Real, check_finite, check_length};

/// u = (1 − x₁, 10(x₂ − x₁²)): a curved valley, with the only root (1, 1).
///
/// Shapes: m = n = 2. Cost: a few flops; nothing lent. Source: H. H. Rosenbrock, An Automatic Method for Finding the
/// Greatest or Least Value of a Function, 1960.
///
/// ```
/// use quern_kernels::loss::Rosenbrock;
/// use quern_kernels::optim::descent::Residuals;
/// let mut residuals = [0.0; 2];
/// Rosenbrock.residuals(&[-2.0, 2.0], &mut residuals)?;
/// assert_eq!(residuals, [3.0, -20.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Rosenbrock;

fn pair<T: Real>(what: &'static str, x: &[T]) -> Result<(T, T), Error> {
    match *x {
        [first, second] => Ok((first, second)),
        _ => Err(Error::Dimension { what, expected: 2, found: x.len() }),
    }
}

impl<T: Real> Residuals<T> for Rosenbrock {
    fn rows(&self) -> usize {
        2
    }

    fn columns(&self) -> usize {
        2
    }

    fn residuals(&mut self, x: &[T], residuals: &mut [T]) -> Result<(), Error> {
        let (a, b) = pair("x", x)?;
        check_length("residuals", residuals.len(), 2)?;
        let values = [T::ONE - a, T::from_u32(10) * (b - a * a)];
        for (out, value) in residuals.iter_mut().zip(values) {
            *out = value;
        }
        check_finite("residuals", residuals)
    }

    fn normal_equations(
        &mut self,
        x: &[T],
        residuals: &[T],
        product: &mut [T],
        gram: &mut [T],
    ) -> Result<(), Error> {
        let ((a, _), (u, v)) = (pair("x", x)?, pair("residuals", residuals)?);
        check_length("product", product.len(), 2)?;
        // J = (−1, 0; −20x₁, 10).
        let (slope, ten) = (T::from_f64(-20.0) * a, T::from_u32(10));
        for (out, value) in product.iter_mut().zip([slope * v - u, ten * v]) {
            *out = value;
        }
        check_finite("product", product)?;
        if !gram.is_empty() {
            check_length("gram", gram.len(), 4)?;
            let cross = slope * ten;
            for (out, value) in gram.iter_mut().zip([T::ONE + slope * slope, cross, cross, ten * ten]) {
                *out = value;
            }
        }
        Ok(())
    }

    fn add_curvature(&mut self, _x: &[T], residuals: &[T], hessian: &mut [T]) -> Result<(), Error> {
        let (_, v) = pair("residuals", residuals)?;
        check_length("hessian", hessian.len(), 4)?;
        if let Some(entry) = hessian.first_mut() {
            *entry += T::from_f64(-20.0) * v;
        }
        Ok(())
    }
}
