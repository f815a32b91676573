use super::problem::check_weight;
use crate::prox::threshold;
use crate::sort::largest;
use crate::{Error, Real, blas, check_finite, check_length};

/// max ⟨t, x⟩ − (γ/2)‖t‖² over t ≥ 0 with Σt = b and at most k nonzeros: a column's share of the semi-dual.
///
/// The maximizer is the projection of x/γ onto that set: see [`sparse_simplex`](crate::prox::sparse_simplex).
///
/// Shapes: x of m; k = the number of indices = that of entries, 1 ≤ k ≤ m; both are overwritten with t, largest
/// entry first. Guarantees: Σt = b within 8kub; the value rises with k. It is b·M_k of the source, whose p is
/// t/b. Cost: m comparisons and at most 2m⌈log₂k⌉ more, 8k flops; no memory beyond the result. Source: Liu,
/// Puigcerver, Blondel (2023), section 4, with the total in the place of the division by b, so that tiny masses
/// do no harm.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Setting`] unless b and γ are positive and finite; [`Error::Infeasible`] if k is 0
/// or above m; [`Error::NonFinite`] for x; [`Error::Breakdown`] if the value overflows.
///
/// ```
/// let (mut indices, mut entries) = ([0; 1], [0.0; 1]);
/// let value = quern_kernels::transport::max_k(&[1.0, 3.0, 2.0], 0.5, 1.0, &mut indices, &mut entries)?;
/// assert_eq!((value, indices, entries), (0.5 * 3.0 - 0.125, [1], [0.5]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn max_k<T: Real>(
    x: &[T],
    total: T,
    weight: T,
    indices: &mut [u32],
    entries: &mut [T],
) -> Result<T, Error> {
    check_weight(weight)?;
    if !(total > T::ZERO && total.is_finite()) {
        return Err(Error::Setting { name: "total", expected: "a positive finite number" });
    }
    check_length("entries", entries.len(), indices.len())?;
    check_finite("x", x)?;
    if indices.is_empty() {
        return Err(Error::Infeasible { what: "an entry to carry the total" });
    }
    sparse_maximum(x, total, weight, indices, entries)
}

/// [`max_k`], its arguments checked.
pub(super) fn sparse_maximum<T: Real>(
    x: &[T],
    total: T,
    weight: T,
    indices: &mut [u32],
    entries: &mut [T],
) -> Result<T, Error> {
    largest(x, indices)?;
    let at = |index: u32| x.get(index as usize).copied().unwrap_or(T::ZERO);
    let top = indices.first().map_or(T::ZERO, |&index| at(index));
    // Shifted by the largest: the set allows it, and small differences of large numbers stay exact.
    for (entry, &index) in entries.iter_mut().zip(indices.iter()) {
        *entry = (at(index) - top) / weight;
    }
    project(entries, total)?;
    let half = weight / (T::ONE + T::ONE);
    let mut value = T::ZERO;
    for (&entry, &index) in entries.iter().zip(indices.iter()) {
        if entry > T::ZERO {
            value += entry * (at(index) - half * entry);
        }
    }
    finite(value)
}

/// The same without a bound on the nonzeros: t in full.
pub(super) fn maximum<T: Real>(x: &[T], total: T, weight: T, entries: &mut [T]) -> Result<T, Error> {
    let top = x.iter().fold(-T::MAX, |top, &x| top.maximum(x));
    for (entry, &x) in entries.iter_mut().zip(x) {
        *entry = (x - top) / weight;
    }
    project(entries, total)?;
    let half = weight / (T::ONE + T::ONE);
    finite(blas::dot(entries, x)? - half * blas::dot(entries, entries)?)
}

/// Onto the simplex; entries may be −∞.
fn project<T: Real>(entries: &mut [T], total: T) -> Result<(), Error> {
    let threshold = threshold("total", entries.iter().copied(), total)?;
    for entry in entries {
        *entry = threshold.above(*entry);
    }
    Ok(())
}

fn finite<T: Real>(value: T) -> Result<T, Error> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::Breakdown { what: "a finite value", index: 0 })
}

/// δ_k(s) = max ⟨t, s⟩ − (γ/2)‖t‖² over t ≥ 0 with at most k nonzeros = (1/2γ)Σ_{i≤k} max(s₍ᵢ₎, 0)²: a column's
/// share of the dual.
///
/// Shapes: s of m; k = the number of indices = that of entries, 1 ≤ k ≤ m; both are overwritten with the
/// maximizer t = max(s, 0)/γ at the k largest, which is a gradient where the k-th and the next differ. Cost: m
/// comparisons and at most 2m⌈log₂k⌉ more, 4k flops; no memory beyond the result. Source: as [`max_k`].
///
/// # Errors
/// As [`max_k`].
///
/// ```
/// let (mut indices, mut entries) = ([0; 2], [0.0; 2]);
/// let value = quern_kernels::transport::delta_k(&[1.0, -3.0, 2.0], 2.0, &mut indices, &mut entries)?;
/// assert_eq!((value, indices, entries), ((4.0 + 1.0) / 4.0, [2, 0], [1.0, 0.5]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn delta_k<T: Real>(s: &[T], weight: T, indices: &mut [u32], entries: &mut [T]) -> Result<T, Error> {
    check_weight(weight)?;
    check_length("entries", entries.len(), indices.len())?;
    check_finite("s", s)?;
    if indices.is_empty() {
        return Err(Error::Infeasible { what: "a nonzero" });
    }
    largest(s, indices)?;
    let mut squares = T::ZERO;
    for (entry, &index) in entries.iter_mut().zip(indices.iter()) {
        let above = s.get(index as usize).map_or(T::ZERO, |s| s.maximum(T::ZERO));
        *entry = above / weight;
        squares += above * *entry;
    }
    finite(squares / (T::ONE + T::ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 6] = [0.25, -1.0, 0.75, 0.5, 0.7, 3.0e-1];

    #[test]
    fn more_nonzeros_are_worth_no_less() {
        for (total, weight) in [(1.0, 1.0), (0.1, 3.0), (5.0, 0.2), (1e-12, 1.0)] {
            let mut before = -f64::MAX;
            for k in 1..=6 {
                let (mut indices, mut entries) = ([0; 6], [0.0; 6]);
                let value = max_k(&X, total, weight, &mut indices[..k], &mut entries[..k]).unwrap();
                assert!(value >= before - 4.0 * f64::EPSILON * total, "{k}");
                let sum: f64 = entries[..k].iter().sum();
                assert!((sum - total).abs() <= 8.0 * 6.0 * f64::EPSILON * total);
                before = value;
            }
            let mut full = [0.0; 6];
            let value = maximum(&X, total, weight, &mut full).unwrap();
            assert!((value - before).abs() <= 8.0 * f64::EPSILON * total * 3.0);
        }
    }

    #[test]
    fn delta_is_the_maximum_over_all_totals() {
        let (mut indices, mut entries) = ([0; 2], [0.0; 2]);
        let best = delta_k(&X, 1.5, &mut indices, &mut entries).unwrap();
        let total: f64 = entries.iter().sum();
        let at = |total| max_k(&X, total, 1.5, &mut [0; 2], &mut [0.0; 2]).unwrap();
        assert!((at(total) - best).abs() <= 1e-15);
        assert!(at(total * 1.1) < best && at(total * 0.9) < best);
        assert_eq!(delta_k(&[-1.0; 3], 1.0, &mut indices, &mut entries), Ok(0.0));
    }

    #[test]
    fn nonsense_is_refused() {
        let call = |x: &[f64], total, weight, k: usize| {
            max_k(x, total, weight, &mut [0; 9][..k], &mut [0.0; 9][..k])
        };
        assert!(matches!(call(&X, 0.0, 1.0, 2), Err(Error::Setting { name: "total", .. })));
        assert!(matches!(call(&X, f64::NAN, 1.0, 2), Err(Error::Setting { name: "total", .. })));
        assert!(matches!(call(&X, 1.0, 0.0, 2), Err(Error::Setting { name: "weight", .. })));
        assert!(matches!(call(&X, 1.0, 1.0, 7), Err(Error::Infeasible { .. })));
        assert!(matches!(call(&X, 1.0, 1.0, 0), Err(Error::Infeasible { .. })));
        assert!(matches!(call(&[f64::INFINITY], 1.0, 1.0, 1), Err(Error::NonFinite { .. })));
        assert!(matches!(call(&[f64::MAX; 2], 3.0, 1.0, 1), Err(Error::Breakdown { .. })));
        assert!(delta_k(&[f64::MAX; 2], 1.0, &mut [0; 1], &mut [0.0; 1]).is_err());
    }
}
