//! At which minima SGD can stay: the trace of the Hessian against 2/η, what that does to the test error, and the exact
//! threshold against the conditions that can be checked.
//!
//! Models: diagonal linear networks on a sparse linear target, and two-layer ReLU networks on a small teacher, both
//! with more parameters than samples. SGD draws one sample a step, with replacement.

mod balance;
mod curvature;
mod diagonal;
mod exact;
mod relu;

use anyhow::Result;
use quern_kernels::random::Key;

use super::{Bound, Check, Experiment, Findings, Progress, Settings};

/// Specification 32.
pub struct SgdDynamicalStability;

/// The claims, in the order of [`Experiment::claims`].
const TRACE: &str = "An interpolating minimum at which SGD in batches of one stays has Tr H ≤ 2/η; gradient descent asks \
                     for λ_max(H) ≤ 2/η alone";
const TEST: &str = "A larger learning rate makes SGD end at a smaller trace and a smaller test error; gradient descent \
                    hardly changes";
const BALANCE: &str =
    "SGD drives unbalanced diagonal networks to the balanced state; gradient descent does not";
const EXACT: &str = "The checkable conditions are necessary: each bound lies above the exact threshold. The trace alone is \
                     no bound for batches of more than one";

impl Experiment for SgdDynamicalStability {
    fn slug(&self) -> &'static str {
        "sgd-dynamical-stability"
    }

    fn title(&self) -> &'static str {
        "Stability of SGD minima: the trace of the Hessian against the learning rate"
    }

    fn claims(&self) -> &'static [&'static str] {
        &[TRACE, TEST, BALANCE, EXACT]
    }

    fn run(&self, settings: &Settings, progress: &Progress) -> Result<Findings> {
        let [diagonal_key, relu_key, balance_key, exact_key] = Key::from_seed(settings.seed).split();
        settings.on_threads(|| {
            let mut findings = Findings::default();
            diagonal::run(settings.scale, diagonal_key, progress, &mut findings)?;
            relu::run(settings.scale, relu_key, progress, &mut findings)?;
            balance::run(settings.scale, balance_key, progress, &mut findings)?;
            exact::run(settings.scale, exact_key, progress, &mut findings)?;
            Ok(findings)
        })
    }
}

/// Below this loss a run has converged to an interpolating minimum.
const CONVERGED: f64 = 1e-8;

/// One training run's end.
#[derive(Clone, Copy, Debug)]
struct End {
    learning_rate: f64,
    /// Mean of ½r² over the samples.
    train: f64,
    /// Mean of ½r² over points that were not trained on.
    test: f64,
    curvature: curvature::Sharpness,
    /// The share of steps that were clipped.
    clipped: f64,
}

impl End {
    /// ηTr(G)/2.
    fn trace_ratio(&self) -> f64 {
        self.learning_rate * self.curvature.trace / 2.0
    }

    /// Whether the loss is that of an interpolating minimum.
    fn converged(&self) -> bool {
        self.train < CONVERGED
    }
}

/// The claim about the trace, over the runs of SGD that converged; NaN, which holds nowhere, if none did.
fn check_trace(part: &str, runs: &[End], findings: &mut Findings) {
    let converged = runs.iter().filter(|run| run.converged());
    let count = converged.clone().count();
    let largest = converged.map(End::trace_ratio).fold(f64::NAN, f64::max);
    let name = format!("{part}: largest η·Tr(G)/2 of SGD's converged runs");
    findings.checks.push(
        Check::new(name, TRACE, largest, Bound::AtMost(1.02))
            .remark(format!("{count} of {} runs end with a loss below {CONVERGED:e}", runs.len())),
    );
}

/// Points evenly spaced in the logarithm, 10^first to 10^last.
fn grid(first: f64, last: f64, points: usize) -> Vec<f64> {
    (0..points).map(|i| 10f64.powf(first + (last - first) * i as f64 / (points - 1) as f64)).collect()
}

/// By how much a step's gradient is to be shortened to have at most this norm.
fn clip(norm: f64, limit: f64) -> f64 {
    if norm > limit { limit / norm } else { 1.0 }
}
