//! Half the resolution by means, and back by copies.

use super::Extent;
use super::dense::product;
use crate::{Error, Real, check_finite, check_length};

/// Halves every side of every channel: a cell becomes the mean of the 2×2 (or 2×2×2) cells it covers.
///
/// Shapes: `extent` is that of the inputs, all its sides even; inputs are n×channels, outputs n/4×channels
/// (n/8×channels in three dimensions), channel after channel. Guarantees: pairs in a row are added first,
/// then the rows in order; with P this map and U [`upsample2`], P = Uᵀ/4 (Uᵀ/8). Cost: n flops a channel, no
/// lent memory.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Setting`] for an odd side; [`Error::NonFinite`] if the inputs are not
/// finite, or their sums overflow.
///
/// ```
/// use quern_kernels::nn::{Extent, average_pool2};
/// let mut pooled = [0.0];
/// average_pool2(Extent::Plane([2, 2]), &[1.0, 2.0, 3.0, 6.0], &mut pooled)?;
/// assert_eq!(pooled, [3.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn average_pool2<T: Real>(extent: Extent, inputs: &[T], outputs: &mut [T]) -> Result<(), Error> {
    check(extent, "inputs", inputs.len(), "outputs", outputs.len())?;
    check_finite("inputs", inputs)?;
    sum_pool(extent, inputs, T::ONE / T::from_usize(extent.pooled()), outputs);
    check_finite("outputs", outputs)
}

/// Doubles every side of every channel: each cell is copied to the 2×2 (or 2×2×2) cells that cover it.
///
/// Shapes: `extent` is that of the outputs, all its sides even; inputs and outputs as those of
/// [`average_pool2`], exchanged. Cost: no flops, no lent memory.
///
/// # Errors
/// [`Error::Dimension`]; [`Error::Setting`] for an odd side; [`Error::NonFinite`].
///
/// ```
/// use quern_kernels::nn::{Extent, upsample2};
/// let mut fine = [0.0; 8];
/// upsample2(Extent::Plane([4, 2]), &[1.0, 2.0], &mut fine)?;
/// assert_eq!(fine, [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
/// # Ok::<(), quern_kernels::Error>(())
/// ```
pub fn upsample2<T: Real>(extent: Extent, inputs: &[T], outputs: &mut [T]) -> Result<(), Error> {
    check(extent, "outputs", outputs.len(), "inputs", inputs.len())?;
    check_finite("inputs", inputs)?;
    spread(extent, inputs, outputs, |_, value| value);
    Ok(())
}

fn check(
    extent: Extent,
    fine_name: &'static str,
    fine: usize,
    coarse_name: &'static str,
    coarse: usize,
) -> Result<(), Error> {
    let half = extent.halved().ok_or(Error::Setting { name: "extent", expected: "even sides" })?;
    let channels = fine / product(extent.cells(), 1)?.max(1);
    check_length(fine_name, fine, product(channels, extent.cells())?)?;
    check_length(coarse_name, coarse, product(channels, half.cells())?)
}

/// Each output is `scale` times the sum of the cells it covers.
pub(super) fn sum_pool<T: Real>(extent: Extent, inputs: &[T], scale: T, outputs: &mut [T]) {
    let [width, height, _] = extent.sides();
    outputs.fill(T::NEGATIVE_ZERO);
    let half = width / 2;
    if half == 0 {
        return;
    }
    for (number, row) in inputs.chunks_exact(width.max(1)).enumerate() {
        let pairs = row.as_chunks::<2>().0;
        for (output, &[even, odd]) in outputs.iter_mut().skip(below(extent, height, number) * half).zip(pairs)
        {
            *output += even + odd;
        }
    }
    for output in outputs {
        *output *= scale;
    }
}

/// Each output becomes `put(output, value of the cell that covers it)`.
pub(super) fn spread<T: Real>(extent: Extent, inputs: &[T], outputs: &mut [T], put: impl Fn(T, T) -> T) {
    let [width, height, _] = extent.sides();
    let half = width / 2;
    if half == 0 {
        return;
    }
    for (number, row) in outputs.chunks_exact_mut(width.max(1)).enumerate() {
        let values = inputs.get(below(extent, height, number) * half..).unwrap_or_default();
        for ([even, odd], &value) in row.as_chunks_mut::<2>().0.iter_mut().zip(values) {
            *even = put(*even, value);
            *odd = put(*odd, value);
        }
    }
}

/// The row of half the resolution that covers a row, rows numbered through all layers and channels.
#[inline(always)]
fn below(extent: Extent, height: usize, row: usize) -> usize {
    let height = height.max(1);
    let (layer, row) = (row / height, row % height);
    // A channel's depth is even, so that layers pair up within channels.
    let layer = if extent.layers() == 1 { layer } else { layer / 2 };
    layer * (height / 2) + row / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_halved_in_depth_as_well() {
        let extent = Extent::Volume([2, 2, 4]);
        let fine: [f64; 32] = core::array::from_fn(|i| i as f64);
        let mut coarse = [0.0; 4];
        average_pool2(extent, &fine, &mut coarse).unwrap();
        // Eight consecutive numbers each.
        assert_eq!(coarse, [3.5, 11.5, 19.5, 27.5]);
        let mut back = [0.0; 32];
        upsample2(extent, &coarse, &mut back).unwrap();
        assert!(back.chunks(8).zip(coarse).all(|(eight, value)| eight.iter().all(|&x| x == value)));
    }

    #[test]
    fn misuse_is_refused() {
        let odd = Extent::Plane([2, 3]);
        assert!(matches!(average_pool2(odd, &[0.0; 6], &mut [0.0; 2]), Err(Error::Setting { .. })));
        let even = Extent::Plane([2, 2]);
        let dimension = |what, expected, found| Err(Error::Dimension { what, expected, found });
        assert_eq!(average_pool2(even, &[0.0; 5], &mut [0.0]), dimension("inputs", 4, 5));
        assert_eq!(average_pool2(even, &[0.0; 4], &mut [0.0; 2]), dimension("outputs", 1, 2));
        assert_eq!(upsample2(even, &[0.0; 2], &mut [0.0; 4]), dimension("inputs", 1, 2));
        assert!(matches!(upsample2(even, &[f32::NAN], &mut [0.0; 4]), Err(Error::NonFinite { .. })));
        assert!(matches!(average_pool2(even, &[f32::MAX; 4], &mut [0.0]), Err(Error::NonFinite { .. })));
        // A side of zero is even: nothing to do.
        assert_eq!(average_pool2::<f32>(Extent::Plane([0, 2]), &[], &mut []), Ok(()));
    }
}
