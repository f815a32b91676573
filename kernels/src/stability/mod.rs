//! Dynamical stability of minima under stochastic gradient descent, and a guard that keeps a training loop inside it.
//!
//! Around a minimum that interpolates its samples, SGD with learning rate η on batches of B is a linear random
//! recurrence in δ = θ − θ*. With Hᵢ the Hessian of sample i, H their mean and κ the [`batch_factor`], its second
//! moment Σ = E δδᵀ obeys Σ ← Σ − η(HΣ + ΣH) + η²[(1 − κ)HΣH + (κ/n) Σᵢ HᵢΣHᵢ], and stays bounded if and only if η
//! is at most η*. Gradient descent alone would need η ≤ 2/λ_max(H) only; the noise makes it a matter of the trace.
//!
//! | task | item |
//! |---|---|
//! | keep a loop stable, online | [`Guard`], from free statistics of unit-seed gradients ([`Trackers`]) |
//! | necessary conditions for stability | [`ratios`]: each must be at most 1 |
//! | the exact threshold η* | [`Threshold`], small problems |
//! | estimate Tr H and ‖H‖_F from products | [`hutchinson`] |
//! | how much the samples' Hessians differ | [`nonuniformity`] |
//! | how the noise is aligned with the curvature | [`alignment`] |
//! | whether two minima are joined by a straight line without a barrier | [`line_barrier`] |
//!
//! The conditions are necessary, not sufficient, and concern a minimum: a ratio above 1 proves that SGD cannot stay
//! there; early in training it is a hint. With residuals that do not vanish, the mean of gᵢgᵢᵀ is not the Hessian:
//! look at both. Steps that are clipped are not those of the theory. Batches must be drawn independently: shuffled
//! epochs make κ approximate and invalidate the Frobenius norm from consecutive gradients.
//!
//! Source: L. Wu, W. J. Su, The Implicit Regularization of Dynamical Stability in Stochastic Gradient Descent, ICML
//! 2023, arXiv 2305.17490, unless an item names another.

mod alignment;
mod batch;
mod guard;
mod hutchinson;
mod line_barrier;
mod nonuniformity;
mod ratios;
mod threshold;
mod trackers;

pub use alignment::alignment;
pub use batch::{Sampling, batch_factor};
pub use guard::{Action, Guard, GuardReport, GuardSettings, Policy, Verdict};
pub use hutchinson::{Estimate, Moments, hutchinson};
pub use line_barrier::{Barrier, line_barrier};
pub use nonuniformity::nonuniformity;
pub use ratios::{Curvature, Ratios, ratios};
pub use threshold::{LinearizedSgd, Threshold, ThresholdReport, ThresholdStatus};
pub use trackers::{Observation, Trackers};
