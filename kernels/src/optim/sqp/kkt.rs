use crate::blas::{axpy_unchecked, check_matrix, gemv, gemv_transposed};
use crate::linop::LinearOperator;
use crate::{Error, Real, check_finite, check_length};

/// Γ = ⎡W + σI, Gᵀ; G, 0⎤, the matrix of Newton's system for a point and its multipliers.
///
/// Shapes: W n×n, G m×n, Γ (n + m)×(n + m), all column-major, both triangles written. Guarantee: a copy, but for the n
/// sums with σ. Cost: n flops and (n + m)² stores. Source: J. Nocedal, S. J. Wright, Numerical Optimization, equation
/// (18.6).
///
/// # Errors
/// [`Error::Dimension`].
///
/// ```
/// let mut matrix = [9.0; 9];
/// quern_kernels::optim::sqp::kkt_assemble(2, 1, &[1.0, 2.0, 2.0, 3.0], 0.5, &[4.0, 5.0], &mut matrix)?;
/// assert_eq!(matrix, [1.5, 2.0, 4.0, 2.0, 3.5, 5.0, 4.0, 5.0, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn kkt_assemble<T: Real>(
    n: usize,
    m: usize,
    hessian: &[T],
    shift: T,
    jacobian: &[T],
    matrix: &mut [T],
) -> Result<(), Error> {
    let size = n.saturating_add(m);
    check_matrix("hessian", hessian.len(), n, n)?;
    check_matrix("jacobian", jacobian.len(), m, n)?;
    check_matrix("matrix", matrix.len(), size, size)?;
    for (j, column) in matrix.chunks_exact_mut(size.max(1)).enumerate() {
        let Some((top, bottom)) = column.split_at_mut_checked(n) else { break };
        if j < n {
            for (out, &w) in top.iter_mut().zip(hessian.iter().skip(j.saturating_mul(n))) {
                *out = w;
            }
            if let Some(diagonal) = top.get_mut(j) {
                *diagonal += shift;
            }
            for (out, &g) in bottom.iter_mut().zip(jacobian.iter().skip(j.saturating_mul(m))) {
                *out = g;
            }
        } else {
            let row = jacobian.iter().skip(j.saturating_sub(n)).step_by(m.max(1));
            for (out, &g) in top.iter_mut().zip(row) {
                *out = g;
            }
            bottom.fill(T::ZERO);
        }
    }
    Ok(())
}

/// Γ of [`kkt_assemble`], applied without being formed.
///
/// Shapes: as there. Cost of a product: 2n² + 4nm + 2n flops, nothing lent.
///
/// ```
/// use quern_kernels::linop::LinearOperator;
/// use quern_kernels::optim::sqp::KktOperator;
/// let mut y = [0.0; 3];
/// KktOperator::new(2, 1, &[1.0, 2.0, 2.0, 3.0], 0.5, &[4.0, 5.0])?.apply(&[1.0, 1.0, 2.0], &mut y);
/// assert_eq!(y, [11.5, 15.5, 9.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct KktOperator<'a, T> {
    variables: usize,
    constraints: usize,
    hessian: &'a [T],
    shift: T,
    jacobian: &'a [T],
}

impl<'a, T: Real> KktOperator<'a, T> {
    /// The operator of W, σ and G.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`].
    pub fn new(
        variables: usize,
        constraints: usize,
        hessian: &'a [T],
        shift: T,
        jacobian: &'a [T],
    ) -> Result<Self, Error> {
        check_matrix("hessian", hessian.len(), variables, variables)?;
        check_matrix("jacobian", jacobian.len(), constraints, variables)?;
        check_finite("hessian", hessian)?;
        check_finite("shift", &[shift])?;
        check_finite("jacobian", jacobian)?;
        Ok(Self { variables, constraints, hessian, shift, jacobian })
    }

    /// y ← (W + σI)x. Cost: 2n² + 2n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    pub fn hessian_product(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        gemv(T::ONE, self.hessian, x, T::ZERO, y)?;
        axpy_unchecked(self.shift, x, y);
        Ok(())
    }

    fn product(&self, x: &[T], y: &mut [T]) -> Result<(), Error> {
        check_length("x", x.len(), self.rows())?;
        check_length("y", y.len(), self.rows())?;
        let halves = x.split_at_checked(self.variables).zip(y.split_at_mut_checked(self.variables));
        let Some(((x, multipliers), (top, bottom))) = halves else { return Ok(()) };
        self.hessian_product(x, top)?;
        gemv_transposed(T::ONE, self.jacobian, multipliers, T::ONE, top)?;
        gemv(T::ONE, self.jacobian, x, T::ZERO, bottom)
    }
}

impl<T: Real> LinearOperator<T> for KktOperator<'_, T> {
    fn rows(&self) -> usize {
        self.variables.saturating_add(self.constraints)
    }
    fn columns(&self) -> usize {
        self.rows()
    }
    fn apply(&self, x: &[T], y: &mut [T]) {
        // Other lengths than those promised are refused, and change nothing.
        let _ = self.product(x, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blas::matvec;
    use crate::random::{Key, fill_normal};
    use std::vec;

    #[test]
    fn the_operator_applies_the_matrix() {
        for n in 0..6 {
            for m in 0..=n {
                let (mut hessian, mut jacobian, mut x) =
                    (vec![0.0_f64; n * n], vec![0.0; n * m], vec![0.0; n + m]);
                fill_normal(Key::from_seed(1), 0, &mut hessian);
                fill_normal(Key::from_seed(2), 0, &mut jacobian);
                fill_normal(Key::from_seed(3), 0, &mut x);
                let (mut matrix, mut expected, mut y) =
                    (vec![9.0; (n + m) * (n + m)], vec![0.0; n + m], vec![9.0; n + m]);
                kkt_assemble(n, m, &hessian, 0.5, &jacobian, &mut matrix).unwrap();
                matvec(&matrix, &x, &mut expected).unwrap();
                KktOperator::new(n, m, &hessian, 0.5, &jacobian).unwrap().apply(&x, &mut y);
                // At most eleven products of moderate numbers.
                assert!(y.iter().zip(&expected).all(|(y, expected)| (y - expected).abs() < 1e-13), "{n} {m}");
            }
        }
    }

    #[test]
    fn shapes_and_entries_are_checked() {
        assert!(kkt_assemble(2, 1, &[0.0; 3], 0.0, &[0.0; 2], &mut [0.0; 9]).is_err());
        assert!(kkt_assemble(2, 1, &[0.0; 4], 0.0, &[0.0; 1], &mut [0.0; 9]).is_err());
        assert!(kkt_assemble(2, 1, &[0.0; 4], 0.0, &[0.0; 2], &mut [0.0; 8]).is_err());
        assert!(KktOperator::new(1, 0, &[f64::NAN], 0.0, &[]).is_err());
        assert!(KktOperator::new(1, 0, &[1.0], f64::INFINITY, &[]).is_err());
        // Other lengths do no harm.
        let operator = KktOperator::new(1, 0, &[1.0], 0.0, &[]).unwrap();
        let mut y = [7.0; 2];
        operator.apply(&[1.0], &mut y);
        assert_eq!(y, [7.0; 2]);
    }
}
