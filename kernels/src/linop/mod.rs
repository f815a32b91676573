//! Linear operators: whatever maps x to Ax without more memory than x and y.

/// A linear map A from Rⁿ to Rᵐ.
///
/// Solvers compare [`rows`](Self::rows) and [`columns`](Self::columns) with their vectors once, on entry, and call
/// [`apply`](Self::apply) only with fitting lengths. With other lengths an operator must not panic; what it then
/// writes is unspecified.
pub trait LinearOperator<T> {
    /// m, the length of Ax.
    fn rows(&self) -> usize;
    /// n, the length of x.
    fn columns(&self) -> usize;
    /// y ← Ax.
    fn apply(&self, x: &[T], y: &mut [T]);
}

/// A linear map whose adjoint can be applied as well.
pub trait Adjoint<T>: LinearOperator<T> {
    /// x ← Aᵀy.
    fn apply_adjoint(&self, y: &[T], x: &mut [T]);
}
