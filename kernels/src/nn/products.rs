//! The two products a layer is made of. Each entry is summed in an order that depends on the shapes alone,
//! however many entries are computed side by side.

use crate::Real;
use crate::blas::{LANES, combine, dot_unchecked};

/// Columns computed side by side: as many as the registers of a desktop hold; one on a board.
const ABREAST: usize = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) { 4 } else { 1 };

/// Rows computed side by side by [`columns`].
const TILE: usize = 8;

/// C(i, j) ← finish(i, a(:, i)ᵀ b(:, j)) for A of depth×rows and B of depth×columns, each product in the
/// order of [`dot_unchecked`]. C is rows×columns.
pub(super) fn dots<T: Real>(
    depth: usize,
    rows: usize,
    a: &[T],
    b: &[T],
    c: &mut [T],
    finish: impl Fn(usize, T) -> T,
) {
    if rows == 0 {
        return;
    }
    if depth == 0 {
        for c in c.chunks_exact_mut(rows) {
            for (i, c) in c.iter_mut().enumerate() {
                *c = finish(i, T::NEGATIVE_ZERO);
            }
        }
        return;
    }
    let mut b = b;
    let mut c = c;
    if ABREAST == 4 {
        while let Some((block, rest)) = b.split_at_checked(depth.saturating_mul(4)) {
            let Some((target, c_rest)) = core::mem::take(&mut c).split_at_mut_checked(rows.saturating_mul(4))
            else {
                return;
            };
            (b, c) = (rest, c_rest);
            let mut block = block.chunks_exact(depth);
            let mut target = target.chunks_exact_mut(rows);
            let (Some(b0), Some(b1), Some(b2), Some(b3)) =
                (block.next(), block.next(), block.next(), block.next())
            else {
                return;
            };
            let (Some(c0), Some(c1), Some(c2), Some(c3)) =
                (target.next(), target.next(), target.next(), target.next())
            else {
                return;
            };
            let targets = c0.iter_mut().zip(c1).zip(c2).zip(c3);
            for ((i, a), (((c0, c1), c2), c3)) in a.chunks_exact(depth).enumerate().zip(targets) {
                let [s0, s1, s2, s3] = four_dots(a, b0, b1, b2, b3);
                (*c0, *c1, *c2, *c3) = (finish(i, s0), finish(i, s1), finish(i, s2), finish(i, s3));
            }
        }
    }
    for (b, c) in b.chunks_exact(depth).zip(c.chunks_exact_mut(rows)) {
        for ((i, a), c) in a.chunks_exact(depth).enumerate().zip(c) {
            *c = finish(i, dot_unchecked(a, b));
        }
    }
}

/// Four inner products with one vector, each with the bits of [`dot_unchecked`].
#[inline(always)]
fn four_dots<T: Real>(a: &[T], b0: &[T], b1: &[T], b2: &[T], b3: &[T]) -> [T; 4] {
    let mut sums = [[T::NEGATIVE_ZERO; LANES]; 4];
    let (a_chunks, a_tail) = a.as_chunks::<LANES>();
    let ((b0, t0), (b1, t1)) = (b0.as_chunks::<LANES>(), b1.as_chunks::<LANES>());
    let ((b2, t2), (b3, t3)) = (b2.as_chunks::<LANES>(), b3.as_chunks::<LANES>());
    for ((((a, b0), b1), b2), b3) in a_chunks.iter().zip(b0).zip(b1).zip(b2).zip(b3) {
        for (sums, b) in sums.iter_mut().zip([b0, b1, b2, b3]) {
            for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
    }
    for (sums, tail) in sums.iter_mut().zip([t0, t1, t2, t3]) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a_tail).zip(tail) {
            *sum += a * b;
        }
    }
    sums.map(combine)
}

/// The second factor of [`columns`]: entry (k, j) stands at `k * along + j * across`.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a, T> {
    pub(super) entries: &'a [T],
    pub(super) along: usize,
    pub(super) across: usize,
}

impl<T: Real> Strided<'_, T> {
    #[inline(always)]
    fn at(&self, k: usize, j: usize) -> T {
        self.entries.get(k * self.along + j * self.across).copied().unwrap_or(T::ZERO)
    }
}

/// c(i, j) ← finish(c(i, j), Σₖ a(i, k) b(k, j)), summed in the order of k, for A of rows×depth. C is
/// rows×columns.
pub(super) fn columns<T: Real>(
    rows: usize,
    a: &[T],
    b: Strided<'_, T>,
    c: &mut [T],
    finish: impl Fn(T, T) -> T,
) {
    if rows == 0 {
        return;
    }
    let mut c = c;
    let mut j = 0;
    if ABREAST == 4 {
        let block = rows.saturating_mul(4);
        while c.len() >= block {
            let Some((block, rest)) = core::mem::take(&mut c).split_at_mut_checked(block) else { return };
            abreast::<T, 4>(rows, a, b, j, block, &finish);
            (c, j) = (rest, j + 4);
        }
    }
    for c in c.chunks_exact_mut(rows) {
        abreast::<T, 1>(rows, a, b, j, c, &finish);
        j += 1;
    }
}

/// `J` columns of [`columns`], from column `j` of B on.
#[inline(always)]
fn abreast<T: Real, const J: usize>(
    rows: usize,
    a: &[T],
    b: Strided<'_, T>,
    j: usize,
    c: &mut [T],
    finish: &impl Fn(T, T) -> T,
) {
    let mut row = 0;
    while row + TILE <= rows {
        tile::<T, J, TILE>(rows, a, b, j, row, c, finish);
        row += TILE;
    }
    while row < rows {
        tile::<T, J, 1>(rows, a, b, j, row, c, finish);
        row += 1;
    }
}

#[inline(always)]
fn tile<T: Real, const J: usize, const I: usize>(
    rows: usize,
    a: &[T],
    b: Strided<'_, T>,
    j: usize,
    row: usize,
    c: &mut [T],
    finish: &impl Fn(T, T) -> T,
) {
    let mut sums = [[T::NEGATIVE_ZERO; I]; J];
    for (k, a) in a.get(row..).unwrap_or_default().chunks(rows.max(1)).enumerate() {
        let Some(a) = a.first_chunk::<I>() else { break };
        for (offset, sums) in sums.iter_mut().enumerate() {
            let b = b.at(k, j + offset);
            for (sum, &a) in sums.iter_mut().zip(a) {
                *sum += a * b;
            }
        }
    }
    for (sums, c) in sums.iter().zip(c.chunks_mut(rows.max(1))) {
        for (&sum, c) in sums.iter().zip(c.get_mut(row..).unwrap_or_default()) {
            *c = finish(*c, sum);
        }
    }
}
