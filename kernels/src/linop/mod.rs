//! Linear operators: whatever maps x to Ax without more memory than x and y.
//!
//! | operator | when |
//! |---|---|
//! | [`FixedDense`] | dense, sizes known at compile time: the fastest on a board |
//! | [`Dense`] | dense, column-major slices |
//! | [`Csr`] | sparse rows |
//! | [`SymmetricCsr`] | sparse and symmetric, only the lower triangle stored: half the memory |
//! | [`Stencil5`], [`Stencil7`] | −Δ on a rectangle or a box with Dirichlet boundary, nothing stored |
//! | [`Diagonal`], [`Identity`] | what their names say; also preconditioners |
//! | [`GaussNewton`] | a mean of rank-one matrices, such as the Hessian of least squares at a solution |
//! | [`GatedRelu`], [`GatedMargins`] | rectified units with fixed gates, and how far inside the gates they are |
//! | [`HessianDual`], [`HessianFd`] | the Hessian of a loss: exact by dual numbers, or by differences of gradients |
//! | [`Sum`], [`Product`], [`Scaled`], [`Transposed`] | composed of others |
//!
//! An operator checks its own shape and entries once, when it is made.

mod compose;
mod csr;
mod dense;
mod diagonal;
mod gated_relu;
mod gauss_newton;
mod hessian;
mod stencil;
mod symmetric_csr;

pub use compose::{Product, Scaled, Sum, Transposed};
pub use csr::Csr;
pub use dense::{Dense, FixedDense};
pub use diagonal::{Diagonal, Identity};
pub(crate) use gated_relu::features as gated_features;
pub use gated_relu::{GatedMargins, GatedRelu};
pub use gauss_newton::GaussNewton;
pub use hessian::{HessianDual, HessianFd};
pub(crate) use stencil::Grid;
pub use stencil::{Stencil5, Stencil7};
pub use symmetric_csr::SymmetricCsr;

use crate::Real;
use crate::space::Space;

/// A linear map A from Rⁿ to Rᵐ.
///
/// Solvers compare [`rows`](Self::rows) and [`columns`](Self::columns) with their vectors once, on entry, and
/// call [`apply`](Self::apply) only with fitting lengths. With other lengths an operator must not panic; what
/// it then writes is unspecified.
pub trait LinearOperator<T> {
    /// m, the length of Ax.
    fn rows(&self) -> usize;
    /// n, the length of x.
    fn columns(&self) -> usize;
    /// y ← Ax.
    fn apply(&self, x: &[T], y: &mut [T]);
    /// y ← Ax, then xᵀy in the given space, for a square A. An operator whose size is known at compile time
    /// keeps x in registers; the bits are those of [`apply`](Self::apply) followed by [`Space::dot`].
    #[inline(always)]
    fn apply_dot<S: Space<T>>(&self, space: &S, x: &[T], y: &mut [T]) -> T
    where
        Self: Sized,
        T: Real,
    {
        self.apply(x, y);
        space.dot(x, y)
    }
}

/// A linear map whose adjoint can be applied as well.
pub trait Adjoint<T>: LinearOperator<T> {
    /// x ← Aᵀy.
    fn apply_adjoint(&self, y: &[T], x: &mut [T]);
}

impl<T, A: LinearOperator<T> + ?Sized> LinearOperator<T> for &A {
    #[inline]
    fn rows(&self) -> usize {
        (**self).rows()
    }
    #[inline]
    fn columns(&self) -> usize {
        (**self).columns()
    }
    #[inline]
    fn apply(&self, x: &[T], y: &mut [T]) {
        (**self).apply(x, y);
    }
}

impl<T, A: Adjoint<T> + ?Sized> Adjoint<T> for &A {
    #[inline]
    fn apply_adjoint(&self, y: &[T], x: &mut [T]) {
        (**self).apply_adjoint(y, x);
    }
}
