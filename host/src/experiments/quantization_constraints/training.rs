//! Training of the network 64-128-128-10, free or in a box.

use anyhow::Result;
use quern_kernels::loss;
use quern_kernels::nn::{Activation, Mlp};
use quern_kernels::optim::{Adam, AdamSettings, Optimizer, projected_step};
use quern_kernels::random::{Key, permutation};

use crate::experiments::digits::{PIXELS, Samples};
use crate::training;

/// Units a layer, inputs first.
pub(super) const WIDTHS: [usize; 4] = [PIXELS, 128, 128, 10];
const BATCH: usize = 64;

/// The network's shape.
pub(super) fn network() -> Mlp<'static> {
    Mlp::new(&WIDTHS, Activation::Relu).expect("the widths are valid")
}

/// How long and how fast to train.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) epochs: usize,
    pub(super) learning_rate: f32,
}

/// Of the base model.
pub(super) const BASE_PLAN: Plan = Plan { epochs: 15, learning_rate: 2e-3 };

/// Bounds of the weights, both included; biases have none and stay.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) lower: Vec<f32>,
    pub(super) upper: Vec<f32>,
}

/// Where training starts.
pub(super) fn initial(key: Key) -> Vec<f32> {
    training::initial(&WIDTHS, Activation::Relu, key)
}

/// Minimizes the cross-entropy by Adam; within a cell only the weights move, and stay in it.
pub(super) fn train(
    parameters: &mut [f32],
    samples: &Samples,
    plan: Plan,
    key: Key,
    cell: Option<&Cell>,
) -> Result<()> {
    train_watched(parameters, samples, plan, key, cell, |_| Ok(()))
}

/// [`train`], with a look at the parameters after each epoch.
pub(super) fn train_watched(
    parameters: &mut [f32],
    samples: &Samples,
    plan: Plan,
    key: Key,
    cell: Option<&Cell>,
    mut watch: impl FnMut(&[f32]) -> Result<()>,
) -> Result<()> {
    let net = network();
    let moving = if cell.is_some() { net.weights() } else { net.parameters() };
    let settings = AdamSettings { learning_rate: plan.learning_rate, ..AdamSettings::default() };
    let mut adam = Adam::new(settings, vec![0.0; 2 * moving])?;
    let mut order = vec![0; samples.len()];
    let mut gradient = vec![0.0; net.parameters()];
    let mut activations = vec![0.0; net.activations(BATCH)?];
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for epoch in 0..plan.epochs {
        permutation(&mut key.child(epoch as u32).stream(), &mut order)?;
        for batch in order.chunks(BATCH) {
            images.clear();
            labels.clear();
            for &index in batch {
                let index = index as usize;
                images.extend_from_slice(&samples.pixels[index * PIXELS..(index + 1) * PIXELS]);
                labels.push(samples.labels[index]);
            }
            let activations = &mut activations[..net.activations(batch.len())?];
            net.forward(parameters, &images, activations)?;
            loss::cross_entropy_gradient(net.outputs_mut(activations, batch.len()), &labels)?;
            net.backward(parameters, &images, activations, &mut gradient)?;
            let (parameters, gradient) = (&mut parameters[..moving], &gradient[..moving]);
            match cell {
                None => adam.step(parameters, gradient)?,
                Some(Cell { lower, upper }) => projected_step(&mut adam, parameters, gradient, lower, upper)?,
            }
        }
        watch(parameters)?;
    }
    Ok(())
}

/// Share of samples whose label is the network's answer.
pub(super) fn accuracy(parameters: &[f32], samples: &Samples) -> Result<f64> {
    let net = network();
    let mut activations = vec![0.0; net.activations(samples.len())?];
    net.forward(parameters, &samples.pixels, &mut activations)?;
    let share = f64::from(loss::accuracy(net.outputs(&activations, samples.len()), &samples.labels)?);
    // The quotient of two counts, to double precision.
    Ok((share * samples.len() as f64).round() / samples.len() as f64)
}
