//! Training of networks on a desktop, with the layers that run on a board.
//!
//! [`Samples`] come from a table, are split by [`Samples::split`], and a [`Trainer`] goes through them epoch by
//! epoch: batches in random order, gradients in parallel over the batch, any optimizer of the kernels under any
//! schedule. Results do not depend on the number of threads.

mod breast_cancer;
mod export;
mod gradient;
mod guard;
mod samples;
mod scaling;
mod table;
mod trainer;

pub use breast_cancer::BreastCancer;
pub use export::rust_source;
pub use gradient::{BatchGradient, Evaluation};
pub use guard::Stability;
pub use samples::{Samples, Targets};
pub use scaling::Scaling;
pub use table::{Column, Table};
pub use trainer::{Clip, Epoch, Method, Settings, Trainer};

use quern_kernels::nn::Activation;
use quern_kernels::random::{Key, fill_normal};

/// scikit-learn's digits, 64 pixels from 0 to 16 and a class from 0 to 9 a line, packed by gzip; see
/// `host/data/README.md`.
pub const DIGITS: &[u8] = include_bytes!("../../data/digits.csv.gz");

/// Weights normal with variance 2/inputs of their layer where ReLU follows, 1/inputs elsewhere; biases zero.
///
/// Laid out as [`Mlp`](quern_kernels::nn::Mlp) has them. Source: K. He et al., Delving deep into rectifiers, 2015,
/// equation (10); Y. LeCun et al., Efficient BackProp, 1998, section 4.6.
pub fn initial(widths: &[usize], hidden: Activation, key: Key) -> Vec<f32> {
    let gain: f32 = if hidden == Activation::Relu { 2.0 } else { 1.0 };
    let mut parameters = Vec::new();
    for layer in widths.windows(2) {
        let start = parameters.len();
        parameters.resize(start + layer[0] * layer[1], 0.0);
        let weights = &mut parameters[start..];
        fill_normal(key, start as u64, weights);
        let deviation = (gain / layer[0] as f32).sqrt();
        for weight in weights {
            *weight *= deviation;
        }
    }
    let biases: usize = widths.iter().skip(1).sum();
    parameters.resize(parameters.len() + biases, 0.0);
    parameters
}
