//! Quantizers, and the audit of quantized models.
//!
//! A quantizer splits the row-major weights into groups. For each group it first fits the stored scale data,
//! then maps every weight to a code by a rule that, the scale data being fixed, is monotone in the weight.
//!
//! | scheme | group | code | stored scale data |
//! |---|---|---|---|
//! | [`AbsmaxInt`], b = 2..8 bits | a row | two's complement | a = max\|w\| |
//! | [`Nf4`], [`Fp4`] | 64 | 4 bits | a |
//! | [`AsymU8`] | a row | 8 bits | s and the zero point |
//! | [`ggml::Q8_0`] | 32 | two's complement | d in half precision |
//! | [`ggml::Q4_0`] | 32 | 4 bits | d in half precision |
//! | [`ggml::Q4_1`] | 32 | 4 bits | d and m in half precision |
//! | [`ggml::Q4K`] | 256, in 8 parts of 32 | 4 bits | d, dmin in half precision; two 6-bit numbers a part |
//! | [`ggml::Q6K`] | 256, in 16 parts of 16 | 6 bits, 32 + value | d in half precision; one signed byte a part |
//!
//! All implement [`Quantizer`]; [`Scheme`] chooses one at run time and works on whole arrays. Codes are one
//! byte a weight, in weight order; scales are one row a *part* (a group where a group has no parts) of one or
//! two `f32`. [`ggml`] also packs and unpacks the blocks of model files, byte for byte.
//!
//! # Range
//! Weights that are not finite, or larger than [`LARGEST_WEIGHT`] in magnitude, are refused, and so are
//! weights whose scale half precision cannot hold. A group whose weights all lie below [`SMALLEST_SCALE`]
//! gets scale 0 and the code of zero: 1/a would overflow there, and the references then disagree with each
//! other.

mod absmax_int;
mod asym_u8;
pub mod audit;
pub mod f16;
mod fp4;
pub mod ggml;
mod nf4;
mod noise;
mod quantizer;
mod rule;
mod scheme;

pub use absmax_int::{AbsmaxInt, AbsmaxIntMap};
pub use asym_u8::{AsymU8, AsymU8Map};
pub use fp4::{Fp4, Fp4Map};
pub use nf4::{Nf4, Nf4Map};
pub use noise::noise_defend;
pub use quantizer::{CodeMap, Freeze, LARGEST_WEIGHT, Quantizer, SMALLEST_SCALE};
pub(crate) use quantizer::{first_magnitude, magnitude};
pub use rule::Rule;
pub use scheme::Scheme;
pub(crate) use scheme::{dispatch, groups, offset_index};
