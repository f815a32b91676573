use super::below;
use crate::Error;
use rand_core::Rng;

/// Puts the indices into an order drawn uniformly from all.
///
/// Shapes: indices of any length n < 2³². Guarantee: every order has probability 1/n!, up to the fallback of
/// [`below`] (and up to the generator's own number of streams). Cost: n−1 draws of [`below`]. Source: R.
/// Durstenfeld, Algorithm 235: Random Permutation, CACM 7 (1964).
///
/// # Errors
/// [`Error::Dimension`] if there are 2³² indices or more.
///
/// ```
/// use quern_kernels::random::{Key, shuffle};
/// let mut deck = [3, 1, 4, 1, 5];
/// shuffle(&mut Key::from_seed(3).stream(), &mut deck)?;
/// deck.sort();
/// assert_eq!(deck, [1, 1, 3, 4, 5]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn shuffle(generator: &mut impl Rng, indices: &mut [u32]) -> Result<(), Error> {
    let length = count(indices)?;
    for open in (2..=length).rev() {
        let chosen = below(generator, open)? as usize;
        // The last of the open ones changes places with the chosen.
        if let Some((last, front)) = indices.get_mut(..open as usize).and_then(<[u32]>::split_last_mut)
            && let Some(other) = front.get_mut(chosen)
        {
            core::mem::swap(last, other);
        }
    }
    Ok(())
}

/// A uniformly drawn permutation of 0, 1, …, n−1.
///
/// Shapes: indices of length n, overwritten. Guarantee and cost: as [`shuffle`]. Source: as [`shuffle`].
///
/// # Errors
/// As [`shuffle`].
///
/// ```
/// use quern_kernels::random::{Key, permutation};
/// let mut order = [0; 5];
/// permutation(&mut Key::from_seed(3).stream(), &mut order)?;
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn permutation(generator: &mut impl Rng, indices: &mut [u32]) -> Result<(), Error> {
    for (index, value) in indices.iter_mut().zip(0..) {
        *index = value;
    }
    shuffle(generator, indices)
}

pub(super) fn count(indices: &[u32]) -> Result<u32, Error> {
    u32::try_from(indices.len()).map_err(|_| Error::Dimension {
        what: "indices",
        expected: u32::MAX as usize,
        found: indices.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Script;

    #[test]
    fn the_last_open_place_takes_the_chosen_index() {
        // The largest word chooses the last open place itself, the word 0 (once accepted) the first.
        let mut order = [0; 4];
        permutation(&mut Script::new(&[u32::MAX]), &mut order).unwrap();
        assert_eq!(order, [0, 1, 2, 3]);
        permutation(&mut Script::new(&[1]), &mut order).unwrap();
        assert_eq!(order, [1, 2, 3, 0]);
    }

    #[test]
    fn nothing_and_one_need_no_words() {
        let mut script = Script::new(&[1]);
        permutation(&mut script, &mut []).unwrap();
        let mut one = [9];
        permutation(&mut script, &mut one).unwrap();
        assert_eq!((one, script.drawn()), ([0], 0));
    }
}
