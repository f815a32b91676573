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

/// w ← w + α(v − z), z ← clip(w), and the residuals of it where they are asked for.
#[inline(always)]
pub(super) fn update<T: Real, const TESTED: bool, const K: usize>(
    relaxation: T,
    penalty: T,
    v: &[T; K],
    (z, w): (&mut [T; K], &mut [T; K]),
    (lower, upper): (&[T; K], &[T; K]),
    residuals: &mut Residuals<T>,
) {
    let mut dual = T::ZERO;
    for ((((&v, z), w), &lower), &upper) in v.iter().zip(z).zip(w).zip(lower).zip(upper) {
        let distance = v - *z;
        let step = relaxation * distance;
        let moved = *w + step;
        let projected = moved.maximum(lower).minimum(upper);
        if TESTED {
            residuals.primal = residuals.primal.maximum((v - projected).abs());
            dual = dual.maximum(((step - distance) - (projected - *z)).abs());
        }
        *w = moved;
        *z = projected;
    }
    if TESTED {
        residuals.dual = residuals.dual.maximum(penalty * dual);
    }
}
