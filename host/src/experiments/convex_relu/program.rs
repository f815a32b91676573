//! The convex program on samples and gates, and its certified least value.

use anyhow::Result;
use quern_firmware::generators::ReluTeacher;
use quern_firmware::instances::convex_relu::network_objective;
use quern_kernels::linop::{GatedRelu, LinearOperator};
use quern_kernels::nn::{recover_relu, relu_patterns};
use quern_kernels::optim::composite::{Admm, AdmmSettings, ConvexRelu};
use quern_kernels::random::{Key, fill_normal};

/// β, of the sum of squares.
pub(super) const WEIGHT: f64 = 0.1;

/// Samples of a teacher: X by columns, d = 3, and y.
pub(super) struct Samples {
    pub(super) inputs: Vec<f64>,
    pub(super) targets: Vec<f64>,
}

pub(super) const FEATURES: usize = ReluTeacher::FEATURES;

impl Samples {
    pub(super) fn of_teacher(key: Key, count: usize) -> Self {
        let (mut inputs, mut targets) = (vec![0.0; FEATURES * count], vec![0.0; count]);
        ReluTeacher::new(key).fill(&mut inputs, &mut targets);
        Self { inputs, targets }
    }

    pub(super) fn count(&self) -> usize {
        self.targets.len()
    }

    /// A sample.
    pub(super) fn row(&self, sample: usize) -> [f64; FEATURES] {
        std::array::from_fn(|j| self.inputs[sample + j * self.count()])
    }
}

/// The distinct patterns of so many normal directions.
pub(super) fn sampled(samples: usize, inputs: &[f64], count: usize, key: Key) -> Result<Vec<u32>> {
    let mut directions = vec![0.0; inputs.len() / samples * count];
    fill_normal(key, 0, &mut directions);
    let words = GatedRelu::words(samples);
    let mut masks = vec![0; count * words];
    let distinct = relu_patterns(samples, inputs, &directions, &mut masks, &mut vec![0.0; samples])?;
    masks.truncate(distinct * words);
    Ok(masks)
}

/// What a run of ADMM ends with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    /// Of the network that is read off: an upper bound of the least value, if its gates are those of the program.
    pub(super) network: f64,
    /// Of the program's variables, which may be outside of their gates.
    pub(super) objective: f64,
    /// A lower bound of the least value.
    pub(super) bound: f64,
    pub(super) violation: f64,
    pub(super) iterations: usize,
}

impl Outcome {
    /// How far apart the two bounds are, relative to the value.
    pub(super) fn gap(&self) -> f64 {
        (self.network.max(self.objective) - self.bound) / self.bound.abs().max(1e-12)
    }
}

/// A program that is being solved.
pub(super) struct Solver<'a> {
    samples: &'a Samples,
    gates: GatedRelu<'a, f64>,
    penalty: f64,
    problem: ConvexRelu<'a, f64, Vec<f64>, Vec<f64>>,
    admm: Admm<f64, Vec<f64>>,
    iterations: usize,
}

impl<'a> Solver<'a> {
    pub(super) fn new(samples: &'a Samples, masks: &'a [u32], penalty: f64, relaxation: f64) -> Result<Self> {
        let gates = GatedRelu::new(samples.count(), &samples.inputs, masks)?;
        let size = gates.columns();
        let (matrix, vector) = (vec![0.0; size * size], vec![0.0; size]);
        let problem = ConvexRelu::factored(gates, &samples.targets, WEIGHT, penalty, matrix, vector)?;
        let memory = vec![0.0; Admm::scalars(size, problem.rows())];
        let mut admm = Admm::new(AdmmSettings { relaxation }, memory)?;
        admm.start(&problem)?;
        Ok(Self { samples, gates, penalty, problem, admm, iterations: 0 })
    }

    pub(super) fn steps(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            self.admm.step(&mut self.problem)?;
        }
        self.iterations += count;
        Ok(())
    }

    pub(super) fn outcome(&self) -> Result<Outcome> {
        let size = self.gates.columns();
        let blocks = &self.admm.second()[..size];
        let scaled = &self.admm.scaled_multiplier()[size..];
        let mut multiplier: Vec<_> = scaled.iter().map(|entry| -self.penalty * entry).collect();
        let mut residual = vec![0.0; self.samples.count()];
        let objective = self.problem.objective(blocks, &mut residual)?;
        let bound =
            self.problem.dual_bound(blocks, &mut multiplier, &mut residual, &mut vec![0.0; 2 * size])?.value;
        let violation = self.problem.violation(blocks, &mut multiplier)?;
        let mut parameters = vec![0.0; size + size / FEATURES];
        recover_relu(FEATURES, blocks, &mut parameters)?;
        let network = network_objective(&self.samples.inputs, &self.samples.targets, WEIGHT, &parameters)?;
        Ok(Outcome { network, objective, bound, violation, iterations: self.iterations })
    }

    /// Steps until the two bounds of the least value are within `gap` of each other.
    pub(super) fn certify(&mut self, gap: f64, most: usize) -> Result<Outcome> {
        loop {
            self.steps(250)?;
            let outcome = self.outcome()?;
            if outcome.gap() <= gap || self.iterations >= most {
                return Ok(outcome);
            }
        }
    }
}
