use super::categorical::check_weights;
use super::{below, uniform};
use crate::{Error, Real, check_length};
use rand_core::Rng;

/// A distribution on n indices from which drawing costs the same for every n.
///
/// Column i of the table keeps index i with probability `share[i]` and gives its `alias[i]` otherwise; a draw
/// picks a column uniformly. Shapes: share and alias of length n. Guarantee: the probability of an index is
/// w_i/Σw up to (n+4)u; an index of weight zero is never drawn. Cost: n scalars and n indices of lent memory,
/// beside n indices during the construction. Source: M. D. Vose, A Linear Algorithm for Generating Random
/// Numbers with a Given Distribution, IEEE TSE 17 (1991), function init.
///
/// ```
/// use quern_kernels::random::{AliasTable, Key};
/// let (mut share, mut alias, mut queue) = ([0.0f32; 3], [0; 3], [0; 3]);
/// let table = AliasTable::build(&[1.0, 0.0, 3.0], &mut share, &mut alias, &mut queue)?;
/// let mut stream = Key::from_seed(3).stream();
/// assert_ne!(table.draw(&mut stream), Ok(1));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AliasTable<'a, T> {
    share: &'a [T],
    alias: &'a [u32],
}

impl<'a, T: Real> AliasTable<'a, T> {
    /// The table of the weights. Shapes: everything of length n ≥ 1. Cost: 5n flops.
    ///
    /// # Errors
    /// [`Error::Dimension`]; [`Error::NonFinite`] for weights or a total that are not finite;
    /// [`Error::Setting`] for a negative weight; [`Error::Infeasible`] if no weight is positive.
    pub fn build(
        weights: &[T],
        share: &'a mut [T],
        alias: &'a mut [u32],
        queue: &mut [u32],
    ) -> Result<Self, Error> {
        check_length("share", share.len(), weights.len())?;
        check_length("alias", alias.len(), weights.len())?;
        check_length("queue", queue.len(), weights.len())?;
        check_weights(weights)?;
        let total = weights.iter().fold(T::ZERO, |total, &weight| total + weight);
        if !total.is_finite() {
            return Err(Error::NonFinite { what: "total weight", index: weights.len() });
        }
        if total <= T::ZERO {
            return Err(Error::Infeasible { what: "a positive weight" });
        }
        let columns = T::from_usize(weights.len());
        for ((share, alias), (&weight, index)) in
            share.iter_mut().zip(alias.iter_mut()).zip(weights.iter().zip(0..))
        {
            *share = weight / total * columns;
            *alias = index;
        }
        pair_columns(share, alias, queue);
        Ok(Self { share, alias })
    }

    /// An index. Cost: one draw of [`below`] and one [`uniform`].
    ///
    /// # Errors
    /// None for a table that was built.
    pub fn draw(&self, generator: &mut impl Rng) -> Result<usize, Error> {
        let column = below(generator, u32::try_from(self.share.len()).unwrap_or(u32::MAX))?;
        let keeps = self.share.get(column as usize).is_some_and(|&share| uniform::<T>(generator) < share);
        let index = if keeps { column } else { self.alias.get(column as usize).copied().unwrap_or(column) };
        Ok(index as usize)
    }
}

/// Fills every column of share below 1 up from one above 1: the small columns wait at the front of the queue,
/// the large ones at its back.
fn pair_columns<T: Real>(share: &mut [T], alias: &mut [u32], queue: &mut [u32]) {
    let (mut small, mut large) = (0, queue.len());
    let mut heaviest = 0;
    let mut heaviest_share = T::NEGATIVE_ZERO;
    for (&share, index) in share.iter().zip(0..) {
        let place = if share < T::ONE {
            small += 1;
            small - 1
        } else {
            large -= 1;
            large
        };
        if let Some(entry) = queue.get_mut(place) {
            *entry = index;
        }
        if share > heaviest_share {
            (heaviest, heaviest_share) = (index, share);
        }
    }
    // One column is settled in each turn.
    while small > 0 {
        let Some(&needy) = queue.get(small - 1) else { break };
        let Some(&donor) = queue.get(large) else {
            // Rounding ate the last donor: what is left of these columns goes to the heaviest index, unless
            // they are full but for rounding.
            small -= 1;
            if let (Some(share), Some(alias)) = (share.get_mut(needy as usize), alias.get_mut(needy as usize))
            {
                if *share > T::ZERO { *share = T::ONE } else { *alias = heaviest }
            }
            continue;
        };
        small -= 1;
        if let Some(alias) = alias.get_mut(needy as usize) {
            *alias = donor;
        }
        let missing = share.get(needy as usize).map_or(T::ZERO, |&share| T::ONE - share);
        if let Some(rest) = share.get_mut(donor as usize) {
            *rest -= missing;
            if *rest < T::ONE {
                // The donor has become a small column itself: it moves over.
                large += 1;
                if let Some(entry) = queue.get_mut(small) {
                    *entry = donor;
                }
                small += 1;
            }
        }
    }
    // Donors that are left are full.
    for &full in queue.get(large..).unwrap_or_default() {
        if let Some(share) = share.get_mut(full as usize) {
            *share = T::ONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// The probabilities a table stands for.
    fn probabilities(weights: &[f64]) -> Vec<f64> {
        let n = weights.len();
        let (mut share, mut alias, mut queue) = (vec![0.0; n], vec![0; n], vec![0; n]);
        let table = AliasTable::build(weights, &mut share, &mut alias, &mut queue).unwrap();
        let mut probabilities = vec![0.0; n];
        for (i, (&share, &alias)) in table.share.iter().zip(table.alias).enumerate() {
            assert!((0.0..=1.0).contains(&share));
            probabilities[i] += share / n as f64;
            probabilities[alias as usize] += (1.0 - share) / n as f64;
        }
        probabilities
    }

    #[test]
    fn the_table_adds_up_to_the_weights() {
        let spread: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 101) * f64::from(i % 7)).collect();
        let powers: Vec<f64> = (0..60).map(|i| libm::exp2(f64::from(-i))).collect();
        for weights in [
            vec![1.0],
            vec![1.0; 7],
            vec![0.0, 0.0, 5.0],
            vec![1.0, 2.0, 3.0, 4.0],
            vec![0.1, 0.1, 0.8],
            spread,
            powers,
        ] {
            let total: f64 = weights.iter().sum();
            for (found, weight) in probabilities(&weights).into_iter().zip(&weights) {
                let bound = (weights.len() as f64 + 4.0) * f64::EPSILON / 2.0;
                assert!((found - weight / total).abs() <= bound, "{found} {weight}");
                assert!(*weight > 0.0 || found == 0.0);
            }
        }
    }

    #[test]
    fn refuses_what_is_no_distribution() {
        let build = |weights: &[f32]| {
            let n = weights.len();
            let (mut share, mut alias, mut queue) = (vec![0.0; n], vec![0; n], vec![0; n]);
            AliasTable::build(weights, &mut share, &mut alias, &mut queue).map(|_| ())
        };
        assert!(matches!(build(&[]), Err(Error::Infeasible { .. })));
        assert!(matches!(build(&[0.0]), Err(Error::Infeasible { .. })));
        assert!(matches!(build(&[-1.0, 2.0]), Err(Error::Setting { .. })));
        assert!(matches!(build(&[f32::INFINITY]), Err(Error::NonFinite { .. })));
        assert!(matches!(build(&[3e38, 3e38]), Err(Error::NonFinite { .. })));
        let (mut share, mut alias) = ([0.0f32; 2], [0; 1]);
        assert!(AliasTable::build(&[1.0, 1.0], &mut share, &mut alias, &mut [0; 2]).is_err());
    }
}
