use super::CompositeProblem;
use crate::blas::{dot_unchecked, norm1};
use crate::linop::Adjoint;
use crate::prox::soft_threshold;
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// Least squares with a penalty that makes most coefficients zero: min ½‖Ax − b‖² + λ‖x‖₁.
///
/// Shapes: A m×n, b of length m, x of length n. Guarantees: x is a minimum exactly where |Aᵀ(b − Ax)| ≤ λ entry by
/// entry, with equality and the sign of x where x is not zero, which [`violation`](Self::violation) measures. The
/// gradient's Lipschitz constant is ‖A‖², see [`operator_norm`](crate::spectrum::operator_norm). Cost: a gradient is a product
/// with A and one with Aᵀ; m scalars lent. Source: R. Tibshirani, Regression Shrinkage and Selection via the Lasso,
/// 1996, in the form of A. Beck, M. Teboulle, 2009, equation (1.3). Sums, not means: libraries that take the mean of
/// the squares call λ/m what is λ here.
///
/// ```
/// use quern_kernels::linop::Dense;
/// use quern_kernels::optim::composite::Lasso;
/// let mut lasso = Lasso::new(Dense::new(1, 2, &[1.0, 2.0])?, &[3.0], 1.0, [0.0])?;
/// assert_eq!(lasso.objective(&[0.0, 1.0])?, 1.5);
/// // Only the second column is used, and its correlation is 2·(3 − 2·1.25) = λ.
/// assert_eq!(lasso.violation(&[0.0, 1.25], &mut [0.0; 2])?, 0.0);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lasso<'a, T, A, B> {
    operator: A,
    target: &'a [T],
    weight: T,
    residual: B,
}

impl<'a, T: Real, A: Adjoint<T>, B: BorrowMut<[T]>> Lasso<'a, T, A, B> {
    /// The problem of A, b and λ, with m lent scalars.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Capacity`]; [`Error::Setting`] unless λ ≥ 0.
    pub fn new(operator: A, target: &'a [T], weight: T, residual: B) -> Result<Self, Error> {
        check_length("target", target.len(), operator.rows())?;
        check_finite("target", target)?;
        // The map of nothing refuses what later maps would.
        soft_threshold(&mut [], weight)?;
        let (required, available) = (target.len(), residual.borrow().len());
        if available < required {
            return Err(Error::Capacity { what: "residual", required, available });
        }
        Ok(Self { operator, target, weight, residual })
    }

    /// Ax − b.
    fn residual(&mut self, x: &[T]) -> &[T] {
        let residual = self.residual.borrow_mut().get_mut(..self.target.len()).unwrap_or_default();
        self.operator.apply(x, residual);
        for (residual, &target) in residual.iter_mut().zip(self.target) {
            *residual -= target;
        }
        residual
    }

    /// ½‖Ax − b‖² + λ‖x‖₁. Cost: a product with A.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if x or the objective is not finite.
    pub fn objective(&mut self, x: &[T]) -> Result<T, Error> {
        check_length("x", x.len(), self.operator.columns())?;
        check_finite("x", x)?;
        let penalty = self.weight * norm1(x);
        let objective = self.value(x)? + penalty;
        check_finite("objective", &[objective])?;
        Ok(objective)
    }

    /// How far x is from the conditions of a minimum: the largest of |Aᵀ(b − Ax)| − λ, and where x is not zero, of
    /// |Aᵀ(b − Ax) − λ sign x|; 0 where they hold. Cost: a gradient; n scalars lent.
    ///
    /// # Errors
    /// As [`objective`](Self::objective).
    pub fn violation(&mut self, x: &[T], gradient: &mut [T]) -> Result<T, Error> {
        check_length("x", x.len(), self.operator.columns())?;
        check_length("gradient", gradient.len(), x.len())?;
        check_finite("x", x)?;
        self.gradient(x, gradient)?;
        check_finite("gradient", gradient)?;
        let mut largest = T::ZERO;
        for (&gradient, &x) in gradient.iter().zip(x) {
            let off = if x == T::ZERO {
                gradient.abs() - self.weight
            } else {
                (gradient + self.weight.copysign(x)).abs()
            };
            largest = largest.maximum(off);
        }
        Ok(largest)
    }
}

impl<T: Real, A: Adjoint<T>, B: BorrowMut<[T]>> CompositeProblem<T> for Lasso<'_, T, A, B> {
    fn variables(&self) -> usize {
        self.operator.columns()
    }

    fn value(&mut self, x: &[T]) -> Result<T, Error> {
        let residual = self.residual(x);
        Ok(T::from_f64(0.5) * dot_unchecked(residual, residual))
    }

    fn gradient(&mut self, x: &[T], gradient: &mut [T]) -> Result<(), Error> {
        self.residual(x);
        let residual = self.residual.borrow().get(..self.target.len()).unwrap_or_default();
        self.operator.apply_adjoint(residual, gradient);
        Ok(())
    }

    fn proximal(&mut self, step_length: T, x: &mut [T]) -> Result<(), Error> {
        soft_threshold(x, step_length * self.weight)
    }
}
