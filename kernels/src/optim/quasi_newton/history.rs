//! The lent memory of both methods, and the ring of pairs in it.

use crate::krylov::newest_first;
use crate::{Error, Real, blas};

/// Scalars to lend for n variables and m pairs.
pub(super) const fn scalars(n: usize, history: usize) -> usize {
    n.saturating_mul(5).saturating_add(n.saturating_add(1).saturating_mul(history).saturating_mul(2))
}

/// The lent memory.
pub(super) struct Vectors<'a, T> {
    pub(super) x: &'a mut [T],
    pub(super) gradient: &'a mut [T],
    pub(super) direction: &'a mut [T],
    pub(super) trial: &'a mut [T],
    pub(super) trial_gradient: &'a mut [T],
    /// sᵀy of each pair.
    pub(super) curvatures: &'a mut [T],
    /// α of each pair, newest first.
    pub(super) shares: &'a mut [T],
    /// s, then y, of each pair.
    pub(super) pairs: &'a mut [T],
    /// What is lent beyond that.
    pub(super) rest: &'a mut [T],
}

impl<'a, T> Vectors<'a, T> {
    pub(super) fn split(memory: &'a mut [T], n: usize, history: usize) -> Result<Self, Error> {
        let shortage =
            Error::Capacity { what: "workspace", required: scalars(n, history), available: memory.len() };
        let mut rest = memory;
        let mut take = |length: usize| rest.split_off_mut(..length).ok_or(shortage);
        Ok(Self {
            x: take(n)?,
            gradient: take(n)?,
            direction: take(n)?,
            trial: take(n)?,
            trial_gradient: take(n)?,
            curvatures: take(history)?,
            shares: take(history)?,
            pairs: take(n.saturating_mul(2).saturating_mul(history))?,
            rest,
        })
    }
}

impl<T: Real> Vectors<'_, T> {
    /// f and ∇f at the trial. Where they are not finite f is infinite, except at the `first`, where that is an error.
    pub(super) fn evaluate(
        self,
        objective: &mut impl FnMut(&[T], &mut [T]) -> Result<T, Error>,
        first: bool,
    ) -> Result<T, Error> {
        match objective(self.trial, self.trial_gradient) {
            Err(Error::NonFinite { .. }) if !first => Ok(T::INFINITY),
            outcome => outcome,
        }
    }
}

/// Which pairs are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Ring {
    pub(super) stored: usize,
    next: usize,
}

impl Ring {
    /// Makes the trial the iterate; stores the pair s, y of the two unless sᵀy > ε‖s‖‖y‖ fails.
    pub(super) fn accept<T: Real>(&mut self, vectors: &mut Vectors<'_, T>) -> Result<(), Error> {
        let Vectors { x, gradient, trial, trial_gradient, curvatures, pairs, .. } = vectors;
        blas::xpby(trial, -T::ONE, x)?;
        blas::xpby(trial_gradient, -T::ONE, gradient)?;
        let curvature = blas::dot(x, gradient)?;
        let n = x.len();
        let slot = pairs.chunks_exact_mut(n.saturating_mul(2).max(1)).nth(self.next);
        if let (Some(slot), Some(stored), true) =
            (slot, curvatures.get_mut(self.next), is_curved(curvature, x, gradient))
        {
            let (s, y) = slot.split_at_mut_checked(n).unwrap_or_default();
            blas::copy(x, s)?;
            blas::copy(gradient, y)?;
            *stored = curvature;
            self.next = self.next.saturating_add(1);
            if self.next >= curvatures.len() {
                self.next = 0;
            }
            self.stored = self.stored.saturating_add(1).min(curvatures.len());
        }
        blas::copy(trial, x)?;
        blas::copy(trial_gradient, gradient)
    }

    /// The pairs with their sᵀy, newest first.
    pub(super) fn newest_first<'a, T: Real>(
        &self,
        n: usize,
        pairs: &'a [T],
        curvatures: &'a [T],
    ) -> impl DoubleEndedIterator<Item = (&'a [T], &'a [T], T)> + use<'a, T> {
        newest_first(pairs, curvatures, n, self.stored, self.next)
    }
}

/// Whether a pair makes H positive definite to working precision.
pub(super) fn is_curved<T: Real>(curvature: T, s: &[T], y: &[T]) -> bool {
    curvature.is_finite() && curvature > T::EPSILON * blas::norm2(s) * blas::norm2(y)
}
