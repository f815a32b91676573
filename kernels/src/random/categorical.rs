use super::{Key, uniform, uniform_at};
use crate::{Error, Real, check_length};
use rand_core::Rng;

/// Refuses weights that are negative or not finite.
pub(super) fn check_weights<T: Real>(weights: &[T]) -> Result<(), Error> {
    crate::check_finite("weights", weights)?;
    if weights.iter().any(|&weight| weight < T::ZERO) {
        return Err(Error::Setting { name: "weights", expected: "at least 0" });
    }
    Ok(())
}

/// c_i ← w_0 + … + w_i, what [`categorical`] draws by.
///
/// Shapes: weights and sums of the same length n. Guarantee: c rises, and stays equal where a weight is zero.
/// Cost: n additions, n scalars lent. Source: none needed.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] for weights or a total that are not finite; [`Error::Setting`]
/// for a negative weight; [`Error::Infeasible`] if no weight is positive.
///
/// ```
/// use quern_kernels::random::cumulative_weights;
/// let mut sums = [0.0f32; 3];
/// cumulative_weights(&[1.0, 0.0, 3.0], &mut sums)?;
/// assert_eq!(sums, [1.0, 1.0, 4.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn cumulative_weights<T: Real>(weights: &[T], sums: &mut [T]) -> Result<(), Error> {
    check_length("sums", sums.len(), weights.len())?;
    check_weights(weights)?;
    let mut total = T::ZERO;
    for (sum, &weight) in sums.iter_mut().zip(weights) {
        total += weight;
        *sum = total;
    }
    if !total.is_finite() {
        return Err(Error::NonFinite { what: "total weight", index: weights.len() });
    }
    if total > T::ZERO { Ok(()) } else { Err(Error::Infeasible { what: "a positive weight" }) }
}

/// An index i with probability w_i/Σw, from the running sums of [`cumulative_weights`].
///
/// Shapes: sums of length n ≥ 1, rising, the last one positive and finite. Guarantee: i < n; an index of
/// weight zero is never drawn; the probability is exact up to the resolution of [`uniform`] and the rounding
/// of the sums: sums that do not rise give some index. Cost: one [`uniform`], ⌈log₂(n+1)⌉ comparisons.
/// Source: inversion of the distribution function, L. Devroye, Non-Uniform Random Variate Generation (1986),
/// section III.2.
///
/// # Errors
/// [`Error::Infeasible`] without sums, or if the last one is not positive and finite.
///
/// ```
/// use quern_kernels::random::{Script, categorical};
/// assert_eq!(categorical(&mut Script::new(&[0x4000_0000]), &[1.0f32, 1.0, 4.0]), Ok(2));
/// ```
pub fn categorical<T: Real>(generator: &mut impl Rng, sums: &[T]) -> Result<usize, Error> {
    invert(sums, uniform(generator))
}

/// [`categorical`] by entry `index` of the key's table of uniform numbers.
///
/// Shapes, guarantee, cost and source: as [`categorical`], with one [`uniform_at`].
///
/// # Errors
/// As [`categorical`].
///
/// ```
/// use quern_kernels::random::{Key, categorical_at};
/// assert_eq!(categorical_at(Key::from_seed(1), 0, &[0.0f32, 2.0]), Ok(1));
/// ```
pub fn categorical_at<T: Real>(key: Key, index: u64, sums: &[T]) -> Result<usize, Error> {
    invert(sums, uniform_at(key, index))
}

/// The first index whose sum exceeds u times the total.
fn invert<T: Real>(sums: &[T], u: T) -> Result<usize, Error> {
    let Some(&total) = sums.last().filter(|total| total.is_finite() && **total > T::ZERO) else {
        return Err(Error::Infeasible { what: "a positive weight" });
    };
    let level = u * total;
    let index = sums.partition_point(|&sum| sum <= level);
    if index < sums.len() {
        return Ok(index);
    }
    // Only a total among the subnormal numbers can round up to itself: then the last index of positive
    // weight.
    Ok(sums.partition_point(|&sum| sum < total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Script;

    #[test]
    fn each_index_owns_its_share_of_the_unit_interval() {
        let mut sums = [0.0f32; 5];
        cumulative_weights(&[0.0, 1.0, 0.0, 3.0, 0.0], &mut sums).unwrap();
        let draw = |word: u32| categorical(&mut Script::new(&[word]), &sums).unwrap();
        assert_eq!(draw(0), 1);
        assert_eq!(draw(0x3fff_ffff), 1);
        assert_eq!(draw(0x4000_0000), 3);
        assert_eq!(draw(u32::MAX), 3);
    }

    #[test]
    fn the_largest_uniform_number_never_reaches_the_total() {
        for total in [1.0f32, 1.5, 1.0 + f32::EPSILON, 2.0 - f32::EPSILON, 3e38, 1e-38, 1e-45, 3e-45] {
            let index = categorical(&mut Script::new(&[u32::MAX]), &[0.0, total, total]).unwrap();
            assert_eq!(index, 1, "{total:e}");
        }
    }

    #[test]
    fn refuses_what_is_no_distribution() {
        let mut sums = [0.0f32; 2];
        assert!(matches!(cumulative_weights(&[1.0], &mut sums), Err(Error::Dimension { .. })));
        assert!(matches!(cumulative_weights(&[1.0, -1.0], &mut sums), Err(Error::Setting { .. })));
        assert!(matches!(
            cumulative_weights(&[1.0, f32::NAN], &mut sums),
            Err(Error::NonFinite { what: "weights", index: 1 })
        ));
        assert!(matches!(cumulative_weights(&[3e38, 3e38], &mut sums), Err(Error::NonFinite { .. })));
        assert!(matches!(cumulative_weights(&[0.0, -0.0], &mut sums), Err(Error::Infeasible { .. })));
        assert!(matches!(cumulative_weights::<f32>(&[], &mut []), Err(Error::Infeasible { .. })));
        assert!(categorical::<f32>(&mut Script::new(&[]), &[]).is_err());
        assert!(categorical(&mut Script::new(&[]), &[f32::NAN]).is_err());
    }
}
