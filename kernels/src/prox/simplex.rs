use super::check_nonnegative;
use crate::{Error, Real, check_finite};

/// x_i ← max(x_i − τ, 0) with τ such that the sum is s: the projection onto the simplex of all x ≥ 0 with Σx
/// = s. The probability simplex is that of s = 1.
///
/// Shapes: x of length n. Guarantee: entries off by at most 8us (u the unit roundoff), however large x; none
/// negative; equal entries stay equal. Cost: 4n flops a pass. At least two passes; after each but the last
/// either the number of entries above τ or the excess of the sum has fallen by half, so that there are at
/// most log₂n plus the number of bits to be got right, and never more than n + 1; no lent memory.
///
/// Source: C. Michelot, A Finite Algorithm for Finding the Projection of a Point onto the Canonical Simplex
/// of Rⁿ, JOTA 50 (1986), which is Newton's method for Σ max(x_i − τ, 0) = s from below; compared with others
/// by L. Condat, Fast Projection onto the Simplex and the l₁ Ball, Mathematical Programming 158 (2016). The
/// halving is the inequality f₁/f₀ + f₁'/f₀' ≤ 1 of Newton's method on convex piecewise linear functions.
/// Departures: x is shifted by its largest entry and each step is computed from the excess, so that rounding
/// is relative to s; entries are not removed from a list but passed over.
///
/// # Errors
/// [`Error::Setting`] if s is negative or ns is not finite, [`Error::Infeasible`] for n = 0 and s > 0,
/// [`Error::NonFinite`] if x is not finite; x is then untouched.
///
/// ```
/// let mut x = [0.5, 1.0, -1.0];
/// quern_kernels::prox::project_simplex(&mut x, 1.0)?;
/// assert_eq!(x, [0.25, 0.75, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn project_simplex<T: Real>(x: &mut [T], total: T) -> Result<(), Error> {
    check_nonnegative("total", total)?;
    check_finite("x", x)?;
    if x.is_empty() && total > T::ZERO {
        return Err(Error::Infeasible { what: "an entry to carry the total" });
    }
    let threshold = threshold("total", x.iter().copied(), total)?;
    for x in x {
        *x = threshold.above(*x);
    }
    Ok(())
}

/// τ = largest + offset.
#[derive(Clone, Copy)]
pub(crate) struct Threshold<T> {
    largest: T,
    offset: T,
}

impl<T: Real> Threshold<T> {
    /// max(v − τ, 0).
    #[inline(always)]
    pub(crate) fn above(self, value: T) -> T {
        let above = (value - self.largest) - self.offset;
        if above > T::ZERO { above } else { T::ZERO }
    }
}

/// The τ with Σ max(v_i − τ, 0) = s, for n finite values.
///
/// # Errors
/// [`Error::Setting`] if ns, which bounds every sum on the way, is not finite.
#[inline]
pub(crate) fn threshold<T: Real>(
    name: &'static str,
    values: impl Iterator<Item = T> + Clone,
    total: T,
) -> Result<Threshold<T>, Error> {
    let mut largest = -T::MAX;
    let mut length = 0usize;
    for value in values.clone() {
        largest = largest.maximum(value);
        length += 1;
    }
    if !(T::from_usize(length) * total).is_finite() {
        return Err(Error::Setting { name, expected: "at most the largest number, divided by the length" });
    }
    // The largest entry alone would make the sum s here: τ is not below.
    let mut threshold = Threshold { largest, offset: -total };
    let mut active = usize::MAX;
    for _ in 0..=length {
        let mut sum = T::NEGATIVE_ZERO;
        let mut count = 0;
        for value in values.clone() {
            let above = (value - largest) - threshold.offset;
            if above > T::ZERO {
                sum += above;
                count += 1;
            }
        }
        // A total so small that its shares underflow leaves nothing above.
        if count == 0 {
            break;
        }
        threshold.offset += (sum - total) / T::from_usize(count);
        // The same entries once more: this step only took away what rounding had left.
        if count >= active {
            break;
        }
        active = count;
    }
    Ok(threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project<const N: usize>(mut x: [f32; N], total: f32) -> [f32; N] {
        project_simplex(&mut x, total).unwrap();
        x
    }

    #[test]
    fn vertices_faces_and_the_middle() {
        assert_eq!(project([5.0, 1.0, 2.0], 1.0), [1.0, 0.0, 0.0]);
        assert_eq!(project([0.0; 4], 1.0), [0.25; 4]);
        assert_eq!(project([1.0, 1.0, -1e30], 3.0), [1.5, 1.5, 0.0]);
        assert_eq!(project([0.25, 0.25, 0.5], 1.0), [0.25, 0.25, 0.5]);
        assert_eq!(project([3.0, -4.0], 0.0), [0.0, 0.0]);
        assert_eq!(project([-7.0], 2.0), [2.0]);
        assert!(project([], 0.0).is_empty());
    }

    /// Numbers whose neighbours are further apart than the total.
    #[test]
    fn the_total_is_kept_however_large_the_entries() {
        assert_eq!(project([1e30, 1e30, 1e29], 1.0), [0.5, 0.5, 0.0]);
        assert_eq!(project([f32::MAX, f32::MIN, 0.0], 1.0), [1.0, 0.0, 0.0]);
        assert_eq!(project([f32::MIN, f32::MIN], 1.0), [0.5, 0.5]);
        assert_eq!(project([1.0, 2.0], f32::MAX / 2.0), [f32::MAX / 4.0, f32::MAX / 4.0]);
        assert_eq!(project([0.0; 3], 1e-45).iter().filter(|x| **x != 0.0).count(), 0);
    }

    /// Outliers at factorial distances are removed one a pass: the worst case of the method.
    #[test]
    fn one_entry_removed_in_each_pass_is_still_exact() {
        let mut distance = 1.0f64;
        let mut x = [0.0f64; 60];
        for (i, x) in x.iter_mut().enumerate().skip(1) {
            distance *= 2.0 * (i + 1) as f64;
            *x = -distance;
        }
        let mut y = x;
        project_simplex(&mut y, 1.0).unwrap();
        assert_eq!(y[0], 1.0);
        assert!(y[1..].iter().all(|&y| y == 0.0));
        // A total that all of them have to share.
        let total = 61.0 * distance;
        project_simplex(&mut x, total).unwrap();
        let sum: f64 = x.iter().sum();
        assert!((sum - total).abs() <= 60.0 * 8.0 * f64::EPSILON * total && x.iter().all(|&x| x > 0.0));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(project_simplex::<f32>(&mut [], 1.0), Err(Error::Infeasible { .. })));
        assert!(matches!(project_simplex(&mut [1.0], -1.0), Err(Error::Setting { name: "total", .. })));
        assert!(matches!(project_simplex(&mut [1.0], f64::NAN), Err(Error::Setting { .. })));
        assert!(matches!(project_simplex(&mut [1.0, 2.0], f64::MAX), Err(Error::Setting { .. })));
        assert!(matches!(
            project_simplex(&mut [1.0, f64::NEG_INFINITY], 1.0),
            Err(Error::NonFinite { what: "x", index: 1 })
        ));
    }
}
