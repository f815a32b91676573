//! Vector and dense-matrix primitives on slices, with one fixed order of summation.
//!
//! A reduction keeps eight interleaved partial sums (entry i goes to sum i mod 8) and combines them in a fixed tree, so
//! that the desktop's compiler vectorizes what the board unrolls, and the bits agree.

mod dot;

pub use dot::dot;
pub(crate) use dot::{LANES, combine, dot_unchecked};
