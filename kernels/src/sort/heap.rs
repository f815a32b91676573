use crate::{Error, Real, check_length};

/// Sorts numbers, smallest first.
///
/// Shapes: x of any length n. Guarantee: x rises; equal numbers (of which only −0 and +0 can be told apart)
/// stand in unspecified but determined order; infinities are numbers. Cost: at most 2n⌈log₂n⌉ comparisons, no
/// lent memory. Source: J. W. J. Williams, Algorithm 232: Heapsort, CACM 7 (1964); R. W. Floyd, Algorithm
/// 245: Treesort 3, CACM 7 (1964), for the construction of the heap.
///
/// # Errors
/// [`Error::NonFinite`] for NaN; x is then untouched.
///
/// ```
/// let mut x = [3.0, -1.0, 2.0];
/// quern_kernels::sort::sort(&mut x)?;
/// assert_eq!(x, [-1.0, 2.0, 3.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn sort<T: Real>(x: &mut [T]) -> Result<(), Error> {
    check_ordered(x)?;
    heapsort(x, |a, b| a < b);
    Ok(())
}

/// Sorts the indices of numbers, that of the smallest number first.
///
/// Shapes: x of length n < 2³², order of length n, overwritten. Guarantee: x at the indices rises, the index
/// does among equals: the order a stable sort gives. Cost: at most 2n⌈log₂n⌉ comparisons; n indices lent.
/// Source: as [`sort`].
///
/// # Errors
/// [`Error::Dimension`]; [`Error::NonFinite`] for NaN.
///
/// ```
/// let mut order = [0; 4];
/// quern_kernels::sort::argsort(&[3.0, -1.0, 2.0, -1.0], &mut order)?;
/// assert_eq!(order, [1, 3, 2, 0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn argsort<T: Real>(x: &[T], order: &mut [u32]) -> Result<(), Error> {
    check_length("order", order.len(), x.len())?;
    check_count(x)?;
    check_ordered(x)?;
    number(order);
    heapsort(order, |a, b| {
        let (x, y) = (value(x, a), value(x, b));
        x < y || (x == y && a < b)
    });
    Ok(())
}

/// The indices of the k largest numbers, that of the largest first.
///
/// Shapes: x of length n < 2³², indices of length k ≤ n, overwritten. Guarantee: among equal numbers the
/// lowest index comes first, and is the one chosen at the cut. Cost: at most 2n⌈log₂k⌉ comparisons, n on
/// average for k ≪ n; k indices lent. Source: a heap of the best so far, as D. E. Knuth, The Art of Computer
/// Programming, volume 3, section 5.2.3.
///
/// # Errors
/// [`Error::Infeasible`] if k > n; [`Error::Dimension`] from 2³² numbers on; [`Error::NonFinite`] for NaN.
///
/// ```
/// let mut indices = [0; 2];
/// quern_kernels::sort::largest(&[1.0, 3.0, 2.0, 3.0, 3.0], &mut indices)?;
/// assert_eq!(indices, [1, 3]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn largest<T: Real>(x: &[T], indices: &mut [u32]) -> Result<(), Error> {
    if indices.len() > x.len() {
        return Err(Error::Infeasible { what: "as many distinct indices" });
    }
    check_count(x)?;
    check_ordered(x)?;
    // The heap's root is the worst of the best.
    let before = |a: u32, b: u32| {
        let (x, y) = (value(x, a), value(x, b));
        x > y || (x == y && a < b)
    };
    number(indices);
    heapify(indices, &before);
    // An equal number further on does not come before the root.
    let mut cut = indices.first().map(|&root| value(x, root));
    for (index, &number) in (0..).zip(x).skip(indices.len()) {
        if cut.is_some_and(|cut| number > cut) {
            if let Some(root) = indices.first_mut() {
                *root = index;
            }
            sift_down(indices, 0, &before);
            cut = indices.first().map(|&root| value(x, root));
        }
    }
    unheap(indices, &before);
    Ok(())
}

fn check_ordered<T: Real>(x: &[T]) -> Result<(), Error> {
    #[expect(clippy::eq_op, reason = "true of NaN alone")]
    match x.iter().position(|x| x != x) {
        None => Ok(()),
        Some(index) => Err(Error::NonFinite { what: "x", index }),
    }
}

fn check_count<T>(x: &[T]) -> Result<(), Error> {
    match u32::try_from(x.len()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Dimension { what: "x", expected: u32::MAX as usize, found: x.len() }),
    }
}

fn number(indices: &mut [u32]) {
    for (place, index) in indices.iter_mut().zip(0..) {
        *place = index;
    }
}

/// The number at an index, which is below the length.
#[inline(always)]
fn value<T: Real>(x: &[T], index: u32) -> T {
    x.get(index as usize).copied().unwrap_or(T::ZERO)
}

fn heapsort<E: Copy>(items: &mut [E], before: impl Fn(E, E) -> bool) {
    heapify(items, &before);
    unheap(items, &before);
}

/// Makes a heap: no item comes after the one above it.
fn heapify<E: Copy>(items: &mut [E], before: &impl Fn(E, E) -> bool) {
    for root in (0..items.len() / 2).rev() {
        sift_down(items, root, before);
    }
}

/// Sorts a heap: its root, the last in order, goes to the end, and what is left is a heap again.
fn unheap<E: Copy>(items: &mut [E], before: &impl Fn(E, E) -> bool) {
    let mut heap = items;
    while let Some((last, rest)) = heap.split_last_mut() {
        if let Some(root) = rest.first_mut() {
            core::mem::swap(root, last);
        }
        sift_down(rest, 0, before);
        heap = rest;
    }
}

/// Lets the item at `hole` sink until none below comes after it.
#[inline]
fn sift_down<E: Copy>(heap: &mut [E], hole: usize, before: &impl Fn(E, E) -> bool) {
    let Some(&item) = heap.get(hole) else { return };
    let mut hole = hole;
    // An index of a slice is below half of the largest usize, so that this cannot overflow.
    while let Some(&left) = heap.get(2 * hole + 1) {
        let (child, below) = match heap.get(2 * hole + 2) {
            Some(&right) if before(left, right) => (2 * hole + 2, right),
            _ => (2 * hole + 1, left),
        };
        if !before(item, below) {
            break;
        }
        if let Some(place) = heap.get_mut(hole) {
            *place = below;
        }
        hole = child;
    }
    if let Some(place) = heap.get_mut(hole) {
        *place = item;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// All sequences of up to seven of the numbers 0, 1, 2.
    fn sequences() -> impl Iterator<Item = Vec<f32>> {
        (0..8u32).flat_map(|length| {
            (0..3u32.pow(length))
                .map(move |code| (0..length).map(|i| (code / 3u32.pow(i) % 3) as f32).collect())
        })
    }

    #[test]
    fn every_short_sequence_is_sorted_as_a_stable_sort_does() {
        for x in sequences() {
            let mut expected: Vec<u32> = (0..x.len() as u32).collect();
            expected.sort_by(|&a, &b| x[a as usize].total_cmp(&x[b as usize]));
            let mut order = vec![9; x.len()];
            argsort(&x, &mut order).unwrap();
            assert_eq!(order, expected);
            let mut sorted = x.clone();
            sort(&mut sorted).unwrap();
            assert!(sorted.iter().zip(&expected).all(|(&sorted, &index)| sorted == x[index as usize]));
        }
    }

    #[test]
    fn every_number_of_largest_is_the_head_of_a_stable_sort() {
        for x in sequences() {
            let mut expected: Vec<u32> = (0..x.len() as u32).collect();
            expected.sort_by(|&a, &b| x[b as usize].total_cmp(&x[a as usize]));
            for k in 0..=x.len() {
                let mut indices = vec![9; k];
                largest(&x, &mut indices).unwrap();
                assert_eq!(indices, expected[..k]);
            }
        }
    }

    #[test]
    fn infinities_are_numbers_and_nan_is_not() {
        let mut x = [1.0, f64::INFINITY, f64::NEG_INFINITY];
        sort(&mut x).unwrap();
        assert_eq!(x, [f64::NEG_INFINITY, 1.0, f64::INFINITY]);
        let mut x = [1.0, f64::NAN];
        assert_eq!(sort(&mut x), Err(Error::NonFinite { what: "x", index: 1 }));
        assert_eq!(x[0], 1.0);
        assert!(argsort(&x, &mut [0; 2]).is_err() && largest(&x, &mut [0; 1]).is_err());
        assert!(matches!(argsort(&[1.0], &mut [0; 2]), Err(Error::Dimension { .. })));
        assert!(matches!(largest(&[1.0], &mut [0; 2]), Err(Error::Infeasible { .. })));
    }
}
