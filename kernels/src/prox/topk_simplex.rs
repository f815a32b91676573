use super::check_nonnegative;
use super::simplex::threshold;
use crate::sort::largest;
use crate::{Error, Real, check_finite};

/// A nearest point to x among all p ≥ 0 with Σp = s and at most k entries that are not zero: the k largest
/// entries of x, projected onto their simplex; the others become zero.
///
/// Shapes: x of length n, at least min(k, n) indices lent, whose contents do not matter. Guarantee: a nearest
/// point (the set is not convex, so that there can be several: ties at the cut go to the lowest index);
/// entries off by at most 8us. Cost: at most 2n⌈log₂k⌉ comparisons for the selection, then as
/// [`project_simplex`](super::project_simplex); k indices of lent memory. Source: A. Kyrillidis, S. Becker,
/// V. Cevher, C. Koch, Sparse Projections onto the Simplex, ICML 2013, algorithm 1 and theorem 1.
///
/// # Errors
/// [`Error::Setting`] if s is negative or ks is not finite, [`Error::Infeasible`] if k or n is 0 and s > 0,
/// [`Error::Capacity`] if too few indices are lent, [`Error::NonFinite`] if x is not finite; x is then
/// untouched.
///
/// ```
/// let mut x = [0.5, 0.75, 0.5, -1.0];
/// quern_kernels::prox::project_topk_simplex(&mut x, 2, 1.0, &mut [0; 2])?;
/// assert_eq!(x, [0.375, 0.625, 0.0, 0.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn project_topk_simplex<T: Real>(
    x: &mut [T],
    k: usize,
    total: T,
    indices: &mut [u32],
) -> Result<(), Error> {
    check_nonnegative("total", total)?;
    check_finite("x", x)?;
    let k = k.min(x.len());
    let available = indices.len();
    let Some(indices) = indices.get_mut(..k) else {
        return Err(Error::Capacity { what: "indices", required: k, available });
    };
    largest(x, indices)?;
    // The last of the chosen: larger entries are chosen, and equal ones up to its place.
    let Some((last, &cut)) =
        indices.last().and_then(|&last| x.get(last as usize).map(|cut| (last as usize, cut)))
    else {
        if total > T::ZERO {
            return Err(Error::Infeasible { what: "an entry to carry the total" });
        }
        x.fill(T::ZERO);
        return Ok(());
    };
    let chosen = |(index, value): (usize, T)| value > cut || (value == cut && index <= last);
    let values = x.iter().copied().enumerate().filter(|&entry| chosen(entry)).map(|(_, value)| value);
    let threshold = threshold("total", values, total)?;
    for (index, x) in x.iter_mut().enumerate() {
        *x = if chosen((index, *x)) { threshold.above(*x) } else { T::ZERO };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project<const N: usize>(mut x: [f32; N], k: usize, total: f32) -> [f32; N] {
        project_topk_simplex(&mut x, k, total, &mut [0; 8]).unwrap();
        x
    }

    #[test]
    fn ties_at_the_cut_go_to_the_lowest_index() {
        assert_eq!(project([1.0, 2.0, 1.0, 2.0], 1, 1.0), [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(project([1.0; 4], 3, 3.0), [1.0, 1.0, 1.0, 0.0]);
        assert_eq!(project([-0.0, 0.0, 0.0], 1, 1.0), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn more_entries_than_there_are_is_the_simplex() {
        assert_eq!(project([0.5, 1.0, -1.0], 8, 1.0), [0.25, 0.75, 0.0]);
        assert_eq!(project([0.5, 1.0, -1.0], 2, 0.0), [0.0; 3]);
        assert_eq!(project([0.5, 1.0, -1.0], 0, 0.0), [0.0; 3]);
        assert_eq!(project([-5.0, -6.0], 1, 2.0), [2.0, 0.0]);
    }

    #[test]
    fn nonsense_is_refused() {
        let mut x = [1.0, 2.0];
        assert!(matches!(
            project_topk_simplex(&mut x, 2, 1.0, &mut [0; 1]),
            Err(Error::Capacity { what: "indices", required: 2, available: 1 })
        ));
        assert!(matches!(project_topk_simplex(&mut x, 0, 1.0, &mut []), Err(Error::Infeasible { .. })));
        assert!(matches!(
            project_topk_simplex::<f32>(&mut [], 3, 1.0, &mut []),
            Err(Error::Infeasible { .. })
        ));
        assert!(matches!(project_topk_simplex(&mut x, 1, -1.0, &mut [0]), Err(Error::Setting { .. })));
        assert!(matches!(
            project_topk_simplex(&mut [f64::NAN], 1, 1.0, &mut [0]),
            Err(Error::NonFinite { .. })
        ));
        assert_eq!(x, [1.0, 2.0]);
    }
}
