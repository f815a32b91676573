use super::below;
use super::shuffle::count;
use crate::Error;
use rand_core::Rng;

/// k of the n indices 0, …, n−1, drawn without replacement, in rising order.
///
/// Shapes: indices of length k ≤ n, overwritten; n < 2³². Guarantee: every set of k has the same probability,
/// up to the fallback of [`below`]. Cost: k draws of [`below`], k binary searches, at most k²/2 moves; no
/// memory beside the k indices. Source: R. W. Floyd, in J. Bentley, Programming Pearls: A Sample of
/// Brilliance, CACM 30 (1987), algorithm F2; here the set is kept sorted.
///
/// # Errors
/// [`Error::Infeasible`] if k > n.
///
/// ```
/// use quern_kernels::random::{Key, choose};
/// let mut batch = [0; 3];
/// choose(&mut Key::from_seed(3).stream(), 100, &mut batch)?;
/// assert!(batch[0] < batch[1] && batch[1] < batch[2] && batch[2] < 100);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn choose(generator: &mut impl Rng, n: u32, indices: &mut [u32]) -> Result<(), Error> {
    let k = count(indices)?;
    let Some(first) = n.checked_sub(k) else {
        return Err(Error::Infeasible { what: "as many distinct indices below n" });
    };
    for (length, newest) in (first..n).enumerate() {
        // newest < n, so the bound does not overflow.
        let drawn = below(generator, newest.saturating_add(1))?;
        let Some(set) = indices.get_mut(..=length) else { break };
        let Some((last, chosen)) = set.split_last_mut() else { break };
        match chosen.binary_search(&drawn) {
            Ok(_) => *last = newest,
            Err(place) => {
                *last = drawn;
                if let Some(tail) = set.get_mut(place..) {
                    tail.rotate_right(usize::from(tail.len() > 1));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Key, Script};

    #[test]
    fn an_index_drawn_twice_gives_way_to_the_newest() {
        // Draws below 4, 5, 6 of the word 2³⁰: 1, 1, 1.
        let mut indices = [0; 3];
        choose(&mut Script::new(&[1 << 30]), 6, &mut indices).unwrap();
        assert_eq!(indices, [1, 4, 5]);
        // Draws below 4, 5, 6: 3, 2, 0.
        choose(&mut Script::new(&[u32::MAX, 0x8000_0000, 1]), 6, &mut indices).unwrap();
        assert_eq!(indices, [0, 2, 3]);
    }

    #[test]
    fn all_of_them_none_of_them_and_too_many() {
        let mut stream = Key::from_seed(1).stream();
        let mut all = [0; 7];
        choose(&mut stream, 7, &mut all).unwrap();
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
        choose(&mut stream, 0, &mut []).unwrap();
        assert!(matches!(choose(&mut stream, 6, &mut all), Err(Error::Infeasible { .. })));
        let mut two = [0; 2];
        choose(&mut stream, u32::MAX, &mut two).unwrap();
        assert!(two[0] < two[1]);
    }
}
