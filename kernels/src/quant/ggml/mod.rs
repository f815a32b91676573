//! The block formats of ggml: quantizers with half-precision scales, and their blocks byte for byte.
//!
//! Each format is a [`Quantizer`](super::Quantizer), and each has a block that packs scale data and codes as
//! in a model file: `quantize` fits and packs one group, `to_bytes` and `from_bytes` translate, `codes`
//! unpacks. Source of all recipes: the functions `quantize_row_*_ref` of ggml, read without fused
//! multiply-adds. Departures: a group of weights below [`SMALLEST_SCALE`](super::SMALLEST_SCALE) gets scale
//! zero, weights whose scale is infinite in half precision are refused, and integers are saturated where the
//! reference's rounding by bit tricks wraps, which is beyond 2²².

mod block;
mod q4_0;
mod q4_1;
mod q4_k;
mod q6_k;
mod q8_0;

pub use block::{BlockQ4_0, BlockQ4_1, BlockQ4K, BlockQ6K, BlockQ8_0};
pub use q4_0::{Q4_0, Q4_0Map};
pub use q4_1::{Q4_1, Q4_1Map};
pub use q4_k::{Q4K, Q4KMap};
pub use q6_k::{Q6K, Q6KMap};
pub use q8_0::{Q8_0, Q8_0Map};

use super::{LARGEST_WEIGHT, f16};
use crate::Error;

/// 2³²: no k-quant holds weights beyond; below it no sum of the searches overflows.
const LARGEST_OF_A_SEARCH: f32 = 4_294_967_296.0;
const _: () = assert!(LARGEST_OF_A_SEARCH < LARGEST_WEIGHT);

/// The bits of a scale in half precision.
fn half(scale: f32) -> Result<u16, Error> {
    let bits = f16::from_f32(scale);
    if bits & 0x7fff < 0x7c00 { Ok(bits) } else { Err(OVERFLOW) }
}

const OVERFLOW: Error =
    Error::Setting { name: "weights", expected: "scales below 65520, for half precision" };
