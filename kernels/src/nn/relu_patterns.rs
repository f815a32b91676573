use crate::blas::matvec;
use crate::linop::{GatedRelu, gated_features};
use crate::{Error, Real, check_finite, check_length};

/// The distinct activation patterns 1[Xhⱼ ≥ 0] of the directions h₁, …, h_P.
///
/// Shapes: X n×d, column-major; the directions one after the other, Pd numbers; `masks` gets a mask of ⌈n/32⌉ words a
/// pattern, sample k at bit k mod 32 of word ⌊k/32⌋, as [`GatedRelu`] has them. Returned is the number U ≤ P of distinct
/// patterns: they stand first in `masks`, in ascending order of their words. Guarantees: ties Xh = 0 are awake; the order
/// of the directions and their repetitions do not matter. With points in general position all directions together make
/// 2Σ_{k<r} C(n−1, k) patterns, r the rank of X. Cost: 2ndP flops and P log₂P comparisons of masks; P⌈n/32⌉ words and n
/// scalars lent. Source: M. Pilanci, T. Ergen, Neural Networks are Convex Regularizers, ICML 2020, arXiv 2002.10553,
/// section 2; the number: T. M. Cover, Geometrical and Statistical Properties of Systems of Linear Inequalities, 1965.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] if X or a direction is not finite, or a product is NaN;
/// [`Error::Capacity`] for the scratch; [`Error::Setting`] for no samples or no features.
///
/// ```
/// use quern_kernels::nn::relu_patterns;
/// let mut masks = [0; 3];
/// // Samples 1 and −1 of one feature; 2 and 3 make one pattern.
/// let distinct = relu_patterns(2, &[1.0, -1.0], &[2.0, -1.0, 3.0], &mut masks, &mut [0.0; 2])?;
/// assert_eq!((distinct, &masks[..2]), (2, &[0b01, 0b10][..]));
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn relu_patterns<T: Real>(
    samples: usize,
    inputs: &[T],
    directions: &[T],
    masks: &mut [u32],
    scratch: &mut [T],
) -> Result<usize, Error> {
    let features = gated_features(samples, inputs)?;
    let (patterns, words) = (directions.len() / features, GatedRelu::words(samples));
    check_length("directions", directions.len(), patterns.saturating_mul(features))?;
    check_length("masks", masks.len(), patterns.saturating_mul(words))?;
    check_finite("directions", directions)?;
    let available = scratch.len();
    let products = scratch.get_mut(..samples).ok_or(Error::Capacity {
        what: "scratch",
        required: samples,
        available,
    })?;
    for (mask, direction) in masks.chunks_exact_mut(words).zip(directions.chunks_exact(features)) {
        matvec(inputs, direction, products)?;
        for (word, products) in mask.iter_mut().zip(products.chunks(32)) {
            *word = 0;
            for (bit, &product) in (0_u32..32).zip(products) {
                *word |= u32::from(product >= T::ZERO) << bit;
            }
        }
        // Infinite products have a sign; those that cancel have none.
        if let Some(index) = products.iter().position(|&product| !(product >= T::ZERO || product < T::ZERO)) {
            return Err(Error::NonFinite { what: "products", index });
        }
    }
    sort(masks, words);
    Ok(deduplicate(masks, words))
}

/// Mask i.
fn mask(masks: &[u32], words: usize, index: usize) -> &[u32] {
    masks.get(index.saturating_mul(words)..).and_then(|rest| rest.get(..words)).unwrap_or_default()
}

/// Exchanges masks i < j.
fn exchange(masks: &mut [u32], words: usize, i: usize, j: usize) {
    if let Some((low, high)) = masks.split_at_mut_checked(j.saturating_mul(words))
        && let (Some(low), Some(high)) = (low.get_mut(i.saturating_mul(words)..), high.get_mut(..words))
    {
        for (low, high) in low.iter_mut().zip(high) {
            core::mem::swap(low, high);
        }
    }
}

/// Heap sort, ascending.
fn sort(masks: &mut [u32], words: usize) {
    let count = masks.len().checked_div(words).unwrap_or(0);
    let sink = |masks: &mut [u32], mut parent: usize, count: usize| {
        loop {
            let (left, right) = (2 * parent + 1, 2 * parent + 2);
            if left >= count {
                return;
            }
            let right_is_larger = right < count && mask(masks, words, right) > mask(masks, words, left);
            let child = if right_is_larger { right } else { left };
            if mask(masks, words, child) <= mask(masks, words, parent) {
                return;
            }
            exchange(masks, words, parent, child);
            parent = child;
        }
    };
    for parent in (0..count / 2).rev() {
        sink(masks, parent, count);
    }
    for last in (1..count).rev() {
        exchange(masks, words, 0, last);
        sink(masks, 0, last);
    }
}

/// Moves the distinct masks of a sorted sequence to its start; their number.
fn deduplicate(masks: &mut [u32], words: usize) -> usize {
    let count = masks.len().checked_div(words).unwrap_or(0);
    let mut kept = count.min(1);
    for index in 1..count {
        if mask(masks, words, index) != mask(masks, words, kept - 1) {
            if index != kept {
                exchange(masks, words, kept, index);
            }
            kept += 1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn masks_are_sorted_and_distinct() {
        // Two words a mask; pseudo-random words with many repetitions.
        let mut masks: Vec<u32> = (0..120_u32).map(|i| i.wrapping_mul(2_654_435_761) >> 7 & 3).collect();
        let mut expected: Vec<[u32; 2]> = masks.as_chunks().0.to_vec();
        sort(&mut masks, 2);
        expected.sort();
        assert_eq!(masks, expected.as_flattened());
        let distinct = deduplicate(&mut masks, 2);
        expected.dedup();
        assert_eq!(&masks[..2 * distinct], expected.as_flattened());
    }

    #[test]
    fn ties_are_awake_and_misuse_is_refused() {
        let mut masks = [0; 2];
        let found = relu_patterns(2, &[0.0, 1.0], &[-1.0, 0.0], &mut masks, &mut [0.0; 2]);
        assert_eq!((found, masks), (Ok(2), [0b01, 0b11]));
        let mut run = |samples, inputs: &[f64], directions: &[f64]| {
            relu_patterns(samples, inputs, directions, &mut masks, &mut [0.0; 2])
        };
        assert!(matches!(run(0, &[], &[]), Err(Error::Setting { .. })));
        assert!(matches!(run(2, &[1.0; 3], &[1.0; 2]), Err(Error::Dimension { what: "inputs", .. })));
        assert!(matches!(run(1, &[1.0; 2], &[1.0; 3]), Err(Error::Dimension { what: "directions", .. })));
        assert!(matches!(run(1, &[1.0], &[1.0]), Err(Error::Dimension { what: "masks", .. })));
        assert!(matches!(run(1, &[1.0], &[f64::NAN; 2]), Err(Error::NonFinite { .. })));
        let opposite = [f64::MAX, -f64::MAX];
        assert!(matches!(
            run(1, &opposite, &[2.0, 2.0, 2.0, 2.0]),
            Err(Error::NonFinite { what: "products", index: 0 })
        ));
        let short = relu_patterns(1, &[1.0], &[1.0; 2], &mut masks, &mut []);
        assert_eq!(short, Err(Error::Capacity { what: "scratch", required: 1, available: 0 }));
    }
}
