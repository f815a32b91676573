//! Losses, their gradients, and classification metrics.
//!
//! Outputs are classes×samples, column-major, as the layers of [`nn`](crate::nn) leave them. A loss comes in
//! two forms: one that only evaluates, and one that also replaces the outputs by its gradient with respect to
//! them, which is what a backward pass starts from. [`squared`] needs only + − × ÷; [`cross_entropy`] is the
//! loss of a classifier; [`direction_residual`] that of a source of search directions.
//!
//! Losses of parameters, as [`optim::descent`](crate::optim::descent) minimizes them: [`LogisticRegression`] of linear
//! data, [`LogSumExp`] of affine functions, and [`PowerResidual`] of equations such as [`LinearResiduals`],
//! [`Rosenbrock`] and [`ChebyshevChain`]. Each has its Hessian and an approximation that needs no second derivatives.

mod accuracy;
mod cross_entropy;
mod direction_residual;
mod log_sum_exp;
mod logistic;
mod power_residual;
mod residuals;
mod squared;

pub use accuracy::accuracy;
pub use cross_entropy::{cross_entropy, cross_entropy_gradient};
pub use direction_residual::{direction_residual, direction_residual_gradient};
pub use log_sum_exp::LogSumExp;
pub use logistic::{LogisticRegression, logistic};
pub use power_residual::{PowerHessian, PowerResidual};
pub use residuals::{ChebyshevChain, LinearResiduals, Rosenbrock};
pub use squared::{squared, squared_gradient};

use crate::{Error, check_finite, check_length};

/// Refuses outputs that are not finite or not a whole number a sample, and labels that name no class; the
/// number of classes.
fn check_labels<T: crate::Real>(outputs: &[T], labels: &[u32]) -> Result<usize, Error> {
    if labels.is_empty() {
        return Err(Error::Setting { name: "samples", expected: "at least 1" });
    }
    let classes = outputs.len() / labels.len();
    check_length("outputs", outputs.len(), classes * labels.len())?;
    if let Some(position) = labels.iter().position(|&label| label as usize >= classes) {
        return Err(Error::Index { what: "labels", position, bound: classes });
    }
    check_finite("outputs", outputs)?;
    Ok(classes)
}
