//! Cells of a quantizer: the boxes of weights that quantize to the same codes and scales, to the bit.
//!
//! Fix the scale data of a part. The code map is monotone, so the weights of one code are a contiguous range
//! of floats, and [`bound`] finds its ends exactly. The scale data themselves stay under the rules of
//! [`Freeze`]. Together they make a box around the weights whose every point quantizes to the same bytes:
//! [`cells`]. Projection onto it is a clip.
//!
//! Where a search decides on the scale data no exact box is known: [`cells`] then gives the error interval,
//! and [`verify_backoff`] pulls a point back until the bytes agree.
//!
//! Source: K. Egashira, M. Vero, R. Staab, J. He, M. Vechev, "Exploiting LLM Quantization", 2024; the error
//! interval from their "Mind the Gap", 2025. Departure: the ends are exact, where the source keeps a margin,
//! which [`Ends::Margin`] offers.

mod backoff;
mod bound;
mod cells;

pub use crate::quant::Freeze;
pub use backoff::{Backoff, verify_backoff};
pub use bound::{Side, bound};
pub use cells::{CellSettings, Ends, Soundness, cells};
