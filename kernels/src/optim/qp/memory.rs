use crate::{Error, Real};

/// Takes the first `length` entries off the memory that is left.
#[inline]
pub(in crate::optim) fn take<'m, V>(rest: &mut &'m mut [V], length: usize) -> Option<&'m mut [V]> {
    let (taken, left) = core::mem::take(rest).split_at_mut_checked(length)?;
    *rest = left;
    Some(taken)
}

/// The error for memory that is too small.
pub(in crate::optim) fn shortage(required: usize, available: usize) -> Error {
    Error::Capacity { what: "workspace", required, available }
}

/// Copies as many entries as both have.
#[inline]
pub(in crate::optim) fn copy<T: Real>(from: &[T], to: &mut [T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

/// Entry i, 0 beyond the end.
#[inline(always)]
pub(super) fn at<T: Real>(values: &[T], index: usize) -> T {
    values.get(index).copied().unwrap_or(T::ZERO)
}

/// maxᵢ |xᵢ|; the largest number if one is not finite.
#[inline]
pub(super) fn largest<T: Real>(values: impl Iterator<Item = T>) -> T {
    let (mut largest, mut finite) = (T::ZERO, true);
    for value in values {
        finite &= value.is_finite();
        largest = largest.maximum(value.abs());
    }
    if finite { largest } else { T::MAX }
}
