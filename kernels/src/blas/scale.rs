use crate::Real;

/// x ← a·x.
///
/// Shapes: x of any length n. Guarantee: every entry is rounded once. Cost: n flops, no lent memory. Source:
/// C. L. Lawson et al., Basic Linear Algebra Subprograms for Fortran Usage, 1979.
///
/// ```
/// let mut x = [1.0, 2.0];
/// quern_kernels::blas::scale(3.0, &mut x);
/// assert_eq!(x, [3.0, 6.0]);
/// ```
#[inline]
pub fn scale<T: Real>(a: T, x: &mut [T]) {
    for x in x {
        *x *= a;
    }
}
