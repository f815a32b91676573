use crate::real::Float;

/// Which end of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Side {
    /// The smallest x of the cell.
    Lower,
    /// The largest x of the cell.
    Upper,
}

/// Steps to a neighbour before bisection takes over.
const STEPS: u32 = 8;

/// An exact end of a cell: with a nondecreasing `rank_at`, the smallest x of `within` with rank_at(x) ≥ rank
/// (lower side), or the largest with rank_at(x) ≤ rank (upper side).
///
/// From `start`, a guess, at most 8 steps to neighbouring floats, then bisection on the order key. Both ends
/// of `within` are finite and in order; a start outside, or NaN, is moved inside. If no x of `within`
/// qualifies, the result is the end at which one would come next: within.1 on the lower side, within.0 on the
/// upper. If `rank_at` is not monotone the result is some number of `within`. Cost: 2 to 10 evaluations, with
/// a bad start 33 more; no lent memory.
///
/// ```
/// use quern_kernels::prox::quant_cell::{Side, bound};
/// let rank_at = |x: f32| (x * 3.0) as i32;
/// let low = bound(rank_at, 2, 0.666, (0.0, 9.0), Side::Lower);
/// let high = bound(rank_at, 1, 0.666, (0.0, 9.0), Side::Upper);
/// assert!(low * 3.0 >= 2.0 && high * 3.0 < 2.0);
/// assert_eq!(high.to_bits() + 1, low.to_bits());
/// ```
#[inline]
pub fn bound(rank_at: impl Fn(f32) -> i32, rank: i32, start: f32, within: (f32, f32), side: Side) -> f32 {
    let keys = (within.0.order_key(), within.1.order_key());
    f32::from_order_key(match side {
        Side::Lower => first_of_rank(rank_at, rank, start, keys).min(keys.1),
        // The largest x of a rank lies right before the smallest of the next.
        Side::Upper => match rank.checked_add(1) {
            Some(next) => first_of_rank(rank_at, next, start, keys).wrapping_sub(1).max(keys.0),
            None => keys.1,
        },
    })
}

/// The first key of low..=high whose number has at least this rank; high + 1 if none has.
///
/// Not inlined: a kernel calls it at several places, and a copy of the bisection at each would fill a board's
/// flash.
#[inline(never)]
fn first_of_rank(rank_at: impl Fn(f32) -> i32, rank: i32, start: f32, (low, high): (i32, i32)) -> i32 {
    let below = |key: i32| rank_at(f32::from_order_key(key)) < rank;
    let mut key = if start.is_nan() { low } else { start.order_key().max(low).min(high) };
    let (mut bottom, mut top) = (low, high.wrapping_add(1));
    if below(key) {
        for _ in 0..STEPS {
            key = key.wrapping_add(1);
            if key > high || !below(key) {
                return key;
            }
        }
        bottom = key;
    } else {
        for _ in 0..STEPS {
            if key <= low || below(key.wrapping_sub(1)) {
                return key;
            }
            key = key.wrapping_sub(1);
        }
        top = key;
    }
    // Invariant: what lies before bottom is below; top is not, or is beyond the range. At most 32 halvings.
    for _ in 0..=i32::BITS {
        if bottom >= top {
            break;
        }
        // ⌊(bottom + top)/2⌋ without overflow.
        let middle = (bottom & top) + ((bottom ^ top) >> 1);
        if below(middle) {
            bottom = middle.wrapping_add(1);
        } else {
            top = middle;
        }
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: (f32, f32) = (-1e30, 1e30);

    #[test]
    fn any_start_finds_the_same_ends() {
        let rank_at = |x: f32| if x < -2.5 { -1 } else { i32::from(x > 1e-40) };
        for start in [f32::NAN, f32::INFINITY, -1e38, -2.5, -2.4, 0.0, 1e-40, 7.0, f32::MAX] {
            let end = |rank, side| bound(rank_at, rank, start, WITHIN, side);
            assert_eq!(end(0, Side::Lower), -2.5);
            assert_eq!(end(-1, Side::Upper), (-2.5f32).next_below());
            assert_eq!(end(1, Side::Lower), 1e-40f32.next_above());
            assert_eq!(end(0, Side::Upper), 1e-40);
            assert_eq!(end(-1, Side::Lower), -1e30);
            assert_eq!(end(1, Side::Upper), 1e30);
        }
    }

    #[test]
    fn cells_that_are_empty_or_beyond_the_range_end_at_the_range() {
        let rank_at = |x: f32| if x < 0.0 { 0 } else { 4 };
        assert_eq!(bound(rank_at, 2, 0.3, (-1.0, 1.0), Side::Lower).to_bits(), (-0.0f32).to_bits());
        assert_eq!(bound(rank_at, 5, 0.3, (-1.0, 1.0), Side::Lower), 1.0);
        assert_eq!(bound(rank_at, -1, 0.3, (-1.0, 1.0), Side::Upper), -1.0);
    }

    #[test]
    fn few_evaluations_suffice() {
        let count = core::cell::Cell::new(0);
        let rank_at = |x: f32| {
            count.set(count.get() + 1);
            i32::from(x >= 0.1)
        };
        let most = |start: f32, allowed: u32| {
            count.set(0);
            assert_eq!(bound(rank_at, 1, start, WITHIN, Side::Lower), 0.1);
            assert!(count.get() <= allowed, "{start:e}: {}", count.get());
        };
        most(0.1, 2);
        most(0.1f32.next_below(), 2);
        most(f32::from_bits(0.1f32.to_bits() + 7), 10);
        for start in [-1e30, 1e30, 0.0, 3.0] {
            most(start, 10 + 33);
        }
    }
}
