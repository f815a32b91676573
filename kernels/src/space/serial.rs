use super::Space;
use crate::Real;
use crate::blas::dot_unchecked;

/// Slices in one memory, one thread, one fixed order of summation: the same bits on every target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serial;

impl<T: Real> Space<T> for Serial {
    #[inline]
    fn dot(&self, x: &[T], y: &[T]) -> T {
        dot_unchecked(x, y)
    }
    #[inline]
    fn axpy(&self, a: T, x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += a * x;
        }
    }
    #[inline]
    fn xpby(&self, x: &[T], b: T, y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x + b * *y;
        }
    }
    #[inline]
    fn scale(&self, a: T, x: &mut [T]) {
        for x in x {
            *x *= a;
        }
    }
    #[inline]
    fn copy(&self, x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x;
        }
    }
}
