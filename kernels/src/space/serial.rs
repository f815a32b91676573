use super::Space;
use crate::Real;
use crate::blas::{LANES, combine, dot_unchecked};

/// Slices in one memory, one thread, one fixed order of summation: the same bits on every target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Serial;

impl<T: Real> Space<T> for Serial {
    #[inline(always)]
    fn dot(&self, x: &[T], y: &[T]) -> T {
        dot_unchecked(x, y)
    }
    #[inline(always)]
    fn axpy(&self, a: T, x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += a * x;
        }
    }
    #[inline(always)]
    fn xpby(&self, x: &[T], b: T, y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x + b * *y;
        }
    }
    #[inline(always)]
    fn scale(&self, a: T, x: &mut [T]) {
        for x in x {
            *x *= a;
        }
    }
    #[inline(always)]
    fn copy(&self, x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x;
        }
    }
    #[inline(always)]
    fn axpy_dot(&self, a: T, x: &[T], y: &mut [T]) -> T {
        let mut sums = [T::NEGATIVE_ZERO; LANES];
        let (x_chunks, x_tail) = x.as_chunks::<LANES>();
        let (y_chunks, y_tail) = y.as_chunks_mut::<LANES>();
        for (y, x) in y_chunks.iter_mut().zip(x_chunks) {
            for ((sum, y), &x) in sums.iter_mut().zip(y).zip(x) {
                *y += a * x;
                *sum += *y * *y;
            }
        }
        for ((sum, y), &x) in sums.iter_mut().zip(y_tail).zip(x_tail) {
            *y += a * x;
            *sum += *y * *y;
        }
        combine(sums)
    }
    #[inline(always)]
    fn axpy_xpby(&self, a: T, x: &[T], b: T, p: &mut [T], y: &mut [T]) {
        // Eight at a time in registers: read once, whatever the compiler knows of the slices.
        let (x_chunks, x_tail) = x.as_chunks::<LANES>();
        let (p_chunks, p_tail) = p.as_chunks_mut::<LANES>();
        let (y_chunks, y_tail) = y.as_chunks_mut::<LANES>();
        for ((y, p), x) in y_chunks.iter_mut().zip(p_chunks).zip(x_chunks) {
            let (direction, rest) = (*p, *x);
            self.axpy(a, &direction, y);
            *p = direction;
            self.xpby(&rest, b, p);
        }
        self.axpy(a, p_tail, y_tail);
        self.xpby(x_tail, b, p_tail);
    }
}
