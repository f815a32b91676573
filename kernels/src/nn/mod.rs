//! Layers of small neural networks, forward and backward, on lent activations.
//!
//! [`Dense`] is one layer, [`Mlp`] a chain of them with all parameters in one slice. A batch is a matrix
//! whose columns are samples, so a sample is contiguous; a weight matrix is row-major, so the weights of a
//! unit are contiguous. The same memory read column-major is the transposed matrix, which is what the
//! products here walk. Losses stand in [`loss`](crate::loss): they replace the outputs by their gradient, and
//! the backward pass replaces the activations by theirs.
//!
//! On grids, channels of an [`Extent`] lie one after the other: [`Convolution`] with windows of 3×3 or 3×3×3
//! cells, [`Pointwise`], [`average_pool2`], [`upsample2`], and [`DirectionUnet`], a network made of them.

mod activation;
mod convolution;
mod dense;
mod direction_unet;
mod extent;
mod mlp;
mod pointwise;
mod pooling;
mod products;
mod tiles;

pub use activation::Activation;
pub use convolution::Convolution;
pub use dense::Dense;
pub use direction_unet::DirectionUnet;
pub use extent::Extent;
pub use mlp::Mlp;
pub use pointwise::Pointwise;
pub use pooling::{average_pool2, upsample2};
