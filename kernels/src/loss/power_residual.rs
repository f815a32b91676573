use crate::blas::{norm2, scale};
use crate::optim::descent::{Curvature, Objective, Residuals, check_triangle};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// What a [`PowerResidual`] takes for its Hessian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerHessian {
    /// ‖u‖^{p−2}(JᵀJ + Σᵢ uᵢ∇²uᵢ) + (p−2)‖u‖^{p−4}qqᵀ.
    Exact,
    /// The same without the second derivatives of u.
    GaussNewton,
    /// (p−2)‖u‖^{p−4}qqᵀ alone, of rank one.
    Fisher,
}

/// f = ‖u(x)‖^p/p with p ≥ 2, ∇f = ‖u‖^{p−2}q, q = J(x)ᵀu.
///
/// Shapes: as the residuals; lent are u and q, m + n scalars. Guarantees: ‖u‖ is formed without over- or underflow of
/// squares; where ‖u‖ = 0 the gradient and (for p > 2) the Hessian are zero, whatever p; the term of rank one is formed
/// from q/‖u‖, so that no power of ‖u‖ is negative. The exact Hessian may be indefinite; the other two are not. Cost:
/// that of the residuals and three powers; n² more flops for a dense Hessian. Source: A. Semenov, M. Jaggi, N. Doikov,
/// Gradient-Normalized Smoothness for Optimization with Approximate Hessians, 2025, section on nonlinear equations.
///
/// ```
/// use quern_kernels::loss::{PowerHessian, PowerResidual, Rosenbrock};
/// use quern_kernels::optim::descent::Objective;
/// let mut problem = PowerResidual::new(Rosenbrock, 2.0, PowerHessian::Exact, [0.0; 4])?;
/// let (mut gradient, mut hessian) = ([0.0; 2], [0.0; 4]);
/// assert_eq!(problem.value_gradient(&[-2.0, 2.0], &mut gradient)?, 204.5);
/// assert_eq!(gradient, [-803.0, -200.0]);
/// problem.hessian(&[-2.0, 2.0], &mut hessian)?;
/// // The lower triangle.
/// assert_eq!((hessian[0], hessian[1], hessian[3]), (2001.0, 400.0, 100.0));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PowerResidual<T, R, B> {
    residuals: R,
    power: T,
    hessian: PowerHessian,
    /// u, q.
    memory: B,
}

/// u and q at a point.
struct Evaluated<'a, T, R> {
    norm: T,
    residuals: &'a mut R,
    u: &'a [T],
    q: &'a [T],
}

impl<T: Real, R: Residuals<T>, B: BorrowMut<[T]>> PowerResidual<T, R, B> {
    /// The problem of these residuals and p, with m + n scalars lent.
    ///
    /// # Errors
    /// [`Error::Setting`] if p is below 2 or not finite; [`Error::Capacity`].
    pub fn new(residuals: R, power: T, hessian: PowerHessian, mut memory: B) -> Result<Self, Error> {
        if !(power >= T::from_u32(2) && power.is_finite()) {
            return Err(Error::Setting { name: "power", expected: "finite and at least 2" });
        }
        let required = residuals.rows().saturating_add(residuals.columns());
        let available = memory.borrow_mut().len();
        if available < required {
            return Err(Error::Capacity { what: "power residual", required, available });
        }
        Ok(Self { residuals, power, hessian, memory })
    }

    /// ‖u(x)‖.
    ///
    /// # Errors
    /// Those of the residuals.
    pub fn residual_norm(&mut self, x: &[T]) -> Result<T, Error> {
        let memory = self.memory.borrow_mut();
        let u = memory.get_mut(..self.residuals.rows()).unwrap_or_default();
        self.residuals.residuals(x, u)?;
        Ok(norm2(u))
    }

    /// u(x) and q, with JᵀJ unless `gram` is empty.
    fn evaluate(&mut self, x: &[T], gram: &mut [T]) -> Result<Evaluated<'_, T, R>, Error> {
        let (m, n) = (self.residuals.rows(), self.residuals.columns());
        let (u, q) = self.memory.borrow_mut().split_at_mut_checked(m).unwrap_or_default();
        let q = q.get_mut(..n).unwrap_or_default();
        self.residuals.residuals(x, u)?;
        self.residuals.normal_equations(x, u, q, gram)?;
        Ok(Evaluated { norm: norm2(u), residuals: &mut self.residuals, u, q })
    }
}

impl<T: Real, R: Residuals<T>, B: BorrowMut<[T]>> Objective<T> for PowerResidual<T, R, B> {
    fn variables(&self) -> usize {
        self.residuals.columns()
    }

    fn value_gradient(&mut self, x: &[T], gradient: &mut [T]) -> Result<T, Error> {
        check_length("gradient", gradient.len(), self.residuals.columns())?;
        let power = self.power;
        let Evaluated { norm, q, .. } = self.evaluate(x, &mut [])?;
        let factor = norm.powf(power - T::from_u32(2));
        let value = factor * norm * norm / power;
        for (gradient, &q) in gradient.iter_mut().zip(q) {
            *gradient = factor * q;
        }
        check_finite("value", &[value])?;
        check_finite("gradient", gradient)?;
        Ok(value)
    }

    fn curvature(&self) -> Curvature {
        if self.hessian == PowerHessian::Fisher { Curvature::RankOne } else { Curvature::Dense }
    }

    fn hessian(&mut self, x: &[T], hessian: &mut [T]) -> Result<(), Error> {
        let n = self.residuals.columns();
        let (kind, excess) = (self.hessian, self.power - T::from_u32(2));
        if kind == PowerHessian::Fisher {
            check_length("hessian", hessian.len(), n)?;
            let Evaluated { norm, q, .. } = self.evaluate(x, &mut [])?;
            let factor =
                if norm > T::ZERO { excess.sqrt() * norm.powf(excess).sqrt() / norm } else { T::ZERO };
            for (out, &q) in hessian.iter_mut().zip(q) {
                *out = factor * q;
            }
            return check_finite("hessian", hessian);
        }
        check_length("hessian", hessian.len(), n.saturating_mul(n))?;
        let Evaluated { norm, residuals, u, q } = self.evaluate(x, hessian)?;
        if kind == PowerHessian::Exact {
            residuals.add_curvature(x, u, hessian)?;
        }
        let factor = norm.powf(excess);
        scale(factor, hessian);
        if norm > T::ZERO && excess > T::ZERO {
            for (j, column) in hessian.chunks_exact_mut(n.max(1)).enumerate() {
                let along = q.get(j).map_or(T::ZERO, |&q| excess * factor * (q / norm));
                for (entry, &q) in column.iter_mut().zip(q).skip(j) {
                    *entry += along * (q / norm);
                }
            }
        }
        check_triangle(n, hessian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::{ChebyshevChain, LinearResiduals, Rosenbrock};

    #[test]
    fn a_root_is_stationary_for_every_power() {
        for power in [2.0, 2.5, 3.0, 4.0, 8.0] {
            for kind in [PowerHessian::Exact, PowerHessian::GaussNewton] {
                let mut problem = PowerResidual::new(Rosenbrock, power, kind, [0.0_f32; 4]).unwrap();
                let (mut gradient, mut hessian) = ([1.0; 2], [1.0; 4]);
                assert_eq!(problem.value_gradient(&[1.0, 1.0], &mut gradient), Ok(0.0));
                assert_eq!(gradient, [0.0; 2]);
                problem.hessian(&[1.0, 1.0], &mut hessian).unwrap();
                let expected = if power == 2.0 { 401.0 } else { 0.0 };
                assert_eq!(hessian[0], expected, "{power}");
            }
            let mut problem =
                PowerResidual::new(Rosenbrock, power, PowerHessian::Fisher, [0.0_f32; 4]).unwrap();
            let mut q = [1.0; 2];
            problem.hessian(&[1.0, 1.0], &mut q).unwrap();
            assert_eq!(q, [0.0; 2]);
        }
    }

    #[test]
    fn misuse_is_refused() {
        for power in [1.9, f32::NAN, f32::INFINITY] {
            assert!(PowerResidual::new(Rosenbrock, power, PowerHessian::Exact, [0.0; 4]).is_err());
        }
        let chain = ChebyshevChain::new(3).unwrap();
        assert!(matches!(
            PowerResidual::new(chain, 2.0, PowerHessian::Exact, [0.0; 5]),
            Err(Error::Capacity { required: 6, available: 5, .. })
        ));
        assert!(ChebyshevChain::new(0).is_err());
        assert!(LinearResiduals::new(&[1.0; 3], &[1.0; 2]).is_err());
        assert!(LinearResiduals::new(&[f32::NAN], &[1.0]).is_err());
        // 20⁸ is 2.56e10, 2e8 of a unit's square; the same with f32's range exceeded is an error.
        let mut problem = PowerResidual::new(Rosenbrock, 8.0, PowerHessian::Exact, [0.0_f32; 4]).unwrap();
        assert!(problem.value_gradient(&[-2.0, 2.0], &mut [0.0; 2]).unwrap() > 3e9);
        let overflow = problem.value_gradient(&[1e3, 2.0], &mut [0.0; 2]);
        assert_eq!(overflow, Err(Error::NonFinite { what: "value", index: 0 }));
    }
}
