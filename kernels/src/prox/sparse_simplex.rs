use super::check_nonnegative;
use super::simplex::threshold;
use crate::sort::largest;
use crate::{Error, Real, check_finite, check_length};

/// A nearest point to v among all p ≥ 0 with Σp = s and at most k entries that are not zero, by its indices
/// and their entries: what [`project_topk_simplex`](super::project_topk_simplex) writes in full.
///
/// Shapes: v of length m, k = the number of indices = that of entries, 1 ≤ k ≤ m; both are overwritten.
/// Guarantees: the indices are those of the k largest, that of the largest first, ties to the lowest index;
/// the entries fall, and some of the last may be zero; they are off by at most 8us. v may be shifted by a
/// constant. Cost: m comparisons and at most 2m⌈log₂k⌉ more for the selection, then as
/// [`project_simplex`](super::project_simplex) on k numbers; no memory beyond the result. Source: A.
/// Kyrillidis, S. Becker, V. Cevher, C. Koch, Sparse Projections onto the Simplex, ICML 2013, theorem 1.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Setting`] if s is negative or ks is not finite; [`Error::Infeasible`] if k is 0 or
/// above m; [`Error::NonFinite`].
///
/// ```
/// let (mut indices, mut entries) = ([0; 2], [0.0; 2]);
/// quern_kernels::prox::sparse_simplex(&[0.5, 0.75, 0.5, -1.0], 1.0, &mut indices, &mut entries)?;
/// assert_eq!((indices, entries), ([1, 0], [0.625, 0.375]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn sparse_simplex<T: Real>(
    v: &[T],
    total: T,
    indices: &mut [u32],
    entries: &mut [T],
) -> Result<(), Error> {
    check_nonnegative("total", total)?;
    check_length("entries", entries.len(), indices.len())?;
    check_finite("v", v)?;
    if indices.is_empty() {
        return Err(Error::Infeasible { what: "an entry to carry the total" });
    }
    largest(v, indices)?;
    for (entry, &index) in entries.iter_mut().zip(indices.iter()) {
        *entry = v.get(index as usize).copied().unwrap_or(T::ZERO);
    }
    let threshold = threshold("total", entries.iter().copied(), total)?;
    for entry in entries {
        *entry = threshold.above(*entry);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prox::project_topk_simplex;

    #[test]
    fn it_is_the_full_projection_in_every_bit() {
        let v: [f32; 9] = core::array::from_fn(|i| ((i * 37 + 11) % 16) as f32 / 8.0 - 1.0);
        for k in 1..=9 {
            let mut full = v;
            project_topk_simplex(&mut full, k, 0.7, &mut [0; 9]).unwrap();
            let (mut indices, mut entries) = ([0; 9], [0.0; 9]);
            sparse_simplex(&v, 0.7, &mut indices[..k], &mut entries[..k]).unwrap();
            let mut scattered = [0.0; 9];
            for (&index, &entry) in indices[..k].iter().zip(&entries[..k]) {
                scattered[index as usize] = entry;
            }
            assert_eq!(scattered, full, "{k}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let call =
            |v: &[f64], total, k: usize| sparse_simplex(v, total, &mut [0; 4][..k], &mut [0.0; 4][..k]);
        assert!(matches!(call(&[1.0], 1.0, 0), Err(Error::Infeasible { .. })));
        assert!(matches!(call(&[1.0], 1.0, 2), Err(Error::Infeasible { .. })));
        assert!(matches!(call(&[1.0], -1.0, 1), Err(Error::Setting { .. })));
        assert!(matches!(call(&[f64::NAN], 1.0, 1), Err(Error::NonFinite { .. })));
        let short = sparse_simplex(&[1.0], 1.0, &mut [0; 1], &mut []);
        assert!(matches!(short, Err(Error::Dimension { .. })));
    }
}
