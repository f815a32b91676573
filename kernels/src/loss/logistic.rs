use crate::blas::{self, weighted_gram};
use crate::optim::descent::{Objective, check_triangle};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// The logistic loss ln(1 + e^{−m}) of a margin m, and its derivative −1/(1 + eᵐ).
///
/// Shapes: scalars. Guarantees: no exponential overflows, and nothing cancels: both are right to a few units in the
/// last place for every margin, also where e^{−m} is below rounding. Cost: an exponential, a logarithm, three
/// divisions; no lent memory. Source: the logarithm of 1 + e as in W. Kahan's note in the HP-15C Advanced Functions
/// Handbook, 1982.
///
/// # Errors
/// [`Error::NonFinite`] if the margin is not finite.
///
/// ```
/// let (value, derivative) = quern_kernels::loss::logistic(0.0)?;
/// assert_eq!((value, derivative), (2.0_f64.ln(), -0.5));
/// assert_eq!(quern_kernels::loss::logistic(100.0)?, ((-100.0_f64).exp(), -(-100.0_f64).exp()));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn logistic<T: Real>(margin: T) -> Result<(T, T), Error> {
    check_finite("margin", &[margin])?;
    let small = (-margin.abs()).exp();
    let sum = T::ONE + small;
    // ln(1 + e): the rounded sum is off by its last place, its logarithm and difference from 1 alike.
    let excess = if sum == T::ONE { small } else { sum.ln() * small / (sum - T::ONE) };
    if margin >= T::ZERO { Ok((excess, -(small / sum))) } else { Ok((excess - margin, -(T::ONE / sum))) }
}

/// Logistic regression, f = (1/N)Σᵢ ln(1 + exp(−yᵢaᵢᵀx)): with sᵢ = 1/(1 + exp(yᵢaᵢᵀx)) the gradient is
/// −(1/N)Σ sᵢyᵢaᵢ, the Hessian (1/N)Σ sᵢ(1 − sᵢ)aᵢaᵢᵀ and the Fisher matrix of the labels (1/N)Σ sᵢ²aᵢaᵢᵀ.
///
/// Shapes: A N×n, column-major, rows aᵢ; labels y of length N ≥ 1, each ±1; 3N scalars lent. Guarantees: as
/// [`logistic`]. The Fisher matrix differs from the Hessian by no more than a multiple of f and the gradient's norm,
/// so that it is exact in the limit where the data are separable. Cost: 4Nn flops and N exponentials a gradient, Nn² flops a Hessian. Source:
/// A. Semenov, M. Jaggi, N. Doikov, Gradient-Normalized Smoothness for Optimization with Approximate Hessians, 2025,
/// section on Fisher matrices.
///
/// ```
/// use quern_kernels::loss::LogisticRegression;
/// use quern_kernels::optim::descent::Objective;
/// let mut problem = LogisticRegression::new(&[2.0, -4.0], &[1.0, -1.0], true, [0.0; 6])?;
/// let (mut gradient, mut hessian) = ([0.0], [0.0]);
/// assert_eq!(problem.value_gradient(&[0.0], &mut gradient)?, 2.0_f64.ln());
/// problem.hessian(&[0.0], &mut hessian)?;
/// assert_eq!((gradient, hessian), ([-1.5], [2.5]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogisticRegression<'a, T, B> {
    matrix: &'a [T],
    labels: &'a [T],
    columns: usize,
    exact: bool,
    /// Margins, weights, scratch.
    memory: B,
}

impl<'a, T: Real, B: BorrowMut<[T]>> LogisticRegression<'a, T, B> {
    /// The problem of A and y with 3N scalars lent; `exact` chooses the Hessian, otherwise the Fisher matrix.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Setting`] for a label that is not ±1 or N = 0;
    /// [`Error::Capacity`].
    pub fn new(matrix: &'a [T], labels: &'a [T], exact: bool, mut memory: B) -> Result<Self, Error> {
        let samples = labels.len();
        if samples == 0 {
            return Err(Error::Setting { name: "samples", expected: "at least 1" });
        }
        if !labels.iter().all(|label| label.abs() == T::ONE) {
            return Err(Error::Setting { name: "labels", expected: "1 or -1" });
        }
        let columns = matrix.len() / samples.max(1);
        check_length("matrix", matrix.len(), columns.saturating_mul(samples))?;
        check_finite("matrix", matrix)?;
        let (required, available) = (samples.saturating_mul(3), memory.borrow_mut().len());
        if available < required {
            return Err(Error::Capacity { what: "logistic regression", required, available });
        }
        Ok(Self { matrix, labels, columns, exact, memory })
    }

    /// Margins yᵢaᵢᵀx, and two vectors more.
    fn margins(&mut self, x: &[T]) -> Result<[&mut [T]; 3], Error> {
        check_length("x", x.len(), self.columns)?;
        let samples = self.labels.len();
        let (margins, rest) = self.memory.borrow_mut().split_at_mut_checked(samples).unwrap_or_default();
        let (weights, rest) = rest.split_at_mut_checked(samples).unwrap_or_default();
        blas::matvec(self.matrix, x, margins)?;
        for (margin, &label) in margins.iter_mut().zip(self.labels) {
            *margin *= label;
        }
        check_finite("margins", margins)?;
        Ok([margins, weights, rest.get_mut(..samples).unwrap_or_default()])
    }
}

impl<T: Real, B: BorrowMut<[T]>> Objective<T> for LogisticRegression<'_, T, B> {
    fn variables(&self) -> usize {
        self.columns
    }

    fn value_gradient(&mut self, x: &[T], gradient: &mut [T]) -> Result<T, Error> {
        let Self { matrix, labels, .. } = *self;
        let mean = T::ONE / T::from_usize(labels.len());
        let [margins, weights, _] = self.margins(x)?;
        for ((margin, weight), &label) in margins.iter_mut().zip(weights.iter_mut()).zip(labels) {
            let (value, derivative) = logistic(*margin)?;
            (*margin, *weight) = (value, derivative * label * mean);
        }
        blas::gemv_transposed(T::ONE, matrix, weights, T::ZERO, gradient)?;
        let value = blas::sum(margins) * mean;
        check_finite("value", &[value])?;
        check_finite("gradient", gradient)?;
        Ok(value)
    }

    fn hessian(&mut self, x: &[T], hessian: &mut [T]) -> Result<(), Error> {
        let Self { matrix, exact, .. } = *self;
        let mean = T::ONE / T::from_usize(self.labels.len());
        let [margins, weights, scratch] = self.margins(x)?;
        for (weight, &margin) in weights.iter_mut().zip(margins.iter()) {
            // −s, and −(1 − s) by the other tail.
            let (_, derivative) = logistic(margin)?;
            let other = if exact { logistic(-margin)?.1 } else { derivative };
            *weight = derivative * other * mean;
        }
        weighted_gram(matrix, weights, scratch, hessian)?;
        check_triangle(x.len(), hessian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_keep_their_digits() {
        // ln(1 + e^{-40}) = e^{-40} to all digits; and the reflection f(-m) = f(m) + m.
        let small = (-40.0_f64).exp();
        assert_eq!(logistic(40.0), Ok((small, -small)));
        assert_eq!(logistic(-40.0), Ok((40.0 + small, -1.0)));
        assert_eq!(logistic(-1e30_f32), Ok((1e30, -1.0)));
        assert_eq!(logistic(1e30_f32), Ok((0.0, -0.0)));
        for margin in [1e-3, 0.5, 3.0, 20.0_f64] {
            let (value, _) = logistic(margin).unwrap();
            let exact = (-margin).exp().ln_1p();
            assert!((value / exact - 1.0).abs() < 4.0 * f64::EPSILON, "{margin}");
        }
        assert_eq!(logistic(f32::NAN), Err(Error::NonFinite { what: "margin", index: 0 }));
    }

    #[test]
    fn misuse_is_refused() {
        assert!(LogisticRegression::new(&[1.0], &[0.5], true, [0.0; 3]).is_err());
        assert!(LogisticRegression::<f32, _>::new(&[], &[], true, [0.0; 3]).is_err());
        assert!(LogisticRegression::new(&[f32::NAN], &[1.0], true, [0.0; 3]).is_err());
        assert!(LogisticRegression::new(&[1.0; 3], &[1.0; 2], true, [0.0; 6]).is_err());
        assert!(LogisticRegression::new(&[1.0], &[1.0], true, [0.0; 2]).is_err());
    }
}
