use super::{Adjoint, LinearOperator};
use crate::{Error, Real, check_finite, check_length};

/// y = diag(d)·x.
///
/// Shapes: d, x and y of length n. Cost: n flops, nothing lent beyond d.
///
/// ```
/// use quern_kernels::linop::{Diagonal, LinearOperator};
/// let mut y = [0.0; 2];
/// Diagonal::new(&[2.0, -1.0]).unwrap().apply(&[3.0, 4.0], &mut y);
/// assert_eq!(y, [6.0, -4.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Diagonal<'a, T> {
    entries: &'a [T],
}

impl<'a, T: Real> Diagonal<'a, T> {
    /// The operator with these entries.
    ///
    /// # Errors
    /// [`Error::NonFinite`].
    pub fn new(entries: &'a [T]) -> Result<Self, Error> {
        check_finite("diagonal", entries)?;
        Ok(Self { entries })
    }

    /// The Jacobi preconditioner M⁻¹ = diag(1/a₁₁, …, 1/aₙₙ) of a matrix with this diagonal.
    ///
    /// Shapes: `diagonal` and the lent `inverse` of length n. Guarantee: the operator is positive definite.
    /// Cost: n divisions here, n flops an application; n scalars lent.
    /// Source: Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd edition, section 10.2.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`]; [`Error::NotPositiveDefinite`] with the index of an entry
    /// that is not positive, or so small that its reciprocal overflows.
    ///
    /// ```
    /// use quern_kernels::linop::{Diagonal, LinearOperator};
    /// let (mut inverse, mut z) = ([0.0; 2], [0.0; 2]);
    /// Diagonal::jacobi(&[2.0, 4.0], &mut inverse).unwrap().apply(&[1.0, 1.0], &mut z);
    /// assert_eq!(z, [0.5, 0.25]);
    /// ```
    pub fn jacobi(diagonal: &[T], inverse: &'a mut [T]) -> Result<Self, Error> {
        check_length("inverse diagonal", inverse.len(), diagonal.len())?;
        check_finite("diagonal", diagonal)?;
        for (index, (inverse, &entry)) in inverse.iter_mut().zip(diagonal).enumerate() {
            *inverse = T::ONE / entry;
            if !(entry > T::ZERO && inverse.is_finite()) {
                return Err(Error::NotPositiveDefinite { index });
            }
        }
        Ok(Self { entries: inverse })
    }
}

impl<T: Real> LinearOperator<T> for Diagonal<'_, T> {
    #[inline]
    fn rows(&self) -> usize {
        self.entries.len()
    }
    #[inline]
    fn columns(&self) -> usize {
        self.entries.len()
    }
    #[inline]
    fn apply(&self, x: &[T], y: &mut [T]) {
        for ((y, &x), &entry) in y.iter_mut().zip(x).zip(self.entries) {
            *y = entry * x;
        }
    }
}

impl<T: Real> Adjoint<T> for Diagonal<'_, T> {
    #[inline]
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.apply(y, x);
    }
}

/// y = x.
///
/// Shapes: x and y of length n. Cost: one copy. As a preconditioner: none.
///
/// ```
/// use quern_kernels::linop::{Identity, LinearOperator};
/// let mut y = [0.0; 2];
/// Identity::new(2).apply(&[3.0, 4.0], &mut y);
/// assert_eq!(y, [3.0, 4.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    size: usize,
}

impl Identity {
    /// The identity of Rⁿ, n = `size`.
    pub const fn new(size: usize) -> Self {
        Self { size }
    }
}

impl<T: Real> LinearOperator<T> for Identity {
    #[inline]
    fn rows(&self) -> usize {
        self.size
    }
    #[inline]
    fn columns(&self) -> usize {
        self.size
    }
    #[inline]
    fn apply(&self, x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x;
        }
    }
}

impl<T: Real> Adjoint<T> for Identity {
    #[inline]
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        self.apply(y, x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jacobi_preconditioner_refuses_what_is_not_positive() {
        let mut inverse = [0.0; 2];
        let refused = |diagonal: [f64; 2], inverse: &mut [f64]| Diagonal::jacobi(&diagonal, inverse).err();
        assert_eq!(refused([1.0, 0.0], &mut inverse), Some(Error::NotPositiveDefinite { index: 1 }));
        assert_eq!(refused([-1.0, 1.0], &mut inverse), Some(Error::NotPositiveDefinite { index: 0 }));
        assert_eq!(refused([1.0, 1e-320], &mut inverse), Some(Error::NotPositiveDefinite { index: 1 }));
        assert_eq!(
            refused([1.0, f64::NAN], &mut inverse),
            Some(Error::NonFinite { what: "diagonal", index: 1 })
        );
        assert!(matches!(refused([1.0, 1.0], &mut inverse[..1]), Some(Error::Dimension { .. })));
    }

    #[test]
    fn a_diagonal_is_its_own_adjoint() {
        let operator = Diagonal::new(&[2.0, -3.0]).unwrap();
        let (mut forward, mut adjoint) = ([0.0; 2], [0.0; 2]);
        operator.apply(&[1.0, 2.0], &mut forward);
        operator.apply_adjoint(&[1.0, 2.0], &mut adjoint);
        assert_eq!(forward, [2.0, -6.0]);
        assert_eq!(forward, adjoint);
        assert_eq!((operator.rows(), operator.columns()), (2, 2));
        assert_eq!(
            Diagonal::new(&[f32::INFINITY]).err(),
            Some(Error::NonFinite { what: "diagonal", index: 0 })
        );
    }
}
