use crate::Real;
use crate::optim::qp::memory::at;
use crate::optim::qp::problem::Kind;

/// Slacks of the finite bounds and their multipliers: sᵢ of lᵢ with vᵢ, tᵢ of uᵢ with wᵢ. Entries of bounds
/// that are infinite, and of equalities, are not used.
pub(super) struct Slacks<'m, T> {
    /// s ≈ Ax − l.
    pub(super) below: &'m mut [T],
    /// t ≈ u − Ax.
    pub(super) above: &'m mut [T],
    /// v.
    pub(super) below_multipliers: &'m mut [T],
    /// w.
    pub(super) above_multipliers: &'m mut [T],
    /// What the products s·v and t·w shall become, less what they are.
    pub(super) below_products: &'m mut [T],
    pub(super) above_products: &'m mut [T],
}

/// W of a row at the start.
pub(super) fn start_weight<T: Real>(bounds: (T, T), delta: T) -> T {
    match Kind::of(bounds) {
        Kind::Equality => delta,
        Kind::Inequality => T::ONE,
        Kind::Free => free_weight(),
    }
}

/// W of a row without bounds: its multiplier vanishes.
pub(super) fn free_weight<T: Real>() -> T {
    T::ONE / (T::EPSILON * T::EPSILON)
}

/// Whether the two sides of a row have slacks.
#[inline(always)]
pub(super) fn sides<T: Real>(bounds: (T, T)) -> (bool, bool) {
    let inequality = bounds.0 < bounds.1;
    (inequality && bounds.0.is_finite(), inequality && bounds.1.is_finite())
}

impl<T: Real> Slacks<'_, T> {
    /// Mehrotra's first slacks and multipliers, from Ax and y.
    pub(super) fn start(&mut self, bounds: impl Iterator<Item = (T, T)> + Clone, ax: &[T], y: &mut [T]) {
        let (mut slack, mut multiplier) = (T::ZERO, T::ZERO);
        for (i, (lower, upper)) in bounds.clone().enumerate() {
            let (ax, y) = (at(ax, i), at(y, i));
            let (below, above) = sides((lower, upper));
            if below {
                slack = slack.maximum(lower - ax);
                multiplier = multiplier.maximum(y);
            }
            if above {
                slack = slack.maximum(ax - upper);
                multiplier = multiplier.maximum(-y);
            }
        }
        let stretch = T::from_f64(1.5);
        let (slack, multiplier) = (slack * stretch, multiplier * stretch);
        let half = T::from_f64(0.5);
        let (mut product, mut slacks, mut multipliers) = (T::ZERO, T::ZERO, T::ZERO);
        for (i, bounds) in bounds.clone().enumerate() {
            let (below, above) = sides(bounds);
            let (ax, y) = (at(ax, i), at(y, i));
            for (used, s, v) in [(below, ax - bounds.0, -y), (above, bounds.1 - ax, y)] {
                if used {
                    let (s, v) = (s + slack, v + multiplier);
                    product += s * v;
                    slacks += s;
                    multipliers += v;
                }
            }
        }
        let shift = |total: T| {
            let shift = half * product / total;
            if shift.is_finite() { shift } else { T::ZERO }
        };
        let least = T::from_f64(1e-2);
        let (slack, multiplier) = (slack + shift(multipliers), multiplier + shift(slacks));
        for (i, bounds) in bounds.enumerate() {
            let (below, above) = sides(bounds);
            let (ax, here) = (at(ax, i), at(y, i));
            let set = |place: Option<&mut T>, used: bool, value: T| {
                if let Some(place) = place {
                    *place = if used { value.maximum(least) } else { T::ZERO };
                }
            };
            set(self.below.get_mut(i), below, ax - bounds.0 + slack);
            set(self.above.get_mut(i), above, bounds.1 - ax + slack);
            set(self.below_multipliers.get_mut(i), below, multiplier - here);
            set(self.above_multipliers.get_mut(i), above, multiplier + here);
            if let Some(y) = y.get_mut(i)
                && (below || above)
            {
                *y = at(self.above_multipliers, i) - at(self.below_multipliers, i);
            }
        }
    }

    /// Σ sᵢvᵢ + tᵢwᵢ, and how many products there are.
    pub(super) fn complementarity(&self, bounds: impl Iterator<Item = (T, T)>) -> (T, usize) {
        let (mut sum, mut count) = (T::ZERO, 0_usize);
        for (i, bounds) in bounds.enumerate() {
            let (below, above) = sides(bounds);
            if below {
                sum += at(self.below, i) * at(self.below_multipliers, i);
                count = count.saturating_add(1);
            }
            if above {
                sum += at(self.above, i) * at(self.above_multipliers, i);
                count = count.saturating_add(1);
            }
        }
        (sum, count)
    }
}

/// The change of a slack and of its multiplier when Ax changes by `change`.
///
/// `residual` is what the slack must grow by for the bound to hold; `product` what s·v shall grow by.
#[inline(always)]
pub(super) fn change<T: Real>(slack: T, multiplier: T, residual: T, product: T, change: T) -> (T, T) {
    let slack_change = change + residual;
    (slack_change, (product - multiplier * slack_change) / slack)
}
