use quern_kernels::blas::{dot, norm2};
use quern_kernels::nn::Mlp;
use quern_kernels::optim::Optimizer;
use quern_kernels::random::{Key, below, fill_rademacher};
use quern_kernels::stability::{
    Action, Curvature, Guard, GuardSettings, Observation, Policy, Sampling, Verdict, batch_factor, ratios,
};
use quern_kernels::{Error, Real};

use super::samples::{Samples, Targets};
use super::trainer::{Method, Settings};

/// How a training stands, by what a guard has seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stability {
    /// R_T = η[(1 − κ)‖H‖_F² + κm₄]/(2 Tr H) at the present learning rate; above 1 no minimum with this curvature is
    /// stable.
    pub trace_ratio: Option<f32>,
    /// R_F = η√κ‖H‖_F/2.
    pub frobenius_ratio: Option<f32>,
    /// An estimate of Tr H.
    pub trace: Option<f32>,
    /// How often the guard lowered the learning rate because of a ratio.
    pub reductions: u32,
    /// How often it set the parameters back.
    pub recoveries: u32,
}

/// A guard beside a training: each step it looks at one sample, drawn independently of the batch.
///
/// H is the Gauss-Newton matrix of the loss, Hᵢ = JᵢᵀSᵢJᵢ, S the Hessian of the loss by the outputs. With S = RRᵀ and
/// a vector s of random signs, E‖JᵀRs‖² = Tr Hᵢ; with another such s′, E(sᵀRᵀJJᵀRs′)² = ‖Hᵢ‖_F², and between samples
/// drawn independently the square of that product is ‖H‖_F² in the mean. For the cross-entropy S = diag p − ppᵀ, and
/// R = diag √p − p√pᵀ. Cost: one forward and two backward passes of one sample a step.
///
/// The theory is that of plain SGD. Momentum μ counts as a learning rate of η/(1 − μ), which is what the noise sees;
/// with Adam the gradients are taken in the metric of its steps. Both are approximations, as κ is for shuffled epochs.
pub(super) struct Watch<'a> {
    net: Mlp<'a>,
    guard: Guard<f32, Vec<f32>>,
    policy: Policy,
    key: Key,
    batch_factor: f32,
    /// What the guard's learning rate is of the schedule's peak.
    gain: f32,
    /// The guard's learning rate at first.
    highest: f32,
    /// Steps before the first that counts: Adam's metric is not there before its moments are.
    settle: u32,
    /// Of the sample looked at, and what the backward pass makes of them.
    activations: Vec<f32>,
    deltas: Vec<f32>,
    seed: Vec<f32>,
    gradients: [Vec<f32>; 2],
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        net: Mlp<'a>,
        parameters: &[f32],
        samples: usize,
        settings: &Settings,
        policy: Policy,
    ) -> Result<Self, Error> {
        let gain = settings.method.gain();
        let highest = settings.schedule.peak * gain;
        let batch = settings.batch.min(samples);
        let batch_factor = batch_factor(samples, batch, Sampling::WithoutReplacement)?;
        let window = samples.div_ceil(batch).clamp(16, 1000);
        let guard_settings = GuardSettings {
            policy,
            window,
            interval: window,
            batch_factor,
            pairs: true,
            least_learning_rate: highest * 1e-5,
        };
        let memory = vec![0.0; Guard::scalars(parameters.len(), true)];
        let activations = vec![0.0; net.activations(1)?];
        Ok(Self {
            net,
            guard: Guard::new(guard_settings, highest, parameters, memory)?,
            policy,
            // Any purpose but those of the epochs' orders.
            key: settings.key.child(u32::MAX),
            batch_factor,
            gain,
            highest,
            settle: if matches!(settings.method, Method::Adam { .. }) { window as u32 } else { 0 },
            seed: vec![0.0; net.outputs(&activations, 1).len()],
            deltas: activations.clone(),
            activations,
            gradients: [vec![0.0; parameters.len()], vec![0.0; parameters.len()]],
        })
    }

    /// What the guard leaves of the schedule's learning rate.
    pub(super) fn factor(&self) -> f32 {
        self.guard.learning_rate() / self.highest
    }

    /// Whether it mends what overflows.
    pub(super) fn protects(&self) -> bool {
        self.policy == Policy::Protect
    }

    /// Whether the guard has given up.
    pub(super) fn has_halted(&self) -> bool {
        self.guard.report().verdict == Verdict::Halted
    }

    /// Takes in what a step shows, before it is made.
    pub(super) fn observe(
        &mut self,
        parameters: &mut [f32],
        samples: &Samples,
        optimizer: &dyn Optimizer<f32>,
        loss: f32,
        step: u32,
    ) -> Result<Action, Error> {
        if step < self.settle {
            return Ok(Action::Step);
        }
        let key = self.key.child(step);
        let index = below(&mut key.stream(), samples.len() as u32)? as usize;
        let input = samples.input(index);
        self.net.forward(parameters, input, &mut self.activations)?;
        let outputs = self.net.outputs(&self.activations, 1).to_vec();
        for (number, gradient) in self.gradients.iter_mut().enumerate() {
            fill_rademacher(key.child(number as u32), 0, &mut self.seed);
            if let Targets::Labels(_) = samples.targets {
                spread(&outputs, &mut self.seed);
            }
            self.deltas.copy_from_slice(&self.activations);
            self.net.outputs_mut(&mut self.deltas, 1).copy_from_slice(&self.seed);
            self.net.backward(parameters, input, &mut self.deltas, gradient)?;
            optimizer.to_step_metric(gradient)?;
        }
        let [first, second] = &self.gradients;
        let squared_norm = 0.5 * (dot(first, first)? + dot(second, second)?);
        let residual = match &samples.targets {
            Targets::Labels(_) => 1.0,
            Targets::Values(values) => outputs.first().copied().unwrap_or_default() - values[index],
        };
        let mut observation = Observation::sample(squared_norm, residual, loss);
        let product = dot(first, second)?;
        observation.fourth_power = product * product;
        self.guard.observe(parameters, first, &observation)
    }

    /// Judges the training now and then, after its step.
    pub(super) fn check(&mut self, parameters: &mut [f32]) -> Result<Verdict, Error> {
        self.guard.check(parameters, None)
    }

    /// Sets the parameters back after something overflowed.
    pub(super) fn recover(&mut self, parameters: &mut [f32]) -> Result<(), Error> {
        self.guard.recover(parameters).map(drop)
    }

    /// How the training stands at a learning rate of its optimizer.
    pub(super) fn stability(&self, learning_rate: f32) -> Stability {
        let (trackers, report) = (self.guard.trackers(), self.guard.report());
        let curvature = Curvature {
            trace: trackers.trace(),
            fourth_moment: trackers.fourth_moment(),
            frobenius_squared: trackers.frobenius_squared(),
            ..Curvature::unknown(learning_rate * self.gain, self.batch_factor)
        };
        let found = ratios(&curvature).ok();
        Stability {
            trace_ratio: found.and_then(|found| found.trace),
            frobenius_ratio: found.and_then(|found| found.frobenius),
            trace: trackers.trace(),
            reductions: report.reductions,
            recoveries: report.recoveries,
        }
    }
}

/// s ← Rs with R = diag √p − p√pᵀ, p the softmax of the logits.
fn spread(logits: &[f32], signs: &mut [f32]) {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let mut roots: Vec<f32> = logits.iter().map(|logit| Real::exp(0.5 * (logit - largest))).collect();
    let norm = norm2(&roots);
    for (root, sign) in roots.iter_mut().zip(signs.iter_mut()) {
        *root /= norm;
        *sign *= *root;
    }
    let sum: f32 = signs.iter().sum();
    for (root, sign) in roots.iter().zip(signs) {
        *sign -= root * root * sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_have_the_hessian_of_the_cross_entropy_as_covariance() {
        let logits = [0.3, -1.0, 2.0, 0.5];
        let total: f32 = logits.iter().map(|logit| f32::exp(*logit)).sum();
        let p = logits.map(|logit| f32::exp(logit) / total);
        // The columns of R are what it makes of the unit vectors; the mean of Rs(Rs)ᵀ over all signs is RRᵀ.
        let columns: [[f32; 4]; 4] = core::array::from_fn(|column| {
            let mut unit = [0.0; 4];
            unit[column] = 1.0;
            spread(&logits, &mut unit);
            unit
        });
        for i in 0..4 {
            for j in 0..4 {
                let found: f32 = columns.iter().map(|column| column[i] * column[j]).sum();
                let expected = if i == j { p[i] } else { 0.0 } - p[i] * p[j];
                assert!((found - expected).abs() < 16.0 * f32::EPSILON, "{i} {j}: {found} {expected}");
            }
        }
    }
}
