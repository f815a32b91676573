use crate::blas::{axpy, dot, gemv, gemv_transposed};
use crate::{Error, Real, check_finite, check_length};

/// The exact augmented Lagrangian L_η(x, λ) = f + λᵀc + (η₁/2)‖c‖² + (η₂/2)‖∇ₓL‖², ∇ₓL = ∇f + Gᵀλ.
///
/// For η₁ large and η₂ small enough its stationary points are those of the problem, multipliers included, so that it
/// measures a step of x and λ together; there L_η = f. Shapes: c and λ of length m, ∇ₓL of n, G m×n, W n×n. Cost: 3m + 2n
/// flops for a value, 2n² + 4nm + 4(n + m) for a gradient. Source: D. P. Bertsekas, Constrained Optimization and Lagrange
/// Multiplier Methods (1982), section 4.3; I. Hong, S. Na, M. W. Mahoney, M. Kolar, Constrained Optimization via Exact
/// Augmented Lagrangian and Randomized Iterative Sketching (2023).
///
/// ```
/// use quern_kernels::optim::sqp::ExactAugmentedLagrangian;
/// // f = x², c = x − 1, at x = 3 and λ = −1: c = 2, ∇ₓL = 5.
/// let merit = ExactAugmentedLagrangian { constraint_penalty: 1.0, gradient_penalty: 0.5 };
/// assert_eq!(merit.value(9.0, &[-1.0], &[2.0], &[5.0])?, 9.0 - 2.0 + 2.0 + 6.25);
/// let mut gradient = [0.0; 2];
/// merit.gradient(&[2.0], &[5.0], &[1.0], &[2.0], &mut [0.0], &mut gradient)?;
/// assert_eq!(gradient, [5.0 + 0.5 * 2.0 * 5.0 + 2.0, 2.0 + 0.5 * 5.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ExactAugmentedLagrangian<T> {
    /// η₁.
    pub constraint_penalty: T,
    /// η₂.
    pub gradient_penalty: T,
}

impl<T: Real> ExactAugmentedLagrangian<T> {
    /// L_η, from f, λ, c and ∇ₓL. May overflow, and is NaN where an argument is.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    pub fn value(
        &self,
        objective: T,
        multipliers: &[T],
        constraints: &[T],
        lagrangian_gradient: &[T],
    ) -> Result<T, Error> {
        let half = T::from_f64(0.5);
        let feasibility = half * self.constraint_penalty * dot(constraints, constraints)?;
        let stationarity = half * self.gradient_penalty * dot(lagrangian_gradient, lagrangian_gradient)?;
        Ok(objective + dot(multipliers, constraints)? + feasibility + stationarity)
    }

    /// ∇L_η = (∇ₓL + η₂W∇ₓL + η₁Gᵀc; c + η₂G∇ₓL) into `gradient`, of n + m entries; m scalars lent.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] if the gradient is not finite.
    pub fn gradient(
        &self,
        constraints: &[T],
        lagrangian_gradient: &[T],
        jacobian: &[T],
        hessian: &[T],
        scratch: &mut [T],
        gradient: &mut [T],
    ) -> Result<(), Error> {
        let n = lagrangian_gradient.len();
        let expected = n.saturating_add(constraints.len());
        let found = gradient.len();
        let Some((by_x, by_multipliers)) =
            gradient.split_at_mut_checked(n).filter(|(_, rest)| rest.len() == constraints.len())
        else {
            return Err(Error::Dimension { what: "gradient", expected, found });
        };
        check_length("scratch", scratch.len(), constraints.len())?;
        gemv(self.gradient_penalty, hessian, lagrangian_gradient, T::ZERO, by_x)?;
        axpy(T::ONE, lagrangian_gradient, by_x)?;
        gemv_transposed(self.constraint_penalty, jacobian, constraints, T::ONE, by_x)?;
        gemv(self.gradient_penalty, jacobian, lagrangian_gradient, T::ZERO, scratch)?;
        for ((out, &c), &product) in by_multipliers.iter_mut().zip(constraints).zip(scratch.iter()) {
            *out = c + product;
        }
        check_finite("gradient of the merit function", gradient)
    }
}
