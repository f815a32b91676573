//! Where vectors live: the few vector operations that iterative methods need.
//!
//! A solver touches its vectors only through a [`Space`]. [`Serial`] is the one with bit-exact results on
//! every target; the host adds threads. Lengths are checked by the solver on entry; an operation works on the
//! common prefix of its arguments.

mod serial;

pub use serial::Serial;

use crate::Real;

/// Vector operations on slices.
pub trait Space<T: Real> {
    /// xᵀy.
    fn dot(&self, x: &[T], y: &[T]) -> T;
    /// ‖x‖₂ = √(xᵀx), without guard against overflow.
    #[inline]
    fn norm2(&self, x: &[T]) -> T {
        self.dot(x, x).sqrt()
    }
    /// y ← y + a·x.
    fn axpy(&self, a: T, x: &[T], y: &mut [T]);
    /// y ← x + b·y.
    fn xpby(&self, x: &[T], b: T, y: &mut [T]);
    /// x ← a·x.
    fn scale(&self, a: T, x: &mut [T]);
    /// y ← x.
    fn copy(&self, x: &[T], y: &mut [T]);
    /// y ← y + a·x, then yᵀy, in one pass over memory. Same bits as [`axpy`](Self::axpy) followed by
    /// [`dot`](Self::dot).
    #[inline]
    fn axpy_dot(&self, a: T, x: &[T], y: &mut [T]) -> T {
        self.axpy(a, x, y);
        self.dot(y, y)
    }
    /// y ← y + a·p, then p ← x + b·p, in one pass over memory. Same bits as [`axpy`](Self::axpy) followed by
    /// [`xpby`](Self::xpby).
    #[inline]
    fn axpy_xpby(&self, a: T, x: &[T], b: T, p: &mut [T], y: &mut [T]) {
        self.axpy(a, p, y);
        self.xpby(x, b, p);
    }
}
