//! Orders of numbers: sorting and selection in place.
//!
//! All by binary heaps: no recursion, no memory beside what is sorted, n log n comparisons at worst. Equal
//! numbers keep the order of their indices, so that every result is determined; the two zeros are equal. NaN
//! is refused.
//!
//! - [`sort`] the numbers themselves · [`argsort`] their indices, the numbers untouched · [`largest`] the
//!   indices of the k largest, without sorting the rest.

mod heap;

pub use heap::{argsort, largest, sort};
