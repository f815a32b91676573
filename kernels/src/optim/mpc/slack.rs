//! The copies that obey the constraints, z, and their multipliers: of both only z and w = z + y are stored, y
//! the multiplier divided by ρ, as z is the projection of w.

use crate::Real;

/// The largest residuals met so far, those on states and inputs with a weight of their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Residuals<T> {
    /// max |v − z|.
    pub(super) primal: T,
    /// max ρ|(α−1)(v − z₋) − (z − z₋)|, z₋ the copy before: the gradient of the Lagrangian at v, as y moves
    /// by α(v − z₋) − (z − z₋) where plain descent would need v − z₋.
    pub(super) dual: T,
}

impl<T: Real> Residuals<T> {
    pub(super) const ZERO: Self = Self { primal: T::ZERO, dual: T::ZERO };

    /// Whether both are at most the tolerance.
    #[inline(always)]
    pub(super) fn within(&self, tolerance: T) -> bool {
        self.primal <= tolerance && self.dual <= tolerance
    }
}

/// −ρ(z − y) = ρ(w − 2z): what the copies add to the gradient of the cost.
#[inline(always)]
pub(super) fn pull<T: Real>(penalty: T, z: T, w: T) -> T {
    penalty * (w - (z + z))
}

/// w ← w + α(v − z), z ← clip(w).
#[inline(always)]
pub(super) fn update<T: Real, const K: usize>(
    relaxation: T,
    v: &[T; K],
    (z, w): (&mut [T; K], &mut [T; K]),
    (lower, upper): (&[T; K], &[T; K]),
) {
    for ((((&v, z), w), &lower), &upper) in v.iter().zip(z).zip(w).zip(lower).zip(upper) {
        *w += relaxation * (v - *z);
        *z = w.maximum(lower).minimum(upper);
    }
}

/// [`update`], and the residuals.
#[inline(never)]
pub(super) fn update_tested<T: Real, const K: usize>(
    relaxation: T,
    penalty: T,
    v: &[T; K],
    (z, w): (&mut [T; K], &mut [T; K]),
    (lower, upper): (&[T; K], &[T; K]),
    residuals: &mut Residuals<T>,
) {
    let (mut primal, mut dual) = (residuals.primal, T::ZERO);
    for ((((&v, z), w), &lower), &upper) in v.iter().zip(z).zip(w).zip(lower).zip(upper) {
        let distance = v - *z;
        let step = relaxation * distance;
        *w += step;
        let projected = w.maximum(lower).minimum(upper);
        primal = primal.maximum((v - projected).abs());
        dual = dual.maximum(((step - distance) - (projected - *z)).abs());
        *z = projected;
    }
    *residuals = Residuals { primal, dual: residuals.dual.maximum(penalty * dual) };
}
