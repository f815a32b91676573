//! A layer of attention is trained by normalized gradient descent: its weights turn into the direction of the support vector
//! machine that separates the selected tokens.

use quern_kernels::nn::Attention;
use quern_kernels::optim::normalized_step;
use quern_kernels::prox::{OuterProductProjection, OuterProducts, ProjectionStatus};
use quern_kernels::quant::audit::Fnv1a64;
use quern_kernels::random::Key;
use quern_kernels::{Error, blas};

use super::Instance;
use crate::generators::unit_vectors;
use crate::link::Value;
use crate::{Call, CallError, Scalar};

/// The instance as it runs on a board: f32, seed 28.
pub(super) const INSTANCE: Instance = Instance {
    slug: "transformers-as-svm",
    summary: "attention trained by gradient descent turns into the direction of a hard-margin support vector machine",
    run,
};

const SEED: u64 = 28;
/// Sequences.
pub const SEQUENCES: usize = 3;
const TOKENS: usize = 4;
const DIMENSION: usize = 4;
const CONSTRAINTS: usize = SEQUENCES * (TOKENS - 1);
const SQUARE: usize = DIMENSION * DIMENSION;
const STEPS: usize = 800;
const LEARNING_RATE: f64 = 0.1;

fn run(call: &mut Call<'_>) -> Result<(), CallError> {
    let outcome = solve::<f32>(call, SEED)?;
    let mut selected = 0;
    for token in outcome.selected {
        selected = selected * 10 + i64::from(token);
    }
    for (name, integer) in
        [("hash", outcome.digest as i64), ("selected", selected), ("steps", outcome.steps as i64)]
    {
        call.answer(Value::Text(name))?;
        call.answer(Value::Integer(integer))?;
    }
    for (name, figure) in [
        ("softmax", outcome.softmax),
        ("norm", outcome.norm),
        ("correlation", outcome.correlation),
        ("violation", outcome.violation),
    ] {
        call.answer(Value::Text(name))?;
        call.answer_scalar(figure)?;
    }
    Ok(())
}

/// What [`solve`] finds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<T> {
    /// The token of each sequence with the largest softmax at the end.
    pub selected: [u32; SEQUENCES],
    /// The token of each with the largest score.
    pub optimal: [u32; SEQUENCES],
    /// Steps before the gradient vanished, at most 800.
    pub steps: usize,
    /// The smallest over the sequences of the largest softmax.
    pub softmax: T,
    /// ‖W‖_F.
    pub norm: T,
    /// ⟨W, V⟩/(‖W‖‖V‖) with V the support vector machine's matrix.
    pub correlation: T,
    /// By how much V misses a constraint.
    pub violation: T,
    /// Whether the projection converged.
    pub separable: bool,
    /// V.
    pub svm: [T; SQUARE],
    /// Digest of W, V and the figures.
    pub digest: u64,
}

/// Trains, then solves the support vector machine of the tokens that were selected.
///
/// Memory from the call's arena: 1.1 KiB for `f32`. All randomness comes from the seed through a counter-based generator.
///
/// # Errors
/// [`Error::Capacity`]; those of the kernels, which do not occur.
pub fn solve<T: Scalar>(call: &mut Call<'_>, seed: u64) -> Result<Outcome<T>, CallError> {
    let [tokens_key, queries_key, head_key, labels_key] = Key::from_seed(seed).split();
    let tokens = call.lend::<T>(SEQUENCES * TOKENS * DIMENSION)?;
    let queries = call.lend::<T>(SEQUENCES * DIMENSION)?;
    let mut head = [T::ZERO; DIMENSION];
    unit_vectors(tokens_key, DIMENSION, tokens);
    unit_vectors(queries_key, DIMENSION, queries);
    unit_vectors(head_key, DIMENSION, &mut head);
    let mut labels = [T::ONE; SEQUENCES];
    for (index, label) in (0..).zip(labels.iter_mut()) {
        if labels_key.bits_at(index)[0] & 1 == 1 {
            *label = -T::ONE;
        }
    }
    let net = Attention::new(TOKENS, tokens, queries, &head, &labels)?;
    let (mut w, mut gradient) = ([T::ZERO; SQUARE], [T::ZERO; SQUARE]);
    let softmax = call.lend::<T>(SEQUENCES * TOKENS)?;
    let mut scratch = [T::ZERO; 2 * DIMENSION];
    let mut steps = 0;
    while steps < STEPS {
        net.gradient(&w, softmax, &mut gradient, &mut scratch)?;
        if !normalized_step(&mut w, &gradient, T::from_f64(LEARNING_RATE))? {
            break;
        }
        steps += 1;
    }
    net.forward(&w, softmax, &mut scratch)?;
    let (mut selected, mut optimal) = ([0; SEQUENCES], [0; SEQUENCES]);
    net.selected(softmax, &mut selected)?;
    net.optimal(&mut optimal)?;
    let largest = |s: &[T]| s.iter().fold(T::ZERO, |largest, &s| largest.maximum(s));
    let least = softmax.chunks_exact(TOKENS).map(largest).fold(T::ONE, |least, s| least.minimum(s));

    let left = call.lend::<T>(CONSTRAINTS * DIMENSION)?;
    let right = call.lend::<T>(CONSTRAINTS * DIMENSION)?;
    net.separations(&selected, left, right)?;
    let constraints = OuterProducts::new(left, right, DIMENSION, DIMENSION)?;
    let memory = call.lend::<T>(OuterProductProjection::scalars(CONSTRAINTS, DIMENSION, DIMENSION))?;
    let mut projection = OuterProductProjection::new(memory);
    // 1e-6 for f32, 1e-12 for f64, as the specification has it.
    let tolerance = if T::EPSILON < T::from_f64(1e-10) { T::from_f64(1e-12) } else { T::from_f64(1e-6) };
    let report = projection.solve(&constraints, None, tolerance, 2000)?;
    let mut svm = [T::ZERO; SQUARE];
    blas::copy(projection.matrix(), &mut svm)?;
    let norm = blas::norm2(&w);
    let correlation = blas::dot(&w, &svm)? / (norm * blas::norm2(&svm));
    if !correlation.is_finite() {
        return Err(Error::NonFinite { what: "correlation", index: 0 }.into());
    }
    let mut digest = Fnv1a64::new();
    digest.write(bytemuck::cast_slice(&w));
    digest.write(bytemuck::cast_slice(&svm));
    digest.write(bytemuck::cast_slice(&[least, norm, correlation, report.violation]));
    digest.write(&(steps as u32).to_le_bytes());
    Ok(Outcome {
        selected,
        optimal,
        steps,
        softmax: least,
        norm,
        correlation,
        violation: report.violation,
        separable: report.status == ProjectionStatus::Converged,
        svm,
        digest: digest.finish(),
    })
}
