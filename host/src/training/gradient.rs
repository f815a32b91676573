use anyhow::Result;
use quern_kernels::nn::Mlp;
use quern_kernels::{Error, loss};
use rayon::prelude::*;

use super::samples::{Samples, Targets};
use crate::space::Threads;

/// Samples per unit of work. Fixed, so that sums do not depend on the number of threads.
const PART: usize = 16;

/// Parameters per unit of work when the parts' gradients are added.
const BLOCK: usize = 1 << 13;

/// The gradient of a network's loss over a batch, computed in parallel over the batch.
///
/// The batch is cut into parts of fixed size; the parts' gradients are added in their order, weighted by their
/// share of the batch. The bits do not depend on the number of threads.
pub struct BatchGradient<'a> {
    net: Mlp<'a>,
    threads: Threads,
    parts: Vec<Part>,
}

/// Memory for one part of a batch.
#[derive(Default)]
struct Part {
    inputs: Vec<f32>,
    labels: Vec<u32>,
    values: Vec<f32>,
    activations: Vec<f32>,
    gradient: Vec<f32>,
    share: f32,
}

/// How well a network answers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// The mean loss.
    pub loss: f64,
    /// The share of samples whose class was found; `None` where targets are numbers.
    pub accuracy: Option<f64>,
}

impl<'a> BatchGradient<'a> {
    /// Gradients of this network's loss.
    pub fn new(net: Mlp<'a>, threads: Threads) -> Self {
        Self { net, threads, parts: Vec::new() }
    }

    /// The mean loss of the samples with these indices, at least one, and its gradient.
    ///
    /// # Errors
    /// What the kernels refuse; [`Error::NonFinite`] above all, where training diverges.
    pub fn compute(
        &mut self,
        parameters: &[f32],
        samples: &Samples,
        batch: &[u32],
        gradient: &mut [f32],
    ) -> Result<f32, Error> {
        let Self { net, threads, parts } = self;
        let count = batch.len().div_ceil(PART);
        while parts.len() < count {
            parts.push(Part { gradient: vec![0.0; net.parameters()], ..Part::default() });
        }
        let parts = &mut parts[..count];
        let whole = batch.len() as f32;
        threads.run(|| {
            let work = parts.par_iter_mut().zip(batch.par_chunks(PART));
            let losses = work.map(|(part, indices)| part.compute(*net, parameters, samples, indices, whole));
            let losses = losses.collect::<Result<Vec<f32>, Error>>()?;
            gradient.par_chunks_mut(BLOCK).enumerate().for_each(|(index, sum)| {
                for (order, part) in parts.iter().enumerate() {
                    let entries = &part.gradient[index * BLOCK..];
                    if order == 0 {
                        sum.iter_mut().zip(entries).for_each(|(sum, g)| *sum = part.share * g);
                    } else {
                        sum.iter_mut().zip(entries).for_each(|(sum, g)| *sum += part.share * g);
                    }
                }
            });
            Ok(parts.iter().zip(losses).map(|(part, loss)| part.share * loss).sum())
        })
    }

    /// How well the network answers all samples.
    ///
    /// # Errors
    /// What the kernels refuse.
    pub fn evaluate(&self, parameters: &[f32], samples: &Samples) -> Result<Evaluation, Error> {
        let indices: Vec<u32> = (0..samples.len() as u32).collect();
        let sums = self.threads.run(|| {
            let work = indices.par_chunks(PART).map(|indices| {
                let mut part = Part::default();
                part.evaluate(self.net, parameters, samples, indices)
            });
            work.collect::<Result<Vec<_>, Error>>()
        })?;
        let whole = samples.len() as f64;
        let loss = sums.iter().map(|(loss, _)| loss).sum::<f64>() / whole;
        let hits: Option<f64> = sums.iter().map(|(_, hits)| *hits).sum();
        Ok(Evaluation { loss, accuracy: hits.map(|hits| hits / whole) })
    }
}

impl Part {
    /// Gathers the samples and evaluates the network; the number of samples.
    fn forward(
        &mut self,
        net: Mlp<'_>,
        parameters: &[f32],
        samples: &Samples,
        indices: &[u32],
    ) -> Result<usize, Error> {
        self.inputs.clear();
        self.labels.clear();
        self.values.clear();
        for &index in indices {
            self.inputs.extend_from_slice(samples.input(index as usize));
            match &samples.targets {
                Targets::Labels(labels) => self.labels.push(labels[index as usize]),
                Targets::Values(values) => self.values.push(values[index as usize]),
            }
        }
        self.activations.resize(net.activations(indices.len())?, 0.0);
        net.forward(parameters, &self.inputs, &mut self.activations)?;
        Ok(indices.len())
    }

    /// The mean loss of this part, and its gradient.
    fn compute(
        &mut self,
        net: Mlp<'_>,
        parameters: &[f32],
        samples: &Samples,
        indices: &[u32],
        whole: f32,
    ) -> Result<f32, Error> {
        let count = self.forward(net, parameters, samples, indices)?;
        self.share = count as f32 / whole;
        let outputs = net.outputs_mut(&mut self.activations, count);
        let loss = match samples.targets {
            Targets::Labels(_) => loss::cross_entropy_gradient(outputs, &self.labels)?,
            Targets::Values(_) => loss::squared_gradient(outputs, &self.values, count)?,
        };
        net.backward(parameters, &self.inputs, &mut self.activations, &mut self.gradient)?;
        Ok(loss)
    }

    /// The summed loss, and the number of hits.
    fn evaluate(
        &mut self,
        net: Mlp<'_>,
        parameters: &[f32],
        samples: &Samples,
        indices: &[u32],
    ) -> Result<(f64, Option<f64>), Error> {
        let count = self.forward(net, parameters, samples, indices)?;
        let outputs = net.outputs(&self.activations, count);
        Ok(match samples.targets {
            Targets::Labels(_) => {
                let share = f64::from(loss::accuracy(outputs, &self.labels)?);
                let loss = f64::from(loss::cross_entropy(outputs, &self.labels)?) * count as f64;
                // The share is the quotient of two counts, to single precision.
                (loss, Some((share * count as f64).round()))
            }
            Targets::Values(_) => {
                (f64::from(loss::squared(outputs, &self.values, count)?) * count as f64, None)
            }
        })
    }
}
