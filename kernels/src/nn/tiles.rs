//! Convolutions tile by tile: a tile of 8×8 cells with its neighbours is copied to the stack once for all channels
//! that need it, and its rows are shifted and added there.

use super::Extent;
use crate::Real;
use crate::blas::{LANES, combine};

/// Cells of a tile on a side: a row of it is one sum of every lane.
const TILE: usize = LANES;
/// A tile and its neighbours.
const WINDOW: usize = TILE + 2;

/// Of one channel, in one layer.
pub(super) type Window<T> = [[T; WINDOW]; WINDOW];

/// A tile of the target: up to eight by eight cells of one layer.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    width: usize,
    height: usize,
    left: usize,
    top: usize,
    layer: usize,
}

impl Tile {
    /// Whether the tile is full in width.
    #[inline(always)]
    fn whole(&self) -> bool {
        self.width - self.left >= TILE
    }

    /// The rows of the tile in a channel, each from the tile's left end on.
    #[inline(always)]
    fn rows_mut<'a, T>(&self, channel: &'a mut [T]) -> impl Iterator<Item = &'a mut [T]> + use<'a, T> {
        let Self { width, height, left, top, layer } = *self;
        let first = (layer * height + top) * width;
        let rows = (height - top).min(TILE);
        let rows = channel.get_mut(first..first + rows * width).unwrap_or_default();
        rows.chunks_exact_mut(width).filter_map(move |row| row.get_mut(left..))
    }

    /// The tile's cells, zero where it is not full.
    #[inline(always)]
    pub(super) fn cut<T: Real>(&self, channel: &[T]) -> [[T; TILE]; TILE] {
        let Self { width, height, left, top, layer } = *self;
        let rows = channel.get((layer * height + top) * width..).unwrap_or_default();
        let mut cut = [[T::ZERO; TILE]; TILE];
        for (cut, row) in cut.iter_mut().zip(rows.chunks_exact(width)).take(height - top) {
            copy_lanes(row.get(left..).unwrap_or_default(), cut);
        }
        cut
    }

    /// The tile's cells with their neighbours, in a layer of a channel; zeros beyond the rim.
    #[inline(always)]
    fn window<T: Real>(&self, channel: &[T], layer: usize) -> Window<T> {
        let Self { width, height, left, top, .. } = *self;
        let mut window = [[T::ZERO; WINDOW]; WINDOW];
        let rows = channel.get(layer * height * width..(layer + 1) * height * width).unwrap_or_default();
        let (skip_rows, skip_lines) = if top == 0 { (0, 1) } else { (top - 1, 0) };
        let rows = rows.get(skip_rows * width..).unwrap_or_default();
        for (line, row) in window.iter_mut().skip(skip_lines).zip(rows.chunks_exact(width)) {
            let [first, middle @ .., last] = line;
            if let Some(&before) = left.checked_sub(1).and_then(|before| row.get(before)) {
                *first = before;
            }
            copy_lanes(row.get(left..).unwrap_or_default(), middle);
            if let Some(&behind) = row.get(left + TILE) {
                *last = behind;
            }
        }
        window
    }
}

/// The first eight entries, or as many as there are.
#[inline(always)]
fn copy_lanes<T: Real>(from: &[T], to: &mut [T; TILE]) {
    match from.first_chunk::<TILE>() {
        Some(from) => *to = *from,
        None => {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = from;
            }
        }
    }
}

/// Calls `visit` with every tile, channel, layer of the windows, and the window of that channel and layer.
#[inline(always)]
pub(super) fn each_window<T: Real>(
    extent: Extent,
    source: &[T],
    mut visit: impl FnMut(Tile, usize, usize, &Window<T>),
) {
    let ([width, height, depth], cells) = (extent.sides(), extent.cells());
    // Without a channel there is no memory that bounds the sides.
    if cells == 0 || source.is_empty() {
        return;
    }
    for layer in 0..depth {
        for top in (0..height).step_by(TILE) {
            for left in (0..width).step_by(TILE) {
                let tile = Tile { width, height, left, top, layer };
                for (input, channel) in source.chunks_exact(cells).enumerate() {
                    for shift in 0..extent.layers() {
                        let Some(from) = (layer + shift).checked_sub(extent.layers() / 2) else { continue };
                        if from < depth {
                            visit(tile, input, shift, &tile.window(channel, from));
                        }
                    }
                }
            }
        }
    }
}

/// Adds to every target channel the windows of every source channel weighted by `taps(target, source,
/// layer)`.
#[inline(always)]
pub(super) fn convolve<T: Real>(
    extent: Extent,
    source: &[T],
    target: &mut [T],
    taps: impl Fn(usize, usize, usize) -> [T; 9],
) {
    let cells = extent.cells();
    each_window(extent, source, |tile, input, layer, window| {
        for (output, channel) in target.chunks_exact_mut(cells.max(1)).enumerate() {
            let taps = taps(output, input, layer);
            let lines = window.iter().zip(window.iter().skip(1)).zip(window.iter().skip(2));
            if tile.whole() {
                for (row, ((above, here), below)) in tile.rows_mut(channel).zip(lines) {
                    if let Some(sums) = row.first_chunk_mut::<TILE>() {
                        shift_and_add(sums, [above, here, below], &taps);
                    }
                }
            } else {
                for (row, ((above, here), below)) in tile.rows_mut(channel).zip(lines) {
                    let mut sums = [T::ZERO; TILE];
                    copy_lanes(row, &mut sums);
                    shift_and_add(&mut sums, [above, here, below], &taps);
                    for (row, sum) in row.iter_mut().zip(sums) {
                        *row = sum;
                    }
                }
            }
        }
    });
}

/// sums(x) ← sums(x) + Σₜ taps(t) lines(x + t), nine products in order.
#[inline(always)]
fn shift_and_add<T: Real>(sums: &mut [T; TILE], lines: [&[T; WINDOW]; 3], taps: &[T; 9]) {
    let (triples, _) = taps.as_chunks::<3>();
    let mut total = *sums;
    for (line, &[left, middle, right]) in lines.into_iter().zip(triples) {
        let shifted = line.iter().zip(line.iter().skip(1)).zip(line.iter().skip(2));
        for (total, ((&before, &here), &behind)) in total.iter_mut().zip(shifted) {
            *total = *total + left * before + middle * here + right * behind;
        }
    }
    *sums = total;
}

/// gradient(t) ← gradient(t) + Σₓ delta(x) window(x + t) over the cells of a tile.
#[inline(always)]
pub(super) fn correlate<T: Real>(window: &Window<T>, delta: &[[T; TILE]; TILE], gradient: &mut [T; 9]) {
    let (triples, _) = gradient.as_chunks_mut::<3>();
    for (shift, [left, middle, right]) in triples.iter_mut().enumerate() {
        let mut sums = [[T::NEGATIVE_ZERO; TILE]; 3];
        for (line, delta) in window.iter().skip(shift).zip(delta) {
            let [before, here, behind] = &mut sums;
            for (sum, (&delta, &line)) in before.iter_mut().zip(delta.iter().zip(line)) {
                *sum += delta * line;
            }
            for (sum, (&delta, &line)) in here.iter_mut().zip(delta.iter().zip(line.iter().skip(1))) {
                *sum += delta * line;
            }
            for (sum, (&delta, &line)) in behind.iter_mut().zip(delta.iter().zip(line.iter().skip(2))) {
                *sum += delta * line;
            }
        }
        let [before, here, behind] = sums.map(combine);
        *left += before;
        *middle += here;
        *right += behind;
    }
}
