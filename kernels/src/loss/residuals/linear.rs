use crate::blas::{self, dot_unchecked};
use crate::optim::descent::Residuals;
use crate::{Error, Real, check_finite, check_length};

/// u = Ax − b.
///
/// Shapes: A m×n, column-major; b of length m. Cost: 2mn flops an evaluation, mn² for JᵀJ = AᵀA; nothing lent.
///
/// ```
/// use quern_kernels::loss::LinearResiduals;
/// use quern_kernels::optim::descent::Residuals;
/// let mut problem = LinearResiduals::new(&[1.0, 2.0, 3.0, 4.0], &[5.0, 6.0])?;
/// let mut residuals = [0.0; 2];
/// problem.residuals(&[1.0, 1.0], &mut residuals)?;
/// assert_eq!(residuals, [-1.0, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LinearResiduals<'a, T> {
    matrix: &'a [T],
    right_hand_side: &'a [T],
    columns: usize,
}

impl<'a, T: Real> LinearResiduals<'a, T> {
    /// The problem of A and b.
    ///
    /// # Errors
    /// [`Error::Dimension`] if A has not a multiple of as many entries as b; [`Error::NonFinite`].
    pub fn new(matrix: &'a [T], right_hand_side: &'a [T]) -> Result<Self, Error> {
        let columns = matrix.len() / right_hand_side.len().max(1);
        check_length("matrix", matrix.len(), columns.saturating_mul(right_hand_side.len()))?;
        check_finite("matrix", matrix)?;
        check_finite("right-hand side", right_hand_side)?;
        Ok(Self { matrix, right_hand_side, columns })
    }
}

impl<T: Real> Residuals<T> for LinearResiduals<'_, T> {
    fn rows(&self) -> usize {
        self.right_hand_side.len()
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn residuals(&mut self, x: &[T], residuals: &mut [T]) -> Result<(), Error> {
        check_length("x", x.len(), self.columns)?;
        check_length("residuals", residuals.len(), self.right_hand_side.len())?;
        blas::copy(self.right_hand_side, residuals)?;
        blas::gemv(T::ONE, self.matrix, x, -T::ONE, residuals)?;
        check_finite("residuals", residuals)
    }

    fn normal_equations(
        &mut self,
        _x: &[T],
        residuals: &[T],
        product: &mut [T],
        gram: &mut [T],
    ) -> Result<(), Error> {
        blas::gemv_transposed(T::ONE, self.matrix, residuals, T::ZERO, product)?;
        check_finite("product", product)?;
        if gram.is_empty() {
            return Ok(());
        }
        check_length("gram", gram.len(), self.columns.saturating_mul(self.columns))?;
        let m = self.right_hand_side.len().max(1);
        let rows = gram.chunks_exact_mut(self.columns.max(1)).zip(self.matrix.chunks_exact(m.max(1)));
        for (j, (out, column)) in rows.enumerate() {
            let others = self.matrix.chunks_exact(m.max(1)).skip(j);
            for (out, other) in out.iter_mut().skip(j).zip(others) {
                *out = dot_unchecked(column, other);
            }
        }
        Ok(())
    }
}
