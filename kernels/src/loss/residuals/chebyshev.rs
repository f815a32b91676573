use crate::optim::descent::Residuals;
use crate::{Error, Real, check_finite, check_length};

/// u₁ = (1 − x₁)/2, uᵢ = xᵢ − 2xᵢ₋₁² + 1: a chain of Chebyshev polynomials of degree two, with the root (1, …, 1). The
/// scale of variable i over that of variable 1 grows as 2ⁱ.
///
/// Shapes: m = n ≥ 1; J is lower bidiagonal and formed from x alone. Cost: 6n flops, n² to clear JᵀJ; nothing lent.
/// Source: Yu. Nesterov's chained Rosenbrock function, in F. Jarre, On Nesterov's Smooth Chebyshev-Rosenbrock Function,
/// 2013.
///
/// ```
/// use quern_kernels::loss::ChebyshevChain;
/// use quern_kernels::optim::descent::Residuals;
/// let mut residuals = [0.0; 3];
/// ChebyshevChain::new(3)?.residuals(&[0.0, 1.0, 2.0], &mut residuals)?;
/// assert_eq!(residuals, [0.5, 2.0, 1.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ChebyshevChain {
    size: usize,
}

impl ChebyshevChain {
    /// The chain of n variables.
    ///
    /// # Errors
    /// [`Error::Setting`] for none.
    pub const fn new(size: usize) -> Result<Self, Error> {
        if size == 0 {
            return Err(Error::Setting { name: "variables", expected: "at least 1" });
        }
        Ok(Self { size })
    }
}

impl<T: Real> Residuals<T> for ChebyshevChain {
    fn rows(&self) -> usize {
        self.size
    }

    fn columns(&self) -> usize {
        self.size
    }

    fn residuals(&mut self, x: &[T], residuals: &mut [T]) -> Result<(), Error> {
        check_length("x", x.len(), self.size)?;
        check_length("residuals", residuals.len(), self.size)?;
        let mut before = None;
        for (out, &x) in residuals.iter_mut().zip(x) {
            *out = match before {
                None => (T::ONE - x) * T::from_f64(0.5),
                Some(before) => x - (before + before) * before + T::ONE,
            };
            before = Some(x);
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
        let n = self.size;
        check_length("x", x.len(), n)?;
        check_length("residuals", residuals.len(), n)?;
        check_length("product", product.len(), n)?;
        if !gram.is_empty() {
            check_length("gram", gram.len(), n.saturating_mul(n))?;
            gram.fill(T::ZERO);
        }
        // Column i of J: dᵢ on the diagonal, −4xᵢ below it.
        for (i, (out, &x)) in product.iter_mut().zip(x).enumerate() {
            let last = i.saturating_add(1) == n;
            let diagonal = if i == 0 { T::from_f64(-0.5) } else { T::ONE };
            let below = if last { T::ZERO } else { T::from_f64(-4.0) * x };
            let mut pair = residuals.iter().skip(i).copied();
            let (u, next) = (pair.next().unwrap_or(T::ZERO), pair.next().unwrap_or(T::ZERO));
            *out = diagonal * u + below * next;
            let entries = gram.get_mut(i.saturating_mul(n.saturating_add(1))..).unwrap_or_default();
            // JᵀJ at (i, i) and (i + 1, i); the diagonal of J is 1 from the second column on.
            for (entry, value) in entries.iter_mut().zip([diagonal * diagonal + below * below, below]) {
                *entry = value;
                if last {
                    break;
                }
            }
        }
        check_finite("product", product)
    }

    fn add_curvature(&mut self, _x: &[T], residuals: &[T], hessian: &mut [T]) -> Result<(), Error> {
        let n = self.size;
        check_length("residuals", residuals.len(), n)?;
        check_length("hessian", hessian.len(), n.saturating_mul(n))?;
        let diagonal = hessian.iter_mut().step_by(n.saturating_add(1));
        for (entry, &next) in diagonal.zip(residuals.iter().skip(1)) {
            *entry += T::from_f64(-4.0) * next;
        }
        Ok(())
    }
}
