use super::super::problem::Kind;
use crate::{Error, Real, check_length};

/// ρ stays between its inverse and this.
pub(super) const LARGEST_RHO: f64 = 1e6;

/// How a [`Splitting`](super::Splitting) iterates.
///
/// ```
/// use quern_kernels::optim::qp::SplittingSettings;
/// let settings = SplittingSettings { relaxation: 1.8, ..SplittingSettings::default() };
/// assert!(settings.validate().is_ok());
/// assert!(SplittingSettings { relaxation: 2.0, ..settings }.validate().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplittingSettings<T> {
    /// ρ of inequalities, in units of the equilibrated problem.
    pub rho: T,
    /// ρ of equalities over ρ of inequalities.
    pub equality_factor: T,
    /// σ.
    pub sigma: T,
    /// α in (0, 2).
    pub relaxation: T,
    /// A solve looks at the residuals after so many steps.
    pub check_interval: usize,
    /// A solve considers another ρ after so many steps, which costs a factorization; never if `None`.
    pub adaptation_interval: Option<usize>,
}

impl<T: Real> Default for SplittingSettings<T> {
    /// ρ = 0.1, 1000 times that for equalities, σ = 10⁻⁶, α = 1.6, a look every 10 steps, ρ constant.
    fn default() -> Self {
        Self {
            rho: T::from_f64(0.1),
            equality_factor: T::from_f64(1e3),
            sigma: T::from_f64(1e-6),
            relaxation: T::from_f64(1.6),
            check_interval: 10,
            adaptation_interval: None,
        }
    }
}

impl<T: Real> SplittingSettings<T> {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let sizes = [("rho", self.rho), ("equality_factor", self.equality_factor), ("sigma", self.sigma)];
        for (name, size) in sizes {
            if !(size > T::ZERO && size.is_finite()) {
                return Err(Error::Setting { name, expected: "a positive finite number" });
            }
        }
        if !(self.relaxation > T::ZERO && self.relaxation < T::ONE + T::ONE) {
            return Err(Error::Setting { name: "relaxation", expected: "a number between 0 and 2" });
        }
        if self.check_interval == 0 {
            return Err(Error::Setting { name: "check_interval", expected: "at least 1" });
        }
        if self.adaptation_interval == Some(0) {
            return Err(Error::Setting { name: "adaptation_interval", expected: "at least 1" });
        }
        Ok(())
    }

    /// The diagonal of W = diag(1/ρᵢ), and with it what the factor of a [`Kkt`](super::super::Kkt) depends on besides σ.
    ///
    /// ρᵢ is `rho` for an inequality, `equality_factor` times that for an equality, and 10⁻⁶ for a row without
    /// bounds, all within [10⁻⁶, 10⁶].
    ///
    /// # Errors
    /// [`Error::Dimension`] unless there is one weight a constraint.
    pub fn weights(&self, lower: &[T], upper: &[T], weights: &mut [T]) -> Result<(), Error> {
        check_length("l", lower.len(), weights.len())?;
        check_length("u", upper.len(), weights.len())?;
        let most = T::from_f64(LARGEST_RHO);
        let least = T::ONE / most;
        for (weight, (&lower, &upper)) in weights.iter_mut().zip(lower.iter().zip(upper)) {
            let rho = match Kind::of((lower, upper)) {
                Kind::Equality => self.rho * self.equality_factor,
                Kind::Inequality => self.rho,
                Kind::Free => least,
            };
            *weight = T::ONE / rho.maximum(least).minimum(most);
        }
        Ok(())
    }
}
