//! Layers of small neural networks, forward and backward, on lent activations.
//!
//! [`Dense`] is one layer, [`Mlp`] a chain of them with all parameters in one slice. [`DiagonalLinear`] and
//! [`TwoLayerRelu`] are models of one output whose curvature is known in closed form; they give a sample's gradient
//! with an output seed of 1 (`grad_unit`), from which curvature is free. A batch is a matrix
//! whose columns are samples, so a sample is contiguous; a weight matrix is row-major, so the weights of a
//! unit are contiguous. The same memory read column-major is the transposed matrix, which is what the
//! products here walk. Losses stand in [`loss`](crate::loss): they replace the outputs by their gradient, and
//! the backward pass replaces the activations by theirs.
//!
//! [`ScalarNetwork`] has two layers and one output; [`EmpiricalRisk`] is its loss on samples, with gradients and with
//! Hessian and Gauss–Newton products written out.
//!
//! [`Attention`] is one layer of softmax attention with a fixed head, in the form whose gradient keeps its digits.
//!
//! [`relu_patterns`] lists the gates of rectified units on given samples, over which training is convex
//! ([`ConvexRelu`](crate::optim::composite::ConvexRelu)); [`recover_relu`] makes a [`TwoLayerRelu`] of what that finds.
//!
//! On grids, channels of an [`Extent`] lie one after the other: [`Convolution`] with windows of 3×3 or 3×3×3
//! cells, [`Pointwise`], [`average_pool2`], [`upsample2`], and [`DirectionUnet`], a network made of them.

mod activation;
mod attention;
mod convolution;
mod dense;
mod diagonal_linear;
mod direction_unet;
mod empirical_risk;
mod extent;
mod mlp;
mod pointwise;
mod pooling;
mod products;
mod recover_relu;
mod relu_patterns;
mod scalar_loss;
mod scalar_network;
mod tiles;
mod two_layer_relu;

pub use activation::Activation;
pub use attention::Attention;
pub use convolution::Convolution;
pub use dense::Dense;
pub use diagonal_linear::DiagonalLinear;
pub use direction_unet::DirectionUnet;
pub use empirical_risk::{Curvature, EmpiricalRisk, RiskCurvature};
pub use extent::Extent;
pub use mlp::Mlp;
pub use pointwise::Pointwise;
pub use pooling::{average_pool2, upsample2};
pub use recover_relu::recover_relu;
pub use relu_patterns::relu_patterns;
pub use scalar_loss::ScalarLoss;
pub use scalar_network::ScalarNetwork;
pub use two_layer_relu::TwoLayerRelu;
