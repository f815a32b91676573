use crate::{Error, Real, check_finite};

/// What H(x) of an [`Objective`] is stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curvature {
    /// A symmetric matrix: the lower triangle of n×n entries, column-major.
    Dense,
    /// qqᵀ: the n entries of q.
    RankOne,
}

/// A smooth function f of n variables, with its gradient and a symmetric approximation H of its Hessian.
///
/// Methods take `&mut self` so that a function may work in memory lent to it. A value, gradient or H that overflows
/// is [`Error::NonFinite`]: at a trial point a method takes that as a reason to come closer.
pub trait Objective<T> {
    /// n.
    fn variables(&self) -> usize;

    /// f(x), and ∇f(x) written over `gradient`; both finite.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`].
    fn value_gradient(&mut self, x: &[T], gradient: &mut [T]) -> Result<T, Error>;

    /// What [`hessian`](Self::hessian) writes.
    fn curvature(&self) -> Curvature {
        Curvature::Dense
    }

    /// Writes H(x) as [`curvature`](Self::curvature) says; what stands above the diagonal is neither read nor
    /// written.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`].
    fn hessian(&mut self, x: &[T], hessian: &mut [T]) -> Result<(), Error>;
}

/// A function u of n variables with m components and its Jacobian J, as nonlinear equations or least squares have.
pub trait Residuals<T> {
    /// m.
    fn rows(&self) -> usize;

    /// n.
    fn columns(&self) -> usize;

    /// Writes u(x).
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`].
    fn residuals(&mut self, x: &[T], residuals: &mut [T]) -> Result<(), Error>;

    /// Writes q = J(x)ᵀu for the given u, and the lower triangle of JᵀJ into `gram` (n×n, column-major) unless
    /// that is empty.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`].
    fn normal_equations(
        &mut self,
        x: &[T],
        residuals: &[T],
        product: &mut [T],
        gram: &mut [T],
    ) -> Result<(), Error>;

    /// Adds Σᵢ uᵢ∇²uᵢ(x) to the lower triangle of a matrix. Adds nothing unless overridden, which is right where u
    /// is affine.
    ///
    /// # Errors
    /// [`Error::Dimension`].
    fn add_curvature(&mut self, _x: &[T], _residuals: &[T], _hessian: &mut [T]) -> Result<(), Error> {
        Ok(())
    }
}

/// Refuses an n×n matrix whose lower triangle is not finite.
pub(crate) fn check_triangle<T: Real>(n: usize, hessian: &[T]) -> Result<(), Error> {
    for (j, column) in hessian.chunks_exact(n.max(1)).enumerate() {
        check_finite("hessian", column.get(j..).unwrap_or_default())?;
    }
    Ok(())
}
