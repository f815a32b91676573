/// min f(x) subject to c(x) = 0, x in Rⁿ and c in Rᵐ, m ≤ n, both twice differentiable.
///
/// Methods call with vectors of the lengths that [`variables`](Self::variables) and [`constraints`](Self::constraints)
/// say; with others an implementation must not panic. Matrices are column-major. Where a function does not exist, NaN or
/// infinity says so.
pub trait EqualityProgram<T> {
    /// n.
    fn variables(&self) -> usize;
    /// m.
    fn constraints(&self) -> usize;
    /// c(x) into `constraints`; f(x).
    fn values(&self, x: &[T], constraints: &mut [T]) -> T;
    /// ∇f(x), and the Jacobian G(x) of c, m×n.
    fn derivatives(&self, x: &[T], gradient: &mut [T], jacobian: &mut [T]);
    /// W = ∇²f(x) + Σᵢ λᵢ∇²cᵢ(x), n×n, both triangles.
    fn lagrangian_hessian(&self, x: &[T], multipliers: &[T], hessian: &mut [T]);
}
