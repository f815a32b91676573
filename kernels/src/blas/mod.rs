//! Vector and dense-matrix primitives on slices, with one fixed order of summation.
//!
//! A reduction keeps eight interleaved partial sums (entry i goes to sum i mod 8) and combines them in a
//! fixed tree, so that the desktop's compiler vectorizes what the board unrolls, and the bits agree. A
//! product Ax adds the columns in their natural order, for every row on its own, with a tile of rows' sums in
//! registers: again the same bits whatever the width of the tile or of the machine's vectors.
//!
//! Matrices are column-major: entry (i, j) of an m×n matrix stands at `i + j * m`. Shapes follow from the
//! lengths of vectors where they can, and are arguments where they cannot; they are checked once, on entry.
//! The functions whose names end in `_fixed` take shapes from types, check nothing, and give the same bits as
//! their counterparts on slices.
//!
//! | task | functions |
//! |---|---|
//! | vectors | [`dot`], [`dot_compensated`], [`sum`], [`axpy`], [`xpby`], [`scale`], [`copy`], [`swap`] |
//! | sizes | [`norm1`], [`norm2`], [`norm_infinity`], [`index_of_largest`] |
//! | matrix times vector | [`matvec`], [`gemv`], [`gemv_transposed`], [`matvec_fixed`], [`gemv_fixed`], [`gemv_transposed_fixed`], [`symv`] |
//! | rank one | [`ger`] |
//! | matrix times matrix | [`gemm`], [`gemm_transposed_left`], [`gemm_transposed_right`] |
//! | triangular systems | [`solve_lower`], [`solve_lower_transposed`], [`solve_upper`], [`solve_upper_transposed`] |
//!
//! These are building blocks for kernels that look at their inputs themselves: NaN and infinity go through
//! them as IEEE arithmetic has it. Only the triangular solves, which divide, refuse a diagonal they cannot
//! divide by.

mod axpy;
mod compensated;
mod copy;
mod dot;
mod gemm;
mod gemv;
mod ger;
mod gram;
mod norm;
mod scale;
mod sum;
mod symv;
mod triangular;

pub use axpy::{axpy, xpby};
pub use compensated::dot_compensated;
pub use copy::{copy, swap};
pub use dot::dot;
pub use gemm::{gemm, gemm_transposed_left, gemm_transposed_right};
pub use gemv::{gemv, gemv_fixed, gemv_transposed, gemv_transposed_fixed, matvec, matvec_fixed};
pub use ger::ger;
pub use norm::{index_of_largest, norm_infinity, norm1, norm2};
pub use scale::scale;
pub use sum::sum;
pub use symv::symv;
pub use triangular::{Diagonal, solve_lower, solve_lower_transposed, solve_upper, solve_upper_transposed};

pub(crate) use axpy::axpy_unchecked;
pub(crate) use gram::weighted_gram;
pub(crate) use triangular::{check_right_hand_sides, each, lower, lower_transposed};

use crate::{Error, check_length};

/// Refuses a matrix that has not rows·columns entries.
#[inline]
pub(crate) fn check_matrix(
    what: &'static str,
    found: usize,
    rows: usize,
    columns: usize,
) -> Result<(), Error> {
    check_length(what, found, rows.saturating_mul(columns))
}
pub(crate) use dot::{LANES, combine, dot_unchecked};
