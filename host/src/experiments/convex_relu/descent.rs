//! Gradient descent on the network itself.

use anyhow::Result;
use quern_kernels::nn::TwoLayerRelu;
use quern_kernels::optim::{Adam, AdamSettings, Optimizer};
use quern_kernels::random::{Key, fill_normal};

/// A network and its parameters.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) shape: TwoLayerRelu,
    pub(super) parameters: Vec<f64>,
}

impl Network {
    /// Weights of variance 1/d and outer weights of variance 1/m.
    pub(super) fn new(inputs: usize, units: usize, key: Key) -> Self {
        let shape = TwoLayerRelu { inputs, units };
        let mut parameters = vec![0.0; shape.parameters()];
        fill_normal(key, 0, &mut parameters);
        let (weights, outer) = parameters.split_at_mut(inputs * units);
        weights.iter_mut().for_each(|weight| *weight /= (inputs as f64).sqrt());
        outer.iter_mut().for_each(|weight| *weight /= (units as f64).sqrt());
        Self { shape, parameters }
    }

    pub(super) fn output(&self, x: &[f64]) -> Result<f64> {
        Ok(self.shape.forward(&self.parameters, x)?)
    }

    /// Steps of Adam, the rate falling to zero, on Σ ℓ(fₖ) of inputs that may move with the network, and weight decay as a
    /// penalty ½β‖θ‖²; `slope` gives ℓ′ of a sample's output.
    pub(super) fn train(
        &mut self,
        count: usize,
        weight: f64,
        steps: usize,
        rate: f64,
        input: impl Fn(&Self, usize) -> Result<Vec<f64>>,
        slope: impl Fn(usize, f64) -> f64,
    ) -> Result<()> {
        let size = self.parameters.len();
        let mut adam =
            Adam::new(AdamSettings { learning_rate: rate, ..AdamSettings::default() }, vec![0.0; 2 * size])?;
        let (mut gradient, mut sum) = (vec![0.0; size], vec![0.0; size]);
        for step in 0..steps {
            adam.set_learning_rate(rate * (1.0 - step as f64 / steps as f64))?;
            sum.iter_mut().zip(&self.parameters).for_each(|(sum, theta)| *sum = weight * theta);
            for sample in 0..count {
                let x = input(self, sample)?;
                let (output, _) = self.shape.grad_unit(&self.parameters, &x, &mut gradient)?;
                let slope = slope(sample, output);
                if slope != 0.0 {
                    sum.iter_mut().zip(&gradient).for_each(|(sum, gradient)| *sum += slope * gradient);
                }
            }
            adam.step(&mut self.parameters, &sum)?;
        }
        Ok(())
    }
}
