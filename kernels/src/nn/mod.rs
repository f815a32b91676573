//! Layers of small neural networks, forward and backward, on lent activations.
//!
//! [`Dense`] is one layer, [`Mlp`] a chain of them with all parameters in one slice. A batch is a matrix
//! whose columns are samples, so a sample is contiguous; a weight matrix is row-major, so the weights of a
//! unit are contiguous. The same memory read column-major is the transposed matrix, which is what the
//! products here walk. Losses stand in [`loss`](crate::loss): they replace the outputs by their gradient, and
//! the backward pass replaces the activations by theirs.

mod activation;
mod dense;
mod mlp;
mod products;

pub use activation::Activation;
pub use dense::Dense;
pub use mlp::Mlp;
