//! Training of a network of directions on right-hand sides alone.

use anyhow::Result;
use quern_kernels::linop::LinearOperator;
use quern_kernels::loss::{direction_residual, direction_residual_gradient};
use quern_kernels::nn::DirectionUnet;
use quern_kernels::optim::{Adam, AdamSettings, Optimizer};
use quern_kernels::random::{Key, permutation};
use quern_kernels::schedule::{Decay, Schedule};
use rayon::prelude::*;

use crate::experiments::Progress;

const BATCH: usize = 10;

/// How long to train.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Right-hand sides, the tenth of them that is held out included.
    pub(super) samples: usize,
    pub(super) epochs: usize,
}

/// A trained network.
pub(super) struct Trained {
    pub(super) net: DirectionUnet,
    pub(super) parameters: Vec<f32>,
    /// Mean loss on the samples trained on and on those held out, after each epoch.
    pub(super) losses: Vec<(f64, f64)>,
}

impl Trained {
    /// Mean loss at the end on the samples held out.
    pub(super) fn validation(&self) -> f64 {
        self.losses.last().map_or(f64::NAN, |&(_, held_out)| held_out)
    }
}

/// What one sample of a batch needs.
struct Worker {
    activations: Vec<f32>,
    memory: Vec<f32>,
    direction: Vec<f32>,
    product: Vec<f32>,
    gradient: Vec<f32>,
    loss: f64,
}

impl Worker {
    fn new(net: &DirectionUnet) -> Self {
        Self {
            activations: vec![0.0; net.activations()],
            memory: vec![0.0; net.backward_scalars()],
            direction: vec![0.0; net.cells()],
            product: vec![0.0; 2 * net.cells()],
            gradient: vec![0.0; net.parameters()],
            loss: 0.0,
        }
    }

    /// Loss and gradient of one sample.
    fn run(
        &mut self,
        net: &DirectionUnet,
        operator: &impl LinearOperator<f32>,
        parameters: &[f32],
        sample: &[f32],
    ) -> Result<()> {
        let Self { activations, memory, direction, product, gradient, loss } = self;
        net.forward(parameters, sample, activations, direction)?;
        *loss = f64::from(direction_residual_gradient(operator, direction, sample, product)?);
        net.backward(parameters, sample, activations, direction, memory, gradient)?;
        Ok(())
    }
}

/// Minimizes the mean of the direction residual by Adam in batches of ten, the learning rate falling from 1e-3
/// to 2e-5 on a cosine. The batch is spread over threads, and its gradients are added in the order of the
/// batch.
pub(super) fn train(
    net: DirectionUnet,
    operator: &(impl LinearOperator<f32> + Sync),
    samples: &[f32],
    plan: Plan,
    key: Key,
    progress: &Progress,
) -> Result<Trained> {
    let n = net.cells();
    let samples: Vec<&[f32]> = samples.chunks_exact(n).collect();
    let (training, held_out) = samples.split_at(samples.len() - samples.len() / 10);
    let [start_key, order_key] = key.split();
    let mut parameters = vec![0.0; net.parameters()];
    net.initialize(start_key, &mut parameters)?;
    let settings = AdamSettings { learning_rate: 1e-3, epsilon: 1e-7, ..AdamSettings::default() };
    let mut adam = Adam::new(settings, vec![0.0; 2 * net.parameters()])?;
    let steps = (training.len().div_ceil(BATCH) * plan.epochs) as u32;
    let decay = Decay::Cosine { steps, last: 0.02 };
    let schedule = Schedule { peak: settings.learning_rate, warm_up: 0, decay };
    let mut workers: Vec<_> = (0..BATCH).map(|_| Worker::new(&net)).collect();
    let mut order = vec![0; training.len()];
    let mut gradient = vec![0.0; net.parameters()];
    let mut losses = Vec::new();
    let mut step = 0;
    progress.expect(plan.epochs);
    for epoch in 0..plan.epochs {
        permutation(&mut order_key.child(epoch as u32).stream(), &mut order)?;
        let mut sum = 0.0;
        for batch in order.chunks(BATCH) {
            workers[..batch.len()].par_iter_mut().zip(batch).try_for_each(|(worker, &index)| {
                worker.run(&net, operator, &parameters, training[index as usize])
            })?;
            gradient.fill(0.0);
            for worker in &workers[..batch.len()] {
                for (gradient, part) in gradient.iter_mut().zip(&worker.gradient) {
                    *gradient += part / batch.len() as f32;
                }
                sum += worker.loss;
            }
            adam.set_learning_rate(schedule.learning_rate(step))?;
            adam.step(&mut parameters, &gradient)?;
            step += 1;
        }
        let held_out = mean_loss(&net, operator, &parameters, held_out)?;
        losses.push((sum / training.len() as f64, held_out));
        progress.advance("training");
    }
    Ok(Trained { net, parameters, losses })
}

/// Mean loss of samples.
fn mean_loss(
    net: &DirectionUnet,
    operator: &(impl LinearOperator<f32> + Sync),
    parameters: &[f32],
    samples: &[&[f32]],
) -> Result<f64> {
    let losses = samples
        .par_iter()
        .map(|sample| {
            let (mut memory, mut direction) = (vec![0.0; net.scalars()], vec![0.0; net.cells()]);
            net.infer(parameters, sample, &mut memory, &mut direction)?;
            Ok(f64::from(direction_residual(operator, &direction, sample, &mut memory)?))
        })
        .collect::<Result<Vec<f64>>>()?;
    Ok(losses.iter().sum::<f64>() / losses.len() as f64)
}

#[cfg(test)]
mod tests {
    use quern_kernels::nn::Extent;
    use quern_kernels::pde::Poisson5;

    use super::super::data;
    use super::*;

    #[test]
    fn training_does_not_depend_on_the_number_of_threads() {
        let (side, solid) = (8, [0; 8]);
        let plan = Plan { samples: 40, epochs: 3 };
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let key = Key::from_seed(3);
                let operator = Poisson5::<f64>::new([side; 2], &solid).unwrap();
                let samples = data::samples(&operator, plan.samples, key).unwrap();
                let operator = Poisson5::<f32>::new([side; 2], &solid).unwrap();
                let net = DirectionUnet::new(Extent::Plane([side; 2]), 2, [1, 1, 1]).unwrap();
                train(net, &operator, &samples, plan, key, &Progress::silent()).unwrap()
            })
        };
        let (one, three) = (run(1), run(3));
        assert_eq!(one.parameters, three.parameters);
        assert_eq!(one.losses, three.losses);
        assert!(one.losses.len() == 3 && one.losses[2].0 < one.losses[0].0, "{:?}", one.losses);
    }
}
