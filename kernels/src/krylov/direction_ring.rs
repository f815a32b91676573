//! The memory of [`LearnedDirections`](super::LearnedDirections): vectors, and a ring of previous directions.

use crate::Real;
use crate::space::Space;

/// The lent memory.
pub(super) struct Parts<'a, T> {
    pub(super) x: &'a mut [T],
    pub(super) r: &'a mut [T],
    pub(super) q: &'a mut [T],
    pub(super) product: &'a mut [T],
    pub(super) curvatures: &'a mut [T],
    pub(super) pairs: &'a mut [T],
}

impl<'a, T> Parts<'a, T> {
    pub(super) fn split(memory: &'a mut [T], n: usize, k: usize) -> Option<Self> {
        let (x, rest) = memory.split_at_mut_checked(n)?;
        let (r, rest) = rest.split_at_mut_checked(n)?;
        let (q, rest) = rest.split_at_mut_checked(n)?;
        let (product, rest) = rest.split_at_mut_checked(n)?;
        let (curvatures, rest) = rest.split_at_mut_checked(k)?;
        let pairs = rest.get_mut(..n.checked_mul(2)?.checked_mul(k)?)?;
        Some(Self { x, r, q, product, curvatures, pairs })
    }
}

/// The stored directions.
pub(super) struct Previous<'a, T, S> {
    pub(super) space: &'a S,
    pub(super) curvatures: &'a [T],
    pub(super) pairs: &'a [T],
    pub(super) n: usize,
    pub(super) stored: usize,
    pub(super) next: usize,
}

impl<T: Real, S: Space<T>> Previous<'_, T, S> {
    /// Makes q conjugate to the stored directions, newest first; the length that is left.
    pub(super) fn conjugate(&self, q: &mut [T]) -> T {
        for (p, image, curvature) in newest_first(self.pairs, self.curvatures, self.n, self.stored, self.next)
        {
            let share = self.space.dot(q, image) / curvature;
            self.space.axpy(-share, p, q);
        }
        self.space.norm2(q)
    }
}

/// The stored triples p, Ap, ⟨p, Ap⟩ (or s, y, sᵀy of a quasi-Newton method): a ring, `next` being the oldest once it is full.
pub(crate) fn newest_first<'a, T: Real>(
    pairs: &'a [T],
    curvatures: &'a [T],
    n: usize,
    stored: usize,
    next: usize,
) -> impl DoubleEndedIterator<Item = (&'a [T], &'a [T], T)> + use<'a, T> {
    let of_size = n.saturating_mul(2).max(1);
    let triples = move |first: usize, end: usize| {
        let curvatures = curvatures.get(first..end).unwrap_or_default();
        let pairs = pairs.get(first.saturating_mul(of_size)..end.saturating_mul(of_size)).unwrap_or_default();
        pairs.chunks_exact(of_size).zip(curvatures).rev()
    };
    triples(0, next.min(stored)).chain(triples(next, stored)).filter_map(move |(pair, &curvature)| {
        let (p, image) = pair.split_at_checked(n)?;
        Some((p, image, curvature))
    })
}
