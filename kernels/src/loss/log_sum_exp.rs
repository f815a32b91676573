use crate::blas::{self, weighted_gram};
use crate::optim::descent::{Objective, check_triangle};
use crate::{Error, Real, check_finite, check_length};
use core::borrow::BorrowMut;

/// f = μ·ln Σᵢ exp((aᵢᵀx − bᵢ)/μ), a smooth maximum of affine functions: ∇f = Aᵀπ, π = softmax((Ax − b)/μ), and
/// ∇²f = (AᵀDiag(π)A − ∇f∇fᵀ)/μ.
///
/// Shapes: A m×n, column-major, rows aᵢ; b of length m ≥ 1; 2m + n scalars lent. The weighted Gauss-Newton matrix leaves out
/// the last term of the Hessian. Guarantees: the largest exponent is subtracted first, so that none overflows; f lies
/// between the maximum and μ·ln m above it. Cost: 4mn flops and m exponentials a gradient, mn² flops a Hessian. Source:
/// S. Boyd, L. Vandenberghe, Convex Optimization, 2004, section 3.1.5.
///
/// ```
/// use quern_kernels::loss::LogSumExp;
/// use quern_kernels::optim::descent::Objective;
/// let mut problem = LogSumExp::new(&[1.0, -1.0], &[0.0, 0.0], 0.5, true, [0.0; 5])?;
/// let (mut gradient, mut hessian) = ([1.0], [0.0]);
/// assert_eq!(problem.value_gradient(&[0.0], &mut gradient)?, 0.5 * 2.0_f64.ln());
/// problem.hessian(&[0.0], &mut hessian)?;
/// assert_eq!((gradient, hessian), ([0.0], [2.0]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LogSumExp<'a, T, B> {
    matrix: &'a [T],
    offsets: &'a [T],
    smoothing: T,
    columns: usize,
    exact: bool,
    /// π, scratch, ∇f.
    memory: B,
}

impl<'a, T: Real, B: BorrowMut<[T]>> LogSumExp<'a, T, B> {
    /// The problem of A, b and μ with 2m + n scalars lent; `exact` chooses the Hessian, otherwise the weighted
    /// Gauss-Newton matrix.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::Setting`] if μ is not positive and finite or m = 0;
    /// [`Error::Capacity`].
    pub fn new(
        matrix: &'a [T],
        offsets: &'a [T],
        smoothing: T,
        exact: bool,
        mut memory: B,
    ) -> Result<Self, Error> {
        let m = offsets.len();
        if m == 0 {
            return Err(Error::Setting { name: "rows", expected: "at least 1" });
        }
        if !(smoothing > T::ZERO && smoothing.is_finite()) {
            return Err(Error::Setting { name: "smoothing", expected: "finite and above 0" });
        }
        let columns = matrix.len() / m.max(1);
        check_length("matrix", matrix.len(), columns.saturating_mul(m))?;
        check_finite("matrix", matrix)?;
        check_finite("offsets", offsets)?;
        let required = m.saturating_mul(2).saturating_add(columns);
        let available = memory.borrow_mut().len();
        if available < required {
            return Err(Error::Capacity { what: "log-sum-exp", required, available });
        }
        Ok(Self { matrix, offsets, smoothing, columns, exact, memory })
    }

    /// π; f(x).
    fn softmax(&mut self, x: &[T]) -> Result<(T, &[T], &mut [T]), Error> {
        check_length("x", x.len(), self.columns)?;
        let m = self.offsets.len();
        let required = m.saturating_mul(2).saturating_add(self.columns);
        let memory = self.memory.borrow_mut().get_mut(..required).unwrap_or_default();
        let (pi, rest) = memory.split_at_mut_checked(m).unwrap_or_default();
        blas::copy(self.offsets, pi)?;
        blas::gemv(T::ONE, self.matrix, x, -T::ONE, pi)?;
        check_finite("exponents", pi)?;
        let largest = pi.iter().fold(-T::MAX, |largest, &value| largest.maximum(value));
        for entry in pi.iter_mut() {
            *entry = ((*entry - largest) / self.smoothing).exp();
        }
        let total = blas::sum(pi);
        // Between 1 and m.
        blas::scale(T::ONE / total, pi);
        let value = largest + self.smoothing * total.ln();
        check_finite("value", &[value])?;
        Ok((value, pi, rest))
    }
}

impl<T: Real, B: BorrowMut<[T]>> Objective<T> for LogSumExp<'_, T, B> {
    fn variables(&self) -> usize {
        self.columns
    }

    fn value_gradient(&mut self, x: &[T], gradient: &mut [T]) -> Result<T, Error> {
        let matrix = self.matrix;
        let (value, pi, _) = self.softmax(x)?;
        blas::gemv_transposed(T::ONE, matrix, pi, T::ZERO, gradient)?;
        check_finite("gradient", gradient)?;
        Ok(value)
    }

    fn hessian(&mut self, x: &[T], hessian: &mut [T]) -> Result<(), Error> {
        let Self { matrix, columns, smoothing, exact, .. } = *self;
        let m = self.offsets.len();
        let (_, pi, rest) = self.softmax(x)?;
        let (scratch, gradient) = rest.split_at_mut_checked(m).unwrap_or_default();
        weighted_gram(matrix, pi, scratch, hessian)?;
        if exact {
            blas::gemv_transposed(T::ONE, matrix, pi, T::ZERO, gradient)?;
            for (j, column) in hessian.chunks_exact_mut(columns.max(1)).enumerate() {
                let along = gradient.get(j).copied().unwrap_or(T::ZERO);
                for (entry, &other) in column.iter_mut().zip(gradient.iter()).skip(j) {
                    *entry -= along * other;
                }
            }
        }
        blas::scale(T::ONE / smoothing, hessian);
        check_triangle(columns, hessian)
    }
}
